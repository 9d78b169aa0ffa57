//! Waiting longer after each failure, with jitter, so that a fleet does not come back all at once.

use ccag_domain::Rng;
use std::time::Duration;

/// The pauses between attempts.
#[derive(Debug)]
pub(crate) struct Backoff {
    first: Duration,
    longest: Duration,
    failures: u32,
}

impl Backoff {
    pub(crate) const fn new(first: Duration, longest: Duration) -> Self {
        Self {
            first,
            longest,
            failures: 0,
        }
    }

    /// Starts over, after a success.
    pub(crate) const fn reset(&mut self) {
        self.failures = 0;
    }

    /// The next pause: half of it fixed and doubling up to the longest, half of it random.
    pub(crate) fn next(&mut self, rng: &dyn Rng) -> Duration {
        let whole = self
            .first
            .saturating_mul(1 << self.failures.min(16))
            .min(self.longest);
        self.failures = self.failures.saturating_add(1);
        let mut random = [0u8; 2];
        rng.fill(&mut random);
        whole / 2 + whole.mul_f64(f64::from(u16::from_le_bytes(random)) / 131_072.0)
    }

    /// Calls `complain` after the third failure in a row, and after every fiftieth from then on.
    pub(crate) fn complain(&self, complain: impl FnOnce()) {
        if self.failures == 3 || (self.failures > 3 && self.failures.is_multiple_of(50)) {
            complain();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::rng::SequenceRng;

    #[test]
    fn pauses_grow_to_the_longest_and_start_over() {
        let rng = SequenceRng::new(3);
        let mut backoff = Backoff::new(Duration::from_millis(50), Duration::from_secs(2));
        let pauses: Vec<_> = (0..40).map(|_| backoff.next(&rng)).collect();
        assert!(pauses[0] >= Duration::from_millis(25) && pauses[0] <= Duration::from_millis(50));
        assert!(pauses.iter().all(|p| *p <= Duration::from_secs(2)));
        assert!(pauses[30] >= Duration::from_secs(1));
        backoff.reset();
        assert!(backoff.next(&rng) <= Duration::from_millis(50));
    }
}
