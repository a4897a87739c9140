//! The outbox: messages that were committed with what they tell of are delivered, at least once,
//! and those about one account for one receiver in the order in which they were committed. A receiver
//! that has failed holds up nobody: what is for it waits in its backlog, and what it refuses may be
//! overtaken.

mod mailer;
mod retries;
mod webhooks;

pub use mailer::{Mailer, Ses};
pub use webhooks::Webhooks;

use std::{borrow::Cow, sync::Arc};

use axum::extract::State;
use models::{
    Id, causes,
    platform::{
        backlog::{Backlog, DeadLetter, Waiting},
        outbox::{Message, Receiver},
        webhook::{WebhookEndpoint, WebhookEvent},
    },
    store::{self, Change, Entity, Key, Precondition, Store},
};
use tracing::{error, warn};

use crate::{
    events::{self, Failure, IsReplay},
    http::Module,
};

pub(crate) fn module() -> Module {
    Module::new("outbox")
        .on_created(deliver_message)
        .writing::<Message>()
        .writing::<Backlog>()
        .writing::<Waiting>()
        .writing::<DeadLetter>()
        .marked()
        .every("rate(1 minute)", retries::retry_deliveries)
        .on_created(deliver_dead_letter)
        .writing::<DeadLetter>()
        .marked()
}

/// Who takes what is delivered, by the topics of messages. Cheap to clone.
#[derive(Clone)]
pub struct Receivers {
    /// For `mail`; none where the deployment sends no mail.
    pub mailer: Option<Arc<dyn Mailer>>,
    /// For `webhook`.
    pub webhooks: Arc<Webhooks>,
}

impl Default for Receivers {
    /// Nobody for mails; webhooks on the internet.
    fn default() -> Self {
        Self { mailer: None, webhooks: Arc::new(Webhooks::new(None)) }
    }
}

/// Why a message was not delivered. It is logged and kept, so it names no person.
#[derive(Debug, thiserror::Error)]
#[error("{why}")]
pub struct Undelivered {
    why: Cow<'static, str>,
    what: NotTaken,
}

/// What is not taken, as far as can be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum NotTaken {
    /// Anything, for now.
    Anything,
    /// This message, for now. Another one may be taken.
    ThisOne,
    /// This message, ever.
    ThisOneEver,
}

impl Undelivered {
    /// Nobody takes anything, for now. `why` is a sentence about whoever should, such as "it did not
    /// answer". It is tried again for days.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), what: NotTaken::Anything }
    }

    /// The same where somebody has looked at this message, and may take others. It is tried again until
    /// another one is taken.
    pub fn refused(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), what: NotTaken::ThisOne }
    }

    /// The same where trying it again is of no use.
    pub fn for_good(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), what: NotTaken::ThisOneEver }
    }

    fn is_final(&self) -> bool {
        self.what == NotTaken::ThisOneEver
    }

    /// What its own provider does not take, the app's team must know; an endpoint is its owner's.
    fn log(&self, receiver: Receiver) {
        let why = &*self.why;
        match receiver {
            Receiver::Mailer => error!(why, "mail waits, since it was not taken"),
            Receiver::Endpoint(endpoint) => warn!(%endpoint, why, "a webhook's events wait"),
        }
    }
}

/// Deliver a message, or have it wait: where its receiver has not taken it, or others before it, or where
/// there is no time left for an attempt. One that is not in the table was delivered before.
async fn deliver_message(
    change: Change<Message>,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let Some(committed) = change.created() else { return Ok(()) };
    let Some(message) = store.get::<Message>(committed.key()).await? else { return Ok(()) };
    let receiver = match receiver(&message) {
        Ok(receiver) => receiver,
        Err(nobody) => return Ok(message.give_up(&store, &nobody.why).await?),
    };
    let backlog = Backlog::key_of(message.owner, receiver);
    if store.get::<Backlog>(backlog).await?.is_some() || !retries::has_time(&store) {
        return Ok(Backlog::extend(&store, message, receiver).await?);
    }
    match receivers.deliver(&store, &message).await? {
        Ok(()) => drop(store.delete::<Message>(message.key(), &Precondition::None).await?),
        Err(undelivered) if undelivered.is_final() => {
            message.give_up(&store, &undelivered.why).await?;
        }
        Err(undelivered) => {
            undelivered.log(receiver);
            Backlog::extend(&store, message, receiver).await?;
        }
    }
    Ok(())
}

/// Have a message that was given up set aside. Its receiver is asked once more when that is replayed, and
/// not before: thousands may be given up at once.
async fn deliver_dead_letter(
    change: Change<DeadLetter>,
    IsReplay(is_replay): IsReplay,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let Some(given_up) = change.created() else { return Ok(()) };
    if !is_replay {
        return Err(Failure::for_good(given_up.reason));
    }
    let Some(letter) = store.get::<DeadLetter>(given_up.key()).await? else { return Ok(()) };
    let delivered = receivers.deliver(&store, &letter.message).await?;
    delivered.map_err(|undelivered| Failure::for_good(undelivered.why))?;
    store.delete::<DeadLetter>(letter.key(), &Precondition::None).await?;
    Ok(())
}

fn receiver(message: &Message) -> Result<Receiver, Undelivered> {
    match message.receiver() {
        Ok(Some(receiver)) => Ok(receiver),
        // The topic is the team's word, and nobody's data.
        Ok(None) => {
            let topic = &message.topic;
            Err(Undelivered::for_good(format!("nobody takes messages of the topic `{topic}`")))
        }
        Err(unreadable) => Err(Undelivered::for_good(causes(&unreadable))),
    }
}

/// What a receiver says, where the table could be asked for what it takes.
type Delivered = Result<Result<(), Undelivered>, store::Error>;

impl Receivers {
    async fn deliver(&self, store: &Store, message: &Message) -> Delivered {
        match receiver(message) {
            Ok(Receiver::Mailer) => Ok(self.mail(message).await),
            Ok(Receiver::Endpoint(id)) => self.tell(store, message, id).await,
            Err(nobody) => Ok(Err(nobody)),
        }
    }

    async fn mail(&self, message: &Message) -> Result<(), Undelivered> {
        let mailer = self.mailer.as_ref();
        let mailer =
            mailer.ok_or(Undelivered::for_good("mail has no sender: LANDLINE_MAIL_FROM"))?;
        let mail = message.payload().map_err(|error| Undelivered::for_good(causes(&error)))?;
        mailer.send(message.id, &mail).await
    }

    /// An endpoint that its owner has deleted wants to hear nothing.
    async fn tell(&self, store: &Store, message: &Message, id: Id) -> Delivered {
        let event: WebhookEvent = message.payload()?;
        let endpoint = Key::owned::<WebhookEndpoint>(message.owner, id);
        let endpoint = match store.get(endpoint).await {
            Ok(Some(endpoint)) => endpoint,
            Ok(None) => return Ok(Ok(())),
            Err(error @ store::Error::Unreadable { .. }) => {
                return Ok(Err(Undelivered::new(causes(&error))));
            }
            Err(error) => return Err(error),
        };
        let now = store.ambient().now();
        Ok(self.webhooks.send(&endpoint, message.id, &event, message.created_at, now).await)
    }
}
