//! A walk over the whole table, for those who sweep it. Nothing here is for a handler of requests:
//! the crate keeps it to itself, and the function that answers requests has no right to it.

use aws_sdk_dynamodb::{operation::delete_item::DeleteItemError, types::AttributeValue};
use serde::{Deserialize, Serialize};

use super::{
    Error, Key, Store,
    item::{Item, end},
    table::{KIND, PARTITION, SORT, TTL},
};
use crate::Timestamp;

/// An entity's own field, where it says when it was made.
const CREATED_AT: &str = "createdAt";

/// Where a walk goes on: behind what was at this key, whether it is still there or not.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    partition: String,
    sort: String,
}

/// What a walk sees of an item: which one it is and when it ends, nothing of what it says.
pub(crate) struct Passed {
    key: Key,
    kind: Option<String>,
    created_at: Option<Timestamp>,
    end: Option<Timestamp>,
}

impl Passed {
    /// Whether its time is over by a second: the ends that DynamoDB knows are rounded down to one.
    pub(crate) fn has_expired(&self, now: Timestamp) -> bool {
        self.end.is_some_and(|end| end.unix_seconds() < now.unix_seconds())
    }

    /// Its [kind](super::Entity::KIND); none of what this store has not written.
    pub(crate) fn kind(&self) -> Option<&str> {
        self.kind.as_deref()
    }

    /// When it was made, of what says so. A tombstone does not.
    pub(crate) fn created_at(&self) -> Option<Timestamp> {
        self.created_at
    }

    fn of(item: &Item) -> Option<Self> {
        let text = |name| item.get(name)?.as_s().ok();
        Some(Self {
            key: Key::of(item)?,
            kind: text(KIND).cloned(),
            created_at: text(CREATED_AT).and_then(|text| text.parse().ok()),
            end: end(item),
        })
    }
}

impl Store {
    /// A page of **the whole table**, everybody's items, in no order that means anything, and where
    /// the next page begins. DynamoDB reads 1 MB for it and bills 128 read units, however little is
    /// told of each item. The read may lag behind.
    pub(crate) async fn walk_whole_table(
        &self,
        from: Option<Place>,
    ) -> Result<(Vec<Passed>, Option<Place>), Error> {
        let from = from.map(|Place { partition, sort }| Key { partition, sort }.into());
        let call = self
            .0
            .client
            .scan()
            .table_name(&self.0.table)
            .set_exclusive_start_key(from)
            .projection_expression("#pk, #sk, #kind, #created, #ttl")
            .expression_attribute_names("#pk", PARTITION)
            .expression_attribute_names("#sk", SORT)
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#created", CREATED_AT)
            .expression_attribute_names("#ttl", TTL);
        let answer = self.tries().call(call.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let last = answer.last_evaluated_key.as_ref().and_then(Key::of);
        let next = last.map(|Key { partition, sort }| Place { partition, sort });
        Ok((answer.items().iter().filter_map(Passed::of).collect(), next))
    }

    /// Delete what had [expired](Passed::has_expired) when it was passed, and leave no tombstone, as
    /// DynamoDB's own deletions leave none. False where it is gone, or ends another time than was
    /// read: it was renewed, or made anew. Costs a write unit for each KB, gone or not.
    pub(crate) async fn delete_expired(&self, passed: Passed) -> Result<bool, Error> {
        let Some(end) = passed.end else { return Ok(false) };
        let call = self
            .0
            .client
            .delete_item()
            .table_name(&self.0.table)
            .set_key(Some(passed.key.into()))
            .condition_expression("#ttl = :read")
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(
                ":read",
                AttributeValue::N(end.unix_seconds().to_string()),
            );
        let answer = self.tries().call(call.customize())?.send().await;
        let Err(error) = answer else { return Ok(true) };
        match error.as_service_error() {
            // Whoever writes it at this moment is left alone.
            Some(
                DeleteItemError::ConditionalCheckFailedException(_)
                | DeleteItemError::TransactionConflictException(_),
            ) => Ok(false),
            _ => Err(Error::unavailable(&error)),
        }
    }
}
