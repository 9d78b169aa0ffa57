//! Permits: what a request takes of the limits that bound it.
//!
//! A limit is shared as a budget is: permits come from shares that the control plane grants, so that all data planes
//! together let through no more than the limit. While it cannot be asked, a data plane lets through its part of the limit,
//! by the number of data planes there were.

use super::governed::Account;
use super::quote::Quote;
use super::slot::{Of, Slot, Try};
use super::verdict::Whose;
use super::{Allowances, Scope, UNREACHABLE, Waiting, contact, verdict};
use crate::sync::ConfigView;
use ccag_domain::limit::MINUTE_MS;
use ccag_domain::{
    AccountId, AccountName, BudgetScope, Caller, LimitKind, ModelName, NanoUsd, Problem, TokenWeights,
    Tokens, UnixMs,
};
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a permit of a rate is taken.
const MINUTE: Duration = Duration::from_millis(MINUTE_MS.unsigned_abs());

/// How long a request waits to hear whether there is a permit of a rate: until the control plane counts as unreachable. If
/// none is left it is refused at once, since waiting for the next may take long.
const ANSWER: Duration = UNREACHABLE;

/// How long a request waits for another one to end, where too many run.
const TURN: Duration = Duration::from_millis(1_500);

/// A limit that bounds a request.
#[derive(Debug)]
pub(super) struct Bound {
    pub(super) account: Account,
    pub(super) kind: LimitKind,
    /// The most permits that may be taken at a time.
    pub(super) ceiling: i64,
    pub(super) whose: Whose,
}

/// The name of the team that pays.
pub(super) fn team_name(view: &ConfigView, caller: &Caller) -> Option<Arc<str>> {
    let team = caller.team_id.as_ref().and_then(|id| view.team(id));
    team.map(|team| team.name.as_str().into())
}

/// The limits that bound a caller's requests, apart from those of budgets, for whatever model.
pub(super) fn bounds(
    view: &ConfigView,
    caller: &Caller,
    key_rate: Option<u32>,
    team_name: Option<&Arc<str>>,
) -> Vec<Arc<Bound>> {
    let mut bounds = Vec::new();
    if let Some(rate) = key_rate {
        let id = AccountId::from(&AccountName::Key(caller.key_id.clone()));
        bounds.push(Bound {
            account: Account::new(id, Of::Permits),
            kind: LimitKind::Requests,
            ceiling: i64::from(rate),
            whose: Whose::Key,
        });
    }
    bounds.extend(view.limits().of(caller).map(|limit| Bound {
        account: Account::new(limit.account(caller.user_id.as_ref()), Of::Permits),
        kind: limit.kind,
        ceiling: limit.ceiling(),
        whose: Whose::Scope {
            scope: limit.scope.clone(),
            team_name: team_name.cloned(),
            models: limit.models.clone(),
        },
    }));
    bounds.into_iter().map(Arc::new).collect()
}

/// The rate to which a budget slows down whom it is about.
pub(super) fn throttled(scope: &Scope, spent: NanoUsd, rate: u32, caller: &Caller) -> Option<Bound> {
    let account = scope.budget.account(scope.now, caller.user_id.as_ref());
    let (budget, start_ms, subject) = account.id.of_budget()?;
    let id = AccountId::from(&AccountName::Throttle {
        budget,
        start_ms,
        subject,
        rate,
    });
    Some(Bound {
        account: Account::new(id, Of::Permits),
        kind: LimitKind::Requests,
        ceiling: i64::from(rate),
        whose: Whose::Budget {
            scope: scope.clone(),
            spent,
        },
    })
}

impl Bound {
    /// Whether requests for a model count; `None` while that is not known: then only what holds for all does.
    pub(super) fn applies(&self, model: Option<&ModelName>) -> bool {
        match &self.whose {
            Whose::Scope { models, .. } => {
                models.is_empty() || model.is_some_and(|model| models.contains(model))
            }
            Whose::Key | Whose::Budget { .. } => true,
        }
    }

