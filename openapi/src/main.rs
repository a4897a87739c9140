//! Prints the OpenAPI document, checks the committed one, and compares documents.
#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a command talks to its caller")]

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
    time::{SystemTime, UNIX_EPOCH},
};

use clap::Parser;
use openapi::{
    compare::{Comparison, Date, Document, compare},
    released::{self, ReleaseError, Standing},
};
use time::{OffsetDateTime, macros::format_description};

/// Print the OpenAPI document of the app.
#[derive(Parser)]
struct Arguments {
    /// Compare the committed document with the code instead, and fail when they differ.
    #[arg(long)]
    check: bool,
    /// List what in NEW breaks apps that were built for OLD. Exits 1 if anything does, 2 if one of
    /// the two cannot be read.
    #[arg(long, num_args = 2, value_names = ["OLD", "NEW"], conflicts_with = "check")]
    compare: Option<Vec<PathBuf>>,
    /// With --compare: list what breaks nothing, too.
    #[arg(long, requires = "compare")]
    harmless: bool,
    /// Hold the document against the newest released one.
    #[arg(long, conflicts_with_all = ["check", "compare"])]
    check_released: bool,
    /// Add the document to the released ones, unless it breaks the newest of them.
    #[arg(long, conflicts_with_all = ["check", "compare", "check_released"])]
    release: bool,
    /// The day on which it is decided whether a sunset has passed, instead of today.
    #[arg(long, value_name = "YYYY-MM-DD", value_parser = day)]
    today: Option<Date>,
}

const COMMITTED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/openapi.json");
const RELEASED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/spec/released");

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let today = arguments.today.unwrap_or_else(today);
    if let Some(paths) = &arguments.compare {
        return compare_files(&paths[0], &paths[1], today, arguments.harmless);
    }
    let json = match openapi::json() {
        Ok(json) => json,
        Err(contradiction) => {
            eprintln!("error: {contradiction}");
            return ExitCode::FAILURE;
        }
    };
    if arguments.check_released {
        return told(released::standing(Path::new(RELEASED), &json, today).map(stands));
    }
    if arguments.release {
        let released = released::release(Path::new(RELEASED), &json, today);
        return told(released.map(|path| format!("released: {}", path.display())));
    }
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

fn told(outcome: Result<String, ReleaseError>) -> ExitCode {
    match outcome {
        Ok(told) => {
            println!("{told}");
            ExitCode::SUCCESS
        }
        Err(why) => {
            eprintln!("error: {why}");
            ExitCode::FAILURE
        }
    }
}
