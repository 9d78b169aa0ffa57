//! One quota of AWS's, and what is counted against it here and elsewhere.

use super::fair::level;
use super::window::{STEP, Window};
use ccag_domain::{Quota, QuotaKind, QuotaScope};
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// From so many percent of a quota on it is short: what is above is left for those who have less than their share.
const HIGH_PERCENT: u64 = 90;

/// After Bedrock has throttled a quota is short for so many steps, whatever the estimate says: five to ten seconds.
const SHORT_STEPS: u64 = 2;

/// A throttle of Bedrock's shows for so many steps that the quota binds: an hour.
const BINDS_STEPS: u64 = 720;

/// So many steps make a minute, for those who have asked and have nothing.
const MINUTE_STEPS: u64 = 12;

/// So many teams are told apart; what more there are count as one.
const MAX_PARTIES: usize = 256;
const REST: u64 = 0;

/// How long to wait where what has to become free is set aside for requests that run.
const SOON: Duration = Duration::from_secs(5);

/// What a request may do at a quota.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It fits.
    Room,
    /// It does not fit, by what is known here. Bedrock may see it otherwise.
    NoRoom,
    /// The quota is short, others want it, and whose request it is has their share. About how long that is so.
    OverShare(Duration),
}

/// How much of the quotas is this data plane's to see: what the others use is known, or they get their part.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Part {
    pub(super) known: u32,
    pub(super) of: u32,
}

impl Part {
    pub(super) const WHOLE: Self = Self { known: 1, of: 1 };

    pub(super) fn part(self, limit: u64) -> u64 {
        let (known, of) = (u64::from(self.known), u64::from(self.of.max(1)));
        u64::try_from(u128::from(limit) * u128::from(known.min(of)) / u128::from(of)).unwrap_or(u64::MAX)
    }
}

/// What is used: set aside for what runs, and counted in the last minute.
#[derive(Debug, Clone, Copy, Default)]
struct Use {
    window: Window,
    running: u64,
}

impl Use {
    fn at(&mut self, step: u64) -> u64 {
        self.window.at(step).sum().saturating_add(self.running)
    }
}

/// A team, or whoever counts as one.
#[derive(Debug, Clone, Copy, Default)]
struct Party {
    used: Use,
    /// When it was let in last, or Bedrock was asked for it.
    asked: u64,
}

impl Party {
    fn is_active(&mut self, step: u64) -> bool {
        self.used.at(step) > 0 || step < self.asked + MINUTE_STEPS
    }
}

/// What is counted elsewhere.
#[derive(Debug, Default)]
pub(super) struct Elsewhere {
    pub(super) counted: u64,
    pub(super) parties: HashMap<u64, u64>,
}

#[derive(Debug, Default)]
struct State {
    all: Use,
    parties: HashMap<u64, Party>,
    elsewhere: Elsewhere,
    /// Until when it is short because Bedrock has throttled.
    short_until: u64,
    /// Until when it is known to bind.
    binds_until: u64,
}

/// One quota.
#[derive(Debug)]
pub(super) struct Bucket {
    /// What data planes call it among themselves.
    pub(super) digest: u64,
    pub(super) scope: QuotaScope,
    pub(super) kind: QuotaKind,
    limit: AtomicU64,
    state: Mutex<State>,
}

/// A bucket in figures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Counted {
    pub(super) digest: u64,
    pub(super) counted: u64,
    /// Those who have most of it, with what they have.
    pub(super) parties: Vec<(u64, u64)>,
}

impl Bucket {
    pub(super) fn new(digest: u64, quota: &Quota) -> Self {
        Self {
            digest,
            scope: quota.scope,
            kind: quota.kind,
            limit: AtomicU64::new(quota.limit),
            state: Mutex::default(),
        }
    }

    pub(super) fn set_limit(&self, limit: u64) {
        self.limit.store(limit, Ordering::Relaxed);
    }

