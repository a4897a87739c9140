//! How often somebody may try to sign in, to register and to refresh. The defaults are in
//! docs/configuration.md. A world begins where a window of fifteen minutes does.

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Client, Door, Fault, Faults, Log, Request, Setup, World, event};

const PASSWORD: &str = "correct horse battery staple";
const WINDOW: Duration = Duration::from_secs(15 * 60);

fn attempt(client: &Client, email: &str) -> Request {
    let body = json!({ "email": email, "password": "incorrect horse" });
    client.anonymous().post("/v1/sessions").json(body)
}

fn registration(client: &Client, email: &str) -> Request {
    let body = json!({ "email": email, "password": PASSWORD, "displayName": "Somebody" });
    client.anonymous().post("/v1/accounts").json(body)
}

fn refresh(client: &Client, token: &str) -> Request {
    client.anonymous().post("/v1/sessions/refresh").json(json!({ "refreshToken": token }))
}

/// A refused one says how many seconds are left, and nothing of why.
#[track_caller]
fn expect_too_often(answer: &Answer, seconds: &str) {
    let expected = json!({
        "type": "urn:landline:problem:too_many_requests",
        "title": "Too many requests",
        "status": 429,
        "code": "too_many_requests",
        "detail": "Try again later.",
        "requestId": "test",
    });
    assert_eq!(answer.json(), expected);
    assert_eq!(answer.status, 429);
    assert_eq!(answer.header("retry-after"), seconds);
}

/// A world with these limits and the defaults of all others.
async fn world(limits: Value) -> World {
    let mut setup = Setup::default();
    setup.auth.limits = limits.to_string().parse().expect("limits as an app may have them");
    World::with(setup).await
}

mod a_sign_in {
    use super::*;

    #[tokio::test]
    async fn may_be_tried_ten_times_at_an_account_from_a_network() {
        let world = World::new().await;
        let maya = world.maya().await;

        for _ in 0..10 {
            attempt(&maya, "maya@example.com").await.expect_problem(401, "credentials_invalid");
        }

        expect_too_often(&attempt(&maya, "maya@example.com").await, "900");
        let right = json!({ "email": "MAYA@example.com", "password": PASSWORD });
        expect_too_often(&maya.anonymous().post("/v1/sessions").json(right).await, "900");
        attempt(&maya, "omar@example.com").await.expect_problem(401, "credentials_invalid");
    }

