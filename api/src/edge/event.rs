use std::collections::BTreeMap;

use axum::{body::Body, extract::Request};
use base64::{Engine, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Uri, header::COOKIE};
use serde::Deserialize;
use serde_json::value::RawValue;

use super::{
    client::ClientAddress,
    lenient::{Lenient, Multiple, Single, pairs},
    path::{self, Encoding},
};
use crate::http::{Code, Problem};

/// What stands between the internet and the function.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// API Gateway REST API: payload 1.0, paths as they were sent.
    RestApi,
    /// API Gateway HTTP API with payload 1.0, whose paths come decoded.
    HttpApiV1,
    /// API Gateway HTTP API with payload 2.0, whose paths come decoded.
    HttpApi,
    /// Lambda function URL: payload 2.0, paths as they were sent.
    FunctionUrl,
    /// Application Load Balancer; whether its target group has multi-value headers on.
    LoadBalancer {
        /// The answer must come in the same form as the event.
        multi_value: bool,
    },
}

/// The fields of all sources' events that a request is made of.
#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
pub(super) struct Event {
    version: Lenient<String>,
    http_method: Lenient<String>,
    path: Lenient<String>,
    raw_path: Lenient<String>,
    raw_query_string: Lenient<String>,
    query_string_parameters: Single,
    multi_value_query_string_parameters: Multiple,
    headers: Single,
    multi_value_headers: Multiple,
    cookies: Lenient<Vec<Lenient<String>>>,
    body: Lenient<String>,
    is_base64_encoded: Lenient<bool>,
    request_context: Lenient<Context>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Context {
    domain_name: Lenient<String>,
    elb: Lenient<BTreeMap<String, Box<RawValue>>>,
    http: Lenient<HttpContext>,
    identity: Lenient<Identity>,
    stage: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct HttpContext {
    method: Lenient<String>,
    source_ip: Lenient<String>,
}

#[derive(Default, Deserialize)]
#[serde(rename_all = "camelCase", default)]
struct Identity {
    source_ip: Lenient<String>,
}

impl Context {
    fn source(&self, version: Option<&str>, method: bool, multi_value: bool) -> Option<Source> {
        let domain = self.domain_name.0.as_deref().unwrap_or_default();
        if self.http.0.is_some() && domain.contains(".lambda-url.") {
            Some(Source::FunctionUrl)
        } else if self.http.0.is_some() {
            Some(Source::HttpApi)
        } else if self.elb.0.is_some() {
            Some(Source::LoadBalancer { multi_value })
        } else if method && version == Some("1.0") {
            Some(Source::HttpApiV1)
        } else {
            method.then_some(Source::RestApi)
        }
    }

    /// An HTTP API puts its stage in front of paths, unless it is `$default` or the request came
    /// by a domain of the API's own.
    fn stage_in_path(&self, source: Source) -> Option<&str> {
        let http_api = matches!(source, Source::HttpApi | Source::HttpApiV1);
        let domain = self.domain_name.0.as_deref();
        let default_domain = domain.is_none_or(|domain| domain.contains(".execute-api."));
        let stage = self.stage.0.as_deref().filter(|stage| !matches!(*stage, "" | "$default"));
        stage.filter(|_| http_api && default_domain)
    }
}

impl Event {
    /// The event, if it carries an HTTP request.
    pub(super) fn read(payload: &str) -> Option<(Source, Self)> {
        let mut event: Self = serde_json::from_str(payload).ok()?;
        let context = event.request_context.0.get_or_insert_default();
        let version = event.version.0.as_deref();
        let multi_value = event.multi_value_headers.0.as_ref().is_some_and(|map| !map.is_empty());
        let source = context.source(version, event.http_method.0.is_some(), multi_value)?;
        Some((source, event))
    }

    /// The request. What cannot be made a safe one carries the [`Problem`] to answer with, and
    /// as much of the request as there is: its id and its origin matter to that answer too.
    pub(super) fn into_request(mut self, source: Source, base_path: &str) -> Request {
        let mut request = Request::new(Body::empty());
        if let Err(problem) = self.fill(&mut request, source, base_path) {
            request.extensions_mut().insert(problem);
        }
        request
    }

    fn fill(
        &mut self,
        request: &mut Request,
        source: Source,
        base_path: &str,
    ) -> Result<(), Problem> {
        let context = self.request_context.0.take().unwrap_or_default();
        *request.headers_mut() = self.header_map()?;
        let stage = context.stage_in_path(source).map(str::to_owned);
        let http = context.http.0.unwrap_or_default();
        let seen = http.source_ip.0.or(context.identity.0.unwrap_or_default().source_ip.0);
        let client = match source {
            Source::LoadBalancer { .. } => ClientAddress::behind_load_balancer(request.headers()),
            _ => seen.and_then(|address| ClientAddress::parse(&address)),
        };
        if let Some(client) = client {
            request.extensions_mut().insert(client);
        }
        let method = http.method.0.or(self.http_method.0.take()).unwrap_or_default();
        *request.method_mut() = Method::from_bytes(method.as_bytes())
            .map_err(|_| malformed("The method is not one."))?;
        *request.uri_mut() = self.uri(source, stage.as_deref(), base_path)?;
        *request.body_mut() = self.decoded_body()?;
        Ok(())
    }

    fn uri(
        &mut self,
        source: Source,
        stage: Option<&str>,
        base_path: &str,
    ) -> Result<Uri, Problem> {
        let path = self.raw_path.0.take().or(self.path.0.take()).unwrap_or_default();
        let path = if path.is_empty() { "/".to_owned() } else { path };
        let encoding = match source {
            Source::HttpApi | Source::HttpApiV1 => Encoding::Decoded,
            _ => Encoding::Percent,
        };
        let path = path::normalise(path::below_stage(&path, stage), encoding)?;
        let path = path::below(&path, base_path).to_owned();
        let query = match source {
            Source::HttpApi | Source::FunctionUrl => self.raw_query_string.0.take(),
            _ => Some(self.joined_query(source)),
        };
        let query = query.filter(|query| !query.is_empty());
        let Some(query) = query else {
            return path.parse().map_err(|_| path::malformed());
        };
        format!("{path}?{query}").parse().map_err(|_| {
            Problem::new(Code::MalformedQuery, "The query string is not percent-encoded.")
        })
    }

    /// API Gateway hands parameters decoded, a load balancer as they came.
    fn joined_query(&mut self, source: Source) -> String {
        let multiple = std::mem::take(&mut self.multi_value_query_string_parameters);
        let pairs = pairs(multiple, std::mem::take(&mut self.query_string_parameters));
        let encode = |text: &str| match source {
            Source::LoadBalancer { .. } => text.to_owned(),
            _ => path::encode_query(text),
        };
        let pairs = pairs.iter().map(|(name, value)| format!("{}={}", encode(name), encode(value)));
        pairs.collect::<Vec<_>>().join("&")
    }

    /// One line a name, as the HTTP API has it, so that a handler finds the same from all sources:
    /// values are joined (RFC 9110, section 5.3), cookies with their own mark (RFC 6265bis).
    fn header_map(&mut self) -> Result<HeaderMap, Problem> {
        let multiple = std::mem::take(&mut self.multi_value_headers);
        let mut lines = BTreeMap::<String, String>::new();
        for (name, value) in pairs(multiple, std::mem::take(&mut self.headers)) {
            join(&mut lines, name.to_ascii_lowercase(), &value);
        }
        // A function URL sends the list and the header too.
        let cookies = self.cookies.0.take().into_iter().flatten().filter_map(|cookie| cookie.0);
        let cookies = cookies.collect::<Vec<_>>().join("; ");
        if !cookies.is_empty() {
            lines.insert(COOKIE.as_str().to_owned(), cookies);
        }
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            if let (Ok(name), Ok(value)) =
                (HeaderName::try_from(name), HeaderValue::try_from(value))
            {
                let kept = headers.try_append(name, value);
                kept.map_err(|_| malformed("There are too many headers."))?;
            }
        }
        Ok(headers)
    }

    fn decoded_body(&mut self) -> Result<Body, Problem> {
        let body = self.body.0.take().unwrap_or_default();
        if !self.is_base64_encoded.0.unwrap_or(false) {
            return Ok(Body::from(body));
        }
        let bytes = STANDARD.decode(body).map_err(|_| malformed("The body is not base64."))?;
        Ok(Body::from(bytes))
    }
}

fn join(lines: &mut BTreeMap<String, String>, name: String, value: &str) {
    let mark = if name == COOKIE.as_str() { "; " } else { "," };
    lines
        .entry(name)
        .and_modify(|line| {
            line.push_str(mark);
            line.push_str(value);
        })
        .or_insert_with(|| value.to_owned());
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Code::MalformedRequest, detail)
}

