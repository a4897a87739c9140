//! Receivers that have failed are tried again.

use std::time::Duration;

use axum::extract::State;
use futures_util::{StreamExt, stream};
use models::{
    Timestamp,
    platform::backlog::{Backlog, Waiting},
    store::{Error, Store},
};
use tracing::{error, info};

use super::{Delivered, NotTaken, Receivers};
use crate::events::{self, Failure, Tick};

/// So many receivers are tried at once.
const AT_ONCE: usize = 25;

/// No delivery is begun with less time than this. A receiver mostly takes ten seconds at most, and the end
/// of an invocation is kept for counting failures.
const SHORTEST: Duration = Duration::from_secs(25);

/// When a receiver has refused a message so often, up to so many of those behind it are tried. The
/// stream's own attempt, where there was one, does not count.
const REFUSALS: u32 = 3;
const BEHIND: usize = 5;

/// What waits, and for whom.
struct Retry<'a> {
    store: &'a Store,
    receivers: &'a Receivers,
    backlog: Backlog,
}

/// Work off the backlogs of receivers that may be tried again. Each delivery is written down at once, and
/// not together with the tick's mark. A tick that tells a later time tries what is due by then.
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
        Retry { store, receivers, backlog }.work_off().await
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
    /// Deliver in order until a message is not taken. Where the table does not answer, it is taken up once
    /// the claim is over.
    async fn work_off(mut self) -> Result<(), Error> {
        loop {
            let waiting = match self.backlog.first(self.store, None).await {
                Ok(Some(waiting)) => waiting,
                Ok(None) if self.backlog.end(self.store).await? => {
                    let receiver = self.backlog.receiver;
                    info!(%receiver, "nothing waits for a receiver any longer");
                    return Ok(());
                }
                Ok(None) => continue,
                Err(Error::Unreadable { kind, field }) => {
                    error!(
                        kind,
                        field, "what waits first cannot be read, and the others wait for it"
                    );
                    return self.backlog.postpone(self.store).await;
                }
                Err(error) => return Err(error),
            };
            if !has_time(self.store) {
                return self.backlog.hand_on(self.store).await;
            }
            if !self.deliver_or_give_up(waiting).await? {
                return Ok(());
            }
        }
    }

    /// False where the message goes on waiting, and all behind it.
    async fn deliver_or_give_up(&mut self, waiting: Waiting) -> Result<bool, Error> {
        let Err(undelivered) = self.deliver(&waiting).await? else {
            self.finish(waiting).await?;
            return Ok(true);
        };
        let is_hopeless = match undelivered.what {
            NotTaken::ThisOneEver => true,
            NotTaken::ThisOne => {
                undelivered.log(self.backlog.receiver);
                self.backlog.has_refused(&waiting) >= REFUSALS && self.try_others(&waiting).await?
            }
            NotTaken::Anything => {
                undelivered.log(self.backlog.receiver);
                self.backlog.is_away();
                false
            }
        };
        if is_hopeless {
            waiting.give_up(self.store, &undelivered.why).await?;
        } else {
            self.postpone(waiting, &undelivered.why).await?;
        }
        Ok(is_hopeless)
    }

    /// Deliver one of those behind a message that is refused, and say whether one was taken.
    async fn try_others(&mut self, refused: &Waiting) -> Result<bool, Error> {
        let mut last = None;
        for _ in 0..BEHIND {
            let Some(next) = self.next(last.as_ref().unwrap_or(refused)).await? else { break };
            match self.deliver(&next).await? {
                Ok(()) => {
                    self.finish(next).await?;
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

    async fn finish(&mut self, waiting: Waiting) -> Result<(), Error> {
        self.backlog.has_taken();
        waiting.finish(self.store).await
    }

    /// Try again later, and give up what has waited for too long. The first ones have.
    async fn postpone(&mut self, failed: Waiting, why: &str) -> Result<(), Error> {
        let now = self.store.ambient().now();
        let mut first = Some(failed);
        while let Some(waiting) = first.take_if(|it| it.is_old(now) && has_time(self.store)) {
            first = self.next(&waiting).await?;
            waiting.give_up(self.store, why).await?;
        }
        self.backlog.postpone(self.store).await
    }
}
