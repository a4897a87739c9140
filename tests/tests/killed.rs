//! A process that is killed in the middle of delivering: nothing is lost, and nothing has its
//! effect twice.
#![expect(
    clippy::print_stdout,
    reason = "the process that is killed tells the other one how far it is"
)]

use std::{collections::BTreeSet, env, fs, path::Path, process::Stdio, time::Duration};

use api::{
    events::{Change, Events, Failure, FailureStore, ObjectCreated, QueueMessage, StreamRecord},
    http::Module,
};
use local_dev::{
    BUCKET, EmbeddedBucket, EmbeddedStore, Function, Pollers, Producer, connection, deliver,
};
use models::{
    Ambient,
    store::{Entity, Key, Precondition, Store},
};
use serde::{Deserialize, Serialize};
use tempfile::tempdir;
use tests::{signing_key, simulation::Chance};
use tokio::{
    io::{AsyncBufReadExt, BufReader},
    process::{Child, Command},
    time::timeout,
};

use crate::events::{Tally, note_in, tallied};

/// Where the process is told its folder.
const FOLDER: &str = "FOLDER_OF_THE_KILLED";

/// So many go to each source.
const EACH: usize = 20;

/// The numbers that go to each source tell which it was.
const SOURCES: [&str; 4] = ["orders", "orders.fifo", "activity", "uploads"];

fn numbers(source: &str) -> std::ops::Range<usize> {
    let place = SOURCES.iter().position(|it| *it == source).expect("it is one of them");
    place * EACH..(place + 1) * EACH
}

/// How often the change of a tally was handled.
#[derive(Clone, Serialize, Deserialize)]
struct Audit {
    of: String,
    times: u32,
    version: u64,
}

impl Entity for Audit {
    const KIND: &'static str = "AUDIT";

