//! Backlogs. A receiver that did not take a message has one: that message and all that come after it
//! wait, and are tried again at longer and longer intervals, for days.

use std::{fmt::Display, time::Duration};

use serde::{Deserialize, Serialize};

use super::outbox::{Message, Receiver};
use crate::{
    Id, Timestamp,
    store::{Entity, Error, Key, Precondition, Store, WriteSet},
};

const MINUTE: Duration = Duration::from_secs(60);
const HOUR: Duration = Duration::from_secs(60 * 60);

/// How long a receiver is left alone that has failed once, twice, and so on. Further failures count
/// like the last.
const PAUSES: [Duration; 7] = [
    MINUTE,
    MINUTE.saturating_mul(5),
    MINUTE.saturating_mul(30),
    HOUR.saturating_mul(2),
    HOUR.saturating_mul(5),
    HOUR.saturating_mul(10),
    HOUR.saturating_mul(12),
];

/// Mails have one receiver, whatever account they are about: that it fails says little of how long it
/// will.
const LONGEST_OF_MAILS: Duration = MINUTE.saturating_mul(15);

/// What was committed so long before a failure does not wait any longer.
const PATIENCE: Duration = HOUR.saturating_mul(72);

/// Longer than the bucket of failures keeps what may be replayed (deploy/template.yaml, 90 days).
const KEPT: Duration = HOUR.saturating_mul(24 * 93);

/// A receiver that is tried again. It is there from the first message that waits until one attempt finds
/// none.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Backlog {
    /// Whose account the messages are about.
    pub owner: Id,
    /// Who has not taken them.
    pub receiver: Receiver,
    /// How often it was tried since it last took a message.
    failures: u32,
    /// What it has refused by an answer that may be about that message alone.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    refused: Option<Refused>,
    /// When it is tried again.
    next_try: Timestamp,
    /// See [`Entity::version_mut`].
    version: u64,
}

/// A message that was refused so often, one time after the other.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Refused {
    message: Id,
    times: u32,
}

/// A message that waits for its receiver, in the place of the [`Message`].
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Waiting {
    /// What is to be taken.
    pub message: Message,
    /// The message's, for those who see of an item no more than this.
    created_at: Timestamp,
    /// By whom.
    receiver: Receiver,
    /// Counts up with what waits for the receiver.
    position: u64,
    /// See [`Entity::version_mut`].
    version: u64,
}

/// A message that is not waited for any longer.
#[derive(Clone, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DeadLetter {
    /// What nobody has taken.
    pub message: Message,
    /// Why it was not.
    pub reason: String,
    /// When it is forgotten.
    expires_at: Timestamp,
    /// See [`Entity::version_mut`].
    version: u64,
}

impl Entity for Backlog {
    const KIND: &'static str = "BACKLOG";

