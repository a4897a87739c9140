//! Passwords: which may be set, that they are kept to the byte, and what is done about stored
//! hashes that are not as ours are.

use models::{
    platform::account::{Account, Accounts},
    store::{Owned, Store},
};
use serde_json::json;
use tests::{Answer, Fault, Faults, Log, World};

const EMAIL: &str = "maya@example.com";
const PASSWORD: &str = "correct horse battery staple";

/// Of [`PASSWORD`], with the least effort that there is.
const WEAK: &str = "$argon2id$v=19$m=8,t=1,p=1$c2l4dGVlbiBieXRlcyAuLg$\
                    sse4606W5AvQP6DEB/wd563W4gqj+L09PI7gqKgtSq4";

async fn register(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password, "displayName": "Maya" });
    world.anonymous().post("/v1/accounts").json(body).await
}

async fn sign_in(world: &World, email: &str, password: &str) -> Answer {
    let body = json!({ "email": email, "password": password });
    world.anonymous().post("/v1/sessions").json(body).await
}

/// The account as it is kept, read past any faults.
async fn account(world: &World) -> Account {
    let store = Store::connect(world.connection(), world.ambient().clone());
    let account = Accounts::new(store).find_by_email(EMAIL).await;
    account.expect("the store answers").expect("Maya has registered")
}

/// Put another hash in the place of Maya's.
#[expect(clippy::disallowed_methods, reason = "there is no handler that could do it")]
async fn keep_hash(world: &World, hash: &str) {
    let store = Store::connect(world.connection(), world.ambient().clone());
    let mut account = Account { password_hash: hash.to_owned(), ..account(world).await };
    let kept = Owned::new(store, account.id).replace(&mut account).await;
    kept.expect("nobody else writes");
}

mod a_new_password {
    use super::*;

    #[tokio::test]
    async fn is_not_one_of_the_commonest() {
        let world = World::new().await;

        for password in ["password", "12345678", "QwertyUiop", "iloveyou", "aaaaaaaa"] {
            let answer = register(&world, EMAIL, password).await.expect(422).json();

            let expected = json!([{
                "pointer": "/password",
                "code": "common",
                "message": "must not be one of the commonest passwords",
                "limits": {},
            }]);
            assert_eq!(answer["errors"], expected, "{password}");
        }
        for (number, password) in ["password?!", " password", "passwörd"].iter().enumerate() {
            register(&world, &format!("maya{number}@example.com"), password).await.expect(201);
        }
    }

    /// The list grows, and what was set before goes on to open the door.
    #[tokio::test]
    async fn is_held_to_it_and_one_at_sign_in_is_not() {
        let world = World::new().await;

        sign_in(&world, EMAIL, "password").await.expect_problem(401, "credentials_invalid");
    }

    #[tokio::test]
    async fn is_kept_to_the_byte() {
        let world = World::new().await;
        let password = "  Caf\u{e9} au lait\t";
        register(&world, EMAIL, password).await.expect(201);

        for (other, why) in [
            ("Caf\u{e9} au lait", "trimmed"),
            ("  Caf\u{e9} au lait", "trimmed at its end"),
            ("  Cafe\u{301} au lait\t", "the same to the eye, decomposed"),
            ("  caf\u{e9} au lait\t", "in another case"),
            ("  Caf\u{e9}  au lait\t", "with two spaces"),
            ("  Caf\u{e9}\u{a0}au lait\t", "with another space"),
        ] {
            assert_eq!(sign_in(&world, EMAIL, other).await.status, 401, "{why}");
        }
        sign_in(&world, EMAIL, password).await.expect(201);
    }

    #[tokio::test]
    async fn that_is_too_long_is_refused_before_anything_is_done() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        let long = "p".repeat(1025);

        register(&world, EMAIL, &long).await.expect(422);
        sign_in(&world, EMAIL, &long).await.expect(422);

        assert_eq!(faults.calls(), [""; 0]);
    }
}

mod a_hash_of_less_effort {
    use super::*;

    #[tokio::test]
    async fn is_replaced_when_the_person_signs_in() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        world.maya().await;
        keep_hash(&world, WEAK).await;
        let before = account(&world).await;

        sign_in(&world, EMAIL, "incorrect horse").await.expect_problem(401, "credentials_invalid");
        assert_eq!(account(&world).await.password_hash, WEAK);
        let answer = sign_in(&world, EMAIL, PASSWORD).await.expect(201).json();

