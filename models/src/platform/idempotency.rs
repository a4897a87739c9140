//! What requests with an `Idempotency-Key` were answered, so that each is done once.

use std::{collections::BTreeMap, time::Duration};

use aws_lc_rs::digest::{SHA256, digest};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use serde::{Deserialize, Serialize};

use crate::{
    Id, Timestamp,
    store::{Entity, Error, Key, Store},
};

/// A request may be sent again for so long. The table forgets it afterwards.
const KEPT: Duration = Duration::from_secs(24 * 60 * 60);

/// A request that a person sent with a key: being done, or done and answered.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeyedRequest {
    /// Who sent it.
    pub owner: Id,
    /// SHA-256 of route and key.
    pub id: String,
    /// SHA-256 of what was asked, for telling another request under the same key. Empty where it
    /// was given back.
    pub fingerprint: String,
    /// Until when it is being done by whoever has taken it; none once it is answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_until: Option<Timestamp>,
    /// What it was answered.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub answer: Option<KeptAnswer>,
    /// Until when it can be sent again.
    pub expires_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

/// An answer as it is kept.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct KeptAnswer {
    /// Its status, as a number.
    pub status: u16,
    /// Its headers, those that are its own.
    pub headers: BTreeMap<String, String>,
    /// Its body; none when it is too large to be kept.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub body: Option<String>,
}

impl Entity for KeyedRequest {
    const KIND: &'static str = "REQUEST";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, &self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl KeyedRequest {
    /// A request of this person on this route with this key, not answered yet. `asked` is all
    /// that makes it the same request when it comes again.
    pub fn new(owner: Id, route: &str, key: &str, asked: &[&[u8]], now: Timestamp) -> Self {
        Self {
            owner,
            id: hash(&[route.as_bytes(), key.as_bytes()]),
            fingerprint: hash(asked),
            held_until: None,
            answer: None,
            expires_at: now.plus(KEPT),
            version: 1,
        }
    }

    /// Whether `other` may be done in its place: it was given back, or is the same request, and
    /// whoever held it has run out of time.
    pub fn may_be_taken_over(&self, other: &Self, now: Timestamp) -> bool {
        !self.is_another_than(other) && self.held_until.is_some_and(|until| until <= now)
    }

    /// Whether something else was asked under the same key.
    pub fn is_another_than(&self, other: &Self) -> bool {
        !self.fingerprint.is_empty() && self.fingerprint != other.fingerprint
    }

    /// It was held and not done: the key is free for another request.
    pub fn give_back(&mut self, now: Timestamp) {
        self.held_until = Some(now);
        self.fingerprint.clear();
    }

    /// The same text each time the request is done, and for no other request.
    pub fn text(&self) -> String {
        hash(&[self.owner.as_bytes(), self.id.as_bytes(), self.fingerprint.as_bytes()])
    }

    /// What is known of the request from before.
    pub async fn known(&self, store: &Store) -> Result<Option<Self>, Error> {
        store.get(self.key()).await
    }
}

/// Lengths stand between the parts, so that no two lists of parts are alike.
fn hash(parts: &[&[u8]]) -> String {
    let mut all = Vec::new();
    for part in parts {
        all.extend(part.len().to_be_bytes());
        all.extend(*part);
    }
    URL_SAFE_NO_PAD.encode(digest(&SHA256, &all))
}
