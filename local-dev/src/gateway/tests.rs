//! The five gateways in front of one app.

use api::{App, Web};
use auth::SigningKey;
use axum::{
    body::{Body, to_bytes},
    http::{Request, Response},
};
use models::{
    Ambient, Timestamp,
    platform::config::Config,
    store::{Connection, Store},
};

use super::{Front, Gateway, Source};

const SOURCES: [Source; 5] =
    [Source::HttpApi, Source::RestApi, Source::FunctionUrl, Source::Alb, Source::AlbMultiValue];

/// An app without routes, on a store that nobody asks.
fn gateway() -> Gateway {
    let ambient = Ambient::fixed(Timestamp::from_unix_millis(1_795_365_000_007), 7);
    let connection = Connection::embedded("http://127.0.0.1:1", "landline");
    let auth = auth::Settings::new("http://localhost:3000", "landline", SigningKey::generate());
    let store = Store::connect(connection, ambient.clone());
    Gateway::new(
        App::with_modules(Vec::new(), auth, Web::default(), Config::default(), store),
        ambient,
    )
}

async fn send(gateway: &Gateway, request: Request<Body>) -> (u16, String) {
    let peer = "192.0.2.7:5000".parse().unwrap();
    read(gateway.forward(request, peer).await).await
}

/// Status and body; the request's id, which is new each time, is left out.
async fn read(response: Response<Body>) -> (u16, String) {
    let (parts, body) = response.into_parts();
    let body = to_bytes(body, usize::MAX).await.unwrap();
    let text = String::from_utf8(body.to_vec()).unwrap();
    let (text, _) = text.split_once(r#","requestId""#).unwrap_or((&text, ""));
    (parts.status.as_u16(), text.to_owned())
}

fn get(path: &str) -> Request<Body> {
    Request::get(path).body(Body::empty()).unwrap()
}

#[tokio::test]
async fn answer_alike_to_every_path() {
    let gateway = gateway();
    for (path, code) in [
        ("/", "not_found"),
        ("/v1/a%2Fb", "not_found"),
        ("/v1/a%23b", "not_found"),
        ("/v1/a%2523", "not_found"),
        ("/v1/a+b%20c", "not_found"),
        ("/v1/%C3%A4", "not_found"),
        ("/v1/...", "not_found"),
        ("/v1//a", "malformed_path"),
        ("/v1/a/", "malformed_path"),
        ("/v1/../a", "malformed_path"),
        ("/v1/%2e%2E/a", "malformed_path"),
        ("/v1/a%5Cb", "malformed_path"),
        ("/v1/a%09b", "malformed_path"),
        ("/v1/%00", "malformed_path"),
        ("/v1/%ff", "malformed_path"),
        ("/v1/%zz", "malformed_path"),
        ("/v1/a%", "malformed_path"),
    ] {
        let expected = send(&gateway, get(path)).await;
        assert!(expected.1.contains(code), "{path}: {}", expected.1);
        for source in SOURCES {
            let front = Front::from(source);
            let path = format!("{}{path}", front.base());
            let answer = send(&gateway.clone().behind(front), get(&path)).await;
            assert_eq!(answer, expected, "{source:?} {path}");
        }
    }
}

#[tokio::test]
async fn answer_alike_at_a_stage() {
    let beta = Front::new(Source::HttpApi, Some("beta")).unwrap();
    let gateway = gateway();
    let expected = send(&gateway, get("/v1/x%2Fy")).await;

    let answer = send(&gateway.clone().behind(beta.clone()), get("/beta/v1/x%2Fy")).await;

    assert_eq!(answer, expected);
    let refusal = (404, r#"{"message":"Not Found"}"#.to_owned());
    assert_eq!(send(&gateway.clone().behind(beta), get("/v1/x")).await, refusal);
    let refusal = (403, r#"{"message":"Forbidden"}"#.to_owned());
    assert_eq!(send(&gateway.behind(Source::RestApi), get("/v1/x")).await, refusal);
}

#[tokio::test]
async fn refuse_what_is_too_large() {
    let mib = 1024 * 1024;
    for (source, size, status) in [
        (Source::HttpApi, 4 * mib, 404),
        (Source::HttpApi, 5 * mib, 413),
        (Source::HttpApi, 10 * mib + 1, 413),
        (Source::RestApi, 4 * mib, 404),
        (Source::RestApi, 5 * mib, 413),
        (Source::RestApi, 10 * mib + 1, 413),
        (Source::FunctionUrl, 4 * mib, 404),
        (Source::FunctionUrl, 5 * mib, 413),
        (Source::Alb, mib, 404),
        (Source::Alb, mib + 1, 413),
    ] {
        let front = Front::from(source);
        let path = format!("{}/x", front.base());
        let request = Request::post(path).body(Body::from(vec![0xff; size])).unwrap();
        let answer = send(&gateway().behind(front), request).await;
        assert_eq!(answer.0, status, "{source:?} {size} {}", answer.1);
    }
}

#[tokio::test]
async fn refuse_headers_that_are_too_large() {
    for (source, status) in [
        (Source::HttpApi, 431),
        (Source::RestApi, 431),
        (Source::FunctionUrl, 404),
        (Source::AlbMultiValue, 400),
    ] {
        let front = Front::from(source);
        let request = Request::get(format!("{}/x", front.base()));
        let request = request.header("x", "y".repeat(16_400)).body(Body::empty()).unwrap();
        assert_eq!(send(&gateway().behind(front), request).await.0, status, "{source:?}");
    }
}

#[test]
fn hand_on_a_deadline_each() {
    for (source, seconds) in [
        (Source::HttpApi, 30),
        (Source::RestApi, 29),
        (Source::FunctionUrl, 900),
        (Source::Alb, 900),
    ] {
        let gateway = gateway().behind(source);
        let (parts, _) = get("/x").into_parts();
        let peer = "192.0.2.7:5000".parse().unwrap();
        let event = gateway.event(source.limits(), &parts, &"".into(), peer).unwrap();
        assert_eq!(event.context.deadline, 1_795_365_000_007 + seconds * 1000);
    }
}