#[cfg(test)]
mod tests {
    use http::{HeaderMap, HeaderValue};
    use serde_json::{Value, json};

    use super::Event;

    fn headers(event: &Value) -> HeaderMap {
        let (source, event) = Event::read(&event.to_string()).unwrap();
        event.into_request(source, "").into_parts().0.headers
    }

    fn cookies(event: &Value) -> Vec<HeaderValue> {
        headers(event).get_all("cookie").into_iter().cloned().collect()
    }

    /// No handler shows cookies, so this is seen here only.
    #[test]
    fn has_one_line_of_cookies_however_a_source_tells_them() {
        let context = json!({ "http": { "method": "GET", "path": "/" } });
        for (event, why) in [
            (
                json!({
                    "rawPath": "/",
                    "requestContext": context,
                    "cookies": ["a=1", "b=2"],
                    "headers": { "cookie": "a=1; b=2", "host": "example.com" },
                }),
                "a function URL: both",
            ),
            (
                json!({
                    "rawPath": "/",
                    "requestContext": context,
                    "cookies": ["a=1", "b=2"],
                    "headers": { "host": "example.com" },
                }),
                "an HTTP API: the list",
            ),
            (
                json!({
                    "path": "/",
                    "httpMethod": "GET",
                    "headers": { "Cookie": "b=2" },
                    "multiValueHeaders": { "Cookie": ["a=1", "b=2"] },
                }),
                "a REST API: several lines",
            ),
            (
                json!({
                    "path": "/",
                    "httpMethod": "GET",
                    "requestContext": { "elb": {} },
                    "headers": { "cookie": "a=1; b=2" },
                }),
                "a load balancer: the header",
            ),
        ] {
            assert_eq!(cookies(&event), ["a=1; b=2"], "{why}");
        }
    }

    #[test]
    fn has_one_line_of_every_other_name() {
        let event = json!({
            "path": "/",
            "httpMethod": "GET",
            "multiValueHeaders": { "Accept": ["a/b", "c/d"], "ACCEPT": ["e/f"], "X-\n": ["1"] },
        });

        let headers = headers(&event);

        assert_eq!(headers.len(), 1);
        assert_eq!(headers["accept"], "e/f,a/b,c/d");
    }
}
