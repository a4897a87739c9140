use serde::{Serialize, de::DeserializeOwned};

use super::{Key, Lookup};
use crate::Timestamp;

/// What is kept as one item. Its fields become the item's attributes by serde; `pk`, `sk`,
/// `kind`, `ttl`, `writeId`, `writtenBy`, `changedAt`, `deletedAt` and `lookup` are added by the store and are not
/// names for fields.
///
/// # Panics
/// Writing one with a field of such a name, or without a `version`.
pub trait Entity: Serialize + DeserializeOwned + Send + Sync {
    /// The kind's name, `NOTE`; also the prefix of its sort keys.
    const KIND: &'static str;

    /// Where the item lives.
    fn key(&self) -> Key;

    /// The number of the item's last write, from 1, kept as `version`. The store counts it and refuses a write that
    /// was made from an older one.
    fn version_mut(&mut self) -> &mut u64;

    /// Whether phones keep copies of such items and will ask what has changed. Each write then marks
    /// the item with `changedAt`, and deleting one leaves a tombstone for 90 days: a phone that was
    /// away for longer has to read everything anew. Made anew, the item goes on counting from its
    /// tombstone's version.
    const KEPT_BY_PHONES: bool = false;

    /// When the item ends. From then on it reads as missing, although DynamoDB deletes it up to
    /// days later.
    fn expires_at(&self) -> Option<Timestamp> {
        None
    }

    /// The value by which [`Store::look_up`](super::Store::look_up) finds it. Only what has one is
    /// in the table's index, which costs a write unit more for each write of such an item.
    fn lookup(&self) -> Option<Lookup> {
        None
    }
}
