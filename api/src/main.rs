//! The Lambda function: configuration, the app, and the runtime's loop.

use std::{convert::Infallible, process::ExitCode};

use api::{App, Settings};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use models::Ambient;
use serde_json::value::RawValue;
use tokio::runtime::{Builder, Runtime};
use tracing_subscriber::{
    Layer,
    filter::{LevelFilter, Targets},
    layer::SubscriberExt,
    util::SubscriberInitExt,
};

fn main() -> ExitCode {
    // A filter that cannot be read is among the settings' problems, told with the others.
    let filter = api::log_filter(variable("LANDLINE_LOG").as_deref());
    let filter = filter.unwrap_or_else(|| Targets::new().with_default(LevelFilter::INFO));
    let lines = tracing_subscriber::fmt::layer().json().flatten_event(true).with_span_list(false);
    tracing_subscriber::registry().with(lines.with_filter(filter)).init();
    api::log_panics();
    match start() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn variable(name: &str) -> Option<String> {
    std::env::var(name).ok()
}

fn start() -> Result<(), Error> {
    Settings::check_names(std::env::vars_os().filter_map(|(name, _)| name.into_string().ok()))?;
    let settings = Settings::from_env(variable)?;
    let at_once = variable("AWS_LAMBDA_MAX_CONCURRENCY");
    let at_once = at_once.and_then(|number| number.parse().ok()).unwrap_or(1);
    runtime(at_once)?.block_on(serve(settings))
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

async fn serve(settings: Settings) -> Result<(), Error> {
    let app = App::new(settings, Ambient::system());
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.invoke(event).await) }
    });
    lambda_runtime::run_concurrent(handler).await
}
