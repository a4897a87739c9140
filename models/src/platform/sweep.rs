//! The sweep: what has expired leaves the table soon after. DynamoDB deletes it as well, for
//! nothing, but "within a few days"; and on a laptop nobody else does.

use std::{future::ready, time::Duration};

use futures_util::{StreamExt, TryStreamExt, stream};
use serde::{Deserialize, Serialize};

use super::{backlog::Waiting, outbox::Message};
use crate::{
    Timestamp,
    store::{Entity, Error, Key, Passed, Place, Store},
};

/// A run passes so many pages of the table at most, 1 MB each.
pub const PAGES: usize = 25;

/// So many deletions are on their way at once.
const AT_ONCE: usize = 16;

/// A message of the outbox is delivered within seconds, or waits elsewhere, or is set aside. One that is
/// still there after so long is with the failures, or its record in the table's stream, which keeps a
/// day, was lost.
const DELIVERED_WITHIN: Duration = Duration::from_secs(24 * 60 * 60);

/// A message that waits is given up within three days and a half. One that is there after four cannot be
/// read, or waits behind one that cannot, or has a receiver that nobody tries.
const GIVEN_UP_WITHIN: Duration = Duration::from_secs(4 * 24 * 60 * 60);

/// How far the sweep has come: the one item from which each run goes on.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Sweep {
    /// Absent at the beginning of the table.
    #[serde(skip_serializing_if = "Option::is_none", default)]
    place: Option<Place>,
    /// See [`Entity::version_mut`].
    version: u64,
}

/// What a run has done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Pages that were passed as a whole.
    pub pages: usize,
    /// Expired items that it has deleted.
    pub deleted: usize,
    /// Messages that have been in the outbox for more than a day, or have waited for their receiver for
    /// more than four, among what it has passed.
    pub abandoned: usize,
    /// Whether it has come to the end of the table. The next run starts anew then.
    pub is_round: bool,
}

impl Entity for Sweep {
    const KIND: &'static str = "SWEEP";

    fn key(&self) -> Key {
        Self::at()
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

impl Sweep {
    /// There is one.
    pub fn at() -> Key {
        Key::unique::<Self>("table")
    }

    /// Sweep on from where the last run ended: [`PAGES`] pages, to the end of the table, or until
    /// half of the time is over that this store may be asked for, whatever comes first.
    ///
    /// The place is written down after each page, so what fails goes on at the page where it has
    /// failed. Of two runs at once one finds the place moved, and ends.
    ///
    /// # Errors
    /// [`Error::Unavailable`]: what was deleted before that is gone, and nothing is left out.
    pub async fn run(store: &Store) -> Result<Swept, Error> {
        let store = store.apart();
        let half = store.time_left().map(|left| left / 2);
        let in_time = || store.time_left() >= half;
        let mut sweep = store.get::<Self>(Self::at()).await?.unwrap_or_default();
        let mut swept = Swept::default();
        while swept.pages < PAGES && !swept.is_round {
            let (passed, next) = store.walk_whole_table(sweep.place.take()).await?;
            let now = store.ambient().now();
            swept.abandoned += passed.iter().filter(|it| is_abandoned(it, now)).count();
            swept.deleted += delete(&store, passed, now, in_time).await?;
            if !in_time() {
                break;
            }
            swept.is_round = next.is_none();
            sweep.place = next;
            match sweep.keep(&store).await {
                Err(Error::Conflict { .. }) => break,
                kept => kept?,
            }
            swept.pages += 1;
        }
        Ok(swept)
    }

    async fn keep(&mut self, store: &Store) -> Result<(), Error> {
        if self.version == 0 { store.create(self).await } else { store.replace(self).await }
    }
}

/// How many of these were expired, and are deleted now.
async fn delete(
    store: &Store,
    passed: Vec<Passed>,
    now: Timestamp,
    in_time: impl Fn() -> bool,
) -> Result<usize, Error> {
    let expired = passed.into_iter().filter(|passed| passed.has_expired(now));
    let deletions = stream::iter(expired.take_while(|_| in_time()));
    let deletions = deletions.map(|passed| store.delete_expired(passed));
    let deleted = deletions.buffer_unordered(AT_ONCE);
    deleted.try_fold(0, |deleted, one| ready(Ok(deleted + usize::from(one)))).await
}

fn is_abandoned(passed: &Passed, now: Timestamp) -> bool {
    let longest = match passed.kind() {
        Some(Message::KIND) => DELIVERED_WITHIN,
        Some(Waiting::KIND) => GIVEN_UP_WITHIN,
        _ => return false,
    };
    let is_old = passed.created_at().is_some_and(|at| now.since(at) > longest);
    is_old && !passed.has_expired(now)
}
