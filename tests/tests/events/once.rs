//! An event comes at least once. Its effect is there once.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use api::{
    Services,
    events::{Change, Failure, ObjectCreated, QueueMessage, StreamRecord},
    http::{Lease, Module},
};
use axum::extract::FromRequestParts;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{StatusCode, request::Parts};
use models::{
    platform::events::{HandledEvent, Outcome},
    store::Store,
};
use serde_json::Value;
use tests::{batches, simulation::Chance};
use tokio::sync::Notify;

use super::{
    Fate, Notes, Order, Parcel, Served, again, all_done, image, message, note_in, one_message,
    order, serve, tallied,
};

/// A handler that writes, and fails first so often as it is told by the order's number.
async fn serve_tally() -> Served {
    serve(vec![Module::new("queue").on_message(
        "orders",
        async |message: QueueMessage<Order>, store: Store| {
            note_in(&store, "orders", message.body.number).await?;
            super::meet(message.body.fate)
        },
    )])
    .await
}

#[tokio::test(start_paused = true)]
async fn a_record_that_comes_again_has_no_second_effect() {
    let served = serve_tally().await;
    let event = one_message("message-1", &order(1, Fate::Pass));

    for _ in 0..3 {
        assert_eq!(served.invoke(&event).await, all_done());
    }

    assert_eq!(tallied(&served.store, "orders").await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_record_twice_in_one_batch_has_one_effect() {
    let served = serve_tally().await;
    let one = message("message-1", None, &order(1, Fate::Pass));

    let answer = served.invoke(&batches::sqs("orders", &[one.clone(), one])).await;

    assert_eq!(answer, all_done());
    assert_eq!(tallied(&served.store, "orders").await, [1]);
}

#[tokio::test(start_paused = true)]
async fn a_record_that_failed_has_written_nothing() {
    let served = serve_tally().await;

    for fate in [Fate::Fail, Fate::Panic] {
        let answer = served.invoke(&one_message("message-1", &order(1, fate))).await;
        assert_eq!(answer, again(&["message-1"]));
        assert!(tallied(&served.store, "orders").await.is_empty());
    }

    let answer = served.invoke(&one_message("message-1", &order(1, Fate::Pass))).await;
    assert_eq!(answer, all_done());
    assert_eq!(tallied(&served.store, "orders").await, [1]);
}

/// What is kept of a record says how it ended, and is forgotten after 93 days.
#[tokio::test(start_paused = true)]
async fn the_mark_is_in_the_table_and_expires() {
    let served = serve_tally().await;
    served.invoke(&one_message("message-1", &order(1, Fate::Fail))).await;
    served.invoke(&one_message("message-1", &order(1, Fate::Pass))).await;

    let key = HandledEvent::key_of("queue.{{closure}}", "aws:sqs/message-1");
    let mark: HandledEvent = served.store.get(key).await.unwrap().unwrap();

    assert_eq!((mark.outcome, mark.failures), (Some(Outcome::Done), 1));
    assert_eq!(mark.expires_at.to_string(), "2027-02-23T16:30:00.000Z");
}

/// One of two handlers of a record has failed: the other one is called again, in vain.
#[tokio::test(start_paused = true)]
async fn each_handler_of_a_record_is_by_itself() {
    let note = async |message: QueueMessage<Order>, store: Store| {
        note_in(&store, "one", message.body.number).await?;
        Ok(())
    };
    let fail_first = {
        let left = Arc::new(AtomicUsize::new(2));
        move |message: QueueMessage<Order>, store: Store| {
            let left = left.clone();
            async move {
                note_in(&store, "two", message.body.number).await?;
                let failing = left.fetch_sub(1, Ordering::SeqCst) > 1;
                if failing { Err(Failure::new("not yet")) } else { Ok(()) }
            }
        }
    };
    let served = serve(vec![
        Module::new("first").on_message("orders", fail_first),
        Module::new("second").on_message("orders", note),
    ])
    .await;
    let event = one_message("message-1", &order(1, Fate::Pass));

    assert_eq!(served.invoke(&event).await, again(&["message-1"]));
    assert_eq!(tallied(&served.store, "one").await, [1]);
    assert!(tallied(&served.store, "two").await.is_empty());
    assert_eq!(served.invoke(&event).await, all_done());

    assert_eq!(tallied(&served.store, "one").await, [1]);
    assert_eq!(tallied(&served.store, "two").await, [1]);
}

mod with_a_lease {
    use super::*;

    /// A handler whose effect is outside the table: a note. It waits in the middle for `go`.
    async fn serve_leased(notes: &Notes, go: &Arc<Notify>) -> Served {
        let (notes, go) = (notes.clone(), go.clone());
        serve(vec![Module::new("queue").on_message(
            "orders",
            move |message: QueueMessage<Order>, _: Lease| {
                let (notes, go) = (notes.clone(), go.clone());
                async move {
                    go.notified().await;
                    notes.add(message.id);
                    super::super::meet(message.body.fate)
                }
            },
        )])
        .await
    }

    #[tokio::test(start_paused = true)]
    async fn an_effect_outside_the_table_is_had_once() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_leased(&notes, &go).await;
        let event = one_message("message-1", &order(1, Fate::Pass));

        for _ in 0..3 {
            go.notify_one();
            assert_eq!(served.invoke(&event).await, all_done());
        }

        assert_eq!(notes.take(), ["message-1"]);
    }

    /// Whoever has the effect knows the record again by it.
    #[tokio::test(start_paused = true)]
    async fn the_leases_id_is_the_same_each_time_that_the_record_comes() {
        let ids = Notes::default();
        let handler = {
            let ids = ids.clone();
            move |message: QueueMessage<Order>, lease: Lease| {
                ids.add(lease.id());
                async move { super::super::meet(message.body.fate) }
            }
        };
        let modules = || vec![Module::new("queue").on_message("orders", handler.clone())];
        let served = serve(modules()).await;
        for (id, fate) in [("1", Fate::Fail), ("1", Fate::Panic), ("2", Fate::Pass)] {
            served.invoke(&one_message(id, &order(1, fate))).await;
        }
        // Another process, after the first is gone.
        let served = super::super::serve_on(&served.store, modules());
        served.invoke(&one_message("1", &order(1, Fate::Pass))).await;

        let ids = ids.take();

        assert_eq!(ids.len(), 4);
        assert!(ids.iter().all(|id| id.len() == 43), "{ids:?}");
        assert_eq!([&ids[1], &ids[3]], [&ids[0]; 2]);
        assert_ne!(ids[2], ids[0]);
    }

    /// The second delivery comes while the first is being handled.
    #[tokio::test(start_paused = true)]
    async fn one_delivery_at_a_time_has_the_record() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_leased(&notes, &go).await;
        let event = one_message("message-1", &order(1, Fate::Pass));

        let (first, second) = tokio::join!(served.invoke(&event), async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let second = served.invoke(&event).await;
            go.notify_one();
            second
        });

        assert_eq!(second, again(&["message-1"]));
        assert_eq!(first, all_done());
        assert_eq!(notes.take(), ["message-1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_failed_is_free_at_once() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_leased(&notes, &go).await;

        go.notify_one();
        let answer = served.invoke(&one_message("message-1", &order(1, Fate::Panic))).await;
        assert_eq!(answer, again(&["message-1"]));
        go.notify_one();
        let answer = served.invoke(&one_message("message-1", &order(1, Fate::Pass))).await;

        assert_eq!(answer, all_done());
        assert_eq!(notes.take(), ["message-1", "message-1"]);
    }

    /// How often each test's [`First`] was asked for.
    static ASKED: [AtomicUsize; 2] = [AtomicUsize::new(0), AtomicUsize::new(0)];

    /// An argument that is refused from the second time on, before the lease is asked for.
    struct First<const TEST: usize>;

    impl<const TEST: usize> FromRequestParts<Services> for First<TEST> {
        type Rejection = StatusCode;

        async fn from_request_parts(_: &mut Parts, _: &Services) -> Result<Self, StatusCode> {
            match ASKED[TEST].fetch_add(1, Ordering::SeqCst) {
                0 => Ok(Self),
                _ => Err(StatusCode::BAD_GATEWAY),
            }
        }
    }

    async fn serve_first<const TEST: usize>(notes: &Notes, go: &Arc<Notify>) -> Served {
        let (notes, go) = (notes.clone(), go.clone());
        let handler = move |message: QueueMessage<Order>, _: First<TEST>, _: Lease| {
            let (notes, go) = (notes.clone(), go.clone());
            async move {
                go.notified().await;
                notes.add(message.id);
                Ok(())
            }
        };
        serve(vec![Module::new("queue").on_message("orders", handler)]).await
    }

    /// Twice in one batch, with one deadline: that does not make them one delivery.
    #[tokio::test(start_paused = true)]
    async fn a_copy_that_fails_in_the_same_batch_leaves_it_to_the_other() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_first::<0>(&notes, &go).await;
        let copy = message("message-1", None, &order(1, Fate::Pass));
        let event = batches::sqs("orders", &[copy.clone(), copy]);

        let (answer, ()) = tokio::join!(served.invoke(&event), async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            go.notify_one();
        });

        assert_eq!(answer, again(&["message-1"]), "the copy");
        assert_eq!(served.invoke(&event).await, all_done(), "the first one is done");
        assert_eq!(notes.take(), ["message-1"]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_delivery_that_fails_without_it_leaves_it_to_whoever_has_it() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_first::<1>(&notes, &go).await;
        let event = one_message("message-1", &order(1, Fate::Pass));
        let begin = u64::try_from(crate::events::BEGINNING).unwrap();

        let (first, second) = tokio::join!(served.invoke_until(&event, begin + 60_000), async {
            tokio::time::sleep(std::time::Duration::from_secs(1)).await;
            let second = served.invoke_until(&event, begin + 61_000).await;
            go.notify_one();
            second
        });

        assert_eq!(second, Ok(again(&["message-1"])));
        assert_eq!(first, Ok(all_done()));
        assert_eq!(notes.take(), ["message-1"]);
    }

    /// A process that dies has given nothing back: its lease ends with its invocation.
    #[tokio::test(start_paused = true)]
    async fn what_a_dead_process_had_is_taken_over_when_its_time_is_over() {
        let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
        let served = serve_leased(&notes, &go).await;
        let event = one_message("message-1", &order(1, Fate::Pass));
        let deadline = u64::try_from(crate::events::BEGINNING).unwrap() + 60_000;
        let died = tokio::time::timeout(
            std::time::Duration::from_secs(1),
            served.invoke_until(&event, deadline),
        );
        assert!(died.await.is_err(), "it was dropped in the middle");

        assert_eq!(served.invoke(&event).await, again(&["message-1"]));
        served.store.ambient().advance(std::time::Duration::from_secs(60));
        go.notify_one();

        assert_eq!(served.invoke(&event).await, all_done());
        assert_eq!(notes.take(), ["message-1"]);
    }
}

