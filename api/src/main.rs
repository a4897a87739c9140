//! The Lambda function: configuration, the app, and the runtime's loop.

use std::{convert::Infallible, process::ExitCode};

use api::{
    App, Settings,
    program::{self, variable},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use models::Ambient;
use serde_json::value::RawValue;

fn main() -> ExitCode {
    program::run(|| Ok(serve(Settings::from_env(variable)?)))
}

async fn serve(settings: Settings) -> Result<(), Error> {
    let app = App::new(settings, Ambient::system());
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let app = app.clone();
        async move { Ok::<_, Infallible>(app.invoke(event).await) }
    });
    lambda_runtime::run_concurrent(handler).await
}
