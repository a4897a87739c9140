//! A table and the network before it, both simulated: the SDK's calls go in at its HTTP connector,
//! and what happens to them on the way there and back is drawn from a seed. The table is the
//! embedded store, called without a server. Nothing here takes time but tokio's, which a runtime
//! may pause.

use std::{
    collections::VecDeque,
    future::pending,
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use aws_smithy_runtime_api::{
    client::{
        http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector, http_client_fn},
        orchestrator::{HttpRequest, HttpResponse},
        result::ConnectorError,
    },
    http::StatusCode,
};
use aws_smithy_types::body::SdkBody;
use dynoxide::{Database, errors::DynoxideError};
use models::{Ambient, Timestamp, store::Store};
use serde::{Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use tokio::{
    sync::oneshot,
    time::{Instant, sleep},
};

/// Chance out of a seed.
#[derive(Clone)]
pub struct Chance(Ambient);

impl Chance {
    /// The same every time.
    pub fn new(seed: u64) -> Self {
        Self(Ambient::fixed(Timestamp::from_unix_millis(0), seed))
    }

    /// A number below this one.
    pub fn below(&self, end: usize) -> usize {
        let end = u64::try_from(end).unwrap_or(u64::MAX);
        let drawn = u64::from_be_bytes(self.0.random()) % end;
        usize::try_from(drawn).expect("it is below a usize")
    }

    /// One of these.
    pub fn of<T: Clone>(&self, choice: &[T]) -> T {
        choice[self.below(choice.len())].clone()
    }

    /// Less than so many milliseconds.
    pub fn millis(&self, end: usize) -> Duration {
        Duration::from_millis(u64::try_from(self.below(end)).unwrap_or_default())
    }
}

/// A network to a table of its own. Clones are the same one.
#[derive(Clone)]
pub struct Network(Arc<Inner>);

struct Inner {
    table: Database,
    chance: Chance,
    told: Mutex<VecDeque<(&'static str, Trouble)>>,
    /// Of so many calls about 28 meet a fault; none at all when it is 0.
    calls: AtomicUsize,
    began: Instant,
    trace: Mutex<Vec<String>>,
}

/// What a call meets that is [told](Network::next) to.
#[derive(Clone, Copy, Debug)]
pub enum Trouble {
    /// It is lost on the way.
    Silence,
    /// It is done, and the answer is lost.
    LostAnswer,
    /// It takes so long to get there.
    Late(Duration),
    /// The table has no capacity for it.
    Throttled,
    /// Another transaction is at its item.
    Conflict,
}

/// What becomes of one call.
struct Course {
    /// When it reaches the table.
    arrivals: Vec<Duration>,
    /// What its sender sees.
    end: End,
    named: &'static str,
}

enum End {
    /// The table's answer, so long after the last of the arrivals.
    Answer(Duration),
    /// The answer to the first of two arrivals.
    FirstAnswer,
    /// This answer, which is not the table's.
    Instead(u16, Value),
    /// The connection closes after so long.
    Closed(Duration),
    /// Nothing.
    Silence,
}

impl Network {
    /// Without faults until there [are](Self::disturb) any.
    ///
    /// # Panics
    /// When the table cannot be made, or outside of a runtime.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Inner {
            table: Database::memory().expect("a store in memory starts"),
            chance: Chance::new(seed),
            told: Mutex::default(),
            calls: AtomicUsize::new(0),
            began: Instant::now(),
            trace: Mutex::default(),
        }))
    }

    /// From now on about 28 of so many calls meet a fault; 0 for none.
    pub fn disturb(&self, calls: usize) {
        self.0.calls.store(calls, Ordering::Relaxed);
    }

    /// The next so many calls of an operation, such as `PutItem`, meet this, after what they were
    /// told to meet before.
    ///
    /// # Panics
    /// When a call panicked.
    pub fn next(&self, calls: usize, operation: &'static str, trouble: Trouble) {
        let mut told = self.0.told.lock().expect("nothing panics meanwhile");
        told.extend(std::iter::repeat_n((operation, trouble), calls));
    }

    /// Nothing more happens that was told.
    ///
    /// # Panics
    /// When a call panicked.
    pub fn forget(&self) {
        self.0.told.lock().expect("nothing panics meanwhile").clear();
    }

    fn told(&self, operation: &str, body: &Value) -> Option<Course> {
        let mut told = self.0.told.lock().expect("nothing panics meanwhile");
        let place = told.iter().position(|(of, _)| *of == operation)?;
        let (_, trouble) = told.remove(place)?;
        let refused = |name: &str| End::Instead(400, error(name));
        let conflict = match body["TransactItems"].as_array() {
            Some(writes) => End::Instead(400, canceled(writes.len(), 0)),
            None => refused("TransactionConflictException"),
        };
        let (named, arrivals, end) = match trouble {
            Trouble::Silence => ("dropped", vec![], End::Silence),
            Trouble::LostAnswer => ("answer lost", vec![Duration::ZERO], End::Silence),
            Trouble::Late(after) => ("late", vec![after], End::Answer(Duration::ZERO)),
            Trouble::Throttled => ("throttled", vec![], refused("ThrottlingException")),
            Trouble::Conflict => ("in conflict", vec![], conflict),
        };
        Some(Course { arrivals, end, named })
    }

    /// A process of its own that reaches the table through here.
    pub fn store(&self, ambient: &Ambient) -> Store {
        let connector = SharedHttpConnector::new(self.clone());
        let client = http_client_fn(move |_, _| connector.clone());
        Store::simulated(client, "landline", ambient.clone())
    }

    /// All that is in the table, expired or not, in its order. Nobody notices.
    ///
    /// # Panics
    /// When the table is not there.
    pub fn items(&self) -> Vec<Value> {
        let (mut items, mut scan) = (Vec::new(), json!({ "TableName": "landline" }));
        loop {
            let page = answer(&self.0.table, "Scan", &scan).expect("there is a table");
            let mut page: Value = serde_json::from_str(&page).expect("an answer is JSON");
            items.append(page["Items"].as_array_mut().expect("a list"));
            if page["LastEvaluatedKey"].is_null() {
                return items;
            }
            scan["ExclusiveStartKey"] = page["LastEvaluatedKey"].take();
        }
    }

    /// Every call so far: when, what, what became of it, and how the table answered.
    ///
    /// # Panics
    /// When a call panicked.
    pub fn trace(&self) -> Vec<String> {
        self.0.trace.lock().expect("nothing panics meanwhile").clone()
    }

    fn note(&self, what: std::fmt::Arguments<'_>) {
        let at = self.0.began.elapsed().as_millis();
        let line = format!("{at} ms: {what}");
        self.0.trace.lock().expect("nothing panics meanwhile").push(line);
    }

    fn course(&self, operation: &str, body: &Value) -> Course {
        let chance = &self.0.chance;
        let (there, back) = (chance.millis(20), chance.millis(20));
        let (later, much_later) = (chance.millis(300), chance.millis(8_000));
        let hangs = chance.below(2) == 0;
        let lost = || if hangs { End::Silence } else { End::Closed(there + back) };
        let refused = |status, name: &str| End::Instead(status, error(name));
        let calls = self.0.calls.load(Ordering::Relaxed);
        let drawn = if calls == 0 { usize::MAX } else { chance.below(calls) };
        let (named, arrivals, end) = match drawn {
            0..4 => ("dropped", vec![], lost()),
            4..9 => ("answer lost", vec![there], lost()),
            9..11 => ("twice", vec![there, there + later], End::FirstAnswer),
            11..15 => ("late", vec![much_later], End::Answer(back)),
            15..17 => ("late once more", vec![there, much_later], End::FirstAnswer),
            17..20 => ("throttled", vec![], refused(400, chance.of(&THROTTLED))),
            20 => ("failed", vec![], refused(500, "InternalServerError")),
            21..23 => ("failed, and done", vec![there], refused(500, "InternalServerError")),
            23..28 => match conflict(operation, body, chance) {
                Some(answer) => ("in conflict", vec![], End::Instead(400, answer)),
                None => ("passed", vec![there], End::Answer(back)),
            },
            _ => ("passed", vec![there], End::Answer(back)),
        };
        Course { arrivals, end, named }
    }

    /// What the table does when the call arrives.
    fn arrive(&self, operation: &str, body: &Value) -> (u16, String) {
        let answer = answer(&self.0.table, operation, body);
        let answer = answer.map_or_else(|e| (e.status_code(), e.to_json()), |it| (200, it));
        self.note(format_args!("{operation}: {} with {} bytes", answer.0, answer.1.len()));
        answer
    }
}

