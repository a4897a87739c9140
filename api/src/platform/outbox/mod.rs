//! The outbox: messages that were committed with what they tell of are delivered, at least once,
//! and those of an account in the order in which they were committed.

mod mailer;
mod webhooks;

pub use mailer::{Mailer, Ses};
pub use webhooks::Webhooks;

use std::{borrow::Cow, sync::Arc};

use axum::extract::State;
use models::{
    platform::{
        mail::MAIL,
        outbox::Message,
        webhook::{WEBHOOK, WebhookEndpoint, WebhookEvent},
    },
    store::{Change, Owned, Precondition, Store},
};

use crate::{
    events::{self, Failure},
    http::Module,
};

pub(crate) fn module() -> Module {
    Module::new("outbox").on_created(deliver_message).writing::<Message>().marked()
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
#[error("{0}")]
pub struct Undelivered(Cow<'static, str>);

impl Undelivered {
    /// The rest of a sentence about whoever should have taken it.
    pub fn new(why: impl Into<Cow<'static, str>>) -> Self {
        Self(why.into())
    }
}

/// Deliver a message. One that is not in the table was delivered before.
async fn deliver_message(
    change: Change<Message>,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let endpoints = change.owned::<WebhookEndpoint>(&store);
    let messages = change.owned::<Message>(&store);
    let (Some(messages), Some(endpoints)) = (messages, endpoints) else { return Ok(()) };
    let Some(committed) = change.created() else { return Ok(()) };
    let Some(message) = messages.get(committed.id).await? else { return Ok(()) };
    match message.topic.as_str() {
        MAIL => receivers.mail(&message).await?,
        WEBHOOK => receivers.tell(&endpoints, &message).await?,
        // The topic is the team's word, and nobody's data.
        topic => {
            return Err(Failure::new(format!("nobody takes messages of the topic `{topic}`")));
        }
    }
    messages.delete(message.id, &Precondition::None).await?;
    Ok(())
}

impl Receivers {
    async fn mail(&self, message: &Message) -> events::Result {
        let mailer = self.mailer.as_ref();
        let mailer = mailer.ok_or(Failure::new("mail has no sender: LANDLINE_MAIL_FROM"))?;
        Ok(mailer.send(message.id, &message.payload()?).await?)
    }

    /// An endpoint that its owner has deleted wants to hear nothing.
    async fn tell(&self, endpoints: &Owned<WebhookEndpoint>, message: &Message) -> events::Result {
        let event: WebhookEvent = message.payload()?;
        let Some(endpoint) = endpoints.get(event.endpoint_id).await? else { return Ok(()) };
        let now = endpoints.ambient().now();
        let (id, happened_at) = (message.id, message.created_at);
        Ok(self.webhooks.send(&endpoint, id, &event, happened_at, now).await?)
    }
}
