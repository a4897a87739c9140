//! Prints the OpenAPI document, or checks the committed one.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its caller")]

use std::process::ExitCode;

use clap::Parser;

/// Print the OpenAPI document of the app.
#[derive(Parser)]
struct Arguments {
    /// Compare the committed document with the code instead, and fail when they differ.
    #[arg(long)]
    check: bool,
}

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/openapi.json");

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let json = match openapi::json() {
        Ok(json) => json,
        Err(contradiction) => {
            eprintln!("error: {contradiction}");
            return ExitCode::FAILURE;
        }
    };
    if !arguments.check {
        print!("{json}");
        return ExitCode::SUCCESS;
    }
    let committed = std::fs::read_to_string(COMMITTED).unwrap_or_default();
    match openapi::check(&committed, &json) {
        Ok(()) => ExitCode::SUCCESS,
        Err(stale) => {
            eprintln!("{}", stale.difference);
            eprintln!("error: openapi/spec/openapi.json is not what the code says. Mend it with:");
            eprintln!("  .ci/spec --write");
            ExitCode::FAILURE
        }
    }
}
