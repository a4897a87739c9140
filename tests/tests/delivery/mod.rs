//! What was committed to the outbox reaches whom it is for.

mod a_backlog;
mod a_mail;
mod a_message;
mod a_webhook;
mod in_time;
mod on_a_laptop;

use std::{fs, path::Path, sync::Arc};

use api::{
    events::{Events, FailureStore},
    platform::outbox::{Receivers, Webhooks},
};
use lambda_runtime::{Context, LambdaEvent};
use local_dev::Mailbox;
use models::{
    Ambient, Id, Timestamp,
    platform::{
        backlog::Backlog,
        outbox::Message,
        webhook::{WebhookEndpoint, WebhookEvent},
    },
    store::{Key, Store, WriteSet},
};
use serde_json::{Value, json, value::to_raw_value};
use tempfile::{TempDir, tempdir};
use tests::{World, batches, call_store, receiver::Receiver, signing_key};

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
        Self::with(|mailbox, _| Receivers { mailer: Some(mailbox), webhooks: of_this_machine() })
            .await
    }

    async fn with(receivers: impl FnOnce(Arc<Mailbox>, &Ambient) -> Receivers) -> Self {
        let world = World::new().await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        let (folder, failures) = (tempdir().expect("a folder"), FailureStore::memory());
        let auth = auth::Settings::new("https://api.example.com", "landline", signing_key());
        let (modules, kept) = (api::route_table(), failures.clone());
        let events = Events::with_modules(&modules, auth, Default::default(), store.clone(), kept);
        let mailbox = Mailbox::of(Some(folder.path()), world.ambient().clone());
        let events = events
            .expect("they are declared well")
            .delivering_to(receivers(mailbox.into(), world.ambient()));
        let owner = world.ambient().new_id();
        Self { world, store, events, failures, folder, owner }
    }

    /// Commit a message, and give it as the table's stream tells of it.
    async fn commit(&self, topic: &str, payload: &Value) -> Committed {
        let message =
            Message::new(self.world.ambient(), self.owner, topic, payload).expect("it is small");
        self.store.write(WriteSet::new().send(message.clone())).await.expect("the store writes");
        self.told("OUTBOX", message.id).await
    }

    /// The same of one that was given up.
    async fn dead_letter(&self, committed: &Committed) -> Committed {
        assert!(!self.is_in_the_outbox(committed).await);
        self.told("DEAD_LETTER", committed.id).await
    }

    async fn told(&self, kind: &str, id: Id) -> Committed {
        let table = self.world.connection();
        let key = json!({
            "pk": { "S": format!("ACCOUNT#{}", self.owner) },
            "sk": { "S": format!("{kind}#{id}") },
        });
        let get = json!({ "TableName": table.table, "Key": key });
        let item = call_store(&table, "GetItem", &get).await["Item"].take();
        assert!(item.is_object(), "there is no {kind} of {id}");
        Committed { id, item }
    }

    async fn endpoint(&self, url: String) -> WebhookEndpoint {
        let mut endpoint =
            WebhookEndpoint::new(self.world.ambient(), self.owner, url).expect("a URL");
        self.store.create(&mut endpoint).await.expect("the store writes");
        endpoint
    }

    /// Whether it waits for its receiver.
    async fn is_waiting(&self, committed: &Committed) -> bool {
        let mut waiting = self.items("WAITING").await.into_iter();
        let id = committed.id.to_string();
        waiting.any(|item| item["message"]["M"]["id"]["S"] == id)
    }

    /// What there is of a kind.
    async fn items(&self, kind: &str) -> Vec<Value> {
        let table = self.world.connection();
        let scan = json!({ "TableName": table.table });
        let items = call_store(&table, "Scan", &scan).await["Items"].take();
        let items = items.as_array().expect("a list").iter();
        items.filter(|item| item["kind"]["S"] == kind).cloned().collect()
    }

    async fn put(&self, item: &Value) {
        let table = self.world.connection();
        let put = json!({ "TableName": table.table, "Item": item });
        call_store(&table, "PutItem", &put).await;
    }

    /// Tell the handlers of these, in this order.
    async fn tell(&self, committed: &[&Committed]) -> Value {
        let record = |it: &&Committed| (it.id.to_string(), None, Some(it.item.clone()));
        self.invoke(&batches::dynamodb(&committed.iter().map(record).collect::<Vec<_>>())).await
    }

    /// It is time to try receivers again.
    async fn retry(&self) {
        let id = self.world.ambient().new_id().to_string();
        assert_eq!(self.invoke(&batches::tick(&id, "app-retry_deliveries")).await, Value::Null);
    }

    async fn invoke(&self, event: &Value) -> Value {
        let event = LambdaEvent::new(to_raw_value(event).expect("it is JSON"), Context::default());
        serde_json::to_value(self.events.invoke(event).await.expect("the event is acknowledged"))
            .expect("an answer is JSON")
    }

    /// The receivers that are tried again, by what is kept of them.
    async fn backlogs(&self) -> Vec<Backlog> {
        Backlog::due(&self.store, far()).await.expect("the store reads")
    }

    async fn is_in_the_outbox(&self, committed: &Committed) -> bool {
        is_in_the_outbox(&self.store, self.owner, committed.id).await
    }

    fn mails(&self) -> Vec<Value> {
        mails(self.folder.path())
    }

    /// What was set aside.
    async fn set_aside(&self) -> Vec<Value> {
        let mut found = Vec::new();
        let prefix = "failures/outbox.deliver_dead_letter/";
        for key in self.failures.list(prefix).await.expect("the folder is read") {
            let content = self.failures.get(&key).await.expect("the failure is read");
            found.push(serde_json::from_slice(&content).expect("a failure is JSON"));
        }
        assert_eq!(self.failures.list("").await.expect("the folder is read").len(), found.len());
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

fn url(receiver: &Receiver) -> String {
    format!("http://{}/hooks", receiver.address())
}

/// The ids of the events that somebody was told so far.
fn told_so_far(receiver: &mut Receiver) -> Vec<String> {
    receiver.so_far().iter().map(|it| it.header("webhook-id").to_owned()).collect()
}

/// Later than anything waits for.
fn far() -> Timestamp {
    Timestamp::from_unix_millis(4_102_444_800_000)
}
