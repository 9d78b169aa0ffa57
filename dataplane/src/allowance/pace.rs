//! How fast an account is used.

use std::time::Duration;
use tokio::time::Instant;

/// For so long a pace that was seen is expected again: requests come in bursts.
const LASTS: Duration = Duration::from_secs(5);

/// What is measured over a longer time says nothing of now.
const STALE: Duration = Duration::from_secs(1);

/// What was used up to the last look, and until when the pace counts as fast.
#[derive(Debug, Default)]
pub(super) struct Pace {
    last: Option<(i64, Instant)>,
    fast_until: Option<Instant>,
}

impl Pace {
    /// So much has been used up to now, all in all. The pace is fast if `amount` would be used up in this time by it, and
    /// as long as it is not known.
    pub(super) fn note(&mut self, used: i64, now: Instant, (amount, within): (i64, Duration)) {
        let is_fast = match self.last {
            Some((before, at)) if now.saturating_duration_since(at) < STALE => {
                let grown = i128::from(used.saturating_sub(before).max(0));
                let during = now.saturating_duration_since(at);
                let scaled = |duration: Duration| i128::try_from(duration.as_millis()).unwrap_or(i128::MAX);
                grown > 0
                    && grown.saturating_mul(scaled(within))
                        >= i128::from(amount).saturating_mul(scaled(during))
            }
            _ => true,
        };
        if is_fast {
            self.fast_until = Some(now + LASTS);
        }
        self.last = Some((used, now));
    }

    /// Whether it was fast a moment ago, or is not known.
    pub(super) fn is_fast(&self, now: Instant) -> bool {
        self.fast_until.is_none_or(|until| until > now)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOON: (i64, Duration) = (100, Duration::from_secs(10));

    #[test]
    fn a_pace_is_fast_until_it_is_known_to_be_slow_for_a_while() {
        let start = Instant::now();
        let at = |ms| start + Duration::from_millis(ms);
        let mut pace = Pace::default();
        assert!(pace.is_fast(start));
        for tenth in 0..60u64 {
            pace.note(0, at(tenth * 100), SOON);
        }
        assert!(!pace.is_fast(at(5_900)));
        // Five of a hundred in half a second are a hundred in ten; nothing in the next moment does not change that.
        pace.note(0, at(6_000), SOON);
        pace.note(4, at(6_500), SOON);
        assert!(!pace.is_fast(at(6_500)));
        pace.note(9, at(7_000), SOON);
        pace.note(9, at(7_050), SOON);
        assert!(pace.is_fast(at(11_900)));
        assert!(!pace.is_fast(at(12_100)));
    }

    #[test]
    fn what_rested_is_fast_until_the_opposite_is_known() {
        let start = Instant::now();
        let mut pace = Pace::default();
        pace.note(0, start, SOON);
        pace.note(0, start + Duration::from_secs(60), SOON);
        assert!(pace.is_fast(start + Duration::from_secs(61)));
        // What is given back is no use.
        pace.note(-50, start + Duration::from_millis(60_100), SOON);
        assert!(!pace.is_fast(start + Duration::from_secs(66)));
    }
}
