//! Who logged a secret. The log of a process is one, its tests are many: a leak is kept where it is
//! found, on whatever thread that is, and fails the test that it belongs to when that looks.

use std::{
    sync::{LazyLock, Mutex, MutexGuard, PoisonError},
    thread::{self, ThreadId},
};

use tokio::runtime::{Handle, Id};

use crate::scan;

/// Where something runs. A test has a thread and, as a rule, a runtime of its own; the tasks that
/// it starts are on that thread or on one of that runtime.
#[derive(Clone, Copy, PartialEq)]
struct Place {
    thread: ThreadId,
    runtime: Option<Id>,
}

impl Place {
    fn here() -> Self {
        let runtime = Handle::try_current().ok().map(|handle| handle.id());
        Self { thread: thread::current().id(), runtime }
    }

    fn is_of(self, other: Self) -> bool {
        self.thread == other.thread || self.runtime.is_some() && self.runtime == other.runtime
    }
}

/// Leaks that were found, and the tests that look for them.
#[derive(Default)]
struct Findings {
    leaks: Vec<(Place, String)>,
    watched: Vec<Place>,
}

static FINDINGS: LazyLock<Mutex<Findings>> = LazyLock::new(Mutex::default);

fn findings() -> MutexGuard<'static, Findings> {
    FINDINGS.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Findings {
    /// What concerns a test: its own leaks, and those that nobody can be told to have caused.
    fn of(&self, test: Place) -> Vec<&str> {
        let strange = |place: Place| !self.watched.iter().any(|watched| place.is_of(*watched));
        let mine = self.leaks.iter().filter(|(at, _)| at.is_of(test) || strange(*at));
        mine.map(|(_, told)| told.as_str()).collect()
    }

    /// The test looks no more. Its own leaks go with it; strange ones stay, for all to fail.
    fn leave(&mut self, test: Place) {
        if let Some(at) = self.watched.iter().position(|watched| *watched == test) {
            self.watched.swap_remove(at);
        }
        if !self.watched.iter().any(|watched| watched.is_of(test)) {
            self.leaks.retain(|(at, _)| !at.is_of(test));
        }
    }
}

/// Look for secrets in what was logged here.
pub(crate) fn look(line: &[u8]) {
    let line = String::from_utf8_lossy(line);
    let leaks = scan::leaks(&line);
    if leaks.is_empty() {
        return;
    }
    let leaks: Vec<_> = leaks.iter().map(ToString::to_string).collect();
    let told = format!("{}, in: {line:.2000}", leaks.join("; "));
    findings().leaks.push((Place::here(), told));
}

/// Nothing that this test has caused logged a secret so far.
///
/// # Panics
/// When something did.
pub(crate) fn check() {
    let found = findings().of(Place::here()).join("\n");
    assert!(found.is_empty(), "a secret was logged\n{found}");
}

/// The text, of this origin, has no secret in it.
///
/// # Panics
/// When it has.
pub(crate) fn check_text(origin: &str, text: &str) {
    let leaks: Vec<_> = scan::leaks(text).iter().map(ToString::to_string).collect();
    assert!(leaks.is_empty(), "{origin} has a secret\n{}\n{text:.5000}", leaks.join("\n"));
}

/// Fails the test at its end, if something that it has caused logged a secret.
pub(crate) struct Watch(Place);

impl Watch {
    /// From now on, for the test that runs here.
    pub(crate) fn begin() -> Self {
        let place = Place::here();
        findings().watched.push(place);
        Self(place)
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        let found = {
            let mut findings = findings();
            let found = findings.of(self.0).join("\n");
            findings.leave(self.0);
            found
        };
        // Two panics at once would end the process, and the test has failed already.
        assert!(found.is_empty() || thread::panicking(), "a secret was logged\n{found}");
    }
}

#[cfg(test)]
mod tests {
    use super::{Findings, Place};

    /// A place on a thread of its own, which has ended.
    fn elsewhere() -> Place {
        std::thread::spawn(Place::here).join().expect("it does not panic")
    }

    #[test]
    fn tells_tests_apart() {
        let (one, other) = (elsewhere(), elsewhere());
        let mut findings = Findings { leaks: Vec::new(), watched: vec![one, other] };

        findings.leaks.push((one, "mine".to_owned()));

        assert_eq!(findings.of(one), ["mine"]);
        assert_eq!(findings.of(other), [""; 0]);
        findings.leave(one);
        assert_eq!(findings.of(other), [""; 0]);
    }

    #[test]
    fn finds_what_runs_on_another_thread_of_the_same_runtime() {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).build();
        let runtime = runtime.expect("a runtime starts");
        let test = runtime.block_on(async { Place::here() });
        let task = runtime.block_on(runtime.spawn(async { Place::here() })).expect("it ends");
        let blocking = runtime.block_on(runtime.spawn_blocking(Place::here)).expect("it ends");
        assert!(task.thread != test.thread && blocking.thread != test.thread);

        assert!(task.is_of(test) && blocking.is_of(test));
    }

    #[test]
    fn lets_all_fail_for_what_nobody_can_be_told_to_have_caused() {
        let (one, other, stranger) = (elsewhere(), elsewhere(), elsewhere());
        let mut findings = Findings { leaks: Vec::new(), watched: vec![one, other] };

        findings.leaks.push((stranger, "whose".to_owned()));

        findings.leave(one);
        assert_eq!(findings.of(other), ["whose"]);
    }
}
