//! Attempts: how often something was tried within a window of time. What limits are held against.

use std::time::Duration;

use crate::{
    Timestamp,
    store::{Error, Key, Store},
};

/// A span of time within which attempts are counted together. Windows of one length follow each
/// other without a gap, the same ones for everybody.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    begin: Timestamp,
    end: Timestamp,
}

impl Window {
    /// The window of this length that `now` is in.
    ///
    /// # Panics
    /// When the length is zero.
    pub fn around(now: Timestamp, length: Duration) -> Self {
        let length = i64::try_from(length.as_millis()).unwrap_or(i64::MAX);
        let begin = now.unix_millis() - now.unix_millis() % length;
        let end = begin.saturating_add(length);
        Self { begin: Timestamp::from_unix_millis(begin), end: Timestamp::from_unix_millis(end) }
    }

    /// How long the window lasts from `now` on.
    pub fn left(self, now: Timestamp) -> Duration {
        self.end.since(now)
    }
}

/// The counted attempts of everybody.
pub struct Attempts(Store);

impl Attempts {
    /// The attempts in this store.
    pub fn new(store: Store) -> Self {
        Self(store)
    }

    /// Count one more attempt of this kind by whom these texts name together, in one atomic write.
    /// Says how many there are in the window, this one included.
    pub async fn count(&self, kind: &str, by: &[&str], window: Window) -> Result<u64, Error> {
        self.0.count(Key::counter(kind, by, window.begin), window.end).await
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::Window;
    use crate::Timestamp;

    #[test]
    fn follow_each_other_without_a_gap() {
        let at = |text: &str| text.parse::<Timestamp>().unwrap();
        let quarter = Duration::from_secs(15 * 60);
        for (now, end, left) in [
            ("2026-11-22T16:30:00.000Z", "2026-11-22T16:45:00.000Z", 900_000),
            ("2026-11-22T16:30:00.001Z", "2026-11-22T16:45:00.000Z", 899_999),
            ("2026-11-22T16:44:59.999Z", "2026-11-22T16:45:00.000Z", 1),
            ("2026-11-22T16:45:00.000Z", "2026-11-22T17:00:00.000Z", 900_000),
        ] {
            let window = Window::around(at(now), quarter);

            assert_eq!(window.end, at(end), "{now}");
            assert_eq!(window.left(at(now)), Duration::from_millis(left), "{now}");
        }
    }
}
