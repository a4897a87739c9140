//! A function's answer, payload format 2.0, as a response; and the gateway's own answers.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;
use serde_json::{Value, json};

/// Format 2.0 has no `multiValueHeaders`. It is not read here either: an answer that leans on it
/// would lose those headers in the cloud.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: Option<BTreeMap<String, String>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response that a client gets for this answer; 500 when it is not an answer.
pub(super) fn response(answer: Value, to_head: bool) -> Result<Response<Body>, StatusCode> {
    read(answer, to_head).ok_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn read(answer: Value, to_head: bool) -> Option<Response<Body>> {
    let answer: Answer = serde_json::from_value(answer).ok()?;
    let body = answer.body.unwrap_or_default();
    let bytes =
        if answer.is_base64_encoded { BASE64_STANDARD.decode(body).ok()? } else { body.into() };
    let mut response = Response::new(if to_head { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let headers = response.headers_mut();
    put_headers(headers, answer.headers.unwrap_or_default())?;
    for cookie in answer.cookies.unwrap_or_default() {
        headers.append(header::SET_COOKIE, HeaderValue::from_str(&cookie).ok()?);
    }
    // Only an answer to HEAD has a length that is not that of its body; the server counts others.
    if !to_head {
        headers.remove(header::CONTENT_LENGTH);
    }
    Some(response)
}

fn put_headers(headers: &mut HeaderMap, given: BTreeMap<String, String>) -> Option<()> {
    for (name, value) in given {
        let name = HeaderName::try_from(name).ok()?;
        // How long the connection lives and how bytes travel on it is not the function's to say.
        if ![header::CONNECTION, header::TRANSFER_ENCODING].contains(&name) {
            headers.insert(name, HeaderValue::from_bytes(value.as_bytes()).ok()?);
        }
    }
    Some(())
}

/// What an HTTP API says when the function is not asked, or says nothing that can be passed on.
pub(super) fn refusal(status: StatusCode) -> Response<Body> {
    let message = match status {
        StatusCode::PAYLOAD_TOO_LARGE => "Request Entity Too Large",
        other => other.canonical_reason().unwrap_or_default(),
    };
    let mut response = Response::new(Body::from(json!({ "message": message }).to_string()));
    *response.status_mut() = status;
    let json = HeaderValue::from_static("application/json");
    response.headers_mut().insert(header::CONTENT_TYPE, json);
    response
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::{Response, StatusCode},
    };
    use serde_json::json;

    use super::{refusal, response};

    async fn body(response: Response<Body>) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    #[tokio::test]
    async fn is_passed_on_with_headers_and_cookies() {
        let answer = json!({
            "statusCode": 201,
            "headers": { "content-type": "application/json", "content-length": "99" },
            "multiValueHeaders": {},
            "cookies": ["a=1", "b=2"],
            "body": "{}",
            "isBase64Encoded": false,
        });

        let response = response(answer, false).unwrap();

        assert_eq!(response.status(), 201);
        assert_eq!(response.headers()["content-type"], "application/json");
        assert!(!response.headers().contains_key("content-length"));
        assert_eq!(response.headers().get_all("set-cookie").iter().count(), 2);
        assert_eq!(body(response).await, b"{}");
    }

    #[tokio::test]
    async fn may_be_bytes_or_nothing() {
        let bytes = json!({ "statusCode": 200, "body": "/wA=", "isBase64Encoded": true });
        assert_eq!(body(response(bytes, false).unwrap()).await, [0xff, 0x00]);

        let nothing = json!({ "statusCode": 204, "headers": null, "cookies": null, "body": null });
        assert_eq!(body(response(nothing, false).unwrap()).await, b"");
    }

    #[test]
    fn keeps_the_length_that_head_asks_for() {
        let answer = json!({ "statusCode": 200, "headers": { "content-length": "99" } });

        assert_eq!(response(answer, true).unwrap().headers()["content-length"], "99");
    }

    #[tokio::test]
    async fn is_an_internal_error_when_it_cannot_be_passed_on() {
        for answer in [
            json!(null),
            json!({}),
            json!({ "statusCode": 99 }),
            json!({ "statusCode": 200, "headers": { "a b": "c" } }),
            json!({ "statusCode": 200, "headers": { "a": "b\nc" } }),
            json!({ "statusCode": 200, "body": "?", "isBase64Encoded": true }),
        ] {
            let status = response(answer.clone(), false).map(drop).unwrap_err();
            assert_eq!(status, StatusCode::INTERNAL_SERVER_ERROR, "{answer}");
        }
        let told = refusal(StatusCode::INTERNAL_SERVER_ERROR);
        assert_eq!(body(told).await, br#"{"message":"Internal Server Error"}"#);
        let told = refusal(StatusCode::PAYLOAD_TOO_LARGE);
        assert_eq!(body(told).await, br#"{"message":"Request Entity Too Large"}"#);
    }
}
