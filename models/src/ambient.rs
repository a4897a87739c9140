use std::{
    sync::{
        Arc,
        atomic::{AtomicI64, AtomicU64, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use crate::{Id, Timestamp};

/// Time and randomness, the two things that a program takes from its surroundings. Handed in, so
/// that a test can say what time it is and get the same ids every time.
#[derive(Clone)]
pub struct Ambient(Arc<Source>);

enum Source {
    System,
    Fixed { millis: AtomicI64, drawn: AtomicU64, seed: u64 },
}

impl Ambient {
    /// The machine's clock and its cryptographic random source.
    pub fn system() -> Self {
        Self(Arc::new(Source::System))
    }

    /// For tests: a clock that stands at `start` until it is [advanced](Self::advance), and
    /// predictable "randomness". Clones share both.
    pub fn fixed(start: Timestamp, seed: u64) -> Self {
        let millis = AtomicI64::new(start.unix_millis());
        Self(Arc::new(Source::Fixed { millis, drawn: AtomicU64::new(0), seed }))
    }

    /// The time now.
    #[expect(clippy::disallowed_methods, reason = "the one place that reads the machine's clock")]
    pub fn now(&self) -> Timestamp {
        match &*self.0 {
            Source::System => {
                let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
                Timestamp::from_unix_millis(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
            }
            Source::Fixed { millis, .. } => {
                Timestamp::from_unix_millis(millis.load(Ordering::Relaxed))
            }
        }
    }

    /// Move a fixed clock forward.
    ///
    /// # Panics
    /// On the system's clock, which nobody can move.
    pub fn advance(&self, span: Duration) {
        match &*self.0 {
            Source::System => panic!("the system's clock cannot be advanced"),
            Source::Fixed { millis, .. } => {
                let span = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
                millis.fetch_add(span, Ordering::Relaxed);
            }
        }
    }

    /// `N` random bytes, fit for secrets.
    pub fn random<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &*self.0 {
            Source::System => {
                aws_lc_rs::rand::fill(&mut bytes).expect("the system's random source never fails");
            }
            Source::Fixed { drawn, seed, .. } => {
                for chunk in bytes.chunks_mut(8) {
                    let step = drawn.fetch_add(1, Ordering::Relaxed).wrapping_add(1);
                    let word = split_mix(seed.wrapping_add(step.wrapping_mul(GOLDEN_GAMMA)));
                    chunk.copy_from_slice(&word.to_be_bytes()[..chunk.len()]);
                }
            }
        }
        bytes
    }

    /// A new id of this moment.
    pub fn new_id(&self) -> Id {
        Id::from_parts(self.now(), &self.random())
    }
}

const GOLDEN_GAMMA: u64 = 0x9e37_79b9_7f4a_7c15;

/// The output function of SplitMix64 (Steele, Lea and Flood, 2014).
fn split_mix(state: u64) -> u64 {
    let z = (state ^ (state >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    z ^ (z >> 31)
}
