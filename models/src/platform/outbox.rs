//! The outbox: messages to the world outside of the table (mail, push, webhooks), committed together
//! with what they tell of.
//!
//! A message is there exactly when the write beside it has happened. Whoever follows the table's
//! stream delivers it afterwards; it can come more than once, and its id tells that it is the same.

use std::{
    fmt::{self, Display, Formatter},
    time::Duration,
};

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    mail::MAIL,
    webhook::{WEBHOOK, WebhookEvent},
};
use crate::{
    Ambient, Id, Timestamp,
    store::{Entity, Error, Key, Owned, WriteSet},
};

/// A payload may have so many bytes as JSON. What is larger is kept elsewhere and named.
const LARGEST_PAYLOAD: usize = 64 * 1024;

/// The last resort: what nobody has delivered by then is forgotten.
const KEPT: Duration = Duration::from_secs(14 * 24 * 60 * 60);

/// Something to tell somebody. Not `Debug`: what it says is nobody else's business.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Message {
    /// Sorts by the time of its making.
    pub id: Id,
    /// Whose account it is about.
    pub owner: Id,
    /// What kind of message it is, and so who delivers it: `mail` ([`Mail`](super::mail::Mail)) or
    /// `webhook` ([`WebhookEvent`]).
    pub topic: String,
    /// What it says, as JSON.
    payload: String,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it is forgotten, delivered or not.
    pub expires_at: Timestamp,
    /// See [`Entity::version_mut`].
    pub version: u64,
}

/// Who takes messages, of those about one account.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Receiver {
    /// All mails.
    Mailer,
    /// The events for one [`WebhookEndpoint`](super::webhook::WebhookEndpoint), by its id.
    Endpoint(Id),
}

impl Display for Receiver {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Mailer => f.write_str("mail"),
            Self::Endpoint(id) => id.fmt(f),
        }
    }
}

impl Entity for Message {
    const KIND: &'static str = "OUTBOX";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Message {
    /// A message about what this person owns.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the payload has more than 64 KB as JSON; [`Error::Unreadable`] when
    /// it has no form as JSON.
    pub fn new(
        ambient: &Ambient,
        owner: Id,
        topic: impl Into<String>,
        payload: &impl Serialize,
    ) -> Result<Self, Error> {
        let (id, created_at) = (ambient.new_id(), ambient.now());
        let payload = serde_json::to_string(payload).map_err(|_| Self::unreadable())?;
        let topic = topic.into();
        if payload.len() > LARGEST_PAYLOAD {
            return Err(Error::TooLarge);
        }
        let expires_at = created_at.plus(KEPT);
        Ok(Self { id, owner, topic, payload, created_at, expires_at, version: 1 })
    }

    /// What it says.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is no `T` as JSON.
    pub fn payload<T: DeserializeOwned>(&self) -> Result<T, Error> {
        serde_json::from_str(&self.payload).map_err(|_| Self::unreadable())
    }

    /// Who takes it. None where its topic is nobody's.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when it is an event for a webhook and does not say for which.
    pub fn receiver(&self) -> Result<Option<Receiver>, Error> {
        Ok(match self.topic.as_str() {
            MAIL => Some(Receiver::Mailer),
            WEBHOOK => Some(Receiver::Endpoint(self.payload::<WebhookEvent>()?.endpoint_id)),
            _ => None,
        })
    }

    fn unreadable() -> Error {
        Error::Unreadable { kind: Self::KIND, field: "payload".to_owned() }
    }
}

impl WriteSet {
    /// Send a message when these writes have happened.
    #[must_use]
    pub fn send(self, mut message: Message) -> Self {
        self.create(&mut message)
    }
}

impl<E: Entity> Owned<E> {
    /// The same things, for one write that a message is sent with: `self.sending("mail",
    /// &payload)?.keep(&mut order)`. Nothing is sent when nothing is written.
    ///
    /// # Errors
    /// [`Error::TooLarge`] when the payload has more than 64 KB as JSON.
    pub fn sending(
        &self,
        topic: impl Into<String>,
        payload: &impl Serialize,
    ) -> Result<Self, Error> {
        let message = Message::new(self.ambient(), self.owner(), topic, payload)?;
        self.together_with(WriteSet::new().send(message))
    }
}
