//! All records of an event through their handlers, and the answer in the form of its source.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use futures_util::future::join_all;
use lambda_runtime::LambdaEvent;
use models::{Ambient, Timestamp, platform::config::Config, store::Store};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use tokio::time::Instant;
use tracing::{Instrument, error, info, info_span};

use super::{
    DeclarationsError, FailureStore, Listener, Refused, Replayed,
    attempt::{Attempt, LONGEST},
    batch::{Batch, Source},
    check,
    declared::Declared,
    event::Event,
};
use crate::{Services, Settings, edge::Deadline, http::Module, platform::outbox::Receivers};

/// So many records of a source without an order are handled at once.
const AT_ONCE: usize = 10;

/// What is kept of an invocation's time for counting failures and setting records aside: a quarter
/// of it, and so much at most.
const RESERVE: Duration = Duration::from_secs(5);

/// The event handlers of the app, ready for events. Cheap to clone.
#[derive(Clone)]
pub struct Events(Arc<Inner>);

struct Inner {
    services: Services,
    listeners: Vec<Listener>,
    failures: FailureStore,
}

/// What an event is answered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(untagged)]
pub enum Answer {
    /// To a queue or a stream: the records that it shall send again. Without any, all are done.
    Batch {
        /// See [`Failed`].
        #[serde(rename = "batchItemFailures")]
        failures: Vec<Failed>,
    },
    /// To a replay.
    Replayed(Replayed),
    /// To a source that takes no answer.
    Nothing,
}

/// A record that was not handled. Of a stream it is the first one, from which on all come again; of
/// a queue each is named.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Failed {
    /// The message's id, or the record's sequence number.
    pub item_identifier: String,
}

/// What holds for all records of an event.
pub(super) struct Run<'a> {
    pub(super) payload: &'a str,
    pub(super) request_id: &'a str,
    /// The table, while the invocation lasts.
    pub(super) store: Store,
    pub(super) time: Time,
    /// Why it comes.
    pub(super) occasion: Occasion<'a>,
}

/// When an invocation ends.
#[derive(Clone, Copy)]
pub(super) struct Time {
    pub(super) until: Timestamp,
    /// When its handlers end.
    pub(super) handlers: Instant,
    /// When failures are kept at the latest. What is left then is for telling so.
    pub(super) keeping: Instant,
}

/// Why an event comes.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Occasion<'a> {
    /// Its source has sent it.
    Sent,
    /// Lambda has given it up, and it is replayed. What fails for good is told.
    GivenUp,
    /// What this handler has set aside is replayed, to it alone.
    SetAside(&'a str),
}

impl Run<'_> {
    /// A record as it came.
    pub(super) fn original(&self, place: usize) -> Box<RawValue> {
        #[derive(Deserialize)]
        struct Whole<'a> {
            #[serde(rename = "Records", borrow, default)]
            records: Vec<&'a RawValue>,
        }
        let whole = serde_json::from_str::<Whole<'_>>(self.payload).ok();
        let record = whole.and_then(|whole| whole.records.get(place).map(|it| (*it).to_owned()));
        // An event of EventBridge is its own only record.
        record.unwrap_or_else(|| {
            RawValue::from_string(self.payload.to_owned()).expect("it was read as JSON before")
        })
    }
}

impl Events {
    /// Connect, and take the handlers that all modules declare. Sends nothing.
    ///
    /// # Errors
    /// When a declaration contradicts itself or another one; see [`DeclarationsError`].
    pub fn new(
        settings: Settings,
        failures: FailureStore,
        ambient: Ambient,
    ) -> Result<Self, DeclarationsError> {
        let store = Store::connect(settings.store, ambient);
        let modules = crate::route_table();
        Self::with_modules(&modules, settings.auth, settings.config, store, failures)
    }

