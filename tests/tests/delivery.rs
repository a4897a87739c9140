//! What was committed to the outbox reaches whom it is for.

use std::{fs, path::Path, sync::Arc, time::Duration};

use api::{
    events::{Events, FailureStore},
    platform::outbox::{Mailer, Receivers, Ses, Webhooks},
};
use lambda_runtime::{Context, LambdaEvent};
use local_dev::{EmbeddedStore, Mailbox, connection};
use models::{
    Ambient, Id, Timestamp,
    aws::Access,
    platform::{
        events::HandledEvent,
        mail::{MAIL, Mail},
        outbox::Message,
        webhook::{WEBHOOK, WebhookEndpoint, WebhookEvent},
    },
    store::{Connection, Entity, Key, Store, WriteSet},
};
use serde_json::{Value, json, value::to_raw_value};
use tempfile::{TempDir, tempdir};
use tests::{
    LocalDev, Reply, World, batches, call_store,
    receiver::{Received, Receiver},
    run, signing_key,
};

/// The event handlers of the app on a world's table, and somebody whom messages are about.
struct Post {
    world: World,
    store: Store,
    events: Events,
    failures: FailureStore,
    folder: TempDir,
    owner: Id,
}

impl Post {
    /// Mails go into a folder, and webhooks may be of this machine.
    async fn new() -> Self {
        Self::with(|mailbox| Receivers { mailer: Some(mailbox), webhooks: of_this_machine() }).await
    }

    async fn with(receivers: impl FnOnce(Arc<Mailbox>) -> Receivers) -> Self {
        let world = World::new().await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        let (folder, failures) = (tempdir().expect("a folder"), FailureStore::memory());
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let (modules, kept) = (api::route_table(), failures.clone());
        let events = Events::with_modules(&modules, auth, Default::default(), store.clone(), kept);
        let mailbox = Mailbox::of(Some(folder.path()), world.ambient().clone());
        let events =
            events.expect("they are declared well").delivering_to(receivers(mailbox.into()));
        let owner = world.ambient().new_id();
        Self { world, store, events, failures, folder, owner }
    }

    /// Commit a message, and give it as the table's stream tells of it.
    async fn commit(&self, topic: &str, payload: &Value) -> Committed {
        let message =
            Message::new(self.world.ambient(), self.owner, topic, payload).expect("it is small");
        self.store.write(WriteSet::new().send(message.clone())).await.expect("the store writes");
        let table = self.world.connection();
        let key = json!({
            "pk": { "S": format!("ACCOUNT#{}", self.owner) },
            "sk": { "S": format!("OUTBOX#{}", message.id) },
        });
        let get = json!({ "TableName": table.table, "Key": key });
        let item = call_store(&table, "GetItem", &get).await["Item"].take();
        Committed { id: message.id, item }
    }

    async fn endpoint(&self, url: String) -> WebhookEndpoint {
        let mut endpoint =
            WebhookEndpoint::new(self.world.ambient(), self.owner, url).expect("a URL");
        self.store.create(&mut endpoint).await.expect("the store writes");
        endpoint
    }

    /// Tell the handlers of these, in this order.
    async fn tell(&self, committed: &[&Committed]) -> Value {
        let record = |it: &&Committed| (it.id.to_string(), None, Some(it.item.clone()));
        let event = batches::dynamodb(&committed.iter().map(record).collect::<Vec<_>>());
        let event = LambdaEvent::new(to_raw_value(&event).expect("it is JSON"), Context::default());
        serde_json::to_value(self.events.invoke(event).await.expect("the event is acknowledged"))
            .expect("an answer is JSON")
    }

    async fn is_in_the_outbox(&self, committed: &Committed) -> bool {
        is_in_the_outbox(&self.store, self.owner, committed.id).await
    }

    fn mails(&self) -> Vec<Value> {
        mails(self.folder.path())
    }

    /// What was set aside of the outbox, as far as it is told here.
    async fn set_aside(&self) -> Vec<Value> {
        let mut found = Vec::new();
        for key in self
            .failures
            .list("failures/outbox.deliver_message/")
            .await
            .expect("the folder is read")
        {
            found.push(
                serde_json::from_slice(
                    &self.failures.get(&key).await.expect("the failure is read"),
                )
                .expect("a failure is JSON"),
            );
        }
        found
    }
}

struct Committed {
    id: Id,
    item: Value,
}

fn of_this_machine() -> Arc<Webhooks> {
    Arc::new(Webhooks::new(None).with_this_machine())
}

