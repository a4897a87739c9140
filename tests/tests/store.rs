//! What a client sees when the table does not answer as it should, and what the app asks of it.
//! The SDK waits up to 100 ms before its second attempt and up to 200 before its third.

use models::{
    Id,
    store::{Entity, Error, Key, Owned, Precondition, Store, WriteSet},
};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use tests::{Answer, Client, Fault, Faults, Log, World};

const EMAIL: &str = "maya@example.com";
const TABLE: &str = "arn:aws:dynamodb:us-east-1:123456789012:table/landline";

async fn maya(world: &World, faults: &Faults) -> Client {
    let maya = world.maya().await;
    faults.calls();
    maya
}

/// The calls but for those that count attempts; `the_calls` has those too.
fn calls(faults: &Faults) -> Vec<String> {
    faults.calls().into_iter().filter(|call| call != "UpdateItem").collect()
}

async fn sign_in(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    world.anonymous().post("/v1/sessions").json(body).await
}

async fn sign_maya_in(world: &World) -> Answer {
    sign_in(world, EMAIL, "correct horse battery staple").await
}

async fn sessions(maya: &Client) -> usize {
    let page = maya.get("/v1/sessions").await.expect(200).json();
    page["items"].as_array().expect("a page has items").len()
}

/// A transaction whose writes ended for these reasons.
fn cancelled(reasons: &[&str]) -> Fault {
    let mut fault = Fault::error(400, "TransactionCanceledException", "Transaction cancelled");
    if let Fault::Answer(_, body) = &mut fault {
        body["CancellationReasons"] = reasons.iter().map(|code| json!({ "Code": code })).collect();
    }
    fault
}

mod an_answer_that_is_lost {
    use super::*;

    #[tokio::test]
    async fn does_not_make_a_thing_twice() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        faults.next(1, "PutItem", Fault::LostAnswer);

        sign_maya_in(&world).await.expect(201);

        assert_eq!(calls(&faults), ["GetItem", "GetItem", "PutItem", "PutItem"]);
        assert_eq!(sessions(&maya).await, 2);
    }

    #[tokio::test]
    async fn does_not_count_a_change_twice() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        faults.next(1, "PutItem", Fault::LostAnswer);

        let body = json!({ "displayName": "Maya Lindqvist" });
        let account = maya.patch("/v1/account").json(body).await.expect(200).json();

        assert_eq!(faults.calls(), ["GetItem", "PutItem", "PutItem"]);
        let mut expected = maya.signed_in["account"].clone();
        expected["displayName"] = json!("Maya Lindqvist");
        expected["version"] = json!(2);
        assert_eq!(account, expected);
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), expected);
    }

    #[tokio::test]
    async fn does_not_make_a_deleted_thing_one_that_never_was() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        let tablet = sign_maya_in(&world).await.expect(201).header("location").to_owned();
        faults.calls();
        faults.next(1, "PutItem", Fault::LostAnswer);

        maya.delete(&tablet).await.expect(204);

        assert_eq!(calls(&faults), ["GetItem", "PutItem", "PutItem"]);
        assert_eq!(sessions(&maya).await, 1);
        maya.delete(&tablet).await.expect_problem(404, "not_found");
    }

    #[tokio::test]
    async fn does_not_keep_a_person_from_registering() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        faults.next(1, "TransactWriteItems", Fault::LostAnswer);

        let maya = world.maya().await;

        assert_eq!(calls(&faults), ["TransactWriteItems", "TransactWriteItems"]);
        let account = maya.get("/v1/account").await.expect(200).json();
        assert_eq!(account, maya.signed_in["account"]);
        assert_eq!(sessions(&maya).await, 1);
    }

    #[tokio::test]
    async fn does_not_break_the_chain_of_refresh_tokens() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        faults.next(1, "PutItem", Fault::LostAnswer);

        let next = maya.refreshed().await;

        assert_eq!(calls(&faults), ["GetItem", "GetItem", "PutItem", "PutItem"]);
        let again = maya.refreshed().await;
        assert_eq!(again.refresh_token(), next.refresh_token());
        next.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn of_a_read_is_asked_for_again() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        for fault in [Fault::LostAnswer, Fault::BrokenAnswer] {
            faults.next(1, "GetItem", fault);

            let account = maya.get("/v1/account").await.expect(200).json();

            assert_eq!(account, maya.signed_in["account"]);
            assert_eq!(faults.calls(), ["GetItem", "GetItem"]);
        }
    }
}