    /// How many permits a request needs before it is known how long its answer is. One that needs more than there ever are
    /// takes all of them.
    pub(super) fn need(&self, quote: &Quote) -> i64 {
        match self.kind {
            LimitKind::Requests | LimitKind::Concurrency => 1,
            LimitKind::Tokens(weights) => quote.tokens(&weights).min(self.ceiling),
        }
    }
}

/// What a request has taken of a limit.
#[derive(Debug)]
pub(super) struct Permit {
    slot: Arc<Slot>,
    kind: LimitKind,
    taken: i64,
    since: Instant,
}

impl Permit {
    pub(super) fn new(bound: &Bound, slot: Arc<Slot>, taken: i64) -> Self {
        Self {
            slot,
            kind: bound.kind,
            taken,
            since: Instant::now(),
        }
    }

    /// The request is not let through after all.
    pub(super) fn hand_back(&self, allowances: &Allowances) {
        self.free(allowances);
    }

    /// The request begins. True if nothing is left to be done when it ends.
    pub(super) fn begin(&self, allowances: &Allowances) -> bool {
        if self.kind != LimitKind::Requests {
            return false;
        }
        let until = self.since + MINUTE;
        allowances.slots.cool(&self.slot, self.taken, self.taken, until);
        true
    }

    /// The request has used so many tokens up to now. Where that is more than what was taken, more is taken.
    pub(super) fn used(&mut self, tokens: &Tokens) {
        if let LimitKind::Tokens(weights) = self.kind {
            let used = count(&weights, tokens);
            if used > self.taken {
                self.slot.state().purse.extend(used - self.taken);
                self.taken = used;
            }
        }
    }

    /// The request has ended, having used these tokens. True if others may be waiting for what is free now.
    pub(super) fn end(&self, allowances: &Allowances, tokens: &Tokens) -> bool {
        match self.kind {
            LimitKind::Tokens(weights) => {
                let until = self.since + MINUTE;
                let used = count(&weights, tokens);
                allowances.slots.cool(&self.slot, self.taken, used, until);
                false
            }
            LimitKind::Requests | LimitKind::Concurrency => self.free(allowances),
        }
    }

    fn free(&self, allowances: &Allowances) -> bool {
        let others_wait = self.slot.settle(self.taken, 0);
        self.slot.changed.notify_waiters();
        allowances.slots.list(&self.slot);
        others_wait
    }
}

fn count(weights: &TokenWeights, tokens: &Tokens) -> i64 {
    i64::try_from(weights.count(tokens)).unwrap_or(i64::MAX)
}

impl Allowances {
    /// Refuses what needs no look at the request: a limit was used up a moment ago, or lets nothing through.
    ///
    /// # Errors
    /// The refusal.
    pub(crate) fn refuse_early(
        &self,
        view: &Arc<ConfigView>,
        caller: &Caller,
        key_rate: Option<u32>,
        now: UnixMs,
    ) -> Result<(), Problem> {
        if key_rate.is_none() && view.limits().is_empty() {
            return Ok(());
        }
        let governed = self.governed(view, caller, key_rate, now);
        for bound in governed.bounds.iter().filter(|bound| bound.applies(None)) {
            if bound.ceiling == 0 {
                return Err(verdict::nothing_allowed(bound));
            }
            if bound.kind == LimitKind::Requests
                && let Some(slot) = bound.account.known(&self.slots)
                && !self.is_cut_off()
                && slot.was_spent_up(1)
            {
                return Err(self.limited(bound, &slot));
            }
        }
        Ok(())
    }

    /// Takes permits if they are there; false if the control plane has to be asked.
    ///
    /// # Errors
    /// The refusal, where it is known that there are none.
    pub(super) fn try_permit(
        &self,
        bound: &Bound,
        slot: &Arc<Slot>,
        need: i64,
        contact: contact::Now,
    ) -> Result<bool, Problem> {
        if bound.ceiling == 0 {
            return Err(verdict::nothing_allowed(bound));
        }
        if contact.may_hold() && slot.try_reserve(need, None) == Try::Reserved {
            return Ok(true);
        }
        if bound.kind.is_rate() && !self.is_cut_off() && slot.was_spent_up(need) {
            return Err(self.limited(bound, slot));
        }
        Ok(false)
    }

