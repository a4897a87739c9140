//! The built function, as Lambda runs it: under the Runtime API, configured by its environment.

use http::Method;
use models::Ambient;
use serde_json::{Value, json};
use tests::{Client, Door, Function, LocalDev, Setup, World, event, run};

/// A world on the machine's clock, which is the function's.
async fn world_of_today() -> World {
    World::with(Setup { ambient: Ambient::system(), ..Setup::default() }).await
}

mod a_request {
    use super::*;

    /// What somebody does in a life with the API, and what every answer is like.
    async fn life(door: Door) -> Vec<(String, Value)> {
        let anonymous = Client::new(door);
        let maya = anonymous.register("maya@example.com", "Maya").await;
        let tablet = maya.sign_in("maya@example.com").await;
        let tablet = tablet.signed_in["session"]["id"].as_str().expect("an id");
        let tablet = format!("/v1/sessions/{tablet}");
        let refresh = json!({ "refreshToken": maya.refresh_token() });
        let wrong = json!({ "email": "maya@example.com", "password": "wrong" });
        let right =
            json!({ "email": "MAYA@example.com", "password": "correct horse battery staple" });
        let again =
            json!({ "email": "maya@example.com", "password": "8 letters", "displayName": "M" });
        let gone = "/v1/sessions/019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d";

        let mut answers = Vec::new();
        for request in [
            anonymous.get("/health"),
            anonymous.request(Method::HEAD, "/health"),
            anonymous.request(Method::POST, "/health"),
            anonymous.get("/health").header("cookie", "a=1; b=2").header("accept", "a/b"),
            anonymous.get("/nowhere"),
            anonymous.get("/health/"),
            anonymous.get("/health/%2e%2e/health"),
            anonymous.get("/h%65alth"),
            anonymous.post("/v1/accounts").json(again),
            anonymous.post("/v1/sessions").json(wrong),
            anonymous.post("/v1/sessions").json(right),
            anonymous.get("/v1/account"),
            maya.with_token("nonsense").get("/v1/account"),
            maya.get("/v1/account"),
            maya.request(Method::HEAD, "/v1/account"),
            maya.request(Method::PUT, "/v1/account").json(json!({})),
            maya.patch("/v1/account").json(json!({ "displayName": "🏕 \"é\"\n" })),
            maya.patch("/v1/account").json(json!({ "displayName": "𝒳".repeat(100) })),
            maya.patch("/v1/account").json(json!({ "displayName": null })),
            maya.patch("/v1/account").json(json!({ "displayName": "", "x": 1 })),
            maya.patch("/v1/account").json_text("{"),
            maya.patch("/v1/account").json_text(b"{\"displayName\":\"\xff\"}"),
            maya.patch("/v1/account").json_text(" ".repeat(1024 * 1024 + 1)),
            maya.patch("/v1/account").body("{}"),
            maya.get("/v1/sessions"),
            maya.get("/v1/sessions?limit=1"),
            maya.get("/v1/sessions?l%69mit=%31&cursor=a+b%26c"),
            maya.get("/v1/sessions?cursor=%ff"),
            maya.get("/v1/sessions?limit=0"),
            maya.get(&tablet),
            maya.delete(gone),
            maya.delete("/v1/sessions/%23"),
            maya.delete(format!("{tablet}%2F")),
            maya.delete(&tablet),
            maya.delete(&tablet),
            anonymous.post("/v1/sessions/refresh").json(refresh.clone()),
            anonymous.post("/v1/sessions/refresh").json(refresh.clone()),
            maya.delete("/v1/sessions/current"),
            anonymous.post("/v1/sessions/refresh").json(refresh),
        ] {
            let sent = format!("{request}");
            answers.push((sent, request.await.likeness()));
        }
        answers
    }

    #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
    async fn is_answered_as_in_process_and_as_on_a_laptop() {
        let (world, other) = (world_of_today().await, world_of_today().await);
        let function = Function::start(other.auth(), &other.connection(), &[]).await;
        let folder = tempfile::tempdir().unwrap();
        let laptop = LocalDev::start(folder.path(), ["--ephemeral"]).await;

        let (here, lambda, there) =
            tokio::join!(life(world.door()), life(Door::Lambda(function)), life(laptop.door()));

        for (((sent, here), (_, lambda)), (_, there)) in here.iter().zip(&lambda).zip(&there) {
            assert_eq!(lambda, here, "{sent}");
            assert_eq!(there, here, "{sent}");
        }
    }

    #[tokio::test]
    async fn reaches_the_same_people_and_takes_the_same_tokens() {
        let world = world_of_today().await;
        let function = Function::start(world.auth(), &world.connection(), &[]).await;
        let door = Door::Lambda(function.clone());
        let maya = world.maya().await;

        let there = maya.at(door).get("/v1/account").await.expect(200).json();
        let omar = function.anonymous().register("omar@example.com", "Omar").await;

        assert_eq!(there, maya.signed_in["account"]);
        let answer = omar.at(world.door()).get("/v1/account").await.expect(200);
        assert_eq!(answer.json(), omar.signed_in["account"]);
        omar.at(world.door()).refreshed().await;
    }

