//! What an event source mapping of Lambda is in the cloud: it reads the table's stream and calls the
//! events function, here in this process, with exactly the events of AWS; what fails comes again.

use std::time::Duration;

use api::events::{Answer, Events, FailureStore, Trigger};
use dynoxide::{
    actions::get_records::Record,
    types::{AttributeValue, Item},
};
use lambda_runtime::{Context, LambdaEvent};
use models::Ambient;
use serde_json::{
    json,
    value::{RawValue, to_raw_value},
};
use tokio::{sync::oneshot, time::timeout};

use crate::stream::Stream;

/// How often a stream without news is looked at. Lambda does so four times a second.
const PAUSE: Duration = Duration::from_millis(250);
/// As deploy/template.yaml says of the mapping: `BatchSize`, `MaximumRetryAttempts`, `Timeout`.
const BATCH: usize = 25;
const MOST_RETRIES: u32 = 20;
const TIME: Duration = Duration::from_secs(120);
/// Between attempts, doubled from one to the next up to this.
const LONGEST_PAUSE: Duration = Duration::from_secs(30);
/// Records that nobody listens to are passed over by so many.
const LOOK: usize = 1000;
/// The function that is called.
pub(crate) const FUNCTION: &str =
    "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events";

/// Calls the event handlers with what changes in the table, in order.
pub(crate) struct Mapping {
    pub(crate) stream: Stream,
    pub(crate) events: Events,
    pub(crate) failures: FailureStore,
    pub(crate) ambient: Ambient,
    /// The kinds that somebody listens to: the mapping's filter.
    kinds: Vec<&'static str>,
    /// How often the first record of what is next has failed, and how many are sent with it.
    failed: u32,
    most: usize,
}

impl Mapping {
    pub(crate) fn new(
        stream: Stream,
        events: Events,
        failures: FailureStore,
        ambient: Ambient,
    ) -> Self {
        let modules = api::route_table();
        let listeners = modules.iter().flat_map(|module| module.listeners());
        let kinds = listeners.filter_map(|listener| match listener.trigger {
            Trigger::Change(kind) => Some(kind),
            _ => None,
        });
        let kinds = kinds.collect();
        Self { stream, events, failures, ambient, kinds, failed: 0, most: BATCH }
    }

    /// Deliver what changes, until `stopped` and what is being delivered then.
    pub(crate) async fn follow(mut self, mut stopped: oneshot::Receiver<()>) {
        loop {
            let has_news = self.step().await;
            let pause = match self.failed {
                0 if has_news => Duration::ZERO,
                0 => PAUSE,
                failed => LONGEST_PAUSE.min(PAUSE * 2_u32.saturating_pow(failed - 1)),
            };
            if timeout(pause, &mut stopped).await.is_ok() {
                return;
            }
        }
    }

    /// One call, or none where there is nothing to tell. Whether there was something.
    async fn step(&mut self) -> bool {
        let records = match self.stream.next(LOOK) {
            Ok(records) => records,
            Err(error) => {
                tracing::warn!(%error, "the table's stream cannot be read");
                return false;
            }
        };
        let Some(last) = records.last().map(|last| last.dynamodb.sequence_number.clone()) else {
            return false;
        };
        let mut batch = records;
        batch.retain(|record| self.is_listened_to(record));
        let is_whole = batch.len() <= self.most;
        batch.truncate(self.most);
        if batch.is_empty() {
            self.stream.pass(&last);
            return true;
        }
        match self.first_failed(&batch).await {
            None => {
                let end = &batch[batch.len() - 1].dynamodb.sequence_number;
                self.stream.pass(if is_whole { &last } else { end });
                (self.failed, self.most) = (0, BATCH);
            }
            Some(Unhandled { from: 0, whole }) => self.fail(&batch, whole).await,
            Some(Unhandled { from, .. }) => {
                self.stream.pass(&batch[from - 1].dynamodb.sequence_number);
                (self.failed, self.most) = (1, BATCH);
            }
        }
        true
    }

    fn is_listened_to(&self, record: &Record) -> bool {
        let images = [&record.dynamodb.new_image, &record.dynamodb.old_image];
        let mut kinds = images.into_iter().flatten().filter_map(kind);
        kinds.any(|kind| self.kinds.contains(&kind))
    }

