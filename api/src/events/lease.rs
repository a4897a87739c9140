//! The lease of a record: whose it is while an effect outside the table is had.

use std::sync::{Arc, OnceLock};

use models::{
    Id, Timestamp,
    platform::events::{HandledEvent, Outcome},
    store::{self, Store},
};

use super::batch::Batch;
use crate::http::Problem;

/// A record on its way to being handled once. Its handler may have an extractor take the lease.
#[derive(Clone)]
pub(crate) struct Handling(Arc<Inner>);

struct Inner {
    store: Store,
    handler: Arc<str>,
    batch: Arc<Batch>,
    place: usize,
    until: Timestamp,
    is_replay: bool,
    /// Who takes the lease, once it has tried to.
    holder: OnceLock<Id>,
    taken: OnceLock<Taken>,
}

/// What has become of the lease.
pub(super) enum Taken {
    Held(HandledEvent),
    Over,
    /// Another delivery has it, until then where that is known.
    Elsewhere(Option<Timestamp>),
}

impl Handling {
    /// `store` is the table, and not what is collected for the record, which is at this place of its
    /// event. The lease ends with the invocation; `is_replay`: it was set aside, and is replayed.
    pub(super) fn new(
        store: Store,
        handler: Arc<str>,
        batch: Arc<Batch>,
        place: usize,
        until: Timestamp,
        is_replay: bool,
    ) -> Self {
        let (holder, taken) = (OnceLock::new(), OnceLock::new());
        Self(Arc::new(Inner { store, handler, batch, place, until, is_replay, holder, taken }))
    }

    /// Whether it was set aside, and is replayed.
    pub(super) fn is_replay(&self) -> bool {
        self.0.is_replay
    }

    /// Nothing where nobody has asked for the lease, or its state could not be read.
    pub(super) fn taken(&self) -> Option<&Taken> {
        self.0.taken.get()
    }

    /// Who has tried to take it.
    pub(super) fn holder(&self) -> Option<&Id> {
        self.0.holder.get()
    }

    /// Take the record for this attempt, for effects that no transaction takes back.
    /// Gives the record's name, for whoever has the effect to know it again.
    pub(crate) async fn lease(&self) -> Result<String, Problem> {
        let Inner { store, handler, batch, place, until, is_replay, holder, taken } = &*self.0;
        if let Some(Taken::Held(lease)) = taken.get() {
            return Ok(lease.digest());
        }
        let now = store.ambient().now();
        let id = &batch.records[*place].wire.id();
        let known = store.get::<HandledEvent>(HandledEvent::key_of(handler, id)).await?;
        let held_until = Some(*until);
        let held_by = Some(*holder.get_or_init(|| store.ambient().new_id()));
        let (lease, written) = match known {
            Some(known) if is_over(&known, *is_replay) => return self.lost(Taken::Over),
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
pub(super) fn is_over(event: &HandledEvent, is_replay: bool) -> bool {
    match event.outcome {
        Some(Outcome::Done) => true,
        Some(Outcome::SetAside) => !is_replay,
        None => false,
    }
}
