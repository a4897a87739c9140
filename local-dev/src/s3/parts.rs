//! Uploads in parts, and what they come together to.

use s3s::{S3Result, dto::CompletedPart, s3_error};

use super::index::Part;

/// All parts of an upload but the last have so many bytes at least
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/qfacts.html>).
const SMALLEST_PART: u64 = 5 * 1024 * 1024;
const MOST_PARTS: i32 = 10_000;

/// Whether a part can have this number.
pub(super) fn check_number(number: i32) -> S3Result<()> {
    if (1..=MOST_PARTS).contains(&number) {
        return Ok(());
    }
    Err(s3_error!(InvalidArgument, "Part number must be an integer between 1 and 10000, inclusive"))
}

/// The parts that the sender names, if they are there and it knows them.
pub(super) fn chosen(named: &[CompletedPart], parts: Vec<Part>) -> S3Result<Vec<Part>> {
    if named.is_empty() {
        return Err(s3_error!(InvalidRequest, "You must specify at least one part"));
    }
    if !named.is_sorted_by(|one, next| one.part_number < next.part_number) {
        return Err(s3_error!(InvalidPartOrder, "The list of parts was not in ascending order."));
    }
    let mut chosen = Vec::new();
    for name in named {
        let is_named = |part: &&Part| Some(part.number) == name.part_number;
        let known = |part: &&Part| name.e_tag.as_ref().is_some_and(|it| it.value() == part.etag);
        let part = parts.iter().find(is_named).filter(known);
        let part = part.ok_or_else(|| {
            s3_error!(InvalidPart, "One or more of the specified parts could not be found.")
        })?;
        chosen.push(part.clone());
    }
    let but_the_last = &chosen[..chosen.len() - 1];
    if but_the_last.iter().any(|part| part.size < SMALLEST_PART) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(chosen)
}
