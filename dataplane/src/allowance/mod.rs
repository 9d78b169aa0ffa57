//! Allowances: what a request may cost is set aside before it is asked, from shares that the control plane grants.
//!
//! [`Allowances::admit`] finds the budgets that bound a caller's spending and makes a [`Reservation`], which the request's
//! ticket carries until its record is made. What is there is taken at once, under a lock of its own for each account; only
//! where it does not suffice does a request wait for the control plane. The [`Leaser`] asks on behalf of all of them, gives
//! back what lies idle, and says what is held. See [`ccag_allowance`] for the arithmetic and `docs/budgets.md` for what
//! holds.

mod contact;
mod cooling;
mod gaps;
mod governed;
mod leaser;
mod logbook;
mod note;
mod notice;
mod permit;
mod quote;
mod reservation;
mod slot;
mod slots;
mod standing;
mod verdict;

pub(crate) use leaser::Leaser;
pub(crate) use logbook::Logbook;
pub(crate) use notice::Notice;
pub(crate) use quote::{Quote, Size};
pub(crate) use reservation::Reservation;

use crate::sync::ConfigView;
use ccag_allowance::Refusal;
use ccag_domain::routing::Candidate;
use ccag_domain::{
    Budget, BudgetAction, Caller, Clock, Code, Explanation, Model, NanoUsd, Posture, Problem, UnixMs,
};
use contact::Contact;
use governed::Callers;
use permit::{Bound, Permit};
use prometheus_client::metrics::counter::Counter;
use quote::Learnt;
use reservation::{Flights, Line};
use slot::{Slot, Try};
use slots::Slots;
use std::ops::Deref;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// How long a request waits for a share, if others hold what it needs.
const PATIENCE: Duration = Duration::from_millis(1_500);

/// After so long without an answer the control plane counts as unreachable: nobody waits for it any more.
const UNREACHABLE: Duration = Duration::from_secs(2);

/// How long what was granted may be used of a hard budget without hearing from the control plane.
const HARD_LEASE: Duration = Duration::from_secs(5);

/// All budgets and limits, as far as they concern this data plane.
#[derive(Debug)]
pub(crate) struct Allowances {
    slots: Slots,
    callers: Callers,
    flights: Flights,
    learnt: Learnt,
    /// Told when something is to be asked for at once.
    wake: Notify,
    contact: Contact,
    /// How often a request had to wait.
    waits: Counter,
}

/// A budget in the period that is, and whose it is.
#[derive(Debug)]
struct Current {
    budget: Arc<Budget>,
    team_name: Option<Arc<str>>,
    /// When it begins anew.
    resets_at: UnixMs,
    /// The same, for people.
    resets: String,
    /// What was last told of it.
    written: notice::Written,
}

/// The same, as one request sees it.
#[derive(Debug, Clone)]
struct Scope {
    current: Arc<Current>,
    now: UnixMs,
}

impl Deref for Scope {
    type Target = Current;

    fn deref(&self) -> &Current {
        &self.current
    }
}

/// What is asked for.
pub(crate) struct Asked<'a> {
    pub(crate) model: &'a Model,
    pub(crate) route: &'a [Candidate],
    pub(crate) size: Size,
    pub(crate) streaming: bool,
    /// How many requests the key may send in a minute, if that is limited.
    pub(crate) key_rate: Option<u32>,
}

/// A request may go ahead.
#[derive(Default)]
pub(crate) struct Admitted {
    /// What was set aside for it, where there is something to settle.
    pub(crate) reservation: Option<Reservation>,
    /// What the client is told of its budget.
    pub(crate) notice: Option<Notice>,
}

/// A request may not go ahead.
pub(crate) struct Refused {
    pub(crate) problem: Problem,
    /// With so many output tokens at most it may, and the budget wants it to.
    pub(crate) fits: Option<u64>,
}

impl From<Problem> for Refused {
    fn from(problem: Problem) -> Self {
        Self { problem, fits: None }
    }
}

