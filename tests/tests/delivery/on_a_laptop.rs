use std::time::Duration;

use local_dev::{EmbeddedStore, connection};
use models::{
    Ambient,
    platform::{
        events::HandledEvent,
        mail::{MAIL, Mail},
        webhook::WEBHOOK,
    },
    store::Connection,
};
use tests::{LocalDev, Reply, receiver::Received, run};
use tokio::time::timeout;

use super::*;

async fn start(data: &Path) -> (LocalDev, Store) {
    let arguments = ["--data-dir".as_ref(), data.as_os_str()];
    let laptop = LocalDev::start(data, arguments).await;
    let endpoint =
        fs::read_to_string(data.join("store-address")).expect("local-dev says where its store is");
    let connection = Connection::embedded(endpoint, "landline");
    (laptop, Store::connect(connection, Ambient::system()))
}

async fn send(store: &Store, owner: Id, topic: &str, payload: &Value) -> Id {
    let message = Message::new(store.ambient(), owner, topic, payload).expect("it is small");
    let id = message.id;
    store.write(WriteSet::new().send(message)).await.expect("the store writes");
    id
}

async fn endpoint(store: &Store, owner: Id, receiver: &Receiver) -> WebhookEndpoint {
    let url = format!("http://{}/", receiver.address());
    let mut endpoint = WebhookEndpoint::new(store.ambient(), owner, url).expect("a URL");
    store.create(&mut endpoint).await.expect("the store writes");
    endpoint
}

fn id(told: &Received) -> String {
    told.header("webhook-id").to_owned()
}

#[tokio::test]
async fn nothing_is_lost_or_doubled_when_it_is_killed_in_the_middle() {
    let mut receiver = Receiver::start().await;
    let data = tempdir().expect("a folder");
    let (mut laptop, store) = start(data.path()).await;
    let owner = store.ambient().new_id();
    let endpoint = endpoint(&store, owner, &receiver).await;
    (0..4).for_each(|_| receiver.next(Reply::Never));

    let mail = send(&store, owner, MAIL, &hello()).await;
    let event = send(&store, owner, WEBHOOK, &shipped(&endpoint)).await;
    let last = send(&store, owner, WEBHOOK, &shipped(&endpoint)).await;
    for _ in 0..4 {
        // It waits for the answer to this.
        assert_eq!(id(&receiver.received().await), event.to_string());
        laptop.kill().await;
        (laptop, _) = start(data.path()).await;
    }
    assert_eq!(id(&receiver.received().await), event.to_string());
    assert_eq!(id(&receiver.received().await), last.to_string());
    laptop.end_with("TERM").await;

    let (laptop, store) = start(data.path()).await;
    let after = send(&store, owner, WEBHOOK, &shipped(&endpoint)).await;
    assert_eq!(id(&receiver.received().await), after.to_string(), "no other came again");
    laptop.end_with("TERM").await;
    let taken = mails(data.path());
    assert_eq!(taken.len(), 1);
    assert_eq!(taken[0]["id"], mail.to_string());
}

