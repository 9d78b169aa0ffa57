//! When an endpoint, or one model of it, counts as out of order, and when it is tried again.
//!
//! A circuit is closed while all is well. Failures of one kind in a row open it for a while, twice as long each time. When the
//! while is over one request is let through as a probe: an answer closes the circuit, another failure opens it again.

use ccag_domain::{Trouble, UnixMs};

/// A probe that says nothing for so long is given up, and another one is let through.
const PROBE_MS: i64 = 30_000;

/// When a kind of failure opens a circuit, and for how long.
struct Rule {
    /// So many failures in a row.
    after: u32,
    /// A failure of longer ago does not count.
    within_ms: i64,
    first_ms: i64,
    longest_ms: i64,
}

/// Whether it says something about the endpoint as a whole rather than about one model.
pub(super) const fn is_of_endpoint(trouble: Trouble) -> bool {
    matches!(trouble, Trouble::Unreachable | Trouble::Credentials)
}

/// Whether an answer of any kind, a refusal of the request included, shows that it is over.
const fn ends_with_any_answer(trouble: Trouble) -> bool {
    matches!(
        trouble,
        Trouble::Unreachable | Trouble::Unavailable | Trouble::Credentials
    )
}

const fn rule(trouble: Trouble) -> Rule {
    let (after, within_ms, first_ms, longest_ms) = match trouble {
        Trouble::Unreachable => (1, 0, 5_000, 60_000),
        Trouble::Unavailable => (3, 30_000, 5_000, 60_000),
        // A conversation that moves pays for its whole prompt anew: a few throttles are cheaper than that.
        Trouble::Throttled => (3, 10_000, 2_000, 30_000),
        Trouble::DailyQuota => (1, 0, 3_600_000, 3_600_000),
        Trouble::Credentials => (1, 0, 15_000, 300_000),
        Trouble::ModelMissing => (1, 0, 600_000, 3_600_000),
    };
    Rule {
        after,
        within_ms,
        first_ms,
        longest_ms,
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    Closed,
    Open,
    /// A request is on its way to find out.
    Probing {
        until_ms: UnixMs,
    },
}

/// The state of an endpoint or of one of its models.
#[derive(Debug, Clone, Copy)]
pub(super) struct Circuit {
    state: State,
    /// What the last failures were, and how many in a row.
    cause: Trouble,
    failures: u32,
    failed_at_ms: UnixMs,
    /// How often it was opened in a row.
    strikes: u32,
    /// Since when it has been out of order, and until when it is not tried.
    since_ms: UnixMs,
    until_ms: UnixMs,
    throttles_in_a_row: u32,
    /// How many streams in a row broke off after they had begun, and when the last one did.
    breaks: u32,
    broke_at_ms: UnixMs,
}

/// How a circuit stands, for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Standing {
    pub(crate) cause: Trouble,
    pub(crate) since_ms: UnixMs,
    pub(crate) until_ms: UnixMs,
    pub(crate) is_probed: bool,
}

impl Default for Circuit {
    fn default() -> Self {
        Self {
            state: State::Closed,
            cause: Trouble::Unavailable,
            failures: 0,
            failed_at_ms: 0,
            strikes: 0,
            since_ms: 0,
            until_ms: 0,
            throttles_in_a_row: 0,
            breaks: 0,
            broke_at_ms: 0,
        }
    }
}

impl Circuit {
    /// A failure. `stretch_permille` is what the time is multiplied by, so that not all data planes try again at once.
    /// True if the circuit was opened.
    pub(super) fn failed(&mut self, cause: Trouble, now: UnixMs, stretch_permille: i64) -> bool {
        let rule = rule(cause);
        if cause == Trouble::Throttled {
            self.throttles_in_a_row = self.throttles_in_a_row.saturating_add(1);
        }
        let follows = self.cause == cause && now - self.failed_at_ms <= rule.within_ms;
        self.failures = if follows {
            self.failures.saturating_add(1)
        } else {
            1
        };
        self.cause = cause;
        self.failed_at_ms = now;
        let opens = match self.state {
            State::Closed => self.failures >= rule.after,
            State::Probing { .. } => true,
            // Somebody had nowhere else to go.
            State::Open => self.until_ms <= now,
        };
        if opens {
            if self.state == State::Closed {
                self.since_ms = now;
            }
            let for_ms = rule
                .first_ms
                .saturating_mul(1 << self.strikes.min(16))
                .min(rule.longest_ms);
            self.strikes = self.strikes.saturating_add(1);
            self.until_ms = now + for_ms.saturating_mul(stretch_permille) / 1_000;
            self.state = State::Open;
        }
        opens
    }

