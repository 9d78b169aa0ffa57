//! The owner's side: what is settled, what is granted, and to whom.

/// What one holder has of an account, in the owner's books. All but the last are running totals that only grow, so that
/// a message that comes twice, or an answer that is lost, is noticed and set right.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Holding {
    /// What earlier runs of the holder have left open: their records may still come. Those that came are taken off.
    pub carried: i64,
    /// What requests of earlier runs had used that ran when their run ended, as far as anyone could tell: no record of theirs
    /// will come.
    pub written_off: i64,
    /// Granted to the present run.
    pub granted: i64,
    /// Given back by the present run.
    pub returned: i64,
    /// Taken by records of the present run that have arrived.
    pub settled: i64,
    /// What the holder had said last.
    pub said: Report,
}

/// What a holder says of its purse from time to time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Report {
    /// What is free, and what is reserved for requests that run.
    pub unused: i64,
    /// What of that the requests that run have used up to now, as far as anyone can tell.
    pub exposed: i64,
    /// What of it is free and not needed by a request that waits. Only of use when it is said: nobody keeps it.
    pub kept: i64,
}

impl Holding {
    /// What the holder has, or has used without its records having arrived. Below zero where it has used more than it had.
    #[must_use]
    pub const fn outstanding(&self) -> i64 {
        self.carried
            .saturating_add(self.granted)
            .saturating_sub(self.returned)
            .saturating_sub(self.settled)
    }
}

/// A holder's own totals of its present run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Totals {
    /// What has been granted to it, as far as it knows.
    pub granted: i64,
    /// What it has given back.
    pub returned: i64,
}

/// What a holder asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Want {
    /// The smallest amount that is of any use to a waiting request.
    pub least: i64,
    /// What all waiting requests need; at least `least`.
    pub need: i64,
    /// What the holder would like to have beyond that, so that the next requests need not ask.
    pub comfort: i64,
}

/// Why nothing was granted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// Even if all that is granted came back unused, it would not be enough.
    Exhausted,
    /// It would be enough if some of what is granted came back: a moment later it may be.
    Busy,
}

/// The owner's answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// What is granted, possibly nothing.
    pub amount: i64,
    /// Set if something was needed and nothing was granted.
    pub refusal: Option<Refusal>,
    /// What is left is little: holders are to keep nothing that they do not need now.
    pub scarce: bool,
}

/// What a record has taken from its holder's share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Draw {
    /// How much.
    pub amount: i64,
    /// Whether an earlier run of the holder made the record.
    pub earlier_run: bool,
}

/// The sums of an account.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Account {
    /// The most that may be settled and granted together; `None` for an account that is only counted.
    pub ceiling: Option<i64>,
    /// What records that have arrived have cost.
    pub settled: i64,
    /// What all holders have outstanding; one that has used more than it had counts as nothing here.
    pub held: i64,
}

impl Account {
    /// What can still be granted; below zero after a ceiling was lowered or a reservation exceeded.
    #[must_use]
    pub fn remaining(&self) -> i64 {
        match self.ceiling {
            None => i64::MAX,
            Some(ceiling) => ceiling.saturating_sub(self.settled).saturating_sub(self.held),
        }
    }

