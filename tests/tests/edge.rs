//! Whatever AWS hands over, and whatever it may hand over one day: an answer comes out.

use api::Web;
use models::{Ambient, Timestamp};
use serde_json::{Value, json};
use tests::{Setup, World, aws_events, event};

/// What a program sees that invokes the function with something that is no request.
const NOT_HTTP: &str = "not_an_http_event";

mod invoke {
    use super::*;

    #[tokio::test]
    async fn answers_every_sample_event_of_aws() {
        let world = World::new().await;

        for (name, event) in aws_events() {
            let Ok(event) = serde_json::from_str::<Value>(&event) else { continue };
            let answer = world.invoke(event.clone()).await;

            let status = answer["statusCode"].as_u64().unwrap();
            assert!((200..500).contains(&status), "{name}: {answer}");
            let refused = answer["body"].as_str().unwrap().contains(NOT_HTTP);
            assert_eq!(refused, !is_request(&event), "{name}: {answer}");
        }
    }

    #[tokio::test]
    async fn says_what_it_expected_instead_of_something_else() {
        let world = World::new().await;
        let somethings =
            [json!({}), json!([]), json!(null), json!("GET /"), json!({"Records": []})];

        for event in somethings {
            let answer = world.invoke(event).await;

            assert_eq!(answer["statusCode"], 400);
            let body: Value = serde_json::from_str(answer["body"].as_str().unwrap()).unwrap();
            assert_eq!(body["code"], NOT_HTTP);
            assert!(body["detail"].as_str().unwrap().contains("API Gateway"), "{body}");
        }
    }

    /// `LANDLINE_CASES` says how many; each case is the seed of its own damage.
    #[tokio::test]
    async fn survives_events_whose_fields_are_gone_or_of_another_type() {
        let cases = std::env::var("LANDLINE_CASES").ok().and_then(|cases| cases.parse().ok());
        let world = World::new().await;
        let whole = whole_events();

        for seed in 0..cases.unwrap_or(10_000) {
            let chance = Ambient::fixed(Timestamp::from_unix_millis(0), seed);
            let mut event = whole[below(&chance, whole.len())].clone();
            for _ in 0..=below(&chance, 4) {
                damage(&mut event, &chance);
            }
            let answer = world.invoke(event.clone()).await;

            let status = answer["statusCode"].as_u64().unwrap();
            assert!((200..500).contains(&status), "seed {seed}: {event}\n{answer}");
        }
    }
}

