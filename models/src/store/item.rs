use std::collections::HashMap;

use aws_sdk_dynamodb::types::AttributeValue;
use serde::de::DeserializeOwned;
use serde_dynamo::AttributeValue as Value;

use super::{
    Entity, Error, Key,
    table::{CHANGED_AT, DELETED_AT, KIND, LOOKUP, OWN, PARTITION, SORT, TTL, VERSION},
};
use crate::Timestamp;

pub(super) type Item = HashMap<String, AttributeValue>;

/// DynamoDB's limit for an item, names and values, less the room for the store's own attributes.
pub(super) const LARGEST_ITEM: usize = 400 * 1024 - 256;

/// What DynamoDB counts for an item, or a little more.
pub(super) fn item_size(item: &Item) -> usize {
    item.iter().map(|(name, value)| name.len() + size(value)).sum()
}

fn size(value: &AttributeValue) -> usize {
    match value {
        AttributeValue::S(text) => text.len(),
        // A byte for two digits, and one more.
        AttributeValue::N(number) => number.len() + 1,
        AttributeValue::B(bytes) => bytes.as_ref().len(),
        AttributeValue::L(items) => 3 + items.iter().map(|item| 1 + size(item)).sum::<usize>(),
        AttributeValue::M(fields) => 3 + fields.len() + item_size(fields),
        _ => 1,
    }
}

pub(super) fn tombstone_version(item: &Item) -> Option<u64> {
    item.contains_key(DELETED_AT).then(|| version(item))?
}

pub(super) fn version(item: &Item) -> Option<u64> {
    item.get(VERSION)?.as_n().ok()?.parse().ok()
}

pub(super) fn sort_key(item: &Item) -> Option<&str> {
    item.get(SORT)?.as_s().ok().map(String::as_str)
}

/// When DynamoDB may delete it, to the second.
pub(super) fn end(item: &Item) -> Option<Timestamp> {
    let seconds: i64 = item.get(TTL)?.as_n().ok()?.parse().ok()?;
    Some(Timestamp::from_unix_millis(seconds.saturating_mul(1000)))
}

pub(super) fn read<T: DeserializeOwned>(kind: &'static str, item: Item) -> Result<T, Error> {
    let item = item.into_iter().map(|(name, value)| (name, Value::from(value)));
    read_attributes(kind, item.collect())
}

/// The same of an item that did not come by the SDK.
pub(super) fn read_attributes<T: DeserializeOwned>(
    kind: &'static str,
    item: HashMap<String, Value>,
) -> Result<T, Error> {
    let item = serde_dynamo::Deserializer::from_attribute_value(Value::M(item));
    serde_path_to_error::deserialize(item).map_err(|error| {
        let missing = error.inner().to_string();
        let missing = missing.strip_prefix("missing field ");
        let field = missing.map_or_else(|| error.path().to_string(), str::to_owned);
        Error::Unreadable { kind, field }
    })
}

pub(super) fn to_item<E: Entity>(entity: &E) -> Item {
    let mut item: Item = serde_dynamo::to_item(entity)
        .expect("an entity is a struct with string keys, which always has the shape of an item");
    for name in OWN {
        assert!(!item.contains_key(name), "{}: `{name}` is the store's own name", E::KIND);
    }
    assert!(item.contains_key(VERSION), "{}: the version is kept as `{VERSION}`", E::KIND);
    item.extend(Item::from(entity.key()));
    item.insert(KIND.to_owned(), AttributeValue::S(E::KIND.to_owned()));
    if E::KEPT_BY_PHONES {
        item.insert(CHANGED_AT.to_owned(), AttributeValue::Null(true));
    }
    if let Some(end) = entity.expires_at() {
        item.insert(TTL.to_owned(), AttributeValue::N(end.unix_seconds().to_string()));
    }
    if let Some(lookup) = entity.lookup() {
        item.insert(LOOKUP.to_owned(), AttributeValue::S(lookup.0));
    }
    item
}

/// What stands in the place of an item that was deleted: nothing of what it said.
pub(super) fn tombstone<E: Entity>(entity: &mut E) -> Item {
    let mut item = Item::from(entity.key());
    let version = *entity.version_mut() + 1;
    item.insert(KIND.to_owned(), AttributeValue::S(E::KIND.to_owned()));
    item.insert(VERSION.to_owned(), AttributeValue::N(version.to_string()));
    // Both are set to the time of the write.
    if E::KEPT_BY_PHONES {
        item.insert(CHANGED_AT.to_owned(), AttributeValue::Null(true));
    }
    item.insert(DELETED_AT.to_owned(), AttributeValue::Null(true));
    item
}

impl From<Key> for Item {
    fn from(key: Key) -> Self {
        Self::from([
            (PARTITION.to_owned(), AttributeValue::S(key.partition)),
            (SORT.to_owned(), AttributeValue::S(key.sort)),
        ])
    }
}

impl Key {
    /// Where this item is.
    pub(super) fn of(item: &Item) -> Option<Self> {
        let text = |name| item.get(name)?.as_s().ok().cloned();
        Some(Self { partition: text(PARTITION)?, sort: text(SORT)? })
    }
}
