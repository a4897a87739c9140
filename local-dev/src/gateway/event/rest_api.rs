//! Payload format 1.0: the events of REST APIs with proxy methods on `/` and `/{proxy+}`.

use base64::{Engine, prelude::BASE64_STANDARD};
use serde_json::{Value, json};

use super::{
    ACCOUNT, Arrival, ID,
    parts::{Several, common_log_time, decoded_query, headers, last, protocol},
};

/// The event of a REST API. Its path is as it was sent, below the stage.
pub(super) fn event(arrival: &Arrival<'_>) -> Value {
    let headers = spelled(headers(arrival));
    let query = decoded_query(arrival.query());
    let proxy = arrival.path().trim_start_matches('/');
    let resource = if proxy.is_empty() { "/" } else { "/{proxy+}" };
    // With `*/*` among the binary media types every body is base64.
    let body = Some(arrival.body).filter(|body| !body.is_empty());
    json!({
        "resource": resource,
        "path": arrival.path(),
        "httpMethod": arrival.parts.method.as_str(),
        "headers": last(&headers),
        "multiValueHeaders": headers,
        "queryStringParameters": Some(last(&query)).filter(|query| !query.is_empty()),
        "multiValueQueryStringParameters": Some(&query).filter(|query| !query.is_empty()),
        "pathParameters": (!proxy.is_empty()).then(|| json!({ "proxy": proxy })),
        "stageVariables": null,
        "requestContext": context(arrival, resource),
        "body": body.map(|body| BASE64_STANDARD.encode(body)),
        "isBase64Encoded": body.is_some(),
    })
}

fn context(arrival: &Arrival<'_>, resource: &str) -> Value {
    json!({
        "accountId": ACCOUNT,
        "apiId": ID,
        "domainName": format!("{ID}.execute-api.us-east-1.amazonaws.com"),
        "domainPrefix": ID,
        "extendedRequestId": arrival.id,
        "httpMethod": arrival.parts.method.as_str(),
        "identity": {
            "accessKey": null,
            "accountId": null,
            "caller": null,
            "cognitoAuthenticationProvider": null,
            "cognitoAuthenticationType": null,
            "cognitoIdentityId": null,
            "cognitoIdentityPoolId": null,
            "principalOrgId": null,
            "sourceIp": arrival.source_ip(),
            "user": null,
            "userAgent": arrival.user_agent(),
            "userArn": null,
        },
        "path": arrival.parts.uri.path(),
        "protocol": protocol(arrival.parts.version),
        "requestId": arrival.id,
        "requestTime": common_log_time(arrival),
        "requestTimeEpoch": arrival.at.unix_millis(),
        "resourceId": ID,
        "resourcePath": resource,
        "stage": arrival.front.stage(),
    })
}

/// A REST API writes some names in its own way, passes on the others, and says no length.
fn spelled(headers: Several) -> Several {
    let kept = headers.into_iter().filter(|(name, _)| name != "content-length");
    kept.map(|(name, values)| {
        let own = match name.as_str() {
            "host" => "Host",
            "user-agent" => "User-Agent",
            "x-amzn-trace-id" => "X-Amzn-Trace-Id",
            "x-forwarded-for" => "X-Forwarded-For",
            "x-forwarded-port" => "X-Forwarded-Port",
            "x-forwarded-proto" => "X-Forwarded-Proto",
            _ => return (name, values),
        };
        (own.to_owned(), values)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::{Value, json};

    use super::super::fixture::{event, rich};
    use crate::gateway::Source;

    #[test]
    fn is_the_event_that_a_rest_api_sends() {
        let event = event(Source::RestApi, rich("/prod"), &[0xff, 0x00]);

        let expected = json!({
            "resource": "/{proxy+}",
            "path": "/v1/n%2Fo/a%20b/%C3%A4%3Ft",
            "httpMethod": "POST",
            "headers": {
                "Host": "localhost:3000",
                "User-Agent": "curl/8",
                "X-Amzn-Trace-Id": "Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b",
                "X-Forwarded-For": "203.0.113.9, 192.0.2.7",
                "X-Forwarded-Port": "443",
                "X-Forwarded-Proto": "https",
                "accept": "c/d",
                "content-type": "image/png",
                "cookie": "one=1; two=2",
            },
            "multiValueHeaders": {
                "Host": ["localhost:3000"],
                "User-Agent": ["curl/8"],
                "X-Amzn-Trace-Id": ["Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b"],
                "X-Forwarded-For": ["203.0.113.9, 192.0.2.7"],
                "X-Forwarded-Port": ["443"],
                "X-Forwarded-Proto": ["https"],
                "accept": ["a/b", "c/d"],
                "content-type": ["image/png"],
                "cookie": ["one=1; two=2"],
            },
            "queryStringParameters": { "tag": "b", "x": "& y", "empty": "" },
            "multiValueQueryStringParameters": { "tag": ["a", "b"], "x": ["& y"], "empty": [""] },
            "pathParameters": { "proxy": "v1/n%2Fo/a%20b/%C3%A4%3Ft" },
            "stageVariables": null,
            "requestContext": {
                "accountId": "000000000000",
                "apiId": "landline",
                "domainName": "landline.execute-api.us-east-1.amazonaws.com",
                "domainPrefix": "landline",
                "extendedRequestId": "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
                "httpMethod": "POST",
                "identity": {
                    "accessKey": null,
                    "accountId": null,
                    "caller": null,
                    "cognitoAuthenticationProvider": null,
                    "cognitoAuthenticationType": null,
                    "cognitoIdentityId": null,
                    "cognitoIdentityPoolId": null,
                    "principalOrgId": null,
                    "sourceIp": "192.0.2.7",
                    "user": null,
                    "userAgent": "curl/8",
                    "userArn": null,
                },
                "path": "/prod/v1/n%2Fo/a%20b/%C3%A4%3Ft",
                "protocol": "HTTP/1.1",
                "requestId": "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
                "requestTime": "22/Nov/2026:16:30:00 +0000",
                "requestTimeEpoch": 1_795_365_000_007_i64,
                "resourceId": "landline",
                "resourcePath": "/{proxy+}",
                "stage": "prod",
            },
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn says_null_for_what_is_not_there() {
        let event = event(Source::RestApi, Request::get("/prod/"), b"");

        assert_eq!(event["resource"], "/");
        assert_eq!(event["path"], "/");
        assert_eq!(event["requestContext"]["path"], "/prod/");
        let fields = event.as_object().unwrap();
        for null in [
            "body",
            "pathParameters",
            "queryStringParameters",
            "multiValueQueryStringParameters",
            "stageVariables",
        ] {
            assert_eq!(fields[null], Value::Null, "{null}");
        }
        assert_eq!(event["isBase64Encoded"], false);
    }
}
