//! The stream of a table in the embedded store, from where it was read before: across restarts too,
//! where the store is a file.

use std::error::Error;

use dynoxide::{
    Database,
    actions::{
        describe_stream::DescribeStreamRequest,
        get_records::{GetRecordsRequest, Record},
        get_shard_iterator::GetShardIteratorRequest,
        list_streams::ListStreamsRequest,
    },
    storage::Storage,
};
use models::{Timestamp, aws::Access};
use serde_json::json;

use crate::{
    filter::Filter,
    mapping::{Entry, Shard},
};

/// Who keeps the place: the store itself, so that it and the records are never apart.
pub(crate) const PLACE: &str = "
    CREATE TABLE IF NOT EXISTS landline_events (of INTEGER PRIMARY KEY, place TEXT NOT NULL);";

/// A place in a table's stream.
pub(crate) struct Stream {
    database: Database,
    table: String,
    arn: String,
    shard: String,
    /// The last record that nobody needs to see again.
    place: Option<String>,
    kept: Option<Storage>,
    filter: Filter,
}

impl Stream {
    /// From where it was left, or else from its beginning: what was committed and not delivered is
    /// owed. `None` when the table has no stream.
    pub(crate) fn of(
        database: Database,
        table: &str,
        kept: Option<Storage>,
        filter: Filter,
    ) -> dynoxide::Result<Option<Self>> {
        let request =
            ListStreamsRequest { table_name: Some(table.to_owned()), ..Default::default() };
        let Some(stream) = database.list_streams(request)?.streams.pop() else { return Ok(None) };
        let arn = stream.stream_arn;
        let request = DescribeStreamRequest { stream_arn: arn.clone(), ..Default::default() };
        let shard = database.describe_stream(request)?.stream_description.shards.pop();
        let Some(shard) = shard.map(|shard| shard.shard_id) else { return Ok(None) };
        let place = match &kept {
            Some(kept) => {
                let query = "SELECT max(place) FROM landline_events";
                let read = kept.conn().query_row(query, [], |row| row.get::<_, Option<String>>(0));
                read.map_err(|error| {
                    dynoxide::DynoxideError::InternalServerError(error.to_string())
                })?
            }
            None => None,
        };
        let table = table.to_owned();
        Ok(Some(Self { database, table, arn, shard, place, kept, filter }))
    }

    fn records(&self, most: usize) -> dynoxide::Result<Vec<Record>> {
        let from = if self.place.is_some() { "AFTER_SEQUENCE_NUMBER" } else { "TRIM_HORIZON" };
        let request = GetShardIteratorRequest {
            stream_arn: self.arn.clone(),
            shard_id: self.shard.clone(),
            shard_iterator_type: from.to_owned(),
            sequence_number: self.place.clone(),
        };
        let iterator = self.database.get_shard_iterator(request)?.shard_iterator;
        let Some(shard_iterator) = iterator else { return Ok(Vec::new()) };
        let request = GetRecordsRequest { shard_iterator, limit: Some(most) };
        Ok(self.database.get_records(request)?.records)
    }

    /// As Lambda's poller hands it on
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/with-ddb.html>).
    fn entry(&self, record: &Record) -> Entry {
        let sequence_number = record.dynamodb.sequence_number.clone();
        let mut record = serde_json::to_value(record).unwrap_or_default();
        record["awsRegion"] = json!(Access::embedded().region);
        record["eventSourceARN"] = json!(self.arn());
        let told = record["dynamodb"]["ApproximateCreationDateTime"].as_f64().unwrap_or_default();
        let arrived_at = Timestamp::from_unix_millis((told * 1000.0) as i64);
        Entry { sequence_number, arrived_at, record }
    }
}

impl Shard for Stream {
    const BATCH_INFO: &str = "DDBStreamBatchInfo";
    /// What nobody listens to is passed over by so many.
    const LOOK: usize = 1000;

    fn next(&self, most: usize) -> Result<Vec<Entry>, Box<dyn Error>> {
        Ok(self.records(most)?.iter().map(|record| self.entry(record)).collect())
    }

    fn is_wanted(&self, entry: &Entry) -> bool {
        self.filter.lets_through(&entry.record)
    }

    fn pass(&mut self, sequence_number: &str) {
        if let Some(kept) = &self.kept {
            let write = "INSERT INTO landline_events (of, place) VALUES (1, ?1)
                 ON CONFLICT (of) DO UPDATE SET place = excluded.place";
            if let Err(error) = kept.conn().execute(write, [sequence_number]) {
                tracing::warn!(%error, "the place in the table's stream is not kept");
            }
        }
        self.place = Some(sequence_number.to_owned());
    }

    /// The region is not the embedded store's.
    fn arn(&self) -> String {
        let (region, label) = (Access::embedded().region, self.arn.rsplit('/').next());
        let (table, label) = (&self.table, label.unwrap_or_default());
        format!("arn:aws:dynamodb:{region}:000000000000:table/{table}/stream/{label}")
    }

    fn id(&self) -> &str {
        &self.shard
    }
}
