//! What the batch runner costs: a batch through `Events::invoke` and through a bare loop over the
//! same records, turn by turn in one run, on one thread. The loop reads the event by the types of
//! aws_lambda_events, makes the same records of it, calls the same functions one after another,
//! stops where the source's order asks for it and writes the answer. It has no dispatch, no
//! deadline, no marks and no guard against panics. Prints records per second, medians, and their
//! ratio.
#![expect(clippy::print_stdout, reason = "a benchmark prints its figures")]

use std::{
    collections::HashSet,
    hint::black_box,
    sync::atomic::{AtomicUsize, Ordering},
    time::Instant,
};

use api::{
    events::{
        Change, Events, Failure, FailureStore, ObjectCreated, QueueMessage, Result, StreamRecord,
    },
    http::Module,
};
use aws_lambda_events::{
    dynamodb,
    kinesis::KinesisEvent,
    s3::S3Event,
    sqs::{SqsBatchResponse, SqsEvent, SqsMessage},
    streams::KinesisEventResponse,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use lambda_runtime::{Context, LambdaEvent};
use models::{
    Ambient, Id, Timestamp,
    store::{Connection, Entity, Key, Store},
};
use percent_encoding::percent_decode_str;
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_dynamo::Item;
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

async fn take_message_with_table(message: QueueMessage<Activity>, store: Store) -> Result {
    black_box(store.table());
    take(message.body).await
}

async fn take_record(record: StreamRecord<Activity>) -> Result {
    take(record.data).await
}

async fn take_change(change: Change<Parcel>) -> Result {
    take_parcel(change.before, change.after).await
}

async fn take_parcel(before: Option<Parcel>, after: Option<Parcel>) -> Result {
    let parcel = after.ok_or_else(|| Failure::new("gone"))?;
    let moved = before.is_some_and(|before| before.address != parcel.address);
    note(black_box(parcel.number + usize::from(moved)));
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
    let store = store();
    let events = events(store.clone());
    for (name, event) in sources() {
        let event = event.to_string();
        let (mut runner, mut bare) = (Vec::new(), Vec::new());
        for _ in 0..ROUNDS {
            let began = Instant::now();
            black_box(through_runner(&events, &event).await);
            runner.push(began.elapsed().as_nanos());
            let began = Instant::now();
            black_box(through_loop(name, &event, &store).await);
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

/// What somebody would write by hand, for this one handler of each source.
async fn through_loop(name: &str, event: &str, store: &Store) -> Vec<u8> {
    let payload = payload(event);
    let answer = match name {
        "SQS" => serde_json::to_vec(&queue(read(&payload)).await),
        "SQS, table" => serde_json::to_vec(&queue_with_table(read(&payload), store).await),
        "SQS FIFO" => serde_json::to_vec(&queue_in_order(read(&payload)).await),
        "Kinesis" => serde_json::to_vec(&stream(read(&payload)).await),
        "DynamoDB" => serde_json::to_vec(&changes(read(&payload)).await),
        _ => serde_json::to_vec(&files(read(&payload)).await),
    };
    answer.expect("an answer is JSON")
}

fn read<T: DeserializeOwned>(payload: &RawValue) -> T {
    serde_json::from_str(payload.get()).expect("an event")
}

async fn queue(event: SqsEvent) -> SqsBatchResponse {
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let (id, message) = received(message);
        if take_message(message).await.is_err() {
            failed.add_failure(id);
        }
    }
    failed
}

async fn queue_with_table(event: SqsEvent, store: &Store) -> SqsBatchResponse {
    let mut failed = SqsBatchResponse::default();
    for message in event.records {
        let (id, message) = received(message);
        if take_message_with_table(message, store.clone()).await.is_err() {
            failed.add_failure(id);
        }
    }
    failed
}

async fn queue_in_order(event: SqsEvent) -> SqsBatchResponse {
    let mut failed = SqsBatchResponse::default();
    let mut stopped = HashSet::new();
    for message in event.records {
        let (id, message) = received(message);
        let group = message.group.clone();
        if stopped.contains(&group) || take_message_in_order(message).await.is_err() {
            stopped.insert(group);
            failed.add_failure(id);
        }
    }
    failed
}

fn received(mut message: SqsMessage) -> (String, QueueMessage<Activity>) {
    let id = message.message_id.unwrap_or_default();
    let body = message.body.unwrap_or_default();
    let sent_at = message.attributes.get("SentTimestamp").and_then(|millis| millis.parse().ok());
    let message = QueueMessage {
        id: id.clone(),
        body: serde_json::from_str(&body).expect("an activity"),
        group: message.attributes.remove("MessageGroupId"),
        sent_at: sent_at.map(Timestamp::from_unix_millis),
    };
    (id, message)
}

async fn stream(event: KinesisEvent) -> KinesisEventResponse {
    let mut failed = KinesisEventResponse::default();
    for record in event.records {
        let record = record.kinesis;
        let arrived_at = record.approximate_arrival_timestamp.timestamp_millis();
        let taken = take_record(StreamRecord {
            partition_key: record.partition_key,
            sequence_number: record.sequence_number.clone(),
            data: serde_json::from_slice(&record.data).expect("an activity"),
            arrived_at: Timestamp::from_unix_millis(arrived_at),
        });
        if taken.await.is_err() {
            failed.add_failure(record.sequence_number);
            break;
        }
    }
    failed
}

/// Answered in the form of Kinesis.
async fn changes(event: dynamodb::Event) -> KinesisEventResponse {
    let mut failed = KinesisEventResponse::default();
    for record in event.records {
        let parcel = |image: Item| serde_dynamo::from_item(image).expect("a parcel");
        let change = record.change;
        let (before, after) = (parcel(change.old_image), parcel(change.new_image));
        if take_parcel(Some(before), Some(after)).await.is_err() {
            failed.add_failure(change.sequence_number.unwrap_or_default());
            break;
        }
    }
    failed
}

/// S3 is answered nothing, or an error.
async fn files(event: S3Event) {
    for record in event.records {
        let object = record.s3.object;
        let key = object.key.unwrap_or_default().replace('+', " ");
        let taken = take_file(ObjectCreated {
            bucket: record.s3.bucket.name.unwrap_or_default(),
            key: percent_decode_str(&key).decode_utf8().expect("a key is a text").into_owned(),
            size: object.size.and_then(|size| size.try_into().ok()).unwrap_or_default(),
            etag: object.e_tag.unwrap_or_default(),
            version_id: object.version_id,
            time: Timestamp::from_unix_millis(record.event_time.timestamp_millis()),
        });
        taken.await.expect("the file is handled");
    }
}

fn store() -> Store {
    let connection = Connection::embedded("http://127.0.0.1:1", batches::TABLE);
    Store::connect(connection, Ambient::system())
}

fn events(store: Store) -> Events {
    let key = auth::SigningKey::generate();
    let auth = auth::Settings::new("https://api.example.com", "example", key);
    let modules = [Module::new("bench")
        .on_message("orders", take_message)
        .on_message("payments", take_message_with_table)
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
        ("SQS, table", batches::sqs("payments", &messages(|_| None))),
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
