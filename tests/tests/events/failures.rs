//! What never succeeds: kept whole with its reason, and replayed.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
};

use api::{
    events::{Change, Failure, QueueMessage, Refused},
    http::{Lease, Module},
};
use models::store::Store;
use serde_json::{Value, json};
use tests::batches;

use super::{
    BEGINNING, Fate, Order, Parcel, Served, again, all_done, image, message, note_in, one_message,
    order, serve, tallied,
};

/// A handler that fails while it is broken.
async fn serve_broken(broken: &Arc<AtomicBool>) -> Served {
    let broken = broken.clone();
    serve(vec![Module::new("queue").on_message(
        "orders",
        move |message: QueueMessage<Order>, store: Store| {
            let broken = broken.clone();
            async move {
                note_in(&store, "orders", message.body.number).await?;
                if broken.load(Ordering::SeqCst) {
                    return Err(Failure::new("the shop is closed"));
                }
                Ok(())
            }
        },
    )])
    .await
}

fn broken() -> Arc<AtomicBool> {
    Arc::new(AtomicBool::new(true))
}

async fn fail_for_good(served: &Served, event: &Value) {
    for _ in 0..4 {
        served.invoke(event).await;
    }
    assert_eq!(served.invoke(event).await, all_done(), "the fifth failure is the last");
}

#[tokio::test(start_paused = true)]
async fn the_fifth_failure_keeps_the_record_whole_and_acknowledges_it() {
    let served = serve_broken(&broken()).await;
    let event = one_message("message-1", &order(1, Fate::Pass));

    for _ in 0..4 {
        assert_eq!(served.invoke(&event).await, again(&["message-1"]));
        assert!(served.set_aside().is_empty());
    }
    assert_eq!(served.invoke(&event).await, all_done());

    let kept = served.set_aside();
    assert_eq!(kept.len(), 1);
    assert_eq!(
        kept[0],
        (
            "queue.{{closure}}".to_owned(),
            json!({
                "source": "aws:sqs",
                "handler": "queue.{{closure}}",
                "code": "handler_failed",
                "reason": "the shop is closed",
                "failures": 5,
                "requestId": "8476a536-e9f4-11e8-9739-2dfe598c3fcd",
                "setAsideAt": "2026-11-22T16:30:00.000Z",
                "record": event["Records"][0],
            }),
        ),
    );
    // And comes it once more, it stays aside.
    assert_eq!(served.invoke(&event).await, all_done());
    assert_eq!(served.set_aside().len(), 1);
    assert!(tallied(&served.store, "orders").await.is_empty());
}

/// A handler knows best of what use another attempt would be.
#[tokio::test(start_paused = true)]
async fn a_failure_for_good_is_the_last() {
    async fn refuse_order(_: QueueMessage<Order>) -> api::events::Result {
        Err(Failure::for_good("there is no such shop"))
    }
    async fn refuse_leased_order(_: QueueMessage<Order>, _: Lease) -> api::events::Result {
        Err(Failure::for_good("there is no such shop"))
    }
    let module = Module::new("queue").on_message("orders", refuse_order);
    let served = serve(vec![module.on_message("orders", refuse_leased_order)]).await;
    let event = one_message("message-1", &order(1, Fate::Pass));

    assert_eq!(served.invoke(&event).await, all_done());
    assert_eq!(served.invoke(&event).await, all_done());

    let kept = served.set_aside();
    let names: BTreeSet<_> = kept.iter().map(|(name, _)| &**name).collect();
    assert_eq!(names, ["queue.refuse_leased_order", "queue.refuse_order"].into());
    assert_eq!(kept.len(), 2);
    for (_, kept) in &kept {
        assert_eq!(kept["failures"], 1);
        assert_eq!(kept["reason"], "there is no such shop");
    }
}

