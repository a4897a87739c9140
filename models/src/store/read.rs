use aws_sdk_dynamodb::types::{AttributeValue, Select};

use super::{
    Entity, Error, Key, Listing, Page, Projection, Store, Tries,
    item::{self, Item, item_size, sort_key, tombstone_version},
    key::owner_partition,
    page::Cursor,
    shape::{Part, Shape, Whole},
    table::{PARTITION, SORT},
};
use crate::Timestamp;

/// A filter may match nothing for a long way. A page stops after so many calls and says where
/// to go on, rather than read a person's whole partition in one request.
const CALLS_PER_PAGE: usize = 4;

/// How many items one call of a filtered listing looks at.
const FILTERED_READ: usize = 100;

/// How many bytes of stored items a page holds. Written as JSON inside of an event's JSON, a byte
/// becomes seven at the most, and a load balancer takes answers of 1 MB.
const PAGE_BYTES: usize = 128 * 1024;

/// What is at a key.
pub(super) struct Found<T> {
    pub(super) entity: Option<T>,
    /// The version of the tombstone of something that was deleted.
    pub(super) tombstone: Option<u64>,
}

/// The items of a page so far.
struct Gathered<T> {
    found: Vec<T>,
    /// The sort key of the last one.
    last: Option<String>,
    room: usize,
}

impl<T> Gathered<T> {
    /// Take an item in. False when it belongs to the next page.
    fn take<S: Shape<Read = T>>(&mut self, item: Item, limit: usize, now: Timestamp) -> bool {
        let size = item_size(&item);
        let sort = sort_key(&item).map(str::to_owned);
        let Some(read) = read_among_others::<S>(item, now) else { return true };
        if self.found.len() >= limit || (size > self.room && !self.found.is_empty()) {
            return false;
        }
        self.room = self.room.saturating_sub(size);
        self.last = sort;
        self.found.push(read);
        true
    }
}

/// What an item says; nothing where it is a tombstone or has expired.
pub(super) fn read<S: Shape>(item: Item, now: Timestamp) -> Result<Option<S::Read>, Error> {
    if tombstone_version(&item).is_some() {
        return Ok(None);
    }
    let ttl = item::end(&item);
    let read = item::read(S::KIND, item)?;
    let is_alive = S::end(&read, ttl).is_none_or(|end| now < end);
    Ok(is_alive.then_some(read))
}

/// The same. One that cannot be read is left out and logged: it shall not take the others along.
pub(super) fn read_among_others<S: Shape>(item: Item, now: Timestamp) -> Option<S::Read> {
    let sort = sort_key(&item).map(str::to_owned);
    read::<S>(item, now).unwrap_or_else(|error| {
        tracing::error!(sort, %error, "an item that cannot be read is left out");
        None
    })
}

impl Store {
    /// The item at `key`, as of all writes acknowledged before.
    pub async fn get<E: Entity>(&self, key: Key) -> Result<Option<E>, Error> {
        Ok(self.find::<Whole<E>>(&self.tries(), key).await?.entity)
    }

    /// Some fields of the item at `key`. One that ends is missing up to a second before its end.
    pub async fn get_as<P: Projection>(&self, key: Key) -> Result<Option<P>, Error> {
        Ok(self.find::<Part<P>>(&self.tries(), key).await?.entity)
    }

    pub(super) async fn find<S: Shape>(
        &self,
        tries: &Tries,
        key: Key,
    ) -> Result<Found<S::Read>, Error> {
        let written = self.1.collected.as_ref().and_then(|collected| collected.at(&key));
        let item = match written {
            Some(item) => item,
            None => self.get_item::<S>(tries, key).await?,
        };
        let Some(item) = item else { return Ok(Found { entity: None, tombstone: None }) };
        let tombstone = tombstone_version(&item);
        Ok(Found { entity: read::<S>(item, self.0.ambient.now())?, tombstone })
    }

    async fn get_item<S: Shape>(&self, tries: &Tries, key: Key) -> Result<Option<Item>, Error> {
        let call = self.0.client.get_item().table_name(&self.0.table);
        let call = call.set_key(Some(key.into())).consistent_read(true);
        let call = match S::attributes() {
            None => call,
            Some(some) => call
                .projection_expression(some.expression)
                .set_expression_attribute_names(Some(some.names)),
        };
        let answer = tries.call(call.customize())?.send().await;
        Ok(answer.map_err(|error| Error::unavailable(&error))?.item)
    }

    /// One page of what a person owns, newest first. Ends early when its items are large. An item
    /// that cannot be read is left out and logged: it shall not take the others along.
    pub async fn list<E: Entity>(&self, listing: &Listing<'_>) -> Result<Page<E>, Error> {
        self.page::<Whole<E>>(listing).await
    }

    /// Some fields of them. One that ends is missing up to a second before its end.
    pub async fn list_as<P: Projection>(&self, listing: &Listing<'_>) -> Result<Page<P>, Error> {
        self.page::<Part<P>>(listing).await
    }

    async fn page<S: Shape>(&self, listing: &Listing<'_>) -> Result<Page<S::Read>, Error> {
        let now = self.0.ambient.now();
        let mut start =
            listing.cursor.map(|cursor| Cursor::open(cursor, S::KIND, listing, now)).transpose()?;
        let mut page = Gathered { found: Vec::new(), last: None, room: PAGE_BYTES };
        for _ in 0..CALLS_PER_PAGE {
            // One more than asked for tells whether there is a next page without another call.
            let wanted = listing.limit + 1 - page.found.len();
            let (items, last) = self.query::<S>(listing, wanted, start).await?;
            start = last;
            if !items.into_iter().all(|item| page.take::<S>(item, listing.limit, now)) {
                start = page.last;
                break;
            }
            if start.is_none() {
                break;
            }
        }
        let next_cursor = start.map(|sort| Cursor::seal(S::KIND, listing, &sort, now));
        Ok(Page { items: page.found, next_cursor })
    }

    /// One call: the items, and the sort key after which more may follow.
    async fn query<S: Shape>(
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
            .expression_attribute_values(":kind", AttributeValue::S(format!("{}#", S::KIND)))
            .scan_index_forward(false)
            .limit(i32::try_from(limit).unwrap_or(i32::MAX))
            .set_exclusive_start_key(start);
        let query = match S::attributes() {
            None => query.select(Select::AllAttributes),
            Some(some) => some.names.into_iter().fold(
                query.projection_expression(some.expression),
                |query, (placeholder, name)| query.expression_attribute_names(placeholder, name),
            ),
        };
        let query = match listing.containing {
            None => query,
            Some((attribute, value)) => query
                .filter_expression("contains(#list, :value)")
                .expression_attribute_names("#list", attribute)
                .expression_attribute_values(":value", AttributeValue::S(value.to_owned())),
        };
        let answer = self.tries().call(query.customize())?.send().await;
        let answer = answer.map_err(|error| Error::unavailable(&error))?;
        let last = answer.last_evaluated_key.as_ref().and_then(sort_key).map(str::to_owned);
        Ok((answer.items.unwrap_or_default(), last))
    }
}
