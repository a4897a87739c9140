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
    Id, Timestamp,
    platform::events::{HandledEvent, Outcome},
    store::{self, Collected, Store, Tries, WriteSet},
};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::error;

use super::{
    Failure, FailureStore, Listener, Output, SetAside, Trigger,
    batch::{Batch, Source, Wire},
    declare::NewParts,
    runner::{Occasion, Run},
};
use crate::{Services, http::Problem};

/// Without a deadline of its own an invocation ends after so long (Lambda's limit).
pub(super) const LONGEST: Duration = Duration::from_secs(15 * 60);

/// A record on its way to being handled once. Its handler may have an extractor take the lease.
#[derive(Clone)]
pub(crate) struct Handling(Arc<Inner>);

struct Inner {
    /// The table, and not what is collected for it.
    store: Store,
    handler: Arc<str>,
    /// Its event, and its place there.
    batch: Arc<Batch>,
    place: usize,
    until: Timestamp,
    again: bool,
    /// Who takes the lease, once it has tried to.
    holder: OnceLock<Id>,
    taken: OnceLock<Taken>,
}

enum Taken {
    Held(HandledEvent),
    Over,
    /// Another delivery has it, until then where that is known.
    Elsewhere(Option<Timestamp>),
}

impl Handling {
    /// Take the record for this attempt, for effects that no transaction takes back.
    /// Gives the record's name, for whoever has the effect to know it again.
    pub(crate) async fn lease(&self) -> Result<String, Problem> {
        let Inner { store, handler, batch, place, until, again, holder, taken } = &*self.0;
        if let Some(Taken::Held(lease)) = taken.get() {
            return Ok(lease.digest());
        }
        let now = store.ambient().now();
        let id = &batch.records[*place].wire.id();
        let known = store.get::<HandledEvent>(HandledEvent::key_of(handler, id)).await?;
        let held_until = Some(*until);
        let held_by = Some(*holder.get_or_init(|| store.ambient().new_id()));
        let (lease, written) = match known {
            Some(known) if is_over(&known, *again) => return self.lost(Taken::Over),
            Some(known) if known.held_until.is_some_and(|end| now < end) => {
                return self.lost(Taken::Elsewhere(known.held_until));
            }
            Some(known) => {
                // Whoever had it was ended before its failure could be counted.
                let failures = known.failures + u32::from(known.held_until.is_some());
                let mut lease = HandledEvent { held_until, held_by, failures, ..known };
                let written = store.replace(&mut lease).await;
                (lease, written)
            }
            None => {
                let mut lease =
                    HandledEvent { held_until, held_by, ..HandledEvent::new(handler, id, now) };
                let written = store.create(&mut lease).await;
                (lease, written)
            }
        };
        match written {
            Ok(()) => {
                let name = lease.digest();
                let _ = taken.set(Taken::Held(lease));
                Ok(name)
            }
            Err(store::Error::Conflict { .. }) => self.lost(Taken::Elsewhere(None)),
            Err(error) => Err(error.into()),
        }
    }

    fn lost(&self, to: Taken) -> Result<String, Problem> {
        let _ = self.0.taken.set(to);
        Err(Problem::internal("the record is not this attempt's"))
    }
}

/// Nothing more happens to it; to what is replayed only when it is done.
fn is_over(event: &HandledEvent, again: bool) -> bool {
    match event.outcome {
        Some(Outcome::Done) => true,
        Some(Outcome::SetAside) => !again,
        None => false,
    }
}

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

/// What a handler's extractors find, and what they leave.
struct Asked {
    /// The table, where writes are collected.
    view: Store,
    collected: Collected,
    handling: Handling,
}

