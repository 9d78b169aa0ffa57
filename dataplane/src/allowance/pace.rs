//! How fast an account is used.

use std::time::Duration;
use tokio::time::Instant;

/// What was used between the last two looks.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(i64, Instant)>,
    grown: i64,
    during: Duration,
}

impl Pace {
    /// So much has been used up to now, all in all.
    pub(super) fn note(&mut self, used: i64, now: Instant) {
        if let Some((before, at)) = self.last {
            self.grown = used.saturating_sub(before).max(0);
            self.during = now.saturating_duration_since(at);
        }
        self.last = Some((used, now));
    }

    /// Whether at this pace so much would be used in so much time.
    pub(super) fn would_use(&self, amount: i64, within: Duration) -> bool {
        let grown = i128::from(self.grown);
        let scaled = |duration: Duration| i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
        grown > 0
            && grown.saturating_mul(scaled(within)) >= i128::from(amount).saturating_mul(scaled(self.during))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_used_between_two_looks_is_the_pace() {
        let start = Instant::now();
        let within = Duration::from_secs(10);
        let mut pace = Pace::default();
        pace.note(100, start);
        assert!(!pace.would_use(1, within));
        pace.note(105, start + Duration::from_millis(500));
        assert!(pace.would_use(100, within));
        assert!(!pace.would_use(101, within));
        // What is given back is no use, and nothing is used in no time.
        pace.note(90, start + Duration::from_secs(1));
        assert!(!pace.would_use(1, within));
        pace.note(90, start + Duration::from_secs(2));
        assert!(!pace.would_use(0, within));
    }
}
