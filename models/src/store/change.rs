use std::collections::HashMap;

use serde_dynamo::{AttributeValue, Item};

use super::{
    Entity, Error, Owned, Store,
    item::read_attributes,
    key::owner_of,
    table::{DELETED_AT, KIND, OWN, PARTITION, TTL, VERSION, WRITTEN_BY},
};
use crate::{Id, Timestamp};

/// What has become of one thing: a record of the table's stream, read by the store's own rules.
#[derive(Clone, Debug)]
pub struct Change<E> {
    /// As it was; nothing where it is new. What it has replaced after its end was gone already.
    pub before: Option<E>,
    /// As it is; nothing where it is gone. What phones keep leaves a tombstone, which is nothing too.
    pub after: Option<E>,
    /// Whether it was deleted because its time was over: by DynamoDB, or by the sweep.
    pub expired: bool,
    owner: Option<Id>,
}

impl<E> Change<E> {
    /// The thing, where it is new.
    pub fn created(self) -> Option<E> {
        if self.before.is_none() { self.after } else { None }
    }

    /// What the owner of the changed thing owns of another kind. Nothing where nobody owns it.
    pub fn owned<F: Entity>(&self, store: &Store) -> Option<Owned<F>> {
        self.owner.map(|owner| Owned::new_in(store.clone(), owner))
    }
}

/// A record of the table's stream before anybody has asked what it is about: the item as it was and
/// as it is, in the form in which DynamoDB tells it.
#[derive(Clone, Debug)]
pub struct Images {
    old: Option<Item>,
    new: Option<Item>,
    expired: bool,
}

impl Images {
    /// An item without attributes is none. `expired`: DynamoDB's own deletion has made the record.
    pub fn new(old: Item, new: Item, expired: bool) -> Self {
        let some = |item: Item| Some(item).filter(|item| !item.is_empty());
        Self { old: some(old), new: some(new), expired }
    }

    /// The [kind](Entity::KIND) of what has changed; none for what this store has not written.
    pub fn kind(&self) -> Option<&str> {
        self.text(KIND)
    }

    /// Told of at this time, rounded down to a second. What leaves the table after its end has
    /// expired, whoever has deleted it: DynamoDB, or the sweep.
    #[must_use]
    pub fn told_at(self, time: Timestamp) -> Self {
        let end = self.old.as_ref().filter(|_| self.new.is_none()).and_then(end_seconds);
        let is_over = end.is_some_and(|end| end < time.unix_seconds());
        Self { expired: self.expired || is_over, ..self }
    }

    /// Whether this has made it: where nothing was, or a tombstone, or what had expired. Who makes
    /// something counts its versions from 1, or on from the tombstone's.
    pub fn is_new(&self) -> bool {
        let Some(new) = self.new.as_ref().filter(|new| !is_tombstone(new)) else { return false };
        let is_first = matches!(new.get(VERSION), Some(AttributeValue::N(first)) if first == "1");
        is_first || self.old.as_ref().is_none_or(is_tombstone)
    }

    /// Whether a tombstone has left the table. Of that nobody is told.
    pub fn is_end_of_tombstone(&self) -> bool {
        self.new.is_none() && self.old.as_ref().is_some_and(is_tombstone)
    }

    /// The event handler that has written it, where that one has [marked](super::WriteSet::marked)
    /// its writes. Nobody knows it of a deletion.
    pub fn written_by(&self) -> Option<&str> {
        text(self.new.as_ref()?, WRITTEN_BY)
    }

    /// The change of an `E`.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when an image is not what `E` is read from, or there is none at all:
    /// the stream must tell old and new images.
    pub fn read<E: Entity>(&self) -> Result<Change<E>, Error> {
        if self.old.is_none() && self.new.is_none() {
            return Err(Error::Unreadable { kind: E::KIND, field: "NewImage".to_owned() });
        }
        let read = |item: &Option<Item>| {
            let alive = item.as_ref().filter(|item| !is_tombstone(item));
            alive.map(|item| read_attributes(E::KIND, fields(item))).transpose()
        };
        Ok(Change {
            before: if self.is_new() { None } else { read(&self.old)? },
            after: read(&self.new)?,
            expired: self.expired,
            owner: self.text(PARTITION).and_then(owner_of),
        })
    }

    fn text(&self, name: &str) -> Option<&str> {
        text(self.new.as_ref().or(self.old.as_ref())?, name)
    }
}

/// What an entity may have of an item. Others may want to read the item, too.
fn fields(item: &Item) -> HashMap<String, AttributeValue> {
    let fields = item.iter().filter(|(name, _)| !OWN.contains(&name.as_str()));
    fields.map(|(name, value)| (name.clone(), value.clone())).collect()
}

fn end_seconds(item: &Item) -> Option<i64> {
    match item.get(TTL)? {
        AttributeValue::N(seconds) => seconds.parse().ok(),
        _ => None,
    }
}

fn is_tombstone(item: &Item) -> bool {
    item.contains_key(DELETED_AT)
}

fn text<'a>(item: &'a Item, name: &str) -> Option<&'a str> {
    match item.get(name)? {
        AttributeValue::S(text) => Some(text),
        _ => None,
    }
}
