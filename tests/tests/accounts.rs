use std::time::Duration;

use futures_util::future::join_all;
use serde_json::{Value, json};
use tests::World;

mod create_account {
    use super::*;

    /// A registration with one field changed; `null` leaves the field out.
    fn registration(field: &str, value: &Value) -> Value {
        let mut body = json!({
            "email": "maya@example.com",
            "password": "maya-likes-lighthouses",
            "displayName": "Maya",
            "deviceName": "Maya's phone",
        });
        body[field] = value.clone();
        body.as_object_mut().expect("an object").retain(|_, value| !value.is_null());
        body
    }

    #[tokio::test]
    async fn registers_a_person_and_signs_the_device_in() {
        let world = World::new().await;

        let body = registration("email", &json!("Maya@Example.com"));
        let answer = world.anonymous().post("/v1/accounts").json(body).await.expect(201);

        assert_eq!(answer.header("location"), "/v1/account");
        let answer = answer.json();
        let expected = json!({
            "account": {
                "id": answer["account"]["id"],
                "email": "Maya@Example.com",
                "displayName": "Maya",
                "createdAt": "2026-11-22T16:30:00.000Z",
                "updatedAt": "2026-11-22T16:30:00.000Z",
                "version": 1,
            },
            "session": {
                "id": answer["session"]["id"],
                "deviceName": "Maya's phone",
                "current": true,
                "createdAt": "2026-11-22T16:30:00.000Z",
                "lastUsedAt": "2026-11-22T16:30:00.000Z",
                "expiresAt": "2027-02-20T16:30:00.000Z",
            },
            "tokens": {
                "accessToken": answer["tokens"]["accessToken"],
                "refreshToken": answer["tokens"]["refreshToken"],
                "tokenType": "Bearer",
                "expiresIn": 900,
            },
        });
        assert_eq!(answer, expected);
    }

    #[tokio::test]
    async fn shows_what_the_device_runs_on_where_its_app_says_so() {
        let world = World::new().await;

        let body = registration("email", &json!("maya@example.com"));
        let request = world.anonymous().post("/v1/accounts").header("x-app-platform", "macos");
        let answer = request.json(body).await.expect(201);

        assert_eq!(answer.json()["session"]["platform"], "macos");
    }

    #[tokio::test]
    async fn does_without_a_device_name() {
        let world = World::new().await;

        let body = registration("deviceName", &Value::Null);
        let answer = world.anonymous().post("/v1/accounts").json(body).await.expect(201);

        assert_eq!(answer.json()["session"].get("deviceName"), None);
    }

