//! From AWS's event to a request, and from the answer back to what the event's source expects.
//!
//! Whatever an event says, what comes out of here is either a safe request or a problem document:
//! an invocation error would reach the client as an answer that is not ours.

mod answer;
mod client;
mod event;
mod lenient;
mod path;

pub use answer::Answer;
pub use client::ClientAddress;
pub use event::Source;

use lambda_runtime::{Context, LambdaEvent};
use models::Timestamp;
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::App;
use event::Event;

/// When the runtime ends the invocation, and with it whatever has not been answered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadline(pub(crate) Timestamp);

impl Deadline {
    /// A context that was not made by the runtime says 0.
    pub(crate) fn of(context: &Context) -> Option<Self> {
        let millis = i64::try_from(context.deadline).ok().filter(|millis| *millis > 0)?;
        Some(Self(Timestamp::from_unix_millis(millis)))
    }
}

impl App {
    /// Answer an event: the entry point of the Lambda function and of local-dev alike.
    pub async fn invoke(&self, event: LambdaEvent<Box<RawValue>>) -> Answer {
        let LambdaEvent { payload, context } = event;
        let Some((source, event)) = Event::read(payload.get()) else {
            tracing::warn!("the event is not an HTTP request");
            return Answer::not_http();
        };
        let mut request = event.into_request(source, self.base_path());
        if let Some(deadline) = Deadline::of(&context) {
            request.extensions_mut().insert(deadline);
        }
        match self.router().oneshot(request).await {
            Ok(response) => Answer::write(source, response).await,
            Err(never) => match never {},
        }
    }
}