const THROTTLED: [&str; 3] =
    ["ThrottlingException", "ProvisionedThroughputExceededException", "RequestLimitExceeded"];

fn error(name: &str) -> Value {
    let name = format!("com.amazonaws.dynamodb.v20120810#{name}");
    json!({ "__type": name, "message": "simulated" })
}

/// Another transaction is at one of the items.
fn conflict(operation: &str, body: &Value, chance: &Chance) -> Option<Value> {
    if ["PutItem", "UpdateItem", "DeleteItem"].contains(&operation) {
        return Some(error("TransactionConflictException"));
    }
    let writes = body["TransactItems"].as_array()?.len();
    if chance.below(4) == 0 {
        return Some(error("TransactionInProgressException"));
    }
    Some(canceled(writes, chance.below(writes)))
}

/// Of so many writes, this one met another transaction.
fn canceled(writes: usize, lost: usize) -> Value {
    let reason = |write| if write == lost { "TransactionConflict" } else { "None" };
    let mut answer = error("TransactionCanceledException");
    answer["CancellationReasons"] = (0..writes).map(|it| json!({ "Code": reason(it) })).collect();
    answer
}

impl std::fmt::Debug for Network {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Network")
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let operation = target.rsplit('.').next().unwrap_or_default().to_owned();
        let body = request.body().bytes().unwrap_or_default();
        let body: Value = serde_json::from_slice(body).expect("the SDK sends JSON");
        let told = self.told(&operation, &body);
        let Course { arrivals, end, named } =
            told.unwrap_or_else(|| self.course(&operation, &body));
        self.note(format_args!("{operation} {named}"));
        let (mut answered, answer): (Vec<_>, Vec<_>) =
            arrivals.iter().map(|_| oneshot::channel()).unzip();
        // What is on its way arrives, whether or not its sender still waits for an answer.
        for after in arrivals.into_iter().rev() {
            let answered = answered.pop().expect("there is one for each");
            let (network, operation, body) = (self.clone(), operation.clone(), body.clone());
            tokio::spawn(async move {
                sleep(after).await;
                let _ = answered.send(network.arrive(&operation, &body));
            });
        }
        HttpConnectorFuture::new(ending(end, answer))
    }
}

