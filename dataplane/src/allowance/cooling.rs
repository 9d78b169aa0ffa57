//! Permits of a rate that are taken until their minute is over.

use std::collections::VecDeque;
use std::time::Duration;
use tokio::time::Instant;

/// Permits that end so close to each other end together.
const GRAIN: Duration = Duration::from_millis(100);

/// How many permits end when, the earliest first.
#[derive(Debug, Default)]
pub(super) struct Cooling {
    ends: VecDeque<(Instant, i64)>,
    /// When somebody is going to look next.
    look_at: Option<Instant>,
}

impl Cooling {
    /// Adds permits. Returns when somebody should look, if nobody is going to by then.
    pub(super) fn add(&mut self, until: Instant, amount: i64) -> Option<Instant> {
        if amount <= 0 {
            return None;
        }
        // Never sooner than they should, and at most a grain later.
        let at = self.ends.partition_point(|(end, _)| *end < until);
        match self.ends.get_mut(at) {
            Some((end, sum)) if *end - until < GRAIN => *sum = sum.saturating_add(amount),
            _ => self.ends.insert(at, (until + GRAIN, amount)),
        }
        let next = self.next()?;
        if self.look_at.is_some_and(|at| at <= next) {
            return None;
        }
        self.look_at = Some(next);
        self.look_at
    }

    /// Takes out those that have ended; returns how many.
    pub(super) fn take_until(&mut self, now: Instant) -> i64 {
        let mut over = 0i64;
        while let Some((end, amount)) = self.ends.front() {
            if *end > now {
                break;
            }
            over = over.saturating_add(*amount);
            self.ends.pop_front();
        }
        over
    }

    /// When the next permits end.
    pub(super) fn next(&self) -> Option<Instant> {
        self.ends.front().map(|(end, _)| *end)
    }

    /// Somebody has looked who was told to come then; returns when to look again.
    pub(super) fn look(&mut self, came: Instant) -> Option<Instant> {
        if self.look_at != Some(came) {
            // Somebody else looks.
            return None;
        }
        self.look_at = self.next();
        self.look_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn permits_end_in_order_whatever_order_they_came_in_and_never_early() {
        let start = Instant::now();
        let at = |ms: u64| start + Duration::from_millis(ms);
        let mut cooling = Cooling::default();
        assert!(cooling.add(at(1_000), 5).is_some());
        assert!(cooling.add(at(1_050), 1).is_none());
        let sooner = cooling.add(at(500), 2).unwrap();
        assert!(cooling.add(at(9_000), 0).is_none());
        assert_eq!(cooling.ends.len(), 2);
        assert_eq!(cooling.take_until(at(499)), 0);
        assert_eq!(cooling.take_until(at(700)), 2);
        assert_eq!(cooling.take_until(at(1_049)), 0);
        assert_eq!(cooling.take_until(at(1_200)), 6);
        assert_eq!(cooling.look(at(1_100)), None);
        assert_eq!(cooling.look(sooner), None);
        assert!(cooling.add(at(2_000), 1).is_some());
    }
}
