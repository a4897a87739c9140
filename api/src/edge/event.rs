use std::{borrow::Cow, collections::BTreeMap};

use axum::{body::Body, extract::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::COOKIE};
use serde::{Deserialize, Deserializer};
use serde_json::value::RawValue;

use super::path;
use crate::http::{Code, Problem};

/// What stands between the internet and the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// API Gateway REST API, payload 1.0.
    RestApi,
    /// API Gateway HTTP API or a function URL, payload 2.0.
    HttpApi,
    /// Application Load Balancer; whether its target group has multi-value headers on.
    LoadBalancer {
        /// The answer must come in the same form as the event.
        multi_value: bool,
    },
}

/// The fields of all sources' events that a request is made of. Each is read leniently: one of a
/// wrong type is as good as absent, and never the end of the request.
#[derive(Deserialize)]
#[serde(rename_all = "camelCase", default, bound(deserialize = "'de: 'a"))]
#[derive(Default)]
pub(super) struct Event<'a> {
    http_method: Lenient<Cow<'a, str>>,
    path: Lenient<Cow<'a, str>>,
    raw_path: Lenient<Cow<'a, str>>,
    raw_query_string: Lenient<Cow<'a, str>>,
    query_string_parameters: Single,
    multi_value_query_string_parameters: Multiple,
    headers: Single,
    multi_value_headers: Multiple,
    cookies: Lenient<Vec<Lenient<String>>>,
    body: Lenient<Cow<'a, str>>,
    is_base64_encoded: Lenient<bool>,
    request_context: Lenient<Context>,
}

type Single = Lenient<BTreeMap<String, Lenient<String>>>;
type Multiple = Lenient<BTreeMap<String, Lenient<Vec<Lenient<String>>>>>;

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    stage: Lenient<String>,
    http: Lenient<HttpContext>,
    elb: Lenient<BTreeMap<String, Box<RawValue>>>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct HttpContext {
    method: Lenient<String>,
}

struct Lenient<T>(Option<T>);

impl<T> Default for Lenient<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Lenient<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = <&RawValue>::deserialize(deserializer)?;
        Ok(Self(serde_json::from_str(raw.get()).ok()))
    }
}

impl<'a> Event<'a> {
    /// The event, if it carries an HTTP request.
    pub(super) fn read(payload: &'a str) -> Option<(Source, Self)> {
        let event: Self = serde_json::from_str(payload).ok()?;
        let context = event.request_context.0.as_ref();
        let source = if context.is_some_and(|context| context.http.0.is_some()) {
            Source::HttpApi
        } else if context.is_some_and(|context| context.elb.0.is_some()) {
            Source::LoadBalancer { multi_value: event.multi_value_headers.0.is_some() }
        } else if event.http_method.0.is_some() {
            Source::RestApi
        } else {
            return None;
        };
        Some((source, event))
    }

    /// The request. What cannot be made one carries the [`Problem`] to answer with.
    pub(super) fn into_request(self, source: Source) -> Request {
        self.parse(source).unwrap_or_else(|problem| {
            let mut request = Request::new(Body::empty());
            request.extensions_mut().insert(problem);
            request
        })
    }

    fn parse(mut self, source: Source) -> Result<Request, Problem> {
        let mut request = Request::new(Body::empty());
        *request.method_mut() = self.method(source)?;
        *request.uri_mut() = self.uri(source)?;
        *request.headers_mut() = self.header_map();
        *request.body_mut() = self.decoded_body()?;
        Ok(request)
    }

    fn method(&mut self, source: Source) -> Result<Method, Problem> {
        let context = self.request_context.0.as_ref();
        let method = match source {
            Source::HttpApi => context.and_then(|it| it.http.0.as_ref()?.method.0.as_deref()),
            _ => self.http_method.0.as_deref(),
        };
        let method = method.and_then(|method| Method::from_bytes(method.as_bytes()).ok());
        method.ok_or_else(|| malformed("The method is not one."))
    }

    fn uri(&mut self, source: Source) -> Result<Uri, Problem> {
        let context = self.request_context.0.take().unwrap_or_default();
        let path = match source {
            // The gateway has decoded it already.
            Source::HttpApi => {
                let path = self.raw_path.0.take().unwrap_or_default();
                path::normalise(path::without_stage(&path, context.stage.0.as_deref()).as_bytes())
            }
            _ => path::decode(&self.path.0.take().unwrap_or_default())
                .and_then(|path| path::normalise(&path)),
        }?;
        let query = match source {
            Source::HttpApi => self.raw_query_string.0.take().unwrap_or_default().into_owned(),
            _ => self.joined_query(source),
        };
        let uri = if query.is_empty() { path } else { format!("{path}?{query}") };
        uri.parse().map_err(|_| {
            Problem::new(Code::MalformedQuery, "The query string is not percent-encoded.")
        })
    }

    /// A REST API hands its parameters decoded, a load balancer as they came.
    fn joined_query(&mut self, source: Source) -> String {
        let pairs: Vec<(String, String)> = match self.multi_value_query_string_parameters.0.take() {
            Some(multiple) => flatten(multiple),
            None => singles(self.query_string_parameters.0.take()),
        };
        let encode = |text: &str| match source {
            Source::LoadBalancer { .. } => text.to_owned(),
            _ => path::encode_query(text),
        };
        let pairs: Vec<_> = pairs
            .iter()
            .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
            .collect();
        pairs.join("&")
    }

    fn header_map(&mut self) -> HeaderMap {
        let pairs = match self.multi_value_headers.0.take() {
            Some(multiple) => flatten(multiple),
            None => singles(self.headers.0.take()),
        };
        let mut headers: HeaderMap = pairs
            .into_iter()
            .filter_map(|(name, value)| {
                let name = HeaderName::try_from(name).ok()?;
                Some((name, HeaderValue::try_from(value).ok()?))
            })
            .collect();
        let cookies = self.cookies.0.take().into_iter().flatten().filter_map(|cookie| cookie.0);
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        if let Ok(cookies) = HeaderValue::try_from(cookies)
            && !cookies.is_empty()
        {
            headers.insert(COOKIE, cookies);
        }
        headers
    }

    fn decoded_body(self) -> Result<Body, Problem> {
        let body = self.body.0.unwrap_or_default();
        if self.is_base64_encoded.0.unwrap_or(false) {
            let bytes = STANDARD.decode(body.as_bytes());
            bytes.map(Body::from).map_err(|_| malformed("The body is not base64."))
        } else {
            Ok(Body::from(body.into_owned()))
        }
    }
}

fn singles(map: Option<BTreeMap<String, Lenient<String>>>) -> Vec<(String, String)> {
    let pairs = map.unwrap_or_default().into_iter();
    pairs.filter_map(|(name, value)| Some((name, value.0?))).collect()
}

fn flatten(map: BTreeMap<String, Lenient<Vec<Lenient<String>>>>) -> Vec<(String, String)> {
    map.into_iter()
        .flat_map(|(name, values)| {
            let values = values.0.unwrap_or_default().into_iter();
            values.filter_map(move |value| Some((name.clone(), value.0?)))
        })
        .collect()
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}
