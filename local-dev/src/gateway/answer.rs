//! A function's answer, in the shape of each source, as a response.

use std::collections::BTreeMap;

use axum::{
    body::Body,
    http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode, header},
};
use base64::{Engine, prelude::BASE64_STANDARD};
use serde::Deserialize;

use super::Source;

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Answer {
    status_code: u16,
    headers: Option<BTreeMap<String, String>>,
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    cookies: Option<Vec<String>>,
    body: Option<String>,
    #[serde(default)]
    is_base64_encoded: bool,
}

/// The response that a client gets for this answer; none when it is not an answer.
pub(super) fn response(source: Source, answer: &str, to_head: bool) -> Option<Response<Body>> {
    let mut answer: Answer = serde_json::from_str(answer).ok()?;
    let body = answer.body.take().unwrap_or_default();
    let bytes =
        if answer.is_base64_encoded { BASE64_STANDARD.decode(body).ok()? } else { body.into() };
    let mut response = Response::new(if to_head { Body::empty() } else { Body::from(bytes) });
    *response.status_mut() = StatusCode::from_u16(answer.status_code).ok()?;
    let headers = response.headers_mut();
    for (name, value) in answer.pairs(source) {
        put(headers, source, &name, &value)?;
    }
    // Only an answer to HEAD has a length that is not that of its body; the server counts others.
    if !to_head {
        headers.remove(header::CONTENT_LENGTH);
    }
    Some(response)
}

impl Answer {
    /// The headers that this source reads. What it does not read is not read here either: an
    /// answer that leans on it would lose those headers in the cloud.
    fn pairs(self, source: Source) -> Vec<(String, String)> {
        let single = self.headers.unwrap_or_default();
        let multiple = self.multi_value_headers.unwrap_or_default();
        match source {
            Source::HttpApi | Source::FunctionUrl => {
                let cookies = self.cookies.unwrap_or_default().into_iter();
                let cookies = cookies.map(|cookie| (header::SET_COOKIE.to_string(), cookie));
                single.into_iter().chain(cookies).collect()
            }
            Source::RestApi => {
                let alone = single.into_iter().filter(|(name, _)| !multiple.contains_key(name));
                alone.collect::<Vec<_>>().into_iter().chain(flat(multiple)).collect()
            }
            Source::Alb => single.into_iter().collect(),
            Source::AlbMultiValue => flat(multiple).collect(),
        }
    }
}

fn flat(multiple: BTreeMap<String, Vec<String>>) -> impl Iterator<Item = (String, String)> {
    let each = |(name, values): (String, Vec<String>)| {
        values.into_iter().map(move |value| (name.clone(), value))
    };
    multiple.into_iter().flat_map(each)
}

fn put(headers: &mut HeaderMap, source: Source, name: &str, value: &str) -> Option<()> {
    let name = HeaderName::try_from(name).ok()?;
    // How long the connection lives and how bytes travel on it is not the function's to say.
    if ![header::CONNECTION, header::TRANSFER_ENCODING].contains(&name) {
        let value = HeaderValue::from_bytes(value.as_bytes()).ok()?;
        headers.append(renamed(source, name), value);
    }
    Some(())
}

/// REST APIs and function URLs give a client no `WWW-Authenticate`, only this.
fn renamed(source: Source, name: HeaderName) -> HeaderName {
    match source {
        Source::RestApi | Source::FunctionUrl if name == header::WWW_AUTHENTICATE => {
            HeaderName::from_static("x-amzn-remapped-www-authenticate")
        }
        _ => name,
    }
}

#[cfg(test)]
mod tests {
    use axum::{
        body::{Body, to_bytes},
        http::Response,
    };
    use serde_json::{Value, json};

    use super::{Source, response};

    fn read(source: Source, answer: &Value) -> Option<Response<Body>> {
        response(source, &answer.to_string(), false)
    }

    async fn body(response: Response<Body>) -> Vec<u8> {
        to_bytes(response.into_body(), usize::MAX).await.unwrap().to_vec()
    }

    /// The headers by name, in the order of their values.
    fn headers(source: Source, answer: &Value) -> Vec<(String, String)> {
        let response = read(source, answer).unwrap();
        let mut pairs: Vec<_> = response
            .headers()
            .iter()
            .map(|(name, value)| (name.to_string(), value.to_str().unwrap().to_owned()))
            .collect();
        pairs.sort();
        pairs
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn has_the_headers_that_its_source_reads() {
        let answer = json!({
            "statusCode": 401,
            "headers": { "a": "1", "b": "2", "www-authenticate": "Bearer", "connection": "x" },
            "multiValueHeaders": { "a": ["3", "4"], "set-cookie": ["c=1", "d=2"] },
            "cookies": ["e=1", "f=2"],
            "body": "{}",
            "isBase64Encoded": false,
        });
        let challenge = ("www-authenticate", "Bearer");
        let remapped = ("x-amzn-remapped-www-authenticate", "Bearer");
        let cookies = [("set-cookie", "e=1"), ("set-cookie", "f=2")];
        let [c, d] = [("set-cookie", "c=1"), ("set-cookie", "d=2")];

        for (source, expected) in [
            (Source::HttpApi, vec![("a", "1"), ("b", "2"), cookies[0], cookies[1], challenge]),
            (Source::FunctionUrl, vec![("a", "1"), ("b", "2"), cookies[0], cookies[1], remapped]),
            (Source::RestApi, vec![("a", "3"), ("a", "4"), ("b", "2"), c, d, remapped]),
            (Source::Alb, vec![("a", "1"), ("b", "2"), challenge]),
            (Source::AlbMultiValue, vec![("a", "3"), ("a", "4"), c, d]),
        ] {
            assert_eq!(headers(source, &answer), pairs(&expected), "{source:?}");
        }
    }

    #[tokio::test]
    async fn may_be_text_or_bytes_or_nothing() {
        for source in [Source::HttpApi, Source::RestApi, Source::FunctionUrl, Source::Alb] {
            let text =
                json!({ "statusCode": 201, "headers": { "content-length": "9" }, "body": "é" });
            let text = read(source, &text).unwrap();
            assert_eq!(text.status(), 201);
            assert!(!text.headers().contains_key("content-length"));
            assert_eq!(body(text).await, "é".as_bytes());

            let bytes = json!({ "statusCode": 200, "body": "/wA=", "isBase64Encoded": true });
            assert_eq!(body(read(source, &bytes).unwrap()).await, [0xff, 0x00]);

            let nothing = json!({ "statusCode": 204, "headers": null, "body": null });
            assert_eq!(body(read(source, &nothing).unwrap()).await, b"");
        }
    }

    #[test]
    fn keeps_the_length_that_head_asks_for() {
        let answer = json!({ "statusCode": 200, "headers": { "content-length": "99" } });

        let response = response(Source::HttpApi, &answer.to_string(), true).unwrap();

        assert_eq!(response.headers()["content-length"], "99");
    }

    #[test]
    fn is_nothing_that_cannot_be_passed_on() {
        for answer in [
            json!(null),
            json!({}),
            json!({ "statusCode": 99 }),
            json!({ "statusCode": 200, "headers": { "a b": "c" } }),
            json!({ "statusCode": 200, "headers": { "a": "b\nc" } }),
            json!({ "statusCode": 200, "body": "?", "isBase64Encoded": true }),
        ] {
            assert!(read(Source::HttpApi, &answer).is_none(), "{answer}");
        }
    }
}
