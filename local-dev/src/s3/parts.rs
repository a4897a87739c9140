//! Uploads in parts, and what they come together to.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_STANDARD};
use s3s::{S3Error, S3Result, dto::CompletedPart, s3_error};

use super::{
    digests::{Checksums, Digested, Digests, checksums_in},
    index::Part,
};

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

/// Whether an upload is as large as its sender says (`x-amz-mp-object-size`).
pub(super) fn check_size(told: Option<i64>, size: u64) -> S3Result<()> {
    match told {
        Some(told) if told != size.cast_signed() => {
            Err(s3_error!(InvalidRequest, "The parts have {size} bytes together, and not {told}."))
        }
        _ => Ok(()),
    }
}

/// A content that becomes part of another one, and what its sender says that it is.
pub(super) struct Piece {
    pub(super) content: String,
    pub(super) size: u64,
    pub(super) told: Checksums,
}

/// What is computed of pieces while they come together. The checksum of all is over their bytes, or,
/// where it ends with how many they are (`sum-2`), over their checksums
/// (<https://docs.aws.amazon.com/AmazonS3/latest/userguide/checking-object-integrity-upload.html>).
pub(super) struct Joined {
    whole: Digests,
    piece: Option<Digests>,
    count: usize,
    /// The checksums of the pieces so far, one behind the other, by algorithm.
    of_pieces: BTreeMap<String, Vec<u8>>,
}

impl Joined {
    pub(super) fn new(told: &Checksums) -> S3Result<Self> {
        let is_of_pieces = |sum: &str| sum.contains('-');
        let of_bytes = told.iter().filter(|(_, sum)| !is_of_pieces(sum));
        let of_pieces = told.iter().filter(|(_, sum)| is_of_pieces(sum));
        Ok(Self {
            whole: Digests::of(of_bytes.map(|(name, _)| name.as_str()))?,
            piece: None,
            count: 0,
            of_pieces: of_pieces.map(|(name, _)| (name.clone(), Vec::new())).collect(),
        })
    }

    pub(super) fn begin(&mut self, told: &Checksums) -> S3Result<()> {
        let names: Vec<_> = told.keys().chain(self.of_pieces.keys()).map(String::as_str).collect();
        let is_summed = !names.is_empty();
        self.piece = is_summed.then(|| Digests::of(names.into_iter())).transpose()?;
        self.count += 1;
        Ok(())
    }

    pub(super) fn update(&mut self, bytes: &[u8]) {
        self.whole.update(bytes);
        if let Some(piece) = &mut self.piece {
            piece.update(bytes);
        }
    }

    /// Refuse a piece that is not what its sender says.
    pub(super) fn end(&mut self, told: &Checksums) -> S3Result<()> {
        let Some(piece) = self.piece.take() else { return Ok(()) };
        let sums = piece.finish().checksums;
        if told.iter().any(|(name, sum)| sums.get(name) != Some(sum)) {
            return Err(no_such_part());
        }
        for (name, of_pieces) in &mut self.of_pieces {
            let sum = sums.get(name).and_then(|sum| BASE64_STANDARD.decode(sum).ok());
            of_pieces.extend(sum.ok_or_else(no_such_part)?);
        }
        Ok(())
    }

    /// Refuse a whole that is not what its sender says.
    pub(super) fn finish(self, told: &Checksums) -> S3Result<Digested> {
        let mut digested = self.whole.finish();
        for (name, of_pieces) in self.of_pieces {
            let mut sum = Digests::of([name.as_str()].into_iter())?;
            sum.update(&of_pieces);
            let sums = sum.finish().checksums.into_values();
            let sums = sums.map(|sum| (name.clone(), format!("{sum}-{}", self.count)));
            digested.checksums.extend(sums);
        }
        digested.check(told, None, None)?;
        Ok(digested)
    }
}

/// The parts that the sender names, if they are there and it knows them, and what it says of each.
pub(super) fn chosen(named: &[CompletedPart], parts: &[Part]) -> S3Result<Vec<(Part, Checksums)>> {
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
        let part = part.ok_or_else(no_such_part)?;
        chosen.push((part.clone(), checksums_in!(name)));
    }
    let but_the_last = &chosen[..chosen.len() - 1];
    if but_the_last.iter().any(|(part, _)| part.size < SMALLEST_PART) {
        return Err(s3_error!(
            EntityTooSmall,
            "Your proposed upload is smaller than the minimum allowed size"
        ));
    }
    Ok(chosen)
}

fn no_such_part() -> S3Error {
    s3_error!(
        InvalidPart,
        "One or more of the specified parts could not be found. The part may not have been \
         uploaded, or is not what its entity tag or its checksum says."
    )
}
