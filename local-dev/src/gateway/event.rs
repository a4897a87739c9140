//! A request as the event of an HTTP API, payload format 2.0.

use std::{collections::BTreeMap, net::SocketAddr};

use axum::http::{HeaderMap, HeaderName, Version, header, request::Parts};
use base64::{Engine, prelude::BASE64_STANDARD};
use models::Timestamp;
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};
use time::{OffsetDateTime, macros::format_description};

/// What the gateway knows of a request besides the request.
pub(super) struct Arrival<'a> {
    pub(super) peer: SocketAddr,
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
}

/// Headers that end at the gateway, and those that reach the function in another place.
const KEPT_BACK: [HeaderName; 6] = [
    header::CONNECTION,
    header::COOKIE,
    header::EXPECT,
    header::TE,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

/// The event of this request.
pub(super) fn http_api(parts: &Parts, body: &[u8], arrival: &Arrival<'_>) -> Value {
    let context = context(parts, arrival);
    let source = context["http"]["sourceIp"].as_str().unwrap_or_default();
    let query = parts.uri.query().unwrap_or_default();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": context["http"]["path"],
        "rawQueryString": query,
        "headers": headers(&parts.headers, body.len(), source),
        "requestContext": context,
        "isBase64Encoded": false,
    });
    let cookies = cookies(&parts.headers);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(joined(form_urlencoded::parse(query.as_bytes())));
    }
    put_body(&mut event, body);
    event
}

/// What the gateway itself says of the request.
fn context(parts: &Parts, arrival: &Arrival<'_>) -> Value {
    let agent = parts.headers.get(header::USER_AGENT).map(|agent| text(agent.as_bytes()));
    json!({
        "accountId": "000000000000",
        "apiId": "local",
        "domainName": "localhost",
        "domainPrefix": "localhost",
        "http": {
            "method": parts.method.as_str(),
            "path": decoded_path(parts.uri.path()),
            "protocol": protocol(parts.version),
            "sourceIp": arrival.peer.ip().to_canonical().to_string(),
            "userAgent": agent.unwrap_or_default(),
        },
        "requestId": arrival.id,
        "routeKey": "$default",
        "stage": "$default",
        "time": common_log_time(arrival.at),
        "timeEpoch": arrival.at.unix_millis(),
    })
}

/// An HTTP API decodes the path before the function sees it, and cuts it at an encoded `?`.
///
/// No text stands for bytes that are not UTF-8, nor for a `%` that encodes nothing. A control
/// character does: the app refuses it as it refuses such a path from a source that decodes nothing.
fn decoded_path(raw: &str) -> String {
    let whole = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    match percent_decode_str(raw).decode_utf8() {
        Ok(path) if raw.split('%').skip(1).all(whole) => {
            path.split('?').next().unwrap_or_default().to_owned()
        }
        _ => format!("{raw}\0"),
    }
}

fn headers(sent: &HeaderMap, length: usize, source: &str) -> BTreeMap<String, String> {
    let passed = sent.iter().filter(|(name, _)| !KEPT_BACK.contains(name));
    let mut headers = joined(passed.map(|(name, value)| (name.as_str(), text(value.as_bytes()))));
    headers.insert("content-length".to_owned(), length.to_string());
    headers.insert("x-forwarded-proto".to_owned(), "http".to_owned());
    headers
        .entry("x-forwarded-for".to_owned())
        .and_modify(|chain| *chain = format!("{chain}, {source}"))
        .or_insert_with(|| source.to_owned());
    headers
}

/// One value per name; several are joined by commas, as the gateway does.
fn joined<K: AsRef<str>, V: AsRef<str>>(
    pairs: impl Iterator<Item = (K, V)>,
) -> BTreeMap<String, String> {
    let mut all = BTreeMap::<String, String>::new();
    for (name, value) in pairs {
        all.entry(name.as_ref().to_owned())
            .and_modify(|values| {
                values.push(',');
                values.push_str(value.as_ref());
            })
            .or_insert_with(|| value.as_ref().to_owned());
    }
    all
}

fn cookies(sent: &HeaderMap) -> Vec<String> {
    let lines = sent.get_all(header::COOKIE).iter().map(|value| text(value.as_bytes()));
    lines
        .flat_map(|line| line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>())
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

/// A header is bytes, JSON is text: what is not UTF-8 is read as Latin-1, HTTP's old default.
fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_owned())
        .unwrap_or_else(|_| value.iter().copied().map(char::from).collect())
}