    /// Takes permits, waiting for the control plane if need be.
    ///
    /// # Errors
    /// The refusal: there are none.
    pub(super) async fn permit(
        &self,
        bound: &Bound,
        slot: &Arc<Slot>,
        need: i64,
        mut waiting: Waiting<'_>,
    ) -> Result<(), Problem> {
        let is_rate = bound.kind.is_rate();
        let deadline = Instant::now() + if is_rate { ANSWER } else { TURN };
        let asked_at = waiting.since;
        let mut told_to_wait = false;
        loop {
            let mut changed = std::pin::pin!(slot.changed.notified());
            changed.as_mut().enable();
            if self.is_cut_off() || slot.is_unknown() {
                return self.on_our_own(bound, slot, need);
            }
            match slot.try_reserve(need, Some(waiting.since)) {
                Try::Reserved => return Ok(()),
                Try::Refused(_) if is_rate => {
                    slot.note_spent_up(need);
                    return Err(self.limited(bound, slot));
                }
                Try::Refused(_) => {
                    told_to_wait = true;
                    waiting.renew(need);
                }
                Try::Ask => {}
            }
            self.slots.list(slot);
            // Whoever was told to wait asks again with the next beat, and not before.
            if !told_to_wait {
                self.wake.notify_one();
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                return match slot.answers() == asked_at {
                    true => self.on_our_own(bound, slot, need),
                    false => Err(self.limited(bound, slot)),
                };
            }
        }
    }

    /// Takes permits from this data plane's part of the limit, without asking.
    fn on_our_own(&self, bound: &Bound, slot: &Slot, need: i64) -> Result<(), Problem> {
        let holders = i64::from(self.contact.holders());
        let part = bound.ceiling / holders + i64::from(bound.ceiling % holders > 0);
        if slot.try_local(need, part) {
            Ok(())
        } else {
            Err(self.limited(bound, slot))
        }
    }

    /// Whether nobody can be asked for permits.
    fn is_cut_off(&self) -> bool {
        !self.contact.now().may_hold() || self.is_unreachable()
    }

    /// The refusal, with the time to wait.
    fn limited(&self, bound: &Bound, slot: &Slot) -> Problem {
        let wait = match bound.kind {
            // As many as may run at a time: one of them ends soon.
            LimitKind::Concurrency => Duration::from_secs(2),
            // What was let through here is known; elsewhere, about as often as a permit comes back.
            LimitKind::Requests | LimitKind::Tokens(_) => match slot.next_release() {
                Some(at) => at.saturating_duration_since(Instant::now()),
                None => MINUTE / u32::try_from(bound.ceiling.clamp(1, 60)).unwrap_or(1),
            },
        };
        let wait_s = wait.as_millis().div_ceil(1_000).clamp(1, 60);
        verdict::limited(bound, u32::try_from(wait_s).unwrap_or(1))
    }
}

/// The names of models, for people.
pub(super) fn list(models: &[ModelName]) -> String {
    models
        .iter()
        .map(ModelName::as_str)
        .collect::<Vec<_>>()
        .join(", ")
}

/// Whom a limit is about, in words.
pub(super) fn whose(scope: &BudgetScope, team_name: Option<&str>) -> String {
    match (scope, team_name) {
        (BudgetScope::Organisation, _) => "the organisation's".to_owned(),
        (BudgetScope::EachUser | BudgetScope::User(_), _) => "your".to_owned(),
        (BudgetScope::Team(_), Some(name)) => format!("the team {name}'s"),
        (BudgetScope::Team(_), None) => "your team's".to_owned(),
        (BudgetScope::EachMember(_) | BudgetScope::Member(..), Some(name)) => {
            format!("your, in the team {name},")
        }
        (BudgetScope::EachMember(_) | BudgetScope::Member(..), None) => "your, in your team,".to_owned(),
        (BudgetScope::Key(_), _) => "this API key's".to_owned(),
    }
}