/// A stream would use up its attempts at a record that nobody gives back.
#[tokio::test(start_paused = true)]
async fn a_stream_waits_for_the_lease_of_a_process_that_died() {
    let (notes, go) = (Notes::default(), Arc::new(Notify::new()));
    let handler = {
        let (notes, go) = (notes.clone(), go.clone());
        move |record: StreamRecord<Order>, _: Lease| {
            let (notes, go) = (notes.clone(), go.clone());
            async move {
                go.notified().await;
                notes.add(record.sequence_number);
                Ok(())
            }
        }
    };
    let served = serve(vec![Module::new("stream").on_stream("activity", handler)]).await;
    let data = STANDARD.encode(r#"{"number":7}"#);
    let event = batches::kinesis("activity", &[("1".to_owned(), "maya".to_owned(), data)]);
    let begin = u64::try_from(crate::events::BEGINNING).unwrap();
    let seconds = std::time::Duration::from_secs;
    let died = tokio::time::timeout(seconds(1), served.invoke_until(&event, begin + 60_000));
    assert!(died.await.is_err(), "it was dropped in the middle");
    let began = tokio::time::Instant::now();

    let (answer, ()) = tokio::join!(served.invoke_until(&event, begin + 120_000), async {
        tokio::time::sleep(seconds(59)).await;
        served.store.ambient().advance(seconds(60));
        go.notify_one();
    });

    assert_eq!(answer, Ok(all_done()));
    assert_eq!(began.elapsed().as_secs(), 60);
    assert_eq!(notes.take(), ["1"]);
}

/// Which source delivers the orders of a history.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Source {
    Sqs,
    SqsFifo,
    Kinesis,
    DynamoDb,
    S3,
}

