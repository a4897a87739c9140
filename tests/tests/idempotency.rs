use std::time::Duration;

use api::http::{Created, Json, Module, NoContent, Path, Problem, Result, endpoints};
use futures_util::future::join_all;
use models::{
    Id,
    store::{Entity, Key, Owned},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{Answer, Client, Fault, Faults, Setup, World};

/// Something that a person has.
#[derive(Clone, Serialize, Deserialize)]
struct Thing {
    id: Id,
    owner: Id,
    text: String,
    version: u64,
}

impl Entity for Thing {
    const KIND: &'static str = "THING";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// Such a thing.
#[models::view]
struct ThingView {
    /// Its id.
    id: Id,
    /// Its text.
    text: String,
    /// Its version.
    version: u64,
}

impl From<Thing> for ThingView {
    fn from(Thing { id, text, version, .. }: Thing) -> Self {
        Self { id, text, version }
    }
}

/// A text, as the request for it says.
#[models::request]
struct MakeThing {
    /// How long it shall be.
    length: usize,
    /// What it begins with.
    #[serde(default)]
    #[validate(length(max = 1))]
    letter: String,
}

/// Make one.
#[utoipa::path(post, path = "/things")]
async fn make_thing(
    things: Owned<Thing>,
    Json(request): Json<MakeThing>,
) -> Result<Created<ThingView>> {
    let text = format!("{:x<1$}", request.letter, request.length);
    let id = things.ambient().new_id();
    let mut thing = Thing { id, owner: things.owner(), text, version: 1 };
    things.keep(&mut thing).await?;
    Ok(Created::at(format!("/things/{id}"), thing.into()))
}

/// Get one.
#[utoipa::path(get, path = "/things/{thingId}")]
async fn get_thing(things: Owned<Thing>, Path(id): Path<Id>) -> Result<Json<ThingView>> {
    let thing = things.get(id).await?;
    thing.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

/// Make all of one longer by a letter.
#[utoipa::path(post, path = "/things/{thingId}/lengthen")]
async fn lengthen_thing(things: Owned<Thing>, Path(id): Path<Id>) -> Result<Json<ThingView>> {
    let longer = things.change(id, &Default::default(), |thing| thing.text.push('x')).await?;
    longer.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

/// Make one and think better of it.
#[utoipa::path(post, path = "/things/regrets")]
async fn regret_thing(things: Owned<Thing>) -> Result<NoContent> {
    let (id, owner) = (things.ambient().new_id(), things.owner());
    things.keep(&mut Thing { id, owner, text: String::new(), version: 1 }).await?;
    Err(Problem::not_found("reason"))
}

fn things() -> Setup {
    let mut modules = api::route_table();
    modules.push(Module::new("things").signed_in(endpoints![
        make_thing,
        get_thing,
        lengthen_thing,
        regret_thing
    ]));
    Setup { modules, ..Setup::default() }
}

async fn make(client: &Client, key: &str, body: Value) -> Answer {
    client.post("/things").unspecified().header("idempotency-key", key).json(body).await
}

/// How many things a person has.
async fn count(world: &World, client: &Client) -> usize {
    let store = models::store::Store::connect(world.connection(), world.ambient().clone());
    let owner = client.signed_in["account"]["id"].as_str().expect("an id");
    #[expect(clippy::disallowed_methods, reason = "the test looks into the table")]
    let things = Owned::<Thing>::new(store, owner.parse().expect("an id"));
    things.page(Some(100), None, None).await.expect("a page").items.len()
}

mod a_request_with_a_key {
    use super::*;

    #[tokio::test]
    async fn is_done_once_and_answered_alike_when_it_comes_again() {
        let world = World::with(things()).await;
        let maya = world.maya().await;

        let first = make(&maya, "\"a-key\"", json!({ "length": 3 })).await.expect(201);
        let again = make(&maya, "a-key", json!({ "length": 3 })).await.expect(201);

        assert_eq!(again.body, first.body);
        for name in ["location", "etag", "content-type"] {
            assert_eq!(again.header(name), first.header(name), "{name}");
        }
        assert_eq!(first.header("idempotency-replayed"), "");
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(count(&world, &maya).await, 1);
    }

    #[tokio::test]
    async fn is_done_once_when_it_comes_fifty_times_at_once() {
        let world = World::with(things()).await;
        let maya = world.maya().await;

        let answers = join_all((0..50).map(|_| make(&maya, "a-key", json!({ "length": 3 })))).await;

        let mut bodies: Vec<_> =
            answers.into_iter().map(|answer| answer.expect(201).body).collect();
        bodies.dedup();
        assert_eq!(bodies.len(), 1);
        assert_eq!(count(&world, &maya).await, 1);
    }

    #[tokio::test]
    async fn is_the_same_request_whatever_the_order_of_its_members() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        let send = |text: &'static str| {
            let post = maya.post("/things").unspecified().header("idempotency-key", "a-key");
            post.json_text(text).into_future()
        };

        let first = send(r#"{"length":3,"letter":"a"}"#).await.expect(201);
        let again = send(r#"{ "letter": "a", "length": 3 }"#).await.expect(201);

        assert_eq!(again.body, first.body);
        assert_eq!(count(&world, &maya).await, 1);
    }

    #[tokio::test]
    async fn is_refused_when_the_key_was_another_requests() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        make(&maya, "a-key", json!({ "length": 3 })).await.expect(201);

        let other = make(&maya, "a-key", json!({ "length": 4 })).await.expect(422);

        let expected = json!({
            "type": "urn:landline:problem:idempotency_key_reused",
            "title": "The key is of another request",
            "status": 422,
            "code": "idempotency_key_reused",
            "detail": "Another request was sent with this key. Make a new one.",
            "requestId": "test",
        });
        assert_eq!(other.json(), expected);
        assert_eq!(count(&world, &maya).await, 1);
    }

    #[tokio::test]
    async fn is_the_persons_and_the_routes() {
        let world = World::with(things()).await;
        let (maya, omar) = (world.maya().await, world.omar().await);

        let made = make(&maya, "a-key", json!({ "length": 3 })).await.expect(201);
        make(&omar, "a-key", json!({ "length": 4 })).await.expect(201);
        let body = json!({ "displayName": "Maya Lindqvist" });
        let patch = maya.patch("/v1/account").header("idempotency-key", "a-key").json(body);
        patch.await.expect(200);
        // Another thing of the same route is another request.
        let path = format!("{}/lengthen", made.header("location"));
        let lengthen = maya.post(path).unspecified().header("idempotency-key", "a-key");
        lengthen.await.expect(200);

        assert_eq!((count(&world, &maya).await, count(&world, &omar).await), (1, 1));
    }

    #[tokio::test]
    async fn is_forgotten_after_a_day() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        make(&maya, "a-key", json!({ "length": 3 })).await.expect(201);

        world.advance(Duration::from_secs(24 * 60 * 60 + 1));
        let maya = maya.refreshed().await;
        let later = make(&maya, "a-key", json!({ "length": 3 })).await.expect(201);

        assert_eq!(later.header("idempotency-replayed"), "");
        assert_eq!(count(&world, &maya).await, 2);
    }

    #[tokio::test]
    async fn leaves_nothing_behind_when_it_fails() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        let send = || maya.post("/things/regrets").unspecified().header("idempotency-key", "k");

        for _ in 0..2 {
            let answer = send().await;

            assert_eq!(answer.header("idempotency-replayed"), "");
            answer.expect_problem(404, "not_found");
        }
        assert_eq!(count(&world, &maya).await, 0);
        make(&maya, "bad", json!({ "length": "three" })).await.expect(422);
        make(&maya, "bad", json!({ "length": 3 })).await.expect(201);
    }

    #[tokio::test]
    async fn is_answered_as_before_though_its_condition_no_longer_holds() {
        let world = World::new().await;
        let maya = world.maya().await;
        let rename = || {
            let patch = maya.patch("/v1/account").header("idempotency-key", "a-key");
            patch.header("if-match", r#""1""#).json(json!({ "displayName": "Maya L." }))
        };

        let first = rename().await.expect(200);
        let again = rename().await.expect(200);

        assert_eq!(again.body, first.body);
        assert_eq!(again.header("idempotency-replayed"), "true");
    }

    #[tokio::test]
    async fn is_done_anew_when_another_one_was_faster() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        let made = make(&maya, "made", json!({ "length": 0 })).await.expect(201);
        let path = format!("{}/lengthen", made.header("location"));

        let lengthened = (0..20).map(|number| {
            let post = maya.post(&path).unspecified();
            post.header("idempotency-key", format!("key-{}", number / 2)).into_future()
        });
        for answer in join_all(lengthened).await {
            answer.expect(200);
        }

        let thing = maya.get(made.header("location")).unspecified().await.expect(200).json();
        assert_eq!(thing["text"], "x".repeat(10));
        assert_eq!(thing["version"], 11);
    }

    #[tokio::test]
    async fn has_a_large_answer_made_anew() {
        let world = World::with(things()).await;
        let maya = world.maya().await;

        let first = make(&maya, "a-key", json!({ "length": 40_000 })).await.expect(201);
        let again = make(&maya, "a-key", json!({ "length": 40_000 })).await.expect(201);

        assert_eq!(again.json(), first.json());
        assert_eq!(again.header("location"), first.header("location"));
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(count(&world, &maya).await, 1);
    }

    /// The body is of now, and so is its entity tag.
    #[tokio::test]
    async fn has_a_large_answer_made_anew_as_the_thing_is_by_then() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        let first = make(&maya, "a-key", json!({ "length": 40_000 })).await.expect(201);
        let path = format!("{}/lengthen", first.header("location"));
        maya.post(path).unspecified().await.expect(200);

        let again = make(&maya, "a-key", json!({ "length": 40_000 })).await.expect(201);

        assert_eq!(again.json()["version"], 2);
        assert_eq!(again.header("etag"), "\"2\"");
    }

    #[tokio::test]
    async fn is_done_once_when_the_answer_of_the_table_is_lost() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        faults.next(1, "TransactWriteItems", Fault::LostAnswer);
        let rename = || {
            let patch = maya.patch("/v1/account").header("idempotency-key", "a-key");
            patch.json(json!({ "displayName": "Maya L." }))
        };

        rename().await.expect(200);
        let again = rename().await.expect(200);

        assert_eq!(again.json()["version"], 2);
    }

    #[tokio::test]
    async fn costs_one_transaction() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        faults.calls();

        let patch = maya.patch("/v1/account").header("idempotency-key", "a-key");
        patch.json(json!({ "displayName": "Maya L." })).await.expect(200);

        assert_eq!(faults.calls(), ["GetItem", "TransactWriteItems"]);
    }
}

