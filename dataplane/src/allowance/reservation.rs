//! What is set aside for one request, from before it is asked until its record is made.

use super::permit::Permit;
use super::quote::Quote;
use super::slot::{Running, Slot};
use super::slots::Slots;
use super::{Allowances, Has, Held, Problem, Scope};
use ccag_domain::usage::Draw;
use ccag_domain::{Geography, Lane, NanoUsd, Tokens};
use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::Instant;

/// What is set aside in one account.
#[derive(Debug)]
pub(super) struct Line {
    pub(super) slot: Arc<Slot>,
    pub(super) scope: Scope,
    pub(super) reserved: i64,
    /// Where it stands in what is written down of the request.
    pub(super) note: usize,
}

/// What others see of a reservation while its request runs.
#[derive(Debug)]
struct Flight {
    accounts: Vec<Arc<Slot>>,
    /// What the request has used up to now, as far as can be told.
    exposed: AtomicI64,
    /// What of that it had used as soon as Bedrock had read it.
    prompt: i64,
    began: Instant,
}

impl Flight {
    fn is_of_hard(&self) -> bool {
        self.accounts.iter().any(|slot| slot.is_hard())
    }

    /// What it will have used so much later.
    fn soon(&self, ahead: Duration) -> i64 {
        let used = self.exposed.load(Ordering::Relaxed);
        let ran_ms = i64::try_from(self.began.elapsed().as_millis()).unwrap_or(i64::MAX);
        let ahead_ms = i64::try_from(ahead.as_millis()).unwrap_or(0);
        let answer = used.saturating_sub(self.prompt).max(0);
        // How fast a request is that has hardly begun nobody can tell yet.
        used.saturating_add(answer.saturating_mul(ahead_ms) / ran_ms.max(ahead_ms / 4).max(1))
    }
}

/// What is said of what requests have used is old when it counts: so much later, at least, a data plane may have been killed.
/// What they use until then, at their pace, is taken to be used already.
const AHEAD: Duration = Duration::from_millis(400);

/// The reservations of all requests that run.
#[derive(Debug)]
pub(super) struct Flights {
    running: Mutex<(u64, BTreeMap<u64, Arc<Flight>>)>,
    /// For how long ahead it is said what they will have used, in milliseconds.
    ahead_ms: AtomicU64,
    /// Whether somebody looks again and again at what is used of hard budgets.
    watched: AtomicBool,
    /// Told when a request begins that uses one, and nobody does.
    pub(super) hard_began: Notify,
}

impl Default for Flights {
    fn default() -> Self {
        let flights = Self {
            running: Mutex::default(),
            ahead_ms: AtomicU64::new(0),
            watched: AtomicBool::new(false),
            hard_began: Notify::new(),
        };
        flights.look_ahead(Duration::ZERO);
        flights
    }
}

impl Flights {
    /// From now on it is said what they will have used so much later, or a moment if that is more.
    pub(super) fn look_ahead(&self, ahead: Duration) {
        let ms = u64::try_from(ahead.max(AHEAD).as_millis()).unwrap_or(u64::MAX);
        self.ahead_ms.store(ms, Ordering::Relaxed);
    }

    /// For how long ahead it is said what they will have used.
    pub(super) fn ahead(&self) -> Duration {
        Duration::from_millis(self.ahead_ms.load(Ordering::Relaxed))
    }

    fn enter(&self, flight: Flight) -> (u64, Arc<Flight>) {
        let flight = Arc::new(flight);
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.0 += 1;
        let id = running.0;
        running.1.insert(id, Arc::clone(&flight));
        drop(running);
        if flight.is_of_hard() && !self.watched.load(Ordering::Relaxed) {
            self.hard_began.notify_one();
        }
        (id, flight)
    }

    fn leave(&self, id: u64) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.1.remove(&id);
    }

    /// What the requests that run have used of each account, and will have in a moment, by the addresses of the slots.
    pub(super) fn exposed(&self) -> HashMap<usize, Running> {
        let ahead = self.ahead();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let mut sums: HashMap<usize, Running> = HashMap::new();
        for flight in running.1.values() {
            let (used, soon) = (flight.exposed.load(Ordering::Relaxed), flight.soon(ahead));
            for slot in &flight.accounts {
                let sum = sums.entry(Arc::as_ptr(slot).addr()).or_default();
                sum.used = sum.used.saturating_add(used);
                sum.soon = sum.soon.saturating_add(soon);
            }
        }
        sums
    }

    /// Whether requests run that use hard budgets; if not, it is told when one begins.
    pub(super) fn watch_hard(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        let hard = running.1.values().any(|flight| flight.is_of_hard());
        self.watched.store(hard, Ordering::Relaxed);
        hard
    }

    /// What the requests that run will have used of each hard budget so much later, together with those that begin until
    /// then: as many as began in as much time before.
    pub(super) fn used_of_hard(&self, slots: &Slots, ahead: Duration) -> BTreeMap<String, i64> {
        let hard = slots.all().into_iter().filter(|slot| slot.is_hard());
        let mut used: BTreeMap<String, i64> = hard.map(|slot| (slot.id.to_string(), 0)).collect();
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        for flight in running.1.values() {
            let is_new = flight.began.elapsed() < ahead;
            let others = if is_new { flight.prompt } else { 0 };
            let soon = flight.soon(ahead).saturating_add(others);
            for slot in flight.accounts.iter().filter(|slot| slot.is_hard()) {
                let sum = used.entry(slot.id.to_string()).or_default();
                *sum = sum.saturating_add(soon);
            }
        }
        used
    }
}

