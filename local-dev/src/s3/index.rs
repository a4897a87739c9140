//! What is known of objects and of uploads in parts, in the store's own file. An object is there
//! from the transaction on that also puts its event into the queue.

use std::collections::HashSet;

use dynoxide::storage::Storage;
use models::{Ambient, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, TransactionBehavior, params};
use s3s::{S3Error, S3Result, s3_error};
use serde_json::Value;

use super::facts::Facts;
use crate::invocation::{QUEUE, Shared, enqueue};

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS landline_objects (
        key TEXT PRIMARY KEY, content TEXT NOT NULL, size INTEGER NOT NULL, etag TEXT NOT NULL,
        modified INTEGER NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS landline_uploads (
        id TEXT PRIMARY KEY, key TEXT NOT NULL, facts TEXT NOT NULL
    ) WITHOUT ROWID;
    CREATE TABLE IF NOT EXISTS landline_parts (
        upload TEXT NOT NULL, number INTEGER NOT NULL, content TEXT NOT NULL,
        size INTEGER NOT NULL, etag TEXT NOT NULL, modified INTEGER NOT NULL,
        PRIMARY KEY (upload, number)
    ) WITHOUT ROWID;";

/// An object, but for its bytes.
#[derive(Clone)]
pub(super) struct Object {
    pub(super) key: String,
    /// Where its bytes are.
    pub(super) content: String,
    pub(super) size: u64,
    /// Without its quotes.
    pub(super) etag: String,
    pub(super) modified: Timestamp,
    pub(super) facts: Facts,
}

/// A part of an upload.
#[derive(Clone)]
pub(super) struct Part {
    pub(super) number: i32,
    pub(super) content: String,
    pub(super) size: u64,
    pub(super) etag: String,
    pub(super) modified: Timestamp,
}

pub(super) struct Index {
    shared: Shared,
    ambient: Ambient,
}

/// Makes the event of an object that was written, by the number that it has in the queue.
pub(super) type ToEvent<'a> = &'a dyn Fn(&Object, i64) -> Value;

impl Index {
    pub(super) fn new(storage: Storage, ambient: Ambient) -> rusqlite::Result<Self> {
        storage.conn().execute_batch(TABLES)?;
        storage.conn().execute_batch(QUEUE)?;
        Ok(Self { shared: Shared::new(storage), ambient })
    }

    /// The queue of events beside it.
    pub(super) fn shared(&self) -> Shared {
        self.shared.clone()
    }

    pub(super) fn get(&self, key: &str) -> S3Result<Option<Object>> {
        read(self.shared.lock().conn(), key).map_err(broken)
    }

    /// Write an object where `check` allows it over the one that is there, together with its event,
    /// if it has one, and with the end of the upload that it comes from. Gives the contents that
    /// nobody needs any more.
    pub(super) fn put(
        &self,
        object: &Object,
        upload: Option<&str>,
        event: Option<ToEvent<'_>>,
        check: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<Vec<String>> {
        let mut storage = self.shared.lock();
        let begun = storage.conn_mut().transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(broken)?;
        let before = read(&transaction, &object.key).map_err(broken)?;
        check(before.as_ref())?;
        let mut left: Vec<_> = before.map(|before| before.content).into_iter().collect();
        if let Some(upload) = upload {
            left.extend(end(&transaction, upload).map_err(broken)?.ok_or_else(no_upload)?);
        }
        write(&transaction, object).map_err(broken)?;
        if let Some(event) = event {
            enqueue(&transaction, &self.ambient, |id| event(object, id)).map_err(broken)?;
        }
        transaction.commit().map_err(broken)?;
        Ok(left)
    }

    /// Delete an object where `check` allows it. Gives the content that nobody needs any more.
    pub(super) fn delete(
        &self,
        key: &str,
        check: impl FnOnce(Option<&Object>) -> S3Result<()>,
    ) -> S3Result<Option<String>> {
        let mut storage = self.shared.lock();
        let begun = storage.conn_mut().transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(broken)?;
        let before = read(&transaction, key).map_err(broken)?;
        check(before.as_ref())?;
        let delete = "DELETE FROM landline_objects WHERE key = ?1";
        transaction.execute(delete, [key]).map_err(broken)?;
        transaction.commit().map_err(broken)?;
        Ok(before.map(|before| before.content))
    }

    /// The objects under a prefix from behind a key on, in the order of their keys' bytes, as long as
    /// `take` wants them.
    pub(super) fn list(
        &self,
        prefix: &str,
        after: &str,
        mut take: impl FnMut(Object) -> bool,
    ) -> S3Result<()> {
        let list = "SELECT key, content, size, etag, modified, facts FROM landline_objects
            WHERE key >= ?1 AND key > ?2 ORDER BY key";
        let storage = self.shared.lock();
        let mut list = storage.conn().prepare(list).map_err(broken)?;
        let objects = list.query_map([prefix, after], object).map_err(broken)?;
        for object in objects {
            let object = object.map_err(broken)?;
            if !object.key.starts_with(prefix) || !take(object) {
                break;
            }
        }
        Ok(())
    }

    pub(super) fn begin(&self, key: &str, facts: &Facts) -> S3Result<String> {
        let id = self.ambient.new_id().to_string();
        let insert = "INSERT INTO landline_uploads (id, key, facts) VALUES (?1, ?2, ?3)";
        let storage = self.shared.lock();
        storage.conn().execute(insert, params![id, key, text(facts)]).map_err(broken)?;
        Ok(id)
    }

    /// What the object of an upload will say of itself.
    pub(super) fn upload(&self, id: &str, key: &str) -> S3Result<Facts> {
        facts(self.shared.lock().conn(), id, key)
    }

    /// Gives the content that nobody needs any more.
    pub(super) fn put_part(&self, id: &str, key: &str, part: &Part) -> S3Result<Option<String>> {
        let mut storage = self.shared.lock();
        let begun = storage.conn_mut().transaction_with_behavior(TransactionBehavior::Immediate);
        let transaction = begun.map_err(broken)?;
        facts(&transaction, id, key)?;
        let select = "SELECT content FROM landline_parts WHERE upload = ?1 AND number = ?2";
        let before = transaction.query_row(select, params![id, part.number], |row| row.get(0));
        let before = before.optional().map_err(broken)?;
        let write = "INSERT OR REPLACE INTO landline_parts VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        let Part { number, content, etag, .. } = part;
        let modified = part.modified.unix_millis();
        let values = params![id, number, content, part.size.cast_signed(), etag, modified];
        transaction.execute(write, values).map_err(broken)?;
        transaction.commit().map_err(broken)?;
        Ok(before)
    }

    /// In the order of their numbers.
    pub(super) fn parts(&self, id: &str, key: &str) -> S3Result<Vec<Part>> {
        self.upload(id, key)?;
        let select = "SELECT number, content, size, etag, modified FROM landline_parts
            WHERE upload = ?1 ORDER BY number";
        let storage = self.shared.lock();
        let mut select = storage.conn().prepare(select).map_err(broken)?;
        let parts = select.query_map([id], |row| {
            Ok(Part {
                number: row.get(0)?,
                content: row.get(1)?,
                size: row.get::<_, i64>(2)?.cast_unsigned(),
                etag: row.get(3)?,
                modified: Timestamp::from_unix_millis(row.get(4)?),
            })
        });
        parts.map_err(broken)?.collect::<rusqlite::Result<_>>().map_err(broken)
    }

    /// Gives the contents that nobody needs any more.
    pub(super) fn abort(&self, id: &str, key: &str) -> S3Result<Vec<String>> {
        self.upload(id, key)?;
        let mut storage = self.shared.lock();
        let transaction = storage.conn_mut().transaction().map_err(broken)?;
        let left = end(&transaction, id).map_err(broken)?.ok_or_else(no_upload)?;
        transaction.commit().map_err(broken)?;
        Ok(left)
    }

    /// All contents that somebody needs.
    pub(super) fn contents(&self) -> rusqlite::Result<HashSet<String>> {
        let all = "SELECT content FROM landline_objects UNION SELECT content FROM landline_parts";
        let storage = self.shared.lock();
        let mut all = storage.conn().prepare(all)?;
        all.query_map([], |row| row.get(0))?.collect()
    }
}

fn read(connection: &Connection, key: &str) -> rusqlite::Result<Option<Object>> {
    let select = "SELECT key, content, size, etag, modified, facts FROM landline_objects
        WHERE key = ?1";
    connection.query_row(select, [key], object).optional()
}

fn write(connection: &Connection, object: &Object) -> rusqlite::Result<usize> {
    let write = "INSERT OR REPLACE INTO landline_objects VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
    let Object { key, content, etag, facts, .. } = object;
    let (size, modified) = (object.size.cast_signed(), object.modified.unix_millis());
    connection.execute(write, params![key, content, size, etag, modified, text(facts)])
}

/// Remove an upload. Gives the contents of its parts; `None` when there is no such upload.
fn end(connection: &Connection, upload: &str) -> rusqlite::Result<Option<Vec<String>>> {
    let mut parts =
        connection.prepare("DELETE FROM landline_parts WHERE upload = ?1 RETURNING content")?;
    let contents = parts.query_map([upload], |row| row.get(0))?.collect::<rusqlite::Result<_>>()?;
    let ended = connection.execute("DELETE FROM landline_uploads WHERE id = ?1", [upload])?;
    Ok((ended > 0).then_some(contents))
}

fn object(row: &Row<'_>) -> rusqlite::Result<Object> {
    let facts = row.get::<_, String>(5)?;
    Ok(Object {
        key: row.get(0)?,
        content: row.get(1)?,
        size: row.get::<_, i64>(2)?.cast_unsigned(),
        etag: row.get(3)?,
        modified: Timestamp::from_unix_millis(row.get(4)?),
        facts: serde_json::from_str(&facts).map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(5, rusqlite::types::Type::Text, error.into())
        })?,
    })
}

fn text(facts: &Facts) -> String {
    serde_json::to_string(facts).expect("texts are JSON")
}

fn facts(connection: &Connection, id: &str, key: &str) -> S3Result<Facts> {
    let select = "SELECT facts FROM landline_uploads WHERE id = ?1 AND key = ?2";
    let facts = connection.query_row(select, [id, key], |row| row.get::<_, String>(0));
    let facts = facts.optional().map_err(broken)?.ok_or_else(no_upload)?;
    serde_json::from_str(&facts).map_err(broken)
}

fn no_upload() -> S3Error {
    s3_error!(NoSuchUpload, "The upload is over, was aborted, or is of another key.")
}

/// The file cannot be used. A client is told so, and the log has the reason.
pub(super) fn broken(error: impl std::error::Error + Send + Sync + 'static) -> S3Error {
    tracing::error!(%error, "the embedded bucket has failed");
    S3Error::internal_error(error)
}
