//! Local equals cloud: one script of requests through the plain router, through the gateway of
//! every source, and over TCP, answered the same to the byte.
//!
//! What differs because a source loses it before the app sees the request is not in the script,
//! and stands in `docs/gateways.md`: `%3F` in a path (an HTTP API cuts there), a repeated
//! parameter (a load balancer without multi-value headers keeps the last), broken percent-encoding
//! in a query (a REST API has decoded it), a body over 1 MiB (a load balancer refuses it), and the
//! name of `WWW-Authenticate` (a REST API and a function URL rename it).

use std::{collections::BTreeMap, net::Ipv4Addr};

use http::Method;
use local_dev::{Gateway, Mailbox, Source, serve};
use models::{Ambient, Timestamp};
use serde_json::{Value, json};
use tests::{Answer, Client, Door, World};
use tokio::{net::TcpListener, sync::oneshot};

/// The headers that an app or a page may look at.
const HEADERS: [&str; 12] = [
    "access-control-allow-origin",
    "allow",
    "cache-control",
    "content-security-policy",
    "content-type",
    "location",
    "referrer-policy",
    "retry-after",
    "strict-transport-security",
    "vary",
    "x-content-type-options",
    "x-request-id",
];

/// A request of the script. `{words}` are what earlier answers said.
struct Step {
    method: &'static str,
    path: String,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    /// Whether only the edge can answer it as the app does: the plain router has no path rule.
    edge_only: bool,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_way_in_gives_the_same_answers() {
    let script = script();
    assert!(script.len() >= 200, "the script has {} requests", script.len());
    let sources =
        [Source::HttpApi, Source::RestApi, Source::FunctionUrl, Source::Alb, Source::AlbMultiValue];

    let over_tcp = over_tcp(&script).await;
    let by_router = play(&script, |world| Door::Router(world.app().router()), "").await;
    let mut by_source = Vec::new();
    for source in sources {
        let base = if source == Source::RestApi { "/prod" } else { "" };
        let door = |world: &World| Door::InProcess(gateway(world).behind(source));
        by_source.push((source, play(&script, door, base).await));
    }

    for (place, step) in script.iter().enumerate() {
        let named = format!("{place}: {} {:.100}", step.method, step.path);
        for (source, answers) in &by_source {
            assert_eq!(answers[place], over_tcp[place], "{named} behind {source:?}");
        }
        if !step.edge_only {
            assert_eq!(by_router[place], over_tcp[place], "{named} at the router");
        }
    }
}

/// A gateway with a clock and ids of its own, so that the app draws the same ids behind each.
fn gateway(world: &World) -> Gateway {
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_000), 99);
    Gateway::new(world.app().clone(), ambient)
}

async fn over_tcp(script: &[Step]) -> Vec<Value> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    let world = World::new().await;
    let (stop, stopped) = oneshot::channel::<()>();
    let server = tokio::spawn(serve(
        vec![listener],
        gateway(&world),
        Mailbox::of(None, world.ambient().clone()).into(),
        async {
            drop(stopped.await);
        },
    ));

    let answers = play_in(&world, script, &Door::Http(address), "").await;

    drop(stop);
    server.await.expect("serving does not panic");
    answers
}

async fn play(script: &[Step], door: impl Fn(&World) -> Door, base: &str) -> Vec<Value> {
    let world = World::new().await;
    let door = door(&world);
    play_in(&world, script, &door, base).await
}

async fn play_in(world: &World, script: &[Step], door: &Door, base: &str) -> Vec<Value> {
    let client = world.anonymous().at(door.clone());
    let mut words = BTreeMap::new();
    let mut answers = Vec::new();
    for step in script {
        world.advance(std::time::Duration::from_millis(7));
        let answer = send(&client, step, base, &words).await;
        learn(&mut words, &answer);
        answers.push(shown(&answer));
    }
    answers
}

async fn send(
    client: &Client,
    step: &Step,
    base: &str,
    words: &BTreeMap<&'static str, String>,
) -> Answer {
    let fill = |text: &str| {
        words.iter().fold(text.to_owned(), |text, (word, said)| text.replace(word, said))
    };
    let method = Method::from_bytes(step.method.as_bytes()).expect("a method");
    let mut request = client.request(method, format!("{base}{}", fill(&step.path)));
    for (name, value) in &step.headers {
        request = request.without(name).header(name, fill(value));
    }
    let body = match std::str::from_utf8(&step.body) {
        Ok(text) => fill(text).into_bytes(),
        Err(_) => step.body.clone(),
    };
    request.body(body).unspecified().await
}