/// What failed before may come to be hopeless, and a replay says so of it again.
#[tokio::test(start_paused = true)]
async fn a_failure_for_good_after_others_and_in_a_replay_stays() {
    let attempts = Arc::new(AtomicUsize::new(0));
    let handler = {
        let attempts = attempts.clone();
        move |_: QueueMessage<Order>| {
            let is_first = attempts.fetch_add(1, Ordering::SeqCst) == 0;
            async move {
                let failure = if is_first { Failure::new } else { Failure::for_good };
                Err::<(), _>(failure("the shop is closed"))
            }
        }
    };
    let served = serve(vec![Module::new("queue").on_message("orders", handler)]).await;
    let event = one_message("message-1", &order(1, Fate::Pass));

    assert_eq!(served.invoke(&event).await, again(&["message-1"]));
    assert_eq!(served.invoke(&event).await, all_done());

    let kept = served.set_aside();
    assert_eq!((kept.len(), &kept[0].1["failures"]), (1, &json!(2)));
    let answer = served.invoke(&json!({ "replay": "failures/" })).await;
    assert_eq!((&answer["replayed"], answer["failed"].as_array().unwrap().len()), (&json!(0), 1));
    assert_eq!(served.set_aside().len(), 1);
    assert_eq!(attempts.load(Ordering::SeqCst), 3);
}

/// The stream goes on behind it.
#[tokio::test(start_paused = true)]
async fn a_record_of_a_stream_gives_way_once_it_is_set_aside() {
    let served = serve(vec![Module::new("fifo").on_message(
        "orders.fifo",
        async |message: QueueMessage<Order>, store: Store| {
            note_in(&store, "orders", message.body.number).await?;
            super::meet(message.body.fate)
        },
    )])
    .await;
    let fates = [Fate::Pass, Fate::Panic, Fate::Pass];
    let messages = fates.iter().enumerate().map(|(place, fate)| {
        message(&format!("message-{place}"), Some("one"), &order(place, *fate))
    });
    let event = batches::sqs("orders.fifo", &messages.collect::<Vec<_>>());

    for _ in 0..4 {
        assert_eq!(served.invoke(&event).await, again(&["message-1", "message-2"]));
    }
    assert_eq!(served.invoke(&event).await, all_done());

    assert_eq!(tallied(&served.store, "orders").await, [0, 2]);
    assert_eq!(served.set_aside()[0].1["code"], "panicked");
}

/// What it panicked with may hold anything, so it is not kept.
#[tokio::test(start_paused = true)]
async fn a_panic_is_kept_without_its_words() {
    async fn fall_over(message: QueueMessage<Order>) -> api::events::Result {
        panic!("order {}", message.body.number);
    }
    let served = serve(vec![Module::new("queue").on_message("orders", fall_over)]).await;

    fail_for_good(&served, &one_message("message-1", &order(77, Fate::Pass))).await;

    let kept = served.set_aside().remove(0);
    assert_eq!(kept.0, "queue.fall_over");
    assert_eq!(kept.1["code"], "panicked");
    assert_eq!(kept.1["reason"], "the handler panicked");
}

/// Whoever never comes to an end has failed as often as its invocations have ended.
#[tokio::test(start_paused = true)]
async fn what_runs_out_of_time_is_set_aside_too() {
    let served = serve(vec![
        Module::new("queue").on_message("orders", async |_: QueueMessage<Order>, _: Lease| {
            std::future::pending().await
        }),
    ])
    .await;
    let event = one_message("message-1", &order(1, Fate::Pass));
    let deadline = u64::try_from(BEGINNING).unwrap() + 20_000;

    for _ in 0..4 {
        let answer = served.invoke_until(&event, deadline).await.unwrap();
        assert_eq!(answer, again(&["message-1"]));
    }
    assert_eq!(served.invoke_until(&event, deadline).await.unwrap(), all_done());

    let kept = served.set_aside().remove(0).1;
    assert_eq!(kept["code"], "timed_out");
    assert_eq!(kept["reason"], "the invocation's time was over");
    assert_eq!(kept["failures"], 5);
}

/// Lambda itself sends what takes no list of failures three times at most.
#[tokio::test(start_paused = true)]
async fn an_event_of_a_bus_is_set_aside_at_its_third_failure() {
    let served = serve(vec![Module::new("shop").on_event(
        "shop",
        "Order Placed",
        async |_: api::events::CustomEvent<Order>| Err(Failure::new("closed")),
    )])
    .await;
    let event = batches::custom("1", "shop", "Order Placed", &json!({ "number": 7 }));

    for _ in 0..2 {
        let refused = served.try_invoke(&event).await.unwrap_err();
        assert_eq!(refused, Refused::Failed { failed: 1, records: 1 });
    }
    assert_eq!(served.invoke(&event).await, Value::Null);

    let kept = served.set_aside().remove(0).1;
    assert_eq!(kept["record"], event, "the whole event");
    assert_eq!(kept["source"], "aws:events");
}

