use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use aws_sdk_dynamodb::{
    error::SdkError,
    operation::{put_item::PutItemError, transact_write_items::TransactWriteItemsError},
    primitives::Blob,
    types::{AttributeValue, ReturnValuesOnConditionCheckFailure::AllOld},
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};

use super::{
    Entity, Error, Key, Precondition, Store, Writing,
    read::Found,
    shape::Whole,
    table::WRITE_ID,
    unanswered::Unanswered,
    write_set::{Condition, Write, WriteSet},
};

/// How often a write that lost a race to another one is made anew, and a batch that was done in part
/// is gone on with.
pub(super) const ATTEMPTS: u32 = 8;

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

impl Store {
    /// The same table for one request, whose writes are collected and happen later, together: with
    /// the record of the request, for one. Reads show the table as it is without them, and a lost
    /// race shows when they happen, not as this store's [`Error::Conflict`].
    #[must_use]
    pub fn collecting(&self) -> (Self, Collected) {
        let collected = Collected::default();
        let writing = Writing { collected: Some(collected.clone()), ..self.1.clone() };
        (Self(self.0.clone(), writing), collected)
    }

    /// The same table, for one write that these happen together with: a message that is sent when
    /// the write has happened, for one. When there is nothing to write they do not happen either.
    #[must_use]
    pub fn together_with(&self, writes: WriteSet) -> Self {
        let along = self.1.along.clone().and(writes);
        Self(self.0.clone(), Writing { along, ..self.1.clone() })
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
        let blindly =
            *precondition == Precondition::None && self.1.collected.is_none() && !E::KEPT_BY_PHONES;
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
            let (writes, outcome) = decide(self.find::<Whole<E>>(key.clone()).await?)?;
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
    /// `writeId`. Where another write has come over that one, what has happened is not known, and
    /// making the write anew could do it twice: [`Error::Unavailable`]. A lone delete leaves no item behind, so it goes as a transaction.
    pub async fn write(&self, set: WriteSet) -> Result<(), Error> {
        if set.is_empty() {
            return Ok(());
        }
        let set = set.and(self.1.along.clone());
        if let Some(collected) = &self.1.collected {
            let mut collected = collected.lock();
            *collected = std::mem::take(&mut *collected).and(set);
            return Ok(());
        }
        let mut writes = set.ready(self.0.ambient.now())?;
        match &writes[..] {
            [Write::Create(_) | Write::Replace { .. }] => self.put_item(writes.remove(0)).await,
            _ => self.write_together(writes).await,
        }
    }

    /// Whether a write happens together with others.
    pub(super) fn writes_together(&self) -> bool {
        self.1.collected.is_some() || !self.1.along.is_empty()
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
        let unanswered = Unanswered::default();
        let mut attempt = 0;
        loop {
            let sent = put.clone().customize().interceptor(unanswered.clone()).send().await;
            let Err(error) = sent else { return Ok(()) };
            match error.as_service_error() {
                Some(PutItemError::ConditionalCheckFailedException(failed)) => {
                    let there = failed.item().and_then(|item| item.get(WRITE_ID));
                    return match there {
                        Some(there) if *there == write_id => Ok(()),
                        _ if unanswered.any() => Err(Error::unavailable(&error)),
                        _ => Err(Error::Conflict { write: 0 }),
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
        // One for all attempts, the SDK's and ours: the answer to any of them may have been lost.
        let token = URL_SAFE_NO_PAD.encode(self.0.ambient.random::<24>());
        let mut attempt = 0;
        loop {
            let sent = self
                .0
                .client
                .transact_write_items()
                .set_transact_items(Some(writes.clone()))
                .client_request_token(&token)
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

/// Written under another key it would replace something else, somebody else's too.
fn check_key<E: Entity>(entity: &E, key: &Key) -> Result<(), Error> {
    if entity.key() == *key { Ok(()) } else { Err(Error::ForeignOwner { kind: E::KIND }) }
}
