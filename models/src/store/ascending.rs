use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Entity, Error, Key, Store,
    item::Item,
    read::{read, read_among_others},
    shape::Whole,
    table::{PARTITION, SORT},
};

/// So many items are read by a call for all of them.
const PAGE: i32 = 100;

impl Store {
    /// The first item in the partition of this key whose sort key begins as this one's; behind that of
    /// `after`, where something is given.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when that one cannot be read: what comes behind it has to wait.
    pub(crate) async fn first<E: Entity>(
        &self,
        within: &Key,
        after: Option<Key>,
    ) -> Result<Option<E>, Error> {
        let mut start = after;
        loop {
            let (items, next) = self.ascending(within, start, 1).await?;
            for item in items {
                let alive = read::<Whole<E>>(item, self.0.ambient.now())?;
                if alive.is_some() {
                    return Ok(alive);
                }
            }
            if next.is_none() {
                return Ok(None);
            }
            start = next;
        }
    }

    /// All such items, in the order of their sort keys. One that cannot be read is left out and logged.
    pub(crate) async fn all<E: Entity>(&self, within: &Key) -> Result<Vec<E>, Error> {
        let (mut all, mut start) = (Vec::new(), None);
        loop {
            let (items, next) = self.ascending(within, start, PAGE).await?;
            let now = self.0.ambient.now();
            all.extend(items.into_iter().filter_map(|it| read_among_others::<Whole<E>>(it, now)));
            if next.is_none() {
                return Ok(all);
            }
            start = next;
        }
    }

    /// One call: some items, and the key after which more may follow.
    async fn ascending(
        &self,
        within: &Key,
        start: Option<Key>,
        limit: i32,
    ) -> Result<(Vec<Item>, Option<Key>), Error> {
        let Key { partition, sort } = within.clone();
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :begin)")
            .expression_attribute_names("#pk", PARTITION)
            .expression_attribute_names("#sk", SORT)
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .expression_attribute_values(":begin", AttributeValue::S(sort))
            .limit(limit)
            .set_exclusive_start_key(start.map(Into::into));
        let answer = self.tries().call(query.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let next = answer.last_evaluated_key.as_ref().and_then(Key::of);
        Ok((answer.items.unwrap_or_default(), next))
    }
}
