//! The Lambda function of everything that is no request: configuration, the event handlers, and the
//! runtime's loop. `events replay [PREFIX]` sends what was set aside again, and ends.

use std::process::ExitCode;

use api::{
    Settings,
    events::Events,
    program::{self, variable},
};
use lambda_runtime::{Error, LambdaEvent, service_fn};
use models::Ambient;
use serde_json::value::RawValue;

fn main() -> ExitCode {
    let arguments: Vec<_> = std::env::args().skip(1).collect();
    let arguments: Vec<_> = arguments.iter().map(String::as_str).collect();
    match arguments[..] {
        [] => program::run(|| {
            let failures = Settings::failures_from_env(variable)?;
            let settings = Settings::from_env(variable)?;
            let receivers = Settings::receivers_from_env(variable)?;
            let events = Events::new(settings, failures, Ambient::system())?;
            Ok(serve(events.delivering_to(receivers)))
        }),
        ["replay"] => replay("failures/"),
        ["replay", prefix] => replay(prefix),
        _ => usage(),
    }
}

async fn serve(events: Events) -> Result<(), Error> {
    let handler = service_fn(move |event: LambdaEvent<Box<RawValue>>| {
        let events = events.clone();
        async move { events.invoke(event).await }
    });
    lambda_runtime::run_concurrent(handler).await
}

fn replay(prefix: &str) -> ExitCode {
    let prefix = prefix.to_owned();
    program::run(|| {
        let failures = Settings::failures_from_env(variable)?;
        let settings = Settings::from_command(variable)?;
        let receivers = Settings::receivers_from_env(variable)?;
        let events = Events::new(settings, failures, Ambient::system())?.delivering_to(receivers);
        Ok(async move {
            let replayed = events.replay(&prefix, None).await?;
            match replayed.failed.len() + replayed.left {
                0 => Ok(()),
                stay => Err(format!("{stay} failures were not handled; they stay").into()),
            }
        })
    })
}

#[expect(clippy::print_stderr, reason = "a program says on stderr how it is called")]
fn usage() -> ExitCode {
    eprintln!("usage: events [replay [PREFIX]]");
    ExitCode::from(2)
}
