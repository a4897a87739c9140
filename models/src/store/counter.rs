use aws_sdk_dynamodb::types::{AttributeValue, ReturnValue};

use super::{
    Error, Key, Store,
    table::{KIND, TTL},
};
use crate::Timestamp;

/// What a counter keeps beside its key and its end.
const COUNT: &str = "count";
const COUNTER: &str = "COUNTER";

impl Store {
    /// Count one up and say how many there are now. Whoever counts first makes the counter;
    /// DynamoDB deletes it some time after `end`.
    ///
    /// The SDK sends the call again when its answer was lost, and then one is counted twice. So a
    /// count is never too low, and what it limits is at worst refused a little early.
    pub async fn count(&self, key: Key, end: Timestamp) -> Result<u64, Error> {
        let call = self
            .0
            .client
            .update_item()
            .table_name(&self.0.table)
            .set_key(Some(key.into()))
            .update_expression("ADD #count :one SET #kind = :kind, #ttl = :end")
            .expression_attribute_names("#count", COUNT)
            .expression_attribute_names("#kind", KIND)
            .expression_attribute_names("#ttl", TTL)
            .expression_attribute_values(":one", AttributeValue::N("1".to_owned()))
            .expression_attribute_values(":kind", AttributeValue::S(COUNTER.to_owned()))
            .expression_attribute_values(":end", AttributeValue::N(end.unix_seconds().to_string()))
            .return_values(ReturnValue::UpdatedNew);
        let answer = self.tries().call(call.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let count = answer.attributes.as_ref().and_then(|item| item.get(COUNT)?.as_n().ok());
        count
            .and_then(|count| count.parse().ok())
            .ok_or_else(|| Error::Unreadable { kind: COUNTER, field: COUNT.to_owned() })
    }
}
