//! The gateway: HTTP over TCP on one side, the entry point that Lambda calls on the other.
//!
//! Each request becomes the event that an HTTP API sends, the app answers it as it does in the
//! cloud, and its answer becomes the response. Nothing here knows a route.

mod answer;
mod body;
mod event;

use std::{net::SocketAddr, time::Duration};

use api::App;
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, Response, StatusCode, request::Parts},
};
use lambda_runtime::{Context, LambdaEvent};
use models::Ambient;
use serde_json::value::to_raw_value;
use tokio::time::timeout;

use event::Arrival;

/// How long an HTTP API waits for its function.
const PATIENCE: Duration = Duration::from_secs(30);
/// What Lambda takes in one synchronous invocation.
const LARGEST_EVENT: usize = 6 * 1024 * 1024;
/// The function that the app believes to be.
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:landline-local";

/// Turns HTTP requests into invocations of the app. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    app: App,
    ambient: Ambient,
}

impl Gateway {
    /// A gateway in front of this app. Request ids and times come from `ambient`.
    pub fn new(app: App, ambient: Ambient) -> Self {
        Self { app, ambient }
    }

    /// Answer one request.
    pub async fn forward(&self, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let (parts, body) = request.into_parts();
        self.answer(&parts, body, peer).await.unwrap_or_else(|status| {
            // The app logs what it answers; this one it did not answer.
            tracing::warn!("the gateway refused a {} request with {status}", parts.method);
            answer::refusal(status)
        })
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        peer: SocketAddr,
    ) -> Result<Response<Body>, StatusCode> {
        let body = body::read(body).await?;
        let event = self.event(parts, &body, peer)?;
        let answer = timeout(PATIENCE, self.invoke(event))
            .await
            .map_err(|_| StatusCode::SERVICE_UNAVAILABLE)??;
        answer::response(answer, parts.method == Method::HEAD)
    }

    fn event(&self, parts: &Parts, body: &Bytes, peer: SocketAddr) -> Result<Event, StatusCode> {
        let (id, at) = (self.ambient.new_id().to_string(), self.ambient.now());
        let event = event::http_api(parts, body, &Arrival { peer, id: &id, at });
        let payload = to_raw_value(&event).map_err(|_| StatusCode::BAD_REQUEST)?;
        if payload.get().len() > LARGEST_EVENT {
            return Err(StatusCode::PAYLOAD_TOO_LARGE);
        }
        let mut context = Context::default();
        context.request_id = id;
        context.deadline = at.plus(PATIENCE).unix_millis().unsigned_abs();
        FUNCTION.clone_into(&mut context.invoked_function_arn);
        Ok(LambdaEvent::new(payload, context))
    }

    /// In a task of its own: as in Lambda, an invocation runs to its end when the client hangs up.
    async fn invoke(&self, event: Event) -> Result<serde_json::Value, StatusCode> {
        let app = self.app.clone();
        tokio::spawn(async move { serde_json::to_value(app.invoke(event).await) })
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

type Event = LambdaEvent<Box<serde_json::value::RawValue>>;
