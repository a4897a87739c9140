use std::collections::BTreeMap;

use axum::response::Response;
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, SET_COOKIE},
};
use http_body_util::BodyExt;
use serde::Serialize;

use super::Source;

/// An answer in the shape that the event's source expects. Fields that a source does not know
/// are absent.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Answer {
    status_code: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    status_description: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    headers: Option<BTreeMap<String, String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    multi_value_headers: Option<BTreeMap<String, Vec<String>>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cookies: Option<Vec<String>>,
    body: String,
    is_base64_encoded: bool,
}

impl Answer {
    pub(super) async fn write(source: Source, response: Response) -> Self {
        let (parts, body) = response.into_parts();
        // Our bodies are in memory: collecting them cannot fail.
        let body = body.collect().await.map(|body| body.to_bytes()).unwrap_or_default();
        let compressed = parts.headers.contains_key(CONTENT_ENCODING);
        let (body, is_base64_encoded) = match std::str::from_utf8(&body) {
            Ok(text) if !compressed => (text.to_owned(), false),
            _ => (STANDARD.encode(&body), true),
        };
        let mut answer = Self {
            status_code: parts.status.as_u16(),
            status_description: None,
            headers: None,
            multi_value_headers: None,
            cookies: None,
            body,
            is_base64_encoded,
        };
        answer.place_headers(source, parts.status, parts.headers);
        answer
    }

    /// What a direct invocation with something else gets.
    pub(super) fn not_http() -> Self {
        let expected = "This function answers HTTP requests: it expects an event of an API Gateway \
                        REST API (payload 1.0) or HTTP API (payload 2.0), a function URL, or an \
                        Application Load Balancer.";
        let body = serde_json::json!({ "code": "not_an_http_event", "detail": expected });
        Self {
            status_code: StatusCode::BAD_REQUEST.as_u16(),
            status_description: None,
            headers: None,
            multi_value_headers: None,
            cookies: None,
            body: body.to_string(),
            is_base64_encoded: false,
        }
    }

    fn place_headers(&mut self, source: Source, status: StatusCode, mut headers: HeaderMap) {
        match source {
            Source::HttpApi | Source::FunctionUrl => {
                let cookies = multiple(&headers).remove(SET_COOKIE.as_str());
                headers.remove(SET_COOKIE);
                self.cookies = cookies;
                self.headers = Some(single(&headers));
            }
            Source::RestApi | Source::HttpApiV1 => {
                self.multi_value_headers = Some(multiple(&headers))
            }
            Source::LoadBalancer { multi_value } => {
                let reason = status.canonical_reason().unwrap_or_default();
                self.status_description = Some(format!("{} {reason}", status.as_u16()));
                if multi_value {
                    self.multi_value_headers = Some(multiple(&headers));
                } else {
                    self.headers = Some(single(&headers));
                }
            }
        }
    }
}

fn multiple(headers: &HeaderMap) -> BTreeMap<String, Vec<String>> {
    let mut map = BTreeMap::<_, Vec<_>>::new();
    for (name, value) in headers {
        let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
        map.entry(name.as_str().to_owned()).or_default().push(value);
    }
    map
}

/// Values of one name are joined (RFC 9110, section 5.3); cookies cannot be, so the last one
/// stands for them where a load balancer takes a single value.
fn single(headers: &HeaderMap) -> BTreeMap<String, String> {
    let last = |(name, mut values): (String, Vec<String>)| match name == SET_COOKIE.as_str() {
        true => (name, values.pop().unwrap_or_default()),
        false => (name, values.join(", ")),
    };
    multiple(headers).into_iter().map(last).collect()
}
