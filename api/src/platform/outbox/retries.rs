//! Receivers that have failed are tried again.

use std::time::Duration;

use axum::extract::State;
use futures_util::{StreamExt, stream};
use models::{
    platform::backlog::{Backlog, Waiting},
    store::{Entity, Error, Store},
};
use tracing::info;

use super::Receivers;
use crate::events::{self, Tick};

/// So many receivers are tried at once.
const AT_ONCE: usize = 25;

/// No delivery is begun with less time than this: a receiver may take ten seconds.
const SHORTEST: Duration = Duration::from_secs(15);

/// What waits, and for whom.
struct Retry<'a> {
    store: &'a Store,
    receivers: &'a Receivers,
    backlog: Backlog,
    /// Whether the receiver has taken anything by now, or said of it that it never will.
    has_taken: bool,
}

/// Work off the backlogs of receivers that may be tried again. What is delivered is so at once, and not
/// with the tick's mark. A tick of a time to come tries those of that time.
pub(super) async fn retry_deliveries(
    tick: Tick,
    store: Store,
    State(receivers): State<Receivers>,
) -> events::Result {
    let store = store.apart();
    let now = store.ambient().now();
    let due = Backlog::due(&store, tick.time.map_or(now, |time| time.max(now))).await?;
    let retries = due.into_iter().map(|backlog| {
        let (store, receivers) = (&store, &receivers);
        Retry { store, receivers, backlog, has_taken: false }.work_off()
    });
    let outcomes: Vec<_> = stream::iter(retries).buffer_unordered(AT_ONCE).collect().await;
    outcomes.into_iter().collect::<Result<(), _>>()?;
    Ok(())
}

impl Retry<'_> {
    /// Deliver in order until one is not taken. What fails in the middle is taken up once the claim is
    /// over.
    async fn work_off(mut self) -> Result<(), Error> {
        if !self.has_time() {
            return Ok(());
        }
        let until = self.store.ambient().now().plus(self.store.time_left().unwrap_or(SHORTEST));
        if !self.backlog.claim(self.store, until).await? {
            return Ok(());
        }
        loop {
            let Some(waiting) = self.backlog.first(self.store).await? else {
                if self.has_ended().await? {
                    return Ok(());
                }
                continue;
            };
            if !self.has_time() {
                return self.backlog.hand_on(self.store).await;
            }
            match self.receivers.deliver(self.store, &waiting.message).await {
                Ok(()) => waiting.finish(self.store).await?,
                Err(undelivered) if undelivered.is_final => waiting.give_up(self.store).await?,
                Err(undelivered) => {
                    undelivered.log(self.backlog.receiver);
                    return self.leave_alone(waiting).await;
                }
            }
            self.has_taken = true;
        }
    }

    /// Whether nothing has come meanwhile, and it is over.
    async fn has_ended(&mut self) -> Result<bool, Error> {
        if self.backlog.end(self.store).await? {
            info!(receiver = ?self.backlog.receiver, "nothing waits for a receiver any longer");
            return Ok(true);
        }
        let there = self.store.get::<Backlog>(self.backlog.key()).await?;
        Ok(there.map(|there| self.backlog = there).is_none())
    }

    /// Give up what has waited for too long, which the first ones have, and try the others later.
    async fn leave_alone(&self, failed: Waiting) -> Result<(), Error> {
        let mut first = Some(failed);
        let now = self.store.ambient().now();
        while let Some(waiting) = first.take_if(|waiting| waiting.is_old(now)) {
            waiting.give_up(self.store).await?;
            first = self.backlog.first(self.store).await?;
        }
        self.backlog.postpone(self.store, self.has_taken).await
    }

    /// Where nobody has said an end there is time.
    fn has_time(&self) -> bool {
        self.store.time_left().is_none_or(|left| left > SHORTEST)
    }
}