    fn key(&self) -> Key {
        Key::unique::<Self>(&self.of)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// What each handler does with its number: tell that it has begun, and tally it. One in seven fails the
/// first time, after that.
async fn tally(store: &Store, number: usize) -> api::events::Result {
    println!("began {number}");
    note_in(store, &format!("of {number}"), number).await?;
    let Some(folder) = env::var_os(FOLDER) else { return Ok(()) };
    let has_failed = Path::new(&folder).join(format!("{number}-has-failed"));
    if number.is_multiple_of(7) && !has_failed.exists() {
        fs::write(has_failed, "")?;
        return Err(Failure::new("not yet"));
    }
    Ok(())
}

async fn audit(change: Change<Tally>, store: Store) -> api::events::Result {
    let number = change.created().expect("it is never changed").numbers[0];
    println!("tallied {number}");
    let first = Audit { of: number.to_string(), times: 0, version: 1 };
    let again = |known: Option<Audit>| {
        let known = known.unwrap_or(first.clone());
        Audit { times: known.times + 1, ..known }
    };
    store.put(first.key(), &Precondition::None, again).await?;
    Ok(())
}

async fn audited(table: &Store, number: usize) -> Option<u32> {
    let audit = table.get::<Audit>(Key::unique::<Audit>(&number.to_string())).await;
    audit.expect("the store reads").map(|audit| audit.times)
}

fn modules() -> Vec<Module> {
    let of_queue = async |it: QueueMessage<usize>, store: Store| tally(&store, it.body).await;
    let of_fifo = async |it: QueueMessage<usize>, store: Store| tally(&store, it.body).await;
    let of_stream = async |it: StreamRecord<usize>, store: Store| tally(&store, it.data).await;
    let of_bucket = async |it: ObjectCreated, store: Store| {
        tally(&store, it.key["uploads/".len()..].parse()?).await
    };
    vec![
        Module::new("queue").on_message("orders", of_queue),
        Module::new("fifo").on_message("orders.fifo", of_fifo),
        Module::new("stream").on_stream("activity", of_stream),
        Module::new("bucket").on_object_created("uploads/", of_bucket),
        Module::new("table").on_change(audit).writing::<Audit>(),
    ]
}

struct Laptop {
    store: EmbeddedStore,
    _pollers: Pollers,
    bucket: EmbeddedBucket,
}

async fn start(folder: &Path) -> Laptop {
    let store = EmbeddedStore::open_on(&folder.join("store.sqlite"), 0).expect("it starts");
    let table = Store::connect(connection(&store), Ambient::system());
    table.create_table().await.expect("the table can be made");
    let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
    let failures = FailureStore::folder(folder.join("events"));
    let modules = modules();
    let events = Events::with_modules(&modules, auth, Default::default(), table, failures.clone());
    let events = events.expect("they can be served");
    let function = Function { events, failures, ambient: Ambient::system() };
    let files = folder.join("files");
    let bucket = EmbeddedBucket::start(&store, Some(&files), 0, &modules, function.clone());
    let bucket = bucket.expect("it starts");
    let pollers = deliver(&store, &modules, &function).expect("they can be followed");
    Laptop { store, _pollers: pollers, bucket }
}

/// The process that is killed. It puts the files that are not there yet.
#[tokio::test]
#[ignore = "the test below starts it, and kills it"]
async fn a_process_that_delivers() {
    let folder = env::var_os(FOLDER).expect("the test below says where");
    let laptop = start(Path::new(&folder)).await;
    let client = crate::embedded_bucket::client(laptop.bucket.endpoint());
    let listed = client.list_objects_v2().bucket(BUCKET).send().await.expect("it can be listed");
    let listed = listed.contents().iter().filter_map(|it| it.key()).collect::<BTreeSet<_>>();
    for number in numbers("uploads") {
        let key = format!("uploads/{number}");
        if !listed.contains(key.as_str()) {
            crate::embedded_bucket::put(&client, &key, b"content").await.expect("it is taken");
        }
    }
    std::future::pending().await
}

fn start_process(folder: &Path) -> Child {
    Command::new(env::current_exe().expect("this program is somewhere"))
        .args(["--exact", "--ignored", "--nocapture", "killed::a_process_that_delivers"])
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("it starts")
}

#[tokio::test]
async fn a_process_loses_nothing_and_does_nothing_twice() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("store.sqlite");
    EmbeddedStore::open_on(&file, 0).expect("it starts").stop().await;
    let to = Producer::open(&file, &modules(), Ambient::system()).expect("the store is there");
    for number in numbers("orders") {
        to.send_message("orders", None, &number.to_string()).expect("it is taken");
    }
    for number in numbers("orders.fifo") {
        let group = format!("group-{}", number % 4);
        to.send_message("orders.fifo", Some(&group), &number.to_string()).expect("it is taken");
    }
    for number in numbers("activity") {
        let data = number.to_string();
        to.put_record("activity", "maya", data.as_bytes()).expect("it is taken");
    }

    let chance = Chance::new(5);
    let mut seen = BTreeSet::new();
    for last in [false, false, false, false, false, true] {
        let mut left = 1 + chance.below(EACH);
        let mut process = start_process(folder.path());
        let mut lines = BufReader::new(process.stdout.take().expect("a pipe")).lines();
        while if last { seen.len() < SOURCES.len() * EACH } else { left > 0 } {
            let line = lines.next_line().await.expect("it is text").expect("it has not ended");
            left = left.saturating_sub(usize::from(line.starts_with("began ")));
            seen.extend(line.strip_prefix("tallied ").map(str::to_owned));
        }
        // SIGKILL, where there is one.
        process.kill().await.expect("it was running");
    }

    // What was told last may not have been written.
    let laptop = start(folder.path()).await;
    let table = Store::connect(connection(&laptop.store), Ambient::system());
    let all = 0..SOURCES.len() * EACH;
    let audits = async {
        for number in all.clone() {
            while audited(&table, number).await.is_none() {
                tokio::task::yield_now().await;
            }
        }
    };
    timeout(Duration::from_secs(60), audits).await.expect("all are audited");
    for number in all {
        assert_eq!(tallied(&table, &format!("of {number}")).await, [number]);
        assert_eq!(audited(&table, number).await, Some(1), "{number}");
    }
    assert!(!folder.path().join("events").exists(), "nothing has failed for good");
}
