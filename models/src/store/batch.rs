use std::collections::{HashMap, HashSet};

use aws_sdk_dynamodb::types::{KeysAndAttributes, PutRequest, WriteRequest};

use super::{
    Entity, Error, Key, Store, Tries, WriteSet, item::Item, read::read_among_others, shape::Whole,
};

/// DynamoDB's limits for the items of one call.
pub(super) const READ_AT_ONCE: usize = 100;
const WRITTEN_AT_ONCE: usize = 25;

impl Store {
    /// The items at these keys, in the order of the keys: each once, and without what is missing.
    /// Each is as of all writes acknowledged before, but they are not all of one moment.
    pub async fn get_all<E: Entity>(&self, mut keys: Vec<Key>) -> Result<Vec<E>, Error> {
        let mut known = HashSet::new();
        keys.retain(|key| known.insert(key.clone()));
        let mut found = HashMap::new();
        let mut unwritten = keys.clone();
        if let Some(collected) = &self.1.collected {
            unwritten.retain(|key| match collected.at(key) {
                None => true,
                Some(item) => {
                    found.extend(item.map(|item| (key.clone(), item)));
                    false
                }
            });
        }
        for keys in unwritten.chunks(READ_AT_ONCE) {
            self.read_at_once(&self.tries(), keys.to_vec(), &mut found).await?;
        }
        let now = self.0.ambient.now();
        let items = keys.iter().filter_map(|key| found.remove(key));
        Ok(items.filter_map(|item| read_among_others::<Whole<E>>(item, now)).collect())
    }

    /// DynamoDB leaves out what it has no capacity for, or what is beyond 16 MB.
    pub(super) async fn read_at_once(
        &self,
        tries: &Tries,
        keys: Vec<Key>,
        found: &mut HashMap<Key, Item>,
    ) -> Result<(), Error> {
        let table = &self.0.table;
        let mut left: Vec<Item> = keys.into_iter().map(Into::into).collect();
        while !left.is_empty() {
            let asked = KeysAndAttributes::builder().set_keys(Some(left)).consistent_read(true);
            let asked = asked.build().expect("the keys are set");
            let call = self.0.client.batch_get_item().request_items(table, asked);
            let answer = tries.call(call.customize())?.send().await;
            let answer = answer.map_err(|error| Error::unavailable(&error))?;
            let items = answer.responses.and_then(|mut tables| tables.remove(table));
            let items = items.into_iter().flatten();
            found.extend(items.filter_map(|item| Some((Key::of(&item)?, item))));
            let rest = answer.unprocessed_keys.and_then(|mut tables| tables.remove(table));
            left = rest.map(|rest| rest.keys).unwrap_or_default();
            if !left.is_empty() && !tries.back_off(&self.0.ambient).await {
                let left = left.len();
                return Err(Error::Unavailable(format!("{left} items of a batch were not read")));
            }
        }
        Ok(())
    }

    /// Make new items under new keys: what already is at one of them is replaced. After
    /// [`Error::Unavailable`] some of them are made. In a store whose writes happen together with
    /// others they are added to those.
    ///
    /// A batch has no conditions, so a call whose answer was lost, and which arrives minutes after
    /// the SDK has sent it again, puts them back as they were made. What is changed or deleted that
    /// soon is better made by a [`WriteSet`].
    pub async fn create_all<E: Entity>(&self, entities: &mut [E]) -> Result<(), Error> {
        let set = entities.iter_mut().fold(WriteSet::new(), |set, entity| set.create(entity));
        if self.writes_together() {
            return self.write(set).await;
        }
        let items = set.into_new_items(self.0.ambient.now())?;
        for items in items.chunks(WRITTEN_AT_ONCE) {
            self.write_at_once(items).await?;
        }
        Ok(())
    }

    /// DynamoDB leaves out what it has no capacity for.
    async fn write_at_once(&self, items: &[Item]) -> Result<(), Error> {
        let table = &self.0.table;
        let put = |item: &Item| {
            let put = PutRequest::builder().set_item(Some(item.clone()));
            WriteRequest::builder().put_request(put.build().expect("the item is set")).build()
        };
        let mut left: Vec<_> = items.iter().map(put).collect();
        let tries = self.tries();
        while !left.is_empty() {
            let call = self.0.client.batch_write_item().request_items(table, left);
            let answer = tries.call(call.customize())?.send().await;
            let answer = answer.map_err(|error| Error::unavailable(&error))?;
            let rest = answer.unprocessed_items.and_then(|mut tables| tables.remove(table));
            left = rest.unwrap_or_default();
            if !left.is_empty() && !tries.back_off(&self.0.ambient).await {
                let left = left.len();
                return Err(Error::Unavailable(format!(
                    "{left} items of a batch were not written"
                )));
            }
        }
        Ok(())
    }
}