mod a_key {
    use super::*;

    #[tokio::test]
    async fn is_refused_where_it_cannot_be_read() {
        let world = World::new().await;
        let maya = world.maya().await;
        let long = "k".repeat(256);

        for key in ["", "\"\"", "two words", "\"half", long.as_str(), "kl\u{e9}"] {
            let patch = maya.patch("/v1/account").header("idempotency-key", key).json(json!({}));
            patch.await.expect_problem(400, "malformed_request");
        }
        let twice = maya.patch("/v1/account").header("idempotency-key", "a");
        let twice = twice.header("idempotency-key", "b").json(json!({}));
        twice.await.expect_problem(400, "malformed_request");
        let longest = maya.patch("/v1/account").header("idempotency-key", "k".repeat(255));
        longest.json(json!({})).await.expect(200);
    }

    /// What makes tokens is never kept: a phone that lost the answer signs in again.
    #[tokio::test]
    async fn means_nothing_where_the_answer_carries_tokens() {
        let world = World::new().await;
        let maya = world.maya().await;
        let sign_in = || {
            let body = json!({
                "email": "maya@example.com",
                "password": "correct horse battery staple",
            });
            maya.anonymous().post("/v1/sessions").header("idempotency-key", "a-key").json(body)
        };

        let first = sign_in().await.expect(201).json();
        let second = sign_in().await.expect(201).json();

        assert_ne!(first["session"]["id"], second["session"]["id"]);
    }
}

