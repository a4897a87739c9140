//! Payload format 2.0: the events of HTTP APIs, and of function URLs, which differ in little.

use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use super::{
    ACCOUNT, Arrival, ID,
    parts::{Several, body, common_log_time, decoded_query, headers, joined, protocol},
};
use crate::gateway::source::DEFAULT_STAGE;

/// The event of an HTTP API. Its path is decoded and has the stage in front; cookies are no header.
pub(super) fn event(arrival: &Arrival<'_>) -> Value {
    let path = decoded(arrival.parts.uri.path());
    let domain = format!("{ID}.execute-api.us-east-1.amazonaws.com");
    let mut headers = headers(arrival);
    headers.remove("cookie");
    headers.insert("content-length".to_owned(), vec![arrival.body.len().to_string()]);
    let context = context(arrival, ACCOUNT, &domain, &path);
    payload(arrival, &path, headers, context)
}

/// The event of a function URL. Its path is as it was sent, but decoded in the context.
pub(super) fn function_url(arrival: &Arrival<'_>) -> Value {
    let path = arrival.parts.uri.path();
    let domain = format!("{ID}.lambda-url.us-east-1.on.aws");
    let mut headers = headers(arrival);
    for (name, value) in
        [("x-amzn-tls-version", "TLSv1.3"), ("x-amzn-tls-cipher-suite", "TLS_AES_128_GCM_SHA256")]
    {
        headers.insert(name.to_owned(), vec![value.to_owned()]);
    }
    let context = context(arrival, "anonymous", &domain, &decoded(path));
    payload(arrival, path, headers, context)
}

fn payload(arrival: &Arrival<'_>, path: &str, headers: Several, context: Value) -> Value {
    let query = arrival.query();
    let mut event = json!({
        "version": "2.0",
        "routeKey": DEFAULT_STAGE,
        "rawPath": path,
        "rawQueryString": query,
        "headers": joined(headers),
        "requestContext": context,
        "isBase64Encoded": false,
    });
    let cookies = cookies(arrival);
    if !cookies.is_empty() {
        event["cookies"] = json!(cookies);
    }
    if !query.is_empty() {
        event["queryStringParameters"] = json!(joined(decoded_query(query)));
    }
    if !arrival.body.is_empty() {
        let (body, is_base64) = body(&arrival.parts.headers, arrival.body);
        event["body"] = json!(body);
        event["isBase64Encoded"] = json!(is_base64);
    }
    event
}

fn context(arrival: &Arrival<'_>, account: &str, domain: &str, path: &str) -> Value {
    json!({
        "accountId": account,
        "apiId": ID,
        "domainName": domain,
        "domainPrefix": ID,
        "http": {
            "method": arrival.parts.method.as_str(),
            "path": path,
            "protocol": protocol(arrival.parts.version),
            "sourceIp": arrival.source_ip(),
            "userAgent": arrival.user_agent().unwrap_or_default(),
        },
        "requestId": arrival.id,
        "routeKey": DEFAULT_STAGE,
        "stage": arrival.front.stage(),
        "time": common_log_time(arrival),
        "timeEpoch": arrival.at.unix_millis(),
    })
}

/// An HTTP API decodes the path before the function sees it, and cuts it at an encoded `?`.
///
/// No text stands for bytes that are not UTF-8, nor for a `%` that encodes nothing. A control
/// character does: the app refuses it as it refuses such a path from a source that decodes nothing.
fn decoded(raw: &str) -> String {
    let whole = |after: &str| after.bytes().take(2).filter(u8::is_ascii_hexdigit).count() == 2;
    match percent_decode_str(raw).decode_utf8() {
        Ok(path) if raw.split('%').skip(1).all(whole) => {
            path.split('?').next().unwrap_or_default().to_owned()
        }
        _ => format!("{raw}\0"),
    }
}

