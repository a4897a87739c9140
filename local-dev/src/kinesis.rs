//! The streams of Kinesis that modules listen to. Each has one shard: what is put waits in the
//! store's own file until the events function has taken it.

use std::error::Error;

use base64::{Engine, prelude::BASE64_STANDARD};
use dynoxide::storage::Storage;
use models::{Timestamp, aws::Access};
use rusqlite::{Row, params};
use serde_json::{Number, json};

use crate::{
    function::Function,
    mapping::{Entry, Shard},
};

/// What waits. A number is given once.
pub(crate) const RECORDS: &str = "
    CREATE TABLE IF NOT EXISTS landline_records (
        number INTEGER PRIMARY KEY AUTOINCREMENT,
        stream TEXT NOT NULL,
        partition_key TEXT NOT NULL,
        data BLOB NOT NULL,
        arrived_at INTEGER NOT NULL
    );
    CREATE INDEX IF NOT EXISTS landline_records_in_order ON landline_records (stream, number);";

const SHARD: &str = "shardId-000000000000";

/// The one shard of a stream.
pub(crate) struct OnlyShard {
    stream: &'static str,
    storage: Storage,
    /// The last record that nobody needs to see again.
    place: i64,
}

impl OnlyShard {
    /// From its first record that nobody has passed.
    pub(crate) fn new(stream: &'static str, storage: Storage) -> Self {
        Self { stream, storage, place: 0 }
    }

    /// As Lambda's poller hands it on
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-kinesis.html>).
    fn entry(&self, row: &Row<'_>) -> rusqlite::Result<Entry> {
        let (sequence_number, millis) = (sequence_number(row.get(0)?), row.get::<_, i64>(3)?);
        let seconds = Number::from_f64(millis as f64 / 1000.0);
        let record = json!({
            "kinesis": {
                "kinesisSchemaVersion": "1.0",
                "partitionKey": row.get::<_, String>(1)?,
                "sequenceNumber": sequence_number,
                "data": BASE64_STANDARD.encode(row.get::<_, Vec<u8>>(2)?),
                "approximateArrivalTimestamp": seconds,
            },
            "eventSource": "aws:kinesis",
            "eventVersion": "1.0",
            "eventID": format!("{SHARD}:{sequence_number}"),
            "eventName": "aws:kinesis:record",
            "invokeIdentityArn": "arn:aws:iam::000000000000:role/landline-local-events",
            "awsRegion": Access::embedded().region,
            "eventSourceARN": self.arn(),
        });
        let arrived_at = Timestamp::from_unix_millis(millis);
        Ok(Entry { sequence_number, arrived_at, record })
    }
}

/// 56 digits, as Kinesis gives them.
pub(crate) fn sequence_number(number: i64) -> String {
    format!("49{number:054}")
}

impl Shard for OnlyShard {
    const BATCH_INFO: &str = "KinesisBatchInfo";
    const LOOK: usize = Function::BATCH_SIZE;

    fn next(&self, most: usize) -> Result<Vec<Entry>, Box<dyn Error>> {
        let mut query = self.storage.conn().prepare_cached(
            "SELECT number, partition_key, data, arrived_at FROM landline_records
             WHERE stream = ?1 AND number > ?2 ORDER BY number LIMIT ?3",
        )?;
        let from = params![self.stream, self.place, most as i64];
        let entries = query.query_map(from, |row| self.entry(row))?;
        Ok(entries.collect::<Result<_, _>>()?)
    }

    fn pass(&mut self, sequence_number: &str) {
        self.place = sequence_number[2..].parse().unwrap_or(self.place);
        let delete = "DELETE FROM landline_records WHERE stream = ?1 AND number <= ?2";
        if let Err(error) = self.storage.conn().execute(delete, params![self.stream, self.place]) {
            tracing::warn!(%error, stream = self.stream, "records cannot be passed");
        }
    }

    fn arn(&self) -> String {
        let region = Access::embedded().region;
        format!("arn:aws:kinesis:{region}:000000000000:stream/{}", self.stream)
    }

    fn id(&self) -> &str {
        SHARD
    }
}