async fn is_in_the_outbox(store: &Store, owner: Id, id: Id) -> bool {
    store.get::<Message>(Key::owned::<Message>(owner, id)).await.expect("the store reads").is_some()
}

/// All mails in a data directory.
fn mails(data: &Path) -> Vec<Value> {
    let Ok(files) = fs::read_dir(data.join("mail")) else { return Vec::new() };
    files
        .map(|file| {
            serde_json::from_slice(
                &fs::read(file.expect("the folder is read").path()).expect("the mail is read"),
            )
            .expect("a mail is JSON")
        })
        .collect()
}

fn hello() -> Value {
    json!({ "to": "maya@example.com", "subject": "Hello", "text": "Hi Maya" })
}

fn shipped(endpoint: &WebhookEndpoint) -> Value {
    let event = WebhookEvent::new(endpoint.id, "order.shipped", json!({ "order": 7 }));
    serde_json::to_value(event.expect("its type is a word")).expect("an event is JSON")
}

fn all_done() -> Value {
    json!({ "batchItemFailures": [] })
}

fn from(first: &Committed) -> Value {
    json!({ "batchItemFailures": [{ "itemIdentifier": first.id }] })
}

/// The world's time, when all of these requests were signed.
const NOW: &str = "1795365000";

mod a_mail {
    use super::*;

    #[tokio::test]
    async fn is_taken_once_and_is_gone_then() {
        let post = Post::new().await;
        let mail = post.commit(MAIL, &hello()).await;

        assert_eq!(post.tell(&[&mail]).await, all_done());
        assert_eq!(post.tell(&[&mail]).await, all_done());

        let expected = json!({
            "id": mail.id,
            "sentAt": "2026-11-22T16:30:00.000Z",
            "to": "maya@example.com",
            "subject": "Hello",
            "text": "Hi Maya",
        });
        assert_eq!(post.mails(), [expected]);
        assert!(!post.is_in_the_outbox(&mail).await);
    }

    async fn by_ses(ses: &Receiver) -> Post {
        let endpoint = format!("http://{}", ses.address());
        let ses = Ses::new("Landline <hello@example.com>", Access::embedded(), Some(endpoint));
        let ses: Arc<dyn Mailer> = Arc::new(ses);
        Post::with(|_| Receivers { mailer: Some(ses), webhooks: of_this_machine() }).await
    }

    #[tokio::test]
    async fn is_sent_by_ses() {
        let mut ses = Receiver::start().await;
        let post = by_ses(&ses).await;
        let mut both = hello();
        both["html"] = json!("<p>Hi Maya</p>");
        let mail = post.commit(MAIL, &both).await;

        assert_eq!(post.tell(&[&mail, &mail]).await, all_done());

        let sent = ses.received().await;
        assert_eq!(sent.path, "/v2/email/outbound-emails");
        assert!(sent.header("authorization").contains("/us-east-1/ses/aws4_request"), "{sent:?}");
        let text = |text: &str| json!({ "Data": text, "Charset": "UTF-8" });
        assert_eq!(
            serde_json::from_str::<Value>(&sent.body).unwrap(),
            json!({
                "FromEmailAddress": "Landline <hello@example.com>",
                "Destination": { "ToAddresses": ["maya@example.com"] },
                "Content": { "Simple": {
                    "Subject": text("Hello"),
                    "Body": { "Text": text("Hi Maya"), "Html": text("<p>Hi Maya</p>") },
                } },
            }),
        );
        assert_eq!(ses.so_far().len(), 0, "it was sent once");
        assert!(!post.is_in_the_outbox(&mail).await);
    }

    #[tokio::test]
    async fn that_ses_refuses_stays_and_names_nobody() {
        let ses = Receiver::start().await;
        let post = by_ses(&ses).await;
        let mail = post.commit(MAIL, &hello()).await;

        for _ in 0..4 {
            ses.next(Reply::Refusal("MessageRejected"));
            assert_eq!(post.tell(&[&mail]).await, from(&mail));
        }
        ses.next(Reply::Refusal("MessageRejected"));
        assert_eq!(post.tell(&[&mail]).await, all_done());

        assert_eq!(post.set_aside().await[0]["reason"], "SES refused it: MessageRejected");
        assert!(post.is_in_the_outbox(&mail).await);
    }

