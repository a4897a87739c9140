//! Prints the OpenAPI document, or writes and checks the committed ones.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its caller")]

use std::{error::Error, fs, path::PathBuf, process::ExitCode};

use clap::Parser;
use openapi::{Authorizer, Integration, for_gateway, lint, pretty, to_3_0};

/// Print the OpenAPI document of the app, as 3.1 unless something else is asked for.
#[derive(Parser)]
struct Arguments {
    /// Compare the committed documents with the code instead, and fail when they differ.
    #[arg(long)]
    check: bool,
    /// Write the committed documents, 3.1 and 3.0.3.
    #[arg(long, conflicts_with = "check")]
    write: bool,
    /// Print what an HTTP API of Amazon's API Gateway imports.
    #[arg(long, conflicts_with_all = ["check", "write"])]
    gateway: bool,
    /// The function that the gateway calls; without it, a substitution for CloudFormation.
    #[arg(long, requires = "gateway", value_name = "ARN")]
    function_arn: Option<String>,
    /// Let the gateway check tokens too: a file with the issuer's key set, which must be of RS256.
    #[arg(long, requires_all = ["gateway", "issuer", "audience"], value_name = "KEY_SET")]
    authorizer: Option<PathBuf>,
    /// The `iss` of the tokens that the gateway checks.
    #[arg(long, requires = "authorizer")]
    issuer: Option<String>,
    /// The `aud` of the tokens that the gateway checks.
    #[arg(long, requires = "authorizer")]
    audience: Option<String>,
}

const SPEC: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec");

fn main() -> ExitCode {
    match run(Arguments::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(arguments: Arguments) -> Result<(), Box<dyn Error>> {
    let document = openapi::document()?;
    let findings = lint(&document);
    if !findings.is_empty() {
        let findings: Vec<_> = findings.iter().map(ToString::to_string).collect();
        return Err(format!("the document breaks rules:\n  {}", findings.join("\n  ")).into());
    }
    let older = to_3_0(&document)?;
    let committed = [("openapi.json", pretty(&document)), ("openapi-3.0.json", pretty(&older))];
    if arguments.check {
        return check(&committed);
    }
    if arguments.write {
        for (name, made) in committed {
            fs::write(format!("{SPEC}/{name}"), made)?;
            println!("wrote openapi/spec/{name}");
        }
    } else if arguments.gateway {
        let integration = integration(arguments)?;
        print!("{}", pretty(&for_gateway(&older, &integration)));
    } else {
        print!("{}", pretty(&document));
    }
    Ok(())
}

fn check(committed: &[(&str, String)]) -> Result<(), Box<dyn Error>> {
    for (name, made) in committed {
        let known = fs::read_to_string(format!("{SPEC}/{name}")).unwrap_or_default();
        if let Err(stale) = openapi::check(&known, made) {
            let told = format!(
                "openapi/spec/{name} is not what the code says. Mend it with:\n  .ci/spec --write"
            );
            return Err(format!("{}\n{told}", stale.difference).into());
        }
        println!("openapi/spec/{name} is what the code says");
    }
    Ok(())
}

fn integration(arguments: Arguments) -> Result<Integration, Box<dyn Error>> {
    let Arguments { function_arn, authorizer, issuer, audience, .. } = arguments;
    let Some(path) = authorizer else {
        return Ok(Integration { function_arn, authorizer: None });
    };
    let key_set = fs::read_to_string(&path).map_err(|why| format!("{}: {why}", path.display()))?;
    let (issuer, audience) = (issuer.unwrap_or_default(), audience.unwrap_or_default());
    let authorizer = Authorizer::of(issuer, audience, &key_set)
        .map_err(|why| format!("{}: {why}", path.display()))?;
    Ok(Integration { function_arn, authorizer: Some(authorizer) })
}