/// A call's limits in time differ with what is left of its request, and what it goes over does not.
#[tokio::test]
async fn calls_of_one_process_go_over_one_connection() {
    let faults = Faults::start().await;
    let world = World::behind(&faults).await;
    let maya = maya(&world, &faults).await;
    let before = faults.connections();

    for _ in 0..10 {
        maya.get("/v1/account").await.expect(200);
        maya.patch("/v1/account").json(json!({})).await.expect(200);
    }

    assert_eq!(faults.calls().len(), 30);
    assert!(faults.connections() - before <= 1, "{}", faults.connections());
}

mod a_write_that_meets_a_transaction {
    use super::*;

    #[tokio::test]
    async fn is_made_again() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        let conflict = Fault::error(400, "TransactionConflictException", "Transaction is ongoing");
        faults.next(2, "PutItem", conflict);

        sign_maya_in(&world).await.expect(201);

        assert_eq!(calls(&faults), ["GetItem", "GetItem", "PutItem", "PutItem", "PutItem"]);
        assert_eq!(sessions(&maya).await, 2);
    }

    #[tokio::test]
    async fn is_made_again_with_the_writes_beside_it() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let conflict = cancelled(&["None", "TransactionConflict", "None"]);
        faults.next(2, "TransactWriteItems", conflict);

        let maya = world.maya().await;

        assert_eq!(calls(&faults), ["TransactWriteItems"; 3]);
        assert_eq!(sessions(&maya).await, 1);
    }

    #[tokio::test]
    async fn is_given_up_after_a_while() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        let conflict = Fault::error(400, "TransactionConflictException", "Transaction is ongoing");
        faults.next(100, "PutItem", conflict);

        sign_maya_in(&world).await.expect_problem(503, "unavailable");

        let puts = faults.calls().iter().filter(|call| *call == "PutItem").count();
        assert_eq!(puts, 9);
        assert_eq!(sessions(&maya).await, 1);
    }
}

mod a_table_that_is_busy {
    use super::*;

    const ERRORS: [(u16, &str); 4] = [
        (400, "ThrottlingException"),
        (400, "ProvisionedThroughputExceededException"),
        (400, "RequestLimitExceeded"),
        (500, "InternalServerError"),
    ];

    #[tokio::test]
    async fn is_asked_again() {
        for (status, name) in ERRORS {
            let faults = Faults::start().await;
            let world = World::behind(&faults).await;
            let maya = maya(&world, &faults).await;
            faults.next(1, "GetItem", Fault::error(status, name, "Slow down."));

            let account = maya.get("/v1/account").await.expect(200).json();

            assert_eq!(account, maya.signed_in["account"], "{name}");
            assert_eq!(faults.calls(), ["GetItem", "GetItem"], "{name}");
        }
    }

    /// Side by side, for the SDK waits in between.
    #[tokio::test]
    async fn is_unavailable_when_it_stays_so() {
        let outcomes = ERRORS.map(|(status, name)| async move {
            let faults = Faults::start().await;
            let world = World::behind(&faults).await;
            let maya = maya(&world, &faults).await;
            faults.next(3, "GetItem", Fault::error(status, name, TABLE));
            (name, maya.get("/v1/account").await, faults.calls())
        });

        for (name, answer, calls) in futures_util::future::join_all(outcomes).await {
            expect_unavailable(&answer, name);
            assert_eq!(calls, ["GetItem"; 3], "{name}");
        }
    }

    const REASONS: [&str; 2] = ["ThrottlingError", "ProvisionedThroughputExceeded"];

    #[tokio::test]
    async fn is_asked_again_by_transactions_too() {
        for reason in REASONS {
            let faults = Faults::start().await;
            let world = World::behind(&faults).await;
            faults.next(2, "TransactWriteItems", cancelled(&["None", reason, "None"]));

            let maya = world.maya().await;

            assert_eq!(calls(&faults), ["TransactWriteItems"; 3], "{reason}");
            assert_eq!(sessions(&maya).await, 1, "{reason}");
        }
    }

