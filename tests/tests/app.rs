//! What stands around every handler: panics, deadlines, the log, and what browsers are told.

use api::{
    Web,
    http::{Json, Module, Path, Result, endpoints},
};
use http::{HeaderValue, Method};
use models::{Id, view};
use serde_json::{Value, json};
use tests::{Function, Setup, World, event};

/// A module whose handlers do what handlers must not.
fn trouble() -> Module {
    Module::new("trouble").public(endpoints![get_panic, get_forever, get_mark])
}

#[view]
struct Mark {
    id: Id,
}

/// Panic.
#[utoipa::path(get, path = "/panic")]
async fn get_panic() -> Result<Json<Mark>> {
    panic!("the canary sings")
}

/// Never answer.
#[utoipa::path(get, path = "/forever")]
async fn get_forever() -> Result<Json<Mark>> {
    std::future::pending().await
}

/// Log the id, let others run, and log it again.
#[utoipa::path(get, path = "/marks/{markId}")]
async fn get_mark(Path(id): Path<Id>) -> Result<Json<Mark>> {
    for _ in 0..3 {
        tracing::info!(%id, "marked");
        tokio::task::yield_now().await;
    }
    Ok(Json(Mark { id }))
}

async fn troubled_world() -> World {
    let modules = api::route_table().into_iter().chain([trouble()]).collect();
    World::with(Setup { modules, ..Setup::default() }).await
}

mod panics {
    use super::*;

    #[tokio::test]
    async fn are_a_problem_that_says_nothing_and_the_next_request_is_served() {
        let world = troubled_world().await;

        let answer = world.invoke(event::http_api("GET", "/panic", "")).await;

        assert_eq!(answer["statusCode"], 500);
        let expected = json!({
            "type": "urn:landline:problem:internal_error",
            "title": "Something went wrong",
            "status": 500,
            "code": "internal_error",
            "detail": "The request can be tried again.",
            "requestId": "test",
        });
        assert_eq!(body(&answer), expected);
        world.anonymous().get("/health").await.expect(200);
    }
}

mod a_panic_in_the_built_function {
    use super::*;

    #[tokio::test]
    async fn is_a_problem_too_and_the_next_request_is_served() {
        let world = World::new().await;
        let function =
            Function::start_program("panicking", world.auth(), &world.connection(), &[]).await;

        let answer = function.invoke(event::http_api("GET", "/panic", "")).await;

        assert_eq!(answer["statusCode"], 500);
        assert_eq!(body(&answer)["code"], "internal_error");
        function.anonymous().get("/health").await.expect(200);
        let log = function.end().await;
        assert!(log.contains("panicking.rs"), "the log says where: {log}");
        assert!(!log.contains("canary sings"), "and not with what: {log}");
    }
}

mod deadlines {
    use std::time::Duration;

    use lambda_runtime::{Context, LambdaEvent};
    use serde_json::value::to_raw_value;

    use super::*;

    #[tokio::test]
    async fn are_kept_by_answering_a_second_before() {
        let world = troubled_world().await;
        let mut context = Context::default();
        let deadline = world.ambient().now().plus(Duration::from_millis(1001));
        context.deadline = deadline.unix_millis().unsigned_abs();
        let event = to_raw_value(&event::http_api("GET", "/forever", "")).unwrap();

        let answer = world.app().invoke(LambdaEvent::new(event, context)).await;

        let answer = serde_json::to_value(answer).unwrap();

        assert_eq!(answer["statusCode"], 503);
        assert_eq!(answer["headers"]["retry-after"], "1");
        assert_eq!(body(&answer)["code"], "unavailable");
    }
}

mod logs {
    use tests::Log;

    use super::*;