/// What has not been acknowledged: in lanes, each of which keeps its order.
struct Broker {
    source: Source,
    lanes: Vec<VecDeque<usize>>,
}

impl Broker {
    fn new(source: Source, records: usize) -> Self {
        let lanes = match source {
            Source::Kinesis | Source::DynamoDb => 1,
            Source::SqsFifo => 3,
            Source::Sqs | Source::S3 => records,
        };
        let lane = |lane| (0..records).filter(|it| it % lanes == lane).collect();
        Self { source, lanes: (0..lanes).map(lane).collect() }
    }

    /// Some of what is next, and duplicates of what was acknowledged where the source has those.
    fn batch(&self, chance: &Chance, records: usize) -> Vec<usize> {
        let mut lanes: Vec<_> = self.lanes.iter().filter(|lane| !lane.is_empty()).collect();
        let mut batch = Vec::new();
        while !lanes.is_empty() && batch.len() < 10 {
            let lane = lanes.swap_remove(chance.below(lanes.len()));
            batch.extend(lane.iter().take(1 + chance.below(6)).copied());
        }
        if matches!(self.source, Source::Sqs | Source::S3) && chance.below(3) == 0 {
            batch.push(chance.below(records));
        }
        batch
    }

    fn acknowledge(&mut self, batch: &[usize], unhandled: &[usize]) {
        let first = batch.iter().position(|it| unhandled.contains(it));
        let streams = matches!(self.source, Source::Kinesis | Source::DynamoDb);
        for (place, record) in batch.iter().enumerate() {
            let handled = match first {
                Some(first) if streams => place < first,
                _ => !unhandled.contains(record),
            };
            if handled {
                self.lanes.iter_mut().for_each(|lane| lane.retain(|it| it != record));
            }
        }
    }
}