    /// It may have been taken, and SES cannot tell one that comes again.
    #[tokio::test]
    async fn is_asked_of_ses_once_in_each_delivery() {
        let mut ses = Receiver::start().await;
        let post = by_ses(&ses).await;
        let mail = post.commit(MAIL, &hello()).await;
        for _ in 0..3 {
            ses.next(Reply::Status(503));
        }

        assert_eq!(post.tell(&[&mail]).await, from(&mail));

        assert_eq!(ses.so_far().len(), 1);
        assert!(post.is_in_the_outbox(&mail).await);
    }

    /// Then it was not taken, and it is none of the mail's failures.
    #[tokio::test]
    async fn is_asked_of_ses_again_when_too_many_were_sent() {
        let mut ses = Receiver::start().await;
        let post = by_ses(&ses).await;
        let mail = post.commit(MAIL, &hello()).await;
        ses.next(Reply::Refusal("TooManyRequestsException"));

        assert_eq!(post.tell(&[&mail]).await, all_done());

        assert_eq!(ses.so_far().len(), 2);
        assert!(!post.is_in_the_outbox(&mail).await);
    }

    #[tokio::test]
    async fn that_is_none_is_a_failure_before_anybody_is_asked() {
        let post = Post::new().await;
        let mut injected = hello();
        injected["subject"] = json!("Hi\r\nBcc: eve@example.com");
        let (mail, other) =
            (post.commit(MAIL, &injected).await, post.commit(MAIL, &json!(7)).await);

        assert_eq!(post.tell(&[&mail]).await, from(&mail));
        assert_eq!(post.tell(&[&other]).await, from(&other));

        assert_eq!(post.mails().len(), 0);
    }

    #[tokio::test]
    async fn waits_where_no_sender_is_configured() {
        let post = Post::with(|_| Receivers::default()).await;
        let mail = post.commit(MAIL, &hello()).await;

        assert_eq!(post.tell(&[&mail]).await, from(&mail));

        assert!(post.is_in_the_outbox(&mail).await);
    }
}

mod a_webhook {
    use super::*;

    fn url(receiver: &Receiver) -> String {
        format!("http://{}/hooks", receiver.address())
    }

    #[tokio::test]
    async fn is_told_in_a_signed_request() {
        let mut receiver = Receiver::start().await;
        let post = Post::new().await;
        let endpoint = post.endpoint(url(&receiver)).await;
        let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;

        assert_eq!(post.tell(&[&event]).await, all_done());

        let told = receiver.received().await;
        let body =
            r#"{"data":{"order":7},"timestamp":"2026-11-22T16:30:00.000Z","type":"order.shipped"}"#;
        assert_eq!((told.path.as_str(), told.body.as_str()), ("/hooks", body));
        assert_eq!(told.header("content-type"), "application/json");
        assert_eq!(told.header("webhook-id"), event.id.to_string());
        assert_eq!(told.header("webhook-timestamp"), NOW);
        let signature = endpoint.signature(event.id, post.world.ambient().now(), body);
        assert_eq!(told.header("webhook-signature"), signature);
        assert!(!post.is_in_the_outbox(&event).await);
    }

    #[tokio::test]
    async fn is_told_again_under_the_same_id_until_it_has_taken_it() {
        let mut receiver = Receiver::start().await;
        let post = Post::new().await;
        let endpoint = post.endpoint(url(&receiver)).await;
        let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;
        receiver.next(Reply::Status(503));
        receiver.next(Reply::Redirect("/elsewhere".to_owned()));

        assert_eq!(post.tell(&[&event]).await, from(&event));
        assert_eq!(post.tell(&[&event]).await, from(&event));
        assert_eq!(post.tell(&[&event]).await, all_done());
        assert_eq!(post.tell(&[&event]).await, all_done());

        let told = receiver.so_far();
        let told: Vec<_> = told.iter().map(|it| (&*it.path, it.header("webhook-id"))).collect();
        let id = event.id.to_string();
        assert_eq!(told, [("/hooks", &*id); 3], "no redirect is followed");
    }