    #[tokio::test]
    async fn refuses_an_address_that_is_taken_in_any_case_and_writes_nothing() {
        let world = World::new().await;
        let maya = world.maya().await;
        let before = maya.get("/v1/sessions").await.expect(200).json();

        let mut body = registration("email", &json!("MAYA@example.COM"));
        body["password"] = json!("somebody else's");
        let answer = world.anonymous().post("/v1/accounts").json(body.clone()).await.expect(409);

        let expected = json!({
            "type": "urn:landline:problem:email_taken",
            "title": "The e-mail address is taken",
            "status": 409,
            "code": "email_taken",
            "detail": "Sign in, or use another address.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), maya.signed_in["account"]);
        assert_eq!(maya.get("/v1/sessions").await.expect(200).json(), before);
        let body = json!({ "email": "maya@example.com", "password": "somebody else's" });
        let answer = world.anonymous().post("/v1/sessions").json(body).await;
        answer.expect_problem(401, "credentials_invalid");
    }

    /// From a network each. Of those whom the limit lets through, thirty, all find a place to be
    /// hashed.
    #[tokio::test]
    async fn gives_an_address_to_exactly_one_of_fifty_who_ask_at_once() {
        let world = World::new().await;

        let answers = join_all((0..50).map(|number| {
            let body = registration("displayName", &json!(format!("Number {number}")));
            let client = world.anonymous().at_address(&format!("198.51.100.{number}"));
            client.post("/v1/accounts").json(body).into_future()
        }))
        .await;

        let (won, lost): (Vec<_>, Vec<_>) =
            answers.into_iter().partition(|answer| answer.status == 201);
        assert_eq!(won.len(), 1);
        let (late, many): (Vec<_>, Vec<_>) =
            lost.into_iter().partition(|answer| answer.status == 409);
        assert_eq!((late.len(), many.len()), (29, 20));
        for answer in late {
            answer.expect_problem(409, "email_taken");
        }
        for answer in many {
            answer.expect_problem(429, "too_many_requests");
        }
        let winner = world.anonymous().as_signed_in(won[0].json());
        assert_eq!(winner.get("/v1/account").await.expect(200).json(), won[0].json()["account"]);
        let sessions = winner.get("/v1/sessions").await.expect(200).json();
        assert_eq!(sessions["items"].as_array().unwrap().len(), 1);
    }

    #[tokio::test]
    async fn takes_every_value_up_to_its_bound() {
        let world = World::new().await;

        for (number, (field, value)) in [
            ("password", json!("8 bytes!")),
            ("password", json!("éééé")),
            ("password", json!("p".repeat(1024))),
            ("displayName", json!("M")),
            ("displayName", json!("𝒳".repeat(100))),
            ("deviceName", json!("d".repeat(100))),
        ]
        .into_iter()
        .enumerate()
        {
            let mut body = registration(field, &value);
            body["email"] = json!(format!("maya{number}@example.com"));

            world.anonymous().post("/v1/accounts").json(body).await.expect(201);
        }
    }

    #[tokio::test]
    async fn refuses_every_value_beyond_its_bound() {
        let world = World::new().await;

        for (field, value, rule) in [
            ("email", json!("maya"), "email"),
            ("email", json!("maya@example"), "email"),
            ("email", json!(format!("maya@{}.com", "a".repeat(250))), "email"),
            ("password", json!("7 bytes"), "bytes"),
            ("password", json!("p".repeat(1025)), "bytes"),
            ("password", json!("8 bytes\0"), "nul"),
            ("displayName", json!(""), "length"),
            ("displayName", json!("𝒳".repeat(101)), "length"),
            ("deviceName", json!(""), "length"),
            ("deviceName", json!("d".repeat(101)), "length"),
            ("email", Value::Null, "required"),
            ("password", Value::Null, "required"),
            ("displayName", Value::Null, "required"),
        ] {
            let body = registration(field, &value);

            let answer = world.anonymous().post("/v1/accounts").json(body).await;

            let expected = [(format!("/{field}"), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{field}: {value}");
        }
        world.anonymous().register("maya@example.com", "Maya").await;
    }

    #[tokio::test]
    async fn names_every_broken_rule_at_once_and_repeats_no_value() {
        let world = World::new().await;
        let body = json!({
            "email": "c4n4ry",
            "password": "c4n4ry",
            "displayName": "c4n4ry".repeat(20),
            "deviceName": "",
        });

        let answer = world.anonymous().post("/v1/accounts").json(body).await.expect(422);

        assert!(!answer.mentions("c4n4ry"), "{}", answer.text());
        let expected = json!({
            "type": "urn:landline:problem:validation_failed",
            "title": "The request breaks rules",
            "status": 422,
            "code": "validation_failed",
            "detail": "4 values are not as they should be.",
            "requestId": "test",
            "errors": [
                {
                    "pointer": "/deviceName",
                    "code": "length",
                    "message": "must have 1 to 100 characters",
                    "limits": { "min": 1, "max": 100 },
                },
                {
                    "pointer": "/displayName",
                    "code": "length",
                    "message": "must have 1 to 100 characters",
                    "limits": { "min": 1, "max": 100 },
                },
                {
                    "pointer": "/email",
                    "code": "email",
                    "message": "must be an address such as name@example.com",
                    "limits": {},
                },
                {
                    "pointer": "/password",
                    "code": "bytes",
                    "message": "must have 8 to 1024 bytes",
                    "limits": { "min": 8, "max": 1024 },
                },
            ],
        });
        assert_eq!(answer.json(), expected);
    }
}

mod get_account {
    use auth::SigningKey;
    use tests::Client;

    use super::*;

    /// The same token with another last character in its part `number`.
    fn tampered(token: &str, number: usize) -> String {
        let mut parts: Vec<_> = token.split('.').map(str::to_owned).collect();
        let last = parts[number].pop().expect("a part has characters");
        parts[number].insert(0, last);
        parts.join(".")
    }

    async fn ask(maya: &Client) -> tests::Answer {
        maya.get("/v1/account").await
    }

    #[tokio::test]
    async fn shows_the_callers_own() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);

        let answer = omar.get("/v1/account").await.expect(200).json();

        let expected = json!({
            "id": omar.signed_in["account"]["id"],
            "email": "omar@example.com",
            "displayName": "Omar",
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:00.000Z",
            "version": 1,
        });
        assert_eq!(answer, expected);
        assert_ne!(answer["id"], maya.signed_in["account"]["id"]);
    }

    #[tokio::test]
    async fn asks_for_a_token() {
        let world = World::new().await;

        let answer = world.anonymous().get("/v1/account").await.expect(401);

        assert_eq!(answer.header("www-authenticate"), "Bearer realm=\"api\"");
        let expected = json!({
            "type": "urn:landline:problem:token_missing",
            "title": "An access token is needed",
            "status": 401,
            "code": "token_missing",
            "detail": "Send `Authorization: Bearer <accessToken>`.",
            "requestId": "test",
        });
        assert_eq!(answer.json(), expected);
    }

    #[tokio::test]
    async fn takes_the_token_until_it_expires() {
        let world = World::new().await;
        let maya = world.maya().await;

        world.advance(Duration::from_millis(900_000 - 1));
        ask(&maya).await.expect(200);
        world.advance(Duration::from_millis(1));
        let answer = ask(&maya).await.expect_problem(401, "token_expired");

        assert_eq!(
            answer.header("www-authenticate"),
            "Bearer realm=\"api\", error=\"invalid_token\""
        );
        ask(&maya.refreshed().await).await.expect(200);
    }

    #[tokio::test]
    async fn refuses_tokens_that_are_not_ours() {
        let world = World::new().await;
        let maya = world.maya().await;
        let token = maya.token();
        let none = "eyJhbGciOiJub25lIiwidHlwIjoiYXQrand0In0";
        let claims = token.split('.').nth(1).unwrap();

        for (token, why) in [
            ("nonsense".to_owned(), "not a token"),
            ("a.b.c".to_owned(), "three parts of nothing"),
            (format!("{token}a"), "a longer signature"),
            (tampered(token, 0), "another header"),
            (tampered(token, 1), "other claims"),
            (tampered(token, 2), "another signature"),
            (format!("{none}.{claims}."), "no signature"),
            (maya.refresh_token().to_owned(), "a refresh token"),
            ("x".repeat(8_000), "very long"),
        ] {
            let answer = maya.with_token(token).get("/v1/account").await;

            assert_eq!(answer.json()["code"], "token_invalid", "{why}");
        }
        ask(&maya).await.expect(200);
    }

    #[tokio::test]
    async fn refuses_tokens_of_another_key_issuer_or_audience() {
        let world = World::new().await;
        let maya = world.maya().await;
        let auth = world.auth();

        for (auth, why) in [
            (auth::Settings { signing: SigningKey::generate().into(), ..auth.clone() }, "key"),
            (auth::Settings { issuer: "https://example.com".to_owned(), ..auth.clone() }, "issuer"),
            (auth::Settings { audience: "another".to_owned(), ..auth.clone() }, "audience"),
        ] {
            let beside = world.beside(auth);
            let token = beside.anonymous().sign_in("maya@example.com").await.token().to_owned();

            let answer = maya.with_token(token).get("/v1/account").await;

            assert_eq!(answer.json()["code"], "token_invalid", "another {why}");
        }
    }

    #[tokio::test]
    async fn reads_the_authorization_header_as_http_says() {
        let world = World::new().await;
        let maya = world.maya().await;
        let token = maya.token();

        for (values, code) in [
            (vec![format!("bearer {token}")], None),
            (vec![format!("BEARER  {token} ")], None),
            (vec![String::new()], Some("token_missing")),
            (vec!["Bearer".to_owned()], Some("token_missing")),
            (vec![token.to_owned()], Some("token_missing")),
            (vec!["Basic bWF5YTptYXlh".to_owned()], Some("token_missing")),
            (vec![format!("Bearer {token}"), format!("Bearer {token}")], Some("token_invalid")),
            (vec!["Basic bWF5YTptYXlh".to_owned(), format!("Bearer {token}")], Some("not 200")),
        ] {
            let request = world.anonymous().get("/v1/account");
            let request =
                values.iter().fold(request, |it, value| it.header("authorization", value));

            let answer = request.await;

            match code {
                None => assert_eq!(answer.status, 200, "{values:?}"),
                Some("not 200") => assert_eq!(answer.status, 401, "{values:?}"),
                Some(code) => assert_eq!(answer.json()["code"], code, "{values:?}"),
            }
        }
    }
}

mod update_account {
    use super::*;

    #[tokio::test]
    async fn changes_the_name() {
        let world = World::new().await;
        let maya = world.maya().await;
        world.advance(Duration::from_millis(1500));

        let body = json!({ "displayName": "Maya Lindqvist" });
        let answer = maya.patch("/v1/account").json(body).await.expect(200).json();

        let expected = json!({
            "id": maya.signed_in["account"]["id"],
            "email": "maya@example.com",
            "displayName": "Maya Lindqvist",
            "createdAt": "2026-11-22T16:30:00.000Z",
            "updatedAt": "2026-11-22T16:30:01.500Z",
            "version": 2,
        });
        assert_eq!(answer, expected);
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), expected);
    }

