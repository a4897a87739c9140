//! The outbox: messages that were committed with what they tell of are delivered, at least once,
//! and those of an account in the order in which they were committed. A receiver that has failed holds
//! up nobody: what is for it waits in its backlog.

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
    events::{self, Failure},
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
    is_final: bool,
}

impl Undelivered {
    /// The rest of a sentence about whoever should have taken it. It is tried again for days.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), is_final: false }
    }

    /// The same where trying it again is of no use.
    pub fn for_good(why: impl Into<Cow<'static, str>>) -> Self {
        Self { why: why.into(), is_final: true }
    }
}

impl Undelivered {
    /// What its own provider does not take, the app's team must know; an endpoint is its owner's.
    fn log(&self, receiver: Receiver) {
        let why = &*self.why;
        match receiver {
            Receiver::Mailer => error!(why, "mail waits, since it was not taken"),
            Receiver::Endpoint(endpoint) => warn!(%endpoint, why, "a webhook's events wait"),
        }
    }
}

impl From<store::Error> for Undelivered {
    fn from(error: store::Error) -> Self {
        let is_final = matches!(error, store::Error::Unreadable { .. });
        Self { why: causes(&error).into(), is_final }
    }
}

/// Deliver a message, or have it wait where its receiver has not taken it, or others before it. One
/// that is not in the table was delivered before.
async fn deliver_message(
    change: Change<Message>,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let Some(committed) = change.created() else { return Ok(()) };
    let Some(message) = store.get::<Message>(committed.key()).await? else { return Ok(()) };
    let Ok(Some(receiver)) = message.receiver() else {
        return Ok(message.give_up(&store).await?);
    };
    let backlog = Backlog::key_of(message.owner, receiver);
    if store.get::<Backlog>(backlog).await?.is_some() {
        return Ok(Backlog::extend(&store, message, receiver).await?);
    }
    match receivers.deliver(&store, &message).await {
        Ok(()) => drop(store.delete::<Message>(message.key(), &Precondition::None).await?),
        Err(undelivered) if undelivered.is_final => message.give_up(&store).await?,
        Err(undelivered) => {
            undelivered.log(receiver);
            Backlog::extend(&store, message, receiver).await?;
        }
    }
    Ok(())
}

/// Try a message that was given up once more, and have it set aside. So it does when it is replayed.
async fn deliver_dead_letter(
    change: Change<DeadLetter>,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let Some(given_up) = change.created() else { return Ok(()) };
    let Some(letter) = store.get::<DeadLetter>(given_up.key()).await? else { return Ok(()) };
    let delivered = receivers.deliver(&store, &letter.message).await;
    delivered.map_err(|undelivered| Failure::for_good(undelivered.why))?;
    store.delete::<DeadLetter>(letter.key(), &Precondition::None).await?;
    Ok(())
}

impl Receivers {
    async fn deliver(&self, store: &Store, message: &Message) -> Result<(), Undelivered> {
        match message.receiver()? {
            Some(Receiver::Mailer) => self.mail(message).await,
            Some(Receiver::Endpoint(id)) => self.tell(store, message, id).await,
            None => {
                // It is the team's word, and nobody's data.
                let topic = &message.topic;
                let why = format!("nobody takes messages of the topic `{topic}`");
                Err(Undelivered::for_good(why))
            }
        }
    }

    async fn mail(&self, message: &Message) -> Result<(), Undelivered> {
        let mailer = self.mailer.as_ref();
        let mailer =
            mailer.ok_or(Undelivered::for_good("mail has no sender: LANDLINE_MAIL_FROM"))?;
        mailer.send(message.id, &message.payload()?).await
    }

    /// An endpoint that its owner has deleted wants to hear nothing.
    async fn tell(&self, store: &Store, message: &Message, id: Id) -> Result<(), Undelivered> {
        let event: WebhookEvent = message.payload()?;
        let endpoint = Key::owned::<WebhookEndpoint>(message.owner, id);
        let Some(endpoint) = store.get(endpoint).await? else { return Ok(()) };
        let now = store.ambient().now();
        self.webhooks.send(&endpoint, message.id, &event, message.created_at, now).await
    }
}
