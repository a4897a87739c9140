use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::{Answer, Client, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

async fn refresh(client: &Client, token: &str) -> Answer {
    let body = json!({ "refreshToken": token });
    client.anonymous().post("/v1/sessions/refresh").json(body).await
}

mod create_session {
    use super::*;

    #[tokio::test]
    async fn signs_a_device_in() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.advance(DAY);

        let body = json!({
            "email": "MAYA@example.com",
            "password": "correct horse battery staple",
            "deviceName": "Maya's tablet",
        });
        let answer = world.anonymous().post("/v1/sessions").json(body).await.expect(201);

        let location = answer.header("location").to_owned();
        let answer = answer.json();
        let expected = json!({
            "account": maya.signed_in["account"],
            "session": {
                "id": answer["session"]["id"],
                "deviceName": "Maya's tablet",
                "current": true,
                "createdAt": "2026-11-23T16:30:00.000Z",
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
        assert_ne!(answer["session"]["id"], maya.signed_in["session"]["id"]);
        let id = answer["session"]["id"].as_str().unwrap();
        assert_eq!(location, format!("/v1/sessions/{id}"));
    }

    #[tokio::test]
    async fn answers_a_wrong_password_and_an_unknown_address_alike() {
        let world = World::new().await;
        world.maya().await;
        let expected = json!({
            "type": "urn:landline:problem:credentials_invalid",
            "title": "Address and password do not match",
            "status": 401,
            "code": "credentials_invalid",
            "detail": "Check the address and the password.",
            "requestId": "test",
        });

        for (email, password, why) in [
            ("maya@example.com", "incorrect horse", "a wrong password"),
            ("nobody@example.com", "correct horse battery staple", "an unknown address"),
            ("maya@example.com", "Correct horse battery staple", "another case"),
            ("maya@example.com", "correct horse battery staple ", "a space more"),
        ] {
            let body = json!({ "email": email, "password": password });
            let answer = world.anonymous().post("/v1/sessions").json(body).await;

            assert_eq!(answer.json(), expected, "{why}");
            assert_eq!(answer.status, 401, "{why}");
        }
    }

    #[tokio::test]
    async fn holds_each_rule_at_its_edge() {
        let world = World::new().await;

        for password in ["p".to_owned(), "p".repeat(1024)] {
            let body = json!({ "email": "maya@example.com", "password": password });
            let answer = world.anonymous().post("/v1/sessions").json(body).await;
            answer.expect_problem(401, "credentials_invalid");
        }
        for (field, value, rule) in [
            ("password", json!(""), "bytes"),
            ("password", json!("p".repeat(1025)), "bytes"),
            ("password", json!(null), "wrong_type"),
            ("email", json!("maya"), "email"),
            ("deviceName", json!(""), "length"),
            ("deviceName", json!("d".repeat(101)), "length"),
            ("deviceName", json!(null), "wrong_type"),
        ] {
            let mut body = json!({ "email": "maya@example.com", "password": "p" });
            body[field] = value.clone();
            let answer = world.anonymous().post("/v1/sessions").json(body).await;

            let expected = [(format!("/{field}"), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{field}: {value}");
        }
    }
}

mod refresh_session {
    use super::*;

    async fn expect_ended(client: &Client, token: &str) {
        let answer = refresh(client, token).await.expect(401);
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

        let answer = refresh(&maya, maya.refresh_token()).await.expect(200).json();

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
            let answer = refresh(&maya, &token).await;

            assert_eq!(answer.json()["code"], "session_revoked", "{why}");
        }
        maya.refreshed().await;
        omar.refreshed().await;
    }

    #[tokio::test]
    async fn keeps_one_chain_when_fifty_ask_with_one_token_at_once() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answers = join_all((0..50).map(|_| refresh(&maya, maya.refresh_token()))).await;

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

mod list_sessions {
    use super::*;

    fn ids(page: &Value) -> Vec<&Value> {
        let items = page["items"].as_array().expect("a page has items");
        items.iter().map(|item| &item["id"]).collect()
    }

    #[tokio::test]
    async fn shows_the_callers_devices_newest_first() {
        let world = World::new().await;
        let phone = world.maya().await;
        world.omar().await;
        world.advance(Duration::from_secs(60));
        let tablet = phone.sign_in("maya@example.com").await;

        let answer = phone.get("/v1/sessions").await.expect(200).json();

        let expected = json!({
            "items": [
                {
                    "id": tablet.signed_in["session"]["id"],
                    "current": false,
                    "createdAt": "2026-11-22T16:31:00.000Z",
                    "lastUsedAt": "2026-11-22T16:31:00.000Z",
                    "expiresAt": "2027-02-20T16:31:00.000Z",
                },
                {
                    "id": phone.signed_in["session"]["id"],
                    "deviceName": "Maya's phone",
                    "current": true,
                    "createdAt": "2026-11-22T16:30:00.000Z",
                    "lastUsedAt": "2026-11-22T16:30:00.000Z",
                    "expiresAt": "2027-02-20T16:30:00.000Z",
                },
            ],
        });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn comes_in_pages() {
        let world = World::new().await;
        let first = world.maya().await;
        world.advance(Duration::from_secs(1));
        let second = first.sign_in("maya@example.com").await;

        let page = first.get("/v1/sessions?limit=1").await.expect(200).json();
        let cursor = page["nextCursor"].as_str().expect("there is a second page");
        let last = first.get(format!("/v1/sessions?limit=1&cursor={cursor}")).await.expect(200);

        assert_eq!(ids(&page), [&second.signed_in["session"]["id"]]);
        let last = last.json();
        assert_eq!(ids(&last), [&first.signed_in["session"]["id"]]);
        assert_eq!(last.get("nextCursor"), None);
    }

    #[tokio::test]
    async fn leaves_out_what_has_expired() {
        let world = World::new().await;
        let old = world.maya().await;
        world.advance(90 * DAY);

        let new = old.sign_in("maya@example.com").await;

        let page = new.get("/v1/sessions").await.expect(200).json();
        assert_eq!(ids(&page), [&new.signed_in["session"]["id"]]);
    }
}

mod delete_current_session {
    use super::*;

    #[tokio::test]
    async fn signs_this_device_out_and_no_other() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;

        phone.delete("/v1/sessions/current").await.expect(204);

        refresh(&phone, phone.refresh_token()).await.expect_problem(401, "session_revoked");
        tablet.refreshed().await;
    }

    #[tokio::test]
    async fn does_not_mind_being_asked_twice() {
        let world = World::new().await;
        let maya = world.maya().await;

        maya.delete("/v1/sessions/current").await.expect(204);
        maya.delete("/v1/sessions/current").await.expect(204);

        // Documented: the access token lives on for its fifteen minutes.
        maya.get("/v1/account").await.expect(200);
    }
}

mod delete_session {
    use super::*;

    /// Swift writes UUIDs in upper case.
    #[tokio::test]
    async fn takes_an_id_in_upper_case() {
        let world = World::new().await;
        let maya = world.maya().await;
        let id = maya.signed_in["session"]["id"].as_str().expect("an id").to_uppercase();

        maya.delete(format!("/v1/sessions/{id}")).await.expect(204);
    }

    fn path(client: &Client) -> String {
        format!("/v1/sessions/{}", client.signed_in["session"]["id"].as_str().expect("an id"))
    }

    #[tokio::test]
    async fn signs_another_device_of_the_caller_out() {
        let world = World::new().await;
        let phone = world.maya().await;
        let tablet = phone.sign_in("maya@example.com").await;

        phone.delete(path(&tablet)).await.expect(204);

        refresh(&tablet, tablet.refresh_token()).await.expect_problem(401, "session_revoked");
        phone.delete(path(&tablet)).await.expect_problem(404, "not_found");
        phone.refreshed().await;
    }

    #[tokio::test]
    async fn does_not_find_another_persons() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);

        let answer = omar.delete(path(&maya)).await.expect(404);

        let expected = json!({
            "type": "urn:landline:problem:not_found",
            "title": "There is no such resource",
            "status": 404,
            "code": "not_found",
            "detail": "There is no such session.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        maya.refreshed().await;
    }
}
