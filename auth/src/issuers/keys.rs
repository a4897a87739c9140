//! An issuer's keys, as they were when it was last asked.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex as Lock, MutexGuard as LockGuard, PoisonError},
    time::Duration,
};

use models::{Ambient, Timestamp};
use tokio::{
    sync::{Mutex, MutexGuard},
    time::timeout,
};

use super::{
    Issuer,
    fetch::{Failure, Web},
};
use crate::{TokenError, verifying_key::VerifyingKey};

/// A set that is older is asked for again.
const FRESH: Duration = Duration::from_secs(60 * 60);

/// A set that is older is not used: a key that its issuer has withdrawn is believed no longer.
const USABLE: Duration = Duration::from_secs(24 * 60 * 60);

/// How long after an attempt there is no other, whatever tokens come.
const COOL_DOWN: Duration = Duration::from_secs(60);

/// The keys of one issuer. Whoever first needs what is not there asks; all others wait for that
/// answer, or go on with what there is.
pub(super) struct IssuerKeys {
    issuer: Issuer,
    web: Arc<Web>,
    patience: Duration,
    ambient: Ambient,
    /// Held by whoever asks. Given back when its request ends early: nobody waits for the gone.
    flight: Mutex<()>,
    known: Lock<Known>,
}

#[derive(Clone, Default)]
struct Known {
    keys: Arc<HashMap<String, Arc<VerifyingKey>>>,
    fetched_at: Option<Timestamp>,
    tried_at: Option<Timestamp>,
}

impl IssuerKeys {
    pub(super) fn new(issuer: Issuer, web: Arc<Web>, patience: Duration, ambient: Ambient) -> Self {
        let (flight, known) = (Mutex::default(), Lock::default());
        Self { issuer, web, patience, ambient, flight, known }
    }

    /// The key of this id.
    ///
    /// # Errors
    /// `Invalid`: the issuer has no such key, it said so within the cool-down. `Unavailable`: it
    /// did not say.
    pub(super) async fn find(&self, id: &str) -> Result<Arc<VerifyingKey>, TokenError> {
        let (known, now) = (self.known().clone(), self.ambient.now());
        let key = known.key(id, now);
        match key {
            Some(key) if known.is_fresh(now) || known.is_cooling_down(now) => return Ok(key),
            // Good for a while yet, so only one asks and nobody waits for it.
            Some(key) => match self.flight.try_lock() {
                Ok(flight) => self.refresh(flight).await,
                Err(_) => return Ok(key),
            },
            None => {
                if let Ok(flight) = timeout(self.patience, self.flight.lock()).await {
                    self.refresh(flight).await;
                }
            }
        }
        let (known, now) = (self.known().clone(), self.ambient.now());
        match known.key(id, now) {
            Some(key) => Ok(key),
            None if known.is_cooling_down(now) && known.fetched_at == known.tried_at => {
                Err(TokenError::Invalid)
            }
            None => Err(TokenError::Unavailable),
        }
    }

    /// Ask, if nobody has just done so.
    async fn refresh(&self, flight: MutexGuard<'_, ()>) {
        if self.known().is_cooling_down(self.ambient.now()) {
            return;
        }
        let fetched = timeout(self.patience, self.fetch()).await.unwrap_or(Err(Failure::TooSlow));
        let now = self.ambient.now();
        let mut known = self.known();
        known.tried_at = Some(now);
        match fetched {
            Ok(keys) => {
                known.keys = Arc::new(keys);
                known.fetched_at = Some(now);
            }
            Err(failure) => tracing::warn!(
                issuer = self.issuer.name,
                cause = %failure,
                "the keys of an issuer cannot be had"
            ),
        }
        drop((known, flight));
    }

    async fn fetch(&self) -> Result<HashMap<String, Arc<VerifyingKey>>, Failure> {
        let place = match &self.issuer.key_set_url {
            Some(place) => place.clone(),
            None => self.web.discover(&self.issuer.name).await?,
        };
        let mut keys = HashMap::new();
        for jwk in self.web.keys(place).await? {
            if let Some(key) = VerifyingKey::of_jwk(&jwk, &self.issuer.algorithms) {
                keys.entry(key.id().to_owned()).or_insert_with(|| Arc::new(key));
            }
        }
        if keys.is_empty() { Err(Failure::NoUsableKey) } else { Ok(keys) }
    }

    fn known(&self) -> LockGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Known {
    fn key(&self, id: &str, now: Timestamp) -> Option<Arc<VerifyingKey>> {
        let usable = self.fetched_at.is_some_and(|fetched| now.since(fetched) <= USABLE);
        self.keys.get(id).filter(|_| usable).cloned()
    }

    fn is_fresh(&self, now: Timestamp) -> bool {
        self.fetched_at.is_some_and(|fetched| now.since(fetched) <= FRESH)
    }

    fn is_cooling_down(&self, now: Timestamp) -> bool {
        self.tried_at.is_some_and(|tried| now.since(tried) < COOL_DOWN)
    }
}
