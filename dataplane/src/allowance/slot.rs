//! What this data plane has of one account.

use super::cooling::Cooling;
use ccag_allowance::{Answer, Purse, Refusal, Report, Totals, Want};
use ccag_domain::{AccountId, NanoUsd, UnixMs};
use ccag_proto::v1;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// For how long it is believed that no permits are left, once the control plane has said so.
const BELIEVED: Duration = Duration::from_millis(200);

/// The answer to a wish.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    /// What is granted, possibly nothing.
    Answer(Answer),
    /// There is no such account.
    Unknown,
}

/// An account, as far as it concerns this data plane.
#[derive(Debug)]
pub(crate) struct Slot {
    pub(super) id: AccountId,
    pub(super) of: Of,
    state: Mutex<State>,
    /// Told when there may be more, or when it is certain that there is not.
    pub(super) changed: Notify,
    /// Whether it is in the list of those to be spoken about.
    listed: AtomicBool,
    /// Whether its budget is a hard one: of these it is said at short intervals what is used, so that little is lost if this
    /// data plane is.
    hard: AtomicBool,
    /// The most that there is, as the configuration had it last.
    ceiling: AtomicI64,
}

/// What an account is of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// Money, until the period is over.
    Money { end_ms: UnixMs },
    /// Permits of a limit, which come back.
    Permits,
}

/// How an attempt to set something aside went.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Try {
    Reserved,
    /// The control plane has said so lately.
    Refused(Refusal),
    /// The control plane has to be asked.
    Ask,
}

/// What requests that run have used.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(super) struct Running {
    /// Up to now.
    pub(super) used: i64,
    /// Up to the end of the time ahead.
    pub(super) soon: i64,
}

/// When something is said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// In time.
    Beat,
    /// Because somebody waits.
    Between,
    /// For the last time: nothing more is wanted.
    Last,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) purse: Purse,
    /// The needs of requests that wait.
    waiting: Vec<i64>,
    /// What the control plane has said last of what is spent.
    pub(super) spent: i64,
    /// How often an answer has come.
    answers: u64,
    /// The smallest need that the control plane was last asked for.
    asked_least: i64,
    /// The last refusal: of the smallest need then, and at which answer.
    refused: Option<(Refusal, i64, u64)>,
    /// What was served without the control plane since it was lost.
    grace_used: i64,
    /// What requests that run had used at the last beat, and what others are taken to have used when that arrives: as much as
    /// those have that began lately, with their prompts, and, where they have ended already, with all of it.
    exposed: i64,
    recent: i64,
    /// What of that is reckoned for the time ahead, and for how long that is.
    coming: i64,
    ahead: Duration,
    /// When the last beat was.
    beat_at: Option<Instant>,
    /// Permits of a rate whose minute is not over.
    cooling: Cooling,
    /// When the control plane has said last that no permits are left, to somebody who needed so many.
    spent_up: Option<(Instant, i64)>,
    /// Whether the control plane has said that it does not know the account.
    is_unknown: bool,
    /// Whether something was said of it that has not been answered.
    unanswered: bool,
}

impl State {
    /// Permits whose minute is over are free again; returns how many.
    fn expire(&mut self, now: Instant) -> i64 {
        let over = self.cooling.take_until(now);
        self.purse.settle(over, 0);
        over
    }

    /// Of what began in the time ahead as much is recent no more as has passed of it since the last beat.
    fn age(&mut self, passed: Option<Duration>, ahead: Duration) {
        let passed = passed.unwrap_or(ahead).min(ahead);
        let (passed, ahead) = (passed.as_millis(), ahead.as_millis().max(1));
        let part = |n: u128| i64::try_from(n).unwrap_or(i64::MAX);
        let gone = self.recent.saturating_mul(part(passed)) / part(ahead);
        self.recent -= gone;
        if gone == 0 && passed > 0 {
            self.recent = self.recent.saturating_sub(1).max(0);
        }
    }

