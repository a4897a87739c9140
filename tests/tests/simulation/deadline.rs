//! A table that is slow, throttles or says nothing, and requests that must be done by then.

use std::{rc::Rc, time::Duration};

use serde_json::json;
use tests::{Answer, Client, Door, simulation::Trouble};
use tokio::time::Instant;

use super::{
    Person, begin, owned,
    phone::{World, app},
    simulated, somebody,
    things::Tally,
};

/// What a request came to.
struct Told {
    answer: Answer,
    took: Duration,
    calls: Vec<String>,
    world: Rc<World>,
}

/// Mark a tally, with a key where there is one, in an invocation that may take so long.
async fn mark(
    person: &Person,
    time: Duration,
    troubles: &[(usize, &'static str, Trouble)],
) -> Told {
    mark_with(person, time, None, troubles).await
}

async fn mark_with(
    person: &Person,
    time: Duration,
    key: Option<&str>,
    troubles: &[(usize, &'static str, Trouble)],
) -> Told {
    let world = Rc::new(begin(7, person).await);
    for (calls, operation, trouble) in troubles {
        world.network.next(*calls, operation, *trouble);
    }
    let before = world.network.trace().len();
    let began = Instant::now();
    let answer = send(&world, time, key).await;
    let (took, trace) = (began.elapsed(), world.network.trace());
    // "12 ms: GetItem passed", and when it arrives "13 ms: GetItem: 200 with 7 bytes".
    let sent = trace[before..].iter().filter_map(|line| line.split(' ').nth(2));
    let calls = sent.filter(|name| !name.ends_with(':')).map(str::to_owned).collect();
    Told { answer, took, calls, world }
}

async fn send(world: &World, time: Duration, key: Option<&str>) -> Answer {
    let store = world.network.store(&world.ambient);
    let door = Door::Invoked(app(&store), world.ambient.clone(), time);
    let client = Client::new(door).with_token(world.token.clone());
    let post = client.post(format!("/tallies/{}", world.tallies[0])).unspecified();
    let post = post.json(json!({ "mark": 1_000 }));
    match key {
        Some(key) => post.header("idempotency-key", key).await,
        None => post.await,
    }
}

/// How often the request has been done.
async fn marks(world: &World) -> usize {
    let store = world.network.store(&world.ambient);
    let tally = owned::<Tally>(&store, world.owner).get(world.tallies[0]).await;
    let tally = tally.expect("an answer").expect("a tally");
    tally.marks.iter().filter(|mark| **mark == 1_000).count()
}

fn expect_unavailable(answer: &Answer) {
    assert_eq!(answer.header("retry-after"), "1");
    answer.clone().expect_problem(503, "unavailable");
}

const LONG: Duration = Duration::from_secs(30);

#[test]
fn a_silent_table_is_asked_three_times_where_there_is_time() {
    let person = somebody();

    simulated(1, async {
        let told = mark(&person, LONG, &[(9, "GetItem", Trouble::Silence)]).await;

        expect_unavailable(&told.answer);
        assert_eq!(told.calls, ["GetItem"; 3]);
        assert!(told.took < Duration::from_secs(10), "{:?}", told.took);
    });
}

/// The answer has to be out a second before the end.
#[test]
fn a_silent_table_is_given_up_before_the_invocation_ends() {
    let person = somebody();
    // The time that an invocation has, and how often there is time to ask in it.
    for (millis, times) in
        [(1_300, 0..=0), (1_400, 1..=1), (1_600, 2..=2), (2_000, 2..=3), (9_000, 2..=3)]
    {
        simulated(1, async {
            let time = Duration::from_millis(millis);
            let told = mark(&person, time, &[(9, "GetItem", Trouble::Silence)]).await;

            expect_unavailable(&told.answer);
            assert!(times.contains(&told.calls.len()), "{millis}: {:?}", told.calls);
            assert!(told.took <= time - Duration::from_secs(1), "{millis}: {:?}", told.took);
        });
    }
}

/// The pause before the second attempt would be longer than what is left.
#[test]
fn a_busy_table_is_not_waited_for_beyond_the_end() {
    let person = somebody();

    simulated(1, async {
        let time = Duration::from_millis(1_400);
        let told = mark(&person, time, &[(9, "GetItem", Trouble::Throttled)]).await;

        expect_unavailable(&told.answer);
        assert!(told.took <= Duration::from_millis(150), "{:?}", told.took);
        assert!((1..=3).contains(&told.calls.len()), "{:?}", told.calls);
    });
}

#[test]
fn what_others_are_at_is_not_waited_for_beyond_the_end() {
    let person = somebody();

    simulated(1, async {
        let time = Duration::from_millis(1_500);
        let told = mark(&person, time, &[(99, "PutItem", Trouble::Conflict)]).await;

        expect_unavailable(&told.answer);
        assert!(told.took <= Duration::from_millis(250), "{:?}", told.took);
        assert_eq!(marks(&told.world).await, 0);
    });
}

/// The SDK tries throttled calls again, the store what met another write: nine attempts in all,
/// and not nine times three.
#[test]
fn the_layers_that_try_again_share_their_attempts() {
    let person = somebody();

    simulated(1, async {
        let both = [(1, "PutItem", Trouble::Throttled), (1, "PutItem", Trouble::Conflict)];
        let told = mark(&person, LONG, &both.repeat(40)).await;

        expect_unavailable(&told.answer);
        assert_eq!(told.calls.iter().filter(|call| *call == "PutItem").count(), 9);
        assert_eq!(marks(&told.world).await, 0);
    });
}

/// What was read late leaves less time to write, and the write is not begun without any.
#[test]
fn nothing_is_written_when_reading_took_all_the_time() {
    let person = somebody();

    simulated(1, async {
        let late = Trouble::Late(Duration::from_millis(60));
        let troubles = [(1, "GetItem", Trouble::Silence), (1, "GetItem", late)];
        let told = mark(&person, Duration::from_millis(1_500), &troubles).await;

        expect_unavailable(&told.answer);
        assert_eq!(told.calls, ["GetItem", "GetItem"]);
        assert_eq!(marks(&told.world).await, 0);
    });
}

/// Whether it was done is not known, and it is done once.
#[test]
fn a_request_with_a_key_whose_answers_were_lost_to_the_end_is_done_once() {
    let person = somebody();

    simulated(1, async {
        let lost = [(9, "TransactWriteItems", Trouble::LostAnswer)];
        let time = Duration::from_millis(2_000);
        let told = mark_with(&person, time, Some("a-key"), &lost).await;
        expect_unavailable(&told.answer);
        assert!(told.took <= Duration::from_secs(1), "{:?}", told.took);
        assert_eq!(marks(&told.world).await, 1);

        told.world.network.forget();
        let again = send(&told.world, LONG, Some("a-key")).await.expect(200);

        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(marks(&told.world).await, 1);
    });
}
