use std::collections::HashMap;

use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::{
    Entity, Error, Key, Listing, Page, Store,
    key::owner_partition,
    page::Cursor,
    table::{DELETED_AT, PARTITION, SORT, VERSION},
};
use crate::Timestamp;

pub(super) type Item = HashMap<String, AttributeValue>;

/// A filter may match nothing for a long way. A page stops after so many calls and says where
/// to go on, rather than read a person's whole partition in one request.
const CALLS_PER_PAGE: usize = 4;

/// How many items one call of a filtered listing looks at.
const FILTERED_READ: usize = 100;

/// How many bytes of stored items a page holds. Written as JSON inside of an event's JSON, a byte
/// becomes seven at the most, and a load balancer takes answers of 1 MB.
const PAGE_BYTES: usize = 128 * 1024;

/// What is at a key.
pub(super) struct Found<E> {
    pub(super) entity: Option<E>,
    /// The version of the tombstone of something that was deleted.
    pub(super) tombstone: Option<u64>,
}

/// The items of a page so far.
struct Gathered<E> {
    found: Vec<E>,
    /// The sort key of the last one.
    last: Option<String>,
    room: usize,
}

impl<E: Entity> Gathered<E> {
    /// Take an item in. False when it belongs to the next page.
    fn take(&mut self, item: Item, limit: usize, now: Timestamp) -> bool {
        let size = item_size(&item);
        let sort = sort_key(&item).map(str::to_owned);
        if tombstone_version(&item).is_some() {
            return true;
        }
        let entity = match read::<E>(item) {
            Ok(entity) if is_alive(&entity, now) => entity,
            Ok(_) => return true,
            Err(error) => {
                tracing::error!(sort, %error, "left out of a page");
                return true;
            }
        };
        if self.found.len() >= limit || (size > self.room && !self.found.is_empty()) {
            return false;
        }
        self.room = self.room.saturating_sub(size);
        self.last = sort;
        self.found.push(entity);
        true
    }
}

/// What DynamoDB counts for an item, or a little more.
pub(super) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size(value)).sum()
}

fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) | AttributeValue::N(text) => text.len(),
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + size(item)).sum::<usize>(),
        AttributeValue::M(fields) => 3 + fields.len() + item_size(fields),
        _ => 1,
    }
}

fn is_alive<E: Entity>(entity: &E, now: Timestamp) -> bool {
    entity.expires_at().is_none_or(|end| now < end)
}

impl Store {
    /// The item at `key`, as of all writes acknowledged before.
    pub async fn get<E: Entity>(&self, key: Key) -> Result<Option<E>, Error> {
        Ok(self.find(key).await?.entity)
    }

    pub(super) async fn find<E: Entity>(&self, key: Key) -> Result<Found<E>, Error> {
        let answer = self
            .0
            .client
            .get_item()
            .table_name(&self.0.table)
            .set_key(Some(key.into()))
            .consistent_read(true)
            .send()
            .await
            .map_err(|error| Error::unavailable(&error))?;
        let Some(item) = answer.item else { return Ok(Found { entity: None, tombstone: None }) };
        let tombstone = tombstone_version(&item);
        if tombstone.is_some() {
            return Ok(Found { entity: None, tombstone });
        }
        let now = self.0.ambient.now();
        let entity = Some(read(item)?).filter(|entity| is_alive(entity, now));
        Ok(Found { entity, tombstone: None })
    }

    /// One page of what a person owns, newest first. Ends early when its items are large. An item
    /// that cannot be read is left out and logged: it shall not take the others along.
    pub async fn list<E: Entity>(&self, listing: &Listing<'_>) -> Result<Page<E>, Error> {
        let now = self.0.ambient.now();
        let mut start =
            listing.cursor.map(|cursor| Cursor::open(cursor, E::KIND, listing, now)).transpose()?;
        let mut page = Gathered { found: Vec::new(), last: None, room: PAGE_BYTES };
        for _ in 0..CALLS_PER_PAGE {
            // One more than asked for tells whether there is a next page without another call.
            let wanted = listing.limit + 1 - page.found.len();
            let (items, last) = self.query::<E>(listing, wanted, start).await?;
            start = last;
            if !items.into_iter().all(|item| page.take(item, listing.limit, now)) {
                start = page.last;
                break;
            }
            if start.is_none() {
                break;
            }
        }
        let next_cursor = start.map(|sort| Cursor::seal(E::KIND, listing, &sort, now));
        Ok(Page { items: page.found, next_cursor })
    }

    /// One call: the items, and the sort key after which more may follow.
    async fn query<E: Entity>(
        &self,
        listing: &Listing<'_>,
        wanted: usize,
        start: Option<String>,
    ) -> Result<(Vec<Item>, Option<String>), Error> {
        let partition = owner_partition(listing.owner);
        let limit = if listing.containing.is_some() { wanted.max(FILTERED_READ) } else { wanted };
        let start = start.map(|sort| Key { partition: partition.clone(), sort }.into());
        let query = self
            .0
            .client
            .query()
            .table_name(&self.0.table)
            .consistent_read(true)
            .key_condition_expression("#pk = :pk AND begins_with(#sk, :kind)")
            .expression_attribute_names("#pk", PARTITION)
            .expression_attribute_names("#sk", SORT)
            .expression_attribute_values(":pk", AttributeValue::S(partition))
            .expression_attribute_values(":kind", AttributeValue::S(format!("{}#", E::KIND)))
            .scan_index_forward(false)
            .select(Select::AllAttributes)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let query = match listing.containing {
            None => query,
            Some((attribute, value)) => query
                .filter_expression("contains(#list, :value)")
                .expression_attribute_names("#list", attribute)
                .expression_attribute_values(":value", AttributeValue::S(value.to_owned())),
        };
        let answer = query.send().await.map_err(|error| Error::unavailable(&error))?;
        let last = answer.last_evaluated_key.as_ref().and_then(sort_key).map(str::to_owned);
        Ok((answer.items.unwrap_or_default(), last))
    }
}

fn tombstone_version(item: &Item) -> Option<u64> {
    item.contains_key(DELETED_AT).then(|| item.get(VERSION)?.as_n().ok()?.parse().ok())?
}

fn sort_key(item: &Item) -> Option<&str> {
    item.get(SORT)?.as_s().ok().map(String::as_str)
}

fn read<E: Entity>(item: Item) -> Result<E, Error> {
    let item = serde_dynamo::AttributeValue::from(AttributeValue::M(item));
    serde_path_to_error::deserialize(serde_dynamo::Deserializer::from_attribute_value(item))
        .map_err(|error| {
            let missing = error.inner().to_string();
            let missing = missing.strip_prefix("missing field ");
            let field = missing.map_or_else(|| error.path().to_string(), str::to_owned);
            Error::Unreadable { kind: E::KIND, field }
        })
}

impl From<Key> for Item {
    fn from(key: Key) -> Self {
        Self::from([
            (PARTITION.to_owned(), AttributeValue::S(key.partition)),
            (SORT.to_owned(), AttributeValue::S(key.sort)),
        ])
    }
}
