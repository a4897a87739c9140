//! The events function, called in this process as Lambda would call it in the cloud.

use std::time::Duration;

use api::events::{Answer, Events, FailureStore, Refused};
use lambda_runtime::{Context, LambdaEvent};
use models::Ambient;
use serde_json::value::RawValue;
use tokio::{sync::oneshot, time::timeout};

use crate::runtimes;

/// The function that events are for, and where those are kept that it cannot do.
#[derive(Clone)]
pub struct Function {
    /// The handlers.
    pub events: Events,
    /// The destination of failures.
    pub failures: FailureStore,
    /// Time and ids.
    pub ambient: Ambient,
}

/// What `deploy/template.yaml` says of it, and a test holds it to.
impl Function {
    /// `Timeout`: a call may take so long.
    pub const TIMEOUT: Duration = Duration::from_secs(120);
    /// `MaximumRetryAttempts` of asynchronous calls.
    pub const MAXIMUM_RETRY_ATTEMPTS: u32 = 2;
    /// `BatchSize` of the mapping from the table's stream.
    pub const BATCH_SIZE: usize = 25;
    /// `MaximumRetryAttempts` of that mapping.
    pub const MAXIMUM_RECORD_RETRIES: u32 = 20;
    /// Its name here.
    pub(crate) const ARN: &str =
        "arn:aws:lambda:us-east-1:000000000000:function:landline-local-events";
}

/// Why a call of the function has failed. The function logs it.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CallError {
    /// It says so.
    #[error("{0}")]
    Refused(#[from] Refused),
    /// It panicked, or was ended with this process.
    #[error("it did not end")]
    Ended,
    /// Its time was over.
    #[error("Task timed out after {:.2} seconds", Function::TIMEOUT.as_secs_f64())]
    TimedOut,
    /// This machine gives it no threads.
    #[error("there are no threads for it: {0}")]
    NoThreads(String),
}

impl Function {
    /// Call it once.
    pub(crate) async fn invoke(&self, payload: Box<RawValue>) -> Result<Answer, CallError> {
        self.invoke_as(&self.ambient.new_id().to_string(), payload).await
    }

    /// Call it under a request id, which all attempts of an asynchronous invocation share. Each call has
    /// a thread of its own: one that blocks it is over when its time is, as in the cloud, and holds up
    /// no other, though its thread is gone for as long. Dropping this ends it, where it waits next.
    pub(crate) async fn invoke_as(
        &self,
        request_id: &str,
        payload: Box<RawValue>,
    ) -> Result<Answer, CallError> {
        let mut context = Context::default();
        request_id.clone_into(&mut context.request_id);
        context.deadline = self.ambient.now().plus(Self::TIMEOUT).unix_millis().unsigned_abs();
        Self::ARN.clone_into(&mut context.invoked_function_arn);
        let runtime = runtimes::HANDLERS.as_ref();
        let runtime = runtime.map_err(|error| CallError::NoThreads(error.to_string()))?;
        let (events, event) = (self.events.clone(), LambdaEvent::new(payload, context));
        let (mut give, answer) = oneshot::channel();
        let call = async move {
            tokio::select! {
                biased;
                // Nobody waits any more.
                () = give.closed() => {}
                answer = events.invoke(event) => drop(give.send(answer)),
            }
        };
        runtime.spawn_blocking(|| runtime.block_on(call));
        match timeout(Self::TIMEOUT, answer).await {
            Ok(Ok(answer)) => Ok(answer?),
            Ok(Err(_)) => Err(CallError::Ended),
            Err(_) => Err(CallError::TimedOut),
        }
    }
}
