//! How long what was said or written last stands before it is replaced.

use std::time::Duration;
use tokio::time::Instant;

/// The times between one word and the next: longer where the machine, the link or the database is busy. A data plane may be
/// killed at the end of the longest.
#[derive(Debug)]
pub(super) struct Gaps {
    last: Instant,
    longest: Duration,
}

impl Gaps {
    /// Begins now, with the time that usually lies between.
    pub(super) fn new(usual: Duration) -> Self {
        Self {
            last: Instant::now(),
            longest: usual,
        }
    }

    /// What was made then has now taken the place of what was made before.
    pub(super) fn replaced(&mut self, made: Instant, now: Instant) {
        let gap = now.saturating_duration_since(self.last);
        self.last = made;
        self.longest = gap.max(self.longest * 7 / 8);
    }

    /// For how long ahead what is made now has to be reckoned: twice the longest of the last gaps.
    pub(super) fn ahead(&self) -> Duration {
        2 * self.longest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_long_gap_is_remembered_for_a_while() {
        let ms = Duration::from_millis;
        let mut gaps = Gaps::new(ms(50));
        assert_eq!(gaps.ahead(), ms(100));
        let mut now = gaps.last + ms(400);
        gaps.replaced(now - ms(300), now);
        assert_eq!(gaps.ahead(), ms(800));
        // What was made three tenths of a second ago is replaced only now.
        now += ms(300);
        gaps.replaced(now, now);
        assert_eq!(gaps.ahead(), ms(1_200));
        for _ in 0..40 {
            now += ms(50);
            gaps.replaced(now, now);
        }
        assert_eq!(gaps.ahead(), ms(100));
    }
}