    /// Grants to a holder what it needs, or its share of what is left among `holders` if that is less, but enough to be of
    /// use; and of what it would like beyond that a part that shrinks as the remainder does: no more than half of such a
    /// share.
    pub fn grant(&mut self, holding: &mut Holding, want: Want, holders: u32) -> Answer {
        let need = want.need.max(0);
        let comfort = want.comfort.max(0);
        // What the holder has used beyond its grants is settled already: granting that costs nothing.
        let debt = (-holding.outstanding()).max(0);
        let left = self.remaining().max(0);
        let available = left.saturating_add(debt);
        let least = want.least.clamp(1, need.max(1));
        let share = available / i64::from(holders.max(1));
        let granted_need = if least <= available {
            need.min(share.max(least))
        } else {
            0
        };
        let unspent = available - granted_need;
        let extra = match self.ceiling {
            None => comfort,
            Some(_) => comfort.min(unspent / (2 * i64::from(holders.max(1)))),
        };
        // A refused holder is not consoled with what it cannot use.
        let refused = need > 0 && granted_need == 0;
        let amount = if refused { 0 } else { granted_need + extra };
        // Nobody rests on more than would be granted anew.
        let kept = holding.said.kept.max(0);
        let too_much = kept > (available - amount).saturating_add(kept) / (2 * i64::from(holders.max(1)));
        self.adjust(holding, |holding| {
            holding.granted = holding.granted.saturating_add(amount)
        });
        Answer {
            amount,
            refusal: refused.then(|| self.refusal(least, debt)),
            scarce: self.ceiling.is_some() && (refused || granted_need < need || extra < comfort || too_much),
        }
    }

    fn refusal(&self, least: i64, debt: i64) -> Refusal {
        let ceiling = self.ceiling.unwrap_or(i64::MAX);
        if least > ceiling.saturating_sub(self.settled).saturating_add(debt) {
            Refusal::Exhausted
        } else {
            Refusal::Busy
        }
    }

    /// A record has arrived: it cost `cost`, for which its holder has drawn on what it had.
    pub fn settle(&mut self, cost: i64, drawn: Option<(&mut Holding, Draw)>) {
        self.settled = self.settled.saturating_add(cost);
        if let Some((holding, draw)) = drawn {
            self.adjust(holding, |holding| {
                if draw.earlier_run {
                    holding.carried = holding.carried.saturating_sub(draw.amount);
                } else {
                    holding.settled = holding.settled.saturating_add(draw.amount);
                }
            });
        }
    }

    /// A holder says what it has given back in all, and what it has.
    pub fn report(&mut self, holding: &mut Holding, returned: i64, said: Report) {
        self.adjust(holding, |holding| {
            holding.returned = holding.returned.max(returned);
            holding.said = said;
        });
    }

    /// A holder is back after its connection broke, and says what it knows of. What was granted and never reached it goes
    /// back.
    pub fn resume(&mut self, holding: &mut Holding, totals: Totals) {
        self.adjust(holding, |holding| {
            holding.granted = totals.granted;
            holding.returned = totals.returned;
        });
    }

    /// A new run of the holder begins. What the one before has left open stays held: its records may still come. `unrecorded`
    /// is what requests had used that ran when it ended, where the holder knows that; else what it had said last counts.
    pub fn restart(&mut self, holding: &mut Holding, unrecorded: Option<i64>) {
        let lost = unrecorded.unwrap_or(holding.said.exposed).max(0);
        self.adjust(holding, |holding| {
            *holding = Holding {
                carried: holding.outstanding(),
                written_off: holding.written_off.saturating_add(lost),
                ..Holding::default()
            };
        });
    }

    /// All records of earlier runs have arrived. What they have left open goes back, but for what requests had used that ran
    /// when the run ended and left no record.
    pub fn close_earlier_runs(&mut self, holding: &mut Holding) {
        self.adjust(holding, |holding| {
            holding.carried = holding.carried.min(holding.written_off.max(0));
        });
    }

    /// Nothing has been heard of the holder for so long that it counts as lost. What it had not used when it was last heard
    /// of goes back; what it had used without its records having arrived stays held.
    pub fn release(&mut self, holding: &mut Holding) -> i64 {
        let mut back = 0;
        self.adjust(holding, |holding| {
            let unused = holding.said.unused.saturating_sub(holding.said.exposed);
            back = unused.min(holding.outstanding()).max(0);
            holding.returned = holding.returned.saturating_add(back);
            holding.said.unused = holding.said.exposed;
        });
        back
    }

