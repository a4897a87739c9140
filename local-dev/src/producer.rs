//! What puts messages into queues and records into streams, and the pollers behind those: both in
//! the store's own file, which several processes may have open.

use std::path::Path;

use api::{events::Trigger, http::Module};
use dynoxide::storage::Storage;
use models::{Ambient, Id};
use rusqlite::{Connection, params};
use tokio::{sync::oneshot, task::JoinHandle};

use crate::{
    EmbeddedStore, Function, StoreError,
    filter::Filter,
    kinesis::{self, OnlyShard, RECORDS},
    laptop::TABLE,
    mapping::Mapping,
    queue::{MESSAGES, Queue},
};

/// SQS: 1 MiB of a message (Amazon SQS Developer Guide, "Amazon SQS message quotas").
const LONGEST_MESSAGE: usize = 1024 * 1024;
/// Kinesis: 1 MiB of a record and its key, where the stream does not allow more (`PutRecord`).
const LONGEST_RECORD: usize = 1024 * 1024;

/// Sends to the queues and streams that modules listen to, as an app or another system would.
pub struct Producer {
    storage: Storage,
    ambient: Ambient,
    queues: Vec<&'static str>,
    streams: Vec<&'static str>,
}

/// Why nothing was sent.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SendError {
    /// Nobody would ever take it.
    #[error("no module has declared the {kind} {name}; there are: {known}")]
    Undeclared {
        /// `queue` or `stream`.
        kind: &'static str,
        /// As it was named.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// A rule of SQS or Kinesis.
    #[error("{0}")]
    Invalid(&'static str),
    /// It cannot be kept.
    #[error("it cannot be kept: {0}")]
    Store(#[from] rusqlite::Error),
}

impl Producer {
    /// To what these modules listen to, beside the store in this file.
    ///
    /// # Errors
    /// [`StoreError::Unusable`] when the file is not there, or no store's.
    pub fn open(store: &Path, modules: &[Module], ambient: Ambient) -> Result<Self, StoreError> {
        let unusable = |cause: &dyn ToString| StoreError::Unusable {
            path: store.to_owned(),
            cause: cause.to_string(),
        };
        if !store.is_file() {
            return Err(unusable(&"it is not there"));
        }
        let name = store.to_str().ok_or_else(|| unusable(&"its name is not valid UTF-8"))?;
        let storage = Storage::new(name).map_err(|error| unusable(&error))?;
        prepare(storage.conn()).map_err(|error| unusable(&error))?;
        let (queues, streams) = (queues(modules), streams(modules));
        Ok(Self { storage, ambient, queues, streams })
    }

    /// Send a message (SQS `SendMessage`). One to a queue in order must name its group. Each is a
    /// message of its own: nothing is taken for a duplicate of another.
    pub fn send_message(
        &self,
        queue: &str,
        group: Option<&str>,
        body: &str,
    ) -> Result<Id, SendError> {
        listed("queue", queue, &self.queues)?;
        let in_order = queue.ends_with(".fifo");
        if in_order && group.is_none() {
            return Err(SendError::Invalid("a message to a queue in order has a group"));
        }
        if group.is_some_and(|group| !is_group(group)) {
            let rule = "a group is 1 to 128 letters, digits and punctuation of ASCII";
            return Err(SendError::Invalid(rule));
        }
        if !(1..=LONGEST_MESSAGE).contains(&body.len()) || !body.chars().all(is_sent) {
            let rule = "a message is 1 byte to 1 MiB of text without control characters";
            return Err(SendError::Invalid(rule));
        }
        let (id, now) = (self.ambient.new_id(), self.ambient.now().unix_millis());
        self.storage.conn().execute(
            "INSERT INTO landline_messages (queue, id, message_group, body, sent_at)
             VALUES (?1, ?2, ?3, ?4, ?5)",
            params![queue, id.to_string(), group, body, now],
        )?;
        Ok(id)
    }

    /// Put a record (Kinesis `PutRecord`); its sequence number.
    pub fn put_record(
        &self,
        stream: &str,
        partition_key: &str,
        data: &[u8],
    ) -> Result<String, SendError> {
        listed("stream", stream, &self.streams)?;
        if !(1..=256).contains(&partition_key.chars().count()) {
            return Err(SendError::Invalid("a partition key is 1 to 256 characters"));
        }
        if partition_key.len() + data.len() > LONGEST_RECORD {
            return Err(SendError::Invalid("a record and its key are 1 MiB at most"));
        }
        let connection = self.storage.conn();
        connection.execute(
            "INSERT INTO landline_records (stream, partition_key, data, arrived_at)
             VALUES (?1, ?2, ?3, ?4)",
            params![stream, partition_key, data, self.ambient.now().unix_millis()],
        )?;
        Ok(kinesis::sequence_number(connection.last_insert_rowid()))
    }
}

/// Whether a message to this queue would ever be taken, without a look at any store.
pub(crate) fn check_queue(modules: &[Module], queue: &str) -> Result<(), SendError> {
    listed("queue", queue, &queues(modules))
}

/// Whether a record of this stream would ever be taken.
pub(crate) fn check_stream(modules: &[Module], stream: &str) -> Result<(), SendError> {
    listed("stream", stream, &streams(modules))
}

/// What calls event handlers, each until its sender is dropped.
pub type Pollers = Vec<(oneshot::Sender<()>, JoinHandle<()>)>;

/// Deliver what has changed in the table, and what is in the queues and streams, as far as these
/// modules listen to it. Where nothing is kept nobody can send anything.
pub fn deliver(
    store: &EmbeddedStore,
    modules: &[Module],
    function: &Function,
) -> Result<Pollers, StoreError> {
    let mut pollers = Vec::new();
    if let Some(table) = store.stream(TABLE, Filter::of(modules))? {
        let mapping = Mapping::new(table, function.clone());
        pollers.push(begin(|stopped| mapping.follow(stopped))?);
    }
    let Some(storage) = connect(store)? else { return Ok(pollers) };
    tell_of_undeclared(storage.conn(), &queues(modules), &streams(modules)).map_err(unserved)?;
    for queue in queues(modules) {
        let Some(storage) = connect(store)? else { return Ok(pollers) };
        let queue = Queue::new(queue, storage, function.clone());
        pollers.push(begin(|stopped| queue.follow(stopped))?);
    }
    for stream in streams(modules) {
        let Some(storage) = connect(store)? else { return Ok(pollers) };
        let mapping = Mapping::new(OnlyShard::new(stream, storage), function.clone());
        pollers.push(begin(|stopped| mapping.follow(stopped))?);
    }
    Ok(pollers)
}

fn begin<F: Future<Output = ()> + Send + 'static>(
    follow: impl FnOnce(oneshot::Receiver<()>) -> F,
) -> Result<(oneshot::Sender<()>, JoinHandle<()>), StoreError> {
    let (stop, stopped) = oneshot::channel();
    Ok((stop, EmbeddedStore::beside(follow(stopped))?))
}

/// What was sent to a queue or a stream that nobody listens to any more stays, and nobody would see it.
fn tell_of_undeclared(
    connection: &Connection,
    queues: &[&str],
    streams: &[&str],
) -> rusqlite::Result<()> {
    let waiting = |sql: &str, known: &[&str]| -> rusqlite::Result<Vec<(String, i64)>> {
        let mut query = connection.prepare(sql)?;
        let rows = query.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
        let rows = rows.collect::<rusqlite::Result<Vec<(String, i64)>>>()?;
        Ok(rows.into_iter().filter(|(name, _)| !known.contains(&name.as_str())).collect())
    };
    let messages = "SELECT queue, count(*) FROM landline_messages GROUP BY queue";
    for (queue, messages) in waiting(messages, queues)? {
        tracing::warn!(queue, messages, "messages wait in a queue that no module listens to");
    }
    let records = "SELECT stream, count(*) FROM landline_records GROUP BY stream";
    for (stream, records) in waiting(records, streams)? {
        tracing::warn!(stream, records, "records wait in a stream that no module listens to");
    }
    Ok(())
}

fn unserved(error: impl ToString) -> StoreError {
    StoreError::Serve(error.to_string())
}

fn connect(store: &EmbeddedStore) -> Result<Option<Storage>, StoreError> {
    let Some(storage) = store.connect()? else { return Ok(None) };
    prepare(storage.conn()).map_err(unserved)?;
    Ok(Some(storage))
}

fn prepare(connection: &Connection) -> rusqlite::Result<()> {
    connection.execute_batch(MESSAGES)?;
    connection.execute_batch(RECORDS)
}

fn queues(modules: &[Module]) -> Vec<&'static str> {
    declared(modules, |trigger| match trigger {
        Trigger::Message(queue) => Some(queue),
        _ => None,
    })
}

