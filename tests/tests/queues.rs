//! The queues and streams of local-dev: what is sent to them reaches the event handlers.

use std::{
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use api::{
    App,
    events::{Events, Failure, FailureStore, QueueMessage, StreamRecord},
    http::Module,
};
use local_dev::{
    EmbeddedStore, Function, Gateway, Pollers, Producer, SendError, connection, deliver,
};
use models::{
    Ambient, Timestamp,
    platform::outbox::Message,
    store::{Key, Store},
};
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tests::{Client, Door, LocalDev, run, signing_key};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};

/// Queues and streams in a folder, with event handlers behind them.
struct Laptop {
    store: EmbeddedStore,
    pollers: Pollers,
    failures: FailureStore,
}

impl Laptop {
    async fn start(folder: &Path, modules: &[Module]) -> Self {
        let store = EmbeddedStore::open_on(&file(folder), 0).expect("it starts");
        let table = Store::connect(connection(&store), ambient());
        table.create_table().await.expect("the table can be made");
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let (failures, config) = (FailureStore::memory(), Default::default());
        let events = Events::with_modules(modules, auth, config, table, failures.clone());
        let events = events.expect("they can be served");
        let function = Function { events, failures: failures.clone(), ambient: ambient() };
        let pollers = deliver(&store, modules, &function).expect("they can be followed");
        Self { store, pollers, failures }
    }

    /// As `kill -9` does: what is being handled is not finished.
    async fn kill(self) {
        for (_, poller) in &self.pollers {
            poller.abort();
        }
        for (_, poller) in self.pollers {
            assert!(poller.await.is_err_and(|error| error.is_cancelled()));
        }
        self.store.stop().await;
    }
}

fn file(folder: &Path) -> std::path::PathBuf {
    folder.join("store.sqlite")
}

fn ambient() -> Ambient {
    Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_123), next_seed())
}

