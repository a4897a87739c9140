use std::{
    io,
    sync::{Arc, LazyLock, Mutex, MutexGuard, PoisonError},
};

use serde_json::Value;
use tracing::{Level, subscriber::DefaultGuard};
use tracing_subscriber::fmt::MakeWriter;

use crate::watch;

/// Look for secrets in everything that this process logs from now on, down to `debug`, the lowest
/// level that the function takes. But for the protocol of the laptop's bucket, which logs whole
/// requests with their signatures, and which local-dev switches off whatever it is told to log.
///
/// It is also for [`Log`]: whether anybody wants a line is asked once, when it is first come by, and
/// somebody must, or it is switched off for a test on another thread that reads the log.
pub(crate) fn watch() {
    static WATCHING: LazyLock<bool> = LazyLock::new(|| {
        let log = tracing_subscriber::fmt().with_env_filter("debug,s3s=off");
        let log = log.with_writer(|| Watched).finish();
        tracing::subscriber::set_global_default(log).is_ok()
    });
    assert!(*WATCHING, "somebody else has taken the log");
}

/// A line of the log comes as one piece.
struct Watched;

impl io::Write for Watched {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        watch::look(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// What this thread logs while this exists, down to `debug`, where a test reads it.
pub struct Log {
    lines: Lines,
    _listening: DefaultGuard,
}

impl Log {
    /// Listen from now on.
    pub fn listen() -> Self {
        let lines = Lines::default();
        let log = tracing_subscriber::fmt().json().with_max_level(Level::DEBUG);
        let log = log.with_writer(lines.clone()).finish();
        Self { lines, _listening: tracing::subscriber::set_default(log) }
    }

    /// All of it as it was written.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.lines.lock()).into_owned()
    }

    /// Its lines.
    ///
    /// # Panics
    /// When one is not JSON.
    pub fn lines(&self) -> Vec<Value> {
        let read = |line| serde_json::from_str(line).expect("a line of the log is JSON");
        self.text().lines().map(read).collect()
    }
}

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Lines {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        // Nobody else hears what this thread logs now.
        watch::look(bytes);
        self.lock().extend(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Lines {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