    /// The handlers of other modules than [`route_table`](crate::route_table)'s.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn with_modules(
        modules: &[Module],
        auth: auth::Settings,
        config: Config,
        store: Store,
        failures: FailureStore,
    ) -> Result<Self, DeclarationsError> {
        let listeners: Vec<_> = modules.iter().flat_map(Module::listeners).cloned().collect();
        check::check(&listeners)?;
        let services = Services::new(auth, config, store);
        Ok(Self(Arc::new(Inner { services, listeners, failures })))
    }

    /// The same handlers, whose messages of the outbox these take. Without this no mail is sent.
    #[must_use]
    pub fn delivering_to(self, receivers: Receivers) -> Self {
        let Inner { services, listeners, failures } = &*self.0;
        let services = services.delivering_to(receivers);
        let (listeners, failures) = (listeners.clone(), failures.clone());
        Self(Arc::new(Inner { services, listeners, failures }))
    }

    /// Handle an event: the entry point of the Lambda function and of local-dev alike.
    ///
    /// `{"replay": "failures/"}`, sent by hand, replays what is there
    /// ([`replay`](Self::replay)).
    ///
    /// # Errors
    /// [`Refused`]: the invocation fails, and AWS sends the whole event again.
    pub async fn invoke(&self, event: LambdaEvent<Box<RawValue>>) -> Result<Answer, Refused> {
        let LambdaEvent { payload, context } = event;
        let time = self.time(Deadline::of(&context).map(|Deadline(until)| until));
        let span = info_span!("event", id = context.request_id);
        let handled = async {
            let (payload, request_id) = (payload.get(), &context.request_id);
            let answer = match Event::read(payload) {
                Ok(Event::Replay(prefix)) => {
                    Box::pin(self.replay(&prefix, Some(time.until))).await.map(Answer::Replayed)
                }
                Ok(event) => {
                    let run = self.begin(payload, request_id, time, Occasion::Sent);
                    self.handle(event, &run).await
                }
                Err(refused) => Err(refused),
            };
            if let Err(error) = &answer {
                error!(%error, "not acknowledged");
            }
            answer
        };
        handled.instrument(span).await
    }

    /// A run of an event that has so much time.
    pub(super) fn begin<'a>(
        &self,
        payload: &'a str,
        request_id: &'a str,
        time: Time,
        occasion: Occasion<'a>,
    ) -> Run<'a> {
        let store = self.0.services.store.until(time.until);
        Run { payload, request_id, store, time, occasion }
    }

    pub(super) async fn handle(&self, event: Event, run: &Run<'_>) -> Result<Answer, Refused> {
        let batch = Arc::new(self.declared().records(event)?);
        let source = batch.source;
        let began = Instant::now();
        let unhandled = self.run(&batch, run).await;
        let (records, failed) = (batch.records.len(), unhandled.len());
        let micros = u64::try_from(began.elapsed().as_micros()).unwrap_or(u64::MAX);
        info!(source = source.name(), records, failed, micros, "handled");
        answer(&batch, &unhandled)
    }

    pub(super) fn declared(&self) -> Declared<'_> {
        Declared { listeners: &self.0.listeners, table: self.0.services.store.table() }
    }

    pub(super) fn failures(&self) -> &FailureStore {
        &self.0.failures
    }

    /// When what must be done by then ends.
    pub(super) fn time(&self, until: Option<Timestamp>) -> Time {
        let now = self.0.services.store.ambient().now();
        let until = until.unwrap_or_else(|| now.plus(LONGEST));
        let left = until.since(now);
        let reserve = RESERVE.min(left / 4);
        let end = Instant::now() + left;
        Time { until, handlers: end - reserve, keeping: end - reserve / 5 }
    }

    /// The places of the records that were not handled, in their order.
    pub(super) async fn run(&self, batch: &Arc<Batch>, run: &Run<'_>) -> Vec<usize> {
        let lanes = lanes(batch);
        let lanes = Mutex::new(lanes.chunk_by(|(lane, _), (next, _)| lane == next));
        // A guard must not live as long as the lane does.
        let next = || lanes.lock().expect("nobody panics with it").next();
        let work = || async {
            let mut unhandled = Vec::new();
            while let Some(lane) = next() {
                self.lane(batch, run, lane, &mut unhandled).await;
            }
            unhandled
        };
        let unhandled = join_all((0..AT_ONCE).map(|_| work())).await;
        let mut unhandled = unhandled.concat();
        unhandled.sort_unstable();
        unhandled
    }

    /// Records in their order. After one that is not handled none is begun.
    async fn lane(
        &self,
        batch: &Arc<Batch>,
        run: &Run<'_>,
        lane: &[(usize, usize)],
        unhandled: &mut Vec<usize>,
    ) {
        for (at, (_, place)) in lane.iter().enumerate() {
            if !self.is_handled(batch, run, *place).await {
                unhandled.extend(lane[at..].iter().map(|(_, place)| place));
                return;
            }
        }
    }

    /// Whether all handlers of a record are done with it. They are independent: when one has
    /// failed, the others are called all the same.
    async fn is_handled(&self, batch: &Arc<Batch>, run: &Run<'_>, place: usize) -> bool {
        let incoming = &batch.records[place];
        let Inner { services, listeners, failures } = &*self.0;
        let mut handled = true;
        for listener in incoming.listeners.iter().map(|listener| &listeners[*listener]) {
            if matches!(run.occasion, Occasion::SetAside(only) if only != &*listener.name) {
                continue;
            }
            // What there is no time for is not begun, and has not failed.
            if Instant::now() >= run.time.handlers {
                return false;
            }
            let attempt = Attempt { services, failures, listener, batch, place, run };
            let span =
                info_span!("record", handler = &*listener.name, id = incoming.wire.identifier());
            handled &= attempt.is_handled().instrument(span).await;
        }
        handled
    }
}

/// The records' places, each behind the number of its lane. Records of a lane stand together in
/// their order, and are handled one after another; lanes beside each other.
fn lanes(batch: &Batch) -> Vec<(usize, usize)> {
    let mut of_group = HashMap::new();
    let mut lane = |place: usize| match batch.source {
        Source::Kinesis | Source::DynamoDb => 0,
        Source::S3 | Source::Sqs | Source::EventBridge => place,
        Source::SqsFifo => *of_group.entry(batch.records[place].wire.group()).or_insert(place),
    };
    let mut lanes: Vec<_> = (0..batch.records.len()).map(|place| (lane(place), place)).collect();
    lanes.sort_unstable();
    lanes
}

/// Kinesis and DynamoDB begin anew at the record that is named (Lambda Developer Guide,
/// "Configuring partial batch response"), a queue sends those again that are. S3 and EventBridge
/// know of no parts.
fn answer(batch: &Batch, unhandled: &[usize]) -> Result<Answer, Refused> {
    let named = match batch.source {
        Source::Kinesis | Source::DynamoDb => 1,
        Source::Sqs | Source::SqsFifo => unhandled.len(),
        Source::S3 | Source::EventBridge if unhandled.is_empty() => return Ok(Answer::Nothing),
        Source::S3 | Source::EventBridge => {
            let (failed, records) = (unhandled.len(), batch.records.len());
            return Err(Refused::Failed { failed, records });
        }
    };
    let identifier = |place: &usize| batch.records[*place].wire.identifier().to_owned();
    let failures = unhandled.iter().take(named).map(identifier);
    let failures = failures.map(|item_identifier| Failed { item_identifier }).collect();
    Ok(Answer::Batch { failures })
}
