//! Signed events for other people's systems (Standard Webhooks).

use std::{net::IpAddr, sync::OnceLock, time::Duration};

use auth::https::{Https, is_public};
use http::{
    Request, StatusCode,
    header::{CONTENT_TYPE, USER_AGENT},
};
use models::{
    Id, Timestamp,
    platform::webhook::{WebhookEndpoint, WebhookEvent},
};
use tokio::time::timeout;
use tracing::warn;

use super::Undelivered;

/// A host that is there takes a connection within this.
const CONNECTING: Duration = Duration::from_secs(3);

/// And answers within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// The way to all endpoints.
pub struct Webhooks {
    extra_roots: Option<Vec<u8>>,
    permitted: fn(IpAddr) -> bool,
    https: OnceLock<Https>,
}

impl Webhooks {
    /// To addresses on the internet and no others, whatever their names; `extra_roots` (PEM) are
    /// trusted beside Mozilla's.
    pub fn new(extra_roots: Option<Vec<u8>>) -> Self {
        Self { extra_roots, permitted: is_public, https: OnceLock::new() }
    }

    /// To this machine too, by plain HTTP where the URL says so: for laptops and tests.
    #[must_use]
    pub fn with_this_machine(self) -> Self {
        Self { permitted: |address| is_public(address) || address.is_loopback(), ..self }
    }

    /// Tell an endpoint what has happened; whatever it answers with 2xx, it has taken. The id is the
    /// same when it is told again, the signature is of `now`.
    ///
    /// # Errors
    /// When nobody answers so within 10 s, a redirect being no such answer. One that says that it is
    /// gone (410) wants to hear nothing, like one that was deleted.
    pub async fn send(
        &self,
        endpoint: &WebhookEndpoint,
        id: Id,
        event: &WebhookEvent,
        happened_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        let body = event.body(happened_at);
        let request = Request::post(endpoint.url())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "Landline")
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", now.unix_seconds().to_string())
            .header("webhook-signature", endpoint.signature(id, now, &body))
            .body(body)
            .map_err(|_| Undelivered::for_good("its URL is not valid"))?;
        let answer = timeout(PATIENCE, self.https()?.send(request)).await;
        let answer = answer.map_err(|_| Undelivered::new("it did not answer within 10 s"))?;
        match answer.map_err(Undelivered::new)?.status() {
            status if status.is_success() => Ok(()),
            StatusCode::GONE => {
                warn!(endpoint = %endpoint.id, "an endpoint says that it is gone, and is not told");
                Ok(())
            }
            status => Err(not_taken(status)),
        }
    }

    fn https(&self) -> Result<&Https, Undelivered> {
        if let Some(https) = self.https.get() {
            return Ok(https);
        }
        let built = Https::new(self.extra_roots.as_deref(), self.permitted, CONNECTING);
        let built = built.map_err(|error| Undelivered::new(error.to_string()))?;
        Ok(self.https.get_or_init(|| built))
    }
}

/// Some answers come from in front of whoever should have taken it, or ask for patience.
fn not_taken(status: StatusCode) -> Undelivered {
    let why = format!("it answered with status {}", status.as_u16());
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Undelivered::new(why),
        _ => Undelivered::refused(why),
    }
}