        let after = account(&world).await;
        assert!(after.password_hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert_eq!(after.version, before.version + 1);
        assert_eq!(answer["account"]["version"], after.version);
        assert_eq!(after.updated_at, before.updated_at);
        faults.calls();
        sign_in(&world, EMAIL, PASSWORD).await.expect(201);
        let puts = faults.calls().iter().filter(|call| *call == "PutItem").count();
        assert_eq!(puts, 1, "the session and no account");
        assert_eq!(account(&world).await.password_hash, after.password_hash);
    }

    /// As when the password is changed on another device at the same moment.
    #[tokio::test]
    async fn stays_when_the_account_changes_meanwhile() {
        let faults = Faults::start().await;
        let world = World::behind(&faults).await;
        world.maya().await;
        keep_hash(&world, WEAK).await;
        let lost = Fault::error(400, "ConditionalCheckFailedException", "The condition failed.");
        faults.next(1, "PutItem", lost);

        let answer = sign_in(&world, EMAIL, PASSWORD).await.expect(201).json();

        let account = account(&world).await;
        assert_eq!(account.password_hash, WEAK);
        assert_eq!(answer["account"]["version"], account.version);
        let page = world.anonymous().as_signed_in(answer).get("/v1/sessions").await.expect(200);
        assert_eq!(page.json()["items"].as_array().unwrap().len(), 2);
    }
}

mod a_hash_that_is_broken {
    use super::*;

    /// Whoever asks is told what an unknown address is told: another answer would say that there
    /// is an account. Whoever runs the app is told by an alert.
    #[tokio::test]
    async fn is_an_alert_and_to_the_client_a_wrong_password() {
        let world = World::new().await;
        let maya = world.maya().await;
        let id = maya.signed_in["account"]["id"].as_str().unwrap();
        let unknown = sign_in(&world, "nobody@example.com", PASSWORD).await.expect(401);
        for hash in [
            "",
            PASSWORD,
            "$argon2id$v=19$m=4294967295,t=2,p=1$c2l4dGVlbiBieXRlcyAuLg$c2l4dGVlbiBieXRlcyAuLg",
            "$argon2id$v=19$m=19456,t=4294967295,p=1$c2l4dGVlbiBieXRlcyAuLg$c2l4dGVlbiBieXRlcyAuLg",
            "$2b$12$R9h/cIPz0gi.URNNX3kh2OPST9/PgBkqquzi.Ss7KIUgO2t0jWMUW",
        ] {
            keep_hash(&world, hash).await;
            let log = Log::listen();

            let answer = sign_in(&world, EMAIL, PASSWORD).await;

            assert_eq!(answer.likeness(), unknown.likeness(), "{hash}");
            let lines = log.lines();
            let alerts: Vec<_> = lines.iter().filter(|line| line["level"] == "ERROR").collect();
            assert_eq!(alerts.len(), 1, "{hash}: {lines:?}");
            assert_eq!(alerts[0]["fields"]["account"], id, "{hash}");
            assert!(hash.is_empty() || !log.text().contains(hash), "{}", log.text());
            assert!(!log.text().contains("c2l4dGVlbiBieXRlcyAuLg"), "{}", log.text());
            assert_eq!(account(&world).await.password_hash, hash);
        }
    }
}

mod a_crowd_at_the_door {
    use axum::response::IntoResponse;

    use super::*;

    /// Who is refused when is a test of `auth`; this is what they are told.
    #[tokio::test]
    async fn is_asked_to_come_back_in_a_second() {
        let refused = api::http::Problem::from(auth::Error::Busy).into_response();

        assert_eq!(refused.status(), 503);
        assert_eq!(refused.headers()["retry-after"], "1");
    }

    #[tokio::test]
    async fn is_served_or_refused_and_nobody_is_let_in_by_mistake() {
        let world = World::new().await;
        let everybody = (0..100).map(|number| {
            let world = &world;
            async move { sign_in(world, &format!("person{number}@example.com"), PASSWORD).await }
        });

        for answer in futures_util::future::join_all(everybody).await {
            match answer.status.as_u16() {
                401 => drop(answer.expect_problem(401, "credentials_invalid")),
                _ => {
                    assert_eq!(answer.header("retry-after"), "1");
                    answer.expect_problem(503, "unavailable");
                }
            }
        }
        world.maya().await;
    }
}