/// What later requests may say.
fn learn(words: &mut BTreeMap<&'static str, String>, answer: &Answer) {
    let Ok(body) = serde_json::from_slice::<Value>(&answer.body) else { return };
    for (word, pointer) in [
        ("{token}", "/tokens/accessToken"),
        ("{refresh}", "/tokens/refreshToken"),
        ("{session}", "/session/id"),
        ("{cursor}", "/nextCursor"),
    ] {
        if let Some(said) = body.pointer(pointer).and_then(Value::as_str) {
            words.insert(word, said.to_owned());
        }
    }
    if body.get("title").is_some() && body.get("tags").is_some() {
        words.insert("{note}", body["id"].as_str().unwrap_or_default().to_owned());
    }
}

/// The answer, whole but for signatures: ES256 draws new ones each time.
fn shown(answer: &Answer) -> Value {
    let mut text = answer.text();
    if let Some(token) = answer.json_or_null().pointer("/tokens/accessToken") {
        text = text.replace(token.as_str().unwrap_or_default(), "<signed>");
    }
    let headers: BTreeMap<_, _> =
        HEADERS.iter().map(|name| (*name, answer.header(name).to_owned())).collect();
    json!({ "status": answer.status.as_u16(), "headers": headers, "body": text })
}

fn script() -> Vec<Step> {
    let mut script = the_story();
    script.extend(odd_paths());
    script.extend(odd_queries());
    script.extend(odd_bodies());
    script.extend(odd_headers());
    script.extend(wrong_methods());
    script.extend(the_end());
    script
}

fn step(method: &'static str, path: impl Into<String>) -> Step {
    Step { method, path: path.into(), headers: Vec::new(), body: Vec::new(), edge_only: false }
}

impl Step {
    fn signed_in(self) -> Self {
        self.header("authorization", "Bearer {token}")
    }

    fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    fn json(self, body: Value) -> Self {
        self.body(body.to_string())
    }

    fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self.header("content-type", "application/json")
    }

    fn edge_only(mut self) -> Self {
        self.edge_only = true;
        self
    }
}

/// Every operation, well and badly.
fn the_story() -> Vec<Step> {
    let maya =
        json!({"email": "maya@example.com", "password": "correct horse", "displayName": "Maya"});
    let sign_in = json!({"email": "MAYA@example.com", "password": "correct horse"});
    let mut story = vec![
        step("GET", "/health"),
        step("HEAD", "/health"),
        step("GET", "/.well-known/jwks.json"),
        step("POST", "/v1/accounts").json(maya.clone()),
        step("POST", "/v1/accounts").json(maya),
        step("GET", "/v1/account").signed_in(),
        step("GET", "/v1/account"),
        step("PATCH", "/v1/account")
            .signed_in()
            .json(json!({"displayName": "Maya the Great é 💡"})),
        step("PATCH", "/v1/account").signed_in().json(json!({"displayName": ""})),
        step("PATCH", "/v1/account").signed_in().json(json!({"displayName": null})),
        step("POST", "/v1/sessions").json(sign_in),
        step("POST", "/v1/sessions")
            .json(json!({"email": "maya@example.com", "password": "wrong"})),
        step("POST", "/v1/sessions")
            .json(json!({"email": "nobody@example.com", "password": "wrong"})),
        step("GET", "/v1/sessions").signed_in(),
        step("GET", "/v1/sessions?limit=1").signed_in(),
        step("POST", "/v1/sessions/refresh").json(json!({"refreshToken": "{refresh}"})),
        step("POST", "/v1/sessions/refresh").json(json!({"refreshToken": "nonsense"})),
        step("GET", "/v1/notes").header("authorization", "Bearer nonsense"),
        step("GET", "/v1/notes").header("authorization", "Basic bWF5YTo="),
        step("GET", "/v1/notes").signed_in(),
    ];
    for number in 1..=25 {
        let tags = if number % 2 == 0 { json!(["even", "ü"]) } else { json!([]) };
        let note = json!({"title": format!("Note {number}"), "tags": tags, "pinned": number == 3});
        story.push(step("POST", "/v1/notes").signed_in().json(note));
    }
    story.extend([
        step("GET", "/v1/notes?limit=10").signed_in(),
        step("GET", "/v1/notes?limit=10&cursor={cursor}").signed_in(),
        step("GET", "/v1/notes?limit=10&cursor={cursor}").signed_in(),
        step("GET", "/v1/notes?tag=even&limit=5").signed_in(),
        step("GET", "/v1/notes?tag=%C3%BC&limit=5").signed_in(),
        step("GET", "/v1/notes?cursor={cursor}&tag=even").signed_in(),
        step("GET", "/v1/notes?cursor={cursor}").signed_in(),
        step("GET", "/v1/notes/{note}").signed_in(),
        step("HEAD", "/v1/notes/{note}").signed_in(),
        step("GET", "/v1/notes/{note}"),
        step("PATCH", "/v1/notes/{note}")
            .signed_in()
            .json(json!({"body": "line\nline\t\"quoted\""})),
        step("PATCH", "/v1/notes/{note}").signed_in().json(json!({"colour": "pink", "tags": []})),
        step("PATCH", "/v1/notes/{note}").signed_in().json(json!({"colour": "mauve"})),
        step("PATCH", "/v1/notes/{note}").signed_in().json(json!({})),
    ]);
    story
}

