//! Failures in a bucket, through the real client.

use std::time::Duration;

use api::{
    events::{Failure, FailureStore, QueueMessage},
    http::Module,
};
use models::{Ambient, Timestamp, aws::Access, store::Store};
use serde_json::json;
use tests::{Bucket, simulation::Network};
use tokio::{net::TcpListener, time::Instant};

use super::{
    BEGINNING, Fate, Order, Served, again, all_done, note_in, one_message, order, tallied,
};

async fn table() -> Store {
    let store = Network::new(7).store(&Ambient::fixed(Timestamp::from_unix_millis(BEGINNING), 7));
    store.create_table().await.expect("the table can be made");
    store
}

#[tokio::test]
async fn keeps_gives_lists_and_forgets() {
    let bucket = Bucket::serve().await;
    let store = bucket.failures();

    for key in ["failures/b/2.json", "failures/a/1.json", "failures/b/1.json", "other/1.json"] {
        store.put(key, key.as_bytes().to_vec()).await.unwrap();
    }

    let listed = store.list("failures/").await.unwrap();
    assert_eq!(listed, ["failures/a/1.json", "failures/b/1.json", "failures/b/2.json"]);
    assert_eq!(store.list("failures/b/").await.unwrap().len(), 2);
    assert_eq!(store.get("failures/b/2.json").await.unwrap(), b"failures/b/2.json");
    store.put("failures/b/2.json", b"anew".to_vec()).await.unwrap();
    assert_eq!(store.get("failures/b/2.json").await.unwrap(), b"anew");
    store.remove("failures/b/2.json").await.unwrap();
    assert!(store.get("failures/b/2.json").await.is_err());
    assert_eq!(store.list("failures/b/").await.unwrap(), ["failures/b/1.json"]);
}

/// What a bucket that says nothing costs is the record, which comes again, and not the answer.
#[tokio::test(start_paused = true)]
async fn is_not_waited_for_beyond_the_end() {
    let silent = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("http://{}", silent.local_addr().unwrap());
    let failures = FailureStore::bucket("failures", &Access::embedded(), Some(&endpoint));
    let handler = async |_: QueueMessage<Order>| Err(Failure::new("the shop is closed"));
    let served = super::serve_with(
        &table().await,
        vec![Module::new("queue").on_message("orders", handler)],
        failures,
        tempfile::tempdir().unwrap(),
    );
    let event = one_message("message-1", &order(1, Fate::Pass));
    let deadline = u64::try_from(BEGINNING).unwrap() + 20_000;

    for _ in 0..6 {
        let began = Instant::now();
        let answer = served.invoke_until(&event, deadline).await.unwrap();
        assert_eq!(answer, again(&["message-1"]));
        assert!(began.elapsed() <= Duration::from_secs(19), "{:?}", began.elapsed());
    }
}

#[tokio::test]
async fn takes_what_never_succeeds_and_gives_it_back() {
    let bucket = Bucket::serve().await;
    let broken = std::sync::Arc::new(std::sync::atomic::AtomicBool::new(true));
    let handler = {
        let broken = broken.clone();
        move |message: QueueMessage<Order>, store: Store| {
            let broken = broken.clone();
            async move {
                note_in(&store, "orders", message.body.number).await?;
                let broken = broken.load(std::sync::atomic::Ordering::SeqCst);
                if broken { Err(Failure::new("the shop is closed")) } else { Ok(()) }
            }
        }
    };
    let served: Served = super::serve_with(
        &table().await,
        vec![Module::new("queue").on_message("orders", handler)],
        bucket.failures(),
        tempfile::tempdir().unwrap(),
    );
    let event = one_message("message-1", &order(1, Fate::Pass));

    for _ in 0..4 {
        assert_eq!(served.invoke(&event).await, again(&["message-1"]));
    }
    assert_eq!(served.invoke(&event).await, all_done());
    let kept = bucket.failures().list("failures/queue.").await.unwrap();
    let content = bucket.failures().get(&kept[0]).await.unwrap();
    let content: serde_json::Value = serde_json::from_slice(&content).unwrap();
    assert_eq!(content["record"], event["Records"][0]);
    assert_eq!(content["reason"], "the shop is closed");
    broken.store(false, std::sync::atomic::Ordering::SeqCst);

    let answer = served.invoke(&json!({ "replay": "failures/" })).await;

    assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
    assert_eq!(tallied(&served.store, "orders").await, [1]);
    assert!(bucket.failures().list("").await.unwrap().is_empty());
}

/// A bucket that is not there acknowledges nothing.
#[tokio::test]
async fn that_cannot_be_reached_lets_the_record_come_again() {
    let bucket = Bucket::serve().await;
    bucket.vanish();
    let fail = async |_: QueueMessage<Order>| Err(Failure::new("the shop is closed"));
    let served = super::serve_with(
        &table().await,
        vec![Module::new("queue").on_message("orders", fail)],
        bucket.failures(),
        tempfile::tempdir().unwrap(),
    );
    let event = one_message("message-1", &order(1, Fate::Pass));

    for _ in 0..6 {
        assert_eq!(served.invoke(&event).await, again(&["message-1"]));
    }
}