    fn key(&self) -> Key {
        Self::key_of(self.owner, self.receiver)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Entity for Waiting {
    const KIND: &'static str = "WAITING";

    fn key(&self) -> Key {
        Self::within(self.message.owner, self.receiver, format_args!("{:020}", self.position))
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        self.message.expires_at()
    }
}

impl Entity for DeadLetter {
    const KIND: &'static str = "DEAD_LETTER";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.message.owner, self.message.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }

    fn expires_at(&self) -> Option<Timestamp> {
        Some(self.expires_at)
    }
}

impl Backlog {
    /// Where the one of this receiver is.
    pub fn key_of(owner: Id, receiver: Receiver) -> Key {
        Key::listed::<Self>(format_args!("{owner}#{receiver}"))
    }

    /// Have a message of the outbox wait behind those that wait for this receiver. Whoever is working
    /// them off learns that there is more. For a store that collects: this is more than one write.
    pub async fn extend(store: &Store, mut message: Message, to: Receiver) -> Result<(), Error> {
        let next_try = store.ambient().now().plus(PAUSES[0]);
        let begun = Self {
            owner: message.owner,
            receiver: to,
            failures: 1,
            refused: None,
            next_try,
            version: 1,
        };
        let extend = |there: Option<Self>| there.unwrap_or(begun.clone());
        let (extended, _) = store.put(begun.key(), &Precondition::None, extend).await?;
        // Each write of a backlog counts it, also after one that has ended.
        let (receiver, position) = (to, extended.version);
        let (created_at, waits) = (message.created_at, message.clone());
        let mut waiting = Waiting { message: waits, created_at, receiver, position, version: 1 };
        store.write(WriteSet::new().remove(&mut message).create(&mut waiting)).await
    }

    /// All backlogs whose receiver may be tried by then, those first that have waited longest.
    pub async fn due(store: &Store, by: Timestamp) -> Result<Vec<Self>, Error> {
        let somewhere = Key::listed::<Self>("");
        let mut due: Vec<Self> = store.all(&somewhere).await?;
        due.retain(|backlog| backlog.next_try <= by);
        due.sort_by_key(|backlog| backlog.next_try);
        Ok(due)
    }

    /// Take it until then, to work it off. Nothing where somebody else has it by now.
    pub async fn claim(
        self,
        store: &Store,
        due: Timestamp,
        until: Timestamp,
    ) -> Result<Option<Self>, Error> {
        let mut there = Some(self);
        while let Some(mut backlog) = there.filter(|there| there.next_try <= due) {
            backlog.next_try = until;
            if unless_lost(store.replace(&mut backlog).await)? {
                return Ok(Some(backlog));
            }
            // A message may have come, too.
            there = store.get(backlog.key()).await?;
        }
        Ok(None)
    }

    /// The message that has waited longest, or longest after this one.
    ///
    /// # Errors
    /// [`Error::Unreadable`] when a release that cannot read it has come to it.
    pub async fn first(
        &self,
        store: &Store,
        after: Option<&Waiting>,
    ) -> Result<Option<Waiting>, Error> {
        let within = Waiting::within(self.owner, self.receiver, "");
        store.first(&within, after.map(Waiting::key)).await
    }

    /// The receiver has taken something.
    pub fn has_taken(&mut self) {
        self.failures = 0;
    }

    /// The receiver has refused this message. How often it has done so by now, one time after the other.
    pub fn has_refused(&mut self, waiting: &Waiting) -> u32 {
        let message = waiting.message.id;
        let before = self.refused.take().filter(|refused| refused.message == message);
        let times = before.map_or(0, |refused| refused.times) + 1;
        self.refused = Some(Refused { message, times });
        times
    }

    /// The receiver is away, and refuses nothing.
    pub fn is_away(&mut self) {
        self.refused = None;
    }

    /// End it, since no message waits. False where one has come meanwhile.
    pub async fn end(&mut self, store: &Store) -> Result<bool, Error> {
        if unless_lost(store.write(WriteSet::new().remove(self)).await)? {
            return Ok(true);
        }
        let there = store.get::<Self>(self.key()).await?;
        Ok(there.map(|there| self.version = there.version).is_none())
    }

    /// Leave the receiver alone for a while: it has failed once more.
    pub async fn postpone(&mut self, store: &Store) -> Result<(), Error> {
        self.failures = self.failures.saturating_add(1);
        self.next_try = store.ambient().now().plus(self.pause());
        self.keep(store).await
    }

    /// Let it be gone on with: there was no more time.
    pub async fn hand_on(&mut self, store: &Store) -> Result<(), Error> {
        self.next_try = store.ambient().now();
        self.keep(store).await
    }

    /// A message may have come meanwhile, which changes nothing of this.
    async fn keep(&self, store: &Store) -> Result<(), Error> {
        let change = |there: &mut Self| *there = Self { version: there.version, ..self.clone() };
        store.update(self.key(), &Precondition::None, change).await.map(drop)
    }

    fn pause(&self) -> Duration {
        let place = usize::try_from(self.failures.saturating_sub(1)).unwrap_or(usize::MAX);
        let pause = PAUSES[place.min(PAUSES.len() - 1)];
        match self.receiver {
            Receiver::Mailer => pause.min(LONGEST_OF_MAILS),
            Receiver::Endpoint(_) => pause,
        }
    }
}

impl Waiting {
    /// Where those for a receiver are, from this place on.
    fn within(owner: Id, receiver: Receiver, place: impl Display) -> Key {
        Key::owned::<Self>(owner, format_args!("{receiver}#{place}"))
    }

    /// It is taken.
    pub async fn finish(self, store: &Store) -> Result<(), Error> {
        unless_lost(store.write(WriteSet::new().delete(self.key())).await).map(drop)
    }

    /// Whether it has waited long enough.
    pub fn is_old(&self, now: Timestamp) -> bool {
        now.since(self.message.created_at) >= PATIENCE
    }

    /// Have it wait no longer, unless it has been taken meanwhile. `reason` names no person.
    pub async fn give_up(self, store: &Store, reason: &str) -> Result<(), Error> {
        let letter = &mut DeadLetter::of(store, self.message.clone(), reason);
        let writes = WriteSet::new().delete(self.key()).create(letter);
        unless_lost(store.write(writes).await).map(drop)
    }
}

impl DeadLetter {
    fn of(store: &Store, message: Message, reason: &str) -> Self {
        let expires_at = store.ambient().now().plus(KEPT);
        Self { message, reason: reason.to_owned(), expires_at, version: 1 }
    }
}

impl Message {
    /// Have it not delivered from the outbox, where it would be of no use to try it again. `reason`
    /// names no person.
    pub async fn give_up(mut self, store: &Store, reason: &str) -> Result<(), Error> {
        let letter = &mut DeadLetter::of(store, self.clone(), reason);
        store.write(WriteSet::new().remove(&mut self).create(letter)).await
    }
}

fn unless_lost(written: Result<(), Error>) -> Result<bool, Error> {
    match written {
        Ok(()) => Ok(true),
        Err(Error::Conflict { .. }) => Ok(false),
        Err(error) => Err(error),
    }
}
