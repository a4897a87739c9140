//! Lambda's asynchronous invocation: events wait in a queue, in the store's own file, until the
//! events function has taken them or they are among the failures
//! (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async.html>).

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use api::events::FailureStoreError;
use dynoxide::storage::Storage;
use lambda_runtime::Diagnostic;
use models::Ambient;
use rusqlite::{Connection, OptionalExtension, params, types::Type};
use serde_json::{Value, json, value::RawValue};
use tokio::{
    sync::{Notify, oneshot},
    task::JoinSet,
    time::{Instant, sleep_until},
};

use crate::{
    discarded,
    function::{CallError, Function},
};

/// Before the second attempt and before the third. Lambda waits one minute and two.
const PAUSES: [Duration; Function::MAXIMUM_RETRY_ATTEMPTS as usize] =
    [Duration::from_millis(250), Duration::from_millis(500)];
/// How long the queue is let alone when it cannot be read.
const QUEUE_PAUSE: Duration = Duration::from_secs(1);
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
    /// It was there when this process began: another one may have died while it was at it, and what
    /// that had leased is its own until its invocation would have ended. Before this time it is not
    /// given up, however often it has failed.
    left_until: Option<Instant>,
}

/// Carries out what is in the queue.
#[derive(Clone)]
pub(crate) struct Invocations {
    queue: Shared,
    function: Function,
    /// Told of each event that is in the queue.
    news: Arc<Notify>,
    left: Left,
}

impl Invocations {
    /// What is in the queue now counts as left by a process that may have died: nobody may put
    /// anything into it yet.
    pub(crate) fn new(
        queue: Shared,
        function: Function,
        news: Arc<Notify>,
    ) -> rusqlite::Result<Self> {
        let left = Left::in_queue(queue.lock().conn())?;
        Ok(Self { queue, function, news, left })
    }

    /// Until `stopped`, and then what runs. What is left is in the queue.
    pub(crate) async fn follow(self, mut stopped: oneshot::Receiver<()>) {
        let (mut running, mut last) = (JoinSet::new(), 0);
        let mut waiting: Vec<(Instant, Invocation)> = Vec::new();
        loop {
            let now = Instant::now();
            let free = AT_ONCE.saturating_sub(running.len());
            for (_, invocation) in waiting.extract_if(.., |(due, _)| *due <= now).take(free) {
                running.spawn(self.clone().attempt(invocation));
            }
            let mut unreadable = false;
            while running.len() < AT_ONCE {
                let next = next(self.queue.lock().conn(), last, self.left);
                match next {
                    Ok(Some(invocation)) => {
                        last = invocation.id;
                        running.spawn(self.clone().attempt(invocation));
                    }
                    Ok(None) => break,
                    Err(error) => {
                        tracing::error!(%error, "the queue cannot be read");
                        unreadable = true;
                        break;
                    }
                }
            }
            let due = waiting.iter().map(|(due, _)| *due);
            let due = due.chain(unreadable.then(|| now + QUEUE_PAUSE)).min();
            let has_room = running.len() < AT_ONCE;
            tokio::select! {
                _ = &mut stopped => break,
                () = self.news.notified(), if has_room => {}
                () = sleep_until(due.unwrap_or(now)), if has_room && due.is_some() => {}
                Some(done) = running.join_next() => waiting.extend(done.ok().flatten()),
            }
        }
        while running.join_next().await.is_some() {}
    }

