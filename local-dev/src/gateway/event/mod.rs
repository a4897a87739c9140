//! A request as the event that a source makes of it.

mod alb;
mod http_api;
mod parts;
mod rest_api;

use std::net::SocketAddr;

use axum::http::request::Parts;
use models::Timestamp;
use serde_json::Value;

use super::{Front, Source};

/// A request, and what the source knows besides.
pub(super) struct Arrival<'a> {
    pub(super) front: &'a Front,
    pub(super) parts: &'a Parts,
    pub(super) body: &'a [u8],
    pub(super) peer: SocketAddr,
    pub(super) id: &'a str,
    pub(super) at: Timestamp,
}

/// The account that everything here is in.
const ACCOUNT: &str = "000000000000";
/// The id of the API or function URL, and the name of the target group.
const ID: &str = "landline";

/// The event of this request.
pub(super) fn of(arrival: &Arrival<'_>) -> Value {
    match arrival.front.source() {
        Source::HttpApi => http_api::event(arrival),
        Source::FunctionUrl => http_api::function_url(arrival),
        Source::RestApi => rest_api::event(arrival),
        Source::Alb => alb::event(arrival),
        Source::AlbMultiValue => alb::multi_value_event(arrival),
    }
}

impl Arrival<'_> {
    /// The address that the source saw, which is no header.
    fn source_ip(&self) -> String {
        self.peer.ip().to_canonical().to_string()
    }

    fn user_agent(&self) -> Option<String> {
        let agent = self.parts.headers.get(axum::http::header::USER_AGENT)?;
        Some(parts::text(agent.as_bytes()))
    }

    /// The path as it was sent, below the stage.
    fn path(&self) -> &str {
        let path = self.parts.uri.path();
        self.front.below_stage(path).unwrap_or(path)
    }

    fn query(&self) -> &str {
        self.parts.uri.query().unwrap_or_default()
    }
}

#[cfg(test)]
mod fixture {
    use axum::http::{Request, request::Builder};
    use models::Timestamp;
    use serde_json::Value;

    use super::{Arrival, Front};

    /// The event that this source makes of a request from 192.0.2.7 at a known time.
    pub(super) fn event(front: impl Into<Front>, request: Builder, body: &[u8]) -> Value {
        let (parts, ()) = request.body(()).unwrap().into_parts();
        super::of(&Arrival {
            front: &front.into(),
            parts: &parts,
            body,
            peer: "[::ffff:192.0.2.7]:5000".parse().unwrap(),
            id: "0193a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b",
            at: Timestamp::from_unix_millis(1_795_365_000_007),
        })
    }

    /// A request with everything that sources treat differently.
    pub(super) fn rich(base: &str) -> Builder {
        Request::post(format!("{base}/v1/n%2Fo/a%20b/%C3%A4%3Ft?tag=a&x=%26+y&tag=b&empty="))
            .header("Host", "localhost:3000")
            .header("User-Agent", "curl/8")
            .header("Accept", "a/b")
            .header("Accept", "c/d")
            .header("Content-Type", "image/png")
            .header("Content-Length", "2")
            .header("Cookie", "one=1; two=2")
            .header("Connection", "keep-alive")
            .header("X-Forwarded-For", "203.0.113.9")
    }
}
