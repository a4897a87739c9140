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
use crate::events::{self, Failure, Tick};

/// So many receivers are tried at once.
const AT_ONCE: usize = 25;

/// No delivery is begun with less time than this. A receiver takes ten seconds, as a rule at most, and the
/// end of an invocation is kept for counting failures.
const SHORTEST: Duration = Duration::from_secs(25);

/// When a receiver has refused a message so often, up to so many of those behind it are tried. The stream
/// has tried it before.
const REFUSALS: u32 = 3;
const BEHIND: usize = 5;

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
    if !has_time(store) {
        return Err(Failure::new("the function's timeout is too short for a delivery"));
    }
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
    if !has_time(store) {
        return Ok(None);
    }
    let left = store.time_left().unwrap_or_default();
    backlog.claim(store, by, store.ambient().now().plus(left)).await
}

/// Whether a delivery may be begun. An event always has an end.
pub(super) fn has_time(store: &Store) -> bool {
    store.time_left().is_some_and(|left| left >= SHORTEST)
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
            if !has_time(self.store) {
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
                let is_refused = undelivered.what == NotTaken::ThisOne;
                self.backlog.refusals = if is_refused { self.backlog.refusals + 1 } else { 0 };
                if self.backlog.refusals < REFUSALS || !self.takes_another(&waiting).await? {
                    self.postpone(waiting, &undelivered.why).await?;
                    return Ok(false);
                }
                waiting.give_up(self.store, &undelivered.why).await?;
            }
        }
        self.backlog.refusals = 0;
        Ok(true)
    }

    /// Whether the receiver, which refuses this one, takes one of those behind it.
    async fn takes_another(&mut self, refused: &Waiting) -> Result<bool, Error> {
        let mut last = None;
        for _ in 0..BEHIND {
            let Some(next) = self.next(last.as_ref().unwrap_or(refused)).await? else { break };
            match self.deliver(&next).await? {
                Ok(()) => {
                    self.has_taken = true;
                    next.finish(self.store).await?;
                    return Ok(true);
                }
                Err(undelivered) if undelivered.what == NotTaken::Anything => break,
                Err(_) => last = Some(next),
            }
        }
        Ok(false)
    }

    /// The one behind, where there is time for it and it can be read.
    async fn next(&self, waiting: &Waiting) -> Result<Option<Waiting>, Error> {
        if !has_time(self.store) {
            return Ok(None);
        }
        match self.backlog.first(self.store, Some(waiting)).await {
            Err(Error::Unreadable { .. }) => Ok(None),
            next => next,
        }
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
    async fn postpone(&mut self, failed: Waiting, why: &str) -> Result<(), Error> {
        let now = self.store.ambient().now();
        let mut first = Some(failed);
        while let Some(waiting) = first.take_if(|it| it.is_old(now) && has_time(self.store)) {
            self.backlog.refusals = 0;
            first = self.next(&waiting).await?;
            waiting.give_up(self.store, why).await?;
        }
        self.backlog.postpone(self.store, self.has_taken).await
    }
}
