//! The events of an Application Load Balancer, with multi-value headers and without.

use axum::http::header;
use serde_json::{Value, json};

use super::{
    ACCOUNT, Arrival, ID,
    parts::{Several, body, grouped, headers, last},
};

/// The event of a target group as it is made: of what repeats, only the last is there.
pub(super) fn event(arrival: &Arrival<'_>) -> Value {
    let mut event = common(arrival);
    event["headers"] = json!(last(&all_headers(arrival)));
    event["queryStringParameters"] = json!(last(&query(arrival.query())));
    event
}

/// The event of a target group with multi-value headers on.
pub(super) fn multi_value_event(arrival: &Arrival<'_>) -> Value {
    let mut event = common(arrival);
    event["multiValueHeaders"] = json!(all_headers(arrival));
    event["multiValueQueryStringParameters"] = json!(query(arrival.query()));
    event
}

fn common(arrival: &Arrival<'_>) -> Value {
    let (body, is_base64) = body(&arrival.parts.headers, arrival.body);
    let group = format!(
        "arn:aws:elasticloadbalancing:us-east-1:{ACCOUNT}:targetgroup/{ID}/0123456789abcdef"
    );
    json!({
        "requestContext": { "elb": { "targetGroupArn": group } },
        "httpMethod": arrival.parts.method.as_str(),
        "path": arrival.path(),
        "body": body,
        "isBase64Encoded": is_base64,
    })
}

fn all_headers(arrival: &Arrival<'_>) -> Several {
    let mut headers = headers(arrival);
    if !arrival.body.is_empty() {
        let length = arrival.body.len().to_string();
        headers.insert(header::CONTENT_LENGTH.to_string(), vec![length]);
    }
    headers
}

/// Names and values as they were sent: a load balancer decodes nothing.
fn query(query: &str) -> Several {
    let parameters = query.split('&').filter(|parameter| !parameter.is_empty());
    grouped(parameters.map(|parameter| {
        let (name, value) = parameter.split_once('=').unwrap_or((parameter, ""));
        (name.to_owned(), value.to_owned())
    }))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;
    use serde_json::json;

    use super::super::fixture::{event, rich};
    use crate::gateway::Source;

    const GROUP: &str =
        "arn:aws:elasticloadbalancing:us-east-1:000000000000:targetgroup/landline/0123456789abcdef";

    #[test]
    fn is_the_event_that_a_load_balancer_sends() {
        let event = event(Source::Alb, rich(""), &[0xff, 0x00]);

        let expected = json!({
            "requestContext": { "elb": { "targetGroupArn": GROUP } },
            "httpMethod": "POST",
            "path": "/v1/n%2Fo/a%20b/%C3%A4%3Ft",
            "queryStringParameters": { "tag": "b", "x": "%26+y", "empty": "" },
            "headers": {
                "accept": "c/d",
                "content-length": "2",
                "content-type": "image/png",
                "cookie": "one=1; two=2",
                "host": "localhost:3000",
                "user-agent": "curl/8",
                "x-amzn-trace-id": "Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b",
                "x-forwarded-for": "203.0.113.9, 192.0.2.7",
                "x-forwarded-port": "443",
                "x-forwarded-proto": "https",
            },
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn has_every_value_with_multi_value_headers() {
        let event = event(Source::AlbMultiValue, rich(""), &[0xff, 0x00]);

        let expected = json!({
            "requestContext": { "elb": { "targetGroupArn": GROUP } },
            "httpMethod": "POST",
            "path": "/v1/n%2Fo/a%20b/%C3%A4%3Ft",
            "multiValueQueryStringParameters": { "tag": ["a", "b"], "x": ["%26+y"], "empty": [""] },
            "multiValueHeaders": {
                "accept": ["a/b", "c/d"],
                "content-length": ["2"],
                "content-type": ["image/png"],
                "cookie": ["one=1; two=2"],
                "host": ["localhost:3000"],
                "user-agent": ["curl/8"],
                "x-amzn-trace-id": ["Root=1-6b031888-c3d47e5f8a9b0c1d2e3f4a5b"],
                "x-forwarded-for": ["203.0.113.9, 192.0.2.7"],
                "x-forwarded-port": ["443"],
                "x-forwarded-proto": ["https"],
            },
            "body": "/wA=",
            "isBase64Encoded": true,
        });
        assert_eq!(event, expected);
    }

    #[test]
    fn says_nothing_where_nothing_is() {
        let event = event(Source::Alb, Request::get("/?&flag"), b"");

        assert_eq!(event["body"], "");
        assert_eq!(event["isBase64Encoded"], false);
        assert_eq!(event["queryStringParameters"], json!({ "flag": "" }));
    }
}