/// What was set aside so far; freed again unless all of it is.
struct Held<'a> {
    allowances: &'a Allowances,
    lines: Vec<Line>,
    permits: Vec<Permit>,
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        for line in &self.lines {
            line.slot.settle(line.reserved, 0);
            line.slot.changed.notify_waiters();
            self.allowances.slots.list(&line.slot);
        }
        for permit in &self.permits {
            permit.hand_back(self.allowances);
        }
    }
}

impl Allowances {
    /// `waits` counts how often a request had to wait.
    pub(crate) fn new(waits: Counter) -> Self {
        Self {
            waits,
            slots: Slots::default(),
            callers: Callers::default(),
            flights: Flights::default(),
            learnt: Learnt::default(),
            wake: Notify::new(),
            contact: Contact::default(),
        }
    }

    /// Whether a request may go ahead, and with what set aside for it. `told` learns what each budget and limit says.
    ///
    /// # Errors
    /// The refusal: a budget is used up or restricted, a limit is reached, all of it is tied up at the moment, or the
    /// control plane cannot be asked.
    pub(crate) async fn admit(
        self: &Arc<Self>,
        view: &Arc<ConfigView>,
        caller: &Caller,
        asked: Asked<'_>,
        clock: &dyn Clock,
        told: &mut Explanation,
    ) -> Result<Admitted, Refused> {
        told.budgets.clear();
        told.limits.clear();
        let now = clock.now_ms();
        let governed = self.governed(view, caller, asked.key_rate, now);
        let budgets = &governed.budgets;
        let applies = |bound: &&Arc<Bound>| bound.applies(Some(&asked.model.name));
        let mut bounds: Vec<_> = governed.bounds.iter().filter(applies).cloned().collect();
        if budgets.is_empty() && bounds.is_empty() {
            return Ok(Admitted::default());
        }
        let search = view.settings().web_search.price;
        let quote = Quote::new(
            (view.prices(), search),
            asked.model,
            asked.route,
            asked.size,
            &self.learnt,
        );
        let Some(quote) = quote else {
            return Err(Problem::new(Code::Internal, "the request could not be priced").into());
        };
        let mut lines = Vec::with_capacity(budgets.len());
        let mut counted = Vec::new();
        for governing in budgets {
            let slot = Arc::clone(governing.account.slot(&self.slots));
            let scope = governing.at(now);
            let ceiling = scope.budget.ceiling_at(now);
            slot.set_hard(scope.budget.mode.is_hard());
            slot.bound_by(ceiling.map_or(i64::MAX, |ceiling| ceiling.0));
            let note = told.budgets.len();
            let spent = slot.spent();
            told.budgets.push(note::asked(&scope, spent));
            bounds.extend(throttle(&scope, spent, asked.model, caller)?.map(Arc::new));
            if ceiling.is_some() {
                lines.push(Line {
                    slot,
                    scope,
                    reserved: 0,
                    note,
                });
            } else {
                note::counted(told.budgets.last_mut());
                self.slots.list(&slot);
                counted.push(Notice::new(&slot, &scope));
            }
        }
        let held = self.set_aside(bounds, lines, (&quote, asked.route), told).await?;
        let notices = held.lines.iter().map(|line| Notice::new(&line.slot, &line.scope));
        let notice = counted.into_iter().chain(notices).reduce(|furthest, other| {
            match other.percent_tenths() > furthest.percent_tenths() {
                true => other,
                false => furthest,
            }
        });
        let reservation = Reservation::new(self, quote, held, asked.streaming);
        Ok(Admitted { reservation, notice })
    }