    #[tokio::test]
    async fn may_be_tried_again_when_the_window_is_over() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 1 } })).await;
        let maya = world.maya().await;
        maya.sign_in("maya@example.com").await;

        for (passed, left) in [(0, "900"), (1, "900"), (998, "900"), (1, "899"), (898_999, "1")] {
            world.advance(Duration::from_millis(passed));
            expect_too_often(&attempt(&maya, "maya@example.com").await, left);
        }
        world.advance(Duration::from_millis(1));

        maya.sign_in("maya@example.com").await;
        expect_too_often(&attempt(&maya, "maya@example.com").await, "900");
    }

    #[tokio::test]
    async fn is_refused_alike_whether_or_not_there_is_an_account() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 2 } })).await;
        let maya = world.maya().await;

        for _ in 0..4 {
            let known = attempt(&maya, "maya@example.com").await;
            let unknown = attempt(&maya, "nobody@example.com").await;

            assert_eq!(known.likeness(), unknown.likeness());
        }
        expect_too_often(&attempt(&maya, "nobody@example.com").await, "900");
    }

    /// However often somebody tries from one network, the person has all of the account's limit
    /// but what that network's own limit is.
    #[tokio::test]
    async fn from_one_network_keeps_nobody_out_who_is_at_another() {
        let limits = json!({ "perAccountAndNetwork": 2, "perAccount": 5, "perNetwork": 20 });
        let world = world(json!({ "signIn": limits })).await;
        let maya = world.maya().await;
        let attacker = world.anonymous().at_address("203.0.113.66");
        for _ in 0..30 {
            attempt(&attacker, "maya@example.com").await;
        }
        expect_too_often(&attempt(&attacker, "maya@example.com").await, "900");

        for address in ["192.0.2.7", "192.0.2.8", "192.0.2.9"] {
            maya.at_address(address).sign_in("maya@example.com").await;
        }
    }

    /// What remains: with as many networks as the account's limit is greater than a network's share
    /// of it, somebody can keep others from signing in. Who is signed in stays signed in.
    #[tokio::test]
    async fn from_many_networks_is_limited_for_the_account() {
        let limits = json!({ "perAccountAndNetwork": 2, "perAccount": 4 });
        let world = world(json!({ "signIn": limits })).await;
        let maya = world.maya().await;
        for address in ["203.0.113.1", "203.0.113.1", "203.0.113.2", "203.0.113.2"] {
            let answer = attempt(&maya.at_address(address), "maya@example.com").await;
            answer.expect_problem(401, "credentials_invalid");
        }

        expect_too_often(&attempt(&maya, "maya@example.com").await, "900");
        attempt(&maya, "omar@example.com").await.expect_problem(401, "credentials_invalid");
        maya.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn is_limited_for_a_network_whatever_the_accounts() {
        let world = world(json!({ "signIn": { "perNetwork": 4 } })).await;
        let client = world.anonymous();
        for number in 0..4 {
            let answer = attempt(&client, &format!("person{number}@example.com")).await;
            answer.expect_problem(401, "credentials_invalid");
        }

        expect_too_often(&attempt(&client, "person4@example.com").await, "900");

        let elsewhere = client.at_address("192.0.2.8");
        attempt(&elsewhere, "person4@example.com").await.expect_problem(401, "credentials_invalid");
    }

    #[tokio::test]
    async fn counts_a_network_of_ipv6_as_one() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 1 } })).await;
        let at = |address: &str| world.anonymous().at_address(address);
        attempt(&at("2001:db8:1:2::1"), "maya@example.com").await.expect(401);

        let same = attempt(&at("2001:db8:1:2:ffff:ffff:ffff:ffff"), "maya@example.com").await;
        let next = attempt(&at("2001:db8:1:3::1"), "maya@example.com").await;

        expect_too_often(&same, "900");
        next.expect_problem(401, "credentials_invalid");
    }

    #[tokio::test]
    async fn is_not_tried_more_often_by_trying_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answers = (0..50).map(|_| attempt(&maya, "maya@example.com").into_future());
        let answers = join_all(answers).await;

        let (tried, refused): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 401);
        assert_eq!(tried.len(), 10);
        refused.iter().for_each(|answer| expect_too_often(answer, "900"));
    }

    #[tokio::test]
    async fn that_breaks_a_rule_does_not_count() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 1 } })).await;
        let maya = world.maya().await;
        for _ in 0..3 {
            let body = json!({ "email": "maya@example.com", "password": "" });
            maya.anonymous().post("/v1/sessions").json(body).await.expect(422);
        }

        maya.sign_in("maya@example.com").await;
    }

    /// Not one for each attempt: whoever attacks shall not fill the log.
    #[tokio::test]
    async fn beyond_a_limit_is_logged_once_and_without_names() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 1 } })).await;
        let maya = world.maya().await;
        let log = Log::listen();

        for _ in 0..4 {
            attempt(&maya, "maya@example.com").await;
        }

        let lines = log.lines();
        let warnings: Vec<_> = lines.iter().filter(|line| line["level"] == "WARN").collect();
        let fields: Vec<_> = warnings.iter().map(|line| line["fields"].clone()).collect();
        let expected =
            json!({ "message": "a limit is reached", "limit": "SIGN_IN_PER_ACCOUNT_AND_NETWORK" });
        assert_eq!(fields, [expected]);
        for name in ["maya@example.com", "192.0.2.7"] {
            assert!(!log.text().contains(name), "{name} is in the log: {}", log.text());
        }
    }
}

mod a_registration {
    use super::*;

    #[tokio::test]
    async fn may_be_tried_ten_times_at_an_address_from_a_network() {
        let world = World::new().await;
        let client = world.anonymous();

        registration(&client, "maya@example.com").await.expect(201);
        for _ in 0..9 {
            let answer = registration(&client, "Maya@example.com").await;
            answer.expect_problem(409, "email_taken");
        }

        expect_too_often(&registration(&client, "maya@example.com").await, "900");
        registration(&client, "omar@example.com").await.expect(201);
        client.sign_in("maya@example.com").await;
        world.advance(WINDOW);
        registration(&client, "maya@example.com").await.expect_problem(409, "email_taken");
    }

    #[tokio::test]
    async fn is_limited_for_a_network_whatever_the_addresses() {
        let world = world(json!({ "registration": { "perNetwork": 2 } })).await;
        let client = world.anonymous();
        registration(&client, "maya@example.com").await.expect(201);
        registration(&client, "omar@example.com").await.expect(201);

        expect_too_often(&registration(&client, "ines@example.com").await, "900");

        registration(&client.at_address("192.0.2.8"), "ines@example.com").await.expect(201);
    }
}

mod a_refresh {
    use super::*;

