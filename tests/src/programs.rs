//! The built programs.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{PipeReader, Read},
    path::{Path, PathBuf},
    process::Stdio,
    sync::{Arc, LazyLock, Mutex, PoisonError},
    thread::{self, JoinHandle},
    time::Duration,
};

use serde_json::Value;
use tokio::{
    process::Command,
    sync::watch::{Receiver, channel},
    time::timeout,
};

use crate::watch;

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
    let events = ["--features", "api/events", "--bin", "events"];
    // The features of the whole workspace, so that nothing is compiled a second time for this.
    let whole = ["--workspace", "--bin", "local-dev"];
    match std::env::var("LANDLINE_PROFILE") {
        Err(_) => cargo_build(&[&whole[..], &functions, &events].concat()),
        Ok(profile) => {
            let mut programs = cargo_build(&whole);
            let shipped = ["--package", "api", "--profile", profile.as_str()];
            programs.extend(cargo_build(&[&shipped[..], &functions].concat()));
            programs.extend(cargo_build(&[&shipped[..], &events].concat()));
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
    let outcome = Outcome {
        code: output.status.code(),
        stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
        stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
    };
    // What a command prints because it was asked to, such as a token, stands on stdout.
    watch::check_text(&format!("the log of {name}"), &outcome.stderr);
    outcome
}

/// What a running program logs, read by a thread of its own, so that it can be waited for where
/// nothing can be awaited: when a test ends.
pub(crate) struct Said {
    text: Arc<Mutex<Vec<u8>>>,
    reader: Mutex<Option<JoinHandle<()>>>,
    ended: Receiver<()>,
}

impl Said {
    /// All that is written into the other end of this pipe.
    pub(crate) fn through(mut pipe: PipeReader) -> Self {
        let (running, ended) = channel::<()>(());
        let text = Arc::<Mutex<Vec<u8>>>::default();
        let kept = text.clone();
        let reader = thread::spawn(move || {
            let _running = running;
            let mut chunk = [0; 8192];
            while let Ok(length @ 1..) = pipe.read(&mut chunk) {
                kept.lock().unwrap_or_else(PoisonError::into_inner).extend(&chunk[..length]);
            }
        });
        Self { text, reader: Mutex::new(Some(reader)), ended }
    }

    /// What it has said so far.
    pub(crate) fn so_far(&self) -> String {
        let text = self.text.lock().unwrap_or_else(PoisonError::into_inner);
        String::from_utf8_lossy(&text).into_owned()
    }

    /// All that it has said. Waits for its end: somebody must have ended it, or will.
    pub(crate) fn whole(&self) -> String {
        let reader = self.reader.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(reader) = reader {
            reader.join().expect("reading does not panic");
        }
        self.so_far()
    }

    /// Done when it has ended.
    pub(crate) async fn ended(&self) {
        drop(self.ended.clone().changed().await);
    }

    /// For the end of a test, after the program was ended: nothing that it has said is a secret.
    ///
    /// # Panics
    /// When something is.
    pub(crate) fn check(&self, name: &str) {
        let whole = self.whole();
        if !thread::panicking() {
            watch::check_text(&format!("the log of {name}"), &whole);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Write, pipe};

    use super::Said;

    fn said(text: &str) -> Said {
        let (log, mut into_log) = pipe().expect("a pipe");
        let said = Said::through(log);
        into_log.write_all(text.as_bytes()).expect("it is read");
        said
    }

    #[test]
    fn a_programs_last_word_is_waited_for() {
        let said = said("Farewell");

        assert_eq!(said.whole(), "Farewell");
        said.check("a program that is silent about others");
    }

    #[test]
    #[should_panic(expected = "the log of a program has a secret\nan e-mail address")]
    fn a_secret_that_a_program_logs_fails_the_test() {
        said("nobody is maya@example.com").check("a program");
    }
}
