//! Writes that go along with another one, as a client sees them: with an `Idempotency-Key` and
//! without one.

use api::http::{Code, Json, Module, NoContent, Path, Problem, Result, endpoints};
use http::StatusCode;
use models::{
    Id,
    store::{Entity, Error, Key, Owned, WriteSet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{
    Answer, Client, Fault, Faults, World,
    things::{Thing, setup},
};

/// Holds a name for one thing.
#[derive(Serialize, Deserialize)]
struct Name {
    name: String,
    version: u64,
}

impl Entity for Name {
    const KIND: &'static str = "THING_NAME";

    fn key(&self) -> Key {
        Key::unique::<Self>(&self.name)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

const NAME_TAKEN: Code = Code::new(StatusCode::CONFLICT, "name_taken", "The name is taken");

fn named(things: &Owned<Thing>, name: String) -> Result<Owned<Thing>> {
    let claim = WriteSet::new().create(&mut Name { name, version: 1 });
    Ok(things.together_with(claim)?)
}

/// A name, and what is done to the thing with it.
#[models::request]
struct NameThing {
    /// The name.
    #[validate(length(min = 1, max = 20))]
    name: String,
    /// `change`, `put` or `delete`.
    #[validate(length(max = 10))]
    by: String,
}

/// Give a thing a name that no other has.
#[utoipa::path(post, path = "/things/{thingId}/name")]
async fn name_thing(
    things: Owned<Thing>,
    Path(id): Path<Id>,
    Json(NameThing { name, by }): Json<NameThing>,
) -> Result<NoContent> {
    let owner = things.owner();
    let things = named(&things, name.clone())?;
    let no_matter = Default::default();
    let written = match by.as_str() {
        "change" => things.change(id, &no_matter, |it| it.text.clone_from(&name)).await.map(drop),
        "put" => {
            let thing = Thing { id, owner, text: name, version: 1 };
            things.put(id, &no_matter, |_| thing.clone()).await.map(drop)
        }
        _ => things.delete(id, &no_matter).await.map(drop),
    };
    match written {
        Ok(()) => Ok(NoContent),
        Err(Error::Conflict { write: 1 }) => Err(Problem::new(NAME_TAKEN, "Take another one.")),
        Err(error) => Err(error.into()),
    }
}

/// How many.
#[models::request]
struct MakeThings {
    /// So many.
    #[validate(range(max = 200))]
    count: usize,
}

/// Make some under one name.
#[utoipa::path(post, path = "/things/batches")]
async fn make_things(things: Owned<Thing>, Json(request): Json<MakeThings>) -> Result<NoContent> {
    let mut all: Vec<_> = (0..request.count).map(|_| Thing::new(&things, "one of many")).collect();
    named(&things, format!("{} things", request.count))?.keep_all(&mut all).await?;
    Ok(NoContent)
}

async fn world(faults: &Faults) -> World {
    let module = Module::new("named").signed_in(endpoints![name_thing, make_things]);
    World::with_faults(setup([module]), faults).await
}

async fn post(person: &Client, path: &str, key: Option<&str>, body: Value) -> Answer {
    let post = person.post(path).unspecified().json(body);
    match key {
        Some(key) => post.header("idempotency-key", key).await,
        None => post.await,
    }
}

async fn new_thing(person: &Client) -> String {
    let made = person.post("/things").unspecified().json(json!({ "length": 1 })).await.expect(201);
    made.header("location").to_owned()
}

async fn read(person: &Client, path: &str) -> Value {
    person.get(path).unspecified().await.expect(200).json()
}

mod a_write_that_loses_what_goes_along {
    use super::*;

    #[tokio::test]
    async fn is_told_at_once_and_changes_nothing() {
        let faults = Faults::start().await;
        let world = world(&faults).await;
        let maya = world.maya().await;
        let path = new_thing(&maya).await;
        let name = format!("{path}/name");
        post(&maya, &name, None, json!({ "name": "ada", "by": "change" })).await.expect(204);
        let before = read(&maya, &path).await;

        for by in ["change", "put", "delete"] {
            for key in [None, Some(by)] {
                faults.calls();

                let taken = post(&maya, &name, key, json!({ "name": "ada", "by": by })).await;

                taken.expect_problem(409, "name_taken");
                // With a key: whether it was done before, and once more what it is that is lost.
                let once = ["GetItem", "TransactWriteItems"];
                let again = ["GetItem", "GetItem", "BatchGetItem", "GetItem"];
                let again = &again[..if key.is_some() { 4 } else { 0 }];
                assert_eq!(faults.calls(), [&once, again].concat(), "{by} {key:?}");
                assert_eq!(read(&maya, &path).await, before, "{by} {key:?}");
            }
        }
    }

    #[tokio::test]
    async fn is_made_anew_when_it_has_lost_its_own_item() {
        let lost = json!({
            "__type": "com.amazonaws.dynamodb.v20120810#TransactionCanceledException",
            "CancellationReasons": [{ "Code": "ConditionalCheckFailed" }, { "Code": "None" }],
        });
        for by in ["change", "put", "delete"] {
            let faults = Faults::start().await;
            let world = world(&faults).await;
            let maya = world.maya().await;
            let path = new_thing(&maya).await;
            faults.next(2, "TransactWriteItems", Fault::Answer(400, lost.clone()));
            faults.calls();

            let body = json!({ "name": "ada", "by": by });
            post(&maya, &format!("{path}/name"), None, body).await.expect(204);

            let calls = faults.calls();
            assert_eq!(calls, ["GetItem", "TransactWriteItems"].repeat(3), "{by}");
        }
    }
}

mod a_hundred_writes {
    use super::*;

    /// The name is one of them, and so is the record of a request with a key.
    #[tokio::test]
    async fn are_made_together_and_one_more_is_too_large() {
        let faults = Faults::start().await;
        let world = world(&faults).await;
        let maya = world.maya().await;
        for (count, key, fits) in
            [(99, None, true), (100, None, false), (98, Some("98"), true), (99, Some("99"), false)]
        {
            let before = count_things(&maya).await;

            let answer = post(&maya, "/things/batches", key, json!({ "count": count })).await;

            if fits {
                answer.expect(204);
            } else {
                let expected = json!({
                    "type": "urn:landline:problem:content_too_large",
                    "title": "The body is too large",
                    "status": 413,
                    "code": "content_too_large",
                    "detail": "All of it together is more than can be kept.",
                    "requestId": "test",
                });
                assert_eq!(answer.json(), expected, "{count} {key:?}");
            }
            let made = count_things(&maya).await - before;
            assert_eq!(made, if fits { count } else { 0 }, "{count} {key:?}");
        }
    }

    async fn count_things(person: &Client) -> usize {
        let (mut count, mut next) = (0, Some("/things?limit=100".to_owned()));
        while let Some(path) = next.take() {
            let page = read(person, &path).await;
            count += page["items"].as_array().expect("a page has items").len();
            let cursor = page["nextCursor"].as_str();
            next = cursor.map(|cursor| format!("/things?limit=100&cursor={cursor}"));
        }
        count
    }
}