fn odd_paths() -> Vec<Step> {
    let plain = [
        "/v1/notes/019ab3c5-7a10-7c3e-9d4f-2b8e6a1f0c5d",
        "/v1/notes/019AB3C5-7A10-7C3E-9D4F-2B8E6A1F0C5D",
        "/v1/notes/nonsense",
        "/v1/notes/a+b",
        "/v1/notes/a%20b",
        "/v1/notes/a%23b",
        "/v1/notes/a%25b",
        "/v1/notes/a%2523b",
        "/v1/notes/%C3%BC",
        "/v1/notes/a;b=c",
        "/v1/notes/a,b:c@d!$&'()*=~",
        "/v1/notes/{note}/more",
        "/v2/notes",
        "/V1/notes",
        "/v1/notes.json",
        "/",
        "/docs.html",
        "/health/more",
        "/.well-known/openid-configuration",
    ];
    let edge_only = [
        "/v1/notes/a%2Fb",
        "/v1%2Fnotes/{note}",
        "/%76%31/notes",
        "/v1/notes/",
        "//v1/notes",
        "/v1//notes",
        "/v1/./notes",
        "/v1/notes/../account",
        "/v1/notes/%2e%2e/account",
        "/v1/notes/%2E",
        "/v1/..%2F..%2Fadmin",
        "/v1/notes/a%5Cb",
        "/v1/notes/%5C..%5C",
        "/v1/notes/a%09b",
        "/v1/notes/a%00b",
        "/v1/notes/a%7Fb",
        "/v1/notes/%C2%85",
        "/v1/notes/%ff",
        "/v1/notes/%zz",
        "/v1/notes/%",
        "/v1/notes/%4",
        "/v1/notes/%ed%a0%80",
    ];
    let long = format!("/v1/notes/{}", "x".repeat(3000));
    let plain = plain.map(str::to_owned).into_iter().chain([long]);
    let plain = plain.map(|path| step("GET", path).signed_in());
    let edge_only = edge_only.map(|path| step("GET", path).signed_in().edge_only());
    let twice = |step: Step| [step];
    let deletes = ["/v1/notes/nonsense", "/v1/sessions/nonsense", "/v1/sessions/a%23b"];
    let deletes = deletes.map(|path| step("DELETE", path).signed_in());
    plain.chain(edge_only).chain(deletes).flat_map(twice).collect()
}

fn odd_queries() -> Vec<Step> {
    let queries = [
        "",
        "limit",
        "limit=",
        "limit=0",
        "limit=1",
        "limit=100",
        "limit=101",
        "limit=-1",
        "limit=1.5",
        "limit=1e2",
        "limit=%31",
        "limit=%2B1",
        "limit=abc",
        "limit=99999999999",
        "LIMIT=1",
        "unknown=1",
        "limit=1&unknown=1",
        "tag=",
        "tag=a%20b",
        "tag=a+b",
        "tag=%26",
        "tag=%3D",
        "tag=%23",
        "tag=%3F",
        "tag=%25",
        "tag=%2525",
        "tag=a/b",
        "tag=%00",
        "tag=%F0%9F%92%A1",
        "cursor=",
        "cursor=nonsense",
        "cursor=AAAA",
        "cursor=%20",
        "=1",
        "=",
    ];
    let long = format!("tag={}", "x".repeat(31));
    let longer = format!("cursor={}", "x".repeat(1001));
    let queries = queries.map(str::to_owned).into_iter().chain([long, longer]);
    queries.map(|query| step("GET", format!("/v1/notes?{query}")).signed_in()).collect()
}

