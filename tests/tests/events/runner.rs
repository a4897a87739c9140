//! The batch runner against a model of what each source expects.

use api::{
    events::{Change, ObjectCreated, QueueMessage, Refused, StreamRecord},
    http::Module,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde_json::{Value, json};
use tests::{batches, simulation::Chance};

use super::{
    Fate, Notes, Order, Parcel, Served, again, all_done, image, meet, message, order, serve,
};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Sqs,
    SqsFifo,
    Kinesis,
    DynamoDb,
    S3,
}

const SOURCES: [Source; 5] =
    [Source::Sqs, Source::SqsFifo, Source::Kinesis, Source::DynamoDb, Source::S3];

/// Records of a queue in order are in so many groups, turn by turn.
const GROUPS: usize = 3;

/// A handler for each source that notes its record and does what it says.
async fn serve_all(notes: &Notes) -> Served {
    let act = {
        let notes = notes.clone();
        move |number: usize, fate: Fate| {
            notes.add(number.to_string());
            meet(fate)
        }
    };
    let (queued, in_order, streamed, changed, arrived) =
        (act.clone(), act.clone(), act.clone(), act.clone(), act);
    serve(vec![
        Module::new("queue").on_message("orders", move |message: QueueMessage<Order>| {
            let act = queued.clone();
            async move { act(message.body.number, message.body.fate) }
        }),
        Module::new("fifo").on_message("orders.fifo", move |message: QueueMessage<Order>| {
            let act = in_order.clone();
            async move { act(message.body.number, message.body.fate) }
        }),
        Module::new("stream").on_stream("activity", move |record: StreamRecord<Order>| {
            let act = streamed.clone();
            async move { act(record.data.number, record.data.fate) }
        }),
        Module::new("table").on_change(move |change: Change<Parcel>| {
            let act = changed.clone();
            async move {
                let parcel = change.created().expect("it is new");
                act(parcel.number, parcel.fate)
            }
        }),
        Module::new("files").on_object_created("uploads/", move |object: ObjectCreated| {
            let act = arrived.clone();
            async move {
                // uploads/<number>-<fate>
                let (number, fate) =
                    object.key["uploads/".len()..].split_once('-').expect("it is as it was made");
                let fate = serde_json::from_value(json!(fate)).expect("it is as it was made");
                act(number.parse().expect("it is as it was made"), fate)
            }
        }),
    ])
    .await
}

/// What the source knows the record by. Another one in each run: what has failed is remembered.
fn identifier(source: Source, run: usize, place: usize) -> String {
    match source {
        Source::Sqs | Source::SqsFifo => format!("message-{run}-{place}"),
        _ => format!("{run}{place:06}"),
    }
}

fn event(source: Source, run: usize, fates: &[Fate]) -> Value {
    let records = fates.iter().enumerate();
    match source {
        Source::Sqs | Source::SqsFifo => {
            let fifo = source == Source::SqsFifo;
            let records = records.map(|(place, fate)| {
                let group = format!("group-{}", place % GROUPS);
                let id = identifier(source, run, place);
                message(&id, Some(group.as_str()).filter(|_| fifo), &order(place, *fate))
            });
            let queue = if fifo { "app-orders.fifo" } else { "app-orders" };
            batches::sqs(queue, &records.collect::<Vec<_>>())
        }
        Source::Kinesis => {
            let records = records.map(|(place, fate)| {
                let data = STANDARD.encode(
                    serde_json::to_string(&order(place, *fate)).expect("it is as it was made"),
                );
                (identifier(source, run, place), "key".to_owned(), data)
            });
            batches::kinesis("app-activity", &records.collect::<Vec<_>>())
        }
        Source::DynamoDb => {
            let records = records.map(|(place, fate)| {
                (identifier(source, run, place), None, Some(image(place, *fate)))
            });
            batches::dynamodb(&records.collect::<Vec<_>>())
        }
        Source::S3 => {
            let records = records.map(|(place, fate)| {
                let fate = serde_json::to_value(fate).expect("it is as it was made");
                let key =
                    format!("uploads/{place}-{}", fate.as_str().expect("it is as it was made"));
                (key, identifier(source, run, place))
            });
            batches::s3("app-files", &records.collect::<Vec<_>>())
        }
    }
}

