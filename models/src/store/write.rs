use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    primitives::Blob,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Entity, Error, Key, Precondition, Store, Tries, View,
    batch::READ_AT_ONCE,
    item::Item,
    read::Found,
    shape::Whole,
    table::WRITE_ID,
    unanswered::Unanswered,
    write_set::{Condition, Write, WriteSet},
};

/// The writes of a [collecting](Store::collecting) store.
#[derive(Clone, Default)]
pub struct Collected(Arc<Mutex<WriteSet>>);

impl Collected {
    /// What was written since this was asked last.
    pub fn take(&self) -> WriteSet {
        std::mem::take(&mut self.lock())
    }

    /// What they leave at this key, if they are to it.
    pub(super) fn at(&self, key: &Key) -> Option<Option<Item>> {
        self.lock().at(key).map(|item| item.cloned())
    }

    fn lock(&self) -> MutexGuard<'_, WriteSet> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Store {
    /// The same table for one request, whose writes are collected and happen later, together: with
    /// the record of the request, for one. What is read at its key is as those writes leave it;
    /// listings and lookups show the table without them. A race that is lost to somebody else shows
    /// when they happen, and as [`Error::Conflict`] only where the store [checks](Self::checked).
    #[must_use]
    pub fn collecting(&self) -> (Self, Collected) {
        let collected = Collected::default();
        let view = View { collected: Some(collected.clone()), ..self.1.clone() };
        (Self(self.0.clone(), view), collected)
    }

    /// The same table, for doing anew what has lost a race: what each collected write is given is
    /// looked up before, so that whoever writes is told of a conflict.
    #[must_use]
    pub fn checked(&self) -> Self {
        Self(self.0.clone(), View { checked: true, ..self.1.clone() })
    }

    /// The same table, for one write that these happen together with: a message that is sent when
    /// the write has happened, for one. When there is nothing to write they do not happen either.
    /// One that loses is an [`Error::Conflict`], counted from 1: the write itself is 0.
    #[must_use]
    pub fn together_with(&self, writes: WriteSet) -> Self {
        let along = self.1.along.clone().and(writes);
        Self(self.0.clone(), View { along, ..self.1.clone() })
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

    /// Remove an item. False when there was none. For an hour, or for 90 days where phones keep it,
    /// a tombstone is left: what was sent before and arrives late does not bring the item back.
    pub async fn delete<E: Entity>(
        &self,
        key: Key,
        precondition: &Precondition,
    ) -> Result<bool, Error> {
        self.rewrite(key, |found: Found<E>| {
            let Some(mut entity) = found.entity else {
                return Ok((WriteSet::new(), false));
            };
            precondition.check(Some(*entity.version_mut()))?;
            Ok((WriteSet::new().remove(&mut entity), true))
        })
        .await
    }

    /// Read an item, decide what becomes of it, and write that; read and decided anew when another
    /// write of it came between. A write that goes along has lost to something that is not read
    /// here, so that one is the caller's to decide.
    async fn rewrite<E: Entity, T>(
        &self,
        key: Key,
        mut decide: impl FnMut(Found<E>) -> Result<(WriteSet, T), Error>,
    ) -> Result<T, Error> {
        let tries = self.tries();
        loop {
            let (writes, outcome) = decide(self.find::<Whole<E>>(&tries, key.clone()).await?)?;
            match self.write_as(&tries, writes, Known::First).await {
                Err(error @ Error::Conflict { write: 0 }) => {
                    if !tries.back_off(&self.0.ambient).await {
                        return Err(Error::Unavailable(error.to_string()));
                    }
                }
                written => return written.map(|()| outcome),
            }
        }
    }

    /// Do all writes of the set or none. [`Error::Conflict`] names the first that lost.
    ///
    /// The SDK sends a write again when its answer was lost, and so may meet what it has written
    /// itself. A transaction carries a token by which DynamoDB knows it again; an item carries a
    /// `writeId`. Where another write has come over that one, what has happened is not known, and
    /// making the write anew could do it twice: [`Error::Unavailable`]. A lone
    /// [`WriteSet::delete`] leaves no item behind, so it goes as a transaction.
    pub async fn write(&self, set: WriteSet) -> Result<(), Error> {
        self.write_within(&self.tries(), set).await
    }

    /// The same, as one of several attempts at something.
    pub async fn write_within(&self, tries: &Tries, set: WriteSet) -> Result<(), Error> {
        self.write_as(tries, set, Known::None).await
    }

    async fn write_as(&self, tries: &Tries, set: WriteSet, known: Known) -> Result<(), Error> {
        if set.is_empty() {
            return Ok(());
        }
        let set = set.and(self.1.along.clone());
        let now = self.0.ambient.now();
        if let Some(collected) = &self.1.collected {
            if self.1.checked {
                self.check(tries, &set, known, collected).await?;
            }
            return collected.lock().fold(set, now);
        }
        let mut writes = set.ready(now)?;
        match &writes[..] {
            [Write { item: Some(_), .. }] => self.put_item(tries, writes.remove(0)).await,
            _ => self.write_together(tries, writes).await,
        }
    }

    /// Whether what is in the table is what these writes are given.
    async fn check(
        &self,
        tries: &Tries,
        set: &WriteSet,
        known: Known,
        collected: &Collected,
    ) -> Result<(), Error> {
        let mut firsts: Vec<_> = set.firsts().skip(known as usize).collect();
        firsts.retain(|(_, write)| collected.at(&write.key).is_none());
        let keys: Vec<_> = firsts.iter().map(|(_, write)| write.key.clone()).collect();
        let mut there = HashMap::new();
        for keys in keys.chunks(READ_AT_ONCE) {
            self.read_at_once(tries, keys.to_vec(), &mut there).await?;
        }
        let now = self.0.ambient.now();
        let lost = firsts.iter().find(|(_, write)| !write.given.is(there.get(&write.key), now));
        lost.map_or(Ok(()), |(write, _)| Err(Error::Conflict { write: *write }))
    }

    /// Whether a write happens together with others.
    pub(super) fn writes_together(&self) -> bool {
        self.1.collected.is_some() || !self.1.along.is_empty()
    }

    async fn put_item(&self, tries: &Tries, write: Write) -> Result<(), Error> {
        let Condition { expression, names, values } = write.given.condition(self.0.ambient.now());
        let write_id = AttributeValue::B(Blob::new(self.0.ambient.random::<12>()));
        let put = self.0.client.put_item().table_name(&self.0.table).set_item(write.item);
        let put = put.item(WRITE_ID, write_id.clone());
        let put = put.condition_expression(expression);
        let put = put.set_expression_attribute_names(Some(names));
        let put = put.set_expression_attribute_values(values);
        let put = put.return_values_on_condition_check_failure(AllOld);
        let unanswered = Unanswered::default();
        loop {
            let call = tries.call(put.clone().customize().interceptor(unanswered.clone()))?;
            let Err(error) = call.send().await else { return Ok(()) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let there = failed.item().and_then(|item| item.get(WRITE_ID));
                    return match there {
                        Some(there) if *there == write_id => Ok(()),
                        _ if unanswered.any() => Err(Error::unavailable(&error)),
                        _ => Err(Error::Conflict { write: write.place }),
                    };
                }
                Some(PutItemError::TransactionConflictException(_))
                    if tries.back_off(&self.0.ambient).await => {}
                _ => return Err(Error::unavailable(&error)),
            }
        }
    }

