//! Prints the OpenAPI document, writes and checks the committed ones, and compares documents.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its caller")]

use std::{
    error::Error,
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use openapi::{
    Authorizer, Integration,
    compare::{Comparison, Date, Document, compare},
    for_gateway, lint, pretty,
    released::{self, Standing},
    to_3_0,
};
use time::{OffsetDateTime, macros::format_description};

/// Print the OpenAPI document of the app, as 3.1 unless something else is asked for.
#[derive(Parser)]
struct Arguments {
    /// Compare the committed documents with the code instead, and fail when they differ.
    #[arg(long, group = "what")]
    check: bool,
    /// Write the committed documents, 3.1 and 3.0.3.
    #[arg(long, group = "what")]
    write: bool,
    /// List what in NEW breaks apps that were built for OLD. Exits 1 if anything does, 2 if one of
    /// the two cannot be read.
    #[arg(long, group = "what", num_args = 2, value_names = ["OLD", "NEW"])]
    compare: Option<Vec<PathBuf>>,
    /// With --compare: list what breaks nothing, too.
    #[arg(long, requires = "compare")]
    harmless: bool,
    /// Hold the document against the newest released one.
    #[arg(long, group = "what")]
    check_released: bool,
    /// Add the document to the released ones, unless it breaks the newest of them.
    #[arg(long, group = "what")]
    release: bool,
    /// The day on which it is decided whether a sunset has passed, instead of today.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    today: Option<Date>,
    /// Print what an HTTP API of Amazon's API Gateway imports.
    #[arg(long, group = "what")]
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
const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/released");

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if let Some(paths) = &arguments.compare {
        let today = arguments.today.unwrap_or_else(today);
        return compare_files(&paths[0], &paths[1], today, arguments.harmless);
    }
    match run(arguments) {
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
    let today = arguments.today.unwrap_or_else(today);
    if arguments.check {
        check(&committed)?;
    } else if arguments.write {
        for (name, made) in committed {
            fs::write(format!("{SPEC}/{name}"), made)?;
            println!("wrote openapi/spec/{name}");
        }
    } else if arguments.check_released {
        println!("{}", stands(released::standing(Path::new(RELEASED), &committed[0].1, today)?));
    } else if arguments.release {
        let released = released::release(Path::new(RELEASED), &committed[0].1, today)?;
        println!("released: {}", released.display());
    } else if arguments.gateway {
        print!("{}", pretty(&for_gateway(&older, &integration(arguments)?)));
    } else {
        print!("{}", committed[0].1);
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

fn day(text: &str) -> Result<Date, String> {
    let day = Date::parse(text, format_description!("[year]-[month]-[day]"));
    day.map_err(|_| "it is not a day such as 2027-05-01".to_owned())
}

#[expect(clippy::disallowed_methods, reason = "--today says another day, and tests do")]
fn today() -> Date {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs());
    let now = i64::try_from(now).ok().and_then(|now| OffsetDateTime::from_unix_timestamp(now).ok());
    now.unwrap_or(OffsetDateTime::UNIX_EPOCH).date()
}

fn read(path: &Path) -> Result<Document, String> {
    let text = std::fs::read_to_string(path).map_err(|error| error.to_string());
    let document = text.and_then(|text| text.parse().map_err(|it| format!("{it}")));
    document.map_err(|why| format!("{}: {why}", path.display()))
}

fn compare_files(old: &Path, new: &Path, today: Date, harmless: bool) -> ExitCode {
    let (old, new) = match read(old).and_then(|old| Ok((old, read(new)?))) {
        Ok(both) => both,
        Err(why) => {
            eprintln!("error: {why}");
            return ExitCode::from(2);
        }
    };
    let comparison = compare(&old, &new, today);
    print!("{}", Comparison::by_operation(comparison.breaking()));
    if harmless {
        println!("Harmless:\n{}", Comparison::by_operation(comparison.harmless()));
    }
    println!("{}", counted(&comparison));
    if comparison.breaking().next().is_none() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn counted(comparison: &Comparison) -> String {
    let (breaking, harmless) = (comparison.breaking().count(), comparison.harmless().count());
    format!("{breaking} breaking, {harmless} harmless")
}

fn stands(standing: Standing) -> String {
    match standing {
        Standing::NothingReleased => {
            "nothing is released: no app is protected (.ci/spec --release)".to_owned()
        }
        Standing::Kept { newest, comparison } => {
            format!("apps that were built for {newest} work on: {}", counted(&comparison))
        }
        Standing::NewMajor { newest, comparison } => {
            let list = Comparison::by_operation(comparison.breaking());
            format!("{list}a new major version may break apps that were built for {newest}")
        }
    }
}
