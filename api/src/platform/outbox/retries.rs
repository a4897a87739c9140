//! Receivers that have failed are tried again.

use std::time::Duration;

use axum::extract::State;
use futures_util::{StreamExt, stream};
use models::{
    Timestamp,
    platform::backlog::{Backlog, Waiting},
    store::{Entity, Error, Store},
};
use tracing::{error, info};

use super::{Delivered, NotTaken, Receivers};
use crate::events::{self, Tick};

/// So many receivers are tried at once.
const AT_ONCE: usize = 25;

/// No delivery is begun with less time than this. A receiver takes ten seconds at most, and the end of an
/// invocation is kept for counting failures.
const SHORTEST: Duration = Duration::from_secs(25);

/// A receiver that has failed so often with one message, and has answered, is tried with the next one.
const ALONE: u32 = 3;

/// What waits, and for whom.
struct Retry<'a> {
    store: &'a Store,
    receivers: &'a Receivers,
    backlog: Backlog,
    /// Whether the receiver has taken anything by now.
    has_taken: bool,
}

/// Work off the backlogs of receivers that may be tried again. What is delivered is so at once, and not
/// with the tick's mark. A tick of a time to come tries those of that time.
pub(super) async fn retry_deliveries(
    tick: Tick,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let store = &store.apart();
    let receivers = &receivers;
    let now = store.ambient().now();
    let by = tick.time.map_or(now, |time| time.max(now));
    let due = Backlog::due(store, by).await?;
    let retries = due.into_iter().map(|backlog| async move {
        let Some(backlog) = claim(store, backlog, by).await? else { return Ok(()) };
        Retry { store, receivers, backlog, has_taken: false }.work_off().await
    });
    let outcomes: Vec<_> = stream::iter(retries).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<(), Error>>()?;
    Ok(())
}

/// Until this invocation ends, so that nobody else is at it meanwhile.
async fn claim(store: &Store, backlog: Backlog, by: Timestamp) -> Result<Option<Backlog>, Error> {
    let left = time_left(store);
    if left < SHORTEST {
        return Ok(None);
    }
    backlog.claim(store, by, store.ambient().now().plus(left)).await
}

/// An event always has an end.
fn time_left(store: &Store) -> Duration {
    store.time_left().unwrap_or_default()
}

impl Retry<'_> {
    /// Deliver in order until one is not taken. Where the table does not answer, it is taken up once the
    /// claim is over.
    async fn work_off(mut self) -> Result<(), Error> {
        loop {
            let waiting = match self.backlog.first(self.store, None).await {
                Ok(Some(waiting)) => waiting,
                Ok(None) if self.has_ended().await? => return Ok(()),
                Ok(None) => continue,
                Err(Error::Unreadable { kind, field }) => {
                    error!(
                        kind,
                        field, "what waits first cannot be read, and the others wait for it"
                    );
                    return self.backlog.postpone(self.store, self.has_taken).await;
                }
                Err(error) => return Err(error),
            };
            if time_left(self.store) < SHORTEST {
                return self.backlog.hand_on(self.store, self.has_taken).await;
            }
            if !self.is_over(waiting).await? {
                return Ok(());
            }
        }
    }

    /// Deliver a message, or give it up. False where it goes on waiting, and all behind it.
    async fn is_over(&mut self, waiting: Waiting) -> Result<bool, Error> {
        match self.deliver(&waiting).await? {
            Ok(()) => {
                self.has_taken = true;
                waiting.finish(self.store).await?;
            }
            Err(undelivered) if undelivered.is_final() => {
                waiting.give_up(self.store, &undelivered.why).await?;
            }
            Err(undelivered) => {
                undelivered.log(self.backlog.receiver);
                if undelivered.what == NotTaken::ThisOne && self.takes_the_next(&waiting).await? {
                    waiting.give_up(self.store, &undelivered.why).await?;
                } else {
                    self.postpone(waiting, &undelivered.why).await?;
                    return Ok(false);
                }
            }
        }
        Ok(true)
    }

    /// Whether the receiver, which does not take this one, takes the one behind it. That is then
    /// delivered before it, so nobody finds it out before the failures tell.
    async fn takes_the_next(&mut self, waiting: &Waiting) -> Result<bool, Error> {
        if self.has_taken || self.backlog.failures < ALONE || time_left(self.store) < SHORTEST {
            return Ok(false);
        }
        let Some(next) = self.backlog.first(self.store, Some(waiting)).await? else {
            return Ok(false);
        };
        self.has_taken = self.deliver(&next).await?.is_ok();
        if self.has_taken {
            next.finish(self.store).await?;
        }
        Ok(self.has_taken)
    }

    async fn deliver(&self, waiting: &Waiting) -> Delivered {
        self.receivers.deliver(self.store, &waiting.message).await
    }

    /// Whether nothing has come meanwhile, and it is over.
    async fn has_ended(&mut self) -> Result<bool, Error> {
        if self.backlog.end(self.store).await? {
            info!(receiver = %self.backlog.receiver, "nothing waits for a receiver any longer");
            return Ok(true);
        }
        let there = self.store.get::<Backlog>(self.backlog.key()).await?;
        Ok(there.map(|there| self.backlog = there).is_none())
    }

    /// Try again later, and give up what has waited for too long. The first ones have.
    async fn postpone(&self, failed: Waiting, why: &str) -> Result<(), Error> {
        self.backlog.postpone(self.store, self.has_taken).await?;
        let mut first = Some(failed);
        let now = self.store.ambient().now();
        while let Some(waiting) = first.take_if(|waiting| waiting.is_old(now)) {
            if time_left(self.store) < SHORTEST {
                break;
            }
            waiting.give_up(self.store, why).await?;
            first = self.backlog.first(self.store, None).await?;
        }
        Ok(())
    }
}
