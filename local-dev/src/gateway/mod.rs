//! The gateway: HTTP over TCP on one side, the entry point that Lambda calls on the other.
//!
//! Each request becomes the event that its [`Source`] sends, the app answers it as it does in the
//! cloud, and its answer becomes the response. Nothing here knows a route. One file per question:
//! who stands in front (`source`), what it takes (`limits`), what it says by itself (`refusal`),
//! what it makes of a request (`event`) and of an answer (`answer`).

mod answer;
mod body;
mod event;
mod limits;
mod refusal;
mod source;

pub use source::{Front, Source, StageError};

use std::{net::SocketAddr, sync::Arc};

use api::App;
use axum::{
    body::{Body, Bytes},
    http::{Method, Request, Response, request::Parts},
};
use lambda_runtime::{Context, LambdaEvent};
use models::Ambient;
use serde_json::value::{RawValue, to_raw_value};
use tokio::time::timeout;

use event::Arrival;
use limits::Limits;
use refusal::Refusal;

/// The function that the app believes to be.
const FUNCTION: &str = "arn:aws:lambda:us-east-1:000000000000:function:landline-local";

/// Turns HTTP requests into invocations of the app. Cheap to clone.
#[derive(Clone)]
pub struct Gateway {
    app: App,
    ambient: Ambient,
    front: Arc<Front>,
}

impl Gateway {
    /// An HTTP API in front of this app. Request ids and times come from `ambient`.
    pub fn new(app: App, ambient: Ambient) -> Self {
        Self { app, ambient, front: Arc::new(Source::HttpApi.into()) }
    }

    /// The same app behind another source, or another stage: `gateway.behind(Source::Alb)`.
    #[must_use]
    pub fn behind(self, front: impl Into<Front>) -> Self {
        Self { front: Arc::new(front.into()), ..self }
    }

    /// What stands in front of every path: nothing, or a slash and the stage.
    pub(crate) fn base(&self) -> String {
        self.front.base()
    }

    /// Answer one request.
    pub async fn forward(&self, request: Request<Body>, peer: SocketAddr) -> Response<Body> {
        let (parts, body) = request.into_parts();
        self.answer(&parts, body, peer).await.unwrap_or_else(|refusal| {
            // The app logs what it answers; this one it did not answer.
            let response = refusal.response(self.front.source());
            let (method, status) = (&parts.method, response.status());
            tracing::warn!("the gateway refused a {method} request with {status}: {refusal}");
            response
        })
    }

    async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        peer: SocketAddr,
    ) -> Result<Response<Body>, Refusal> {
        let limits = self.front.source().limits();
        let body = body::read(body, limits.body).await?;
        if !limits.admit(parts) {
            return Err(Refusal::Headers);
        }
        self.front.below_stage(parts.uri.path()).ok_or(Refusal::Stage)?;
        let event = self.event(limits, parts, &body, peer)?;
        let answer =
            timeout(limits.patience, self.invoke(event)).await.map_err(|_| Refusal::Slow)??;
        Some(answer)
            .filter(|answer| answer.len() <= limits.answer)
            .and_then(|it| answer::response(self.front.source(), &it, parts.method == Method::HEAD))
            .ok_or(Refusal::Answer)
    }

    fn event(
        &self,
        limits: &Limits,
        parts: &Parts,
        body: &Bytes,
        peer: SocketAddr,
    ) -> Result<Event, Refusal> {
        let (id, at) = (self.ambient.new_id().to_string(), self.ambient.now());
        let event = event::of(&Arrival { front: &self.front, parts, body, peer, id: &id, at });
        let payload = to_raw_value(&event).expect("a JSON value can be written");
        if payload.get().len() > limits.event {
            return Err(Refusal::Event);
        }
        let mut context = Context::default();
        context.request_id = id;
        context.deadline = at.plus(limits.patience).unix_millis().unsigned_abs();
        FUNCTION.clone_into(&mut context.invoked_function_arn);
        Ok(LambdaEvent::new(payload, context))
    }

    /// In a task of its own: as in Lambda, an invocation runs to its end when the client hangs up.
    async fn invoke(&self, event: Event) -> Result<String, Refusal> {
        let app = self.app.clone();
        tokio::spawn(async move { serde_json::to_string(&app.invoke(event).await) })
            .await
            .ok()
            .and_then(Result::ok)
            .ok_or(Refusal::Answer)
    }
}

type Event = LambdaEvent<Box<RawValue>>;

#[cfg(test)]
mod tests;