    pub(super) fn limit(&self) -> u64 {
        self.limit.load(Ordering::Relaxed)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// How much of it a request takes that sets aside so many tokens.
    pub(super) fn need(&self, tokens: u64) -> u64 {
        match self.kind {
            QuotaKind::RequestsPerMinute => 1,
            QuotaKind::TokensPerMinute | QuotaKind::TokensPerDay => tokens,
        }
    }

    /// What becomes of a request of a party's that takes so much.
    pub(super) fn judge(&self, party: u64, need: u64, part: Part, step: u64) -> Verdict {
        let limit = part.part(self.limit());
        if limit == 0 {
            // A quota of nothing is none that AWS goes by where it serves the model.
            return Verdict::Room;
        }
        let mut state = self.state();
        let used = state.all.at(step).saturating_add(state.elsewhere.counted);
        let after = used.saturating_add(need);
        let high = limit / 100 * HIGH_PERCENT + limit % 100 * HIGH_PERCENT / 100;
        let capacity = if step < state.short_until {
            high.min(used)
        } else {
            high
        };
        if after > capacity
            && let Some(wait) = state.over_share(party, need, capacity, step)
        {
            return Verdict::OverShare(wait);
        }
        if after > limit {
            Verdict::NoRoom
        } else {
            Verdict::Room
        }
    }

    /// Sets so much aside for a party; returns under which name it is counted.
    pub(super) fn reserve(&self, party: u64, need: u64, step: u64) -> u64 {
        let mut state = self.state();
        if !state.parties.contains_key(&party) && state.parties.len() >= MAX_PARTIES {
            state.parties.retain(|_, party| party.is_active(step));
        }
        let is_known = state.parties.contains_key(&party) || state.parties.len() < MAX_PARTIES;
        let name = if is_known { party } else { REST };
        let is_count = self.kind == QuotaKind::RequestsPerMinute;
        let State { all, parties, .. } = &mut *state;
        let entry = parties.entry(name).or_default();
        entry.asked = step;
        for one in [all, &mut entry.used] {
            // A request counts from its beginning.
            match is_count {
                true => one.window.at(step).add(need),
                false => one.running = one.running.saturating_add(need),
            }
        }
        name
    }

    /// What was set aside for a party is free again, and has used so much.
    pub(super) fn settle(&self, name: u64, reserved: u64, used: u64, step: u64) {
        if self.kind == QuotaKind::RequestsPerMinute {
            return;
        }
        let mut state = self.state();
        let State { all, parties, .. } = &mut *state;
        for one in [Some(all), parties.get_mut(&name).map(|party| &mut party.used)]
            .into_iter()
            .flatten()
        {
            one.running = one.running.saturating_sub(reserved);
            one.window.at(step).add(used);
        }
    }

    /// Bedrock has throttled a request that counts against it.
    pub(super) fn throttled(&self, step: u64) {
        let mut state = self.state();
        state.short_until = step + SHORT_STEPS;
        state.binds_until = step + BINDS_STEPS;
    }

    /// Whether Bedrock has shown lately that it goes by the quota.
    pub(super) fn binds(&self, step: u64) -> bool {
        step < self.state().binds_until
    }

    /// What is counted here and, as far as is known, elsewhere.
    pub(super) fn counted(&self, step: u64) -> u64 {
        let mut state = self.state();
        state.all.at(step).saturating_add(state.elsewhere.counted)
    }

    /// What is counted here alone, with at most so many of those who have most of it; `None` if nothing is.
    pub(super) fn told(&self, most: usize, step: u64) -> Option<Counted> {
        let mut state = self.state();
        let counted = state.all.at(step);
        state.parties.retain(|_, party| party.is_active(step));
        let mut parties: Vec<(u64, u64)> = state
            .parties
            .iter_mut()
            .map(|(name, party)| (*name, party.used.at(step)))
            .filter(|(_, used)| *used > 0)
            .collect();
        drop(state);
        parties.sort_unstable_by_key(|(name, used)| (std::cmp::Reverse(*used), *name));
        parties.truncate(most);
        (counted > 0).then_some(Counted {
            digest: self.digest,
            counted,
            parties,
        })
    }

    pub(super) fn heard(&self, elsewhere: Elsewhere) {
        self.state().elsewhere = elsewhere;
    }
}

impl State {
    /// Whether a party that wants `need` more has its share of `capacity` already, where others want theirs; if so, how long it
    /// is to wait. Whoever has less than an equal part is let in whatever it wants; whoever has more only into what others
    /// leave.
    fn over_share(&mut self, party: u64, need: u64, capacity: u64, step: u64) -> Option<Duration> {
        let elsewhere = |name: &u64| self.elsewhere.parties.get(name).copied().unwrap_or(0);
        let mut wants: Vec<u64> = Vec::with_capacity(self.parties.len() + 1);
        let mut own = elsewhere(&party);
        let mut mine = None;
        for (name, other) in &mut self.parties {
            if !other.is_active(step) {
                continue;
            }
            let used = other.used.at(step).saturating_add(elsewhere(name));
            if *name == party {
                own = used;
                mine = Some(other.used.window);
            } else {
                wants.push(used);
            }
        }
        let only_there = self.elsewhere.parties.iter();
        wants.extend(only_there.filter_map(|(name, used)| {
            let is_new = *name != party && *used > 0 && !self.parties.contains_key(name);
            is_new.then_some(*used)
        }));
        if wants.is_empty() {
            return None;
        }
        let equal = capacity / u64::try_from(wants.len() + 1).unwrap_or(u64::MAX);
        let wanted = own.saturating_add(need);
        wants.push(wanted);
        let share = level(&mut wants, capacity);
        if own < equal || wanted <= share {
            return None;
        }
        let steps = mine.and_then(|window| window.steps_until(wanted - share));
        Some(steps.map_or(SOON, |steps| STEP * steps))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bucket(kind: QuotaKind, limit: u64) -> Bucket {
        let quota = Quota {
            code: "L-1".into(),
            name: String::new(),
            model: Some("Claude Opus 5.5".into()),
            scope: QuotaScope::CrossRegion,
            kind,
            limit,
        };
        Bucket::new(1, &quota)
    }

    fn tokens(limit: u64) -> Bucket {
        bucket(QuotaKind::TokensPerMinute, limit)
    }

    const GREEDY: u64 = 1;
    const MODEST: u64 = 2;

    fn is_over(verdict: Verdict) -> bool {
        matches!(verdict, Verdict::OverShare(_))
    }

    #[test]
    fn what_is_set_aside_counts_until_what_was_used_does_for_a_minute() {
        let bucket = tokens(100_000);
        let judge = |need, step| bucket.judge(GREEDY, need, Part::WHOLE, step);
        assert_eq!(bucket.reserve(GREEDY, 90_000, 10), GREEDY);
        assert_eq!(judge(10_000, 10), Verdict::Room);
        assert_eq!(judge(10_001, 10), Verdict::NoRoom);
        // Long after its minute it still runs.
        assert_eq!(bucket.counted(500), 90_000);
        bucket.settle(GREEDY, 90_000, 12_000, 500);
        assert_eq!(bucket.counted(512), 12_000);
        assert_eq!(judge(88_000, 512), Verdict::Room);
        assert_eq!(bucket.counted(513), 0);
    }

    #[test]
    fn requests_count_from_their_beginning_and_once() {
        let bucket = bucket(QuotaKind::RequestsPerMinute, 2);
        for _ in 0..2 {
            assert_eq!(
                bucket.judge(GREEDY, bucket.need(9_000), Part::WHOLE, 10),
                Verdict::Room
            );
            bucket.reserve(GREEDY, bucket.need(9_000), 10);
            bucket.settle(GREEDY, 1, 500, 10);
        }
        assert_eq!(bucket.judge(GREEDY, 1, Part::WHOLE, 22), Verdict::NoRoom);
        assert_eq!(bucket.judge(GREEDY, 1, Part::WHOLE, 23), Verdict::Room);
    }

    #[test]
    fn a_team_that_is_alone_is_never_over_its_share() {
        let bucket = tokens(100);
        bucket.reserve(GREEDY, 500, 10);
        bucket.throttled(10);
        assert_eq!(bucket.judge(GREEDY, 50, Part::WHOLE, 10), Verdict::NoRoom);
    }

    #[test]
    fn a_greedy_team_keeps_its_share_and_a_modest_one_has_what_it_wants() {
        let bucket = tokens(100_000);
        let judge = |party, need| bucket.judge(party, need, Part::WHOLE, 10);
        bucket.reserve(MODEST, 2_000, 10);
        let mut greedy = 0;
        while !is_over(judge(GREEDY, 5_000)) {
            bucket.reserve(GREEDY, 5_000, 10);
            greedy += 1;
        }
        assert_eq!(greedy, 17, "all that the other one leaves of nine tenths");
        // There is room for the modest one, which may take more than it had.
        for _ in 0..5 {
            assert_eq!(judge(MODEST, 2_000), Verdict::Room);
            bucket.reserve(MODEST, 2_000, 10);
        }
        assert!(is_over(judge(GREEDY, 5_000)));
        // As soon as what the greedy one had is over it gets in again.
        bucket.settle(GREEDY, 85_000, 20_000, 10);
        assert_eq!(judge(GREEDY, 5_000), Verdict::Room);
    }

    #[test]
    fn whoever_has_less_than_an_equal_part_is_let_in_whatever_they_want() {
        let bucket = tokens(400_000);
        bucket.reserve(GREEDY, 350_000, 10);
        bucket.reserve(MODEST, 188_000, 10);
        bucket.settle(MODEST, 188_000, 12_000, 10);
        assert_eq!(
            bucket.judge(MODEST, 188_000, Part::WHOLE, 10),
            Verdict::NoRoom,
            "Bedrock decides"
        );
        assert!(is_over(bucket.judge(GREEDY, 188_000, Part::WHOLE, 10)));
    }

    #[test]
    fn what_bedrock_throttles_is_short_for_some_seconds_whatever_the_estimate() {
        let bucket = tokens(100_000);
        bucket.reserve(GREEDY, 30_000, 10);
        bucket.reserve(MODEST, 5_000, 10);
        assert_eq!(bucket.judge(GREEDY, 1_000, Part::WHOLE, 10), Verdict::Room);
        bucket.throttled(10);
        assert!(is_over(bucket.judge(GREEDY, 1_000, Part::WHOLE, 11)));
        assert_eq!(bucket.judge(MODEST, 1_000, Part::WHOLE, 11), Verdict::Room);
        assert_eq!(bucket.judge(GREEDY, 1_000, Part::WHOLE, 12), Verdict::Room);
    }

    #[test]
    fn what_others_use_counts_and_where_it_is_not_known_they_have_their_part() {
        let bucket = tokens(100_000);
        let part = Part { known: 1, of: 4 };
        assert_eq!(bucket.judge(GREEDY, 25_000, part, 10), Verdict::Room);
        assert_eq!(bucket.judge(GREEDY, 25_001, part, 10), Verdict::NoRoom);
        bucket.heard(Elsewhere {
            counted: 60_000,
            parties: HashMap::from([(GREEDY, 55_000), (MODEST, 5_000)]),
        });
        let judge = |party, need| bucket.judge(party, need, Part::WHOLE, 10);
        assert_eq!(judge(GREEDY, 30_000), Verdict::Room);
        assert!(is_over(judge(GREEDY, 31_000)));
        assert_eq!(judge(MODEST, 40_000), Verdict::Room);
        assert_eq!(bucket.told(8, 10), None, "others tell it themselves");
    }

    #[test]
    fn more_teams_than_are_told_apart_count_as_one() {
        let bucket = tokens(1_000_000);
        for party in 1..=MAX_PARTIES as u64 {
            assert_eq!(bucket.reserve(party, 10, 10), party);
        }
        assert_eq!(bucket.reserve(9_999, 10, 10), REST);
        let told = bucket.told(3, 10).unwrap();
        assert_eq!((told.counted, told.parties.len()), (2_570, 3));
        for party in 1..=MAX_PARTIES as u64 {
            bucket.settle(party, 10, 0, 10);
        }
        bucket.settle(REST, 10, 0, 10);
        assert_eq!(bucket.reserve(9_999, 10, 30), 9_999, "those before are forgotten");
    }
}