/// A request without a body from every source, by the name of the source.
fn from_every_source(method: &str, sent: &str, decoded: &str) -> [(&'static str, Value); 5] {
    [
        ("an HTTP API", event::http_api(method, decoded, "")),
        ("a function URL", event::function_url(method, sent)),
        ("a REST API", event::rest_api(method, sent)),
        ("a load balancer", event::load_balancer(method, sent, false)),
        ("one with multi-value headers", event::load_balancer(method, sent, true)),
    ]
}

mod headers {
    use serde_json::Map;

    use super::*;

    #[tokio::test]
    async fn may_be_too_many_and_then_the_request_is_malformed() {
        let world = World::new().await;
        let names = || (0..30_000).map(|number| format!("x-{number}"));
        let single: Map<_, _> = names().map(|name| (name, json!("1"))).collect();
        let multiple: Map<_, _> = names().map(|name| (name, json!(["1", "2"]))).collect();

        for (source, mut event) in from_every_source("GET", "/health", "/health") {
            if event["multiValueHeaders"].is_object() {
                event["multiValueHeaders"] = json!(multiple);
            } else {
                event["headers"] = json!(single);
            }

            let answer = world.deliver(event).await;

            let id = answer.header("x-request-id");
            let expected = json!({
                "type": "urn:landline:problem:malformed_request",
                "title": "The request is malformed",
                "status": 400,
                "code": "malformed_request",
                "detail": "There are too many headers.",
                "requestId": id,
            });
            assert_eq!(answer.json(), expected, "{source}");
            assert_eq!(answer.status, 400, "{source}");
        }
    }

    #[tokio::test]
    async fn are_found_beside_empty_multiple_ones() {
        let world = World::new().await;
        let maya = world.maya().await;
        let token = format!("Bearer {}", maya.token());

        for (source, mut event) in from_every_source("GET", "/v1/account", "/v1/account") {
            for none in [json!({}), json!(null), json!([]), json!("none")] {
                event["headers"] = json!({ "Authorization": token, "X-Request-Id": "test" });
                event["multiValueHeaders"] = none.clone();

                let answer = world.deliver(event.clone()).await.expect(200);

                assert_eq!(answer.json(), maya.signed_in["account"], "{source} with {none}");
                assert_eq!(answer.header("x-request-id"), "test", "{source} with {none}");
            }
        }
    }
}

mod a_base_path {
    use super::*;

    async fn world(base_path: &str) -> World {
        let web = Web { base_path: base_path.to_owned(), ..Web::default() };
        World::with(Setup { web, ..Setup::default() }).await
    }

    /// Not `deliver`: the spec knows the paths below the base path.
    async fn status(world: &World, event: Value) -> u16 {
        event::answer(&world.invoke(event).await).status.as_u16()
    }

    #[tokio::test]
    async fn is_taken_off_alike_whatever_the_source() {
        let world = world("/api").await;

        for (sent, decoded, expected) in [
            ("/api/health", "/api/health", 200),
            ("/%61pi/health", "/api/health", 200),
            ("/api%2Fhealth", "/api/health", 200),
            ("/api/%68ealth", "/api/health", 200),
            ("/health", "/health", 200),
            ("/api", "/api", 404),
            ("/api/api/health", "/api/api/health", 404),
            ("/apiary/health", "/apiary/health", 404),
            ("/API/health", "/API/health", 404),
            ("/ap/health", "/ap/health", 404),
            ("/api//health", "/api//health", 400),
            ("/api/", "/api/", 400),
            ("/api/../health", "/api/../health", 400),
            ("/api/%2e%2e/health", "/api/../health", 400),
        ] {
            for (source, event) in from_every_source("GET", sent, decoded) {
                assert_eq!(status(&world, event).await, expected, "{sent} from {source}");
            }
        }
    }

    #[tokio::test]
    async fn may_have_more_than_one_segment() {
        let world = world("/api/v7").await;

        for (path, expected) in
            [("/api/v7/health", 200), ("/api/health", 404), ("/api/v70/health", 404)]
        {
            for (source, event) in from_every_source("GET", path, path) {
                assert_eq!(status(&world, event).await, expected, "{path} from {source}");
            }
        }
    }

    /// An event of an HTTP API's stage, at the API's own domain or at one of ours.
    fn at_a_stage(stage: &str, path: &str, domain: Option<&str>) -> Value {
        let mut event = event::http_api("GET", path, "");
        event["requestContext"]["stage"] = json!(stage);
        if let Some(domain) = domain {
            event["requestContext"]["domainName"] = json!(domain);
        }
        event
    }

    #[tokio::test]
    async fn is_below_a_stage_that_may_be_named_alike() {
        let (based, plain) = (world("/api").await, world("").await);
        let ours = Some("example.com");

        for (world, stage, path, domain, expected) in [
            (&based, "api", "/api/api/health", None, 200),
            (&based, "api", "/api/health", None, 200),
            (&based, "api", "/api/api/api/health", None, 404),
            (&based, "api", "/api/health", ours, 200),
            (&based, "api", "/api/api/health", ours, 404),
            (&plain, "api", "/api/health", None, 200),
            (&plain, "api", "/api/health", ours, 404),
            (&plain, "health", "/health/health", None, 200),
            (&plain, "health", "/health", None, 404),
            (&plain, "health", "/health", ours, 200),
            (&plain, "heal", "/heal/health", None, 200),
            (&plain, "heal", "/health", None, 200),
        ] {
            let named = format!("{path} at the stage {stage}, {domain:?}");

            assert_eq!(status(world, at_a_stage(stage, path, domain)).await, expected, "{named}");
        }
    }

    /// A REST API leaves its stage out of `path`.
    #[tokio::test]
    async fn is_not_mistaken_for_the_stage_of_a_rest_api() {
        let world = world("").await;
        let mut event = event::rest_api("GET", "/health");
        event["requestContext"]["stage"] = json!("health");
        event["requestContext"]["path"] = json!("/health/health");

        assert_eq!(status(&world, event).await, 200);
        assert_eq!(status(&world, event::rest_api("GET", "/prod/health")).await, 404);
    }
}

/// The rule in words: an HTTP method is said, where its source says it.
fn is_request(event: &Value) -> bool {
    event["httpMethod"].is_string() || event["requestContext"]["http"].is_object()
}

fn whole_events() -> Vec<Value> {
    let mut events: Vec<_> = aws_events()
        .into_iter()
        .filter_map(|(_, event)| serde_json::from_str(&event).ok())
        .filter(is_request)
        .collect();
    events.push(event::http_api("POST", "/v1/notes", "limit=1"));
    events.push(event::function_url("GET", "/health"));
    events.push(event::rest_api("PATCH", "/v1/account"));
    events.push(event::load_balancer("DELETE", "/v1/notes/1", true));
    events.push(event::load_balancer("HEAD", "/health", false));
    events
}

/// Drop, null, retype or fill one value somewhere in the event.
fn damage(value: &mut Value, chance: &Ambient) {
    let deeper = below(chance, 4) > 0;
    match value {
        Value::Object(fields) if !fields.is_empty() => {
            let place = below(chance, fields.len());
            let name = fields.keys().nth(place).cloned().unwrap_or_default();
            if deeper {
                damage(&mut fields[&name], chance);
            } else {
                fields.remove(&name);
            }
        }
        Value::Array(items) if !items.is_empty() && deeper => {
            let place = below(chance, items.len());
            damage(&mut items[place], chance);
        }
        _ => *value = junk(chance),
    }
}

fn junk(chance: &Ambient) -> Value {
    let junk = [
        json!(null),
        json!(true),
        json!(-1),
        json!(1e300),
        json!([]),
        json!({}),
        json!(["a", 1, null]),
        json!({"a": {"b": []}}),
        json!(""),
        json!("a^b"),
        json!("%zz"),
        json!("h:abc"),
        json!("http, https"),
        json!("/a b\"<>\0?#%"),
        json!("=&;%00+\u{feff}"),
        json!("\u{202e}\u{1f4a9}"),
        json!("/".repeat(5000)),
        json!("x".repeat(70_000)),
        json!("../../../etc"),
        json!("GET\r\nX: 1"),
    ];
    junk[below(chance, junk.len())].clone()
}

fn below(chance: &Ambient, end: usize) -> usize {
    let number = u64::from_be_bytes(chance.random());
    usize::try_from(number % end as u64).expect("below a length")
}
