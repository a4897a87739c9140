use std::time::Duration;

use api::http::{Created, Json, Module, NoContent, Path, Problem, Result, endpoints};
use futures_util::future::join_all;
use http::Method;
use models::{Id, store::Owned};
use serde_json::{Value, json};
use tests::{
    Answer, Client, Fault, Faults, Setup, World,
    things::{Thing, ThingView, setup},
};

/// Make one longer by a letter, and show it where nothing else does.
#[utoipa::path(patch, path = "/things/{thingId}/length")]
async fn patch_length(things: Owned<Thing>, Path(id): Path<Id>) -> Result<Json<ThingView>> {
    let longer = things.change(id, &Default::default(), |thing| thing.text.push('x')).await?;
    longer.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

/// Make a large one, and say that it is where nothing is.
#[utoipa::path(post, path = "/things/hidden")]
async fn hide_thing(things: Owned<Thing>) -> Result<Created<ThingView>> {
    let mut thing = Thing::new(&things, "x".repeat(40_000));
    things.keep(&mut thing).await?;
    Ok(Created::at(format!("/hidden/{}", thing.id), thing.into()))
}

/// Make one and think better of it.
#[utoipa::path(post, path = "/things/regrets")]
async fn regret_thing(things: Owned<Thing>) -> Result<NoContent> {
    things.keep(&mut Thing::new(&things, "")).await?;
    Err(Problem::not_found("reason"))
}

/// How long one shall be.
#[models::request]
struct Stretch {
    /// In letters.
    length: usize,
}

/// Make one as long as that; one that is longer stays as it is.
#[utoipa::path(post, path = "/things/{thingId}/stretch")]
async fn stretch_thing(
    things: Owned<Thing>,
    Path(id): Path<Id>,
    Json(Stretch { length }): Json<Stretch>,
) -> Result<Json<ThingView>> {
    let thing = things.get(id).await?.ok_or_else(|| Problem::not_found("thing"))?;
    if thing.text.len() >= length {
        return Ok(Json(thing.into()));
    }
    let stretch = |thing: &mut Thing| thing.text = "x".repeat(length);
    let thing = things.change(id, &Default::default(), stretch).await?;
    thing.map(|thing| Json(thing.into())).ok_or_else(|| Problem::not_found("thing"))
}

fn things() -> Setup {
    setup([Module::new("regrets").signed_in(endpoints![regret_thing, stretch_thing])])
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

    /// `GET` shows the list where things are made, and nothing where they are made longer.
    #[tokio::test]
    async fn is_told_that_a_large_answer_is_lost_where_nothing_shows_it() {
        let module = Module::new("hidden").signed_in(endpoints![patch_length, hide_thing]);
        let world = World::with(setup([module])).await;
        let maya = world.maya().await;
        let made = make(&maya, "made", json!({ "length": 40_000 })).await.expect(201);
        let path = made.header("location");

        for (method, path, status) in [
            (Method::POST, format!("{path}/lengthen"), 200),
            (Method::PATCH, format!("{path}/length"), 200),
            (Method::POST, "/things/hidden".to_owned(), 201),
        ] {
            let send = || {
                let request = maya.request(method.clone(), &path).unspecified();
                request.header("idempotency-key", "a-key")
            };
            send().await.expect(status);
            let again = send().await.expect(409);

            let expected = json!({
                "type": "urn:landline:problem:conflict",
                "title": "What is there does not allow it",
                "status": 409,
                "code": "conflict",
                "detail": "It was done, and its answer was too large to be kept. \
                           Get what it was done to.",
                "requestId": "test",
            });
            assert_eq!(again.json(), expected, "{method} {path}");
        }
        assert_eq!(maya.get(path).unspecified().await.expect(200).json()["version"], 3);
        assert_eq!(count(&world, &maya).await, 2);
    }

    /// It finds that everything is as it was to be, or not there at all.
    #[tokio::test]
    async fn is_refused_when_the_key_was_another_requests_though_there_is_nothing_to_write() {
        let world = World::with(things()).await;
        let maya = world.maya().await;
        let made = make(&maya, "made", json!({ "length": 3 })).await.expect(201);
        let path = format!("{}/stretch", made.header("location"));
        let stretch = |length| {
            let post = maya.post(&path).unspecified().header("idempotency-key", "a-key");
            post.json(json!({ "length": length })).into_future()
        };

        let first = stretch(5).await.expect(200);
        stretch(4).await.expect_problem(422, "idempotency_key_reused");
        let again = stretch(5).await.expect(200);

        assert_eq!(again.body, first.body);
        assert_eq!(again.header("idempotency-replayed"), "true");
    }

    /// Nobody has said that what is there does not allow it, so it is sent again, as without a key.
    #[tokio::test]
    async fn is_503_when_others_are_faster_each_time() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        let lost = Fault::Answer(
            400,
            json!({
                "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
                "message": "cancelled",
                "CancellationReasons": [{ "Code": "None" }, { "Code": "ConditionalCheckFailed" }],
            }),
        );
        faults.next(9, "TransactWriteItems", lost);
        let failed = "ConditionalCheckFailedException";
        faults.next(9, "PutItem", Fault::error(400, failed, "another one was faster"));
        let rename = || maya.patch("/v1/account").json(json!({ "displayName": "Maya L." }));

        let keyed = || rename().header("idempotency-key", "a-key");
        let (keyless, first) = futures_util::join!(rename().into_future(), keyed().into_future());

        keyless.expect_problem(503, "unavailable");
        first.expect_problem(503, "unavailable");
        let again = keyed().await.expect(200);
        assert_eq!(again.header("idempotency-replayed"), "");
        assert_eq!(again.json()["version"], 2);
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
    use tests::Door;
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
        things.keep(&mut Thing::new(&things, "sent")).await?;
        Ok(NoContent)
    }

    #[tokio::test]
    async fn lets_one_request_have_its_effect_and_the_same_one_wait() {
        let module = Module::new("letters").signed_in(endpoints![send_letter]);
        let world = World::with(setup([module])).await;
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
        let module = Module::new("bills").signed_in(endpoints![send_bill]);
        let world = World::with(setup([module])).await;
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
        things.keep(&mut Thing::new(&things, "x".repeat(500 * 1024))).await?;
        Ok(NoContent)
    }

    /// Who died may have had the effect or not: nobody can know, and the request is done again. Its
    /// id is the same for whoever has the effect.
    #[tokio::test]
    async fn of_a_function_that_died_is_taken_over_when_it_has_ended() {
        let module = Module::new("parcels").signed_in(endpoints![send_parcel]);
        let world = World::with(setup([module])).await;
        let maya = world.maya().await;
        let send = |key| maya.post("/parcels").unspecified().header("idempotency-key", key);

        // What is done by the router alone ends when the client's task does.
        let process = maya.at(Door::Router(world.app().router()));
        let first = process.post("/parcels").unspecified().header("idempotency-key", "a-key");
        let first = tokio::spawn(first.into_future());
        while parcels().is_empty() {
            tokio::task::yield_now().await;
        }
        first.abort();
        let _ = first.await;
        let meanwhile = send("a-key").await;
        assert_eq!(meanwhile.header("retry-after"), "30");
        meanwhile.expect_problem(409, "request_in_progress");
        world.advance(Duration::from_millis(29_999));
        send("a-key").await.expect_problem(409, "request_in_progress");
        world.advance(Duration::from_millis(1));
        PARCELS_GATE.add_permits(2);
        let again = send("a-key").await.expect(204);
        let replayed = send("a-key").await.expect(204);

        assert_eq!(again.header("idempotency-replayed"), "");
        assert_eq!(replayed.header("idempotency-replayed"), "true");
        assert_eq!(count(&world, &maya).await, 1);
        let ids = parcels();
        assert_eq!(ids.len(), 2, "it was sent twice");
        assert_eq!(ids[0], ids[1]);
        send("another-key").await.expect(204);
        assert_ne!(parcels()[2], ids[0]);
    }

    static PARCELS: Mutex<Vec<String>> = Mutex::new(Vec::new());
    static PARCELS_GATE: Semaphore = Semaphore::const_new(0);

    fn parcels() -> Vec<String> {
        PARCELS.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Send a parcel, which cannot be taken back.
    #[utoipa::path(post, path = "/parcels")]
    async fn send_parcel(lease: Lease, things: Owned<Thing>) -> Result<NoContent> {
        PARCELS.lock().unwrap_or_else(PoisonError::into_inner).push(lease.id().to_owned());
        PARCELS_GATE.acquire().await.map_err(Problem::internal)?.forget();
        things.keep(&mut Thing::new(&things, "sent")).await?;
        Ok(NoContent)
    }

    /// It had no effect, so the key is free: for the same request and for one that is mended.
    #[tokio::test]
    async fn is_given_back_when_the_request_fails() {
        let module = Module::new("cards").signed_in(endpoints![send_card]);
        let world = World::with(setup([module])).await;
        let maya = world.maya().await;
        let send = |body| {
            let post = maya.post("/cards").unspecified().header("idempotency-key", "a-key");
            post.json(body).into_future()
        };

        send(json!({ "text": 7 })).await.expect_problem(422, "validation_failed");
        send(json!({ "text": "" })).await.expect_problem(422, "validation_failed");
        send(json!({ "text": "lost" })).await.expect_problem(404, "not_found");
        send(json!({ "text": "lost" })).await.expect_problem(404, "not_found");
        send(json!({ "text": "Dear Omar" })).await.expect(204);
        let again = send(json!({ "text": "Dear Omar" })).await.expect(204);
        let other = send(json!({ "text": "Dear Maya" })).await;

        assert_eq!(again.header("idempotency-replayed"), "true");
        other.expect_problem(422, "idempotency_key_reused");
    }

    /// What is on a card.
    #[models::request]
    struct SendCard {
        /// Its text.
        #[validate(length(min = 1, max = 100))]
        text: String,
    }

    /// Send a card, unless it would be lost.
    #[utoipa::path(post, path = "/cards")]
    async fn send_card(_: Lease, Json(card): Json<SendCard>) -> Result<NoContent> {
        if card.text == "lost" { Err(Problem::not_found("mailbox")) } else { Ok(NoContent) }
    }
}

/// With a key a handler is told what it would be told without one.
mod what_the_handler_is_told {
    use models::store::{Entity, Error, Key, Store};
    use serde::{Deserialize, Serialize};

    use api::http::Code;
    use http::StatusCode;

    use super::*;

    /// Holds a name for one person.
    #[derive(Serialize, Deserialize)]
    struct Name {
        name: String,
        version: u64,
    }

    impl Entity for Name {
        const KIND: &'static str = "NAME";

        fn key(&self) -> Key {
            Key::unique::<Self>(&self.name)
        }

        fn version_mut(&mut self) -> &mut u64 {
            &mut self.version
        }
    }

    /// A name that somebody wants.
    #[models::request]
    struct ClaimName {
        /// The name.
        #[validate(length(min = 1, max = 20))]
        name: String,
    }

    const NAME_TAKEN: Code = Code::new(StatusCode::CONFLICT, "name_taken", "The name is taken");

    /// Claim a name.
    #[utoipa::path(post, path = "/names")]
    async fn claim_name(store: Store, Json(request): Json<ClaimName>) -> Result<NoContent> {
        match store.create(&mut Name { name: request.name, version: 1 }).await {
            Ok(()) => Ok(NoContent),
            Err(Error::Conflict { .. }) => Err(Problem::new(NAME_TAKEN, "Take another one.")),
            Err(error) => Err(error.into()),
        }
    }

    #[tokio::test]
    async fn names_a_conflict_that_it_answers_itself() {
        let faults = Faults::start().await;
        let module = Module::new("names").signed_in(endpoints![claim_name]);
        let world = World::with_faults(setup([module]), &faults).await;
        let (maya, omar) = (world.maya().await, world.omar().await);
        let claim = |person: &Client| {
            let post = person.post("/names").unspecified().header("idempotency-key", "a-key");
            post.json(json!({ "name": "ada" }))
        };
        claim(&maya).await.expect(204);
        faults.calls();

        let taken = claim(&omar).await;

        taken.expect_problem(409, "name_taken");
        // The loss, whether it was done before, why it was lost, and once more whether it was done.
        let expected = ["TransactWriteItems", "GetItem", "BatchGetItem", "GetItem"];
        assert_eq!(faults.calls(), expected);
        claim(&maya).await.expect(204);
    }

    /// One of these is done to a thing after the other.
    #[models::request]
    struct Play {
        /// `keep`, `change`, `put`, `delete` or `read`, with commas between them.
        #[validate(length(max = 100))]
        steps: String,
    }

    /// What each of them gave.
    #[models::view]
    struct Played {
        /// In their order.
        outcomes: Vec<String>,
    }

    /// Do several things to one.
    #[utoipa::path(post, path = "/things/{thingId}/play")]
    async fn play(
        things: Owned<Thing>,
        Path(id): Path<Id>,
        Json(request): Json<Play>,
    ) -> Result<Json<Played>> {
        let mut outcomes = Vec::new();
        for step in request.steps.split_terminator(',') {
            let new = Thing { id, owner: things.owner(), text: "new".to_owned(), version: 1 };
            outcomes.push(match step {
                "keep" => {
                    let mut thing = new;
                    things.keep(&mut thing).await?;
                    format!("kept {}", thing.version)
                }
                "change" => {
                    let change = |thing: &mut Thing| thing.text.push('+');
                    let thing = things.change(id, &Default::default(), change).await?;
                    format!("changed {:?}", thing.map(|it| (it.text, it.version)))
                }
                "put" => {
                    let make = |known: Option<Thing>| known.unwrap_or_else(|| new.clone());
                    let (thing, is_new) = things.put(id, &Default::default(), make).await?;
                    format!("put {} {is_new}", thing.version)
                }
                "delete" => format!("{}", things.delete(id, &Default::default()).await?),
                _ => {
                    let all = things.get_all(&[id, id]).await?;
                    let one = things.get(id).await?.map(|it| (it.text, it.version));
                    format!("read {one:?} {}", all.len())
                }
            });
        }
        Ok(Json(Played { outcomes }))
    }

    /// Up to two of the steps in every order, and some more, on a thing that is there and on one
    /// that is not.
    #[tokio::test]
    async fn is_the_same_however_often_it_writes_one_thing() {
        let module = Module::new("plays").signed_in(endpoints![play]);
        let world = World::with(setup([module])).await;
        let maya = world.maya().await;
        let all = ["keep", "change", "put", "delete"];
        let mut sequences: Vec<Vec<&str>> = all.iter().map(|step| vec![*step]).collect();
        sequences.extend(all.iter().flat_map(|first| all.iter().map(|then| vec![*first, *then])));
        sequences.extend([
            vec!["keep", "delete", "put"],
            vec!["keep", "change", "delete"],
            vec!["delete", "put", "change", "delete", "put"],
        ]);

        let mut refused = 0;
        for steps in sequences {
            for there in [false, true] {
                let with = |key| played(&world, &maya, there, &steps, key);
                let (plain, keyed) = (with(false).await, with(true).await);

                assert_eq!(keyed.0, plain.0, "{steps:?}, there: {there}");
                // What fails half way leaves its first half without a key, and nothing with one.
                if plain.0.status.is_success() {
                    assert_eq!(keyed.1, plain.1, "{steps:?}, there: {there}");
                } else {
                    let untouched = if there { "read Some((\"new\", 1)) 1" } else { "read None 0" };
                    assert_eq!(keyed.1, untouched, "{steps:?}");
                    refused += 1;
                }
            }
        }
        assert!(refused > 5, "{refused}");
    }

    /// The answer, and what is there then.
    async fn played(
        world: &World,
        maya: &Client,
        there: bool,
        steps: &[&str],
        key: bool,
    ) -> (Told, String) {
        let id = world.ambient().new_id();
        let play = |steps: &[&str]| {
            let post = maya.post(format!("/things/{id}/play")).unspecified();
            post.json(json!({ "steps": steps.join(",") }))
        };
        if there {
            play(&["keep"]).await.expect(200);
        }
        let read: Vec<_> = steps.iter().flat_map(|step| [*step, "read"]).collect();
        let request = play(&read);
        let answer = match key {
            true => request.header("idempotency-key", format!("key-{id}")).await,
            false => request.await,
        };
        let after: Value = play(&["read"]).await.expect(200).json();
        let told = Told { status: answer.status, body: answer.text() };
        (told, after["outcomes"][0].as_str().expect("a text").to_owned())
    }

    #[derive(Debug, PartialEq)]
    struct Told {
        status: StatusCode,
        body: String,
    }
}