fn streams(modules: &[Module]) -> Vec<&'static str> {
    declared(modules, |trigger| match trigger {
        Trigger::Stream(stream) => Some(stream),
        _ => None,
    })
}

/// Each once: several handlers may listen to one.
fn declared(
    modules: &[Module],
    name: impl Fn(Trigger) -> Option<&'static str>,
) -> Vec<&'static str> {
    let listeners = modules.iter().flat_map(Module::listeners);
    let mut names: Vec<_> = listeners.filter_map(|listener| name(listener.trigger)).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn listed(kind: &'static str, name: &str, names: &[&'static str]) -> Result<(), SendError> {
    if names.contains(&name) {
        return Ok(());
    }
    let known = if names.is_empty() { "none".to_owned() } else { names.join(", ") };
    Err(SendError::Undeclared { kind, name: name.to_owned(), known })
}

fn is_group(group: &str) -> bool {
    (1..=128).contains(&group.len()) && group.bytes().all(|byte| byte.is_ascii_graphic())
}

/// `#x9 | #xA | #xD | #x20 to #xD7FF | #xE000 to #xFFFD | #x10000 to #x10FFFF` (SQS `SendMessage`).
fn is_sent(character: char) -> bool {
    matches!(character, '\t' | '\n' | '\r' | ' '..='\u{FFFD}' | '\u{10000}'..)
}