    /// A new run of a holder begins that had permits: these ended with the run, and no record will come for them.
    pub fn forget(&mut self, holding: &mut Holding) {
        self.adjust(holding, |holding| *holding = Holding::default());
    }

    /// Nothing has been heard of a holder for so long that it counts as lost: all of its permits go back. Its totals stay, so
    /// that it can come back with what it knows. Returns how many permits that are.
    pub fn take_back(&mut self, holding: &mut Holding) -> i64 {
        let back = holding.outstanding().max(0);
        self.adjust(holding, |holding| {
            holding.returned = holding.returned.saturating_add(back)
        });
        back
    }

    fn adjust(&mut self, holding: &mut Holding, change: impl FnOnce(&mut Holding)) {
        let before = holding.outstanding().max(0);
        change(holding);
        let after = holding.outstanding().max(0);
        self.held = self.held.saturating_sub(before).saturating_add(after);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(ceiling: i64) -> Account {
        Account {
            ceiling: Some(ceiling),
            ..Account::default()
        }
    }

    fn want(least: i64, need: i64, comfort: i64) -> Want {
        Want { least, need, comfort }
    }

    fn draw(amount: i64) -> Draw {
        Draw {
            amount,
            earlier_run: false,
        }
    }

    #[test]
    fn grants_shrink_as_the_remainder_does_and_say_when_it_is_scarce() {
        let (mut account, mut holding) = (account(1_000), Holding::default());
        let answer = account.grant(&mut holding, want(10, 10, 100), 2);
        assert_eq!(
            answer,
            Answer {
                amount: 110,
                refusal: None,
                scarce: false
            }
        );
        let answer = account.grant(&mut holding, want(690, 690, 100), 2);
        assert_eq!((answer.amount, answer.scarce), (740, true));
        assert_eq!(account.remaining(), 150);
    }

    #[test]
    fn what_is_tied_up_is_busy_and_what_is_spent_is_exhausted() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(80, 80, 0), 1);
        assert_eq!(
            account.grant(&mut holding, want(30, 30, 0), 1).refusal,
            Some(Refusal::Busy)
        );
        account.settle(80, Some((&mut holding, draw(80))));
        assert_eq!(
            account.grant(&mut holding, want(30, 30, 0), 1).refusal,
            Some(Refusal::Exhausted)
        );
        // Two wait for fifteen each: one of them can go.
        assert_eq!(account.grant(&mut holding, want(15, 30, 0), 1).amount, 20);
    }

    #[test]
    fn who_rests_on_more_than_would_be_granted_anew_is_told_that_little_is_left() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(10, 10, 0), 2);
        let rests = |account: &mut Account, holding: &mut Holding| {
            let said = Report {
                unused: 10,
                exposed: 0,
                kept: 10,
            };
            account.report(holding, 0, said);
            account.grant(holding, Want::default(), 2).scarce
        };
        assert!(!rests(&mut account, &mut holding), "ninety are left");
        account.grant(&mut Holding::default(), want(60, 60, 0), 2);
        assert!(
            !rests(&mut account, &mut holding),
            "thirty are left, of forty a fourth may be kept"
        );
        account.grant(&mut Holding::default(), want(10, 10, 0), 2);
        assert!(rests(&mut account, &mut holding), "twenty are left");
    }

    #[test]
    fn an_amount_of_zero_grants_nothing_to_anyone() {
        let answer = account(0).grant(&mut Holding::default(), want(1, 1, 5), 1);
        assert_eq!((answer.amount, answer.refusal), (0, Some(Refusal::Exhausted)));
    }

    #[test]
    fn a_debt_is_granted_once_it_is_settled_without_being_counted_twice() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(10, 10, 0), 1);
        // It cost thirty instead of ten.
        account.settle(30, Some((&mut holding, draw(30))));
        assert_eq!((account.remaining(), holding.outstanding()), (70, -20));
        assert_eq!(account.grant(&mut holding, want(90, 90, 0), 1).amount, 90);
        assert_eq!((account.remaining(), holding.outstanding()), (0, 70));
    }

    #[test]
    fn a_grant_that_never_arrived_goes_back() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(60, 60, 0), 1);
        account.resume(&mut holding, Totals::default());
        assert_eq!(account.remaining(), 100);
    }

    #[test]
    fn what_a_crashed_run_left_open_waits_for_its_records_and_then_goes_back() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(60, 60, 0), 1);
        account.report(
            &mut holding,
            0,
            Report {
                unused: 60,
                exposed: 15,
                kept: 0,
            },
        );
        account.restart(&mut holding, None);
        assert_eq!(account.remaining(), 40);
        let earlier = Draw {
            amount: 20,
            earlier_run: true,
        };
        account.settle(20, Some((&mut holding, earlier)));
        assert_eq!((account.settled, account.held), (20, 40));
        account.close_earlier_runs(&mut holding);
        assert_eq!((account.settled, account.held), (20, 15));
    }

    #[test]
    fn a_run_that_knows_what_the_one_before_had_used_is_believed() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(60, 60, 0), 1);
        let said = Report {
            unused: 60,
            exposed: 15,
            kept: 0,
        };
        account.report(&mut holding, 0, said);
        account.restart(&mut holding, Some(4));
        assert_eq!(account.remaining(), 40);
        account.close_earlier_runs(&mut holding);
        assert_eq!((account.settled, account.held), (0, 4));
    }

    #[test]
    fn what_a_lost_holder_had_used_stays_held_when_it_comes_back() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(60, 60, 0), 1);
        let said = Report {
            unused: 60,
            exposed: 15,
            kept: 0,
        };
        account.report(&mut holding, 0, said);
        assert_eq!(account.release(&mut holding), 45);
        assert_eq!(account.release(&mut holding), 0);
        account.restart(&mut holding, None);
        account.close_earlier_runs(&mut holding);
        assert_eq!((account.settled, account.held), (0, 15));
    }

    #[test]
    fn of_a_lost_holder_the_unused_goes_back_and_the_rest_waits_for_its_records() {
        let (mut account, mut holding) = (account(100), Holding::default());
        account.grant(&mut holding, want(60, 60, 0), 1);
        // Twenty have been used, forty are left, of which requests that run have used five.
        account.report(
            &mut holding,
            0,
            Report {
                unused: 40,
                exposed: 5,
                kept: 0,
            },
        );
        assert_eq!(account.release(&mut holding), 35);
        assert_eq!(account.remaining(), 75);
        account.settle(20, Some((&mut holding, draw(20))));
        assert_eq!((account.settled, account.held), (20, 5));
    }

    #[test]
    fn permits_end_with_their_holder_and_one_who_comes_back_has_what_it_says() {
        let (mut account, mut holding) = (account(10), Holding::default());
        account.grant(&mut holding, want(4, 4, 0), 1);
        account.report(&mut holding, 1, Report::default());
        assert_eq!(account.take_back(&mut holding), 3);
        assert_eq!((account.remaining(), holding.outstanding()), (10, 0));
        // It goes on giving back what it has no more: nobody gains by that.
        account.report(&mut holding, 3, Report::default());
        assert_eq!((account.remaining(), holding.outstanding()), (10, 0));
        let known = Totals {
            granted: 4,
            returned: 3,
        };
        account.resume(&mut holding, known);
        assert_eq!(account.remaining(), 9);
        account.forget(&mut holding);
        assert_eq!((account.remaining(), holding), (10, Holding::default()));
    }

    #[test]
    fn an_account_without_a_ceiling_gives_what_is_asked_and_is_never_scarce() {
        let mut account = Account::default();
        let answer = account.grant(&mut Holding::default(), want(5, 5, 1_000), 9);
        assert_eq!(
            answer,
            Answer {
                amount: 1_005,
                refusal: None,
                scarce: false
            }
        );
    }
}
