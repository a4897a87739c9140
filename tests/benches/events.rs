//! What the batch runner costs: a batch through `Events::invoke` and through a bare loop over the
//! same records, turn by turn in one run, on one thread. The loop reads the event by the same types,
//! decodes each record in the same way, calls the same function and writes the answer, and has no
//! dispatch, no deadline, no marks and no guard against panics. Prints records per second, medians,
//! and their ratio.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use api::{
    events::{Change, Events, FailureStore, ObjectCreated, QueueMessage, Result, StreamRecord},
    http::Module,
};
use aws_lambda_events::{
    dynamodb, kinesis::KinesisEvent, s3::S3Event, sqs::SqsBatchResponse, sqs::SqsEvent,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_runtime::{Context, LambdaEvent};
use models::{
    Ambient, Id,
    store::{Connection, Entity, Images, Key, Store},
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json, value::RawValue};
use tests::batches;

const ROUNDS: usize = 2000;
const RECORDS: usize = 100;

/// What has been handled, so that nothing is left out by the compiler.
static HANDLED: AtomicUsize = AtomicUsize::new(0);

#[derive(Deserialize)]
struct Activity {
    number: usize,
    screen: String,
    seconds: f64,
}

#[derive(Serialize, Deserialize)]
struct Parcel {
    id: Id,
    owner: Id,
    number: usize,
    address: String,
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

fn note(number: usize) {
    HANDLED.fetch_add(number, Ordering::Relaxed);
}

async fn take(activity: Activity) -> Result {
    note(black_box(activity.number + activity.screen.len() + activity.seconds as usize));
    Ok(())
}

async fn take_message(message: QueueMessage<Activity>) -> Result {
    take(message.body).await
}

async fn take_message_in_order(message: QueueMessage<Activity>) -> Result {
    take(message.body).await
}

async fn take_record(record: StreamRecord<Activity>) -> Result {
    take(record.data).await
}

async fn take_change(change: Change<Parcel>) -> Result {
    let parcel = change.after.ok_or_else(|| api::events::Failure::new("gone"))?;
    note(black_box(parcel.number + parcel.address.len()));
    Ok(())
}

async fn take_file(file: ObjectCreated) -> Result {
    note(black_box(file.key.len()));
    Ok(())
}

fn main() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.expect("a runtime starts").block_on(compare());
}

async fn compare() {
    println!("{:<14} {:>12} {:>12} {:>6}", "source", "runner, 1/s", "loop, 1/s", "ratio");
    let events = events();
    for (name, event) in sources() {
        let event = event.to_string();
        let (mut runner, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            black_box(through_runner(&events, &event).await);
            runner.push(began.elapsed().as_nanos());
            let began = Instant::now();
            black_box(through_loop(name, &event).await);
            bare.push(began.elapsed().as_nanos());
        }
        let (runner, bare) = (per_second(runner), per_second(bare));
        println!("{name:<14} {runner:>12.0} {bare:>12.0} {:>6.2}", runner / bare);
    }
    assert!(HANDLED.load(Ordering::Relaxed) > 0);
}

async fn through_runner(events: &Events, event: &str) -> Vec<u8> {
    let payload = payload(event);
    let answer = events.invoke(LambdaEvent::new(payload, Context::default())).await;
    serde_json::to_vec(&answer.expect("all is handled")).expect("an answer is JSON")
}

/// As the runtime hands it over.
fn payload(event: &str) -> Box<RawValue> {
    serde_json::from_str(event).expect("the event is JSON")
}

async fn through_loop(name: &str, event: &str) -> Vec<u8> {
    let payload = payload(event);
    let event = payload.get();
    let mut failed = SqsBatchResponse::default();
    match name {
        "SQS" | "SQS FIFO" => {
            let event: SqsEvent = serde_json::from_str(event).expect("an event");
            for message in event.records {
                let body = message.body.unwrap_or_default();
                let activity = serde_json::from_str(&body).expect("an activity");
                if take(activity).await.is_err() {
                    failed.add_failure(message.message_id.unwrap_or_default());
                }
            }
        }
        "Kinesis" => {
            let event: KinesisEvent = serde_json::from_str(event).expect("an event");
            for record in event.records {
                let activity = serde_json::from_slice(&record.kinesis.data).expect("an activity");
                if take(activity).await.is_err() {
                    failed.add_failure(record.kinesis.sequence_number);
                }
            }
        }
        "DynamoDB" => {
            let event: dynamodb::Event = serde_json::from_str(event).expect("an event");
            for record in event.records {
                let images = Images::new(record.change.old_image, record.change.new_image, false);
                let change = images.read().expect("a parcel");
                if take_change(change).await.is_err() {
                    failed.add_failure(record.change.sequence_number.unwrap_or_default());
                }
            }
        }
        _ => {
            let event: S3Event = serde_json::from_str(event).expect("an event");
            for record in event.records {
                let key = record.s3.object.key.unwrap_or_default().replace('+', " ");
                let key = percent_decode_str(&key).decode_utf8_lossy();
                note(black_box(key.len()));
            }
            return serde_json::to_vec(&()).expect("JSON");
        }
    }
    serde_json::to_vec(&failed).expect("an answer is JSON")
}

fn events() -> Events {
    let connection = Connection::embedded("http://127.0.0.1:1", batches::TABLE);
    let store = Store::connect(connection, Ambient::system());
    let key = auth::SigningKey::generate();
    let auth = auth::Settings::new("https://api.example.com", "example", key);
    let modules = [Module::new("bench")
        .on_message("orders", take_message)
        .on_message("orders.fifo", take_message_in_order)
        .on_stream("activity", take_record)
        .on_change(take_change)
        .on_object_created("uploads/", take_file)];
    let failures = FailureStore::folder("nowhere");
    Events::with_modules(&modules, auth, Default::default(), store, failures).expect("declared")
}

/// A hundred records of each source. The handlers write nothing, so neither side calls the table.
fn sources() -> Vec<(&'static str, Value)> {
    let all = || 0..RECORDS;
    let activity =
        |number| json!({ "number": number, "screen": "notes/list", "seconds": 1.5 }).to_string();
    let messages = |group: fn(usize) -> Option<String>| {
        all().map(move |it| (format!("message-{it}"), group(it), activity(it))).collect::<Vec<_>>()
    };
    let records: Vec<_> = all()
        .map(|it| (format!("49568167{it:048}"), "maya".to_owned(), STANDARD.encode(activity(it))))
        .collect();
    let parcel = |number: usize| {
        json!({
            "pk": { "S": "ACCOUNT#019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
            "sk": { "S": "PARCEL#019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
            "kind": { "S": "PARCEL" },
            "id": { "S": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f" },
            "owner": { "S": "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d" },
            "number": { "N": number.to_string() },
            "address": { "S": "12 Harbour Lane" },
            "version": { "N": "2" },
            "writeId": { "B": "d3JpdGUtc2FtcGxl" },
        })
    };
    let changes: Vec<_> =
        all().map(|it| (it.to_string(), Some(parcel(it)), Some(parcel(it + 1)))).collect();
    let files: Vec<_> =
        all().map(|it| (format!("uploads/my+photo-{it}.jpg"), it.to_string())).collect();
    vec![
        ("SQS", batches::sqs("orders", &messages(|_| None))),
        (
            "SQS FIFO",
            batches::sqs("orders.fifo", &messages(|it| Some(format!("group-{}", it % 10)))),
        ),
        ("Kinesis", batches::kinesis("activity", &records)),
        ("DynamoDB", batches::dynamodb(&changes)),
        ("S3", batches::s3("files", &files)),
    ]
}

fn per_second(mut nanos: Vec<u128>) -> f64 {
    nanos.sort_unstable();
    RECORDS as f64 / nanos[nanos.len() / 2] as f64 * 1e9
}