/// Of each start its own, so that ids differ.
fn next_seed() -> u64 {
    use std::sync::atomic::{AtomicU64, Ordering};
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

fn producer(folder: &Path, modules: &[Module]) -> Producer {
    Producer::open(&file(folder), modules, ambient()).expect("the store is there")
}

/// A folder, and what handlers tell.
fn begin() -> (TempDir, UnboundedSender<String>, UnboundedReceiver<String>) {
    let (tell, told) = unbounded_channel();
    (tempdir().expect("a folder"), tell, told)
}

/// Handlers of a queue, of one in order and of a stream. What says `fail` fails for ever, what says
/// `once` at its first time, and what says `hang` is never done.
fn modules(tell: &UnboundedSender<String>) -> Vec<Module> {
    let (of_queue, of_fifo, of_stream) = (tell.clone(), tell.clone(), tell.clone());
    vec![
        Module::new("queue").on_message("orders", move |message: QueueMessage<String>| {
            handle(of_queue.clone(), message.body)
        }),
        Module::new("fifo").on_message("orders.fifo", move |message: QueueMessage<String>| {
            let group = message.group.unwrap_or_default();
            handle(of_fifo.clone(), format!("{group} {}", message.body))
        }),
        Module::new("stream").on_stream("activity", move |record: StreamRecord<String>| {
            handle(of_stream.clone(), format!("{} {}", record.partition_key, record.data))
        }),
    ]
}

async fn handle(tell: UnboundedSender<String>, what: String) -> api::events::Result {
    tell.send(what.clone()).expect("the test listens");
    if what.ends_with("fail") {
        return Err(Failure::new("it says so"));
    }
    if what.ends_with("hang") {
        std::future::pending::<()>().await;
    }
    Ok(())
}

async fn next(told: &mut UnboundedReceiver<String>) -> String {
    let told = tokio::time::timeout(Duration::from_secs(60), told.recv()).await;
    told.expect("something is handled").expect("handlers are there")
}

/// What is told until this is.
async fn until(told: &mut UnboundedReceiver<String>, last: &str) -> Vec<String> {
    let mut all = Vec::new();
    while all.last().is_none_or(|it| it != last) {
        all.push(next(told).await);
    }
    all
}

fn json(text: &str) -> String {
    Value::from(text).to_string()
}

#[tokio::test]
async fn a_message_is_handled_once() {
    let (folder, tell, mut told) = begin();
    let modules = modules(&tell);
    let laptop = Laptop::start(folder.path(), &modules).await;
    let to = producer(folder.path(), &modules);

    to.send_message("orders", None, &json("one")).unwrap();
    assert_eq!(next(&mut told).await, "one");
    to.send_message("orders", None, &json("two")).unwrap();

    assert_eq!(next(&mut told).await, "two");
    laptop.kill().await;
    assert!(told.try_recv().is_err());
}

/// The others go on meanwhile.
#[tokio::test]
async fn a_message_that_fails_comes_five_times_and_is_set_aside() {
    let (folder, tell, mut told) = begin();
    let modules = modules(&tell);
    let laptop = Laptop::start(folder.path(), &modules).await;
    let to = producer(folder.path(), &modules);
    let id = to.send_message("orders", None, &json("fail")).unwrap();

    let mut all = Vec::new();
    for _ in 1..=5 {
        all.extend(until(&mut told, "fail").await);
        to.send_message("orders", None, &json("other")).unwrap();
        all.extend(until(&mut told, "other").await);
    }
    to.send_message("orders", None, &json("last")).unwrap();
    all.extend(until(&mut told, "last").await);

    // In the seconds that this took, what was done did not come again.
    assert_eq!(all, ["fail", "other"].repeat(5).into_iter().chain(["last"]).collect::<Vec<_>>());

    let kept = laptop.failures.list("failures/").await.unwrap();
    assert_eq!(kept.len(), 1);
    let kept: Value =
        serde_json::from_slice(&laptop.failures.get(&kept[0]).await.unwrap()).unwrap();
    assert_eq!(
        kept["record"],
        serde_json::json!({
            "messageId": id,
            "receiptHandle": format!("{id}#5"),
            "body": "\"fail\"",
            "attributes": {
                "ApproximateReceiveCount": "5",
                "ApproximateFirstReceiveTimestamp": "1795365000123",
                "SenderId": "landline",
                "SentTimestamp": "1795365000123",
            },
            "messageAttributes": {},
            "md5OfBody": "d947529aba82b29e6ef4547701f60c7f",
            "eventSource": "aws:sqs",
            "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:orders",
            "awsRegion": "us-east-1",
        }),
    );
    laptop.kill().await;
}

/// Other groups do not wait for it.
#[tokio::test]
async fn a_group_in_order_waits_for_its_message_that_fails() {
    let (folder, tell, mut told) = begin();
    let modules = modules(&tell);
    let to = {
        // The file is there, and nobody delivers yet.
        EmbeddedStore::open_on(&file(folder.path()), 0).unwrap().stop().await;
        producer(folder.path(), &modules)
    };
    for (group, body) in [("a", "1"), ("a", "fail"), ("b", "1"), ("a", "2"), ("b", "2")] {
        to.send_message("orders.fifo", Some(group), &json(body)).unwrap();
    }
    let laptop = Laptop::start(folder.path(), &modules).await;

    let all = until(&mut told, "a 2").await;

    let of = |group: char| -> Vec<_> { all.iter().filter(|it| it.starts_with(group)).collect() };
    assert_eq!(of('b'), ["b 1", "b 2"]);
    assert_eq!(of('a'), ["a 1", "a fail", "a fail", "a fail", "a fail", "a fail", "a 2"]);
    laptop.kill().await;
}

#[tokio::test]
async fn records_of_a_stream_keep_their_order_behind_one_that_fails() {
    let (folder, tell, mut told) = begin();
    let modules = modules(&tell);
    let laptop = Laptop::start(folder.path(), &modules).await;
    let to = producer(folder.path(), &modules);

    for data in ["1", "fail", "2"] {
        to.put_record("activity", "maya", json(data).as_bytes()).unwrap();
    }
    let all = until(&mut told, "maya 2").await;

    let fail = "maya fail";
    assert_eq!(all, ["maya 1", fail, fail, fail, fail, fail, "maya 2"]);
    let kept = laptop.failures.list("failures/").await.unwrap();
    let kept: Value =
        serde_json::from_slice(&laptop.failures.get(&kept[0]).await.unwrap()).unwrap();
    assert_eq!(kept["record"]["kinesis"]["data"], "ImZhaWwi");
    assert_eq!(kept["record"]["kinesis"]["partitionKey"], "maya");
    assert_eq!(kept["record"]["kinesis"]["approximateArrivalTimestamp"], 1_795_365_000.123);
    assert_eq!(
        kept["record"]["eventSourceARN"],
        "arn:aws:kinesis:us-east-1:000000000000:stream/activity",
    );
    laptop.kill().await;
}

/// The process dies while a message and a record are being handled.
#[tokio::test]
async fn what_was_sent_is_there_after_a_process_that_was_killed() {
    let (folder, tell, mut told) = begin();
    let modules = modules(&tell);
    let laptop = Laptop::start(folder.path(), &modules).await;
    let to = producer(folder.path(), &modules);
    to.send_message("orders", None, &json("hang")).unwrap();
    to.put_record("activity", "maya", json("hang").as_bytes()).unwrap();
    let mut first = [next(&mut told).await, next(&mut told).await];
    first.sort_unstable();
    assert_eq!(first, ["hang", "maya hang"]);

    laptop.kill().await;
    let laptop = Laptop::start(folder.path(), &modules).await;

    let mut again = [next(&mut told).await, next(&mut told).await];
    again.sort_unstable();
    assert_eq!(again, ["hang", "maya hang"]);
    laptop.kill().await;
}

#[tokio::test]
async fn what_aws_would_refuse_is_refused() {
    let (folder, tell, _told) = begin();
    let modules = modules(&tell);
    EmbeddedStore::open_on(&file(folder.path()), 0).unwrap().stop().await;
    let to = producer(folder.path(), &modules);
    let long = "a".repeat(1024 * 1024 + 1);
    let (key, group) = ("k".repeat(257), "g".repeat(129));

    for (refused, why) in [
        (
            to.send_message("order", None, "1").map(drop),
            "no module has declared the queue order; there are: orders, orders.fifo",
        ),
        (
            to.send_message("orders.fifo", None, "1").map(drop),
            "a message to a queue in order has a group",
        ),
        (
            to.send_message("orders.fifo", Some(""), "1").map(drop),
            "a group is 1 to 128 letters, digits and punctuation of ASCII",
        ),
        (
            to.send_message("orders.fifo", Some(&group), "1").map(drop),
            "a group is 1 to 128 letters, digits and punctuation of ASCII",
        ),
        (
            to.send_message("orders", Some("a b"), "1").map(drop),
            "a group is 1 to 128 letters, digits and punctuation of ASCII",
        ),
        (
            to.send_message("orders", None, "").map(drop),
            "a message is 1 byte to 1 MiB of text without control characters",
        ),
        (
            to.send_message("orders", None, &long).map(drop),
            "a message is 1 byte to 1 MiB of text without control characters",
        ),
        (
            to.send_message("orders", None, "a\0").map(drop),
            "a message is 1 byte to 1 MiB of text without control characters",
        ),
        (
            to.put_record("orders", "maya", b"1").map(drop),
            "no module has declared the stream orders; there are: activity",
        ),
        (to.put_record("activity", "", b"1").map(drop), "a partition key is 1 to 256 characters"),
        (to.put_record("activity", &key, b"1").map(drop), "a partition key is 1 to 256 characters"),
        (
            to.put_record("activity", "maya", long.as_bytes()).map(drop),
            "a record and its key are 1 MiB at most",
        ),
    ] {
        let error: SendError = refused.expect_err(why);
        assert_eq!(error.to_string(), why);
    }
    assert!(to.send_message("orders", None, &long[1..]).is_ok());
}

/// The app as it is has none, and says so.
#[tokio::test]
async fn the_commands_name_the_queues_and_streams_that_there_are() {
    let home = tempdir().unwrap();
    let path = home.path().join("data");
    let path = path.to_str().unwrap();
    for (command, sentence) in [
        (
            &["send-message", "orders", "1"][..],
            "error: no module has declared the queue orders; there are: none\n",
        ),
        (
            &["put-record", "activity", "1", "--partition-key", "maya"],
            "error: no module has declared the stream activity; there are: none\n",
        ),
    ] {
        let arguments = [&["--data-dir", path], command].concat();

        let outcome = run("local-dev", arguments, &[]).await;

        assert_eq!(outcome.code, Some(1), "{command:?}");
        assert_eq!(outcome.stderr, sentence);
        assert!(!home.path().join("data").exists(), "nothing is made for what nobody takes");
    }
}

/// Of an older version of the app, say.
#[tokio::test]
async fn a_start_tells_of_what_waits_and_nobody_takes() {
    let (folder, tell, _told) = begin();
    let data = folder.path().join("data");
    let arguments = ["--data-dir".as_ref(), data.as_os_str()];
    LocalDev::start(folder.path(), arguments).await.end_with("TERM").await;
    let to = producer(&data, &modules(&tell));
    for _ in 0..3 {
        to.send_message("orders", None, "1").unwrap();
    }
    to.put_record("activity", "maya", b"1").unwrap();

    let log = LocalDev::start(folder.path(), arguments).await.end_with("TERM").await.stderr;

    for line in [
        "WARN messages wait in a queue that no module listens to queue=\"orders\" messages=3",
        "WARN records wait in a stream that no module listens to stream=\"activity\" records=1",
    ] {
        assert!(log.contains(line), "{line} is not in {log}");
    }
}

/// As handlers do that compute for long, or hang. Each call has a thread of its own, however many there
/// are.
#[tokio::test]
async fn handlers_that_block_their_threads_hold_up_nobody_else() {
    let (folder, tell, mut told) = begin();
    let (release, blocked) = std::sync::mpsc::channel::<()>();
    let blocked = Arc::new(Mutex::new(blocked));
    let block = |tell: &UnboundedSender<String>| {
        let (tell, blocked) = (tell.clone(), blocked.clone());
        move |message: QueueMessage<String>| {
            let (tell, blocked) = (tell.clone(), blocked.clone());
            async move {
                tell.send(message.body)?;
                // One waits for the other end, the others for this lock.
                drop(blocked.lock().map(|blocked| blocked.recv()));
                Ok(())
            }
        }
    };
    let stuck = ["1", "2", "3", "4", "5", "6", "7", "8", "9"];
    let mut modules: Vec<_> =
        stuck.iter().map(|queue| Module::new(queue).on_message(queue, block(&tell))).collect();
    modules.push(Module::new("free").on_message("free", move |message: QueueMessage<String>| {
        handle(tell.clone(), message.body)
    }));
    let laptop = Laptop::start(folder.path(), &modules).await;
    let to = producer(folder.path(), &modules);
    for queue in stuck {
        to.send_message(queue, None, &json(queue)).unwrap();
        assert_eq!(next(&mut told).await, queue);
    }

    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let table = Store::connect(connection(&laptop.store), ambient());
    let (web, config) = (Default::default(), Default::default());
    let app = App::with_modules(api::route_table(), auth, web, config, table.clone());
    let door = Door::InProcess(Gateway::new(app, Ambient::system()));
    let answered = async {
        Client::new(door).get("/health").await.expect(200);
        let owner = ambient().new_id();
        table.get::<Message>(Key::owned::<Message>(owner, owner)).await.unwrap();
        to.send_message("free", None, &json("free")).unwrap();
        assert_eq!(told.recv().await.as_deref(), Some("free"));
    };
    tokio::time::timeout(Duration::from_secs(30), answered).await.expect("nobody is held up");

    drop(release);
    laptop.kill().await;
}