/// What must come of it: the answer, and who was called.
fn model(source: Source, run: usize, fates: &[Fate]) -> (Result<Value, Refused>, Vec<usize>) {
    let fails = |place: &usize| fates[*place] != Fate::Pass;
    let all = || 0..fates.len();
    let named = |places: &[usize]| {
        let names: Vec<_> = places.iter().map(|it| identifier(source, run, *it)).collect();
        again(&names.iter().map(String::as_str).collect::<Vec<_>>())
    };
    let failed: Vec<_> = all().filter(fails).collect();
    match source {
        Source::Sqs => (Ok(named(&failed)), all().collect()),
        Source::SqsFifo => {
            let after_a_failure = |place: &usize| {
                let before = (0..*place).filter(|it| it % GROUPS == place % GROUPS);
                before.into_iter().any(|it| fails(&it))
            };
            let unhandled: Vec<_> = all().filter(|it| fails(it) || after_a_failure(it)).collect();
            let called = all().filter(|it| !after_a_failure(it)).collect();
            (Ok(named(&unhandled)), called)
        }
        Source::Kinesis | Source::DynamoDb => {
            let first = failed.first().copied();
            let called = all().take(first.map_or(fates.len(), |first| first + 1)).collect();
            (Ok(first.map_or_else(all_done, |first| named(&[first]))), called)
        }
        Source::S3 if failed.is_empty() => (Ok(Value::Null), all().collect()),
        Source::S3 => {
            let refused = Refused::Failed { failed: failed.len(), records: fates.len() };
            (Err(refused), all().collect())
        }
    }
}

/// Every way to choose at most `most` of so many.
fn subsets(of: usize, most: usize) -> Vec<Vec<usize>> {
    let mut subsets = vec![Vec::new()];
    let mut last = vec![Vec::new()];
    for _ in 0..most {
        let longer = |subset: &Vec<usize>| {
            let from = subset.last().map_or(0, |last| last + 1);
            let subset = subset.clone();
            (from..of).map(move |next| [&subset[..], &[next]].concat())
        };
        last = last.iter().flat_map(longer).collect();
        subsets.extend(last.iter().cloned());
    }
    subsets
}

/// All subsets of batches of up to 6, and all of up to three records of batches of up to
/// `LANDLINE_BATCH` (7). Of larger ones, up to 100, `LANDLINE_SAMPLES` (1) sets of none to three, and
/// where those are more than one, each single record and none too.
#[tokio::test(start_paused = true)]
async fn reports_exactly_what_was_not_handled_and_skips_nothing() {
    let setting = |name: &str, default: usize| {
        std::env::var(name).ok().and_then(|number| number.parse().ok()).unwrap_or(default)
    };
    let (all_up_to, samples) = (setting("LANDLINE_BATCH", 7), setting("LANDLINE_SAMPLES", 1));
    let notes = Notes::default();
    let mut served = serve_all(&notes).await;
    let chance = Chance::new(11);
    let mut run = 0;
    for size in 1..=100_usize {
        let failing = match size {
            1..=6 => subsets(size, size),
            _ if size <= all_up_to => subsets(size, 3),
            _ => {
                let sampled = (0..samples).map(|sample| {
                    let places = (0..(size + sample) % 4).map(|_| chance.below(size));
                    places.collect::<std::collections::BTreeSet<_>>().into_iter().collect()
                });
                let single = if samples > 1 { subsets(size, 1) } else { Vec::new() };
                sampled.chain(single).collect()
            }
        };
        for failing in failing {
            let mut fates = vec![Fate::Pass; size];
            for place in &failing {
                fates[*place] = chance.of(&[Fate::Fail, Fate::Panic]);
            }
            for source in SOURCES {
                run += 1;
                // The embedded store reads its whole stream for each write.
                if run % 500 == 0 {
                    served = serve_all(&notes).await;
                }
                let (expected, expected_calls) = model(source, run, &fates);

                let answer = served.try_invoke(&event(source, run, &fates)).await;

                let mut called: Vec<usize> =
                    notes.take().iter().map(|number| number.parse().unwrap()).collect();
                called.sort_unstable();
                assert_eq!(answer, expected, "{source:?} of {size}, failing {failing:?}");
                assert_eq!(called, expected_calls, "{source:?} of {size}, failing {failing:?}");
            }
        }
    }
}

/// Within a lane nothing overtakes.
#[tokio::test(start_paused = true)]
async fn keeps_the_order_of_a_stream_and_of_each_group() {
    let notes = Notes::default();
    let served = serve_all(&notes).await;

    for source in [Source::Kinesis, Source::DynamoDb] {
        served.invoke(&event(source, 1, &[Fate::Pass; 20])).await;

        let expected: Vec<_> = (0..20).map(|it: usize| it.to_string()).collect();
        assert_eq!(notes.take(), expected, "{source:?}");
    }
    served.invoke(&event(Source::SqsFifo, 1, &[Fate::Pass; 20])).await;
    let called: Vec<usize> = notes.take().iter().map(|it| it.parse().unwrap()).collect();
    for group in 0..GROUPS {
        let of_group = called.iter().filter(|it| *it % GROUPS == group).copied();
        let expected = (0..20).filter(|it| it % GROUPS == group);
        assert!(of_group.eq(expected), "{called:?}");
    }
}

