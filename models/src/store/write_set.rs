use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use super::{
    Entity, Error, Key,
    item::{self, Item, LARGEST_ITEM, item_size, to_item, tombstone},
    table::{CHANGED_AT, DELETED_AT, KIND, PARTITION, TTL, VERSION, WRITTEN_BY},
};
use crate::Timestamp;

/// DynamoDB's limits for one transaction: its writes, and their items in bytes.
const MOST_WRITES: usize = 100;
const LARGEST_TOGETHER: usize = 4 * 1024 * 1024;

/// How long phones may ask what was deleted.
const TOLD_TO_PHONES: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// How long a call that was sent before something was deleted could still arrive, and more: AWS
/// refuses a signature after five minutes (IAM User Guide, "Elements of an AWS API request
/// signature"; some services after fifteen).
const CALLS_ARRIVE: Duration = Duration::from_secs(60 * 60);

/// Several writes that happen together or not at all (TransactWriteItems). Of two writes of one item
/// the first says what must be there, and the second what is there afterwards; one that cannot come
/// after the other is a conflict.
///
/// They are to at most 100 items, of 4 MB together, or [`Error::TooLarge`]. The record of a request
/// with an `Idempotency-Key` is one of them, so its handler has 99 in all. Validate a request such
/// that it takes fewer.
#[derive(Clone, Debug, Default)]
pub struct WriteSet {
    writes: Vec<Write>,
}

/// One item, and what becomes of it.
#[derive(Clone, Debug)]
pub(super) struct Write {
    pub(super) key: Key,
    /// What must be there.
    pub(super) given: Given,
    /// What is there afterwards.
    pub(super) item: Option<Item>,
    /// Its place among the writes as they were added.
    pub(super) place: usize,
}

/// What must be at a key for a write to happen.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Given {
    /// Nothing, or what has expired.
    Nothing,
    /// Something.
    Anything,
    /// Something of this version.
    Version(u64),
}

impl WriteSet {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to write.
    pub fn is_empty(&self) -> bool {
        self.writes.is_empty()
    }

    /// Add the writes of another set after these.
    #[must_use]
    pub fn and(mut self, other: Self) -> Self {
        self.writes.extend(other.writes);
        self
    }

    /// Add an item that must not exist yet; one that has expired is none.
    #[must_use]
    pub fn create<E: Entity>(self, entity: &mut E) -> Self {
        *entity.version_mut() = 1;
        self.with(entity.key(), Given::Nothing, Some(to_item(entity)))
    }

    /// Replace an item that must not have changed since it was read. Counts its version up.
    #[must_use]
    pub fn replace<E: Entity>(self, entity: &mut E) -> Self {
        let read = *entity.version_mut();
        *entity.version_mut() += 1;
        self.with(entity.key(), Given::Version(read), Some(to_item(entity)))
    }

    /// Remove an item that must exist, and leave nothing in its place. So a call that was sent
    /// before, and arrives late, can make it again: for what is only ever made in a write set,
    /// which DynamoDB knows again.
    #[must_use]
    pub fn delete(self, key: Key) -> Self {
        self.with(key, Given::Anything, None)
    }

    /// Remove an item that must not have changed since it was read. A tombstone stays in its place.
    #[must_use]
    pub fn remove<E: Entity>(self, entity: &mut E) -> Self {
        let read = *entity.version_mut();
        self.with(entity.key(), Given::Version(read), Some(tombstone(entity)))
    }

    fn with(mut self, key: Key, given: Given, item: Option<Item>) -> Self {
        let place = self.writes.len();
        self.writes.push(Write { key, given, item, place });
        self
    }

    /// Mark what is written with the event handler that writes it, so that it can be told in the
    /// table's stream ([`Images::written_by`](super::Images::written_by)). The next write by
    /// anybody else takes the mark off.
    #[must_use]
    pub fn marked(mut self, handler: &str) -> Self {
        for item in self.writes.iter_mut().filter_map(|write| write.item.as_mut()) {
            item.insert(WRITTEN_BY.to_owned(), AttributeValue::S(handler.to_owned()));
        }
        self
    }

