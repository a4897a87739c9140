//! One record with one of its handlers: tried, and its effect made once.
//!
//! As with requests that carry a key, the handler's writes are collected, and happen together with
//! the mark that the record is done. A record that comes again loses the mark's condition.

use std::{
    panic::AssertUnwindSafe,
    sync::{Arc, OnceLock},
    time::Duration,
};

use futures_util::FutureExt;
use http::{Request, request::Parts};
use models::{
    Ambient, Id, Timestamp,
    platform::events::{HandledEvent, Outcome},
    store::{self, Collected, Tries, WriteSet},
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::error;

use super::{
    Failure, FailureStore, Listener, Output, SetAside, Trigger,
    batch::{Batch, Source, Wire},
    declare::NewParts,
    lease::{Handling, Taken, is_over},
    runner::{Occasion, Run},
};
use crate::Services;

/// Without a deadline of its own an invocation ends after so long (Lambda's limit).
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A record, one of its handlers, and what the attempt is made with.
pub(super) struct Attempt<'a> {
    pub(super) services: &'a Services,
    pub(super) failures: &'a FailureStore,
    pub(super) listener: &'a Listener,
    pub(super) batch: &'a Arc<Batch>,
    /// Which of the event's records it is.
    pub(super) place: usize,
    pub(super) run: &'a Run<'a>,
}

/// What a handler's extractors leave.
struct Asked {
    collected: Collected,
    handling: Handling,
}

/// What the rounds of an attempt know of those before.
#[derive(Default)]
struct Rounds {
    known: Option<HandledEvent>,
    tries: Option<Tries>,
    is_checked: bool,
}

/// Why a record is not done.
enum NotDone {
    /// Another write was faster.
    Lost,
    Failed(Failure),
}