    /// A stream broke off after it had begun. That others begin says nothing against it: only one that ends does. True if the
    /// circuit was opened.
    pub(super) fn broke(&mut self, cause: Trouble, now: UnixMs, stretch_permille: i64) -> bool {
        let rule = rule(cause);
        let follows = now - self.broke_at_ms <= rule.within_ms.max(rule.first_ms);
        self.breaks = if follows { self.breaks.saturating_add(1) } else { 1 };
        self.broke_at_ms = now;
        if self.breaks < rule.after {
            return false;
        }
        self.cause = cause;
        self.failures = rule.after;
        self.failed_at_ms = now;
        self.failed(cause, now, stretch_permille)
    }

    /// An answer has come to its end.
    pub(super) fn completed(&mut self) {
        self.breaks = 0;
    }

    /// An answer: of the model, or, if not `served`, a refusal of the request for what was in it. True if that closed the
    /// circuit.
    pub(super) fn answered(&mut self, served: bool) -> bool {
        if !served && !ends_with_any_answer(self.cause) {
            return false;
        }
        let was_closed = self.state == State::Closed;
        self.state = State::Closed;
        self.failures = 0;
        if self.breaks == 0 {
            self.strikes = 0;
        }
        if served {
            self.throttles_in_a_row = 0;
        }
        !was_closed
    }

    /// Whether requests had better go elsewhere.
    pub(super) fn is_out(&self, now: UnixMs) -> bool {
        match self.state {
            State::Closed => false,
            State::Open => true,
            State::Probing { until_ms } => until_ms > now,
        }
    }

    /// Whether it is time to let a request through, to see.
    pub(super) fn may_probe(&self, now: UnixMs) -> bool {
        match self.state {
            State::Closed => false,
            State::Open => self.until_ms <= now,
            State::Probing { until_ms } => until_ms <= now,
        }
    }

    /// A request is let through.
    pub(super) fn probe(&mut self, now: UnixMs) {
        self.state = State::Probing {
            until_ms: now + PROBE_MS,
        };
    }

    /// How many throttles there were in a row.
    pub(super) fn throttles_in_a_row(&self) -> u32 {
        self.throttles_in_a_row
    }

    /// How it stands; `None` while all is well.
    pub(super) fn standing(&self) -> Option<Standing> {
        let is_probed = match self.state {
            State::Closed => return None,
            State::Open => false,
            State::Probing { .. } => true,
        };
        Some(Standing {
            cause: self.cause,
            since_ms: self.since_ms,
            until_ms: self.until_ms,
            is_probed,
        })
    }

