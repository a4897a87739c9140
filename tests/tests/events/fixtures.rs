//! AWS's own sample events, as the crate `aws_lambda_events` ships them, whole and damaged.

use api::{
    events::{Change, CustomEvent, ObjectCreated, QueueMessage, Refused, StreamRecord, Tick},
    http::Module,
};
use models::store::Store;
use serde_json::{Value, json};

use super::{Notes, Parcel, Served, all_done, serve, serve_on};

/// Every handler that the samples need; each notes that it was called.
fn modules(notes: &Notes) -> Vec<Module> {
    let note = |what: &'static str| {
        let notes = notes.clone();
        move || notes.add(what)
    };
    macro_rules! handler {
        ($what:literal, $record:ty) => {{
            let note = note($what);
            move |_: $record| {
                note();
                async { Ok(()) }
            }
        }};
    }
    // The bodies of the samples are no JSON that means anything.
    vec![
        Module::new("files").on_object_created("", handler!("file", ObjectCreated)),
        Module::new("orders").on_message("SQSQueue", handler!("message", QueueMessage<Value>)),
        Module::new("activity").on_stream("simple-stream", handler!("record", StreamRecord<Value>)),
        Module::new("parcels").on_change(handler!("change", Change<Parcel>)),
        Module::new("machines").on_event(
            "aws.ec2",
            "EC2 Instance State-change Notification",
            handler!("event", CustomEvent<Value>),
        ),
        Module::new("times").every("rate(1 hour)", called_by_rule),
    ]
}

async fn called_by_rule(_: Tick) -> api::events::Result {
    Ok(())
}

fn fixture(name: &str) -> Value {
    let fixtures = tests::aws_events();
    let found = fixtures.iter().find(|(fixture, _)| fixture == name);
    let (_, text) = found.unwrap_or_else(|| panic!("there is no {name}"));
    serde_json::from_str(text).expect("fixtures are JSON")
}

#[tokio::test(start_paused = true)]
async fn of_files_go_through() {
    for name in ["example-s3-event.json", "example-s3-event-with-decoded.json"] {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;

        assert_eq!(served.invoke(&fixture(name)).await, Value::Null, "{name}");

        assert_eq!(notes.take(), ["file"], "{name}");
    }
}

/// Their data is the text `Hello World`, which is not the JSON that handlers are given: it fails as
/// records do, and the answer names the first. With JSON in its place they go through.
#[tokio::test(start_paused = true)]
async fn of_streams_go_through() {
    for name in ["example-kinesis-event.json", "example-kinesis-event-encrypted.json"] {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let first = "49568167373333333333333333333333333333333333333333333333";
        let mut event = fixture(name);

        assert_eq!(served.invoke(&event).await, super::again(&[first]), "{name}");
        for record in event["Records"].as_array_mut().unwrap() {
            record["kinesis"]["data"] = json!("eyJudW1iZXIiOjF9");
        }
        assert_eq!(served.invoke(&event).await, all_done(), "{name}");

        assert_eq!(notes.take(), ["record", "record"], "{name}");
    }
}

/// Of a table that is called as the sample's. Its items are no Landline's, so nobody is called.
#[tokio::test(start_paused = true)]
async fn of_tables_go_through() {
    let notes = Notes::default();
    let connection = models::store::Connection::embedded("http://127.0.0.1:1", "Example-Table");
    let store = Store::connect(connection, models::Ambient::system());
    let served = serve_on(&store, modules(&notes));
    for name in ["example-dynamodb-event.json", "example-dynamodb-event-null-items.json"] {
        assert_eq!(served.invoke(&fixture(name)).await, all_done(), "{name}");
        assert!(notes.take().is_empty());
    }
    // A record as Kinesis tells it of a table: it has neither a stream nor a sequence number.
    let other =
        json!({ "Records": [fixture("example-dynamodb-event-record-with-optional-fields.json")] });
    let refused = served.try_invoke(&other).await.unwrap_err();
    assert_eq!(refused, Refused::Malformed("a record has no `eventSourceARN`".to_owned()));
}

