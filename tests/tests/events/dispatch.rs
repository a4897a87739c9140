//! What is handed to which handler, and what is refused by name.

use api::{
    events::{Change, CustomEvent, ObjectCreated, QueueMessage, Refused, StreamRecord, Tick},
    http::Module,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use models::store::{Precondition, Store, WriteSet};
use serde_json::{Value, json};
use tests::batches;

use super::{
    Fate, Notes, Order, Parcel, Served, Tally, again, all_done, image, message, note_in,
    one_message, order, serve, tallied,
};

/// A module with one handler that notes what it is given.
macro_rules! noting {
    ($notes:expr, |$record:ident: $type:ty| $said:expr) => {{
        let notes = $notes.clone();
        move |$record: $type| {
            let notes = notes.clone();
            async move {
                notes.add($said);
                Ok(())
            }
        }
    }};
}

async fn serve_one(module: Module) -> Served {
    serve(vec![module]).await
}

mod a_file {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn comes_with_its_key_decoded_once() {
        let notes = Notes::default();
        let note = noting!(notes, |file: ObjectCreated| format!(
            "{} {} {} {} {}",
            file.bucket, file.key, file.size, file.etag, file.time
        ));
        let served = serve_one(Module::new("files").on_object_created("uploads/", note)).await;

        for (sent, key) in [
            ("uploads/plain.jpg", "uploads/plain.jpg"),
            ("uploads/my+holiday%20photo.jpg", "uploads/my holiday photo.jpg"),
            ("uploads/1%2B1.jpg", "uploads/1+1.jpg"),
            ("uploads/50%2525.jpg", "uploads/50%25.jpg"),
            ("uploads/caf%C3%A9.jpg", "uploads/café.jpg"),
        ] {
            let event = batches::s3("app-files", &[(sent.to_owned(), "0055".to_owned())]);

            assert_eq!(served.invoke(&event).await, Value::Null);

            let expected = format!(
                "app-files {key} 1024 b21b84d653bb07b05b1e6b33684dc11b 2026-11-22T16:30:00.123Z"
            );
            assert_eq!(notes.take(), [expected]);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn of_no_declared_prefix_is_refused_by_its_folder_and_not_by_its_name() {
        let note = noting!(Notes::default(), |file: ObjectCreated| file.key);
        let served = serve_one(Module::new("files").on_object_created("uploads/", note)).await;
        let event = batches::s3("app-files", &[("private/maya.jpg".to_owned(), "1".to_owned())]);

        let refused = served.try_invoke(&event).await.unwrap_err();

        assert_eq!(
            refused.to_string(),
            "no module has declared a handler for `ObjectCreated:Put` in the bucket `app-files`, \
             folder `private`",
        );
    }
}

mod a_message {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn comes_decoded_with_its_group_and_time() {
        let notes = Notes::default();
        let note = noting!(notes, |it: QueueMessage<Order>| format!(
            "{} {} {:?} {}",
            it.id,
            it.body.number,
            it.group,
            it.sent_at.unwrap()
        ));
        let served = serve_one(Module::new("orders").on_message("orders.fifo", note)).await;
        let sent = message("message-1", Some("maya"), &order(7, Fate::Pass));

        let answer = served.invoke(&batches::sqs("app-prod-orders.fifo", &[sent])).await;

        assert_eq!(answer, all_done());
        assert_eq!(notes.take(), [r#"message-1 7 Some("maya") 2026-11-22T16:30:00.000Z"#]);
    }

    /// The longest declared name that fits is meant.
    #[tokio::test(start_paused = true)]
    async fn goes_to_the_queue_that_fits_best() {
        let notes = Notes::default();
        let served = serve(vec![
            Module::new("a")
                .on_message("orders", noting!(notes, |_it: QueueMessage<Order>| "orders")),
            Module::new("b")
                .on_message("big-orders", noting!(notes, |_it: QueueMessage<Order>| "big-orders")),
        ])
        .await;

        for (queue, expected) in [
            ("orders", Some("orders")),
            ("app-orders", Some("orders")),
            ("app-big-orders", Some("big-orders")),
            ("big-orders", Some("big-orders")),
            ("reorders", None),
            ("orders.fifo", None),
            ("orders-dead", None),
        ] {
            let event = batches::sqs(queue, &[message(queue, None, &order(1, Fate::Pass))]);
            let mut event = event;
            event["Records"][0]["attributes"]["MessageGroupId"] = json!("one");

            let answer = served.try_invoke(&event).await;

            assert_eq!(notes.take(), expected.into_iter().collect::<Vec<_>>(), "{queue}");
            let refused = Refused::Undeclared(format!("the queue `{queue}`"));
            assert_eq!(answer.err(), expected.is_none().then_some(refused));
        }
    }

    /// What cannot be decoded fails as a record, and the others are handled.
    #[tokio::test(start_paused = true)]
    async fn that_says_something_else_fails_without_a_word_of_it() {
        let notes = Notes::default();
        let note = noting!(notes, |it: QueueMessage<Order>| it.body.number.to_string());
        let served = serve_one(Module::new("orders").on_message("orders", note)).await;
        let bodies = [
            (
                r#"{"number":"maya@example.com"}"#,
                "the value at `/number` must be a whole number of its range",
            ),
            (r"{}", "the value at `/number` is required"),
            (r#"{"number":1} 2"#, "it is not one JSON value"),
            ("maya@example.com", "it is not one JSON value"),
            ("[]", "the value must be an object"),
            (r#"{"number":1,"number":2}"#, "the value at `/number` must be given once"),
            (
                &format!(r#"{{"number":"{}"}}"#, "x".repeat(1 << 20)),
                "the value at `/number` must be a whole number of its range",
            ),
        ];
        for (number, (body, reason)) in bodies.into_iter().enumerate() {
            let bad = (format!("bad-{number}"), None, body.to_owned());
            let good = message("good", None, &order(7, Fate::Pass));
            let event = batches::sqs("orders", &[bad.clone(), good]);
            for _ in 0..4 {
                assert_eq!(served.invoke(&event).await, again(&[&bad.0]));
            }
            assert_eq!(served.invoke(&event).await, all_done());

            let mut kept = served.set_aside();
            let place = kept.iter().position(|(_, it)| it["record"]["body"] == body).unwrap();
            let (_, kept) = kept.remove(place);
            assert_eq!(kept["code"], "undecodable");
            assert_eq!(kept["reason"], reason);
        }
    }

    /// What a handler does not ask for may be as deep as it likes; what it takes as it is may not.
    #[tokio::test(start_paused = true)]
    async fn that_is_too_deep_fails() {
        let notes = Notes::default();
        let order = noting!(notes, |it: QueueMessage<Order>| it.body.number.to_string());
        let any = noting!(notes, |it: QueueMessage<Value>| it.body["number"].to_string());
        let orders = Module::new("orders").on_message("orders", order);
        let served = serve(vec![orders, Module::new("any").on_message("any", any)]).await;
        let deep = |levels: usize| {
            let body =
                format!(r#"{{"number":1,"x":{}{}}}"#, "[".repeat(levels), "]".repeat(levels));
            (format!("deep-{levels}"), None, body)
        };

        assert_eq!(served.invoke(&batches::sqs("orders", &[deep(100_000)])).await, all_done());
        assert_eq!(served.invoke(&batches::sqs("any", &[deep(100)])).await, all_done());
        assert_eq!(served.invoke(&batches::sqs("any", &[deep(200)])).await, again(&["deep-200"]));
        assert_eq!(notes.take(), ["1", "1"]);
    }
}

mod a_record_of_a_stream {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn comes_decoded_with_its_place() {
        let notes = Notes::default();
        let note = noting!(notes, |it: StreamRecord<Order>| format!(
            "{} {} {} {}",
            it.partition_key, it.sequence_number, it.data.number, it.arrived_at
        ));
        let served = serve_one(Module::new("orders").on_stream("activity", note)).await;
        let data = STANDARD.encode(r#"{"number":7}"#);

        let record = ("4951".to_owned(), "maya".to_owned(), data);
        let answer =
            served.invoke(&batches::kinesis("app-activity", std::slice::from_ref(&record))).await;

        assert_eq!(answer, all_done());
        assert_eq!(notes.take(), ["maya 4951 7 2026-11-22T16:30:00.123Z"]);
        let refused = served.try_invoke(&batches::kinesis("clicks", &[record])).await.unwrap_err();
        assert_eq!(refused, Refused::Undeclared("the stream `clicks`".to_owned()));
    }

    /// A mapping with enhanced fan-out names its consumer behind the stream.
    #[tokio::test(start_paused = true)]
    async fn comes_by_a_consumer_of_its_own_too() {
        let notes = Notes::default();
        let note = noting!(notes, |it: StreamRecord<Order>| it.data.number.to_string());
        let served = serve_one(Module::new("orders").on_stream("activity", note)).await;
        let data = STANDARD.encode(r#"{"number":7}"#);
        let mut event = batches::kinesis("x", &[("1".to_owned(), "maya".to_owned(), data)]);
        event["Records"][0]["eventSourceARN"] = json!(
            "arn:aws:kinesis:eu-central-1:123456789012:stream/app-activity/consumer/app:1795365000"
        );

        assert_eq!(served.invoke(&event).await, all_done());

        assert_eq!(notes.take(), ["7"]);
    }
}

mod a_change {
    use super::*;

    fn said(change: &Change<Parcel>) -> String {
        let number = |parcel: &Option<Parcel>| parcel.as_ref().map(|parcel| parcel.number);
        format!("{:?} {:?} {}", number(&change.before), number(&change.after), change.expired)
    }

    async fn serve_changes(notes: &Notes) -> Served {
        let note = noting!(notes, |change: Change<Parcel>| said(&change));
        serve_one(Module::new("parcels").on_change(note)).await
    }

    #[tokio::test(start_paused = true)]
    async fn comes_with_both_images_through_the_stores_own_rules() {
        let notes = Notes::default();
        let served = serve_changes(&notes).await;
        let of = |number, version: &str| {
            let mut image = image(number, Fate::Pass);
            image["version"]["N"] = json!(version);
            Some(image)
        };
        let mut tombstone = image(0, Fate::Pass);
        tombstone["deletedAt"] = json!({ "S": "2026-11-22T16:30:00.000Z" });
        for name in ["number", "fate", "id", "owner"] {
            tombstone.as_object_mut().unwrap().remove(name);
        }
        let records = [
            ("1".to_owned(), None, of(1, "1")),
            ("2".to_owned(), of(1, "1"), of(2, "2")),
            ("3".to_owned(), of(2, "2"), Some(tombstone.clone())),
            ("4".to_owned(), Some(tombstone.clone()), of(4, "4")),
            ("5".to_owned(), of(4, "4"), None),
            // What had expired has been replaced.
            ("6".to_owned(), of(4, "4"), of(6, "1")),
            // Of the end of a tombstone nobody is told.
            ("7".to_owned(), Some(tombstone), None),
        ];
        let mut event = batches::dynamodb(&records);
        event["Records"][4]["userIdentity"] =
            json!({ "type": "Service", "principalId": "dynamodb.amazonaws.com" });

        assert_eq!(served.invoke(&event).await, all_done());

        assert_eq!(
            notes.take(),
            [
                "None Some(1) false",
                "Some(1) Some(2) false",
                "Some(2) None false",
                "None Some(4) false",
                "Some(4) None true",
                "None Some(6) false",
            ],
        );
    }

    /// The sweep deletes what is over by a second; a handler is told the same as of DynamoDB.
    #[tokio::test(start_paused = true)]
    async fn that_deletes_what_is_over_says_so_whoever_has_deleted_it() {
        let notes = Notes::default();
        let served = serve_changes(&notes).await;
        let ending = |seconds: i64| {
            let mut image = image(1, Fate::Pass);
            image["ttl"] = json!({ "N": seconds.to_string() });
            Some(image)
        };
        // The records are of 1795365000.
        let records = [
            ("1".to_owned(), ending(1_795_364_999), None),
            ("2".to_owned(), ending(1_795_365_000), None),
            ("3".to_owned(), Some(image(1, Fate::Pass)), None),
        ];

        assert_eq!(served.invoke(&batches::dynamodb(&records)).await, all_done());

        assert_eq!(notes.take(), ["Some(1) None true", "Some(1) None false", "Some(1) None false"]);
    }

    /// Whatever else comes with it: another handler of the same kind may want that.
    #[tokio::test(start_paused = true)]
    async fn that_is_new_alone_reaches_who_wants_no_other() {
        let notes = Notes::default();
        let note = noting!(notes, |change: Change<Parcel>| said(&change));
        let served = serve_one(Module::new("parcels").on_created(note)).await;
        let of = |number, version: &str| {
            let mut image = image(number, Fate::Pass);
            image["version"]["N"] = json!(version);
            Some(image)
        };
        let mut tombstone = of(0, "3");
        tombstone.as_mut().unwrap()["deletedAt"] = json!({ "S": "2026-11-22T16:30:00.000Z" });
        let records = [
            ("1".to_owned(), None, of(1, "1")),
            ("2".to_owned(), of(1, "1"), of(2, "2")),
            ("3".to_owned(), of(2, "2"), tombstone.clone()),
            ("4".to_owned(), tombstone.clone(), of(4, "4")),
            ("5".to_owned(), of(4, "4"), None),
            ("6".to_owned(), of(4, "4"), of(6, "1")),
            ("7".to_owned(), tombstone, None),
        ];

        assert_eq!(served.invoke(&batches::dynamodb(&records)).await, all_done());

        let new = ["None Some(1) false", "None Some(4) false", "None Some(6) false"];
        assert_eq!(notes.take(), new);
    }

    /// The stream tells of all that is in the table.
    #[tokio::test(start_paused = true)]
    async fn of_what_nobody_listens_to_is_passed_over() {
        let notes = Notes::default();
        let served = serve_changes(&notes).await;
        let mut other = image(1, Fate::Pass);
        other["kind"] = json!({ "S": "SESSION" });
        let mut foreign = image(1, Fate::Pass);
        foreign.as_object_mut().unwrap().remove("kind");
        let records = [("1".to_owned(), None, Some(other)), ("2".to_owned(), Some(foreign), None)];

        assert_eq!(served.invoke(&batches::dynamodb(&records)).await, all_done());

        assert!(notes.take().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn of_another_table_is_refused_by_name() {
        let served = serve_changes(&Notes::default()).await;
        let mut event = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);
        let arn = "arn:aws:dynamodb:eu-central-1:123456789012:table/other/stream/2026";
        event["Records"][0]["eventSourceARN"] = json!(arn);

        let refused = served.try_invoke(&event).await.unwrap_err();

        assert_eq!(refused, Refused::Undeclared("changes of the table `other`".to_owned()));
    }

    #[tokio::test(start_paused = true)]
    async fn nobody_listens_to_at_all_is_refused() {
        let served = serve(Vec::new()).await;
        let event = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);

        let refused = served.try_invoke(&event).await.unwrap_err();

        assert_eq!(refused, Refused::Undeclared("changes of the table `landline`".to_owned()));
    }

    /// Real writes, and the stream's record of the one that the handler itself has made.
    #[tokio::test(start_paused = true)]
    async fn that_the_handler_has_made_and_marked_does_not_come_back() {
        let bump = async |change: Change<Parcel>, store: Store| {
            let parcel = change.after.expect("it is there");
            let key = models::store::Entity::key(&parcel);
            store.update(key, &Precondition::None, |it: &mut Parcel| it.number += 100).await?;
            Ok(())
        };
        let module = Module::new("parcels").on_change(bump).writing::<Parcel>().marked();
        let served = serve_one(module).await;
        let mut parcel: Parcel = Parcel {
            id: "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f".parse().unwrap(),
            owner: "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d".parse().unwrap(),
            number: 1,
            fate: Fate::Pass,
            version: 1,
        };
        served.store.create(&mut parcel).await.unwrap();
        let number = async || {
            let key = models::store::Entity::key(&parcel);
            served.store.get::<Parcel>(key).await.unwrap().unwrap().number
        };

        let theirs = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);
        assert_eq!(served.invoke(&theirs).await, all_done());
        assert_eq!(number().await, 101);
        let mut marked = image(101, Fate::Pass);
        marked["writtenBy"] = json!({ "S": "parcels.{{closure}}" });
        let own = batches::dynamodb(&[("2".to_owned(), Some(image(1, Fate::Pass)), Some(marked))]);
        assert_eq!(served.invoke(&own).await, all_done());

        assert_eq!(number().await, 101);
    }

    /// A tombstone says who has left it.
    #[tokio::test(start_paused = true)]
    async fn that_the_handler_has_deleted_does_not_come_back() {
        let notes = Notes::default();
        let handler = {
            let notes = notes.clone();
            move |change: Change<Parcel>, store: Store| {
                notes.add(change.after.is_some().to_string());
                async move {
                    let Some(mut parcel) = change.after else { return Ok(()) };
                    store.write(WriteSet::new().remove(&mut parcel)).await?;
                    Ok(())
                }
            }
        };
        let module = Module::new("parcels").on_change(handler).writing::<Parcel>().marked();
        let served = serve_one(module).await;
        let key = |it: &Parcel| models::store::Entity::key(it);
        let mut parcel: Parcel = serde_json::from_value(json!({
            "id": "019ab3c5-7a12-7c3e-9d4f-2b8e6a1f0c5f",
            "owner": "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
            "number": 1,
            "version": 1,
        }))
        .unwrap();
        served.store.create(&mut parcel).await.unwrap();

        let made = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);
        assert_eq!(served.invoke(&made).await, all_done());
        assert!(served.store.get::<Parcel>(key(&parcel)).await.unwrap().is_none());
        let mut tombstone = image(1, Fate::Pass);
        tombstone["deletedAt"] = json!({ "S": "2026-11-22T16:30:00.000Z" });
        tombstone["writtenBy"] = json!({ "S": "parcels.{{closure}}" });
        let own =
            batches::dynamodb(&[("2".to_owned(), Some(image(1, Fate::Pass)), Some(tombstone))]);
        assert_eq!(served.invoke(&own).await, all_done());

        assert_eq!(notes.take(), ["true"]);
    }

    /// What the declaration says is held at each write.
    #[tokio::test(start_paused = true)]
    async fn whose_handler_writes_what_it_has_not_declared_fails() {
        let tally = async |_: Change<Parcel>, store: Store| {
            note_in(&store, "parcels", 1).await?;
            Ok(())
        };
        let served = serve_one(Module::new("parcels").on_change(tally)).await;
        let event = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);

        for _ in 0..4 {
            assert_eq!(served.invoke(&event).await, again(&["1"]));
        }
        assert_eq!(served.invoke(&event).await, all_done());

        assert!(tallied(&served.store, "parcels").await.is_empty());
        let kept = served.set_aside().remove(0).1;
        assert_eq!(kept["code"], "undeclared_write");
        assert_eq!(
            kept["reason"],
            "it writes TALLY, which its declaration does not say: `.writing::<..>()`",
        );
    }

    #[tokio::test(start_paused = true)]
    async fn knows_whose_it_is() {
        let tally = async |change: Change<Parcel>, store: Store| {
            let owner = change.owned::<Tally>(&store).expect("it is somebody's").owner();
            let mut tally = Tally { id: owner, owner, numbers: vec![1], version: 1 };
            change.owned::<Tally>(&store).expect("it is").keep(&mut tally).await?;
            Ok(())
        };
        let module = Module::new("parcels").on_change(tally).writing::<Tally>();
        let served = serve_one(module).await;
        let event = batches::dynamodb(&[("1".to_owned(), None, Some(image(1, Fate::Pass)))]);

        assert_eq!(served.invoke(&event).await, all_done());

        let owner = "019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d".parse().unwrap();
        let key = models::store::Key::owned::<Tally>(owner, owner);
        assert!(served.store.get::<Tally>(key).await.unwrap().is_some());
    }
}

mod an_event_of_a_bus {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn goes_to_who_has_declared_its_source_and_type() {
        let notes = Notes::default();
        let note = noting!(notes, |it: CustomEvent<Order>| format!(
            "{} {} {} {}",
            it.id, it.source, it.detail_type, it.detail.number
        ));
        let served = serve_one(Module::new("shop").on_event("shop", "Order Placed", note)).await;
        let detail = json!({ "number": 7 });

        let answer = served.invoke(&batches::custom("1", "shop", "Order Placed", &detail)).await;

        assert_eq!(answer, Value::Null);
        assert_eq!(notes.take(), ["1 shop Order Placed 7"]);
        let other = batches::custom("2", "shop", "Order Lost", &detail);
        let refused = served.try_invoke(&other).await.unwrap_err();
        assert_eq!(refused, Refused::Undeclared("`Order Lost` of `shop`".to_owned()));
    }
}

mod a_schedule {
    use super::*;

    async fn sweep_orders(tick: Tick, store: Store) -> api::events::Result {
        assert_eq!(
            tick.time.expect("it is as it was made").to_string(),
            "2026-11-22T16:30:00.000Z"
        );
        note_in(&store, "swept", 1).await?;
        Ok(())
    }

    #[tokio::test(start_paused = true)]
    async fn calls_the_function_that_its_rule_is_named_for() {
        let served = serve_one(Module::new("orders").every("rate(1 hour)", sweep_orders)).await;

        for rule in ["app-sweep_orders", "sweep_orders"] {
            assert_eq!(served.invoke(&batches::tick(rule, rule)).await, Value::Null);
        }

        assert_eq!(tallied(&served.store, "swept").await, [1, 1]);
        let refused = served.try_invoke(&batches::tick("3", "app-sweep")).await.unwrap_err();
        assert_eq!(refused, Refused::Undeclared("the schedule `app-sweep`".to_owned()));
    }

    /// The same tick comes twice.
    #[tokio::test(start_paused = true)]
    async fn has_its_effect_once() {
        let served = serve_one(Module::new("orders").every("rate(1 hour)", sweep_orders)).await;

        for _ in 0..2 {
            served.invoke(&batches::tick("1", "sweep_orders")).await;
        }

        assert_eq!(tallied(&served.store, "swept").await, [1]);
    }
}

#[tokio::test(start_paused = true)]
async fn what_is_no_event_is_refused() {
    let served = serve(Vec::new()).await;
    for (event, sentence) in [
        (
            json!({ "hello": 1 }),
            "no module has declared a handler for an event that names no source",
        ),
        (json!(7), "the event is malformed: it is not of its source's form at line 1, column 1"),
        (json!({ "Records": [] }), "the event is malformed: its first record names no source"),
        (
            json!({ "Records": [{ "EventSource": "aws:sns" }] }),
            "no module has declared a handler for events of `aws:sns`",
        ),
        (
            json!({ "version": "2.0", "rawPath": "/", "requestContext": { "http": {} } }),
            "no module has declared a handler for an event that names no source",
        ),
    ] {
        let refused = served.try_invoke(&event).await.unwrap_err();

        assert_eq!(refused.to_string(), sentence);
    }
}

/// What Lambda is told of an invocation that failed.
#[test]
fn what_is_refused_has_a_type_that_programs_can_read() {
    let refused = Refused::Undeclared("the queue `orders`".to_owned());

    let told = serde_json::to_value(lambda_runtime::Diagnostic::from(refused)).unwrap();

    assert_eq!(
        told,
        json!({
            "errorType": "UndeclaredEvent",
            "errorMessage": "no module has declared a handler for the queue `orders`",
        }),
    );
}

/// The same arguments as in handlers of requests; what one cannot have is its record's failure.
#[tokio::test(start_paused = true)]
async fn a_handler_that_asks_who_is_calling_fails() {
    let ask = async |_: QueueMessage<Order>, _: auth::Caller| Ok(());
    let served = serve_one(Module::new("orders").on_message("orders", ask)).await;

    let answer = served.invoke(&one_message("message-1", &order(1, Fate::Pass))).await;

    assert_eq!(answer, again(&["message-1"]));
}