    #[tokio::test]
    async fn is_served_among_many_where_the_environment_asks_for_it() {
        let world = world_of_today().await;
        let many = [("AWS_LAMBDA_MAX_CONCURRENCY", "4")];
        let function = Function::start(world.auth(), &world.connection(), &many).await;
        let maya = function.anonymous().register("maya@example.com", "Maya").await;

        let changes = (0..10).map(|number| {
            let body = json!({ "displayName": format!("Maya {number}") });
            maya.patch("/v1/account").json(body).into_future()
        });
        let answers = futures_util::future::join_all(changes).await;

        assert!(answers.iter().all(|answer| answer.status == 200), "{answers:?}");
        assert_eq!(maya.get("/v1/account").await.expect(200).json()["version"], 11);
    }
}

mod an_event {
    use super::*;

    /// The function's answer with its headers without the request's id.
    async fn answer(function: &Function, event: Value) -> Value {
        let mut answer = function.invoke(event).await;
        for headers in ["headers", "multiValueHeaders"] {
            if let Some(headers) = answer[headers].as_object_mut() {
                headers.retain(|name, _| ["content-type", "x-request-id"].contains(&name.as_str()));
            }
        }
        answer
    }

    #[tokio::test]
    async fn of_each_source_is_answered_in_its_own_shape() {
        let world = world_of_today().await;
        let function = Function::start(world.auth(), &world.connection(), &[]).await;
        let (body, none) = ("{\"status\":\"ok\"}", Value::Null);
        let single = json!({ "content-type": "application/json", "x-request-id": "test" });
        let multiple = json!({ "content-type": ["application/json"], "x-request-id": ["test"] });

        for (source, event, expected) in [
            (
                "an HTTP API",
                event::http_api("GET", "/health", ""),
                json!({ "statusCode": 200, "headers": single }),
            ),
            (
                "a function URL",
                event::function_url("GET", "/health"),
                json!({ "statusCode": 200, "headers": single }),
            ),
            (
                "a REST API",
                event::rest_api("GET", "/health"),
                json!({ "statusCode": 200, "multiValueHeaders": multiple }),
            ),
            (
                "a load balancer",
                event::load_balancer("GET", "/health", false),
                json!({ "statusCode": 200, "statusDescription": "200 OK", "headers": single }),
            ),
            (
                "a load balancer with multi-value headers",
                event::load_balancer("GET", "/health", true),
                json!({ "statusCode": 200, "statusDescription": "200 OK", "multiValueHeaders": multiple }),
            ),
        ] {
            let answer = answer(&function, event).await;

            for part in ["statusCode", "statusDescription", "headers", "multiValueHeaders"] {
                let expected = expected.get(part).unwrap_or(&none);
                assert_eq!(answer.get(part).unwrap_or(&none), expected, "{source}: {part}");
            }
            assert_eq!(answer["body"], body, "{source}");
            assert_eq!(answer["isBase64Encoded"], false, "{source}");
        }
    }

    #[tokio::test]
    async fn that_is_no_request_gets_a_handled_answer() {
        let world = world_of_today().await;
        let function = Function::start(world.auth(), &world.connection(), &[]).await;
        let expected = json!({
            "statusCode": 400,
            "body": json!({
                "code": "not_an_http_event",
                "detail": "This function answers HTTP requests: it expects an event of an API \
                           Gateway REST API (payload 1.0) or HTTP API (payload 2.0), a function \
                           URL, or an Application Load Balancer.",
            })
            .to_string(),
            "isBase64Encoded": false,
        });

        for event in [
            json!({}),
            json!(null),
            json!("text"),
            json!(7),
            json!([]),
            json!({ "Records": [{ "eventSource": "aws:s3" }] }),
            json!({ "source": "aws.events", "detail-type": "Scheduled Event" }),
            json!({ "httpMethod": 7, "path": [] }),
            json!({ "requestContext": { "http": "GET /health" } }),
        ] {
            assert_eq!(function.invoke(event.clone()).await, expected, "{event}");
        }
        function.anonymous().get("/health").await.expect(200);
    }
}

mod the_log {
    use super::*;