/// The name of the tally that a record is noted in: one per lane.
fn tally_of(source: Source, record: usize) -> String {
    match source {
        Source::SqsFifo => format!("lane-{}", record % 3),
        _ => "lane".to_owned(),
    }
}

/// All records of a history, at the events' handlers of one source. `left` says how often each one
/// still fails.
async fn serve_history(source: Source, left: &Arc<Mutex<BTreeMap<usize, usize>>>) -> Served {
    let left = left.clone();
    let act = move |number: usize, store: Store| {
        let left = left.clone();
        async move {
            note_in(&store, &tally_of(source, number), number).await?;
            {
                let mut left = left.lock().expect("it is as it was made");
                let left = left.get_mut(&number).expect("it is as it was made");
                if *left == 0 {
                    return Ok(());
                }
                *left -= 1;
            }
            super::meet(if number.is_multiple_of(2) { Fate::Fail } else { Fate::Panic })
        }
    };
    let module = Module::new("history");
    serve(vec![match source {
        Source::Sqs => module.on_message("orders", move |message: QueueMessage<Order>, store| {
            act(message.body.number, store)
        }),
        Source::SqsFifo => module
            .on_message("orders.fifo", move |message: QueueMessage<Order>, store| {
                act(message.body.number, store)
            }),
        Source::Kinesis => module
            .on_stream("activity", move |record: StreamRecord<Order>, store| {
                act(record.data.number, store)
            }),
        Source::DynamoDb => module
            .on_change(move |change: Change<Parcel>, store| {
                act(change.created().expect("it is as it was made").number, store)
            })
            .writing::<super::Tally>(),
        Source::S3 => module.on_object_created("uploads/", move |object: ObjectCreated, store| {
            act(object.key["uploads/".len()..].parse().expect("it is as it was made"), store)
        }),
    }])
    .await
}