impl Attempt<'_> {
    /// Whether the record is over: done, done before, or set aside.
    pub(super) async fn is_handled(&self) -> bool {
        self.attempt().await.unwrap_or_else(|error| {
            error!(%error, "what has become of the record is not known");
            false
        })
    }

    async fn attempt(&self) -> Result<bool, store::Error> {
        let (mut rounds, mut has_waited) = (Rounds::default(), false);
        loop {
            let asked = OnceLock::new();
            let parts = || {
                let (parts, leaving) = self.ask(rounds.is_checked);
                let _ = asked.set(leaving);
                parts
            };
            let called = self.call(&parts).await;
            let asked = asked.into_inner();
            match asked.as_ref().and_then(|asked| asked.handling.taken()) {
                Some(Taken::Over) => return Ok(true),
                Some(Taken::Elsewhere(end)) => {
                    if has_waited || !self.wait(*end).await {
                        return Ok(false);
                    }
                    has_waited = true;
                }
                Some(Taken::Held(_)) | None => {
                    // What goes to the table is large, and stands apart from what does not.
                    if let Some(handled) = self.settle(called, asked, &mut rounds).await? {
                        return Ok(handled);
                    }
                }
            }
        }
    }

    /// Write what has come of a call; nothing comes of it where another write was faster, and the
    /// handler is to be called anew.
    async fn settle(
        &self,
        called: super::Result,
        asked: Option<Asked>,
        rounds: &mut Rounds,
    ) -> Result<Option<bool>, store::Error> {
        let asked = asked.as_ref();
        let lease = match asked.and_then(|asked| asked.handling.taken()) {
            Some(Taken::Held(lease)) => Some(lease.clone()),
            _ => None,
        };
        let writes = asked.map(|asked| asked.collected.take()).unwrap_or_default();
        // Without an effect that anybody knows of nothing is kept.
        if called.is_ok() && writes.is_empty() && lease.is_none() {
            return Ok(Some(true));
        }
        let tries = rounds.tries.get_or_insert_with(|| self.run.store.tries());
        let known = rounds.known.take();
        let done = match called {
            Ok(()) => Box::pin(self.finish(tries, writes, lease.clone(), known)).await,
            Err(failure) => Err(NotDone::Failed(failure)),
        };
        let failure = match done {
            Ok(()) => return Ok(Some(true)),
            Err(NotDone::Failed(failure)) => failure,
            // What a lease is for is not done anew at once.
            Err(NotDone::Lost) if lease.is_none() && tries.back_off(self.ambient()).await => {
                rounds.known = Box::pin(self.known()).await?;
                // Whether it was a race or what is there does not allow it, the handler finds out.
                rounds.is_checked = true;
                let is_over = rounds.known.as_ref().is_some_and(|it| is_over(it, self.is_replay()));
                return Ok(is_over.then_some(true));
            }
            Err(NotDone::Lost) => Failure::new("other writes were faster"),
        };
        let holder = asked.and_then(|asked| asked.handling.holder());
        Box::pin(self.count(&failure, lease, holder)).await.map(Some)
    }

    /// Whether it was set aside, and is replayed.
    fn is_replay(&self) -> bool {
        matches!(self.run.occasion, Occasion::SetAside(_))
    }

    fn ambient(&self) -> &Ambient {
        self.run.store.ambient()
    }

    /// Wait for the end of another delivery's lease, where nothing else of the source comes before
    /// this is over: whoever has it has died, and a stream's attempts, which come fast and are
    /// counted, would all meet the lease. Whether there is time for the handler afterwards.
    async fn wait(&self, end: Option<Timestamp>) -> bool {
        let (Source::Kinesis | Source::DynamoDb, Some(end)) = (self.batch.source, end) else {
            return false;
        };
        let left = end.since(self.ambient().now());
        sleep_until(self.run.time.handlers.min(Instant::now() + left)).await;
        Instant::now() < self.run.time.handlers
    }

    fn wire(&self) -> &Wire {
        &self.batch.records[self.place].wire
    }

    /// What extractors find: the table, where writes are collected, and the record to be taken.
    fn ask(&self, is_checked: bool) -> (Parts, Asked) {
        let store = self.run.store.clone();
        let (view, collected) =
            if is_checked { store.checked().collecting() } else { store.collecting() };
        let (handler, batch) = (self.listener.name.clone(), self.batch.clone());
        let (until, is_replay) = (self.run.time.until, self.is_replay());
        let handling = Handling::new(store, handler, batch, self.place, until, is_replay);
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.extensions.insert(view);
        parts.extensions.insert(handling.clone());
        (parts, Asked { collected, handling })
    }

    /// A panic and an end of time are failures like others. What the handler panicked with may hold
    /// anything, so it is not kept.
    async fn call(&self, parts: &NewParts<'_>) -> super::Result {
        let called = (self.listener.run)(self.wire(), parts, self.services);
        match timeout_at(self.run.time.handlers, AssertUnwindSafe(called).catch_unwind()).await {
            Ok(Ok(outcome)) => outcome,
            Ok(Err(_)) => Err(Failure::of("panicked", "the handler panicked")),
            Err(_) => Err(Failure::of("timed_out", "the invocation's time was over")),
        }
    }

    /// Write what the handler has written, together with the mark. Done before is done, too.
    async fn finish(
        &self,
        tries: &Tries,
        writes: WriteSet,
        lease: Option<HandledEvent>,
        known: Option<HandledEvent>,
    ) -> Result<(), NotDone> {
        self.check_declared(&writes).map_err(NotDone::Failed)?;
        let writes = if self.listener.marked { writes.marked(&self.listener.name) } else { writes };
        let known = lease.or(known);
        let is_unknown = known.is_none();
        match self.mark(tries, known, writes.clone()).await {
            // Failures were counted before. An effect outside the table is not had again for that.
            Err(NotDone::Lost) if is_unknown => match self.known().await {
                Ok(Some(known)) if is_over(&known, self.is_replay()) => Ok(()),
                Ok(Some(known)) => self.mark(tries, Some(known), writes).await,
                Ok(None) => Err(NotDone::Lost),
                Err(error) => Err(NotDone::Failed(error.into())),
            },
            marked => marked,
        }
    }

    async fn mark(
        &self,
        tries: &Tries,
        known: Option<HandledEvent>,
        writes: WriteSet,
    ) -> Result<(), NotDone> {
        let done =
            |event: HandledEvent| HandledEvent { outcome: Some(Outcome::Done), ..event.released() };
        let mark = match known {
            Some(known) => WriteSet::new().replace(&mut done(known)),
            None => WriteSet::new().create(&mut done(self.unknown())),
        };
        match self.run.store.write_within(tries, mark.and(writes)).await {
            Ok(()) => Ok(()),
            Err(store::Error::Conflict { .. }) => Err(NotDone::Lost),
            Err(error) => Err(NotDone::Failed(error.into())),
        }
    }

    /// What a handler of changes writes may make changes that it is called for.
    fn check_declared(&self, writes: &WriteSet) -> super::Result {
        if !matches!(self.listener.trigger, Trigger::Change(_)) {
            return Ok(());
        }
        let declared = |kind: &str| {
            let mut outputs = self.listener.outputs.iter();
            outputs.any(|output| matches!(output, Output::Kind(declared) if *declared == kind))
        };
        match writes.kinds().find(|kind| !declared(kind)) {
            Some(kind) => Err(Failure::of(
                "undeclared_write",
                format!("it writes {kind}, which its declaration does not say: `.writing::<..>()`"),
            )),
            None => Ok(()),
        }
    }

    fn unknown(&self) -> HandledEvent {
        let now = self.ambient().now();
        HandledEvent::new(&self.listener.name, &self.wire().id(), now)
    }

    async fn known(&self) -> Result<Option<HandledEvent>, store::Error> {
        let key = HandledEvent::key_of(&self.listener.name, &self.wire().id());
        self.run.store.get(key).await
    }

    /// Whether another attempt is at it, whose lease is not ours to end. This one's own may have been
    /// taken without an answer.
    fn is_anothers(&self, known: &HandledEvent, holder: Option<&Id>) -> bool {
        let now = self.ambient().now();
        let is_own = holder.is_some() && known.held_by.as_ref() == holder;
        known.held_until.is_some_and(|end| now < end) && !is_own
    }

    /// Count the failure. The last one sets the record aside, and only then it is over.
    async fn count(
        &self,
        failure: &Failure,
        lease: Option<HandledEvent>,
        holder: Option<&Id>,
    ) -> Result<bool, store::Error> {
        let is_unleased = lease.is_none();
        let known = match lease {
            Some(lease) => Some(lease),
            None if !failure.is_final() && self.is_first(failure).await? => return Ok(false),
            None => self.known().await?,
        };
        if known.as_ref().is_some_and(|known| is_over(known, self.is_replay())) {
            return Ok(true);
        }
        if is_unleased && known.as_ref().is_some_and(|known| self.is_anothers(known, holder)) {
            return Ok(false);
        }
        let is_new = known.is_none();
        let mut event = known.unwrap_or_else(|| self.unknown()).released();
        event.failures += 1;
        let (code, reason, failures) = (failure.code(), failure.reason(), event.failures);
        let is_last = failure.is_final() || failures >= self.batch.source.most_failures();
        error!(code, reason, failures, "a record was not handled");
        if is_last && !self.set_aside(failure, &mut event).await {
            return Ok(false);
        }
        let store = &self.run.store;
        let counted =
            if is_new { store.create(&mut event).await } else { store.replace(&mut event).await };
        match counted {
            // Who replays is told.
            Ok(()) => Ok(is_last && self.run.occasion == Occasion::Sent),
            // Somebody else has the record too, and counts.
            Err(store::Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether it is among the failures now.
    async fn set_aside(&self, failure: &Failure, event: &mut HandledEvent) -> bool {
        let set_aside = SetAside::new(self, failure, event.failures);
        let kept = timeout_at(self.run.time.keeping, set_aside.keep(self.failures, event)).await;
        let kept = kept.map_err(|_| "the invocation's time is over".to_owned());
        match kept.and_then(|kept| kept.map_err(|error| error.to_string())) {
            Ok(()) => {
                event.outcome = Some(Outcome::SetAside);
                error!("a record is set aside");
                true
            }
            Err(reason) => {
                error!(reason, "a record cannot be set aside, so it comes again");
                false
            }
        }
    }

    /// Count the failure where nothing is known of the record, as is mostly so: one write is all.
    async fn is_first(&self, failure: &Failure) -> Result<bool, store::Error> {
        let mut event = HandledEvent { failures: 1, ..self.unknown() };
        match self.run.store.create(&mut event).await {
            Ok(()) => {
                let (code, reason) = (failure.code(), failure.reason());
                error!(code, reason, failures = 1, "a record was not handled");
                Ok(true)
            }
            Err(store::Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }
}