/// Where the failures cannot be kept nothing is acknowledged, however often it comes.
#[tokio::test(start_paused = true)]
async fn what_cannot_be_kept_comes_again() {
    let served = serve_broken(&broken()).await;
    let event = one_message("message-1", &order(1, Fate::Pass));
    std::fs::write(served.folder.path().join("failures"), "in the way").unwrap();

    for _ in 0..7 {
        assert_eq!(served.invoke(&event).await, again(&["message-1"]));
    }
    std::fs::remove_file(served.folder.path().join("failures")).unwrap();

    assert_eq!(served.invoke(&event).await, all_done());
    assert_eq!(served.set_aside().len(), 1);
}

mod replay {
    use super::*;

    fn replay(prefix: &str) -> Value {
        json!({ "replay": prefix })
    }

    #[tokio::test(start_paused = true)]
    async fn handles_what_was_set_aside_and_removes_it() {
        let broken = broken();
        let served = serve_broken(&broken).await;
        for id in ["message-1", "message-2"] {
            fail_for_good(&served, &one_message(id, &order(1, Fate::Pass))).await;
        }
        broken.store(false, Ordering::SeqCst);

        let answer = served.invoke(&replay("failures/")).await;

        assert_eq!(answer, json!({ "replayed": 2, "failed": [], "left": 0 }));
        assert!(served.set_aside().is_empty());
        assert_eq!(tallied(&served.store, "orders").await, [1, 1]);
        // The record has had its effect, should its source send it again.
        let event = one_message("message-1", &order(1, Fate::Pass));
        assert_eq!(served.invoke(&event).await, all_done());
        assert_eq!(tallied(&served.store, "orders").await, [1, 1]);
    }

    #[tokio::test(start_paused = true)]
    async fn leaves_what_fails_again() {
        let served = serve_broken(&broken()).await;
        fail_for_good(&served, &one_message("message-1", &order(1, Fate::Pass))).await;

        let answer = served.invoke(&replay("failures/")).await;

        assert_eq!(answer["replayed"], 0);
        assert_eq!(answer["failed"].as_array().unwrap().len(), 1);
        let kept = served.set_aside();
        assert_eq!(kept.len(), 1);
        assert_eq!(kept[0].1["failures"], 6);
    }

