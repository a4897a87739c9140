use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Entity, Error, Key, Lookup, Store,
    table::{LOOKUP, LOOKUP_INDEX},
};

/// How many items a lookup gives.
const MOST_FOUND: i32 = 100;

impl Store {
    /// The items that say this lookup, at most a hundred, last sort keys first.
    ///
    /// DynamoDB brings its index up to date after the write, mostly within a second: a lookup may
    /// miss what was written just now. What it gives is as of all writes acknowledged before,
    /// since each item is read at its key, and one that is gone or says another lookup by now is
    /// left out.
    pub async fn look_up<E: Entity>(&self, lookup: &Lookup) -> Result<Vec<E>, Error> {
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .index_name(LOOKUP_INDEX)
            .key_condition_expression("#lookup = :lookup")
            .expression_attribute_names("#lookup", LOOKUP)
            .expression_attribute_values(":lookup", AttributeValue::S(lookup.0.clone()))
            .scan_index_forward(false)
            .limit(MOST_FOUND);
        let answer = self.tries().call(query.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let keys = answer.items.unwrap_or_default().iter().filter_map(Key::of).collect();
        let mut found: Vec<E> = self.get_all(keys).await?;
        found.retain(|entity| entity.lookup().as_ref() == Some(lookup));
        Ok(found)
    }
}