fn odd_bodies() -> Vec<Step> {
    let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
    let texts = [
        "",
        "{",
        "}",
        "null",
        "[]",
        "\"text\"",
        "1",
        "{}",
        " {} ",
        "{} {}",
        "{\"title\"}",
        "{\"title\":\"a\",}",
        "{\"title\":\"a\",\"title\":\"b\"}",
        "{'title':'a'}",
        "{\"title\":1}",
        "{\"title\":null}",
        "{\"title\":\"\"}",
        "{\"title\":[\"a\"]}",
        "{\"title\":\"a\",\"unknown\":1}",
        "{\"Title\":\"a\"}",
        "{\"title\":\"a\\u0000\"}",
        "{\"title\":\"\\ud800\"}",
        "{\"title\":\"\\ud83d\\udca1\"}",
        "{\"title\":1e999}",
        "{\"title\":123456789012345678901234567890}",
        "{\"title\":\"a\",\"pinned\":\"true\"}",
        "{\"title\":\"a\",\"pinned\":1}",
        "{\"title\":\"a\",\"colour\":\"Yellow\"}",
        "{\"title\":\"a\",\"tags\":\"a\"}",
        "{\"title\":\"a\",\"tags\":[1,\"\"]}",
        "{\"title\":\"a\",\"tags\":[\"\",\"\"]}",
        "\u{feff}{}",
        "NaN",
    ];
    let made = [
        deep(127),
        deep(128),
        json!({"title": "x".repeat(200)}).to_string(),
        json!({"title": "x".repeat(201)}).to_string(),
        json!({"title": "💡".repeat(200)}).to_string(),
        json!({"title": "a", "body": "x".repeat(10_001)}).to_string(),
        json!({"title": "a", "tags": vec!["t"; 11]}).to_string(),
    ];
    let bytes: [&[u8]; 4] = [b"\xff", b"{\"title\":\"\xc3\"}", b"{\"title\":\"a\0\"}", b"\0"];
    let bodies = texts.map(|text| text.as_bytes().to_vec()).into_iter();
    let bodies = bodies.chain(made.map(String::into_bytes)).chain(bytes.map(<[u8]>::to_vec));
    bodies.map(|body| step("POST", "/v1/notes").signed_in().body(body)).collect()
}

fn odd_headers() -> Vec<Step> {
    let types = [
        "application/json; charset=utf-8",
        "application/json; charset=\"UTF-8\"",
        "application/json;charset=latin1",
        "APPLICATION/JSON",
        "text/plain",
        "application/xml",
        "application/problem+json",
        "multipart/form-data; boundary=x",
        "json",
        "",
    ];
    let types = types.map(|media| {
        let mut step = step("POST", "/v1/notes").signed_in().json(json!({"title": "Typed"}));
        step.headers.retain(|(name, _)| *name != "content-type");
        step.header("content-type", media)
    });
    let tokens = [
        "Bearer",
        "Bearer ",
        "bearer {token}",
        "BEARER {token}",
        "Bearer  {token}",
        "{token}",
        "Bearer {token}x",
        "Bearer a.b.c",
        "Bearer {refresh}",
        "Negotiate x",
        "",
    ];
    let tokens = tokens.map(|token| step("GET", "/v1/account").header("authorization", token));
    let ids = ["plain-1", "a b", "<script>", ""];
    let ids = ids.map(|id| step("GET", "/health").header("x-request-id", id));
    let others = [
        ("host", "a^b"),
        ("host", "h:abc"),
        ("x-forwarded-proto", "http, https"),
        ("x-forwarded-for", "127.0.0.1"),
        ("accept", "application/xml"),
        ("cookie", "a=b; c=d"),
        ("origin", "https://evil.example"),
    ];
    let others = others.map(|(name, value)| step("GET", "/health").header(name, value));
    types.into_iter().chain(tokens).chain(ids).chain(others).collect()
}

fn wrong_methods() -> Vec<Step> {
    let wrong = [
        ("POST", "/health"),
        ("DELETE", "/health"),
        ("OPTIONS", "/health"),
        ("PUT", "/v1/notes"),
        ("DELETE", "/v1/notes"),
        ("OPTIONS", "/v1/notes"),
        ("POST", "/v1/notes/{note}"),
        ("PUT", "/v1/notes/{note}"),
        ("GET", "/v1/accounts"),
        ("DELETE", "/v1/account"),
        ("GET", "/v1/sessions/current"),
        ("PATCH", "/v1/sessions"),
    ];
    wrong.map(|(method, path)| step(method, path).signed_in()).into_iter().collect()
}

fn the_end() -> Vec<Step> {
    vec![
        step("DELETE", "/v1/notes/{note}").signed_in(),
        step("DELETE", "/v1/notes/{note}").signed_in(),
        step("GET", "/v1/notes/{note}").signed_in(),
        step("DELETE", "/v1/sessions/{session}"),
        step("DELETE", "/v1/sessions/{session}").signed_in(),
        step("DELETE", "/v1/sessions/current").signed_in(),
        step("DELETE", "/v1/sessions/current").signed_in(),
        step("POST", "/v1/sessions/refresh").json(json!({"refreshToken": "{refresh}"})),
    ]
}
