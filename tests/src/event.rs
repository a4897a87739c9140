//! AWS's events, written out by hand: what local-dev makes of a request is not taken from
//! local-dev.

use base64::{Engine, prelude::BASE64_STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode};
use percent_encoding::percent_decode_str;
use serde_json::{Map, Value, json};

use crate::{Answer, Request, watch};

/// The event that an HTTP API (payload 2.0) makes of a request.
pub fn of(request: &Request) -> Value {
    let (path, query) = request.path.split_once('?').unwrap_or((&request.path, ""));
    let path = percent_decode_str(path).decode_utf8_lossy().into_owned();
    let mut event = http_api(request.method.as_str(), &path, query);
    event["headers"]["x-forwarded-for"] = json!(request.address.to_string());
    event["requestContext"]["http"]["sourceIp"] = json!(request.address.to_string());
    for name in request.headers.keys() {
        let values: Vec<_> = request.headers.get_all(name).iter().collect();
        let values: Vec<_> =
            values.iter().map(|value| String::from_utf8_lossy(value.as_bytes())).collect();
        event["headers"][name.as_str()] = json!(values.join(","));
    }
    if !request.body.is_empty() {
        let text = str::from_utf8(&request.body);
        event["isBase64Encoded"] = json!(text.is_err());
        event["body"] =
            text.map_or_else(|_| json!(BASE64_STANDARD.encode(&request.body)), |it| json!(it));
    }
    event
}

/// An event of an HTTP API (payload 2.0). The path is decoded, as the gateway does it.
pub fn http_api(method: &str, raw_path: &str, raw_query: &str) -> Value {
    json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": raw_path,
        "rawQueryString": raw_query,
        "headers": {
            "host": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "x-forwarded-for": "192.0.2.7",
            "x-forwarded-port": "443",
            "x-forwarded-proto": "https",
            "x-request-id": "test",
        },
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "r3pmxmplak",
            "domainName": "r3pmxmplak.execute-api.us-east-1.amazonaws.com",
            "domainPrefix": "r3pmxmplak",
            "http": {
                "method": method,
                "path": raw_path,
                "protocol": "HTTP/1.1",
                "sourceIp": "192.0.2.7",
                "userAgent": "test",
            },
            "requestId": "JKJaXmPLvHcESHA=",
            "routeKey": "$default",
            "stage": "$default",
            "time": "22/Nov/2026:16:30:00 +0000",
            "timeEpoch": 1_795_365_000_000_i64,
        },
        "isBase64Encoded": false,
    })
}

/// An event of a function URL: an HTTP API's with another context.
pub fn function_url(method: &str, raw_path: &str) -> Value {
    let mut event = http_api(method, raw_path, "");
    event["requestContext"]["apiId"] = json!("2htqsqxmpl");
    event["requestContext"]["domainName"] = json!("2htqsqxmpl.lambda-url.us-east-1.on.aws");
    event["requestContext"]["authentication"] = Value::Null;
    event
}

/// An event of a REST API (payload 1.0). The path comes as it was sent.
pub fn rest_api(method: &str, path: &str) -> Value {
    json!({
        "resource": "/{proxy+}",
        "path": path,
        "httpMethod": method,
        "headers": { "Host": "70ixmpl4fl.execute-api.us-east-2.amazonaws.com", "X-Request-Id": "test" },
        "multiValueHeaders": {
            "Host": ["70ixmpl4fl.execute-api.us-east-2.amazonaws.com"],
            "X-Request-Id": ["test"],
        },
        "queryStringParameters": null,
        "multiValueQueryStringParameters": null,
        "pathParameters": { "proxy": path.trim_start_matches('/') },
        "stageVariables": null,
        "requestContext": {
            "accountId": "123456789012",
            "apiId": "70ixmpl4fl",
            "httpMethod": method,
            "identity": { "sourceIp": "192.0.2.7", "userAgent": "test" },
            "path": format!("/prod{path}"),
            "protocol": "HTTP/1.1",
            "requestId": "66da07c1-xmpl-4f67-8d9c-1f4f3b0e5f5e",
            "resourcePath": "/{proxy+}",
            "stage": "prod",
        },
        "body": null,
        "isBase64Encoded": false,
    })
}

/// An event of a load balancer, with multi-value headers or without.
pub fn load_balancer(method: &str, path: &str, multi_value: bool) -> Value {
    let target_group = "arn:aws:elasticloadbalancing:us-east-2:123456789012:targetgroup/lambda/49e";
    let mut event = json!({
        "requestContext": { "elb": { "targetGroupArn": target_group } },
        "httpMethod": method,
        "path": path,
        "body": "",
        "isBase64Encoded": false,
    });
    if multi_value {
        event["multiValueHeaders"] =
            json!({ "host": ["lb-8646.us-east-2.elb.amazonaws.com"], "x-request-id": ["test"] });
        event["multiValueQueryStringParameters"] = json!({});
    } else {
        event["headers"] =
            json!({ "host": "lb-8646.us-east-2.elb.amazonaws.com", "x-request-id": "test" });
        event["queryStringParameters"] = json!({});
    }
    event
}

/// An answer that is no success tells nobody a secret, whatever the event was.
///
/// # Panics
/// When it does.
pub(crate) fn check_secrets(told: &Value) {
    if told["statusCode"].as_u64().is_none_or(|status| !(200..300).contains(&status)) {
        watch::check_text("the answer", &told.to_string());
    }
}

/// What an answer in any source's shape says.
///
/// # Panics
/// If it is not an answer.
pub fn answer(told: &Value) -> Answer {
    let status = told["statusCode"].as_u64().and_then(|status| u16::try_from(status).ok());
    let status = status.and_then(|status| StatusCode::from_u16(status).ok());
    let status = status.unwrap_or_else(|| panic!("not an answer: {told}"));
    let mut headers = HeaderMap::new();
    let none = Map::new();
    for (name, value) in told["headers"].as_object().unwrap_or(&none) {
        put(&mut headers, name, value);
    }
    for (name, values) in told["multiValueHeaders"].as_object().unwrap_or(&none) {
        values.as_array().into_iter().flatten().for_each(|value| put(&mut headers, name, value));
    }
    Answer { status, headers, body: body(told) }
}

/// The body of an event or an answer; as it is where it claims to be base64 and is not.
pub(crate) fn body(told: &Value) -> Vec<u8> {
    let body = told["body"].as_str().unwrap_or_default();
    match told["isBase64Encoded"].as_bool() {
        Some(true) => BASE64_STANDARD.decode(body).unwrap_or_else(|_| body.into()),
        _ => body.into(),
    }
}

fn put(headers: &mut HeaderMap, name: &str, value: &Value) {
    let value = value.as_str().expect("a header's value is a text");
    headers.append(
        HeaderName::try_from(name).expect("a header's name"),
        HeaderValue::try_from(value).expect("a header's value"),
    );
}

/// Method and decoded path of an event of any source.
pub(crate) fn target(event: &Value) -> (String, Option<String>) {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let http = &event["requestContext"]["http"];
    if http.is_object() {
        (text(&http["method"]), Some(text(&event["rawPath"])))
    } else {
        let path = text(&event["path"]);
        let path = percent_decode_str(&path).decode_utf8().ok().map(Into::into);
        (text(&event["httpMethod"]), path)
    }
}