    #[tokio::test]
    async fn leaves_what_is_absent() {
        let world = World::new().await;
        let maya = world.maya().await;

        let answer = maya.patch("/v1/account").json(json!({})).await.expect(200).json();

        assert_eq!(answer["displayName"], "Maya");
        assert_eq!(answer["email"], "maya@example.com");
    }

    #[tokio::test]
    async fn changes_nobody_else() {
        let world = World::new().await;
        let (maya, omar) = (world.maya().await, world.omar().await);

        omar.patch("/v1/account").json(json!({ "displayName": "Maya" })).await.expect(200);

        assert_eq!(maya.get("/v1/account").await.expect(200).json(), maya.signed_in["account"]);
    }

    #[tokio::test]
    async fn holds_each_rule_at_its_edge() {
        let world = World::new().await;
        let maya = world.maya().await;

        for name in ["M".to_owned(), "𝒳".repeat(100)] {
            let body = json!({ "displayName": name });
            maya.patch("/v1/account").json(body).await.expect(200);
        }
        let before = maya.get("/v1/account").await.expect(200).json();
        for (body, pointer, rule) in [
            (json!({ "displayName": "" }), "/displayName", "length"),
            (json!({ "displayName": "𝒳".repeat(101) }), "/displayName", "length"),
            (json!({ "displayName": "a\0b" }), "/displayName", "nul"),
            (json!({ "displayName": null }), "/displayName", "wrong_type"),
            (json!({ "displayName": ["Maya"] }), "/displayName", "wrong_type"),
            (json!({ "email": "omar@example.com" }), "/email", "unknown_field"),
            (json!({ "version": 7 }), "/version", "unknown_field"),
        ] {
            let answer = maya.patch("/v1/account").json(body.clone()).await;

            let expected = [(pointer.to_owned(), rule.to_owned())];
            assert_eq!(answer.violations(), expected, "{body}");
        }
        assert_eq!(maya.get("/v1/account").await.expect(200).json(), before);
    }
}