    /// Call the function; what has failed comes again then.
    async fn attempt(self, mut invocation: Invocation) -> Option<(Instant, Invocation)> {
        let event = invocation.event.clone();
        let Err(error) = self.function.invoke_as(&invocation.request, event).await else {
            self.is_over(invocation.id);
            return None;
        };
        invocation.failed += 1;
        self.count(&invocation);
        let now = Instant::now();
        if let Some(due) = due(invocation.failed, invocation.left_until, now) {
            return Some((due, invocation));
        }
        match self.give_up(&invocation, error).await {
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
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/invocation-async-retain-records.html>).
    async fn give_up(&self, it: &Invocation, error: CallError) -> Result<(), FailureStoreError> {
        let ambient = &self.function.ambient;
        let content = json!({
            "version": "1.0",
            "timestamp": ambient.now(),
            "requestContext": {
                "requestId": it.request,
                "functionArn": format!("{}:$LATEST", Function::ARN),
                "condition": "RetriesExhausted",
                "approximateInvokeCount": it.failed,
            },
            "requestPayload": it.event,
            "responseContext": discarded::response_context(true),
            "responsePayload": response_payload(error),
        });
        let name = Function::ARN.rsplit(':').next().unwrap_or_default();
        let key = discarded::key(&format!("async/{name}"), ambient);
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

/// The first one after this.
fn next(queue: &Connection, after: i64, left: Left) -> rusqlite::Result<Option<Invocation>> {
    let next = "SELECT id, request, event, failed FROM landline_invocations
        WHERE id > ?1 ORDER BY id LIMIT 1";
    let next = queue.query_row(next, [after], |row| {
        let (id, request, failed) = (row.get(0)?, row.get(1)?, row.get(3)?);
        let event = RawValue::from_string(row.get(2)?);
        let event = event.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(2, Type::Text, error.into())
        })?;
        let left_until = (id <= left.newest).then_some(left.until);
        Ok(Invocation { id, request, event, failed, left_until })
    });
    next.optional()
}

/// What a call that has failed was answered, as Lambda's runtimes answer it.
fn response_payload(error: CallError) -> Value {
    let message = error.to_string();
    let Diagnostic { error_type, error_message } = match error {
        CallError::Refused(refused) => refused.into(),
        CallError::TimedOut => diagnostic("Sandbox.Timedout", message),
        CallError::Ended | CallError::NoThreads(_) => diagnostic("Runtime.ExitError", message),
    };
    json!({ "errorType": error_type, "errorMessage": error_message })
}

fn diagnostic(error_type: &str, error_message: String) -> Diagnostic {
    Diagnostic { error_type: error_type.to_owned(), error_message }
}

/// What was in the queue when this process began.
#[derive(Clone, Copy)]
struct Left {
    /// The last one of it; 0 when there was nothing.
    newest: i64,
    /// When nothing of it can be leased any longer by a process that has died.
    until: Instant,
}

impl Left {
    fn in_queue(queue: &Connection) -> rusqlite::Result<Self> {
        let newest = "SELECT coalesce(max(id), 0) FROM landline_invocations";
        let newest = queue.query_row(newest, [], |row| row.get(0))?;
        Ok(Self { newest, until: Instant::now() + Function::TIMEOUT })
    }
}

/// When it is tried again, where it is.
fn due(failed: u32, left_until: Option<Instant>, now: Instant) -> Option<Instant> {
    match PAUSES.get(failed as usize - 1) {
        // The last attempt of what was left is made when nobody can be at it.
        Some(pause) if (failed as usize) < PAUSES.len() => Some(now + *pause),
        Some(pause) => Some(left_until.unwrap_or(now).max(now + *pause)),
        None => left_until.filter(|until| *until > now),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use models::{Ambient, Timestamp};
    use rusqlite::Connection;
    use serde_json::json;
    use tokio::time::Instant;

    use super::{Left, QUEUE, due, enqueue, next};

    #[test]
    fn what_is_put_after_the_start_was_left_by_nobody() {
        let queue = Connection::open_in_memory().unwrap();
        let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_123), 7);
        queue.execute_batch(QUEUE).unwrap();
        let put = || enqueue(&queue, &ambient, |id| json!({ "id": id })).unwrap();
        let nothing = Left::in_queue(&queue).unwrap();
        put();
        let one = Left::in_queue(&queue).unwrap();
        put();

        let first = |left| next(&queue, 0, left).unwrap().unwrap().left_until;
        let second = |left| next(&queue, 1, left).unwrap().unwrap().left_until;

        assert_eq!([first(nothing), second(nothing)], [None, None]);
        assert_eq!([first(one), second(one)], [Some(one.until), None]);
    }

    #[test]
    fn what_has_failed_comes_twice_more() {
        let now = Instant::now();
        let millis = |millis| Some(now + Duration::from_millis(millis));

        let due = [1, 2, 3].map(|failed| due(failed, None, now));

        assert_eq!(due, [millis(250), millis(500), None]);
    }

    /// A handler's lease ends with the invocation of a process that has died with it. Others may have
    /// begun and ended meanwhile, and counted.
    #[test]
    fn what_another_process_was_at_is_given_up_after_its_time_alone() {
        let now = Instant::now();
        let after = |seconds| now + Duration::from_secs(seconds);
        let until = Some(after(120));

        let early = [1, 2, 3, 4, 9].map(|failed| due(failed, until, now));
        let late = [1, 2, 3, 9].map(|failed| due(failed, until, after(120)));

        let quarter = Duration::from_millis(250);
        assert_eq!(early, [Some(now + quarter), until, until, until, until]);
        let half = Duration::from_millis(500);
        assert_eq!(late, [Some(after(120) + quarter), Some(after(120) + half), None, None]);
    }
}