    /// The kinds of what is written.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.writes.iter().map(|write| {
            let kind = write.item.as_ref().and_then(|item| item.get(KIND)?.as_s().ok());
            kind.map_or(write.key.kind(), String::as_str)
        })
    }

    /// Where the writes are to.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &String> {
        self.writes.iter().map(|write| &write.key.partition)
    }

    /// The first write of each item, and its place.
    pub(super) fn firsts(&self) -> impl Iterator<Item = (usize, &Write)> {
        let mut known = HashSet::new();
        self.writes.iter().enumerate().filter(move |(_, write)| known.insert(&write.key))
    }

    /// What these writes leave at a key that is among theirs.
    pub(super) fn at(&self, key: &Key) -> Option<Option<&Item>> {
        let write = self.writes.iter().find(|write| write.key == *key)?;
        Some(write.item.as_ref())
    }

    /// Add the writes of another set, so that there is one for each item.
    ///
    /// # Errors
    /// [`Error::Conflict`] when one of them is given something else than what an earlier write
    /// leaves; then none is added.
    pub(super) fn fold(&mut self, other: Self, now: Timestamp) -> Result<(), Error> {
        let mut folded = self.writes.clone();
        for (place, write) in other.writes.into_iter().enumerate() {
            match folded.iter_mut().find(|known| known.key == write.key) {
                Some(known) if write.given.is(known.item.as_ref(), now) => known.item = write.item,
                Some(_) => return Err(Error::Conflict { write: place }),
                None => folded.push(Write { place, ..write }),
            }
        }
        self.writes = folded;
        Ok(())
    }

    /// The writes as they are sent now, one for each item.
    ///
    /// # Errors
    /// [`Error::TooLarge`], when there are more than 100 too, and those of `fold`.
    pub(super) fn ready(self, now: Timestamp) -> Result<Vec<Write>, Error> {
        let mut folded = Self::new();
        folded.fold(self, now)?;
        let mut writes = folded.writes;
        if writes.len() > MOST_WRITES {
            return Err(Error::TooLarge);
        }
        writes.iter_mut().for_each(|write| write.stamp(now));
        writes.iter().try_for_each(Write::check_size)?;
        let together: usize = writes.iter().map(Write::size).sum();
        if together > LARGEST_TOGETHER { Err(Error::TooLarge) } else { Ok(writes) }
    }

    /// The items as they are written now, of a set that makes new ones and nothing else.
    pub(super) fn into_new_items(self, now: Timestamp) -> Result<Vec<Item>, Error> {
        let ready = |mut write: Write| {
            write.stamp(now);
            write.check_size()?;
            Ok(write.item)
        };
        self.writes.into_iter().filter_map(|write| ready(write).transpose()).collect()
    }
}

pub(super) struct Condition {
    pub(super) expression: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Option<Item>,
}

impl Given {
    /// Whether this is what is there.
    pub(super) fn is(self, there: Option<&Item>, now: Timestamp) -> bool {
        match (self, there) {
            (Self::Nothing, None) => true,
            (Self::Nothing, Some(item)) => {
                item::end(item).is_some_and(|end| end.unix_seconds() < now.unix_seconds())
            }
            (Self::Anything, there) => there.is_some(),
            (Self::Version(read), there) => there.and_then(item::version) == Some(read),
        }
    }

    /// The same for DynamoDB to find out.
    pub(super) fn condition(self, now: Timestamp) -> Condition {
        let (expression, names, value) = match self {
            // DynamoDB deletes what has expired up to days later. Its seconds are rounded down.
            Self::Nothing => (
                "attribute_not_exists(#pk) OR #ttl < :now",
                vec![("#pk", PARTITION), ("#ttl", TTL)],
                Some((":now", now.unix_seconds().to_string())),
            ),
            Self::Anything => ("attribute_exists(#pk)", vec![("#pk", PARTITION)], None),
            Self::Version(read) => {
                ("#version = :read", vec![("#version", VERSION)], Some((":read", read.to_string())))
            }
        };
        Condition {
            expression,
            names: names.into_iter().map(|(name, it)| (name.to_owned(), it.to_owned())).collect(),
            values: value
                .map(|(name, number)| [(name.to_owned(), AttributeValue::N(number))].into()),
        }
    }
}

impl Write {
    /// Mark what phones keep with the time of the write, and a tombstone with its end.
    fn stamp(&mut self, now: Timestamp) {
        let Some(item) = &mut self.item else { return };
        let mark = AttributeValue::S(now.to_string());
        let told_to_phones = item.contains_key(CHANGED_AT);
        if told_to_phones {
            item.insert(CHANGED_AT.to_owned(), mark.clone());
        }
        if item.contains_key(DELETED_AT) {
            item.insert(DELETED_AT.to_owned(), mark);
            let lifetime = if told_to_phones { TOLD_TO_PHONES } else { CALLS_ARRIVE };
            let end = now.plus(lifetime).unix_seconds();
            item.insert(TTL.to_owned(), AttributeValue::N(end.to_string()));
        }
    }

    fn size(&self) -> usize {
        self.item.as_ref().map_or(0, item_size)
    }

    fn check_size(&self) -> Result<(), Error> {
        if self.size() > LARGEST_ITEM { Err(Error::TooLarge) } else { Ok(()) }
    }

    pub(super) fn in_transaction(self, table: &str, now: Timestamp) -> TransactWriteItem {
        let Condition { expression, names, values } = self.given.condition(now);
        let write = TransactWriteItem::builder();
        match self.item {
            Some(item) => write.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .condition_expression(expression)
                    .set_expression_attribute_names(Some(names))
                    .set_expression_attribute_values(values)
                    .build()
                    .expect("table and item are set"),
            ),
            // Also of what was made in the same set, where there is nothing but the condition.
            None => write.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(self.key.into()))
                    .condition_expression(expression)
                    .set_expression_attribute_names(Some(names))
                    .set_expression_attribute_values(values)
                    .build()
                    .expect("table and key are set"),
            ),
        }
        .build()
    }
}