    /// Sets aside what a request needs in all of its accounts, or in none. What is not there is asked for all at once.
    async fn set_aside(
        &self,
        bounds: Vec<Arc<Bound>>,
        lines: Vec<Line>,
        (quote, route): (&Quote, &[Candidate]),
        told: &mut Explanation,
    ) -> Result<Held<'_>, Refused> {
        let mut held = Held {
            allowances: self,
            lines: Vec::with_capacity(lines.len()),
            permits: Vec::with_capacity(bounds.len()),
        };
        let contact = self.contact.now();
        let mut missing_permits = Vec::new();
        for bound in bounds {
            let need = bound.need(quote);
            let slot = Arc::clone(bound.account.slot(&self.slots));
            slot.bound_by(bound.ceiling);
            let note = told.limits.len();
            told.limits.push(note::limit(&bound, need));
            match self.try_permit(&bound, &slot, need, contact)? {
                true => {
                    note::let_through(told.limits.last_mut());
                    held.permits.push(Permit::new(&bound, slot, need));
                }
                false => missing_permits.push((bound, slot, need, note)),
            }
        }
        let mut missing_lines = Vec::new();
        for mut line in lines {
            let budget = &line.scope.budget;
            let may_use = contact.may_use_granted(budget);
            let (need, tried) = line
                .slot
                .try_first(may_use, |scarce| quote.need(budget.mode, scarce).0);
            let need = NanoUsd(need);
            if tried == Try::Reserved {
                line.reserved = need.0;
                note::passed(told.budgets.get_mut(line.note), &line, quote);
                self.slots.list(&line.slot);
                held.lines.push(line);
            } else {
                missing_lines.push((line, need));
            }
        }
        if missing_permits.is_empty() && missing_lines.is_empty() {
            return Ok(held);
        }
        // Everybody is in line before the first answer is waited for: one question is enough.
        let permits: Vec<_> = missing_permits
            .iter()
            .map(|(_, slot, need, _)| self.line_up(slot, *need))
            .collect();
        let money: Vec<_> = missing_lines
            .iter()
            .map(|(line, need)| self.line_up(&line.slot, need.0))
            .collect();
        for ((bound, slot, need, note), waiting) in missing_permits.iter().zip(permits) {
            self.permit(bound, slot, *need, waiting).await?;
            note::let_through(told.limits.get_mut(*note));
            held.permits.push(Permit::new(bound, Arc::clone(slot), *need));
        }
        for ((line, _), waiting) in missing_lines.iter().zip(money) {
            let (slot, scope) = (&line.slot, &line.scope);
            let reserved = self
                .reserve(slot, scope, quote, Has::default(), Some(waiting))
                .await
                .inspect_err(|_| note::refused(told.budgets.get_mut(line.note), line, quote))
                .map_err(|problem| verdict::with_advice(problem, slot, scope, quote, route))?;
            self.slots.list(slot);
            let line = Line {
                slot: Arc::clone(slot),
                scope: scope.clone(),
                reserved: reserved.0,
                note: line.note,
            };
            note::passed(told.budgets.get_mut(line.note), &line, quote);
            note::heard(told.budgets.get_mut(line.note), &line.slot);
            held.lines.push(line);
        }
        Ok(held)
    }

    /// A request waits for something that has to be asked for.
    fn line_up<'a>(&self, slot: &'a Arc<Slot>, need: i64) -> Waiting<'a> {
        self.waits.inc();
        let waiting = Waiting {
            slot,
            need,
            since: slot.wait(need),
        };
        self.slots.list(slot);
        self.wake.notify_one();
        waiting
    }

    /// Sets aside what a request may cost beyond what it `has` already, waiting for the control plane if need be. Returns how
    /// much that was.
    async fn reserve(
        &self,
        slot: &Arc<Slot>,
        scope: &Scope,
        quote: &Quote,
        has: Has,
        waiting: Option<Waiting<'_>>,
    ) -> Result<NanoUsd, Problem> {
        let mode = scope.budget.mode;
        let missing = |scarce| has.missing(quote.need(mode, scarce)).0;
        let need = || NanoUsd(missing(slot.is_scarce()));
        let may_use = waiting.is_none() && self.contact.now().may_use_granted(&scope.budget);
        let (first, tried) = slot.try_first(may_use, missing);
        let first = NanoUsd(first);
        if tried == Try::Reserved {
            return Ok(first);
        }
        let deadline = Instant::now() + PATIENCE;
        let mut waiting = waiting.unwrap_or_else(|| self.line_up(slot, first.0));
        let mut told_to_wait = false;
        loop {
            let mut changed = std::pin::pin!(slot.changed.notified());
            changed.as_mut().enable();
            let may_use = self.contact.now().may_use_granted(&scope.budget);
            let need = need();
            if need.0 != waiting.need {
                // Little is left by now, or there is plenty again.
                waiting.renew(need.0);
            }
            if may_use {
                match slot.try_reserve(need.0, Some(waiting.since)) {
                    Try::Reserved => return Ok(need),
                    Try::Refused(Refusal::Exhausted) => {
                        return Err(verdict::exhausted(slot, scope, need, quote));
                    }
                    Try::Refused(Refusal::Busy) => {
                        told_to_wait = true;
                        waiting.renew(need.0);
                    }
                    Try::Ask => {}
                }
            }
            if !may_use || self.is_unreachable() {
                return self.without_control(slot, scope, need).map(|()| need);
            }
            self.slots.list(slot);
            // Whoever was told to wait asks again with the next beat, and not before.
            if !told_to_wait {
                self.wake.notify_one();
            }
            if tokio::time::timeout_at(deadline, changed).await.is_err() {
                if self.contact.now().silence.is_none() {
                    // Nobody has been there to ask.
                    return self.without_control(slot, scope, need).map(|()| need);
                }
                return Err(verdict::busy(scope));
            }
        }
    }

    fn is_unreachable(&self) -> bool {
        match self.contact.now().silence {
            Some(silence) => silence > UNREACHABLE,
            // A data plane that started without its control plane.
            None => self.contact.is_missed(),
        }
    }

    /// What the budget says to do while the control plane cannot be asked.
    fn without_control(&self, slot: &Slot, scope: &Scope, need: NanoUsd) -> Result<(), Problem> {
        match scope.budget.posture {
            Posture::Grace(grace) if slot.try_grace(need.0, grace.0) => Ok(()),
            Posture::Grace(_) | Posture::Granted | Posture::Refuse => Err(verdict::unreachable(scope)),
        }
    }
}

