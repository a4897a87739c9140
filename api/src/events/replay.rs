//! What was set aside, sent again: each record to the handler that has failed.

use std::sync::Arc;

use models::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::{
    Value, json,
    value::{RawValue, to_raw_value},
};
use tokio::time::Instant;
use tracing::{info, warn};

use super::{
    Answer, Events, FailureStoreError, Refused, SetAside,
    batch::{Incoming, Source},
    event::Event,
    runner::{Occasion, Time},
};

/// What a replay has come to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Replayed {
    /// How many are handled by now, and gone from the failures.
    pub replayed: usize,
    /// The names of those that have failed again, or cannot be read. They stay.
    pub failed: Vec<String>,
    /// How many there was no time for. They stay.
    pub left: usize,
}

/// What Lambda itself puts into the bucket for an event that it gives up: an invocation record
/// (Lambda Developer Guide, "Retaining records of asynchronous invocations" and "Retain discarded
/// batch records"). Of streams the event is its `payload`, as text too; of others `requestPayload`.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct InvocationRecord {
    #[serde(alias = "requestPayload")]
    payload: Value,
}

impl Events {
    /// Send what is among the failures under a prefix again; `failures/` is all that was set aside,
    /// `failures/orders.charge_card/` what one handler has failed at, and `aws/lambda/` what Lambda
    /// itself gave up. What is handled is removed. `until` is when the time is over; after a quarter
    /// of an hour where nobody says.
    ///
    /// # Errors
    /// [`Refused::Unreachable`] when the failures cannot be listed.
    pub async fn replay(
        &self,
        prefix: &str,
        until: Option<Timestamp>,
    ) -> Result<Replayed, Refused> {
        let time = self.time(until);
        let keys = self.failures().list(prefix).await;
        let keys = keys.map_err(|error| Refused::Unreachable(error.to_string()))?;
        let mut outcome = Replayed { replayed: 0, failed: Vec::new(), left: 0 };
        for key in keys {
            if Instant::now() >= time.handlers {
                outcome.left += 1;
                continue;
            }
            match self.replay_one(&key, time).await {
                Ok(true) => outcome.replayed += 1,
                Ok(false) => outcome.failed.push(key),
                Err(error) => {
                    warn!(key, %error, "a failure was not replayed");
                    outcome.failed.push(key);
                }
            }
        }
        let (replayed, failed, left) = (outcome.replayed, outcome.failed.len(), outcome.left);
        info!(replayed, failed, left, "replayed");
        Ok(outcome)
    }

    async fn replay_one(&self, key: &str, time: Time) -> Result<bool, FailureStoreError> {
        let content = self.failures().get(key).await?;
        let handled = if let Ok(set_aside) = serde_json::from_slice::<SetAside>(&content) {
            self.again(&set_aside, time).await
        } else if let Ok(record) = serde_json::from_slice::<InvocationRecord>(&content) {
            self.given_up(record, time).await
        } else {
            return Err(FailureStoreError::Unreadable(key.to_owned()));
        };
        match handled {
            Ok(true) => self.failures().remove(key).await.map(|()| true),
            Ok(false) => Ok(false),
            Err(error) => {
                warn!(key, %error, "a failure was not replayed");
                Ok(false)
            }
        }
    }

    /// One record, and the handler that has failed at it.
    async fn again(&self, set_aside: &SetAside, time: Time) -> Result<bool, Refused> {
        let event = if set_aside.source == Source::EventBridge.name() {
            set_aside.record.clone()
        } else {
            raw(&json!({ "Records": [set_aside.record] }))
        };
        let batch = Arc::new(self.declared().records(Event::read(event.get())?)?);
        let SetAside { handler, request_id, .. } = set_aside;
        let listeners = self.declared().listeners;
        let is_its = |record: &Incoming| {
            record.listeners.iter().any(|place| *listeners[*place].name == **handler)
        };
        if !batch.records.iter().all(is_its) {
            return Err(Refused::Undeclared(format!("`{handler}` for such a record")));
        }
        let run = self.begin(event.get(), request_id, time, Occasion::SetAside(handler));
        Ok(self.run(&batch, &run).await.is_empty())
    }

    /// A whole event, for all that listen to it. What was done before is not done again.
    async fn given_up(&self, record: InvocationRecord, time: Time) -> Result<bool, Refused> {
        let event = match record.payload {
            Value::String(text) => RawValue::from_string(text)
                .map_err(|_| Refused::Malformed("its payload is not JSON".to_owned()))?,
            event => raw(&event),
        };
        let event = event.get();
        match Event::read(event)? {
            // What it was to replay is there still.
            Event::Replay(_) => Ok(true),
            read => {
                let run = self.begin(event, "replay", time, Occasion::GivenUp);
                match self.handle(read, &run).await? {
                    Answer::Batch { failures } => Ok(failures.is_empty()),
                    _ => Ok(true),
                }
            }
        }
    }
}

fn raw(event: &Value) -> Box<RawValue> {
    to_raw_value(event).expect("JSON is JSON")
}