fn cookies(arrival: &Arrival<'_>) -> Vec<String> {
    let lines = arrival.parts.headers.get_all("cookie").iter();
    lines
        .flat_map(|line| {
            let line = super::parts::text(line.as_bytes());
            line.split(';').map(|cookie| cookie.trim().to_owned()).collect::<Vec<_>>()
        })
        .filter(|cookie| !cookie.is_empty())
        .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::{Value, json};

    use super::super::fixture::{event, rich};
    use crate::gateway::{Front, Source};

    fn raw_path(path: &str) -> Value {
        let event = event(Source::HttpApi, Request::get(path), b"");
        assert_eq!(event["rawPath"], event["requestContext"]["http"]["path"]);
        event["rawPath"].clone()
    }

    #[test]
    fn is_the_event_that_an_http_api_sends() {
        let front = Front::new(Source::HttpApi, Some("beta")).unwrap();

        let event = event(front, rich("/beta"), &[0xff, 0x00]);

        let expected = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/beta/v1/n/o/a b/ä",
            "rawQueryString": "tag=a&x=%26+y&tag=b&empty=",
            "queryStringParameters": { "tag": "a,b", "x": "& y", "empty": "" },
            "cookies": ["one=1", "two=2"],
            "headers": {
                "accept": "a/b,c/d",
                "content-length": "2",
                "content-type": "image/png",
                "host": "localhost:3000",
                "user-agent": "curl/8",
                "x-amzn-trace-id": "Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b",
                "x-forwarded-for": "203.0.113.9, 192.0.2.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "landline",
                "domainName": "landline.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "landline",
                "http": {
                    "method": "POST",
                    "path": "/beta/v1/n/o/a b/ä",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "curl/8",
                },
                "requestId": "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
                "routeKey": "$default",
                "stage": "beta",
                "time": "22/Nov/2026:16:30:00 +0000",
                "timeEpoch": 1_795_365_000_007_i64,
            },
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn is_the_event_that_a_function_url_sends() {
        let event = event(Source::FunctionUrl, rich(""), &[0xff, 0x00]);

        let expected = json!({
            "version": "2.0",
            "routeKey": "$default",
            "rawPath": "/v1/n%2Fo/a%20b/%C3%A4%3Ft",
            "rawQueryString": "tag=a&x=%26+y&tag=b&empty=",
            "queryStringParameters": { "tag": "a,b", "x": "& y", "empty": "" },
            "cookies": ["one=1", "two=2"],
            "headers": {
                "accept": "a/b,c/d",
                "content-length": "2",
                "content-type": "image/png",
                "cookie": "one=1; two=2",
                "host": "localhost:3000",
                "user-agent": "curl/8",
                "x-amzn-tls-cipher-suite": "TLS_AES_128_GCM_SHA256",
                "x-amzn-tls-version": "TLSv1.3",
                "x-amzn-trace-id": "Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b",
                "x-forwarded-for": "203.0.113.9, 192.0.2.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "requestContext": {
                "accountId": "anonymous",
                "apiId": "landline",
                "domainName": "landline.lambda-url.us-east-1.on.aws",
                "domainPrefix": "landline",
                "http": {
                    "method": "POST",
                    "path": "/v1/n/o/a b/ä",
                    "protocol": "HTTP/1.1",
                    "sourceIp": "192.0.2.7",
                    "userAgent": "curl/8",
                },
                "requestId": "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
                "routeKey": "$default",
                "stage": "$default",
                "time": "22/Nov/2026:16:30:00 +0000",
                "timeEpoch": 1_795_365_000_007_i64,
            },
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn has_no_field_for_what_is_not_there() {
        for source in [Source::HttpApi, Source::FunctionUrl] {
            let event = event(source, Request::get("/"), b"");
            for absent in ["body", "cookies", "queryStringParameters", "pathParameters"] {
                assert_eq!(event.get(absent), None, "{source} {absent}");
            }
            assert_eq!(event["rawQueryString"], "");
        }
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
}
