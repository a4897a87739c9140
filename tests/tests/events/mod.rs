//! Events that are no requests: what is handed to whom, what is answered, and what is kept.

mod bucket;
mod deadline;
mod declarations;
mod dispatch;
mod failures;
mod fixtures;
mod once;
mod program;
mod runner;
mod sweep;

use std::sync::{Arc, Mutex};

use api::{
    events::{Events, FailureStore, Refused},
    http::Module,
};
use lambda_runtime::{Context, LambdaEvent};
use models::{
    Ambient, Id, Timestamp,
    store::{Entity, Key, Store},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::to_raw_value};
use tempfile::TempDir;
use tests::{batches, signing_key, simulation::Network};

/// When these worlds begin.
const BEGINNING: i64 = 1_795_365_000_000;

/// Event handlers on a table of their own, and a folder for what they cannot do.
struct Served {
    events: Events,
    store: Store,
    folder: TempDir,
}

/// Serve these modules. The table is the embedded store without a server, so time may be paused.
async fn serve(modules: Vec<Module>) -> Served {
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(BEGINNING), 7);
    let network = Network::new(7);
    let store = network.store(&ambient);
    store.create_table().await.expect("the table can be made");
    serve_on(&store, modules)
}

fn serve_on(store: &Store, modules: Vec<Module>) -> Served {
    let folder = tempfile::tempdir().expect("a folder");
    let failures = FailureStore::folder(folder.path());
    serve_with(store, modules, failures, folder)
}

fn serve_with(
    store: &Store,
    modules: Vec<Module>,
    failures: FailureStore,
    folder: TempDir,
) -> Served {
    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let events = Events::with_modules(&modules, auth, Default::default(), store.clone(), failures);
    Served { events: events.expect("they can be served"), store: store.clone(), folder }
}

impl Served {
    async fn try_invoke(&self, event: &Value) -> Result<Value, Refused> {
        self.invoke_until(event, 0).await
    }

    /// `deadline` in milliseconds, as Lambda tells it; 0 is none.
    async fn invoke_until(&self, event: &Value, deadline: u64) -> Result<Value, Refused> {
        let mut context = Context::default();
        context.request_id = "8476a536-e9f4-11e8-9739-2dfe598c3fcd".to_owned();
        context.deadline = deadline;
        let payload = to_raw_value(event).expect("JSON is JSON");
        let answer = self.events.invoke(LambdaEvent::new(payload, context)).await?;
        Ok(serde_json::to_value(answer).expect("an answer is JSON"))
    }

    async fn invoke(&self, event: &Value) -> Value {
        self.try_invoke(event).await.expect("it is acknowledged in part at least")
    }

    /// What has been set aside, by its name.
    fn set_aside(&self) -> Vec<(String, Value)> {
        let failures = self.folder.path().join("failures");
        let Ok(handlers) = std::fs::read_dir(failures) else { return Vec::new() };
        let mut found = Vec::new();
        for handler in handlers {
            let handler = handler.expect("it is as it was made");
            for file in std::fs::read_dir(handler.path()).expect("it is as it was made") {
                let path = file.expect("it is as it was made").path();
                let content = std::fs::read(&path).expect("it is as it was made");
                let handler = handler.file_name().to_string_lossy().into_owned();
                found.push((
                    handler,
                    serde_json::from_slice(&content).expect("it is as it was made"),
                ));
            }
        }
        found
    }
}

/// The answer of a queue or stream that is to send nothing again.
fn all_done() -> Value {
    json!({ "batchItemFailures": [] })
}

/// The answer that asks for these again.
fn again(identifiers: &[&str]) -> Value {
    let failures: Vec<_> = identifiers.iter().map(|id| json!({ "itemIdentifier": id })).collect();
    json!({ "batchItemFailures": failures })
}

/// What handlers note, in the order in which they do.
#[derive(Clone, Default)]
struct Notes(Arc<Mutex<Vec<String>>>);

impl Notes {
    fn add(&self, note: impl Into<String>) {
        self.0.lock().expect("it is as it was made").push(note.into());
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut *self.0.lock().expect("it is as it was made"))
    }
}

/// What a message or record of these tests says.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Order {
    number: usize,
    #[serde(default)]
    fate: Fate,
}

/// What its handler does about it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
enum Fate {
    #[default]
    Pass,
    Fail,
    Panic,
}

/// Something in the table.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Parcel {
    id: Id,
    owner: Id,
    number: usize,
    #[serde(default)]
    fate: Fate,
    version: u64,
}

impl Entity for Parcel {
    const KIND: &'static str = "PARCEL";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// What handlers have made of orders: their numbers, in the order in which they came.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Tally {
    id: Id,
    owner: Id,
    pub(crate) numbers: Vec<usize>,
    version: u64,
}

impl Entity for Tally {
    const KIND: &'static str = "TALLY";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// The tally of a name, which makes up its id and its owner's.
fn tally_id(name: &str) -> Id {
    let mut bytes = [0; 16];
    for (place, byte) in name.bytes().take(16).enumerate() {
        bytes[place] = byte;
    }
    Id::from_hash(bytes)
}

/// Note a number in a tally.
pub(crate) async fn note_in(
    store: &Store,
    name: &str,
    number: usize,
) -> Result<(), models::store::Error> {
    let id = tally_id(name);
    let key = Key::owned::<Tally>(id, id);
    let put = store.put(key, &models::store::Precondition::None, |known: Option<Tally>| {
        let mut tally = known.unwrap_or(Tally { id, owner: id, numbers: Vec::new(), version: 1 });
        tally.numbers.push(number);
        tally
    });
    put.await.map(drop)
}

/// The numbers in a tally.
pub(crate) async fn tallied(store: &Store, name: &str) -> Vec<usize> {
    let id = tally_id(name);
    let tally = store.get::<Tally>(Key::owned::<Tally>(id, id)).await.expect("it can be read");
    tally.map(|tally| tally.numbers).unwrap_or_default()
}

/// Do what the order says.
fn meet(fate: Fate) -> api::events::Result {
    match fate {
        Fate::Pass => Ok(()),
        Fate::Fail => Err(api::events::Failure::new("the order says so")),
        // As `panic!` does, without the line that it prints: these tests do so thousands of times.
        Fate::Panic => std::panic::resume_unwind(Box::new("the order says so")),
    }
}

fn message(id: &str, group: Option<&str>, order: &Order) -> (String, Option<String>, String) {
    let body = serde_json::to_string(order).expect("an order is JSON");
    (id.to_owned(), group.map(str::to_owned), body)
}

fn order(number: usize, fate: Fate) -> Order {
    Order { number, fate }
}

/// A parcel as the table's stream tells it.
fn image(number: usize, fate: Fate) -> Value {
    let fate = serde_json::to_value(fate).expect("a fate is JSON");
    json!({
        "pk": { "S": "ACCOUNT#019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
        "sk": { "S": "PARCEL#019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
        "kind": { "S": "PARCEL" },
        "id": { "S": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
        "owner": { "S": "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
        "number": { "N": number.to_string() },
        "fate": { "S": fate },
        "version": { "N": "1" },
        "writeId": { "B": "d3JpdGUtc2FtcGxl" },
    })
}

fn one_message(id: &str, order: &Order) -> Value {
    batches::sqs("orders", &[message(id, None, order)])
}