mod a_lease {
    use std::sync::{
        Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    };

    use api::http::Lease;
    use tokio::sync::Semaphore;

    use super::*;

    static GATE: Semaphore = Semaphore::const_new(0);
    static LETTERS: Mutex<u32> = Mutex::new(0);

    fn letters() -> u32 {
        *LETTERS.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Send a letter, which cannot be taken back.
    #[utoipa::path(post, path = "/letters")]
    async fn send_letter(_: Lease, things: Owned<Thing>) -> Result<NoContent> {
        *LETTERS.lock().unwrap_or_else(PoisonError::into_inner) += 1;
        GATE.acquire().await.map_err(Problem::internal)?.forget();
        let (id, owner) = (things.ambient().new_id(), things.owner());
        things.keep(&mut Thing { id, owner, text: "sent".to_owned(), version: 1 }).await?;
        Ok(NoContent)
    }

    #[tokio::test]
    async fn lets_one_request_have_its_effect_and_the_same_one_wait() {
        let mut setup = things();
        setup.modules.push(Module::new("letters").signed_in(endpoints![send_letter]));
        let world = World::with(setup).await;
        let maya = world.maya().await;
        let send = || maya.post("/letters").unspecified().header("idempotency-key", "a-key");
        let keyless = maya.post("/letters").unspecified().await;
        keyless.expect_problem(400, "idempotency_key_required");

        let first = tokio::spawn(send().into_future());
        while letters() == 0 {
            tokio::task::yield_now().await;
        }
        let meanwhile = send().await;
        assert_eq!(meanwhile.header("retry-after"), "30");
        meanwhile.expect_problem(409, "request_in_progress");
        GATE.add_permits(1);
        first.await.expect("it is not cancelled").expect(204);

        let again = send().await.expect(204);
        assert_eq!(again.header("idempotency-replayed"), "true");
        assert_eq!(letters(), 1);
        assert_eq!(count(&world, &maya).await, 1);
    }

    /// The effect has been had: nobody takes the request over and has it again.
    #[tokio::test]
    async fn is_not_given_on_when_what_goes_with_the_effect_cannot_be_written() {
        let mut setup = things();
        setup.modules.push(Module::new("bills").signed_in(endpoints![send_bill]));
        let world = World::with(setup).await;
        let maya = world.maya().await;
        let send = || maya.post("/bills").unspecified().header("idempotency-key", "a-key");

        let first = send().await;
        world.advance(Duration::from_secs(60));
        let again = send().await;

        first.expect_problem(413, "content_too_large");
        again.expect_problem(409, "conflict");
        assert_eq!(BILLS.load(Ordering::Relaxed), 1);
    }

    static BILLS: AtomicU32 = AtomicU32::new(0);

    /// Send a bill that is too long to be kept.
    #[utoipa::path(post, path = "/bills")]
    async fn send_bill(_: Lease, things: Owned<Thing>) -> Result<NoContent> {
        BILLS.fetch_add(1, Ordering::Relaxed);
        let (id, owner) = (things.ambient().new_id(), things.owner());
        let text = "x".repeat(500 * 1024);
        things.keep(&mut Thing { id, owner, text, version: 1 }).await?;
        Ok(NoContent)
    }
}