    /// Call the function, and read its answer as Lambda does: nothing named is success, and what it
    /// does not know is a failure of all.
    async fn first_failed(&mut self, batch: &[Record]) -> Option<Unhandled> {
        let payload = to_raw_value(&self.stream.event(batch)).expect("JSON can be written");
        let answer = invoke(&self.events, &self.ambient, payload).await;
        match answer {
            Ok(Answer::Batch { failures }) => {
                let first = failures.first()?;
                let mut numbers = batch.iter().map(|record| &record.dynamodb.sequence_number);
                let from = numbers.position(|number| *number == first.item_identifier);
                Some(Unhandled { from: from.unwrap_or_default(), whole: from.is_none() })
            }
            Ok(_) => None,
            Err(_) => Some(Unhandled { from: 0, whole: true }),
        }
    }

    /// The first record has failed, or the whole batch, which is then halved
    /// (`BisectBatchOnFunctionError`). One that has had all its attempts goes to the failures.
    async fn fail(&mut self, batch: &[Record], whole: bool) {
        if whole && batch.len() > 1 {
            self.most = batch.len() / 2;
            return;
        }
        self.failed += 1;
        if self.failed <= MOST_RETRIES {
            return;
        }
        if let Err(error) = self.give_up(&batch[0]).await {
            tracing::error!(%error, "a record is not kept, so it comes again");
            return;
        }
        self.stream.pass(&batch[0].dynamodb.sequence_number);
        (self.failed, self.most) = (0, BATCH);
    }

    /// As Lambda tells a failure destination in S3
    /// (<https://docs.aws.amazon.com/lambda/latest/dg/services-dynamodb-errors.html>).
    async fn give_up(&mut self, record: &Record) -> Result<(), api::events::FailureStoreError> {
        let number = &record.dynamodb.sequence_number;
        let event = self.stream.event(std::slice::from_ref(record));
        let content = json!({
            "requestContext": {
                "requestId": self.ambient.new_id(),
                "functionArn": FUNCTION,
                "condition": "RetryAttemptsExhausted",
                "approximateInvokeCount": self.failed,
            },
            "version": "1.0",
            "timestamp": self.ambient.now(),
            "DDBStreamBatchInfo": {
                "shardId": self.stream.shard(),
                "startSequenceNumber": number,
                "endSequenceNumber": number,
                "batchSize": 1,
                "streamArn": self.stream.arn(),
            },
            "payload": event.to_string(),
        });
        let key = format!("aws/lambda/{}/{number}.json", self.stream.shard());
        tracing::error!(key, "a record is given up");
        self.failures.put(&key, content.to_string().into_bytes()).await
    }
}

/// From where on records were not handled, and whether nobody knows which.
struct Unhandled {
    from: usize,
    whole: bool,
}

/// Why a call of the function has failed. The function logs it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It says so.
    #[error("{0}")]
    Refused(String),
    /// Its time was over, or it panicked.
    #[error("it did not end in its time")]
    Ended,
}

/// Call the events function in this process: in a task of its own, as Lambda would.
pub(crate) async fn invoke(
    events: &Events,
    ambient: &Ambient,
    payload: Box<RawValue>,
) -> Result<Answer, CallError> {
    invoke_as(&ambient.new_id().to_string(), events, ambient, payload).await
}

/// [`invoke`] it under a request id, which all attempts of an asynchronous invocation share.
pub(crate) async fn invoke_as(
    request_id: &str,
    events: &Events,
    ambient: &Ambient,
    payload: Box<RawValue>,
) -> Result<Answer, CallError> {
    let mut context = Context::default();
    request_id.clone_into(&mut context.request_id);
    context.deadline = ambient.now().plus(TIME).unix_millis().unsigned_abs();
    FUNCTION.clone_into(&mut context.invoked_function_arn);
    let call = events.invoke(LambdaEvent::new(payload, context));
    match timeout(TIME, call).await {
        Ok(Ok(answer)) => Ok(answer),
        Ok(Err(refused)) => Err(CallError::Refused(refused.to_string())),
        Err(_) => Err(CallError::Ended),
    }
}

fn kind(item: &Item) -> Option<&str> {
    match item.get("kind")? {
        AttributeValue::S(kind) => Some(kind),
        _ => None,
    }
}