    #[tokio::test]
    async fn has_a_line_for_each_request_and_nothing_that_is_secret_or_personal() {
        let world = world_of_today().await;
        let verbose = [("LANDLINE_LOG", "debug")];
        let function = Function::start(world.auth(), &world.connection(), &verbose).await;

        let maya = function.anonymous().register("maya@example.com", "Maya").await;
        let secret = json!({ "displayName": "A secret name" });
        maya.patch("/v1/account").json(secret).await.expect(200);
        maya.get("/v1/sessions?cursor=a-secret-cursor").await.expect(400);
        maya.get("/v1/a-secret-path").await.expect(404);
        maya.delete("/v1/sessions/a-secret-id").await.expect(404);
        maya.patch("/v1/account").json(json!({ "name": "A secret name" })).await.expect(422);
        let maya = maya.refreshed().await;
        let wrong = json!({ "email": "maya@example.com", "password": "a-secret-password" });
        maya.post("/v1/sessions").json(wrong).await.expect(401);
        let log = function.end().await;

        let answered = log.lines().filter(|line| line.contains("\"answered\"")).count();
        assert_eq!(answered, 8, "{log}");
        let pem = tests::signing_key().to_pem();
        for secret in [
            maya.token(),
            maya.refresh_token(),
            pem.lines().nth(1).unwrap(),
            "correct horse",
            "a-secret-password",
            "maya@example.com",
            "A secret name",
            "a-secret-cursor",
            "a-secret-path",
            "a-secret-id",
        ] {
            assert!(!log.contains(secret), "{secret} is in the log:\n{log}");
        }
    }
}

mod the_environment {
    use super::*;

    const LAMBDA: [(&str, &str); 4] = [
        ("AWS_LAMBDA_RUNTIME_API", "127.0.0.1:9"),
        ("AWS_LAMBDA_FUNCTION_NAME", "landline"),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256"),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST"),
    ];

    #[tokio::test]
    async fn is_refused_whole_when_nothing_is_set() {
        let nothing: [&str; 0] = [];

        let outcome = run("api", nothing, &LAMBDA).await;

        assert_eq!(outcome.code, Some(1));
        let said = outcome.stdout + &outcome.stderr;
        for variable in [
            "LANDLINE_ISSUER",
            "LANDLINE_AUDIENCE",
            "LANDLINE_SIGNING_KEY",
            "LANDLINE_TABLE",
            "AWS_REGION",
            "AWS_ACCESS_KEY_ID",
            "AWS_SECRET_ACCESS_KEY",
        ] {
            assert!(said.contains(variable), "{variable} is not in {said}");
        }
        assert_eq!(said.lines().count(), 1, "{said}");
    }

    #[tokio::test]
    async fn is_refused_by_names_and_without_values() {
        let nothing: [&str; 0] = [];
        let environment = [
            &LAMBDA[..],
            &[
                ("LANDLINE_ISSUER", "c4n4ry"),
                ("LANDLINE_AUDIENCE", "landline"),
                ("LANDLINE_SIGNING_KEY", "c4n4ry"),
                ("LANDLINE_TABLE", "landline"),
                ("AWS_REGION", "us-east-1"),
                ("AWS_ACCESS_KEY_ID", "landline"),
                ("AWS_SECRET_ACCESS_KEY", " "),
            ],
        ]
        .concat();

        let outcome = run("api", nothing, &environment).await;

        assert_eq!(outcome.code, Some(1));
        let said = outcome.stdout + &outcome.stderr;
        for (variable, named) in [
            ("LANDLINE_ISSUER", true),
            ("LANDLINE_SIGNING_KEY", true),
            ("AWS_SECRET_ACCESS_KEY", true),
            ("LANDLINE_AUDIENCE", false),
            ("LANDLINE_TABLE", false),
        ] {
            assert_eq!(said.contains(variable), named, "{variable}: {said}");
        }
        assert!(!said.contains("c4n4ry"), "{said}");
    }
    #[tokio::test]
    async fn is_refused_where_it_would_have_everything_logged() {
        let nothing: [&str; 0] = [];
        let pem = tests::signing_key().to_pem();

        for filter in ["trace", "TRACE", "info,aws_smithy_runtime=trace", "loud=loud"] {
            let environment = [
                &LAMBDA[..],
                &[
                    ("LANDLINE_ISSUER", "https://api.example.com"),
                    ("LANDLINE_AUDIENCE", "landline"),
                    ("LANDLINE_SIGNING_KEY", &pem),
                    ("LANDLINE_TABLE", "landline"),
                    ("LANDLINE_LOG", filter),
                    ("AWS_REGION", "us-east-1"),
                    ("AWS_ACCESS_KEY_ID", "landline"),
                    ("AWS_SECRET_ACCESS_KEY", "landline"),
                ],
            ]
            .concat();

            let outcome = run("api", nothing, &environment).await;

            assert_eq!(outcome.code, Some(1), "{filter}: {outcome:?}");
            let said = outcome.stdout + &outcome.stderr;
            assert!(said.contains("LANDLINE_LOG is not a filter"), "{filter}: {said}");
            assert_eq!(said.lines().count(), 1, "{filter}: {said}");
        }
    }
}