async fn ending(
    end: End,
    mut answers: Vec<oneshot::Receiver<(u16, String)>>,
) -> Result<HttpResponse, ConnectorError> {
    let (back, last) = match end {
        End::FirstAnswer => (Duration::ZERO, answers.remove(0)),
        End::Answer(back) => (back, answers.pop().expect("it arrives")),
        End::Instead(status, body) => {
            sleep(Duration::from_millis(5)).await;
            return response(status, body.to_string());
        }
        End::Closed(after) => {
            sleep(after).await;
            let closed = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            return Err(ConnectorError::io(closed.into()));
        }
        End::Silence => pending().await,
    };
    let (status, body) = last.await.expect("what arrives is answered");
    sleep(back).await;
    response(status, body)
}

fn response(status: u16, body: String) -> Result<HttpResponse, ConnectorError> {
    let status =
        StatusCode::try_from(status).map_err(|error| ConnectorError::user(error.into()))?;
    Ok(HttpResponse::new(status, SdkBody::from(body)))
}

fn answer(table: &Database, operation: &str, body: &Value) -> Result<String, DynoxideError> {
    match operation {
        "GetItem" => called(body, |call| table.get_item(call)),
        "Query" => called(body, |call| table.query(call)),
        "Scan" => called(body, |call| table.scan(call)),
        "PutItem" => called(body, |call| table.put_item(call)),
        "UpdateItem" => called(body, |call| table.update_item(call)),
        "DeleteItem" => called(body, |call| table.delete_item(call)),
        "TransactWriteItems" => called(body, |call| table.transact_write_items(call)),
        "BatchGetItem" => called(body, |call| table.batch_get_item(call)),
        "BatchWriteItem" => called(body, |call| table.batch_write_item(call)),
        "CreateTable" => called(body, |call| table.create_table(call)),
        "UpdateTimeToLive" => called(body, |call| table.update_time_to_live(call)),
        other => panic!("{other} is not simulated"),
    }
}

fn called<C: DeserializeOwned, A: Serialize>(
    body: &Value,
    call: impl FnOnce(C) -> Result<A, DynoxideError>,
) -> Result<String, DynoxideError> {
    let asked = C::deserialize(body).expect("the SDK's call can be read");
    call(asked).map(|answer| serde_json::to_string(&answer).expect("an answer is JSON"))
}