    #[tokio::test]
    async fn is_unavailable_to_transactions_when_it_stays_so() {
        let body = json!({ "email": EMAIL, "password": "8 letters", "displayName": "Maya" });
        let outcomes = REASONS.map(async |reason| {
            let faults = Faults::start().await;
            let world = World::behind(&faults).await;
            faults.next(9, "TransactWriteItems", cancelled(&["None", reason, "None"]));
            let register = || world.anonymous().post("/v1/accounts").json(body.clone());

            let answer = register().await;
            let asked = calls(&faults);

            register().await.expect(201);
            (reason, answer, asked)
        });

        for (reason, answer, asked) in futures_util::future::join_all(outcomes).await {
            expect_unavailable(&answer, reason);
            assert_eq!(asked, ["TransactWriteItems"; 9], "{reason}");
        }
    }
}

mod a_table_that_refuses {
    use super::*;

    #[tokio::test]
    async fn is_unavailable_and_is_not_named() {
        let denied = format!(
            "User: arn:aws:sts::123456789012:assumed-role/landline/landline is not authorized to \
             perform: dynamodb:PutItem on resource: {TABLE} because no identity-based policy \
             allows the dynamodb:PutItem action"
        );
        let missing = "Requested resource not found: Table: landline not found";
        for (name, message) in [
            ("AccessDeniedException", denied.as_str()),
            ("ResourceNotFoundException", missing),
            ("UnrecognizedClientException", "The security token included is invalid: landline"),
            ("SomethingNewException", TABLE),
        ] {
            for operation in ["GetItem", "PutItem", "Query", "TransactWriteItems"] {
                let faults = Faults::start().await;
                let world = World::behind(&faults).await;
                let maya = maya(&world, &faults).await;
                faults.next(1, operation, Fault::error(400, name, message));

                let answer = match operation {
                    "GetItem" => maya.get("/v1/account").await,
                    "PutItem" => maya.patch("/v1/account").json(json!({})).await,
                    "Query" => maya.get("/v1/sessions").await,
                    _ => maya.delete("/v1/sessions/others").await,
                };

                expect_unavailable(&answer, name);
                let asked = faults.calls().iter().filter(|call| *call == operation).count();
                assert_eq!(asked, 1, "{operation}: {name} is not a matter of time");
            }
        }
    }
}

mod a_request_that_the_table_does_not_understand {
    use super::*;

    #[tokio::test]
    async fn is_our_own_mistake_and_says_nothing() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        faults.next(1, "GetItem", Fault::error(400, "ValidationException", TABLE));

        let answer = maya.get("/v1/account").await.expect_problem(500, "internal_error");

        assert_eq!(faults.calls(), ["GetItem"]);
        assert!(!answer.mentions("arn:") && !answer.mentions("table"), "{answer:?}");
    }

    #[tokio::test]
    async fn is_our_own_mistake_in_a_transaction_too() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        faults.next(1, "TransactWriteItems", cancelled(&["None", "ValidationError", "None"]));

        let body = json!({ "email": EMAIL, "password": "8 letters", "displayName": "Maya" });
        let answer = world.anonymous().post("/v1/accounts").json(body).await;

        answer.expect_problem(500, "internal_error");
        assert_eq!(calls(&faults), ["TransactWriteItems"]);
    }
}

/// Whole, and so without the table's name or whatever else the table said.
fn expect_unavailable(answer: &Answer, why: &str) {
    let expected = json!({
        "type": "urn:landline:problem:unavailable",
        "title": "The service is not available",
        "status": 503,
        "code": "unavailable",
        "detail": "Try again in a moment.",
        "requestId": "test",
    });
    assert_eq!(answer.json(), expected, "{why}");
    assert_eq!(answer.status, 503, "{why}");
    assert_eq!(answer.header("retry-after"), "1", "{why}");
    assert!(!answer.mentions("arn:") && !answer.mentions("table"), "{why}: {answer:?}");
}

mod an_answer_that_is_cut {
    use models::platform::account::Accounts;

    use super::*;

    /// Broken off, it is asked for again each time; short, it is not what it should be at once.
    #[tokio::test]
    async fn is_unavailable_and_its_content_is_not_logged() {
        for (reads_before, fault, times) in
            [(0, Fault::ShortAnswer, 1), (1, Fault::ShortAnswer, 1), (1, Fault::BrokenAnswer, 3)]
        {
            let faults = Faults::start().await;
            let world = World::behind(&faults).await;
            world.maya().await;
            let secrets = secrets(&world).await;
            faults.calls();
            faults.next(reads_before, "GetItem", Fault::None);
            faults.next(times, "GetItem", fault.clone());
            let log = Log::listen();

            let answer = sign_maya_in(&world).await;

            expect_unavailable(&answer, "cut");
            assert_eq!(calls(&faults).len(), reads_before + times, "{fault:?}");
            let log = log.text();
            assert!(log.contains("the table did not answer"), "{log}");
            for secret in &secrets {
                assert!(!log.contains(secret), "{secret} is in the log: {log}");
            }
        }
    }

