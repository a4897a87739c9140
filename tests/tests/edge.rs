//! Whatever AWS hands over, and whatever it may hand over one day: an answer comes out.

use models::{Ambient, Timestamp};
use serde_json::{Value, json};
use tests::{World, aws_events, event};

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
