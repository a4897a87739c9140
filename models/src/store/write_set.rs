use std::{collections::HashMap, time::Duration};

use aws_sdk_dynamodb::types::{AttributeValue, Delete, Put, TransactWriteItem};

use super::{
    Entity, Error, Key,
    item::{Item, LARGEST_ITEM, item_size, to_item, tombstone},
    table::{CHANGED_AT, DELETED_AT, KIND, PARTITION, TTL, VERSION, WRITTEN_BY},
};
use crate::Timestamp;

/// DynamoDB's limits for one transaction: its writes, and their items in bytes.
const MOST_WRITES: usize = 100;
const LARGEST_TOGETHER: usize = 4 * 1024 * 1024;

/// How long it is known that something was deleted.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// Several writes that happen together or not at all (TransactWriteItems, at most 100; the record of an
/// `Idempotency-Key` is one of them).
#[derive(Clone, Debug, Default)]
pub struct WriteSet {
    writes: Vec<Write>,
}

#[derive(Clone, Debug)]
pub(super) enum Write {
    Create(Item),
    Replace { item: Item, read_version: u64 },
    Delete { key: Key, read_version: Option<u64> },
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
    pub fn create<E: Entity>(mut self, entity: &mut E) -> Self {
        *entity.version_mut() = 1;
        self.writes.push(Write::Create(to_item(entity)));
        self
    }

    /// Replace an item that must not have changed since it was read. Counts its version up.
    #[must_use]
    pub fn replace<E: Entity>(mut self, entity: &mut E) -> Self {
        let read_version = *entity.version_mut();
        *entity.version_mut() += 1;
        self.writes.push(Write::Replace { item: to_item(entity), read_version });
        self
    }

    /// Remove an item that must exist.
    #[must_use]
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push(Write::Delete { key, read_version: None });
        self
    }

    /// Remove an item that must not have changed since it was read.
    #[must_use]
    pub fn remove<E: Entity>(mut self, entity: &mut E) -> Self {
        let read_version = *entity.version_mut();
        self.writes.push(if E::KEPT_BY_PHONES {
            Write::Replace { item: tombstone(entity), read_version }
        } else {
            Write::Delete { key: entity.key(), read_version: Some(read_version) }
        });
        self
    }

    /// Mark what is written with the event handler that writes it, so that it can be told in the
    /// table's stream ([`Images::written_by`](super::Images::written_by)). The next write by
    /// anybody else takes the mark off.
    #[must_use]
    pub fn marked(mut self, handler: &str) -> Self {
        for write in &mut self.writes {
            if let Write::Create(item) | Write::Replace { item, .. } = write {
                item.insert(WRITTEN_BY.to_owned(), AttributeValue::S(handler.to_owned()));
            }
        }
        self
    }

    /// The kinds of what is written.
    pub fn kinds(&self) -> impl Iterator<Item = &str> {
        self.writes.iter().map(|write| match write {
            Write::Create(item) | Write::Replace { item, .. } => {
                item.get(KIND).and_then(|kind| kind.as_s().ok()).map_or("", String::as_str)
            }
            Write::Delete { key, .. } => key.kind(),
        })
    }

    /// Where the writes are to.
    pub(super) fn partitions(&self) -> impl Iterator<Item = &String> {
        self.writes.iter().filter_map(|write| match write {
            Write::Create(item) | Write::Replace { item, .. } => item.get(PARTITION)?.as_s().ok(),
            Write::Delete { key, .. } => Some(&key.partition),
        })
    }

    /// The writes as they are sent now.
    ///
    /// # Errors
    /// [`Error::TooLarge`], and [`Error::Refused`] when there are more than 100.
    pub(super) fn ready(self, now: Timestamp) -> Result<Vec<Write>, Error> {
        let mut writes = self.writes;
        if writes.len() > MOST_WRITES {
            return Err(Error::Refused(format!("more than {MOST_WRITES} writes together")));
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
            Ok(match write {
                Write::Create(item) | Write::Replace { item, .. } => Some(item),
                Write::Delete { .. } => None,
            })
        };
        self.writes.into_iter().filter_map(|write| ready(write).transpose()).collect()
    }
}

pub(super) struct Condition {
    pub(super) expression: &'static str,
    pub(super) names: HashMap<String, String>,
    pub(super) values: Option<Item>,
}

impl Write {
    /// Mark what phones keep with the time of the write.
    fn stamp(&mut self, now: Timestamp) {
        let (Self::Create(item) | Self::Replace { item, .. }) = self else { return };
        let mark = AttributeValue::S(now.to_string());
        if item.contains_key(CHANGED_AT) {
            item.insert(CHANGED_AT.to_owned(), mark.clone());
        }
        if item.contains_key(DELETED_AT) {
            item.insert(DELETED_AT.to_owned(), mark);
            let end = now.plus(TOMBSTONE_LIFETIME).unix_seconds();
            item.insert(TTL.to_owned(), AttributeValue::N(end.to_string()));
        }
    }

    fn size(&self) -> usize {
        match self {
            Self::Create(item) | Self::Replace { item, .. } => item_size(item),
            Self::Delete { .. } => 0,
        }
    }

    fn check_size(&self) -> Result<(), Error> {
        if self.size() > LARGEST_ITEM { Err(Error::TooLarge) } else { Ok(()) }
    }

    pub(super) fn condition(&self, now: Timestamp) -> Condition {
        let (expression, names, value) = match self {
            // DynamoDB deletes what has expired up to days later. Its seconds are rounded down.
            Self::Create(_) => (
                "attribute_not_exists(#pk) OR #ttl < :now",
                vec![("#pk", PARTITION), ("#ttl", TTL)],
                Some((":now", now.unix_seconds().to_string())),
            ),
            Self::Delete { read_version: None, .. } => {
                ("attribute_exists(#pk)", vec![("#pk", PARTITION)], None)
            }
            Self::Replace { read_version, .. }
            | Self::Delete { read_version: Some(read_version), .. } => (
                "#version = :read",
                vec![("#version", VERSION)],
                Some((":read", read_version.to_string())),
            ),
        };
        Condition {
            expression,
            names: names.into_iter().map(|(name, it)| (name.to_owned(), it.to_owned())).collect(),
            values: value
                .map(|(name, number)| [(name.to_owned(), AttributeValue::N(number))].into()),
        }
    }

    pub(super) fn in_transaction(self, table: &str, now: Timestamp) -> TransactWriteItem {
        let Condition { expression, names, values } = self.condition(now);
        let write = TransactWriteItem::builder();
        match self {
            Self::Create(item) | Self::Replace { item, .. } => write.put(
                Put::builder()
                    .table_name(table)
                    .set_item(Some(item))
                    .condition_expression(expression)
                    .set_expression_attribute_names(Some(names))
                    .set_expression_attribute_values(values)
                    .build()
                    .expect("table and item are set"),
            ),
            Self::Delete { key, .. } => write.delete(
                Delete::builder()
                    .table_name(table)
                    .set_key(Some(key.into()))
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