    /// The ids of a token and another secret.
    fn forged(token: &str) -> String {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64url");
        *bytes.last_mut().expect("a secret") ^= 1;
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    #[tokio::test]
    async fn may_be_made_a_hundred_times_for_an_account() {
        let world = World::new().await;
        let mut maya = world.maya().await;
        let omar = world.omar().await;
        for number in 0..100 {
            maya = maya.at_address(&format!("198.51.100.{number}")).refreshed().await;
        }

        expect_too_often(&refresh(&maya, maya.refresh_token()).await, "900");

        omar.refreshed().await;
        world.advance(WINDOW);
        maya.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn with_a_token_that_was_made_up_counts_for_the_network_alone() {
        let world = world(json!({ "refresh": { "perAccount": 2, "perNetwork": 20 } })).await;
        let maya = world.maya().await;
        let token = forged(maya.refresh_token());
        let attacker = maya.at_address("203.0.113.66");
        for _ in 0..20 {
            refresh(&attacker, &token).await.expect_problem(401, "session_revoked");
        }

        expect_too_often(&refresh(&attacker, &token).await, "900");

        maya.refreshed().await.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn counts_once_however_it_races() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answers = (0..99).map(|_| refresh(&maya, maya.refresh_token()).into_future());
        let answers = join_all(answers).await;

        let next = maya.as_signed_in(answers[0].json());
        answers.into_iter().for_each(|answer| drop(answer.expect(200)));
        let next = next.refreshed().await;
        expect_too_often(&refresh(&next, next.refresh_token()).await, "900");
    }

    /// A thousand phones behind one carrier's address go on, whoever else is among them.
    #[tokio::test]
    async fn with_a_token_of_ours_goes_on_where_the_network_is_used_up() {
        let world = world(json!({ "refresh": { "perNetwork": 3 } })).await;
        let maya = world.maya().await;
        for _ in 0..3 {
            refresh(&maya, "nonsense").await.expect_problem(401, "session_revoked");
        }

        expect_too_often(&refresh(&maya, "nonsense").await, "900");
        expect_too_often(&refresh(&maya, &forged(maya.refresh_token())).await, "900");

        maya.refreshed().await.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn with_an_old_token_ends_the_session_at_the_limit_too() {
        let world = world(json!({ "refresh": { "perAccount": 2 } })).await;
        let maya = world.maya().await;
        let newest = maya.refreshed().await.refreshed().await;
        expect_too_often(&refresh(&maya, newest.refresh_token()).await, "900");

        refresh(&maya, maya.refresh_token()).await.expect_problem(401, "session_revoked");

        world.advance(WINDOW);
        refresh(&maya, newest.refresh_token()).await.expect_problem(401, "session_revoked");
    }
}

mod the_address {
    use super::*;

    /// A sign-in as every source hands it over, seen from this address. What the client says of
    /// itself is another one each time.
    fn attempts(address: &str, number: u8) -> Vec<(&'static str, Value)> {
        let forged = format!("203.0.113.{number}");
        let appended = format!("{forged}, {address}");
        let mut events = vec![
            ("an HTTP API", event::http_api("POST", "/v1/sessions", "")),
            ("a function URL", event::function_url("POST", "/v1/sessions")),
            ("a REST API", event::rest_api("POST", "/v1/sessions")),
            ("a load balancer", event::load_balancer("POST", "/v1/sessions", false)),
            ("one with multi-value headers", event::load_balancer("POST", "/v1/sessions", true)),
        ];
        for (source, event) in &mut events {
            let context = &mut event["requestContext"];
            let said = match *source {
                "a REST API" => {
                    context["identity"]["sourceIp"] = json!(address);
                    &forged
                }
                "an HTTP API" | "a function URL" => {
                    context["http"]["sourceIp"] = json!(address);
                    &forged
                }
                _ => &appended,
            };
            for (name, value) in [
                ("content-type", "application/json"),
                ("x-forwarded-for", said.as_str()),
                ("x-real-ip", &forged),
                ("forwarded", &format!("for={forged}")),
            ] {
                if event["multiValueHeaders"].is_object() {
                    event["multiValueHeaders"][name] = json!([value]);
                } else {
                    event["headers"][name] = json!(value);
                }
            }
            let body = json!({ "email": "maya@example.com", "password": "incorrect horse" });
            event["body"] = json!(body.to_string());
        }
        events
    }

    #[tokio::test]
    async fn is_what_the_source_saw_and_not_what_the_client_says() {
        for place in 0..5 {
            let world = world(json!({ "signIn": { "perAccountAndNetwork": 2 } })).await;
            let send = async |address, number| {
                let (source, event) = attempts(address, number).swap_remove(place);
                (source, world.deliver(event).await)
            };
            for number in 1..=2 {
                let (source, answer) = send("192.0.2.7", number).await;
                assert_eq!(answer.status, 401, "{source}");
            }

            let (source, third) = send("192.0.2.7", 3).await;
            let (_, elsewhere) = send("192.0.2.8", 1).await;

            assert_eq!(third.status, 429, "{source}");
            assert_eq!(third.header("retry-after"), "900", "{source}");
            assert_eq!(elsewhere.status, 401, "{source}");
        }
    }

    #[tokio::test]
    async fn counts_as_one_where_nobody_says_it() {
        let world = world(json!({ "signIn": { "perAccountAndNetwork": 2 } })).await;
        let client = world.anonymous().at(Door::Router(world.app().router()));
        for number in 0..2 {
            let attempt = attempt(&client, "maya@example.com");
            let attempt = attempt.header("x-forwarded-for", format!("203.0.113.{number}"));
            attempt.await.expect_problem(401, "credentials_invalid");
        }

        expect_too_often(&attempt(&client, "maya@example.com").await, "900");
    }
}

mod a_counter {
    use models::{
        Timestamp,
        store::{Entity, Key, Store},
    };
    use serde::{Deserialize, Serialize};

    use super::*;

    /// Nobody is let through uncounted, and no password is looked at.
    #[tokio::test]
    async fn that_cannot_be_written_lets_nobody_in() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let maya = world.maya().await;
        for passed in 0..3 {
            faults.calls();
            faults.next(passed, "UpdateItem", Fault::None);
            faults.next(1, "UpdateItem", Fault::error(400, "AccessDeniedException", "No."));

            let body = json!({ "email": "maya@example.com", "password": PASSWORD });
            let answer = maya.anonymous().post("/v1/sessions").json(body).await;

            assert_eq!(answer.header("retry-after"), "1");
            answer.expect_problem(503, "unavailable");
            let calls = faults.calls();
            assert!(calls.iter().all(|call| call == "UpdateItem"), "{calls:?}");
        }
        maya.sign_in("maya@example.com").await;
    }

    /// The second attempt of the SDK does not know of the first. It errs on the safe side.
    #[tokio::test]
    async fn whose_answer_is_lost_may_count_twice() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        faults.next(1, "UpdateItem", Fault::LostAnswer);

        refresh(&world.anonymous(), "nonsense").await.expect_problem(401, "session_revoked");

        assert_eq!(faults.calls(), ["UpdateItem", "UpdateItem"]);
        let key = Key::counter("REFRESH_PER_NETWORK", &["192.0.2.7"], world.ambient().now());
        assert_eq!(store.get::<Counter>(key).await.unwrap().unwrap().count, 2);
    }

    /// A counter as it is kept.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Counter {
        kind: String,
        count: u64,
        ttl: i64,
        #[serde(default)]
        version: u64,
    }

