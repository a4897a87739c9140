//! What has become of events, so that each has its effect once however often it comes.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::{
    Id, Timestamp,
    store::{Entity, Key, hash},
};

/// Of what Lambda has given up some handlers may be done, and a replay must know. It gives up half a
/// day after the first attempt, and the bucket keeps that for 90 days (`deploy/template.yaml`), which
/// S3 rounds up to a midnight and is late for. A queue keeps a message for 14 days at most.
const KEPT: Duration = Duration::from_secs(93 * 24 * 60 * 60);

/// One record of an event with one of its handlers: failed, being handled, or over.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct HandledEvent {
    /// The record's own id behind its source's name.
    pub id: String,
    /// The handler, by module and function.
    pub handler: String,
    /// How often it has failed.
    pub failures: u32,
    /// Until when it is being handled by whoever has taken it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_until: Option<Timestamp>,
    /// Which delivery has taken it.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub held_by: Option<Id>,
    /// How it ended; none while it may come again.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    pub outcome: Option<Outcome>,
    /// When it is forgotten.
    pub expires_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

/// How a record ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Outcome {
    /// Its effect is in the table: this was written together with it.
    Done,
    /// It is among the failures, where it can be replayed from.
    SetAside,
}

impl Entity for HandledEvent {
    const KIND: &'static str = "EVENT";

    fn key(&self) -> Key {
        Self::key_of(&self.handler, &self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl HandledEvent {
    /// A record that nothing is known of.
    pub fn new(handler: &str, id: &str, now: Timestamp) -> Self {
        Self {
            id: id.to_owned(),
            handler: handler.to_owned(),
            failures: 0,
            held_until: None,
            held_by: None,
            outcome: None,
            expires_at: now.plus(KEPT),
            version: 1,
        }
    }

    /// The same, which nobody holds.
    #[must_use]
    pub fn released(self) -> Self {
        Self { held_until: None, held_by: None, ..self }
    }

    /// Where the record's state is.
    pub fn key_of(handler: &str, id: &str) -> Key {
        Key::unique::<Self>(&named(handler, id))
    }

    /// SHA-256 of handler and record, in base64url: a name for it that names nobody.
    pub fn digest(&self) -> String {
        hash(named(&self.handler, &self.id).as_bytes())
    }
}

/// A handler's name has no line break.
fn named(handler: &str, id: &str) -> String {
    format!("{handler}\n{id}")
}
