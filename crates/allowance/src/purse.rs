//! The holder's side: what it has, what it has promised to requests that run, and what it gives back.

use crate::{Answer, Totals, Want};
use std::time::Duration;

/// There is not enough; so much more is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Short {
    /// The gap.
    pub missing: i64,
}

/// What a holder has of one account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Purse {
    /// What may be reserved; below zero where requests have cost more than was reserved for them.
    free: i64,
    /// What requests that run may cost.
    reserved: i64,
    totals: Totals,
    scarce: bool,
    /// What was reserved since the last beat, and a mean of that over the last beats, in [`PACE_PARTS`].
    drawn: i64,
    pace: i64,
    /// What one request has needed of late: the most, forgotten little by little.
    habit: i64,
    /// For how long nothing has been needed.
    rested: Duration,
}

/// The mean is kept finer than by ones: permits are few.
const PACE_PARTS: i64 = 64;

/// The weight of the past in the mean of what a beat draws: in fourths.
const PAST_FOURTHS: i64 = 3;

/// For how many beats a holder likes to have enough.
const COMFORT_BEATS: i64 = 4;

/// For how many requests it likes to have enough, however seldom they come.
const COMFORT_REQUESTS: i64 = 2;

/// With each request so much of the habit is forgotten: one part of eight.
const HABIT_PARTS: i64 = 8;

/// For how long a holder keeps enough for the next request after the last one has ended: as long as it takes somebody's tools to
/// run, or somebody to read and to type. The first request after such a pause need not ask then.
const REST: Duration = Duration::from_secs(15);

impl Purse {
    /// What may be reserved.
    #[must_use]
    pub const fn free(&self) -> i64 {
        self.free
    }

    /// What requests that run may cost.
    #[must_use]
    pub const fn reserved(&self) -> i64 {
        self.reserved
    }

    /// The totals of this run.
    #[must_use]
    pub const fn totals(&self) -> Totals {
        self.totals
    }

    /// Whether nothing is kept that is not needed now.
    #[must_use]
    pub const fn is_scarce(&self) -> bool {
        self.scarce
    }

    /// Sets aside what a request may cost.
    ///
    /// # Errors
    /// [`Short`], and nothing is set aside.
    pub fn reserve(&mut self, need: i64) -> Result<(), Short> {
        if need > self.free {
            return Err(Short {
                missing: need.saturating_sub(self.free),
            });
        }
        self.extend(need);
        self.habit = need.max(self.habit - self.habit / HABIT_PARTS);
        self.rested = Duration::ZERO;
        Ok(())
    }

    /// Sets aside more for a request that runs and costs more than was thought, whether it is there or not.
    pub fn extend(&mut self, more: i64) {
        self.free = self.free.saturating_sub(more);
        self.reserved = self.reserved.saturating_add(more);
        self.drawn = self.drawn.saturating_add(more);
    }

    /// A request has ended: of what was reserved for it, `cost` is used (or more), and the rest is free again.
    pub fn settle(&mut self, reserved: i64, cost: i64) {
        self.reserved = self.reserved.saturating_sub(reserved);
        self.free = self.free.saturating_add(reserved).saturating_sub(cost);
    }

    /// The owner has answered.
    pub fn take(&mut self, answer: &Answer) {
        self.free = self.free.saturating_add(answer.amount);
        self.totals.granted = self.totals.granted.saturating_add(answer.amount);
        self.scarce = answer.scarce;
    }

    /// What the holder would like to have free.
    #[must_use]
    pub const fn comfort(&self) -> i64 {
        if self.scarce {
            return 0;
        }
        let (some_beats, some_requests) = (self.for_beats(), self.for_requests());
        // `Ord::max` is not for constants yet.
        if some_beats > some_requests {
            some_beats
        } else {
            some_requests
        }
    }

    /// What the next beats will draw, at the present pace.
    const fn for_beats(&self) -> i64 {
        let parts = self.pace.saturating_mul(COMFORT_BEATS);
        // Rounded up: who has needed one lately is likely to need one soon.
        parts.saturating_add(PACE_PARTS - 1) / PACE_PARTS
    }

    const fn for_requests(&self) -> i64 {
        self.habit.saturating_mul(COMFORT_REQUESTS)
    }

    /// Whether what is kept is only there for a request that may come after a pause.
    #[must_use]
    pub const fn is_resting(&self) -> bool {
        !self.scarce && !self.rested.is_zero() && self.for_beats() <= self.for_requests()
    }

    /// What is there beyond what requests need that wait.
    #[must_use]
    pub fn kept(&self, waiting: i64) -> i64 {
        self.free.saturating_sub(waiting).max(0)
    }

    /// What to ask for, if anything: for requests that wait (the smallest and the sum of their needs), and because what is
    /// there is running out.
    #[must_use]
    pub fn want(&self, least: i64, waiting: i64) -> Option<Want> {
        let need = waiting.saturating_sub(self.free).max(0);
        let comfort = self.comfort();
        if need == 0 && self.free.saturating_sub(waiting).saturating_mul(2) >= comfort {
            return None;
        }
        Some(Want {
            least: least.saturating_sub(self.free).clamp(0, need),
            need,
            comfort: comfort.saturating_sub(self.kept(waiting)).max(0),
        })
    }

