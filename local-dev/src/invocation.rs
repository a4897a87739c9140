//! Lambda's asynchronous invocation: events wait in a queue, in the store's own file, until the
//! events function has taken them or they are among the failures
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use api::events::{Events, FailureStore, FailureStoreError};
use dynoxide::storage::Storage;
use models::Ambient;
use rusqlite::{Connection, OptionalExtension, params};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::mapping::{CallError, FUNCTION, invoke_as};

/// Before the second attempt and before the third. Lambda waits one minute and two.
const PAUSES: [Duration; 2] = [Duration::from_millis(250), Duration::from_millis(500)];
/// Before what could not be kept as a failure is tried again.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// So many run beside each other.
const AT_ONCE: usize = 10;

/// What waits, and how often each has failed. A number is given once.
pub(crate) const QUEUE: &str = "
    CREATE TABLE IF NOT EXISTS landline_invocations (
        id INTEGER PRIMARY KEY AUTOINCREMENT,
        request TEXT NOT NULL,
        event TEXT NOT NULL,
        failed INTEGER NOT NULL DEFAULT 0
    );";

/// The function that events are for, and where those are kept that it cannot do.
#[derive(Clone)]
pub struct Function {
    /// The handlers.
    pub events: Events,
    /// The destination of failures.
    pub failures: FailureStore,
    /// Time and ids.
    pub ambient: Ambient,
}

/// The file that queue and objects share, so that one transaction can be about both.
#[derive(Clone)]
pub(crate) struct Shared(Arc<Mutex<Storage>>);

impl Shared {
    pub(crate) fn new(storage: Storage) -> Self {
        Self(Arc::new(Mutex::new(storage)))
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Storage> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Put an event into the queue, as part of the transaction that the connection is in. It is made of
/// its number, which is greater than all before.
pub(crate) fn enqueue(
    queue: &Connection,
    ambient: &Ambient,
    event: impl FnOnce(i64) -> Value,
) -> rusqlite::Result<()> {
    let last = "SELECT seq FROM sqlite_sequence WHERE name = 'landline_invocations'";
    let last = queue.query_row(last, [], |row| row.get::<_, i64>(0)).optional()?;
    let id = last.unwrap_or_default() + 1;
    let insert = "INSERT INTO landline_invocations (id, request, event) VALUES (?1, ?2, ?3)";
    let (request, event) = (ambient.new_id().to_string(), event(id).to_string());
    queue.execute(insert, params![id, request, event]).map(drop)
}

/// An event on its way.
struct Invocation {
    id: i64,
    request: String,
    event: Box<RawValue>,
    failed: u32,
}

/// Carries out what is in the queue.
#[derive(Clone)]
pub(crate) struct Invocations {
    pub(crate) queue: Shared,
    pub(crate) function: Function,
    /// Told of each event that is in the queue.
    pub(crate) news: Arc<Notify>,
}

impl Invocations {
    /// Until `stopped`, and then what runs. What is left is in the queue.
    pub(crate) async fn follow(self, mut stopped: oneshot::Receiver<()>) {
        let (mut running, mut last) = (JoinSet::new(), 0);
        let mut waiting: Vec<(Instant, Invocation)> = Vec::new();
        loop {
            let now = Instant::now();
            for (_, invocation) in waiting.extract_if(.., |(due, _)| *due <= now) {
                running.spawn(self.clone().attempt(invocation));
            }
            while running.len() < AT_ONCE
                && let Some(invocation) = self.next(last)
            {
                last = invocation.id;
                running.spawn(self.clone().attempt(invocation));
            }
            let due = waiting.iter().map(|(due, _)| *due).min();
            tokio::select! {
                _ = &mut stopped => break,
                () = self.news.notified(), if running.len() < AT_ONCE => {}
                () = sleep_until(due.unwrap_or(now)), if due.is_some() => {}
                Some(done) = running.join_next() => waiting.extend(done.ok().flatten()),
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// The first one after this. One that cannot be read is there after the next start.
    fn next(&self, after: i64) -> Option<Invocation> {
        let next = "SELECT id, request, event, failed FROM landline_invocations
            WHERE id > ?1 ORDER BY id LIMIT 1";
        let storage = self.queue.lock();
        let read = storage.conn().query_row(next, [after], |row| {
            let event = RawValue::from_string(row.get(2)?).unwrap_or_else(|_| null());
            Ok(Invocation { id: row.get(0)?, request: row.get(1)?, event, failed: row.get(3)? })
        });
        let read = read.optional();
        read.inspect_err(|error| tracing::error!(%error, "the queue cannot be read")).ok().flatten()
    }

    /// Call the function; what has failed comes again then.
    async fn attempt(self, mut invocation: Invocation) -> Option<(Instant, Invocation)> {
        let Function { events, ambient, .. } = &self.function;
        let event = invocation.event.clone();
        let Err(error) = invoke_as(&invocation.request, events, ambient, event).await else {
            self.is_over(invocation.id);
            return None;
        };
        invocation.failed += 1;
        self.count(&invocation);
        if let Some(pause) = PAUSES.get(invocation.failed as usize - 1) {
            return Some((Instant::now() + *pause, invocation));
        }
        match self.give_up(&invocation, &error).await {
            Ok(()) => {
                self.is_over(invocation.id);
                None
            }
            Err(error) => {
                tracing::error!(%error, "an event is not kept, so it comes again");
                Some((Instant::now() + LONGEST_PAUSE, invocation))
            }
        }
    }

    /// As Lambda tells a failure destination in S3
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>). The
    /// name ends with `.json` besides: the folder of a laptop lists nothing else.
    async fn give_up(&self, it: &Invocation, error: &CallError) -> Result<(), FailureStoreError> {
        let now = self.function.ambient.now().to_string();
        let content = json!({
            "version": "1.0",
            "timestamp": now,
            "requestContext": {
                "requestId": it.request,
                "functionArn": format!("{FUNCTION}:$LATEST"),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": it.failed,
            },
            "requestPayload": it.event,
            "responseContext": {
                "statusCode": 200,
                "executedVersion": "$LATEST",
                "functionError": "Unhandled",
            },
            "responsePayload": { "errorMessage": error.to_string() },
        });
        let name = FUNCTION.rsplit(':').next().unwrap_or_default();
        let day = now[..10].replace('-', "/");
        let second = now[..19].replace(':', ".");
        let id = self.function.ambient.new_id();
        let key = format!("aws/lambda/async/{name}/{day}/{second}-{id}.json");
        tracing::error!(key, "an event is given up");
        self.function.failures.put(&key, content.to_string().into_bytes()).await
    }

    fn count(&self, it: &Invocation) {
        let count = "UPDATE landline_invocations SET failed = ?2 WHERE id = ?1";
        self.write(count, params![it.id, it.failed]);
    }

    fn is_over(&self, id: i64) {
        self.write("DELETE FROM landline_invocations WHERE id = ?1", params![id]);
    }

    /// When this fails the event comes again after the next start, as Lambda may send it twice.
    fn write(&self, statement: &str, values: impl rusqlite::Params) {
        if let Err(error) = self.queue.lock().conn().execute(statement, values) {
            tracing::warn!(%error, "the queue of events cannot be written");
        }
    }
}

fn null() -> Box<RawValue> {
    to_raw_value(&Value::Null).expect("null is JSON")
}
