//! What an event source mapping of Lambda is in the cloud: it reads the table's stream, or one of
//! Kinesis, and calls the events function, here in this process, with exactly the events of AWS; what
//! fails comes again.

use std::{error::Error, time::Duration};

use api::events::{Answer, FailureStoreError};
use models::Timestamp;
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::{sync::oneshot, time::timeout};

use crate::{
    discarded::{self, mapping_id},
    function::Function,
};

/// How often a source without news is looked at. Lambda does so four times a second.
pub(crate) const PAUSE: Duration = Duration::from_millis(250);
/// Lambda ends a batch before the event has more than 6 MB.
pub(crate) const LONGEST_EVENT: usize = 6_000_000;
/// Between attempts, doubled from one to the next up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// One shard of a stream, from where it was left.
pub(crate) trait Shard {
    /// How an invocation record calls what it says of a batch.
    const BATCH_INFO: &str;
    /// So many records are looked at for those that the filter lets through.
    const LOOK: usize;

    /// The next records, so many at most.
    fn next(&self, most: usize) -> Result<Vec<Entry>, Box<dyn Error>>;

    /// Whether the mapping's filter lets it through.
    fn is_wanted(&self, _: &Entry) -> bool {
        true
    }

    /// Nobody needs to see this record again, nor those before it. When this cannot be written down
    /// they come again after a restart, as with AWS when a function dies.
    fn pass(&mut self, sequence_number: &str);

    /// The stream, as AWS names it.
    fn arn(&self) -> String;

    /// The shard's id.
    fn id(&self) -> &str;
}

/// A record of a stream.
pub(crate) struct Entry {
    pub(crate) sequence_number: String,
    pub(crate) arrived_at: Timestamp,
    /// As Lambda's poller hands it on.
    pub(crate) record: Value,
}

/// Calls the event handlers with what is in a shard, in order.
pub(crate) struct Mapping<S> {
    shard: S,
    function: Function,
    /// How often the first record of what is next has failed, and how many are sent with it.
    failed: u32,
    most: usize,
}

impl<S: Shard> Mapping<S> {
    pub(crate) fn new(shard: S, function: Function) -> Self {
        Self { shard, function, failed: 0, most: Function::BATCH_SIZE }
    }

