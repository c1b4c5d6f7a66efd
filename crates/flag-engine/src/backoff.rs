//! How long to wait before something is tried again.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

const FIRST: Duration = Duration::from_millis(100);
const LONGEST: Duration = Duration::from_secs(2);

/// Waits that double up to two seconds, each [`jittered`].
#[derive(Default, Debug)]
pub(crate) struct Backoff {
    failures: u32,
}

impl Backoff {
    /// Begins anew: an attempt succeeded.
    pub(crate) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub(crate) fn after_failure(&mut self) -> Duration {
        let full = FIRST.saturating_mul(1 << self.failures.min(8)).min(LONGEST);
        self.failures = self.failures.saturating_add(1);
        jittered(full)
    }
}

/// `full`, shortened by a random part of up to a half, so that nodes which wait for the same thing do not come in step.
#[must_use]
pub fn jittered(full: Duration) -> Duration {
    // The standard library's hasher has random keys: all the randomness that this needs.
    let share = (RandomState::new().hash_one(full) % 1_000) as u32;
    full - full.saturating_mul(share) / 2_000
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_to_a_bound_and_begin_anew_after_a_success() {
        let mut backoff = Backoff::default();
        for _ in 0..1_000 {
            assert!((FIRST / 2..=LONGEST).contains(&backoff.after_failure()));
        }
        assert!(backoff.after_failure() >= LONGEST / 2);
        backoff.reset();
        assert!(backoff.after_failure() <= FIRST);
    }
}