/// What holds from the share on that is spent already: the rate to which requests are slowed down, if any.
///
/// # Errors
/// The refusal, where the model is not served any more.
fn throttle(scope: &Scope, spent: NanoUsd, model: &Model, caller: &Caller) -> Result<Option<Bound>, Problem> {
    let mut slowest: Option<u32> = None;
    for rule in scope.budget.reached(spent, scope.now) {
        match &rule.action {
            BudgetAction::Restrict { models } if !models.contains(&model.name) => {
                return Err(verdict::restricted(scope, spent, rule.at_percent, models));
            }
            BudgetAction::Throttle { requests_per_minute } => {
                slowest = Some(slowest.map_or(*requests_per_minute, |rpm| rpm.min(*requests_per_minute)));
            }
            BudgetAction::Notify | BudgetAction::Restrict { .. } | BudgetAction::Block => {}
        }
    }
    Ok(slowest.and_then(|rate| permit::throttled(scope, spent, rate, caller)))
}

/// What a request has already when more is set aside for it.
#[derive(Debug, Clone, Copy, Default)]
struct Has {
    used: NanoUsd,
    reserved: NanoUsd,
}

impl Has {
    /// What is missing for another call that needs so much.
    fn missing(self, need: NanoUsd) -> NanoUsd {
        NanoUsd((self.used + need - self.reserved).0.max(0))
    }
}

/// A request that waits is counted among those who do; wherever it goes, it is not left there.
struct Waiting<'a> {
    slot: &'a Slot,
    need: i64,
    since: u64,
}

impl Waiting<'_> {
    /// From now on it waits for so much, and only what is said later counts.
    fn renew(&mut self, need: i64) {
        self.slot.leave(self.need);
        self.need = need;
        self.since = self.slot.wait(need);
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.slot.leave(self.need);
    }
}