    /// Whether there is nothing worth remembering.
    pub(super) fn is_forgettable(&self, now: UnixMs) -> bool {
        let rule = rule(self.cause);
        let is_new = |at_ms: UnixMs| now - at_ms <= rule.within_ms.max(rule.first_ms);
        self.state == State::Closed
            && now - self.failed_at_ms > rule.within_ms
            && !(self.breaks > 0 && is_new(self.broke_at_ms))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXACT: i64 = 1_000;

    #[test]
    fn failures_in_a_row_open_a_circuit_and_an_answer_in_between_does_not() {
        let mut circuit = Circuit::default();
        assert!(!circuit.failed(Trouble::Unavailable, 0, EXACT));
        assert!(!circuit.failed(Trouble::Unavailable, 1, EXACT));
        circuit.answered(true);
        assert!(!circuit.failed(Trouble::Unavailable, 2, EXACT));
        assert!(!circuit.failed(Trouble::Unavailable, 3, EXACT));
        assert!(!circuit.is_out(3));
        assert!(circuit.failed(Trouble::Unavailable, 4, EXACT));
        assert!(circuit.is_out(4) && circuit.is_out(5_003));
    }

    #[test]
    fn failures_of_long_ago_and_of_another_kind_do_not_add_up() {
        let mut circuit = Circuit::default();
        for n in 0..10 {
            assert!(!circuit.failed(Trouble::Unavailable, n * 31_000, EXACT));
        }
        for _ in 0..2 {
            assert!(!circuit.failed(Trouble::Throttled, 400_000, EXACT));
            assert!(!circuit.failed(Trouble::Unavailable, 400_000, EXACT));
        }
    }

    #[test]
    fn one_probe_at_a_time_decides() {
        let mut circuit = Circuit::default();
        assert!(circuit.failed(Trouble::Unreachable, 0, EXACT));
        assert!(!circuit.may_probe(4_999));
        assert!(circuit.may_probe(5_000));
        circuit.probe(5_000);
        assert!(!circuit.may_probe(5_001) && circuit.is_out(5_001));
        // It fails: twice as long.
        assert!(circuit.failed(Trouble::Unreachable, 6_000, EXACT));
        assert!(!circuit.may_probe(15_999));
        assert!(circuit.may_probe(16_000));
        circuit.probe(16_000);
        assert!(circuit.answered(true));
        assert!(!circuit.is_out(16_001));
        // It begins small again.
        assert!(circuit.failed(Trouble::Unreachable, 20_000, EXACT));
        assert!(circuit.may_probe(25_000));
    }

    #[test]
    fn a_probe_that_says_nothing_is_given_up() {
        let mut circuit = Circuit::default();
        circuit.failed(Trouble::Credentials, 0, EXACT);
        circuit.probe(15_000);
        assert!(!circuit.may_probe(44_999));
        assert!(circuit.may_probe(45_000));
    }

    #[test]
    fn it_is_never_out_for_longer_than_the_kind_of_failure_allows() {
        for &cause in Trouble::ALL {
            let mut circuit = Circuit::default();
            let mut now = 0;
            for _ in 0..40 {
                circuit.failed(cause, now, EXACT);
                now = circuit.standing().map_or(now, |standing| standing.until_ms);
                circuit.probe(now);
            }
            circuit.failed(cause, now, EXACT);
            let standing = circuit.standing().unwrap();
            assert_eq!(standing.until_ms - now, rule(cause).longest_ms, "{cause:?}");
        }
    }

    #[test]
    fn streams_that_break_off_open_a_circuit_though_they_begin() {
        let mut circuit = Circuit::default();
        for now in [0, 1_000] {
            circuit.answered(true);
            assert!(!circuit.broke(Trouble::Unavailable, now, EXACT));
        }
        circuit.answered(true);
        assert!(!circuit.is_forgettable(2_000));
        assert!(circuit.broke(Trouble::Unavailable, 2_000, EXACT));
        assert!(circuit.is_out(2_000));
        // The probe begins, and breaks off as well: longer.
        circuit.probe(7_000);
        assert!(circuit.answered(true));
        assert!(circuit.broke(Trouble::Unavailable, 8_000, EXACT));
        assert_eq!(circuit.standing().unwrap().until_ms, 18_000);
        // One that ends shows that it is over.
        circuit.probe(18_000);
        circuit.answered(true);
        circuit.completed();
        assert!(!circuit.broke(Trouble::Unavailable, 19_000, EXACT));
        assert!(circuit.is_forgettable(60_000));
    }

    #[test]
    fn a_refused_request_shows_that_an_endpoint_answers_but_not_that_it_is_free() {
        let mut circuit = Circuit::default();
        circuit.failed(Trouble::Unreachable, 0, EXACT);
        assert!(circuit.answered(false));
        for _ in 0..3 {
            circuit.failed(Trouble::Throttled, 0, EXACT);
        }
        assert!(!circuit.answered(false));
        assert!(circuit.is_out(0));
    }
}