    impl Entity for Counter {
        const KIND: &'static str = "COUNTER";

        fn key(&self) -> Key {
            unreachable!("it is read alone")
        }

        fn version_mut(&mut self) -> &mut u64 {
            &mut self.version
        }
    }

    #[tokio::test]
    async fn is_kept_until_the_end_of_its_window() {
        let world = World::new().await;
        let store = Store::connect(world.connection(), world.ambient().clone());
        let begin = world.ambient().now();
        world.advance(Duration::from_secs(60));
        for _ in 0..3 {
            attempt(&world.anonymous(), "Maya@example.com").await.expect(401);
        }

        let end = "2026-11-22T16:45:00.000Z".parse::<Timestamp>().unwrap().unix_seconds();
        let expected = Counter { kind: "COUNTER".to_owned(), count: 3, ttl: end, version: 0 };
        for (kind, by) in [
            ("SIGN_IN_PER_NETWORK", &["192.0.2.7"][..]),
            ("SIGN_IN_PER_ACCOUNT_AND_NETWORK", &["maya@example.com", "192.0.2.7"]),
            ("SIGN_IN_PER_ACCOUNT", &["maya@example.com"]),
        ] {
            let counter = store.get::<Counter>(Key::counter(kind, by, begin)).await.unwrap();

            assert_eq!(counter.as_ref(), Some(&expected), "{kind}");
        }
    }
}

mod the_defaults {
    use auth::Limits;

    use super::*;

    /// The first block of JSON after the heading.
    #[test]
    fn are_what_the_documents_say() {
        let text = include_str!("../../docs/configuration.md");
        let section = text.split("## Limits").nth(1).expect("there is a section");
        let block = section.split("```json").nth(1).and_then(|rest| rest.split("```").next());

        let said: Value = serde_json::from_str(block.expect("there is a block")).unwrap();

        assert_eq!(said, json!(Limits::default()));
    }
}