/// Set aside for one request. Dropping it frees everything: whoever owes a record settles first.
pub(crate) struct Reservation {
    allowances: Arc<Allowances>,
    quote: Quote,
    lines: Vec<Line>,
    permits: Vec<Permit>,
    flight: Arc<Flight>,
    flight_id: u64,
    /// Whether what was set aside is free again.
    settled: bool,
}

impl Reservation {
    /// Takes over what is held; `None` if there is nothing to settle when the request has ended.
    pub(super) fn new(
        allowances: &Arc<Allowances>,
        quote: Quote,
        mut held: Held<'_>,
        streaming: bool,
    ) -> Option<Self> {
        let lines = std::mem::take(&mut held.lines);
        let mut permits = std::mem::take(&mut held.permits);
        permits.retain(|permit| !permit.begin(allowances));
        if lines.is_empty() && permits.is_empty() {
            return None;
        }
        // A whole answer shows nothing until it is there.
        let exposed = if streaming { quote.prompt } else { quote.most };
        let (flight_id, flight) = allowances.flights.enter(Flight {
            accounts: lines.iter().map(|line| Arc::clone(&line.slot)).collect(),
            exposed: AtomicI64::new(exposed.0),
            prompt: exposed.0,
            began: Instant::now(),
        });
        quote.runs(&allowances.learnt, true);
        lines.iter().for_each(|line| line.slot.begin(exposed.0));
        Some(Self {
            allowances: Arc::clone(allowances),
            quote,
            lines,
            permits,
            flight,
            flight_id,
            settled: false,
        })
    }

    /// The request has used so much up to now. Where that is more than what was set aside, more is set aside.
    pub(crate) fn used(&mut self, by: (Geography, Lane), tokens: &Tokens, searches: u32) {
        let used = self.quote.cost(by, tokens, searches).0;
        self.flight.exposed.store(used, Ordering::Relaxed);
        self.permits.iter_mut().for_each(|permit| permit.used(tokens));
        for line in &mut self.lines {
            if used > line.reserved {
                line.slot.state().purse.extend(used - line.reserved);
                line.reserved = used;
                self.allowances.slots.list(&line.slot);
            }
        }
    }

    /// Sets aside what one more call of the same request may cost, beyond what has been used.
    ///
    /// # Errors
    /// The refusal, where that is not left.
    pub(crate) async fn one_more(&mut self) -> Result<(), Problem> {
        let used = NanoUsd(self.flight.exposed.load(Ordering::Relaxed));
        for line in &mut self.lines {
            let has = Has {
                used,
                reserved: NanoUsd(line.reserved),
            };
            let more = self
                .allowances
                .reserve(&line.slot, &line.scope, &self.quote, has, None)
                .await?;
            line.reserved = line.reserved.saturating_add(more.0);
        }
        Ok(())
    }

    /// The record is made: what was not used is free again. Returns what was drawn from each account.
    pub(crate) fn settle(
        mut self,
        by: (Geography, Lane),
        tokens: &Tokens,
        searches: u32,
        whole: bool,
    ) -> Vec<Draw> {
        let cost = self.quote.cost(by, tokens, searches);
        if whole {
            self.quote.learn(&self.allowances.learnt, by, tokens);
        }
        self.free(cost.0, tokens);
        self.lines
            .iter()
            .map(|line| Draw {
                account: line.slot.id.clone(),
                amount: cost,
            })
            .collect()
    }

    fn free(&mut self, cost: i64, tokens: &Tokens) {
        if std::mem::replace(&mut self.settled, true) {
            return;
        }
        self.allowances.flights.leave(self.flight_id);
        self.quote.runs(&self.allowances.learnt, false);
        let mut others_wait = false;
        let answer = cost.saturating_sub(self.flight.prompt).max(0);
        let is_recent = self.flight.began.elapsed() < self.allowances.flights.ahead();
        for line in &self.lines {
            let answer = if is_recent { answer } else { 0 };
            others_wait |= line.slot.end(line.reserved, cost, answer);
            line.slot.changed.notify_waiters();
            self.allowances.slots.list(&line.slot);
        }
        for permit in &self.permits {
            others_wait |= permit.end(&self.allowances, tokens);
        }
        if others_wait {
            self.allowances.wake.notify_one();
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        self.free(0, &Tokens::default());
    }
}
