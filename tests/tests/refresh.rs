use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde_json::json;
use tests::{Client, Setup, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

mod refresh_session {
    use super::*;

    async fn expect_ended(client: &Client, token: &str) {
        let answer = client.exchange(token).await.expect(401);
        let expected = json!({
            "type": "urn:landline:problem:session_revoked",
            "title": "The session has ended",
            "status": 401,
            "code": "session_revoked",
            "detail": "Sign in again.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }

    /// A token of the same session whose last byte, the end of its secret, is another.
    fn forged(token: &str, change: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut bytes = BASE64_URL_SAFE_NO_PAD.decode(token).expect("base64url");
        change(&mut bytes);
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }

    #[tokio::test]
    async fn gives_new_tokens_for_the_same_session() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.advance(DAY);

        let answer = maya.exchange(maya.refresh_token()).await.expect(200).json();

        let expected = json!({
            "account": maya.signed_in["account"],
            "session": {
                "id": maya.signed_in["session"]["id"],
                "deviceName": "Maya's phone",
                "current": true,
                "createdAt": "2026-11-22T16:30:00.000Z",
                "lastUsedAt": "2026-11-23T16:30:00.000Z",
                "expiresAt": "2027-02-21T16:30:00.000Z",
            },
            "tokens": {
                "accessToken": answer["tokens"]["accessToken"],
                "refreshToken": answer["tokens"]["refreshToken"],
                "tokenType": "Bearer",
                "expiresIn": 900,
            },
        });
        assert_eq!(answer, expected);
        assert_ne!(answer["tokens"]["refreshToken"], maya.refresh_token());
        let maya = maya.as_signed_in(answer);
        maya.get("/v1/account").await.expect(200);
        maya.refreshed().await.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn gives_the_same_successor_to_a_phone_that_lost_the_answer() {
        let world = World::new().await;
        let maya = world.maya().await;
        let lost = maya.refreshed().await;
        world.advance(DAY);

        let again = maya.refreshed().await;

        assert_eq!(again.refresh_token(), lost.refresh_token());
        again.get("/v1/account").await.expect(200);
        again.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn ends_the_session_when_an_older_token_comes_back() {
        let world = World::new().await;
        let first = world.maya().await;
        let second = first.refreshed().await;
        let third = second.refreshed().await;

        expect_ended(&first, first.refresh_token()).await;

        for client in [&first, &second, &third] {
            expect_ended(client, client.refresh_token()).await;
        }
        let other = first.sign_in("maya@example.com").await;
        let sessions = other.get("/v1/sessions").await.expect(200).json();
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn is_not_impressed_by_forged_tokens() {
        let world = World::new().await;
        let maya = world.maya().await.refreshed().await.refreshed().await;
        let omar = world.omar().await;
        let token = maya.refresh_token();
        let omars = BASE64_URL_SAFE_NO_PAD.decode(omar.refresh_token()).unwrap();

        for (token, why) in [
            ("nonsense".to_owned(), "not a token"),
            (token[..40].to_owned(), "half a token"),
            (format!("{token}AAAA"), "more than a token"),
            (forged(token, |it| it[67] ^= 1), "real ids and another secret"),
            (forged(token, |it| it[35] ^= 1), "another generation"),
            (forged(token, |it| it[32..36].fill(0)), "the first generation"),
            (forged(token, |it| it[32..36].fill(0xff)), "a generation to come"),
            (forged(token, |it| it[..16].copy_from_slice(&omars[..16])), "another account"),
            (forged(token, |it| it[16..32].copy_from_slice(&omars[16..32])), "another session"),
            (forged(token, |it| it[16] ^= 1), "a session that is none"),
        ] {
            let answer = maya.exchange(&token).await;

            assert_eq!(answer.json()["code"], "session_revoked", "{why}");
        }
        maya.refreshed().await;
        omar.refreshed().await;
    }

    #[tokio::test]
    async fn keeps_one_chain_when_fifty_ask_with_one_token_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answers = join_all((0..50).map(|_| maya.exchange(maya.refresh_token()))).await;

        let all: Vec<_> = answers.into_iter().map(|answer| answer.expect(200).json()).collect();
        let successor = &all[0]["tokens"]["refreshToken"];
        assert!(all.iter().all(|answer| answer["tokens"]["refreshToken"] == *successor));
        let next = maya.as_signed_in(all[0].clone()).refreshed().await;
        next.refreshed().await.get("/v1/account").await.expect(200);
    }

    #[tokio::test]
    async fn ends_with_ninety_idle_days() {
        let world = World::new().await;
        let maya = world.maya().await;

        world.advance(90 * DAY - Duration::from_millis(1));
        let maya = maya.refreshed().await;
        assert_eq!(maya.signed_in["session"]["expiresAt"], "2027-05-21T16:29:59.999Z");
        world.advance(90 * DAY);

        expect_ended(&maya, maya.refresh_token()).await;
    }

    #[tokio::test]
    async fn ends_after_a_year_however_much_it_is_used() {
        let world = World::new().await;
        let mut maya = world.maya().await;

        for _ in 0..4 {
            world.advance(80 * DAY);
            maya = maya.refreshed().await;
        }
        assert_eq!(maya.signed_in["session"]["expiresAt"], "2027-11-22T16:30:00.000Z");
        world.advance(45 * DAY - Duration::from_millis(1));
        maya = maya.refreshed().await;
        world.advance(Duration::from_millis(1));

        expect_ended(&maya, maya.refresh_token()).await;
    }

    #[tokio::test]
    async fn updates_what_the_device_runs_on_where_its_app_says_so() {
        let world = World::new().await;
        let maya = world.maya().await;
        let refresh = |client: &Client| {
            let body = json!({ "refreshToken": client.refresh_token() });
            client.anonymous().post("/v1/sessions/refresh").json(body)
        };

        let said = refresh(&maya).header("x-app-platform", "iOS").await.expect(200).json();
        let maya = maya.as_signed_in(said.clone());
        let silent = refresh(&maya).await.expect(200).json();
        let maya = maya.as_signed_in(silent.clone());

        assert_eq!(said["session"]["platform"], "ios");
        assert_eq!(silent["session"]["platform"], "ios");
        let sessions = maya.get("/v1/sessions").await.expect(200).json();
        assert_eq!(sessions["items"][0]["platform"], "ios");
    }

    #[tokio::test]
    async fn holds_each_rule_at_its_edge() {
        let world = World::new().await;

        for token in ["t".to_owned(), "t".repeat(500)] {
            expect_ended(&world.anonymous(), &token).await;
        }
        for (body, pointer, rule) in [
            (json!({ "refreshToken": "" }), "/refreshToken", "length"),
            (json!({ "refreshToken": "t".repeat(501) }), "/refreshToken", "length"),
            (json!({ "refreshToken": null }), "/refreshToken", "wrong_type"),
            (json!({}), "/refreshToken", "required"),
            (json!({ "refreshToken": "t", "scope": "all" }), "/scope", "unknown_field"),
        ] {
            let answer = world.anonymous().post("/v1/sessions/refresh").json(body.clone()).await;

            let expected = [(pointer.to_owned(), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{body}");
        }
    }
}

/// Sessions of other lengths, and refresh tokens that come back for seconds only.
mod session_rules {
    use auth::SessionRules;

    use super::*;

    fn rules(rules: SessionRules) -> Setup {
        let mut setup = Setup::default();
        setup.auth.sessions = rules;
        setup
    }

    fn strict() -> Setup {
        rules(SessionRules { reuse: Some(Duration::from_secs(30)), ..SessionRules::default() })
    }

    #[tokio::test]
    async fn say_when_a_session_ends() {
        let sessions = SessionRules { idle: 10 * DAY, lifetime: 15 * DAY, reuse: None };
        let world = World::with(rules(sessions)).await;
        let maya = world.maya().await;
        assert_eq!(maya.signed_in["session"]["expiresAt"], "2026-12-02T16:30:00.000Z");

        world.advance(10 * DAY - Duration::from_millis(1));
        let maya = maya.refreshed().await;

        assert_eq!(maya.signed_in["session"]["expiresAt"], "2026-12-07T16:30:00.000Z");
        world.advance(5 * DAY);
        maya.refreshed().await;
        world.advance(Duration::from_millis(1));
        maya.exchange(maya.refresh_token()).await.expect_problem(401, "session_revoked");
    }

    #[tokio::test]
    async fn hold_for_sessions_that_began_under_longer_ones() {
        let world = World::new().await;
        let maya = world.maya().await;
        let shorter = SessionRules { idle: 10 * DAY, lifetime: 15 * DAY, reuse: None };
        let world = world.beside(rules(shorter).auth);
        let maya = maya.at(world.door());

        world.advance(10 * DAY - Duration::from_millis(1));
        let maya = maya.refreshed().await;
        world.advance(5 * DAY + Duration::from_millis(1));

        maya.exchange(maya.refresh_token()).await.expect_problem(401, "session_revoked");
    }

    #[tokio::test]
    async fn let_a_token_come_back_for_so_many_seconds() {
        let world = World::with(strict()).await;
        let maya = world.maya().await;
        let lost = maya.refreshed().await;

        world.advance(Duration::from_millis(30_000 - 1));
        let again = maya.refreshed().await;

        assert_eq!(again.refresh_token(), lost.refresh_token());
        again.refreshed().await;
    }

    #[tokio::test]
    async fn end_the_session_when_a_token_comes_back_later() {
        let world = World::with(strict()).await;
        let maya = world.maya().await;
        let newest = maya.refreshed().await;

        world.advance(Duration::from_secs(30));

        maya.exchange(maya.refresh_token()).await.expect_problem(401, "session_revoked");
        newest.exchange(newest.refresh_token()).await.expect_problem(401, "session_revoked");
    }

    /// Documented: two who hold the same token and take turns look like one who loses answers.
    #[tokio::test]
    async fn bound_two_who_share_a_session_in_lockstep() {
        let world = World::new().await;
        let mut maya = world.maya().await;
        let mut thief = maya.clone();

        for _ in 0..5 {
            world.advance(73 * DAY - Duration::from_millis(1));
            (maya, thief) = (maya.refreshed().await, thief.refreshed().await);
            assert_eq!(maya.refresh_token(), thief.refresh_token());
        }
        world.advance(Duration::from_millis(5));

        for client in [&maya, &thief] {
            let answer = client.exchange(client.refresh_token()).await;
            answer.expect_problem(401, "session_revoked");
        }
    }

    /// The first of the two who refreshes twice leaves the other with a token that is too old.
    #[tokio::test]
    async fn end_it_as_soon_as_one_of_the_two_is_ahead() {
        let world = World::new().await;
        let maya = world.maya().await;
        let thief = maya.refreshed().await.refreshed().await;

        maya.exchange(maya.refresh_token()).await.expect_problem(401, "session_revoked");

        thief.exchange(thief.refresh_token()).await.expect_problem(401, "session_revoked");
    }
}
