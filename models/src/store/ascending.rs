use aws_sdk_dynamodb::types::AttributeValue;

use super::{
    Entity, Error, Key, Store,
    read::read_among_others,
    shape::Whole,
    table::{PARTITION, SORT},
};

impl Store {
    /// The first item in the partition of this key whose sort key begins as this one's. What cannot
    /// be read is passed over, and logged.
    pub(crate) async fn first<E: Entity>(&self, within: &Key) -> Result<Option<E>, Error> {
        let mut start = None;
        loop {
            let (items, next) = self.ascending(within, start, Some(1)).await?;
            let first = items.into_iter().next();
            if first.is_some() || next.is_none() {
                return Ok(first);
            }
            start = next;
        }
    }

    /// All such items, in the order of their sort keys.
    pub(crate) async fn all<E: Entity>(&self, within: &Key) -> Result<Vec<E>, Error> {
        let (mut all, mut next) = self.ascending(within, None, None).await?;
        while next.is_some() {
            let (items, following) = self.ascending(within, next, None).await?;
            all.extend(items);
            next = following;
        }
        Ok(all)
    }

    /// One call: some items, and the key after which more may follow.
    async fn ascending<E: Entity>(
        &self,
        within: &Key,
        start: Option<Key>,
        limit: Option<i32>,
    ) -> Result<(Vec<E>, Option<Key>), Error> {
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
            .set_limit(limit)
            .set_exclusive_start_key(start.map(Into::into));
        let answer = self.tries().call(query.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let now = self.0.ambient.now();
        let next = answer.last_evaluated_key.as_ref().and_then(Key::of);
        let items = answer.items.unwrap_or_default().into_iter();
        Ok((items.filter_map(|item| read_among_others::<Whole<E>>(item, now)).collect(), next))
    }
}
