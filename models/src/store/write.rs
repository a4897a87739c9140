use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    primitives::Blob,
    types::{
        AttributeValue, Delete, Put, ReturnValuesOnConditionCheckFailure::AllOld, TransactWriteItem,
    },
};

use super::{
    Entity, Error, Key, Precondition, Store,
    read::{Found, Item, item_size},
    table::{CHANGED_AT, DELETED_AT, KIND, PARTITION, SORT, TTL, VERSION, WRITE_ID},
};

use crate::Timestamp;

/// DynamoDB's limit for an item, names and values, less the room for the store's own attributes.
const LARGEST_ITEM: usize = 400 * 1024 - 256;

/// DynamoDB's limit for the writes of one transaction.
const MOST_WRITES: usize = 100;

/// How often a write that lost a race to another one is made anew.
const ATTEMPTS: u32 = 8;

/// The writes of a [collecting](Store::collecting) store.
#[derive(Clone, Default)]
pub struct Collected(Arc<Mutex<WriteSet>>);

impl Collected {
    /// What was written since this was asked last.
    pub fn take(&self) -> WriteSet {
        std::mem::take(&mut self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, WriteSet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Several writes that happen together or not at all (TransactWriteItems, at most 100).
#[derive(Debug, Default)]
pub struct WriteSet {
    writes: Vec<Write>,
}

#[derive(Debug)]
enum Write {
    Create(Item),
    Replace { item: Item, read_version: u64 },
    Delete { key: Key, read_version: Option<u64> },
}

/// How long it is known that something was deleted.
const TOMBSTONE_LIFETIME: Duration = Duration::from_secs(90 * 24 * 60 * 60);

/// What stands in the place of an item that phones keep, once it is deleted: nothing of it is left.
fn tombstone<E: Entity>(entity: &mut E) -> Item {
    let mut item = Item::from(entity.key());
    let version = *entity.version_mut() + 1;
    item.insert(KIND.to_owned(), AttributeValue::S(E::KIND.to_owned()));
    item.insert(VERSION.to_owned(), AttributeValue::N(version.to_string()));
    // Both are set to the time of the write.
    item.insert(CHANGED_AT.to_owned(), AttributeValue::Null(true));
    item.insert(DELETED_AT.to_owned(), AttributeValue::Null(true));
    item
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
}

impl Store {
    /// The same table for one request, whose writes are collected and happen later, together: with
    /// the record of the request, for one. Reads show the table as it is without them.
    #[must_use]
    pub fn collecting(&self) -> (Self, Collected) {
        let collected = Collected::default();
        (Self(self.0.clone(), Some(collected.clone())), collected)
    }

    /// Make a new item; [`Error::Conflict`] when its key is taken.
    pub async fn create<E: Entity>(&self, entity: &mut E) -> Result<(), Error> {
        self.write(WriteSet::new().create(entity)).await
    }

    /// Write an item back; [`Error::Conflict`] when it has changed, or gone, since it was read.
    pub async fn replace<E: Entity>(&self, entity: &mut E) -> Result<(), Error> {
        self.write(WriteSet::new().replace(entity)).await
    }

    /// Read an item, change it and write it back. Gives the item as written, `None` when there is
    /// none.
    pub async fn update<E: Entity>(
        &self,
        key: Key,
        precondition: &Precondition,
        mut change: impl FnMut(&mut E),
    ) -> Result<Option<E>, Error> {
        self.rewrite(key.clone(), |found: Found<E>| {
            let Some(mut entity) = found.entity else { return Ok((WriteSet::new(), None)) };
            precondition.check(Some(*entity.version_mut()))?;
            change(&mut entity);
            check_key(&entity, &key)?;
            Ok((WriteSet::new().replace(&mut entity), Some(entity)))
        })
        .await
    }

    /// Make an item, or replace the one that is there: `make` is given that one. Gives the item as
    /// written, and whether it is new.
    pub async fn put<E: Entity>(
        &self,
        key: Key,
        precondition: &Precondition,
        mut make: impl FnMut(Option<E>) -> E,
    ) -> Result<(E, bool), Error> {
        self.rewrite(key.clone(), |mut found: Found<E>| {
            let version = found.entity.as_mut().map(|entity| *entity.version_mut());
            precondition.check(version)?;
            let mut entity = make(found.entity);
            check_key(&entity, &key)?;
            let writes = match version.or(found.tombstone) {
                Some(read_version) => {
                    *entity.version_mut() = read_version;
                    WriteSet::new().replace(&mut entity)
                }
                None => WriteSet::new().create(&mut entity),
            };
            Ok((writes, (entity, version.is_none())))
        })
        .await
    }

    /// Remove an item. False when there was none.
    pub async fn delete<E: Entity>(
        &self,
        key: Key,
        precondition: &Precondition,
    ) -> Result<bool, Error> {
        let blindly = *precondition == Precondition::None && self.1.is_none() && !E::KEPT_BY_PHONES;
        if !blindly {
            return self
                .rewrite(key, |found: Found<E>| {
                    let Some(mut entity) = found.entity else {
                        return Ok((WriteSet::new(), false));
                    };
                    precondition.check(Some(*entity.version_mut()))?;
                    Ok((WriteSet::new().remove(&mut entity), true))
                })
                .await;
        }
        match self.write(WriteSet::new().delete(key)).await {
            Ok(()) => Ok(true),
            Err(Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Read an item, decide what becomes of it, and write that; read and decided anew when another
    /// write came between.
    async fn rewrite<E: Entity, T>(
        &self,
        key: Key,
        mut decide: impl FnMut(Found<E>) -> Result<(WriteSet, T), Error>,
    ) -> Result<T, Error> {
        let mut attempt = 0;
        loop {
            let (writes, outcome) = decide(self.find(key.clone()).await?)?;
            match self.write(writes).await {
                Err(Error::Conflict { .. }) if attempt < ATTEMPTS => self.back_off(attempt).await,
                Err(error @ Error::Conflict { .. }) => {
                    return Err(Error::Unavailable(error.to_string()));
                }
                written => return written.map(|()| outcome),
            }
            attempt += 1;
        }
    }

    /// Do all writes of the set or none. [`Error::Conflict`] names the first that lost.
    ///
    /// The SDK sends a write again when its answer was lost, and so may meet what it has written
    /// itself. A transaction carries a token by which DynamoDB knows it again; an item carries a
    /// `writeId`. A lone delete leaves no item behind, so it goes as a transaction.
    pub async fn write(&self, set: WriteSet) -> Result<(), Error> {
        if let Some(collected) = &self.1 {
            collected.lock().writes.extend(set.writes);
            return Ok(());
        }
        let mut writes = set.writes;
        if writes.len() > MOST_WRITES {
            return Err(Error::Refused(format!("more than {MOST_WRITES} writes together")));
        }
        let now = self.0.ambient.now();
        writes.iter_mut().for_each(|write| write.stamp(now));
        if writes.iter().any(|write| write.size() > LARGEST_ITEM) {
            return Err(Error::TooLarge);
        }
        match &writes[..] {
            [] => Ok(()),
            [Write::Create(_) | Write::Replace { .. }] => self.put_item(writes.remove(0)).await,
            _ => self.write_together(writes).await,
        }
    }

    async fn put_item(&self, write: Write) -> Result<(), Error> {
        let Condition { expression, names, values } = write.condition(self.0.ambient.now());
        let (Write::Create(item) | Write::Replace { item, .. }) = write else { return Ok(()) };
        let write_id = AttributeValue::B(Blob::new(self.0.ambient.random::<12>()));
        let put = self.0.client.put_item().table_name(&self.0.table).set_item(Some(item));
        let put = put.item(WRITE_ID, write_id.clone());
        let put = put.condition_expression(expression);
        let put = put.set_expression_attribute_names(Some(names));
        let put = put.set_expression_attribute_values(values);
        let put = put.return_values_on_condition_check_failure(AllOld);
        let mut attempt = 0;
        loop {
            let Err(error) = put.clone().send().await else { return Ok(()) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let there = failed.item().and_then(|item| item.get(WRITE_ID));
                    return if there == Some(&write_id) {
                        Ok(())
                    } else {
                        Err(Error::Conflict { write: 0 })
                    };
                }
                Some(PutItemError::TransactionConflictException(_)) if attempt < ATTEMPTS => {
                    self.back_off(attempt).await;
                }
                _ => return Err(Error::unavailable(&error)),
            }
            attempt += 1;
        }
    }

    async fn write_together(&self, writes: Vec<Write>) -> Result<(), Error> {
        let now = self.0.ambient.now();
        let writes = writes.into_iter().map(|write| write.in_transaction(&self.0.table, now));
        let writes: Vec<_> = writes.collect();
        let mut attempt = 0;
        loop {
            let sent = self
                .0
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .send()
                .await;
            match sent {
                Ok(_) => return Ok(()),
                Err(error) => match Cancelled::of(&error) {
                    Cancelled::Condition(write) => return Err(Error::Conflict { write }),
                    Cancelled::Contention if attempt < ATTEMPTS => self.back_off(attempt).await,
                    _ => return Err(Error::unavailable(&error)),
                },
            }
            attempt += 1;
        }
    }

    /// Wait before another attempt: "full jitter", so that those who lost together do not come
    /// back together (measured: without it, 64 tasks on one item made 70,000 conflicts).
    pub async fn back_off(&self, attempt: u32) {
        let ceiling = 10_000_u64 << attempt.min(6);
        let micros = u64::from_be_bytes(self.0.ambient.random()) % ceiling;
        tokio::time::sleep(Duration::from_micros(micros)).await;
    }
}

/// Why a transaction was cancelled, by its reasons in the order of its writes.
enum Cancelled {
    Condition(usize),
    Contention,
    Otherwise,
}

impl Cancelled {
    fn of<R>(error: &SdkError<TransactWriteItemsError, R>) -> Self {
        let Some(TransactWriteItemsError::TransactionCanceledException(cancelled)) =
            error.as_service_error()
        else {
            return Self::Otherwise;
        };
        let codes = || cancelled.cancellation_reasons().iter().map(|reason| reason.code());
        if let Some(write) = codes().position(|code| code == Some("ConditionalCheckFailed")) {
            Self::Condition(write)
        } else if codes().any(|code| code == Some("TransactionConflict")) {
            Self::Contention
        } else {
            Self::Otherwise
        }
    }
}

struct Condition {
    expression: &'static str,
    names: std::collections::HashMap<String, String>,
    values: Option<Item>,
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

    fn condition(&self, now: Timestamp) -> Condition {
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

    fn in_transaction(self, table: &str, now: Timestamp) -> TransactWriteItem {
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

/// Written under another key it would replace something else, somebody else's too.
fn check_key<E: Entity>(entity: &E, key: &Key) -> Result<(), Error> {
    if entity.key() == *key { Ok(()) } else { Err(Error::ForeignOwner { kind: E::KIND }) }
}

fn to_item<E: Entity>(entity: &E) -> Item {
    let mut item: Item = serde_dynamo::to_item(entity)
        .expect("an entity is a struct with string keys, which always has the shape of an item");
    for name in [PARTITION, SORT, KIND, TTL, WRITE_ID, CHANGED_AT, DELETED_AT] {
        assert!(!item.contains_key(name), "{}: `{name}` is the store's own name", E::KIND);
    }
    assert!(item.contains_key(VERSION), "{}: the version is kept as `{VERSION}`", E::KIND);
    item.extend(Item::from(entity.key()));
    item.insert(KIND.to_owned(), AttributeValue::S(E::KIND.to_owned()));
    if E::KEPT_BY_PHONES {
        item.insert(CHANGED_AT.to_owned(), AttributeValue::Null(true));
    }
    if let Some(end) = entity.expires_at() {
        item.insert(TTL.to_owned(), AttributeValue::N(end.unix_seconds().to_string()));
    }
    item
}
