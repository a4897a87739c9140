use aws_lc_rs::digest::{self, SHA256};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use std::time::Duration;

use super::Error;
use crate::{Id, Timestamp};

/// Some items of a listing, and where the next page begins.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// The items, in the listing's order. May be empty although there is a next page.
    pub items: Vec<T>,
    /// Absent on the last page.
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// The same page of something else.
    pub fn map<U>(self, show: impl FnMut(T) -> U) -> Page<U> {
        Page { items: self.items.into_iter().map(show).collect(), next_cursor: self.next_cursor }
    }
}

/// What to list: the things of one kind that one person owns, newest first.
#[derive(Clone, Debug)]
pub struct Listing<'a> {
    /// Whose.
    pub owner: Id,
    /// At most so many items.
    pub limit: usize,
    /// Where to go on, from [`Page::next_cursor`].
    pub cursor: Option<&'a str>,
    /// Only items whose list attribute of this name contains this value.
    pub containing: Option<(&'a str, &'a str)>,
}

/// The sort key at which the next page begins, sealed to its listing. It needs no secret: the
/// partition always comes from the caller, so a forged cursor reaches the caller's own items at
/// most. The hash is there to catch mistakes, such as a changed filter.
pub(super) struct Cursor;

const VERSION: u8 = 1;
const HASH: usize = 8;
const TIME: usize = 8;
const LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

/// How far the clocks of two machines that serve one listing may be apart.
const CLOCKS_APART: Duration = Duration::from_secs(60);

impl Cursor {
    pub(super) fn seal(kind: &str, listing: &Listing<'_>, sort: &str, now: Timestamp) -> String {
        let issued = now.unix_millis().to_be_bytes();
        let mut bytes = vec![VERSION];
        bytes.extend(Self::hash(kind, listing, &issued, sort.as_bytes()));
        bytes.extend(issued);
        bytes.extend(sort.as_bytes());
        URL_SAFE_NO_PAD.encode(bytes)
    }

    pub(super) fn open(
        cursor: &str,
        kind: &str,
        listing: &Listing<'_>,
        now: Timestamp,
    ) -> Result<String, Error> {
        let bytes = URL_SAFE_NO_PAD.decode(cursor).map_err(|_| Error::InvalidCursor)?;
        let (version, rest) = bytes.split_first().ok_or(Error::InvalidCursor)?;
        let (hash, rest) = rest.split_first_chunk::<HASH>().ok_or(Error::InvalidCursor)?;
        let (issued, sort) = rest.split_first_chunk::<TIME>().ok_or(Error::InvalidCursor)?;
        let issued_at = Timestamp::from_unix_millis(i64::from_be_bytes(*issued));
        let fits = *version == VERSION
            && *hash == Self::hash(kind, listing, issued, sort)
            && now.since(issued_at) < LIFETIME
            && issued_at.since(now) < CLOCKS_APART;
        // Of this kind: DynamoDB refuses to begin outside what is listed.
        let sort = std::str::from_utf8(sort)
            .ok()
            .filter(|sort| sort.strip_prefix(kind).is_some_and(|rest| rest.starts_with('#')));
        sort.filter(|_| fits).map(str::to_owned).ok_or(Error::InvalidCursor)
    }

    /// Over everything that makes it this listing; the page size may change on the way.
    fn hash(kind: &str, listing: &Listing<'_>, issued: &[u8], sort: &[u8]) -> [u8; HASH] {
        let (attribute, value) = listing.containing.unwrap_or_default();
        let mut context = digest::Context::new(&SHA256);
        for part in [
            kind.as_bytes(),
            listing.owner.as_bytes(),
            attribute.as_bytes(),
            value.as_bytes(),
            issued,
            sort,
        ] {
            // Lengths keep neighbours apart: ("ab", "c") is not ("a", "bc").
            context.update(&part.len().to_be_bytes());
            context.update(part);
        }
        *context.finish().as_ref().first_chunk().expect("SHA-256 has 32 bytes")
    }
}
