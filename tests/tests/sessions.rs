use std::time::Duration;

use serde_json::{Value, json};
use tests::{Client, World};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

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
    async fn shows_what_the_device_runs_on_where_its_app_says_so() {
        let world = World::new().await;
        world.maya().await;
        let body =
            json!({ "email": "maya@example.com", "password": "correct horse battery staple" });

        for (said, shown) in [("android", json!("android")), ("IOS", json!("ios"))] {
            let request = world.anonymous().post("/v1/sessions").json(body.clone());
            let answer = request.header("x-app-platform", said).await.expect(201).json();

            assert_eq!(answer["session"]["platform"], shown, "{said:?}");
        }
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

        phone.exchange(phone.refresh_token()).await.expect_problem(401, "session_revoked");
        tablet.refreshed().await;
    }

    /// For as long as a call that was sent before may arrive. No phone keeps sessions, so none asks
    /// when one has changed.
    #[tokio::test]
    async fn leaves_a_tombstone_for_an_hour() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.advance(Duration::from_secs(60));

        maya.delete("/v1/sessions/current").await.expect(204);

        let id = |of: &str| maya.signed_in[of]["id"].as_str().unwrap().to_owned();
        let keys = json!({
            "pk": { "S": format!("ACCOUNT#{}", id("account")) },
            "sk": { "S": format!("SESSION#{}", id("session")) },
        });
        let mut tombstone = tests::evolution::get(&world, &keys).await;
        let write_id = tombstone.as_object_mut().unwrap().remove("writeId").unwrap();
        assert!(write_id["B"].is_string(), "{write_id}");
        let expected = json!({
            "pk": keys["pk"],
            "sk": keys["sk"],
            "kind": { "S": "SESSION" },
            "version": { "N": "2" },
            "deletedAt": { "S": "2026-11-22T16:31:00.000Z" },
            // 17:31.
            "ttl": { "N": "1795368660" },
        });
        assert_eq!(tombstone, expected);
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

        tablet.exchange(tablet.refresh_token()).await.expect_problem(401, "session_revoked");
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
