//! What was counted in the last minute.

use std::time::Duration;

/// The minute goes by in steps.
pub(super) const STEP: Duration = Duration::from_secs(5);

/// The steps of a minute, and the one that is going on: nothing is forgotten before its minute is over, or more than a step
/// after it.
const STEPS: usize = 13;

/// A sliding minute.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Window {
    /// The number of the newest step, and what was counted in it and those before.
    step: u64,
    counts: [u64; STEPS],
}

impl Window {
    /// Moves on to a step; what is older than a minute is gone.
    pub(super) fn at(&mut self, step: u64) -> &mut Self {
        let passed = usize::try_from(step.saturating_sub(self.step))
            .unwrap_or(STEPS)
            .min(STEPS);
        if passed > 0 {
            self.counts.rotate_right(passed);
            self.counts[..passed].fill(0);
            self.step = step;
        }
        self
    }

    pub(super) fn add(&mut self, amount: u64) {
        self.counts[0] = self.counts[0].saturating_add(amount);
    }

    pub(super) fn sum(&self) -> u64 {
        self.counts.iter().fold(0, |sum, n| sum.saturating_add(*n))
    }

    /// After how many steps so much of it is forgotten; `None` if it does not hold so much.
    pub(super) fn steps_until(&self, amount: u64) -> Option<u32> {
        let mut gone = 0_u64;
        (1..).zip(self.counts.iter().rev()).find_map(|(steps, count)| {
            gone = gone.saturating_add(*count);
            (gone >= amount).then_some(steps)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_counted_is_forgotten_after_a_minute_and_not_before() {
        let mut window = Window::default();
        window.at(100).add(7);
        window.at(106).add(5);
        // A minute is twelve steps: it may have been counted at the end of its own.
        assert_eq!(window.at(112).sum(), 12);
        assert_eq!(window.at(113).sum(), 5);
        assert_eq!(window.at(118).sum(), 5);
        assert_eq!(window.at(119).sum(), 0);
        window.add(3);
        assert_eq!(window.at(u64::MAX).sum(), 0);
    }

    #[test]
    fn it_is_known_when_enough_is_forgotten() {
        let mut window = Window::default();
        window.at(100).add(7);
        window.at(106).add(5);
        assert_eq!(window.steps_until(7), Some(7));
        assert_eq!(window.steps_until(8), Some(13));
        assert_eq!(window.steps_until(13), None);
        assert_eq!(window.at(112).steps_until(7), Some(1));
    }
}