    #[tokio::test]
    async fn of_a_session_is_not_logged_either() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        faults.next(1, "GetItem", Fault::ShortAnswer);
        let session = session(&world, &maya).await;
        let log = Log::listen();

        let body = json!({ "refreshToken": maya.refresh_token() });
        let answer = maya.post("/v1/sessions/refresh").json(body).await;

        expect_unavailable(&answer, "cut");
        let log = log.text();
        for secret in [&session.salt, &session.secret_hash, maya.refresh_token(), "Maya's phone"] {
            assert!(!log.contains(secret), "{secret} is in the log: {log}");
        }
    }

    /// The address, and the hash and the salt out of `$argon2id$v=19$m=..,t=..,p=..$salt$hash`.
    async fn secrets(world: &World) -> Vec<String> {
        let accounts = Accounts::new(directly(world));
        let account = accounts.find_by_email(EMAIL).await.expect("the store answers");
        let account = account.expect("Maya has registered");
        let hash = account.password_hash;
        let parts = hash.split('$').skip(4).map(str::to_owned);
        let secrets: Vec<_> = parts.chain([EMAIL.to_owned(), "Maya".to_owned()]).collect();
        assert_eq!(secrets.len(), 4, "{hash}");
        secrets
    }

    #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
    async fn session(world: &World, maya: &Client) -> models::platform::session::Session {
        let sessions = Owned::new(directly(world), id(&maya.signed_in["account"]["id"]));
        let session = sessions.get(id(&maya.signed_in["session"]["id"])).await;
        session.expect("the store answers").expect("Maya is signed in")
    }
}

/// The store, past any faults.
fn directly(world: &World) -> Store {
    Store::connect(world.connection(), world.ambient().clone())
}

fn id(told: &Value) -> Id {
    told.as_str().and_then(|id| id.parse().ok()).expect("an id")
}

mod the_calls {
    use super::*;

    #[tokio::test]
    async fn of_each_operation_are_as_few_as_can_be() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = maya(&world, &faults).await;
        let tablet = sign_maya_in(&world).await.expect(201).header("location").to_owned();
        faults.calls();
        let refresh = json!({ "refreshToken": maya.refresh_token() });
        let register =
            json!({ "email": "omar@example.com", "password": "8 letters", "displayName": "Omar" });
        let sign_in = json!({ "email": "omar@example.com", "password": "8 letters" });
        let password = json!({
            "currentPassword": "correct horse battery staple",
            "newPassword": "incorrect zebra charger",
        });
        let ending_others = &["GetItem", "GetItem", "TransactWriteItems"][..];

        for (request, calls) in [
            (maya.get("/health"), &[][..]),
            (maya.get("/.well-known/jwks.json"), &[]),
            (maya.with_token("nonsense").get("/v1/account"), &[]),
            (maya.get("/v1/account"), &["GetItem"]),
            (maya.patch("/v1/account").json(json!({})), &["GetItem", "PutItem"]),
            (maya.get("/v1/sessions"), &["GetItem", "Query"]),
            (maya.get("/v1/sessions?limit=1"), &["GetItem", "Query"]),
            (
                maya.post("/v1/sessions/refresh").json(refresh.clone()),
                &["UpdateItem", "GetItem", "GetItem", "UpdateItem", "PutItem"],
            ),
            (maya.delete(&tablet), &["GetItem", "PutItem"]),
            (maya.delete("/v1/sessions/others"), ending_others),
            (
                maya.put("/v1/account/password").json(password),
                &[
                    "UpdateItem",
                    "UpdateItem",
                    "UpdateItem",
                    "GetItem",
                    "GetItem",
                    "TransactWriteItems",
                ],
            ),
            (maya.delete("/v1/sessions/current"), &["GetItem", "PutItem"]),
            (maya.delete("/v1/sessions/current"), &["GetItem"]),
            (
                maya.post("/v1/sessions/refresh").json(refresh),
                &["UpdateItem", "GetItem", "GetItem"],
            ),
            (
                maya.post("/v1/accounts").json(register),
                &["UpdateItem", "UpdateItem", "UpdateItem", "TransactWriteItems"],
            ),
            (
                maya.post("/v1/sessions").json(sign_in),
                &["UpdateItem", "UpdateItem", "UpdateItem", "GetItem", "GetItem", "PutItem"],
            ),
        ] {
            let named = request.to_string();

            request.await;

            assert_eq!(faults.calls(), calls, "{named}");
        }
    }

    /// How many reads there are would tell by the time that they take.
    #[tokio::test]
    async fn of_a_sign_in_do_not_tell_whether_there_is_an_account() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        maya(&world, &faults).await;

        for email in [EMAIL, "nobody@example.com"] {
            sign_in(&world, email, "incorrect horse")
                .await
                .expect_problem(401, "credentials_invalid");

            let expected = ["UpdateItem", "UpdateItem", "UpdateItem", "GetItem", "GetItem"];
            assert_eq!(faults.calls(), expected, "{email}");
        }
    }
}