#[tokio::test(start_paused = true)]
async fn of_queues_go_through() {
    let notes = Notes::default();
    let served = serve(modules(&notes)).await;

    let text = served.invoke(&fixture("example-sqs-event.json")).await;
    let json = served.invoke(&fixture("example-sqs-event-obj.json")).await;

    assert_eq!(text, super::again(&["MessageID_1"]), "its body is no JSON");
    assert_eq!(json, all_done());
    assert_eq!(notes.take(), ["message"]);
    // What the queue itself answers to a program that asks is no event.
    let refused = served.try_invoke(&fixture("example-sqs-api-event-obj.json")).await;
    let nameless = Refused::Undeclared("an event that names no source".to_owned());
    assert_eq!(refused, Err(nameless));
}

#[tokio::test(start_paused = true)]
async fn of_buses_and_schedules_go_through() {
    let notes = Notes::default();
    let served = serve(modules(&notes)).await;

    assert_eq!(served.invoke(&fixture("example-eventbridge-event-obj.json")).await, Value::Null);

    assert_eq!(notes.take(), ["event"]);
    let mut schedule = fixture("example-eventbridge-schedule.json");
    let refused = served.try_invoke(&schedule).await.unwrap_err();
    assert_eq!(refused, Refused::Undeclared("the schedule `my-scheduled-rule`".to_owned()));
    schedule["resources"][0] =
        json!("arn:aws:events:us-east-1:123456789012:rule/app-called_by_rule");
    assert_eq!(served.invoke(&schedule).await, Value::Null);
}

/// Every other sample of the crate is refused, and nobody is called.
#[tokio::test(start_paused = true)]
async fn of_all_else_are_refused() {
    let notes = Notes::default();
    let served = serve(modules(&notes)).await;
    let ours =
        ["example-s3-event", "example-sqs-event", "example-kinesis-event", "example-eventbridge-"];
    let mut tried = 0;
    for (name, text) in tests::aws_events() {
        let is_ours = ours.iter().any(|ours| name.starts_with(ours));
        let Ok(event) = serde_json::from_str::<Value>(&text) else { continue };
        if is_ours {
            continue;
        }

        let answer = served.try_invoke(&event).await;

        assert!(answer.is_err(), "{name}: {answer:?}");
        assert!(notes.take().is_empty(), "{name}");
        tried += 1;
    }
    assert!(tried > 100, "only {tried} samples were tried");
}

/// Each member of the second record that a handler or an answer needs, gone or of another type.
mod damaged {
    use super::*;

    async fn expect_refused(served: &Served, notes: &Notes, event: &Value, why: &str) {
        let answer = served.try_invoke(event).await;

        assert!(matches!(answer, Err(Refused::Malformed(_))), "{why}: {answer:?}");
        assert!(notes.take().is_empty(), "{why}: the first record was handled");
    }

    async fn expect_all_refused(served: &Served, notes: &Notes, event: &Value, members: &[&str]) {
        for pointer in members {
            let (parent, name) = pointer.rsplit_once('/').expect("it is as it was made");
            for instead in [None, Some(json!("")), Some(json!(7)), Some(json!(null))] {
                let mut damaged = event.clone();
                let record = damaged.pointer_mut(&format!("/Records/1{parent}"));
                let record = record.and_then(Value::as_object_mut).expect("it is there");
                assert!(record.contains_key(name), "{pointer}");
                match instead.clone() {
                    Some(value) => record.insert(name.to_owned(), value),
                    None => record.remove(name),
                };
                expect_refused(served, notes, &damaged, &format!("{pointer} {instead:?}")).await;
            }
        }
    }

    fn twice(mut event: Value) -> Value {
        let record = event["Records"][0].clone();
        event["Records"] = json!([record, record]);
        event
    }

