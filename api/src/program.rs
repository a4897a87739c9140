//! What both programs begin with.

use std::process::ExitCode;

use lambda_runtime::Error;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

/// Run a program: its log first, then `serve`, on a runtime that is fit for this environment.
pub fn run<F: Future<Output = Result<(), Error>>>(
    serve: impl FnOnce() -> Result<F, Error>,
) -> ExitCode {
    // A filter that cannot be read is among the settings' problems, told with the others.
    let filter = crate::log_filter(variable("LANDLINE_LOG").as_deref());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    crate::log_panics();
    match start(serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn start<F: Future<Output = Result<(), Error>>>(
    serve: impl FnOnce() -> Result<F, Error>,
) -> Result<(), Error> {
    let serve = serve()?;
    let at_once = variable("AWS_LAMBDA_MAX_CONCURRENCY");
    let at_once = at_once.and_then(|number| number.parse().ok()).unwrap_or(1);
    runtime(at_once)?.block_on(serve)
}

/// A variable of the environment.
pub fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

/// One invocation at a time has one thread: on the one CPU of a function more of them only pass
/// work to each other. Managed Instances bring several invocations, and CPUs for them.
fn runtime(invocations_at_once: u32) -> std::io::Result<Runtime> {
    let mut builder = match invocations_at_once {
        0 | 1 => Builder::new_current_thread(),
        _ => Builder::new_multi_thread(),
    };
    builder.enable_all().build()
}