    /// What has been spent as far as is known here: a little more than what the control plane has said.
    pub(super) fn ceiling_left(&self, ceiling: i64) -> i64 {
        ceiling.saturating_sub(self.spent)
    }
}

impl Slot {
    pub(super) fn new(id: AccountId, of: Of) -> Self {
        Self {
            id,
            of,
            state: Mutex::default(),
            changed: Notify::new(),
            listed: AtomicBool::new(false),
            hard: AtomicBool::new(false),
            ceiling: AtomicI64::new(i64::MAX),
        }
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// There is so much at most. Where that is less than it was, everything that is free goes back: it was granted when there was
    /// more, and may be too much now.
    pub(super) fn bound_by(&self, ceiling: i64) {
        if self.ceiling.load(Ordering::Relaxed) != ceiling
            && self.ceiling.swap(ceiling, Ordering::Relaxed) > ceiling
        {
            self.give_back_all();
        }
    }

    pub(super) fn set_hard(&self, hard: bool) {
        // All threads look at it, and it hardly ever changes.
        if self.is_hard() != hard {
            self.hard.store(hard, Ordering::Relaxed);
        }
    }

    pub(super) fn is_hard(&self) -> bool {
        self.hard.load(Ordering::Relaxed)
    }

    /// What the control plane has said last of what is spent.
    pub(super) fn spent(&self) -> NanoUsd {
        NanoUsd(self.state().spent)
    }

    /// Puts it on the list; false if it is there already. Whoever takes the list looks at the state afterwards: a change that
    /// found it on the list is seen.
    pub(super) fn list(&self) -> bool {
        !self.listed.load(Ordering::Acquire) && !self.listed.swap(true, Ordering::AcqRel)
    }

    pub(super) fn unlist(&self) {
        self.listed.store(false, Ordering::Release);
    }

    /// Sets something aside, if it is there. `since` is the count of answers when the request began to wait: older refusals
    /// do not count for it.
    pub(super) fn try_reserve(&self, need: i64, since: Option<u64>) -> Try {
        let mut state = self.state();
        if self.of == Of::Permits {
            state.expire(Instant::now());
        }
        if state.purse.reserve(need).is_ok() {
            return Try::Reserved;
        }
        match (state.refused, since) {
            (Some((refusal, least, at)), Some(since)) if at > since && need >= least => Try::Refused(refusal),
            _ => Try::Ask,
        }
    }

    /// The need, which depends on whether little is left, and whether that was set aside; it is only tried if it `may` be.
    pub(super) fn try_first(&self, may: bool, need: impl FnOnce(bool) -> i64) -> (i64, Try) {
        let mut state = self.state();
        let need = need(state.purse.is_scarce());
        let reserved = may && state.purse.reserve(need).is_ok();
        (need, if reserved { Try::Reserved } else { Try::Ask })
    }

    /// Serves from a grace amount; false if that is used up.
    pub(super) fn try_grace(&self, need: i64, grace: i64) -> bool {
        let mut state = self.state();
        let used = state.grace_used.saturating_add(need);
        if used > grace {
            return false;
        }
        state.grace_used = used;
        state.purse.extend(need);
        true
    }

    /// Takes permits without the control plane, as long as no more than a share of them are taken here; one request always
    /// finds room.
    pub(super) fn try_local(&self, need: i64, share: i64) -> bool {
        let mut state = self.state();
        state.expire(Instant::now());
        let reserved = state.purse.reserved();
        if reserved > 0 && reserved.saturating_add(need) > share {
            return false;
        }
        state.purse.extend(need);
        true
    }

    /// Of permits that are taken, `amount` stay so until then, and the rest are free again. Returns when to look after it, if
    /// nobody does yet.
    pub(super) fn cool(&self, reserved: i64, amount: i64, until: Instant) -> Option<Instant> {
        let mut state = self.state();
        if amount <= reserved {
            state.purse.settle(reserved - amount, 0);
        } else {
            state.purse.extend(amount - reserved);
        }
        state.cooling.add(until, amount)
    }

    /// Permits whose minute is over are free again: whether there are such, and when to look again.
    pub(super) fn ripen(&self, came: Instant, now: Instant) -> (bool, Option<Instant>) {
        let mut state = self.state();
        let freed = state.expire(now) > 0;
        (freed, state.cooling.look(came))
    }

    /// When the next permits are free again that are taken here.
    pub(super) fn next_release(&self) -> Option<Instant> {
        self.state().cooling.next()
    }

    /// Remembers that no permits are left for somebody who needs so many.
    pub(super) fn note_spent_up(&self, need: i64) {
        self.state().spent_up = Some((Instant::now(), need));
    }

    /// Whether the control plane has just said that so many permits are not left.
    pub(super) fn was_spent_up(&self, need: i64) -> bool {
        let spent_up = self.state().spent_up;
        spent_up.is_some_and(|(at, least)| need >= least && at.elapsed() < BELIEVED)
    }

    /// Whether the control plane has said that it does not know the account.
    pub(super) fn is_unknown(&self) -> bool {
        self.state().is_unknown
    }

    /// How often the control plane has spoken of it.
    pub(super) fn answers(&self) -> u64 {
        self.state().answers
    }

    /// A request begins to wait; returns the count of answers.
    pub(super) fn wait(&self, need: i64) -> u64 {
        let mut state = self.state();
        state.waiting.push(need);
        state.answers
    }

    /// It waits no more.
    pub(super) fn leave(&self, need: i64) {
        let mut state = self.state();
        if let Some(at) = state.waiting.iter().position(|n| *n == need) {
            state.waiting.swap_remove(at);
        }
    }

    /// A request has begun, which has used so much as soon as Bedrock has read it.
    pub(super) fn begin(&self, prompt: i64) {
        let mut state = self.state();
        state.recent = state.recent.saturating_add(prompt);
    }

    /// A request has ended. True if others may be waiting for what is free now.
    pub(super) fn settle(&self, reserved: i64, cost: i64) -> bool {
        self.end(reserved, cost, 0)
    }

    /// The same of one that has used so much beyond its prompt, if it began lately.
    pub(super) fn end(&self, reserved: i64, cost: i64, answer: i64) -> bool {
        let mut state = self.state();
        state.recent = state.recent.saturating_add(answer);
        state.purse.settle(reserved, cost);
        state.purse.is_scarce() || !state.waiting.is_empty()
    }

    /// What to say of it now: a wish, or only a report.
    /// What requests that run have used is known with a beat only; in between it is what was said last.
    pub(super) fn wish(&self, running: Running, ahead: Duration, when: When) -> v1::Wish {
        let mut state = self.state();
        let state = &mut *state;
        if self.of == Of::Permits {
            state.expire(Instant::now());
        }
        let waiting = state
            .waiting
            .iter()
            .fold(0i64, |sum, need| sum.saturating_add(*need));
        let least = state.waiting.iter().copied().min().unwrap_or(0);
        state.asked_least = least;
        state.unanswered = true;
        if when != When::Between {
            let now = Instant::now();
            let passed = state.beat_at.replace(now).map(|at| now - at);
            let runs = self.is_running(state);
            state.purse.beat(passed.unwrap_or_default(), runs);
            state.exposed = running.soon.saturating_add(state.recent);
            state.coming = state.exposed.saturating_sub(running.used);
            state.ahead = ahead;
            state.age(passed, ahead);
        }
        state.purse.give_back(least, waiting);
        let purse = &state.purse;
        let want: Want = match when {
            When::Last => Want::default(),
            When::Beat | When::Between => purse.want(least, waiting).unwrap_or_default(),
        };
        let said = Report {
            unused: purse.free().saturating_add(purse.reserved()),
            exposed: state.exposed,
            kept: purse.kept(waiting),
        };
        v1::Wish {
            account: self.id.to_string(),
            least: want.least,
            need: want.need,
            comfort: want.comfort,
            returned: purse.totals().returned,
            unused: said.unused,
            exposed: said.exposed,
            kept: said.kept,
            pace: state.coming.saturating_mul(1_000)
                / i64::try_from(state.ahead.as_millis()).unwrap_or(i64::MAX).max(1),
        }
    }

    /// The control plane has answered the last wish.
    pub(super) fn hear(&self, said: Said, spent: i64) {
        {
            let mut state = self.state();
            state.answers += 1;
            state.unanswered = false;
            state.grace_used = 0;
            state.is_unknown = said == Said::Unknown;
            match said {
                Said::Answer(answer) => {
                    state.purse.take(&answer);
                    state.spent = spent;
                    let (least, at) = (state.asked_least, state.answers);
                    state.refused = answer.refusal.map(|refusal| (refusal, least, at));
                }
                // A budget that was deleted a moment ago, or is about to be known: a request that waits tries again.
                Said::Unknown => state.refused = None,
            }
        }
        self.changed.notify_waiters();
    }

    /// Everything that is free goes back: the lease has run out, or the data plane ends.
    pub(super) fn give_back_all(&self) {
        let mut state = self.state();
        state.purse.give_back_all();
        state.unanswered = true;
    }

    /// What was granted and given back; `None` if both sides know that nothing is left of it.
    pub(super) fn totals(&self) -> Option<Totals> {
        let state = self.state();
        let totals = state.purse.totals();
        (state.unanswered || totals.granted != totals.returned).then_some(totals)
    }

    /// Whether little is left of it.
    pub(super) fn is_scarce(&self) -> bool {
        self.state().purse.is_scarce()
    }

    /// Whether somebody waits for it, here or at another data plane.
    pub(super) fn is_urgent(&self) -> bool {
        let state = self.state();
        !state.waiting.is_empty() || state.purse.is_scarce()
    }

    /// Whether somebody waits for it here.
    pub(super) fn is_waited_for(&self) -> bool {
        !self.state().waiting.is_empty()
    }

    /// Whether there is nothing to say of it until it is used again.
    pub(super) fn is_idle(&self) -> bool {
        let state = self.state();
        self.is_quiet(&state) && state.purse.free() <= 0 && state.purse.comfort() == 0
    }

    /// Whether a share is only kept in case that another request comes soon: of that it is enough to speak now and then. What
    /// requests had used that have just ended is taken back first, or it would count for longer should this data plane be lost.
    pub(super) fn is_resting(&self) -> bool {
        let state = self.state();
        let nothing_said = state.exposed == 0 && state.recent == 0;
        self.is_quiet(&state) && nothing_said && state.purse.is_resting()
    }

    /// Whether no request uses it or waits for it. Of permits that are taken there is nothing to say; of money, what has been
    /// used of it.
    fn is_quiet(&self, state: &State) -> bool {
        state.waiting.is_empty() && !self.is_running(state)
    }

    fn is_running(&self, state: &State) -> bool {
        self.of != Of::Permits && state.purse.reserved() != 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{Period, TimeZone};

    fn granted(amount: i64) -> Slot {
        let id = AccountId::parse("bud_1/0").unwrap();
        let month = Period::Monthly.around(0, &TimeZone::UTC);
        let slot = Slot::new(id, Of::Money { end_ms: month.end_ms });
        slot.bound_by(1_000);
        slot.hear(
            Said::Answer(Answer {
                amount,
                refusal: None,
                scarce: false,
            }),
            0,
        );
        slot
    }

    #[test]
    fn what_was_granted_goes_back_where_less_is_allowed_than_before() {
        let slot = granted(100);
        slot.bound_by(1_000);
        slot.bound_by(2_000);
        assert_eq!(slot.try_reserve(10, None), Try::Reserved);
        slot.bound_by(500);
        assert_eq!(slot.try_reserve(10, None), Try::Ask);
        let totals = slot.totals().unwrap();
        assert_eq!((totals.granted, totals.returned), (100, 90));
        assert_eq!(
            slot.state().purse.reserved(),
            10,
            "what a request uses stays with it"
        );
    }
}