/// Something that somebody owns, with whatever else stands in its item.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing<More> {
    id: Id,
    owner: Id,
    text: String,
    version: u64,
    #[serde(flatten)]
    more: More,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Plain {}

impl<More: Serialize + for<'de> Deserialize<'de> + Send + Sync> Entity for Thing<More> {
    const KIND: &'static str = "THING";

    fn key(&self) -> Key {
        Key::owned::<Self>(self.owner, self.id)
    }

    fn version_mut(&mut self) -> &mut u64 {
        &mut self.version
    }
}

/// What has happened is told or unknown, but never done twice, and never told as refused.
mod a_lost_answer_before_another_write {
    use tests::Hold;

    use super::*;

    #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
    fn things(store: Store, owner: Id) -> Owned<Thing<Plain>> {
        Owned::new(store, owner)
    }

    struct Two {
        faults: Faults,
        world: World,
        behind: Owned<Thing<Plain>>,
        beside: Owned<Thing<Plain>>,
        thing: Thing<Plain>,
    }

    /// Two processes of one person, of whom one is behind the faults.
    async fn two() -> Two {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let store = Store::connect(faults.before(world.connection()), world.ambient().clone());
        let (id, owner) = (world.ambient().new_id(), world.ambient().new_id());
        let (behind, beside) = (things(store, owner), things(directly(&world), owner));
        let mut thing = Thing { id, owner, text: String::new(), version: 1, more: Plain {} };
        beside.keep(&mut thing).await.expect("it is new");
        Two { faults, world, behind, beside, thing }
    }

    async fn change(things: &Owned<Thing<Plain>>, id: Id) -> Result<String, Error> {
        let changed = things.change(id, &Precondition::None, |thing| thing.text.push('x')).await?;
        Ok(changed.expect("it is there").text)
    }

    #[tokio::test]
    async fn leaves_open_whether_a_change_was_made() {
        let Two { faults, world: _world, behind, beside, thing } = two().await;
        let hold = Hold::default();
        faults.next(1, "PutItem", Fault::LostAnswer);
        faults.next(1, "PutItem", Fault::Held(hold.clone()));

        let between = async {
            hold.reached().await;
            let changed = change(&beside, thing.id).await;
            hold.release();
            changed
        };
        let (changed, between) = futures_util::join!(change(&behind, thing.id), between);

        assert!(matches!(changed, Err(Error::Unavailable(_))), "{changed:?}");
        assert_eq!(between.unwrap(), "xx");
        assert_eq!(beside.get(thing.id).await.unwrap().unwrap().text, "xx");
    }

    /// The SDK's second attempt meets another transaction, and the third is the store's own.
    #[tokio::test]
    async fn does_not_make_a_transaction_one_that_was_refused() {
        let Two { faults, world, beside, thing, .. } = two().await;
        let store = Store::connect(faults.before(world.connection()), world.ambient().clone());
        faults.next(1, "TransactWriteItems", Fault::LostAnswer);
        faults.next(1, "TransactWriteItems", cancelled(&["TransactionConflict", "None"]));
        faults.calls();

        let mut changed = Thing { text: "changed".to_owned(), ..thing.clone() };
        let mut other = Thing { id: world.ambient().new_id(), ..thing.clone() };
        let writes = WriteSet::new().replace(&mut changed).create(&mut other);
        store.write(writes).await.unwrap();

        assert_eq!(faults.calls(), ["TransactWriteItems"; 3]);
        assert_eq!(beside.get(thing.id).await.unwrap(), Some(changed));
    }
}