impl Asked {
    fn parts(&self) -> Parts {
        let (mut parts, ()) = Request::new(()).into_parts();
        parts.extensions.insert(self.view.clone());
        parts.extensions.insert(self.handling.clone());
        parts
    }
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
        let store = &self.run.store;
        let mut known = None;
        let mut tries = None;
        let (mut is_checked, mut has_waited) = (false, false);
        loop {
            let asked = OnceLock::new();
            let parts = || asked.get_or_init(|| self.asked(is_checked)).parts();
            let called = self.call(&parts).await;
            let asked = asked.get();
            let lease = match asked.and_then(|asked| asked.handling.0.taken.get()) {
                Some(Taken::Over) => return Ok(true),
                Some(Taken::Elsewhere(Some(end))) if self.is_in_the_way() && !has_waited => {
                    self.wait(*end).await;
                    has_waited = true;
                    continue;
                }
                Some(Taken::Elsewhere(_)) => return Ok(false),
                Some(Taken::Held(lease)) => Some(lease.clone()),
                None => None,
            };
            let writes = asked.map(|asked| asked.collected.take()).unwrap_or_default();
            // Without an effect that anybody knows of nothing is kept.
            if called.is_ok() && writes.is_empty() && lease.is_none() {
                return Ok(true);
            }
            // What goes to the table is large, and stands apart from what does not.
            let tries = tries.get_or_insert_with(|| store.tries());
            let done = match called {
                Ok(()) => Box::pin(self.finish(tries, writes, lease.clone(), known.take())).await,
                Err(failure) => Err(NotDone::Failed(failure)),
            };
            let failure = match done {
                Ok(()) => return Ok(true),
                Err(NotDone::Failed(failure)) => failure,
                Err(NotDone::Lost) => {
                    // What a lease is for is not done anew at once.
                    if lease.is_none() && tries.back_off(store.ambient()).await {
                        known = Box::pin(self.known()).await?;
                        if known.as_ref().is_some_and(|known| is_over(known, self.again())) {
                            return Ok(true);
                        }
                        // Whether it was a race or what is there does not allow it, the handler
                        // finds out.
                        is_checked = true;
                        continue;
                    }
                    Failure::new("other writes were faster")
                }
            };
            let holder = asked.and_then(|asked| asked.handling.0.holder.get());
            return Box::pin(self.count(&failure, lease, holder)).await;
        }
    }

    /// Whether what was set aside is handled.
    fn again(&self) -> bool {
        matches!(self.run.occasion, Occasion::SetAside(_))
    }

    /// Whether nothing else of the source comes before this is over. Then whoever has it has died,
    /// and a stream's attempts, which come fast and are counted, would all meet its lease.
    fn is_in_the_way(&self) -> bool {
        matches!(self.batch.source, Source::Kinesis | Source::DynamoDb)
    }

    async fn wait(&self, end: Timestamp) {
        let left = end.since(self.run.store.ambient().now());
        sleep_until(self.run.time.handlers.min(Instant::now() + left)).await;
    }

    fn wire(&self) -> &Wire {
        &self.batch.records[self.place].wire
    }

    fn asked(&self, is_checked: bool) -> Asked {
        let store = self.run.store.clone();
        let (view, collected) =
            if is_checked { store.checked().collecting() } else { store.collecting() };
        let handling = Handling(Arc::new(Inner {
            store,
            handler: self.listener.name.clone(),
            batch: self.batch.clone(),
            place: self.place,
            until: self.run.time.until,
            again: self.again(),
            holder: OnceLock::new(),
            taken: OnceLock::new(),
        }));
        Asked { view, collected, handling }
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
                Ok(Some(known)) if is_over(&known, self.again()) => Ok(()),
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
        let now = self.run.store.ambient().now();
        HandledEvent::new(&self.listener.name, &self.wire().id(), now)
    }

    async fn known(&self) -> Result<Option<HandledEvent>, store::Error> {
        let key = HandledEvent::key_of(&self.listener.name, &self.wire().id());
        self.run.store.get(key).await
    }

    /// Whether another attempt is at it, whose lease is not ours to end. This one's own may have been
    /// taken without an answer.
    fn is_anothers(&self, known: &HandledEvent, holder: Option<&Id>) -> bool {
        let now = self.run.store.ambient().now();
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
            None if self.is_first(failure).await? => return Ok(false),
            None => self.known().await?,
        };
        if known.as_ref().is_some_and(|known| is_over(known, self.again())) {
            return Ok(true);
        }
        if is_unleased && known.as_ref().is_some_and(|known| self.is_anothers(known, holder)) {
            return Ok(false);
        }
        let mut event = known.unwrap_or_else(|| self.unknown()).released();
        event.failures += 1;
        let (code, reason, failures) = (failure.code(), failure.reason(), event.failures);
        let is_last = failures >= self.batch.source.most_failures();
        error!(code, reason, failures, "a record was not handled");
        if is_last {
            if let Err(reason) = self.set_aside(failure, &event).await {
                error!(reason, "a record cannot be set aside, so it comes again");
                return Ok(false);
            }
            event.outcome = Some(Outcome::SetAside);
            error!("a record is set aside");
        }
        match self.run.store.replace(&mut event).await {
            // Who replays is told.
            Ok(()) => Ok(is_last && self.run.occasion == Occasion::Sent),
            // Somebody else has the record too, and counts.
            Err(store::Error::Conflict { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn set_aside(&self, failure: &Failure, event: &HandledEvent) -> Result<(), String> {
        let set_aside = SetAside::new(self, failure, event.failures);
        let kept = timeout_at(self.run.time.keeping, set_aside.keep(self.failures, event)).await;
        let kept = kept.map_err(|_| "the invocation's time is over".to_owned())?;
        kept.map_err(|error| error.to_string())
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
