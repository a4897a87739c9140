//! The built programs.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Stdio,
    sync::LazyLock,
    time::Duration,
};

use serde_json::Value;
use tokio::{process::Command, time::timeout};

/// No program takes so long for anything. A safety net: nothing waits for it when all is well.
pub(crate) const TOO_LONG: Duration = Duration::from_secs(60);

/// Where the program of this name is. Built once per process: `cargo test` itself builds only the
/// programs of packages that have integration tests of their own, and an old one proves nothing.
///
/// # Panics
/// When it cannot be built.
pub fn program(name: &str) -> &'static Path {
    static PROGRAMS: LazyLock<BTreeMap<String, PathBuf>> = LazyLock::new(build);
    PROGRAMS.get(name).unwrap_or_else(|| panic!("the workspace has no program {name}"))
}

/// `LANDLINE_PROFILE=release` tests the functions as they are shipped.
fn build() -> BTreeMap<String, PathBuf> {
    let functions = ["--bin", "api", "--example", "panicking"];
    // The features of the whole workspace, so that nothing is compiled a second time for this.
    let whole = ["--workspace", "--bin", "local-dev"];
    match std::env::var("LANDLINE_PROFILE") {
        Err(_) => cargo_build(&[&whole[..], &functions].concat()),
        Ok(profile) => {
            let mut programs = cargo_build(&whole);
            let shipped = ["--package", "api", "--profile", profile.as_str()];
            programs.extend(cargo_build(&[&shipped[..], &functions].concat()));
            programs
        }
    }
}

fn cargo_build(arguments: &[&str]) -> BTreeMap<String, PathBuf> {
    let built = std::process::Command::new(env!("CARGO"))
        .args(["build", "--message-format", "json"])
        .args(arguments)
        .current_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
        .stderr(Stdio::inherit())
        .output()
        .expect("cargo runs");
    assert!(built.status.success(), "the programs do not build");
    let messages = String::from_utf8_lossy(&built.stdout).into_owned();
    let artifact = |line: &str| {
        let message: Value = serde_json::from_str(line).ok()?;
        let name = message["target"]["name"].as_str()?.to_owned();
        Some((name, PathBuf::from(message["executable"].as_str()?)))
    };
    messages.lines().filter_map(artifact).collect()
}

/// How a program ended and what it said.
#[derive(Debug)]
pub struct Outcome {
    /// Its exit code; none when a signal ended it.
    pub code: Option<i32>,
    /// What it said.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

/// Run a program to its end, in this environment and no other.
///
/// # Panics
/// When it does not start or does not end.
pub async fn run<A: AsRef<OsStr>>(
    name: &str,
    arguments: impl IntoIterator<Item = A>,
    environment: &[(&str, &str)],
) -> Outcome {
    let output = Command::new(program(name))
        .args(arguments)
        .env_clear()
        .envs(environment.iter().copied())
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = timeout(TOO_LONG, output).await.expect("it ends").expect("it starts");
    Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    }
}