/// The form to the letter: an empty list is success to AWS, and so would anything be that has not
/// these two names.
#[tokio::test(start_paused = true)]
async fn answers_in_the_form_that_aws_reads() {
    let served = serve_all(&Notes::default()).await;
    for (source, expected) in [
        (Source::Sqs, r#"{"batchItemFailures":[{"itemIdentifier":"message-1-1"}]}"#),
        (
            Source::SqsFifo,
            r#"{"batchItemFailures":[{"itemIdentifier":"message-1-1"},{"itemIdentifier":"message-1-4"}]}"#,
        ),
        (Source::Kinesis, r#"{"batchItemFailures":[{"itemIdentifier":"1000001"}]}"#),
        (Source::DynamoDb, r#"{"batchItemFailures":[{"itemIdentifier":"1000001"}]}"#),
    ] {
        let mut fates = [Fate::Pass; 5];
        fates[1] = Fate::Fail;

        let answer = served.invoke(&event(source, 1, &fates)).await;

        assert_eq!(answer.to_string(), expected, "{source:?}");
        let answer = served.invoke(&event(source, 2, &[Fate::Pass; 5])).await;
        assert_eq!(answer.to_string(), r#"{"batchItemFailures":[]}"#, "{source:?}");
    }
    let answer = served.invoke(&event(Source::S3, 1, &[Fate::Pass; 5])).await;
    assert_eq!(answer.to_string(), "null");
}

mod time {
    use std::{
        sync::{
            Arc,
            atomic::{AtomicUsize, Ordering},
        },
        time::Duration,
    };

    use tokio::time::{Instant, sleep};

    use super::*;
    use crate::events::BEGINNING;

    /// Orders 0 to `quick` take a second each, and the others for ever.
    async fn serve_slowly(queue: &'static str, quick: usize, notes: &Notes) -> Served {
        let notes = notes.clone();
        serve(vec![Module::new("queue").on_message(queue, move |message: QueueMessage<Order>| {
            let notes = notes.clone();
            async move {
                notes.add(message.body.number.to_string());
                let span = if message.body.number < quick { 1 } else { u64::from(u32::MAX) };
                sleep(Duration::from_secs(span)).await;
                Ok(())
            }
        })])
        .await
    }

    fn deadline(seconds: u64) -> u64 {
        u64::try_from(BEGINNING).expect("it is as it was made") + seconds * 1000
    }

    #[tokio::test(start_paused = true)]
    async fn that_is_over_fails_the_record_and_those_that_were_not_begun() {
        let notes = Notes::default();
        let served = serve_slowly("orders.fifo", 2, &notes).await;
        let messages: Vec<_> = (0..5)
            .map(|it| message(&format!("message-{it}"), Some("one"), &order(it, Fate::Pass)))
            .collect();
        let event = batches::sqs("orders.fifo", &messages);
        let began = Instant::now();

        let answer = served.invoke_until(&event, deadline(20)).await.unwrap();

        assert_eq!(answer, again(&["message-2", "message-3", "message-4"]));
        assert_eq!(notes.take(), ["0", "1", "2"]);
        let took = began.elapsed();
        let in_time = (Duration::from_secs(15)..Duration::from_secs(20)).contains(&took);
        assert!(in_time, "five seconds are kept for what has failed: {took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn of_a_short_invocation_is_kept_in_part_too() {
        let served = serve_slowly("orders", 0, &Notes::default()).await;
        let event = batches::sqs("orders", &[message("message-0", None, &order(0, Fate::Pass))]);
        let began = Instant::now();

        let answer = served.invoke_until(&event, deadline(2)).await.unwrap();

        assert_eq!(answer, again(&["message-0"]));
        let took = began.elapsed();
        let in_time = (Duration::from_millis(1500)..Duration::from_secs(2)).contains(&took);
        assert!(in_time, "{took:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn that_was_over_before_it_began_begins_nothing_and_counts_nothing() {
        let notes = Notes::default();
        let served = serve_slowly("orders", 9, &notes).await;
        let event = batches::sqs("orders", &[message("message-0", None, &order(0, Fate::Pass))]);

        for _ in 0..9 {
            let answer = served.invoke_until(&event, deadline(0)).await.unwrap();
            assert_eq!(answer, again(&["message-0"]));
        }

        assert!(notes.take().is_empty());
        assert!(served.set_aside().is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn is_shared_by_ten_records_of_a_source_without_an_order() {
        let (now, most) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let served = {
            let (now, most) = (now.clone(), most.clone());
            serve(vec![Module::new("queue").on_message("orders", move |_: QueueMessage<Order>| {
                let (now, most) = (now.clone(), most.clone());
                async move {
                    most.fetch_max(now.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                    sleep(Duration::from_secs(1)).await;
                    now.fetch_sub(1, Ordering::SeqCst);
                    Ok(())
                }
            })])
            .await
        };

        let answer = served.invoke(&event(Source::Sqs, 1, &[Fate::Pass; 40])).await;

        assert_eq!(answer, all_done());
        assert_eq!(most.load(Ordering::SeqCst), 10);
    }
}