mod a_thing_of_somebody_else {
    use super::*;

    struct People {
        faults: Faults,
        world: World,
        maya: Owned<Thing<Plain>>,
        omar: Owned<Thing<Plain>>,
    }

    #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
    async fn people() -> People {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let store = Store::connect(faults.before(world.connection()), world.ambient().clone());
        let maya = Owned::new(store.clone(), world.ambient().new_id());
        let omar = Owned::new(store, world.ambient().new_id());
        People { faults, world, maya, omar }
    }

    fn thing(of: &Owned<Thing<Plain>>) -> Thing<Plain> {
        let (id, owner) = (of.ambient().new_id(), of.owner());
        Thing { id, owner, text: "as it was".to_owned(), version: 1, more: Plain {} }
    }

    #[track_caller]
    fn expect_refused<T: std::fmt::Debug>(written: Result<T, Error>) {
        let refused = matches!(written, Err(Error::ForeignOwner { kind: "THING" }));
        assert!(refused, "{written:?}");
    }

    #[tokio::test]
    async fn is_not_kept() {
        let People { faults, world: _world, maya, omar } = people().await;
        let mut thing = thing(&omar);

        let written = maya.keep(&mut thing).await;

        expect_refused(written);
        assert_eq!(faults.calls(), [""; 0]);
        assert_eq!(maya.get(thing.id).await.unwrap(), None);
        assert_eq!(omar.get(thing.id).await.unwrap(), None);
    }

    #[tokio::test]
    async fn is_not_replaced() {
        let People { faults, world: _world, maya, omar } = people().await;
        let mut thing = thing(&omar);
        omar.keep(&mut thing).await.unwrap();
        faults.calls();

        let mut changed = Thing { text: "changed".to_owned(), ..thing.clone() };
        let written = maya.replace(&mut changed).await;

        expect_refused(written);
        assert_eq!(faults.calls(), [""; 0]);
        assert_eq!(omar.get(thing.id).await.unwrap(), Some(thing));
    }

    #[tokio::test]
    async fn is_not_what_ones_own_becomes_by_a_change() {
        let People { faults, world: _world, maya, omar } = people().await;
        let mut omars = thing(&omar);
        let mut mayas = Thing { owner: maya.owner(), ..omars.clone() };
        omar.keep(&mut omars).await.unwrap();
        maya.keep(&mut mayas).await.unwrap();
        faults.calls();

        let owner =
            maya.change(mayas.id, &Precondition::None, |thing| thing.owner = omar.owner()).await;
        let other = maya.ambient().new_id();
        let id = maya.change(mayas.id, &Precondition::None, |thing| thing.id = other).await;

        expect_refused(owner);
        expect_refused(id);
        assert_eq!(faults.calls(), ["GetItem", "GetItem"]);
        assert_eq!(omar.get(omars.id).await.unwrap(), Some(omars));
        assert_eq!(maya.get(mayas.id).await.unwrap(), Some(mayas));
    }
}

mod a_field_that_is_named_like_the_stores_own {
    use super::*;

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Kind {
        kind: String,
    }

    #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
    struct Ttl {
        ttl: u64,
    }

    #[expect(clippy::disallowed_methods, reason = "there is no handler that could name it")]
    async fn keep<More>(more: More)
    where
        More: Serialize + for<'de> Deserialize<'de> + Send + Sync,
    {
        let world = World::new().await;
        let (id, owner) = (world.ambient().new_id(), world.ambient().new_id());
        let mut thing = Thing { id, owner, text: String::new(), version: 1, more };
        drop(Owned::new(directly(&world), owner).keep(&mut thing).await);
    }

    #[tokio::test]
    #[should_panic(expected = "THING: `kind` is the store's own name")]
    async fn is_found_at_the_first_write_of_a_kind() {
        keep(Kind { kind: "c4n4ry".to_owned() }).await;
    }

    #[tokio::test]
    #[should_panic(expected = "THING: `ttl` is the store's own name")]
    async fn is_found_at_the_first_write_of_a_ttl() {
        keep(Ttl { ttl: 7 }).await;
    }
}
