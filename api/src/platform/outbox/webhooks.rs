//! Signed events for other people's systems (Standard Webhooks).

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, OnceLock, PoisonError},
    time::Duration,
};

use auth::https::{Https, is_public};
use http::{
    Request,
    header::{CONTENT_TYPE, USER_AGENT},
};
use models::{
    Id, Timestamp,
    platform::webhook::{WebhookEndpoint, WebhookEvent},
};
use tokio::time::timeout;

use super::Undelivered;

/// A host that is there takes a connection within this.
const CONNECTING: Duration = Duration::from_secs(3);

/// And answers within this.
const PATIENCE: Duration = Duration::from_secs(10);

/// An endpoint that was silent so often, one time after the other, is left alone for a while: what
/// comes behind its messages, other people's too, would wait for each of them.
const SILENCES: u32 = 5;
const ALONE: Duration = Duration::from_secs(10 * 60);

/// Of so many endpoints it is known that they were silent. Beyond that all are asked again.
const MOST_SILENT: usize = 10_000;

/// The way to all endpoints.
pub struct Webhooks {
    extra_roots: Option<Vec<u8>>,
    permitted: fn(IpAddr) -> bool,
    https: OnceLock<Https>,
    silent: Mutex<HashMap<Id, Silent>>,
}

/// How often an endpoint was silent, and when last.
struct Silent {
    times: u32,
    since: Timestamp,
}

impl Webhooks {
    /// To addresses on the internet and no others, whatever their names; `extra_roots` (PEM) are
    /// trusted beside Mozilla's.
    pub fn new(extra_roots: Option<Vec<u8>>) -> Self {
        Self { extra_roots, permitted: is_public, https: OnceLock::new(), silent: Mutex::default() }
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
    /// When nobody answers so within 10 s, a redirect being no such answer. One that was silent five
    /// times is not asked for ten minutes.
    pub async fn send(
        &self,
        endpoint: &WebhookEndpoint,
        id: Id,
        event: &WebhookEvent,
        happened_at: Timestamp,
        now: Timestamp,
    ) -> Result<(), Undelivered> {
        if self.is_left_alone(endpoint.id, now) {
            return Err(Undelivered::new("it was silent five times, and is left alone"));
        }
        let body = event.body(happened_at);
        let request = Request::post(endpoint.url())
            .header(CONTENT_TYPE, "application/json")
            .header(USER_AGENT, "Landline")
            .header("webhook-id", id.to_string())
            .header("webhook-timestamp", now.unix_seconds().to_string())
            .header("webhook-signature", endpoint.signature(id, now, &body))
            .body(body)
            .map_err(|_| Undelivered::new("its URL is none"))?;
        let answer = timeout(PATIENCE, self.https()?.send(request)).await;
        let answer = answer.map_err(|_| Undelivered::new("it did not answer within 10 s"));
        let answer = answer.and_then(|answer| answer.map_err(Undelivered::new));
        self.note(endpoint.id, answer.is_err(), now);
        let status = answer?.status();
        if status.is_success() {
            return Ok(());
        }
        Err(Undelivered::new(format!("it answered with status {}", status.as_u16())))
    }

    fn is_left_alone(&self, endpoint: Id, now: Timestamp) -> bool {
        let silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        let silent = silent.get(&endpoint);
        silent.is_some_and(|it| it.times >= SILENCES && now < it.since.plus(ALONE))
    }

    fn note(&self, endpoint: Id, is_silent: bool, now: Timestamp) {
        let mut silent = self.silent.lock().unwrap_or_else(PoisonError::into_inner);
        if !is_silent {
            silent.remove(&endpoint);
            return;
        }
        if silent.len() >= MOST_SILENT {
            silent.clear();
        }
        let silent = silent.entry(endpoint).or_insert(Silent { times: 0, since: now });
        *silent = Silent { times: silent.times + 1, since: now };
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