    /// A beat has passed, so long after the last one: the pace is reckoned anew. While a request `runs` nobody rests.
    pub fn beat(&mut self, passed: Duration, runs: bool) {
        let drawn = self.drawn.saturating_mul(PACE_PARTS);
        self.pace = self.pace.saturating_mul(PAST_FOURTHS).saturating_add(drawn) / (PAST_FOURTHS + 1);
        self.rested = if runs || self.drawn > 0 {
            Duration::ZERO
        } else {
            self.rested.saturating_add(passed)
        };
        if self.rested >= REST {
            (self.pace, self.habit) = (0, 0);
        }
        self.drawn = 0;
    }

    /// Gives back what is free beyond twice the comfort and beyond what requests that wait need: the smallest of them `least`,
    /// all of them `waiting`. Where it is scarce and not enough even for the smallest, everything goes back: kept by several
    /// holders, such leftovers would be of use to nobody.
    pub fn give_back(&mut self, least: i64, waiting: i64) -> i64 {
        let keep = if self.scarce && self.free < least {
            0
        } else {
            self.comfort().saturating_mul(2).saturating_add(waiting)
        };
        self.return_down_to(keep)
    }

    /// Gives back everything that is free: the lease has run out, or the holder ends.
    pub fn give_back_all(&mut self) -> i64 {
        self.return_down_to(0)
    }

    fn return_down_to(&mut self, keep: i64) -> i64 {
        let back = self.free.saturating_sub(keep).max(0);
        self.free -= back;
        self.totals.returned = self.totals.returned.saturating_add(back);
        back
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEAT: Duration = Duration::from_millis(250);

    fn with(amount: i64, scarce: bool) -> Purse {
        let mut purse = Purse::default();
        purse.take(&Answer {
            amount,
            refusal: None,
            scarce,
        });
        purse
    }

    #[test]
    fn what_is_reserved_is_not_free_and_what_is_not_used_is_free_again() {
        let mut purse = with(100, false);
        assert_eq!(purse.reserve(70), Ok(()));
        assert_eq!(purse.reserve(40), Err(Short { missing: 10 }));
        purse.settle(70, 25);
        assert_eq!((purse.free(), purse.reserved()), (75, 0));
        purse.reserve(10).unwrap();
        purse.settle(10, 100);
        assert_eq!(purse.free(), -25);
        assert_eq!(
            purse.want(5, 5),
            Some(Want {
                least: 30,
                need: 30,
                comfort: 124
            })
        );
    }

    #[test]
    fn a_holder_asks_before_it_runs_dry_and_gives_back_what_lies_idle() {
        let mut purse = with(1_000, false);
        for _ in 0..30 {
            purse.reserve(10).unwrap();
            purse.settle(10, 0);
            purse.beat(BEAT, false);
        }
        assert!(purse.comfort() > 20 && purse.comfort() <= 40, "{purse:?}");
        assert!(purse.give_back(0, 0) > 900);
        assert_eq!(purse.want(0, 0), None);
        purse.reserve(purse.free()).unwrap();
        assert!(
            purse
                .want(0, 0)
                .is_some_and(|want| want.need == 0 && want.comfort > 0)
        );
    }

    #[test]
    fn a_holder_rests_on_what_one_request_needs_and_gives_all_of_it_back_in_the_end() {
        let mut purse = with(1_000, false);
        purse.reserve(100).unwrap();
        purse.beat(BEAT, true);
        assert!(!purse.is_resting(), "a request runs");
        purse.settle(100, 60);
        for _ in 0..20 {
            purse.beat(BEAT, false);
        }
        assert!(purse.is_resting());
        purse.give_back(0, 0);
        assert!((100..=400).contains(&purse.free()), "{purse:?}");
        assert_eq!(purse.want(0, 0), None, "there is enough for the next request");

        // The next request is smaller; what the one before had needed is not forgotten at once.
        purse.reserve(20).unwrap();
        purse.settle(20, 20);
        purse.beat(BEAT, false);
        assert!(!purse.is_resting() && purse.comfort() > 150, "{purse:?}");

        purse.beat(REST, false);
        assert_eq!(purse.comfort(), 0);
        purse.give_back(0, 0);
        assert_eq!((purse.free(), purse.want(0, 0)), (0, None));
    }

    #[test]
    fn nobody_rests_where_it_is_scarce() {
        let mut purse = with(1_000, false);
        purse.reserve(100).unwrap();
        purse.settle(100, 0);
        purse.beat(BEAT, false);
        purse.beat(BEAT, false);
        assert!(purse.is_resting());
        purse.take(&Answer {
            amount: 0,
            refusal: None,
            scarce: true,
        });
        assert!(!purse.is_resting());
        assert_eq!(purse.give_back(0, 0), 1_000);
    }

    #[test]
    fn where_it_is_scarce_everything_that_is_not_needed_goes_back() {
        let mut purse = with(100, true);
        purse.reserve(30).unwrap();
        assert_eq!(purse.give_back(10, 50), 20);
        assert_eq!(purse.give_back(60, 60), 50);
        assert_eq!(
            purse.totals(),
            Totals {
                granted: 100,
                returned: 70
            }
        );
    }
}