fn put_body(event: &mut Value, body: &[u8]) {
    if body.is_empty() {
        return;
    }
    match str::from_utf8(body) {
        Ok(text) => event["body"] = json!(text),
        Err(_) => {
            event["body"] = json!(BASE64_STANDARD.encode(body));
            event["isBase64Encoded"] = json!(true);
        }
    }
}

fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// `22/Nov/2026:16:30:00 +0000`.
fn common_log_time(at: Timestamp) -> String {
    let format =
        format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    OffsetDateTime::from_unix_timestamp(at.unix_seconds())
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::{Request, request::Parts};
    use models::Timestamp;
    use serde_json::{Value, json};

    use super::{Arrival, http_api};

    fn event(request: Request<()>, body: &[u8]) -> Value {
        let (parts, ()): (Parts, ()) = request.into_parts();
        let at = Timestamp::from_unix_millis(1_795_365_000_007);
        let arrival = Arrival { peer: "[::ffff:192.0.2.7]:5000".parse().unwrap(), id: "r-1", at };
        http_api(&parts, body, &arrival)
    }

    fn raw_path(path: &str) -> Value {
        let event = event(Request::get(path).body(()).unwrap(), b"");
        assert_eq!(event["rawPath"], event["requestContext"]["http"]["path"]);
        event["rawPath"].clone()
    }

    #[test]
    fn is_the_event_that_an_http_api_sends() {
        let request = Request::post("/v1/notes?tag=a&tag=b+c&x=%26")
            .header("Host", "localhost:3000")
            .header("User-Agent", "curl/8")
            .header("Accept", "a/b")
            .header("Accept", "c/d")
            .header("Cookie", "one=1; two=2")
            .header("Connection", "keep-alive")
            .header("X-Forwarded-For", "203.0.113.9")
            .body(())
            .unwrap();

        let event = event(request, br#"{"title":"x"}"#);

        let expected = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/v1/notes",
            "rawQueryString": "tag=a&tag=b+c&x=%26",
            "queryStringParameters": { "tag": "a,b c", "x": "&" },
            "cookies": ["one=1", "two=2"],
            "headers": {
                "accept": "a/b,c/d",
                "content-length": "13",
                "host": "localhost:3000",
                "user-agent": "curl/8",
                "x-forwarded-for": "203.0.113.9, 192.0.2.7",
                "x-forwarded-proto": "http",
            },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "local",
                "domainName": "localhost",
                "domainPrefix": "localhost",
                "http": {
                    "method": "POST",
                    "path": "/v1/notes",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "curl/8",
                },
                "requestId": "r-1",
                "routeKey": "$default",
                "stage": "$default",
                "time": "22/Nov/2026:16:30:00 +0000",
                "timeEpoch": 1_795_365_000_007_i64,
            },
            "body": "{\"title\":\"x\"}",
            "isBase64Encoded": false,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn decodes_the_path_once_and_cuts_it_at_a_question_mark() {
        for (sent, seen) in [
            ("/v1/notes/a%2Fb", "/v1/notes/a/b"),
            ("/v1/notes/a%23b", "/v1/notes/a#b"),
            ("/v1/notes/a%3Fb/c", "/v1/notes/a"),
            ("/v1/notes/a%2523", "/v1/notes/a%23"),
            ("/v1/notes/a+b%20c", "/v1/notes/a+b c"),
            ("/v1/notes/%C3%A4", "/v1/notes/ä"),
            ("/v1//notes/../%2e", "/v1//notes/../."),
        ] {
            assert_eq!(raw_path(sent), seen, "{sent}");
        }
    }

    #[test]
    fn marks_a_path_that_cannot_be_decoded() {
        for path in ["/v1/%ff", "/v1/%zz", "/v1/%", "/v1/a%2"] {
            assert_eq!(raw_path(path), format!("{path}\0"));
        }
    }

    #[test]
    fn carries_bytes_that_are_not_text_in_base64() {
        let request = Request::post("/").header("x-old", &b"caf\xe9"[..]).body(()).unwrap();

        let event = event(request, &[0xff, 0x00]);

        assert_eq!(event["body"], "/wA=");
        assert_eq!(event["isBase64Encoded"], true);
        assert_eq!(event["headers"]["x-old"], "café");
    }
}