#[tokio::test]
async fn mails_are_shown_and_nothing_in_them_runs() {
    let mut receiver = Receiver::start().await;
    let data = tempdir().expect("a folder");
    let (laptop, store) = start(data.path()).await;
    let owner = store.ambient().new_id();
    let endpoint = endpoint(&store, owner, &receiver).await;
    let mail = Mail::new("maya@example.com", "<img src=x onerror=alert(1)>", "a < b & \"c\"");
    let mail = mail.unwrap().with_html("<script>alert('2')</script><p class=\"x\">Hi</p>");
    let mail = serde_json::to_value(mail.unwrap()).unwrap();

    let sent = send(&store, owner, MAIL, &mail).await;
    send(&store, owner, WEBHOOK, &shipped(&endpoint)).await;
    // What is of one account comes in its order.
    receiver.received().await;

    let anonymous = laptop.anonymous();
    let list = anonymous.get("/dev/outbox.json").unspecified().await.expect(200).json();
    assert_eq!(list[0]["id"], sent.to_string());
    assert_eq!(list[0]["html"], mail["html"]);
    let page = anonymous.get("/dev/outbox").unspecified().await.expect(200);
    let policy = page.header("content-security-policy").to_owned();
    assert!(policy.starts_with("default-src 'none'; style-src 'unsafe-inline';"), "{policy}");
    let page = String::from_utf8(page.body).unwrap();
    assert!(page.contains("<h2>&lt;img src=x onerror=alert(1)&gt;</h2>"), "{page}");
    assert!(page.contains("<pre>a &lt; b &amp; &quot;c&quot;</pre>"), "{page}");
    let html = "&lt;script&gt;alert(&#39;2&#39;)&lt;/script&gt;&lt;p class=&quot;x&quot;&gt;";
    assert!(page.contains(&format!("<iframe sandbox title='As HTML' srcdoc=\"{html}")), "{page}");
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let file = data.path().join("mail").join(format!("{sent}.json"));
        assert_eq!(fs::metadata(file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    for path in ["/dev/outbox", "/dev/outbox.json"] {
        for (name, value) in [("host", "evil.example.com"), ("origin", "https://example.com")] {
            let request = anonymous.get(path).unspecified().without(name);
            request.header(name, value).await.expect(403);
        }
    }
    let log = laptop.end_with("INT").await.stderr;
    assert!(!log.contains("onerror") && !log.contains("Hi</p>"), "{log}");
}

/// As soon as somebody says that it is time.
#[tokio::test]
async fn what_a_webhook_has_not_taken_comes_when_the_schedule_is_run() {
    let mut receiver = Receiver::start().await;
    let data = tempdir().expect("a folder");
    let (laptop, store) = start(data.path()).await;
    let owner = store.ambient().new_id();
    let endpoint = endpoint(&store, owner, &receiver).await;
    receiver.next(Reply::Status(500));
    let event = send(&store, owner, WEBHOOK, &shipped(&endpoint)).await;
    assert_eq!(id(&receiver.received().await), event.to_string());
    let path = data.path().to_str().expect("the folder's name is text");
    let later = ["--at", "2100-01-01T00:00:00Z"];
    let retry = async |at: &[&str]| {
        let arguments = [&["--data-dir", path, "run-schedule", "retry_deliveries"], at].concat();
        run("local-dev", arguments, &[]).await
    };
    let waits = async {
        while Backlog::due(&store, far()).await.unwrap().is_empty() {
            tokio::task::yield_now().await;
        }
    };
    timeout(Duration::from_secs(60), waits).await.expect("it waits");

    let now = retry(&[]).await;
    assert_eq!(receiver.so_far().len(), 0);
    let later = retry(&later).await;

    assert_eq!(now.stdout, "Done: retry_deliveries\n");
    assert_eq!(later.stdout, "Done: retry_deliveries\n", "{later:?}");
    assert_eq!(told_so_far(&mut receiver), [event.to_string()]);
    assert!(Backlog::due(&store, far()).await.unwrap().is_empty());
    let wrong = retry(&["--at", "tomorrow"]).await;
    assert_eq!(wrong.code, Some(2), "{wrong:?}");
    laptop.end_with("TERM").await;
}

/// The store of a directory that nobody serves.
fn alone(data: &Path) -> (EmbeddedStore, Connection, Store) {
    let own = EmbeddedStore::open_on(&data.join("store.sqlite"), 0).expect("it opens");
    let table = connection(&own);
    (own, table.clone(), Store::connect(table, Ambient::system()))
}

/// How many records were handled, or have failed.
async fn marks(table: &Connection) -> usize {
    let scan = json!({ "TableName": table.table });
    let items = call_store(table, "Scan", &scan).await["Items"].take();
    let items = items.as_array().expect("a list").clone();
    items.into_iter().filter(|item| item["kind"]["S"] == "EVENT").count()
}

/// A command would end in the middle of them.
#[tokio::test]
async fn commands_call_no_handler_of_what_waits() {
    let data = tempdir().expect("a folder");
    let path = data.path().to_str().expect("the folder's name is text");
    run("local-dev", ["--data-dir", path, "seed"], &[]).await;
    let (own, _, store) = alone(data.path());
    let owner = store.ambient().new_id();
    let mail = send(&store, owner, MAIL, &hello()).await;
    let push = send(&store, owner, "push", &json!({})).await;
    own.stop().await;

    for command in [
        &["token", "--email", "maya@example.com"][..],
        &["role", "--email", "maya@example.com", "admin"],
        &["run-schedule", "sweep_expired"],
        &["replay"],
        &["seed"],
    ] {
        let outcome = run("local-dev", [&["--data-dir", path], command].concat(), &[]).await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
    }

    assert_eq!(mails(data.path()).len(), 0);
    let (own, table, store) = alone(data.path());
    assert!(is_in_the_outbox(&store, owner, mail).await);
    assert!(is_in_the_outbox(&store, owner, push).await);
    assert_eq!(marks(&table).await, 0);
    own.stop().await;
}

#[tokio::test]
async fn a_replay_says_what_has_become_of_which() {
    let data = tempdir().expect("a folder");
    let (laptop, store) = start(data.path()).await;
    laptop.end_with("TERM").await;
    drop(store);
    let failures = FailureStore::folder(data.path().join("events"));
    let message = ("1".to_owned(), None, "1".to_owned());
    let record = json!({ "requestPayload": batches::sqs("nobody", &[message]) });
    for name in ["aws/lambda/async/1.json", "aws/lambda/async/2.json"] {
        failures.put(name, record.to_string().into_bytes()).await.expect("it is kept");
    }
    let path = data.path().to_str().expect("the folder's name is text");
    let replay = async |prefix: &'static str| {
        run("local-dev", ["--data-dir", path, "replay", prefix], &[]).await
    };

    let none = replay("failures/").await;
    let some = replay("aws/").await;

    assert_eq!(none.stdout, "There is no failure under `failures/`, and 2 under other names.\n");
    assert_eq!(some.code, Some(1), "{some:?}");
    let last = some.stderr.lines().last();
    let names = "aws/lambda/async/1.json, aws/lambda/async/2.json";
    let sentence = format!("error: 0 failures were handled; 2 have failed again and stay: {names}");
    assert_eq!(last, Some(&*sentence));
}

#[tokio::test]
async fn a_schedule_that_nobody_has_declared_is_named() {
    let data = tempdir().expect("a folder");
    let data = data.path().join("data");
    let data = data.to_str().expect("the folder's name is text");

    let outcome = run("local-dev", ["--data-dir", data, "run-schedule", "nothing"], &[]).await;

    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    let why = "error: no module has declared the schedule nothing; there are: ";
    assert!(outcome.stderr.starts_with(why), "{outcome:?}");
    assert!(outcome.stderr.contains("sweep_expired"), "{outcome:?}");
}

/// While it is served, and while it is not.
#[tokio::test]
async fn what_has_expired_goes_when_the_schedule_is_run() {
    let data = tempdir().expect("a folder");
    let (laptop, store) = start(data.path()).await;
    let past = Timestamp::from_unix_millis(1_795_365_000_000);
    let keep = async |id: &str| {
        let mut event = HandledEvent::new("orders.charge_card", id, past);
        event.expires_at = past;
        store.create(&mut event).await.expect("the store writes");
    };
    let table = |path: &Path| {
        let endpoint = fs::read_to_string(path.join("store-address")).expect("it is served");
        Connection::embedded(endpoint, "landline")
    };
    let there = async |path: &Path| marks(&table(path)).await;
    let path = data.path().to_str().expect("the folder's name is text");
    let sweep = async || {
        let arguments = ["--data-dir", path, "run-schedule", "sweep_expired"];
        let outcome = run("local-dev", arguments, &[]).await;
        assert_eq!(outcome.code, Some(0), "{outcome:?}");
        assert_eq!(outcome.stdout, "Done: sweep_expired\n");
    };

    keep("1").await;
    assert_eq!(there(data.path()).await, 1);
    sweep().await;
    assert_eq!(there(data.path()).await, 0);
    keep("2").await;
    laptop.end_with("TERM").await;
    sweep().await;
    let (laptop, _) = start(data.path()).await;
    assert_eq!(there(data.path()).await, 0);
    laptop.end_with("TERM").await;
}