    #[tokio::test]
    async fn of_requests_that_run_at_once_keep_apart() {
        let world = troubled_world().await;
        let log = Log::listen();
        let ids: Vec<String> = (0..50).map(|_| world.ambient().new_id().to_string()).collect();

        let answers = futures_util::future::join_all(ids.iter().map(|id| {
            let mut event = event::http_api("GET", &format!("/marks/{id}"), "");
            event["headers"]["x-request-id"] = json!(id);
            world.invoke(event)
        }))
        .await;

        for (id, answer) in ids.iter().zip(&answers) {
            assert_eq!(body(answer)["id"], json!(id));
            assert_eq!(answer["headers"]["x-request-id"], json!(id));
        }
        let lines = log.lines();
        let marks: Vec<_> =
            lines.iter().filter(|line| line["fields"]["message"] == "marked").collect();
        assert_eq!(marks.len(), 150);
        for line in marks {
            assert_eq!(line["fields"]["id"], line["span"]["id"], "{line}");
        }
        let answered = lines.iter().filter(|line| line["fields"]["message"] == "answered");
        assert_eq!(answered.count(), 50);
    }
}

mod request_ids {
    use super::*;

    #[tokio::test]
    async fn come_back_where_they_are_plain_words() {
        let world = World::new().await;
        let plain = ["a", "9f1c-4d:7.b_c", &"x".repeat(128)];

        for id in plain {
            let request = world.anonymous().get("/health").without("x-request-id");
            let answer = request.header("x-request-id", id).await.expect(200);

            assert_eq!(answer.header("x-request-id"), id);
        }
    }

    #[tokio::test]
    async fn are_made_where_they_are_not() {
        let world = World::new().await;

        for id in ["", "a b", "ü", "<script>", &"x".repeat(129)] {
            let request = world.anonymous().get("/health").without("x-request-id");
            let answer = request.header("x-request-id", id).await.expect(200);

            assert!(answer.header("x-request-id").parse::<Id>().is_ok(), "{id}");
        }
    }
}

mod browsers {
    use super::*;

    const OURS: &str = "https://app.example.com";

    async fn world() -> World {
        let web = Web { cors_origins: vec![HeaderValue::from_static(OURS)], ..Web::default() };
        World::with(Setup { web, ..Setup::default() }).await
    }

    #[tokio::test]
    async fn may_call_from_the_origins_that_are_listed() {
        let world = world().await;

        let request = world.anonymous().get("/health").header("origin", OURS);
        let answer = request.await.expect(200);

        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(answer.header("access-control-expose-headers").contains("x-request-id"));
        assert!(answer.header("vary").contains("origin"));
    }

    #[tokio::test]
    async fn may_not_call_from_anywhere_else() {
        let world = world().await;

        for origin in ["https://app.example.com.evil.test", "http://app.example.com", "null"] {
            let request = world.anonymous().get("/health").header("origin", origin);
            let answer = request.await.expect(200);

            assert!(!answer.headers.contains_key("access-control-allow-origin"), "{origin}");
        }
    }

    #[tokio::test]
    async fn are_told_beforehand_what_they_may_send() {
        let world = world().await;

        let answer = world
            .anonymous()
            .request(Method::OPTIONS, "/v1/notes")
            .header("origin", OURS)
            .header("access-control-request-method", "PATCH")
            .header("access-control-request-headers", "authorization")
            .unspecified()
            .await
            .expect(200);

        assert_eq!(answer.header("access-control-allow-origin"), OURS);
        assert!(answer.header("access-control-allow-methods").contains("PATCH"));
        assert!(answer.header("access-control-allow-headers").contains("authorization"));
    }

    #[tokio::test]
    async fn are_told_to_keep_nothing_and_to_guess_nothing() {
        let world = World::new().await;

        let answer = world.anonymous().get("/health").await.expect(200);

        assert_eq!(answer.header("cache-control"), "no-store");
        assert_eq!(answer.header("x-content-type-options"), "nosniff");
        assert_eq!(answer.header("referrer-policy"), "no-referrer");
        assert!(!answer.headers.contains_key("access-control-allow-origin"));
    }
}

fn body(answer: &Value) -> Value {
    answer["body"].as_str().and_then(|body| serde_json::from_str(body).ok()).expect("a JSON body")
}