    /// What has no time any more stays, and is counted apart from what fails.
    #[tokio::test(start_paused = true)]
    async fn leaves_what_it_has_no_time_for() {
        let broken = broken();
        let served = serve_broken(&broken).await;
        for id in ["message-1", "message-2"] {
            fail_for_good(&served, &one_message(id, &order(1, Fate::Pass))).await;
        }
        broken.store(false, Ordering::SeqCst);
        let now = u64::try_from(BEGINNING).unwrap();

        let answer = served.invoke_until(&replay("failures/"), now).await.unwrap();

        assert_eq!(answer, json!({ "replayed": 0, "failed": [], "left": 2 }));
        assert_eq!(served.set_aside().len(), 2);
        assert!(tallied(&served.store, "orders").await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn takes_only_what_begins_so() {
        let broken = broken();
        let served = serve_broken(&broken).await;
        fail_for_good(&served, &one_message("message-1", &order(1, Fate::Pass))).await;
        broken.store(false, Ordering::SeqCst);

        let answer = served.invoke(&replay("failures/other.")).await;

        assert_eq!(answer, json!({ "replayed": 0, "failed": [], "left": 0 }));
        assert_eq!(served.set_aside().len(), 1);
    }

    /// A replay that died between the effect and the removal is made again.
    #[tokio::test(start_paused = true)]
    async fn has_no_second_effect() {
        let broken = broken();
        let served = serve_broken(&broken).await;
        fail_for_good(&served, &one_message("message-1", &order(1, Fate::Pass))).await;
        broken.store(false, Ordering::SeqCst);
        let kept = served.set_aside().remove(0).1;
        served.invoke(&replay("failures/")).await;
        let folder = served.folder.path().join("failures/queue.{{closure}}");
        std::fs::write(folder.join("again.json"), kept.to_string()).unwrap();

        let answer = served.invoke(&replay("failures/")).await;

        assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
        assert_eq!(tallied(&served.store, "orders").await, [1]);
    }

    #[tokio::test(start_paused = true)]
    async fn with_a_lease_has_the_effect_that_it_failed_to_have() {
        let broken = broken();
        let handler = {
            let broken = broken.clone();
            move |message: QueueMessage<Order>, _: Lease, store: Store| {
                let broken = broken.clone();
                async move {
                    if broken.load(Ordering::SeqCst) {
                        return Err(Failure::new("closed"));
                    }
                    note_in(&store, "orders", message.body.number).await?;
                    Ok(())
                }
            }
        };
        let served = serve(vec![Module::new("queue").on_message("orders", handler)]).await;
        fail_for_good(&served, &one_message("message-1", &order(1, Fate::Pass))).await;
        broken.store(false, Ordering::SeqCst);

        let answer = served.invoke(&replay("failures/")).await;

        assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
        assert_eq!(tallied(&served.store, "orders").await, [1]);
    }

    /// Lambda's own records of what it gives up: of a stream with the event as text, of S3 and
    /// EventBridge with the event itself.
    #[tokio::test(start_paused = true)]
    async fn takes_what_lambda_itself_has_given_up() {
        let served = serve_broken(&Arc::new(AtomicBool::new(false))).await;
        let event = |id| one_message(id, &order(1, Fate::Pass));
        let folder = served.folder.path().join("aws/lambda/async");
        std::fs::create_dir_all(&folder).unwrap();
        let condition = json!({ "condition": "RetryAttemptsExhausted" });
        for (name, record) in [
            (
                "stream.json",
                json!({ "requestContext": condition, "payload": event("1").to_string() }),
            ),
            ("object.json", json!({ "requestContext": condition, "payload": event("2") })),
            ("async.json", json!({ "requestContext": condition, "requestPayload": event("3") })),
            // A replay that was given up would find itself here, again and again.
            (
                "replay.json",
                json!({ "requestContext": condition, "requestPayload": replay("aws/lambda/") }),
            ),
            ("other.json", json!({ "requestContext": condition })),
        ] {
            std::fs::write(folder.join(name), record.to_string()).unwrap();
        }

        let answer = served.invoke(&replay("aws/lambda/")).await;

        let failed = ["aws/lambda/async/other.json"];
        assert_eq!(answer, json!({ "replayed": 4, "failed": failed, "left": 0 }));
        assert_eq!(tallied(&served.store, "orders").await, [1, 1, 1]);
        assert_eq!(std::fs::read_dir(folder).unwrap().count(), 1);
    }

    /// A whole event has no other name for what fails: it stays until that is told, and what was set
    /// aside meanwhile is replayed from there.
    #[tokio::test(start_paused = true)]
    async fn of_what_lambda_has_given_up_tells_of_a_last_failure() {
        let broken = broken();
        let handler = {
            let broken = broken.clone();
            move |_: api::events::CustomEvent<Order>| {
                let broken = broken.load(Ordering::SeqCst);
                async move { if broken { Err(Failure::new("closed")) } else { Ok(()) } }
            }
        };
        let module = Module::new("shop").on_event("shop", "Order Placed", handler);
        let served = serve(vec![module]).await;
        let event = batches::custom("1", "shop", "Order Placed", &json!({ "number": 7 }));
        for _ in 0..2 {
            served.try_invoke(&event).await.unwrap_err();
        }
        let folder = served.folder.path().join("aws/lambda/async");
        std::fs::create_dir_all(&folder).unwrap();
        let record = json!({ "requestPayload": event });
        std::fs::write(folder.join("event.json"), record.to_string()).unwrap();

        let answer = served.invoke(&replay("aws/lambda/")).await;

        let failed = json!(["aws/lambda/async/event.json"]);
        assert_eq!(answer, json!({ "replayed": 0, "failed": failed, "left": 0 }));
        assert_eq!(served.set_aside().len(), 1);
        let answer = served.invoke(&replay("aws/lambda/")).await;
        assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
        broken.store(false, Ordering::SeqCst);
        let answer = served.invoke(&replay("failures/")).await;
        assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
        assert!(served.set_aside().is_empty());
    }

    /// What one handler has done in time is not done again when the whole event is replayed, for as
    /// long as the bucket keeps it.
    #[tokio::test(start_paused = true)]
    async fn after_three_months_still_knows_what_was_done() {
        let served = serve_broken(&Arc::new(AtomicBool::new(false))).await;
        let event = one_message("message-1", &order(1, Fate::Pass));
        served.invoke(&event).await;
        served.store.ambient().advance(std::time::Duration::from_secs(92 * 24 * 60 * 60));
        let folder = served.folder.path().join("aws/lambda");
        std::fs::create_dir_all(&folder).unwrap();
        let record = json!({ "payload": event.to_string() });
        std::fs::write(folder.join("event.json"), record.to_string()).unwrap();

        let answer = served.invoke(&replay("aws/lambda/")).await;

        assert_eq!(answer, json!({ "replayed": 1, "failed": [], "left": 0 }));
        assert_eq!(tallied(&served.store, "orders").await, [1]);
    }

    /// Others may listen to what the handler does not listen to any longer.
    #[tokio::test(start_paused = true)]
    async fn of_a_handler_that_listens_elsewhere_leaves_the_record() {
        async fn charge_card(_: QueueMessage<Order>) -> api::events::Result {
            Ok(())
        }
        async fn count_order(_: QueueMessage<Order>) -> api::events::Result {
            Ok(())
        }
        async fn ship_parcel(_: Change<Parcel>) -> api::events::Result {
            Ok(())
        }
        async fn weigh_parcel(_: Change<Parcel>, _: Lease) -> api::events::Result {
            Ok(())
        }
        let served = serve(vec![
            Module::new("shop")
                .on_message("payments", charge_card)
                .on_message("orders", count_order)
                .on_change(ship_parcel),
            Module::new("scales").on_change(weigh_parcel).writing::<Parcel>().marked(),
        ])
        .await;
        let message = one_message("message-1", &order(1, Fate::Pass))["Records"][0].take();
        let mut parcel = image(1, Fate::Pass);
        parcel["writtenBy"] = json!({ "S": "scales.weigh_parcel" });
        let own = batches::dynamodb(&[("1".to_owned(), None, Some(parcel))])["Records"][0].take();
        for (source, handler, record) in
            [("aws:sqs", "shop.charge_card", message), ("aws:dynamodb", "scales.weigh_parcel", own)]
        {
            let folder = served.folder.path().join("failures").join(handler);
            std::fs::create_dir_all(&folder).unwrap();
            let kept = json!({
                "source": source, "handler": handler, "code": "panicked", "reason": "",
                "failures": 5, "requestId": "1", "setAsideAt": "2026-11-22T16:30:00.000Z",
                "record": record,
            });
            std::fs::write(folder.join("1.json"), kept.to_string()).unwrap();
        }

        let answer = served.invoke(&replay("failures/")).await;

        let failed = ["failures/scales.weigh_parcel/1.json", "failures/shop.charge_card/1.json"];
        assert_eq!(answer, json!({ "replayed": 0, "failed": failed, "left": 0 }));
        assert_eq!(served.set_aside().len(), 2);
    }

    /// Where the handler is gone nothing is taken for handled.
    #[tokio::test(start_paused = true)]
    async fn of_a_handler_that_is_gone_leaves_the_record() {
        let served = serve_broken(&Arc::new(AtomicBool::new(false))).await;
        let folder = served.folder.path().join("failures/queue.gone");
        std::fs::create_dir_all(&folder).unwrap();
        let record = one_message("message-1", &order(1, Fate::Pass))["Records"][0].take();
        let kept = json!({
            "source": "aws:sqs", "handler": "queue.gone", "code": "panicked", "reason": "",
            "failures": 5, "requestId": "1", "setAsideAt": "2026-11-22T16:30:00.000Z",
            "record": record,
        });
        std::fs::write(folder.join("1.json"), kept.to_string()).unwrap();

        let answer = served.invoke(&replay("failures/")).await;

        assert_eq!(answer["failed"], json!(["failures/queue.gone/1.json"]));
        assert!(folder.join("1.json").exists());
    }
}