    async fn write_together(&self, tries: &Tries, writes: Vec<Write>) -> Result<(), Error> {
        let now = self.0.ambient.now();
        let places: Vec<_> = writes.iter().map(|write| write.place).collect();
        let writes = writes.into_iter().map(|write| write.in_transaction(&self.0.table, now));
        // One for all attempts, the SDK's and ours: the answer to any of them may have been lost.
        let token = URL_SAFE_NO_PAD.encode(self.0.ambient.random::<24>());
        let call = self.0.client.transact_write_items();
        let call = call.set_transact_items(Some(writes.collect())).client_request_token(&token);
        loop {
            let sent = tries.call(call.clone().customize())?.send().await;
            let Err(error) = sent else { return Ok(()) };
            match Cancelled::of(&error) {
                Cancelled::Condition(write) => {
                    return Err(Error::Conflict { write: places[write] });
                }
                Cancelled::Validation => return Err(Error::Refused(crate::causes(&error))),
                Cancelled::Contention if tries.back_off(&self.0.ambient).await => {}
                _ => return Err(Error::unavailable(&error)),
            }
        }
    }
}

/// How many of the first writes of a set are given what was read just now.
#[derive(Clone, Copy)]
enum Known {
    None,
    First,
}

/// Why a transaction was cancelled, by its reasons in the order of its writes (DynamoDB API
/// Reference, "TransactWriteItems").
enum Cancelled {
    Condition(usize),
    Validation,
    /// Another transaction was there, or there is no capacity at the moment. The SDK tries none of
    /// these again: all that it looks at is the name of the error.
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
        let any = |of: &[&str]| codes().flatten().any(|code| of.contains(&code));
        if let Some(write) = codes().position(|code| code == Some("ConditionalCheckFailed")) {
            Self::Condition(write)
        } else if any(&["ValidationError"]) {
            Self::Validation
        } else if any(&["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
        {
            Self::Contention
        } else {
            Self::Otherwise
        }
    }
}

/// Written under another key it would replace something else, somebody else's too.
fn check_key<E: Entity>(entity: &E, key: &Key) -> Result<(), Error> {
    if entity.key() == *key { Ok(()) } else { Err(Error::ForeignOwner { kind: E::KIND }) }
}