fn event(source: Source, batch: &[usize]) -> Value {
    let records = batch.iter();
    match source {
        Source::Sqs | Source::SqsFifo => {
            let fifo = source == Source::SqsFifo;
            let records = records.map(|it| {
                let group = format!("group-{}", it % 3);
                let group = Some(group.as_str()).filter(|_| fifo);
                message(&it.to_string(), group, &order(*it, Fate::Pass))
            });
            let queue = if fifo { "orders.fifo" } else { "orders" };
            batches::sqs(queue, &records.collect::<Vec<_>>())
        }
        Source::Kinesis => {
            let records = records.map(|it| {
                let data =
                    serde_json::to_string(&order(*it, Fate::Pass)).expect("it is as it was made");
                (it.to_string(), "key".to_owned(), STANDARD.encode(data))
            });
            batches::kinesis("activity", &records.collect::<Vec<_>>())
        }
        Source::DynamoDb => {
            let records = records.map(|it| (it.to_string(), None, Some(image(*it, Fate::Pass))));
            batches::dynamodb(&records.collect::<Vec<_>>())
        }
        Source::S3 => {
            let records = records.map(|it| (format!("uploads/{it}"), it.to_string()));
            batches::s3("files", &records.collect::<Vec<_>>())
        }
    }
}

/// The records that the source is asked for again; all where the invocation failed.
fn unhandled(answer: Result<Value, api::events::Refused>, batch: &[usize]) -> Vec<usize> {
    let Ok(answer) = answer else { return batch.to_vec() };
    let failures = answer["batchItemFailures"].as_array().into_iter().flatten();
    let ids = failures.map(|it| {
        it["itemIdentifier"]
            .as_str()
            .expect("it is as it was made")
            .parse()
            .expect("it is as it was made")
    });
    ids.collect()
}

/// Records fail and panic up to three times each, come twice, and answers are lost. In the end the
/// table is as if each had come once, and in order where the source has one.
#[tokio::test(start_paused = true)]
async fn at_least_once_ends_as_exactly_once() {
    const RECORDS: usize = 40;
    let histories = std::env::var("LANDLINE_HISTORIES").ok().and_then(|it| it.parse().ok());
    let histories: u64 = histories.map_or(2, |histories: u64| histories.div_ceil(20));
    for (seed, source) in (0..histories).flat_map(|seed| {
        let sources = [Source::Sqs, Source::SqsFifo, Source::Kinesis, Source::DynamoDb, Source::S3];
        sources.map(|source| (seed, source))
    }) {
        let chance = Chance::new(seed);
        let left = (0..RECORDS).map(|it| (it, chance.below(5).saturating_sub(2)));
        let left = Arc::new(Mutex::new(left.collect::<BTreeMap<_, _>>()));
        let served = serve_history(source, &left).await;
        let mut broker = Broker::new(source, RECORDS);

        let mut deliveries = 0;
        while broker.lanes.iter().any(|lane| !lane.is_empty()) {
            let batch = broker.batch(&chance, RECORDS);
            let answer = served.try_invoke(&event(source, &batch)).await;
            // The answer is lost, and all of it comes again.
            if chance.below(6) != 0 {
                broker.acknowledge(&batch, &unhandled(answer, &batch));
            }
            deliveries += 1;
            assert!(deliveries < 2000, "{source:?} does not come to an end, seed {seed}");
        }

        let named = format!("{source:?}, seed {seed}");
        assert!(served.set_aside().is_empty(), "{named}");
        for lane in 0..3 {
            let mut expected: Vec<_> = (0..RECORDS).collect();
            if source == Source::SqsFifo {
                expected.retain(|it| it % 3 == lane);
            }
            let mut found = tallied(&served.store, &tally_of(source, lane)).await;
            if matches!(source, Source::Sqs | Source::S3) {
                found.sort_unstable();
            }
            assert_eq!(found, expected, "{named}");
        }
    }
}