    /// Deliver what comes, until `stopped` and what is being delivered then.
    pub(crate) async fn follow(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let has_news = self.step().await;
            let pause = match self.failed {
                0 if has_news => Duration::ZERO,
                0 => PAUSE,
                failed => pause_after(failed),
            };
            if timeout(pause, &mut stopped).await.is_ok() {
                return;
            }
        }
    }

    /// One call, or none where there is nothing to tell. Whether there was something.
    async fn step(&mut self) -> bool {
        let mut batch = match self.shard.next(S::LOOK) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!(error, arn = self.shard.arn(), "a stream cannot be read");
                return false;
            }
        };
        let Some(last) = batch.last().map(|last| last.sequence_number.clone()) else {
            return false;
        };
        batch.retain(|entry| self.shard.is_wanted(entry));
        let fitting = fitting(&batch).min(self.most);
        let is_whole = batch.len() <= fitting;
        batch.truncate(fitting);
        if batch.is_empty() {
            self.shard.pass(&last);
            return true;
        }
        match self.first_failed(&batch).await {
            None => {
                let end = &batch[batch.len() - 1].sequence_number;
                self.shard.pass(if is_whole { &last } else { end });
                (self.failed, self.most) = (0, Function::BATCH_SIZE);
            }
            Some(Unhandled { from: 0, how }) => self.fail(&batch, how).await,
            Some(Unhandled { from, .. }) => {
                self.shard.pass(&batch[from - 1].sequence_number);
                (self.failed, self.most) = (1, Function::BATCH_SIZE);
            }
        }
        true
    }

    /// Call the function, and read its answer as Lambda does: nothing named is success, and what it
    /// does not know is a failure of all. (`&mut`, since a connection is not for two threads.)
    async fn first_failed(&mut self, batch: &[Entry]) -> Option<Unhandled> {
        match self.function.invoke(event(batch)).await {
            Ok(Answer::Batch { failures }) => {
                let first = failures.first()?;
                let mut numbers = batch.iter().map(|entry| &entry.sequence_number);
                let from = numbers.position(|number| *number == first.item_identifier);
                let how = if from.is_some() { How::Named } else { How::Unknown };
                Some(Unhandled { from: from.unwrap_or_default(), how })
            }
            Ok(_) => None,
            Err(_) => Some(Unhandled { from: 0, how: How::CallFailed }),
        }
    }

    /// The first record has failed, or the whole batch, which is then halved
    /// (`BisectBatchOnFunctionError`). One that has had all its attempts goes to the failures.
    async fn fail(&mut self, batch: &[Entry], how: How) {
        if how != How::Named && batch.len() > 1 {
            self.most = batch.len() / 2;
            return;
        }
        self.failed += 1;
        if self.failed <= Function::MAXIMUM_RECORD_RETRIES {
            return;
        }
        if let Err(error) = self.give_up(&batch[..1], how).await {
            tracing::error!(%error, "a record is not kept, so it comes again");
            return;
        }
        self.shard.pass(&batch[0].sequence_number);
        (self.failed, self.most) = (0, Function::BATCH_SIZE);
    }

    /// As Lambda tells a failure destination in S3
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>, and for
    /// Kinesis <https://docs.aws.amazon.com/lambda/latest/dg/kinesis-on-failure-destination.html>).
    async fn give_up(&mut self, batch: &[Entry], how: How) -> Result<(), FailureStoreError> {
        let Function { ambient, failures, .. } = &self.function;
        let Entry { sequence_number: number, arrived_at, .. } = &batch[0];
        let (now, arn) = (ambient.now(), self.shard.arn());
        let content = json!({
            "requestContext": {
                "requestId": ambient.new_id(),
                "functionArn": Function::ARN,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": self.failed,
            },
            "responseContext": discarded::response_context(how == How::CallFailed),
            "version": "1.0",
            "timestamp": now,
            S::BATCH_INFO: {
                "shardId": self.shard.id(),
                "startSequenceNumber": number,
                "endSequenceNumber": number,
                "approximateArrivalOfFirstRecord": arrived_at,
                "approximateArrivalOfLastRecord": arrived_at,
                "batchSize": 1,
                "streamArn": arn,
            },
            "payload": event(batch).get(),
        });
        let folder = format!("{}/{}", mapping_id(&arn), self.shard.id());
        let key = discarded::key(&folder, ambient);
        tracing::error!(key, number, "a record is given up");
        failures.put(&key, content.to_string().into_bytes()).await
    }
}

/// How many of them go into one event; one does, however long it is.
fn fitting(batch: &[Entry]) -> usize {
    let mut length = 0;
    let fits = |entry: &&Entry| {
        length += entry.record.to_string().len();
        length <= LONGEST_EVENT
    };
    batch.iter().take(Function::BATCH_SIZE).take_while(fits).count().max(1)
}

/// The event of some records.
fn event(batch: &[Entry]) -> Box<RawValue> {
    let records: Vec<_> = batch.iter().map(|entry| &entry.record).collect();
    to_raw_value(&json!({ "Records": records })).expect("JSON can be written")
}

/// Before what has failed so often is tried again.
pub(crate) fn pause_after(failed: u32) -> Duration {
    LONGEST_PAUSE.min(PAUSE * 2_u32.saturating_pow(failed.saturating_sub(1)))
}

/// From where on records were not handled.
struct Unhandled {
    from: usize,
    how: How,
}

/// How that is known.
#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// The answer names the first one.
    Named,
    /// The answer names what was not sent: then it may be any.
    Unknown,
    /// There is no answer: any, too.
    CallFailed,
}

#[cfg(test)]
mod tests;