    #[tokio::test(start_paused = true)]
    async fn files_are_refused_whole() {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let event = twice(fixture("example-s3-event.json"));

        let members = ["/eventSource", "/eventName", "/eventTime", "/s3/bucket/name"];
        expect_all_refused(&served, &notes, &event, &members).await;
        let members = ["/s3/object/key", "/s3/object/sequencer"];
        expect_all_refused(&served, &notes, &event, &members).await;
        for key in ["%", "%4", "%zz", "a%", "%ff", "%C3", "a%2"] {
            let mut damaged = event.clone();
            damaged["Records"][1]["s3"]["object"]["key"] = json!(key);
            expect_refused(&served, &notes, &damaged, key).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn records_of_streams_are_refused_whole() {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let mut event = fixture("example-kinesis-event.json");
        for record in event["Records"].as_array_mut().unwrap() {
            record["kinesis"]["data"] = json!("eyJudW1iZXIiOjF9");
        }

        let members = ["/eventSource", "/eventID", "/eventSourceARN", "/kinesis/sequenceNumber"];
        expect_all_refused(&served, &notes, &event, &members).await;
        let members = ["/kinesis/partitionKey"];
        expect_all_refused(&served, &notes, &event, &members).await;
        for time in [json!("soon"), json!({})] {
            let mut damaged = event.clone();
            damaged["Records"][1]["kinesis"]["approximateArrivalTimestamp"] = time.clone();
            expect_refused(&served, &notes, &damaged, &time.to_string()).await;
        }
        for data in [json!("no base64!"), json!(7), json!(null)] {
            let mut damaged = event.clone();
            damaged["Records"][1]["kinesis"]["data"] = data.clone();
            expect_refused(&served, &notes, &damaged, &data.to_string()).await;
        }
    }

    #[tokio::test(start_paused = true)]
    async fn changes_are_refused_whole() {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let image = |number| Some(super::super::image(number, super::super::Fate::Pass));
        let event = tests::batches::dynamodb(&[
            ("1".to_owned(), None, image(1)),
            ("2".to_owned(), None, image(2)),
        ]);

        let members = ["/eventSource", "/eventID", "/eventSourceARN", "/dynamodb/SequenceNumber"];
        expect_all_refused(&served, &notes, &event, &members).await;
        let mut damaged = event;
        damaged["Records"][1]["dynamodb"]["NewImage"]["number"] = json!({ "X": "1" });
        expect_refused(&served, &notes, &damaged, "an attribute of no type").await;
    }

    #[tokio::test(start_paused = true)]
    async fn messages_are_refused_whole() {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let event = twice(fixture("example-sqs-event-obj.json"));

        let members = ["/eventSource", "/messageId", "/eventSourceARN", "/body"];
        expect_all_refused(&served, &notes, &event, &members).await;
        let mut damaged = event;
        damaged["Records"][1]["eventSource"] = json!("aws:kinesis");
        expect_refused(&served, &notes, &damaged, "two sources").await;
    }

    /// A message in order without its group has no place in it.
    #[tokio::test(start_paused = true)]
    async fn messages_in_order_without_a_group_are_refused() {
        let notes = Notes::default();
        let note = {
            let notes = notes.clone();
            move |_: QueueMessage<Value>| {
                notes.add("message");
                async { Ok(()) }
            }
        };
        let served = serve(vec![Module::new("orders").on_message("orders.fifo", note)]).await;
        let messages = [
            ("1".to_owned(), Some("one".to_owned()), "{}".to_owned()),
            ("2".to_owned(), None, "{}".to_owned()),
        ];

        let event = tests::batches::sqs("orders.fifo", &messages);

        expect_refused(&served, &notes, &event, "no group").await;
    }

    /// It is one record, and is refused or handled whole.
    #[tokio::test(start_paused = true)]
    async fn events_of_a_bus_are_refused() {
        let notes = Notes::default();
        let served = serve(modules(&notes)).await;
        let tick = tests::batches::tick("1", "app-called_by_rule");
        let custom = tests::batches::custom(
            "1",
            "aws.ec2",
            "EC2 Instance State-change Notification",
            &json!({}),
        );
        let damage = |event: &Value, name: &str, instead: Option<Value>| {
            let mut damaged = event.clone();
            let members = damaged.as_object_mut().expect("it is an object");
            match instead {
                Some(value) => members.insert(name.to_owned(), value),
                None => members.remove(name),
            };
            damaged
        };

        for event in [&tick, &custom] {
            for instead in [None, Some(json!("")), Some(json!(7)), Some(json!(null))] {
                let damaged = damage(event, "id", instead.clone());
                expect_refused(&served, &notes, &damaged, &format!("id {instead:?}")).await;
            }
            for instead in [json!("soon"), json!(7)] {
                let damaged = damage(event, "time", Some(instead.clone()));
                expect_refused(&served, &notes, &damaged, &format!("time {instead}")).await;
            }
        }
        for instead in [None, Some(json!([])), Some(json!([""])), Some(json!(["arn/"]))] {
            let damaged = damage(&tick, "resources", instead.clone());

            let answer = served.try_invoke(&damaged).await;

            let why = Refused::Malformed("a record has no `resources`".to_owned());
            assert_eq!(answer, Err(why), "{instead:?}");
        }
    }
}