    /// What comes behind would wait for it each time.
    #[tokio::test]
    async fn leaves_an_endpoint_alone_that_was_silent_five_times() {
        let mut receiver = Receiver::start().await;
        let post = Post::new().await;
        let endpoint = post.endpoint(url(&receiver)).await;
        let other = post.endpoint(url(&receiver)).await;
        let first = post.commit(WEBHOOK, &shipped(&endpoint)).await;
        let second = post.commit(WEBHOOK, &shipped(&endpoint)).await;
        let of_another = post.commit(WEBHOOK, &shipped(&other)).await;
        for _ in 0..4 {
            receiver.next(Reply::Closed);
            assert_eq!(post.tell(&[&first]).await, from(&first));
        }
        receiver.next(Reply::Closed);
        assert_eq!(post.tell(&[&first]).await, all_done(), "it is set aside");
        assert_eq!(receiver.so_far().len(), 5);

        assert_eq!(post.tell(&[&second]).await, from(&second));
        assert_eq!(receiver.so_far().len(), 0, "it is not asked");
        assert_eq!(post.tell(&[&of_another]).await, all_done());
        assert_eq!(receiver.received().await.header("webhook-id"), of_another.id.to_string());

        // One more try, and it is known to answer again.
        post.world.ambient().advance(Duration::from_secs(10 * 60));
        assert_eq!(post.tell(&[&second]).await, all_done());
        assert_eq!(receiver.received().await.header("webhook-id"), second.id.to_string());
    }

    #[tokio::test]
    async fn reaches_nothing_inside_in_the_cloud() {
        let mut receiver = Receiver::start().await;
        let post = Post::with(|_| Receivers::default()).await;
        let port = receiver.address().port();
        for url in [
            format!("http://127.0.0.1:{port}/"),
            format!("http://localhost:{port}/"),
            format!("https://127.0.0.1:{port}/"),
            format!("https://localhost:{port}/"),
            format!("https://127.1:{port}/"),
            format!("https://[::ffff:127.0.0.1]:{port}/"),
        ] {
            let endpoint = post.endpoint(url.clone()).await;
            let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;

            assert_eq!(post.tell(&[&event]).await, from(&event), "{url}");

            assert_eq!(receiver.so_far().len(), 0, "{url}");
        }
    }

    #[tokio::test]
    async fn that_is_deleted_is_not_told() {
        let mut receiver = Receiver::start().await;
        let post = Post::new().await;
        let endpoint = post.endpoint(url(&receiver)).await;
        let event = post.commit(WEBHOOK, &shipped(&endpoint)).await;
        let key = endpoint.key();
        let none = models::store::Precondition::None;
        post.store.delete::<WebhookEndpoint>(key, &none).await.unwrap();

        assert_eq!(post.tell(&[&event]).await, all_done());

        assert_eq!(receiver.so_far().len(), 0);
        assert!(!post.is_in_the_outbox(&event).await);
    }
}

mod a_message {
    use super::*;

    #[tokio::test]
    async fn that_nobody_takes_is_kept_whole_after_five_attempts() {
        let post = Post::new().await;
        let push = post.commit("push", &json!({ "title": "Hello" })).await;

        for _ in 0..4 {
            assert_eq!(post.tell(&[&push]).await, from(&push));
        }
        assert_eq!(post.tell(&[&push]).await, all_done());

        let kept = post.set_aside().await;
        assert_eq!(kept[0]["reason"], "nobody takes messages of the topic `push`");
        assert_eq!(kept[0]["record"]["dynamodb"]["NewImage"], push.item);
        assert!(post.is_in_the_outbox(&push).await);
    }

    #[tokio::test]
    async fn that_fails_is_not_overtaken() {
        let post = Post::new().await;
        let push = post.commit("push", &json!({})).await;
        let mail = post.commit(MAIL, &hello()).await;

        for _ in 0..4 {
            assert_eq!(post.tell(&[&push, &mail]).await, from(&push));
            assert_eq!(post.mails().len(), 0);
        }
        assert_eq!(post.tell(&[&push, &mail]).await, all_done());

        assert_eq!(post.mails().len(), 1, "what never succeeds holds up nobody for ever");
    }
}

mod on_a_laptop {
    use super::*;

    async fn start(data: &Path) -> (LocalDev, Store) {
        let arguments = ["--data-dir".as_ref(), data.as_os_str()];
        let laptop = LocalDev::start(data, arguments).await;
        let endpoint = fs::read_to_string(data.join("store-address"))
            .expect("local-dev says where its store is");
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
        assert!(
            page.contains(&format!("<iframe sandbox title='As HTML' srcdoc=\"{html}")),
            "{page}"
        );
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

        assert_eq!(
            none.stdout,
            "There is no failure under `failures/`, and 2 under other names.\n"
        );
        assert_eq!(some.code, Some(1), "{some:?}");
        let last = some.stderr.lines().last();
        let names = "aws/lambda/async/1.json, aws/lambda/async/2.json";
        let sentence =
            format!("error: 0 failures were handled; 2 have failed again and stay: {names}");
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
}
