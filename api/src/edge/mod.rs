//! From AWS's event to a request, and from the answer back to what the event's source expects.
//!
//! Whatever an event says, what comes out of here is either a safe request or a problem document:
//! an invocation error would reach the client as an answer that is not ours.

mod answer;
mod event;
mod path;

pub use answer::Answer;
pub use event::Source;

use lambda_runtime::LambdaEvent;
use serde_json::value::RawValue;
use tower::ServiceExt;

use crate::App;
use event::Event;

impl App {
    /// Answer an event: the entry point of the Lambda function and of local-dev alike.
    pub async fn invoke(&self, event: LambdaEvent<Box<RawValue>>) -> Answer {
        let Some((source, event)) = Event::read(event.payload.get()) else {
            return Answer::not_http();
        };
        let request = event.into_request(source);
        match self.router().oneshot(request).await {
            Ok(response) => Answer::write(source, response).await,
            Err(never) => match never {},
        }
    }
}
