//! What the events of several sources are made of.

use std::collections::BTreeMap;

use axum::http::{HeaderMap, HeaderName, Version, header};
use base64::{Engine, prelude::BASE64_STANDARD};
use time::{OffsetDateTime, macros::format_description};

use super::Arrival;

/// Headers that are about the connection and end at the source.
const OF_THE_CONNECTION: [HeaderName; 5] =
    [header::CONNECTION, header::EXPECT, header::TE, header::TRANSFER_ENCODING, header::UPGRADE];

/// Names with the values that came with each, in their order.
pub(super) type Several = BTreeMap<String, Vec<String>>;
/// Names with one value each.
pub(super) type Single = BTreeMap<String, String>;

/// The client's headers with those that every source adds. The laptop speaks plain HTTP; events
/// say HTTPS, as they do in the cloud.
pub(super) fn headers(arrival: &Arrival<'_>) -> Several {
    let sent = arrival.parts.headers.iter();
    let passed = sent.filter(|(name, _)| !OF_THE_CONNECTION.contains(name));
    let mut headers =
        grouped(passed.map(|(name, value)| (name.to_string(), text(value.as_bytes()))));
    let mut chain = headers.remove("x-forwarded-for").unwrap_or_default();
    chain.push(arrival.source_ip());
    for (name, value) in [
        ("x-forwarded-for", chain.join(", ")),
        ("x-forwarded-port", "443".to_owned()),
        ("x-forwarded-proto", "https".to_owned()),
    ] {
        headers.insert(name.to_owned(), vec![value]);
    }
    headers.entry("x-amzn-trace-id".to_owned()).or_insert_with(|| vec![trace_id(arrival)]);
    headers
}

/// A trace id says when, and then anything: here, the request's id.
fn trace_id(arrival: &Arrival<'_>) -> String {
    let digits: String = arrival.id.chars().filter(char::is_ascii_hexdigit).collect();
    let tail = digits.get(digits.len().saturating_sub(24)..).unwrap_or_default();
    format!("Root=1-{:08x}-{tail}", arrival.at.unix_seconds())
}

pub(super) fn grouped(pairs: impl Iterator<Item = (String, String)>) -> Several {
    let mut all = Several::new();
    for (name, value) in pairs {
        all.entry(name).or_default().push(value);
    }
    all
}

/// One value per name, joined by commas.
pub(super) fn joined(several: Several) -> Single {
    several.into_iter().map(|(name, values)| (name, values.join(","))).collect()
}

/// One value per name, the last.
pub(super) fn last(several: &Several) -> Single {
    several
        .iter()
        .filter_map(|(name, values)| Some((name.clone(), values.last()?.clone())))
        .collect()
}

/// The query's names and values, decoded.
pub(super) fn decoded_query(query: &str) -> Several {
    let pairs = form_urlencoded::parse(query.as_bytes());
    grouped(pairs.map(|(name, value)| (name.into_owned(), value.into_owned())))
}

/// A header is bytes, JSON is text: what is not UTF-8 is read as Latin-1, HTTP's old default.
pub(super) fn text(value: &[u8]) -> String {
    String::from_utf8(value.to_owned())
        .unwrap_or_else(|_| value.iter().copied().map(char::from).collect())
}

/// The body as an event carries it, and whether that is base64. Types that are text by their name
/// come as they are.
pub(super) fn body(headers: &HeaderMap, body: &[u8]) -> (String, bool) {
    match str::from_utf8(body) {
        Ok(text) if body.is_empty() || is_text(headers) => (text.to_owned(), false),
        _ => (BASE64_STANDARD.encode(body), true),
    }
}

fn is_text(headers: &HeaderMap) -> bool {
    let kind = headers.get(header::CONTENT_TYPE).map(|kind| text(kind.as_bytes()));
    let kind = kind.unwrap_or_default().to_ascii_lowercase();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let named = ["application/json", "application/javascript", "application/xml"].contains(&kind);
    (named || kind.starts_with("text/")) && !headers.contains_key(header::CONTENT_ENCODING)
}

pub(super) fn protocol(version: Version) -> &'static str {
    if version == Version::HTTP_10 { "HTTP/1.0" } else { "HTTP/1.1" }
}

/// `22/Nov/2026:16:30:00 +0000`.
pub(super) fn common_log_time(arrival: &Arrival<'_>) -> String {
    let format =
        format_description!("[day]/[month repr:short]/[year]:[hour]:[minute]:[second] +0000");
    OffsetDateTime::from_unix_timestamp(arrival.at.unix_seconds())
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderMap, HeaderValue, header};

    use super::{body, text};

    fn carried(kind: Option<&'static str>, bytes: &[u8]) -> (String, bool) {
        let mut headers = HeaderMap::new();
        headers.extend(kind.map(|kind| (header::CONTENT_TYPE, HeaderValue::from_static(kind))));
        body(&headers, bytes)
    }

    #[test]
    fn carries_text_by_its_type_and_everything_else_in_base64() {
        for kind in ["application/json", "text/csv", "Application/JSON; charset=utf-8"] {
            assert_eq!(carried(Some(kind), b"{}"), ("{}".to_owned(), false), "{kind}");
        }
        for kind in [None, Some("application/x-www-form-urlencoded"), Some("image/png")] {
            assert_eq!(carried(kind, b"{}"), ("e30=".to_owned(), true), "{kind:?}");
        }
        assert_eq!(carried(Some("text/plain"), &[0xff, 0x00]), ("/wA=".to_owned(), true));
        assert_eq!(carried(None, b""), (String::new(), false));
    }

    #[test]
    fn reads_headers_that_are_not_utf_8_as_latin_1() {
        assert_eq!(text(b"caf\xe9"), "café");
        assert_eq!(text("café".as_bytes()), "café");
    }
}
