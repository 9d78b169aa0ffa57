//! What this data plane has learnt about endpoints: which of them to try last for a while.
//!
//! It changes the order of a route, never its members, and is forgotten at a restart: configuration decides where requests
//! may go, this only saves them detours. Of an endpoint as a whole it is known whether it can be reached and takes our
//! credentials, of each of its models whether that is served: one model in trouble does not take the others along.

mod circuit;

pub(crate) use circuit::Standing;

use crate::metrics::Metrics;
use ccag_domain::routing::Candidate;
use ccag_domain::{Clock, EndpointId, Rng, Trouble, UnixMs};
use ccag_translate::error::Health as Finding;
use circuit::{Circuit, is_of_endpoint};
use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;
use tokio::sync::Notify;

/// From this many entries on those that say nothing any more are removed.
const TIDY_ABOVE: usize = 256;

/// An endpoint as a whole, or one Bedrock model of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct Place {
    pub(crate) endpoint: EndpointId,
    pub(crate) model: Option<String>,
}

impl Place {
    fn whole(candidate: &Candidate) -> Self {
        Self {
            endpoint: candidate.endpoint.id.clone(),
            model: None,
        }
    }

    fn model(candidate: &Candidate) -> Self {
        Self {
            endpoint: candidate.endpoint.id.clone(),
            model: Some(candidate.model.id.clone()),
        }
    }
}

/// Who serves a stream that has begun.
pub(crate) struct Served {
    health: Arc<EndpointHealth>,
    place: Place,
}

impl Served {
    pub(crate) fn new(health: &Arc<EndpointHealth>, candidate: &Candidate) -> Self {
        Self {
            health: Arc::clone(health),
            place: Place::model(candidate),
        }
    }

    /// It has come to its end.
    pub(crate) fn whole(&self) {
        self.health.completed(&self.place);
    }

    /// It broke off, for a reason that may say nothing of who served it.
    pub(crate) fn broke(&self, finding: Finding) {
        if let Some(cause) = trouble_of(finding) {
            self.health.broke(&self.place, cause);
        }
    }
}

/// The circuits of all endpoints.
pub(crate) struct EndpointHealth {
    clock: Arc<dyn Clock>,
    rng: Arc<dyn Rng>,
    metrics: Arc<Metrics>,
    circuits: RwLock<HashMap<Place, Circuit>>,
    /// How many circuits there are: on an ordinary day none, and nobody takes the lock.
    entries: AtomicUsize,
    /// Told when a circuit was opened or closed.
    pub(crate) news: Notify,
}

/// Whether a candidate is to be tried now.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Fit {
    Well,
    /// Its time is over: one request may find out.
    MayProbe,
    Out,
}

fn trouble_of(finding: Finding) -> Option<Trouble> {
    Some(match finding {
        Finding::Fine | Finding::CountingUnsupported => return None,
        Finding::Unreachable => Trouble::Unreachable,
        Finding::Unavailable => Trouble::Unavailable,
        Finding::Throttled => Trouble::Throttled,
        Finding::DailyQuota => Trouble::DailyQuota,
        Finding::Credentials => Trouble::Credentials,
        Finding::ModelMissing => Trouble::ModelMissing,
    })
}

impl EndpointHealth {
    pub(crate) fn new(clock: Arc<dyn Clock>, rng: Arc<dyn Rng>, metrics: Arc<Metrics>) -> Self {
        Self {
            clock,
            rng,
            metrics,
            circuits: RwLock::default(),
            entries: AtomicUsize::new(0),
            news: Notify::new(),
        }
    }

    /// Moves candidates that are in trouble behind those that are not; otherwise the order stays. The first one stays where
    /// it is if it is time for somebody to see whether it is well again.
    pub(crate) fn order(&self, route: &mut [Candidate]) {
        if route.len() < 2 || self.is_quiet() {
            return;
        }
        let now = self.clock.now_ms();
        if self.probes(&route[0], now) {
            return;
        }
        let circuits = self.circuits.read().unwrap_or_else(PoisonError::into_inner);
        route.sort_by_key(|candidate| fit(&circuits, candidate, now) != Fit::Well);
    }

    /// Whether a request is to find out how a candidate is; from here on it is the one.
    fn probes(&self, candidate: &Candidate, now: UnixMs) -> bool {
        let is_time = |circuits: &HashMap<Place, Circuit>| fit(circuits, candidate, now) == Fit::MayProbe;
        if !is_time(&self.circuits.read().unwrap_or_else(PoisonError::into_inner)) {
            return false;
        }
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        // Another request may have been faster.
        if !is_time(&circuits) {
            return false;
        }
        for place in [Place::whole(candidate), Place::model(candidate)] {
            if let Some(circuit) = circuits.get_mut(&place)
                && circuit.may_probe(now)
            {
                circuit.probe(now);
            }
        }
        true
    }

    /// Whether a candidate is in trouble.
    pub(crate) fn is_out(&self, candidate: &Candidate) -> bool {
        if self.is_quiet() {
            return false;
        }
        let circuits = self.circuits.read().unwrap_or_else(PoisonError::into_inner);
        fit(&circuits, candidate, self.clock.now_ms()) != Fit::Well
    }

    /// How many throttles in a row a candidate has answered.
    pub(crate) fn throttles(&self, candidate: &Candidate) -> u32 {
        if self.is_quiet() {
            return 0;
        }
        let circuits = self.circuits.read().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.get(&Place::model(candidate));
        circuit.map_or(0, Circuit::throttles_in_a_row)
    }

    /// A candidate has served a request.
    pub(crate) fn succeeded(&self, candidate: &Candidate) {
        self.answered(candidate, true);
    }

    fn answered(&self, candidate: &Candidate, served: bool) {
        if self.is_quiet() {
            return;
        }
        let now = self.clock.now_ms();
        let mut closed = false;
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        for place in [Place::whole(candidate), Place::model(candidate)] {
            let Some(circuit) = circuits.get_mut(&place) else {
                continue;
            };
            closed |= circuit.answered(served);
            if circuit.is_forgettable(now) {
                circuits.remove(&place);
            }
        }
        self.entries.store(circuits.len(), Ordering::Relaxed);
        drop(circuits);
        if closed {
            tracing::info!(
                endpoint = candidate.endpoint.name,
                endpoint_id = %candidate.endpoint.id,
                model = candidate.model.id,
                "an endpoint answers again"
            );
            self.tell();
        }
    }

    /// A candidate has failed, or has refused a request for what was in it.
    pub(crate) fn failed(&self, candidate: &Candidate, finding: Finding) {
        let Some(cause) = trouble_of(finding) else {
            if finding == Finding::Fine {
                self.answered(candidate, false);
            }
            return;
        };
        self.metrics.endpoint_failed(&candidate.endpoint.id, cause);
        let now = self.clock.now_ms();
        let place = match is_of_endpoint(cause) {
            true => Place::whole(candidate),
            false => Place::model(candidate),
        };
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        if circuits.len() > TIDY_ABOVE {
            circuits.retain(|_, circuit| !circuit.is_forgettable(now));
        }
        let circuit = circuits.entry(place).or_default();
        let was_out = circuit.is_out(now);
        let opened = circuit.failed(cause, now, self.stretch_permille());
        self.entries.store(circuits.len(), Ordering::Relaxed);
        drop(circuits);
        if opened {
            if !was_out {
                tracing::warn!(
                    endpoint = candidate.endpoint.name,
                    endpoint_id = %candidate.endpoint.id,
                    model = candidate.model.id,
                    cause = cause.as_str(),
                    "an endpoint is tried last until it answers again"
                );
            }
            self.tell();
        }
    }

    /// A stream has come to its end.
    fn completed(&self, place: &Place) {
        if self.is_quiet() {
            return;
        }
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        if let Some(circuit) = circuits.get_mut(place) {
            circuit.completed();
        }
    }

    /// A stream broke off after it had begun.
    fn broke(&self, place: &Place, cause: Trouble) {
        self.metrics.endpoint_failed(&place.endpoint, cause);
        let now = self.clock.now_ms();
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        let circuit = circuits.entry(place.clone()).or_default();
        let opened = circuit.broke(cause, now, self.stretch_permille());
        self.entries.store(circuits.len(), Ordering::Relaxed);
        drop(circuits);
        if opened {
            tracing::warn!(
                endpoint_id = %place.endpoint,
                model = place.model,
                cause = cause.as_str(),
                "streams break off: an endpoint is tried last until it answers again"
            );
            self.tell();
        }
    }

    /// What is out of order.
    pub(crate) fn standings(&self) -> Vec<(Place, Standing)> {
        if self.is_quiet() {
            return Vec::new();
        }
        let circuits = self.circuits.read().unwrap_or_else(PoisonError::into_inner);
        let mut out: Vec<_> = circuits
            .iter()
            .filter_map(|(place, circuit)| Some((place.clone(), circuit.standing()?)))
            .collect();
        out.sort_by(|(a, _), (b, _)| a.cmp(b));
        out
    }

    /// Forgets endpoints that are no more.
    pub(crate) fn keep(&self, is_known: impl Fn(&EndpointId) -> bool) {
        if self.is_quiet() {
            return;
        }
        let mut circuits = self.circuits.write().unwrap_or_else(PoisonError::into_inner);
        let before = circuits.len();
        circuits.retain(|place, _| is_known(&place.endpoint));
        let is_news = circuits.len() < before;
        self.entries.store(circuits.len(), Ordering::Relaxed);
        drop(circuits);
        if is_news {
            self.tell();
        }
    }

    /// A circuit was opened or closed.
    fn tell(&self) {
        let out = self.standings();
        let out = out
            .iter()
            .map(|(place, standing)| (&place.endpoint, place.model.as_deref(), standing.cause));
        self.metrics.troubles(out);
        self.news.notify_one();
    }

    fn is_quiet(&self) -> bool {
        self.entries.load(Ordering::Relaxed) == 0
    }

    /// How long to wait before an endpoint that was throttled is asked once more: so short that nobody minds, and not at the
    /// same time as everybody else.
    pub(crate) fn moment(&self) -> Duration {
        let mut random = [0; 2];
        self.rng.fill(&mut random);
        Duration::from_millis(300 + u64::from(u16::from_le_bytes(random)) * 900 / u64::from(u16::MAX))
    }

    /// How long to wait before a model that is not ready is asked for the `n`th time again: a quarter of a second, doubling,
    /// more or less.
    pub(crate) fn backoff(&self, n: u32) -> Duration {
        let ms = 250_u64 << n.min(4);
        Duration::from_millis(ms * u64::try_from(self.stretch_permille()).unwrap_or(1_000) / 1_000)
    }

    /// Something between four fifths and six fifths.
    fn stretch_permille(&self) -> i64 {
        let mut random = [0; 2];
        self.rng.fill(&mut random);
        800 + i64::from(u16::from_le_bytes(random)) * 400 / i64::from(u16::MAX)
    }
}

fn fit(circuits: &HashMap<Place, Circuit>, candidate: &Candidate, now: UnixMs) -> Fit {
    let mut fit = Fit::Well;
    for place in [Place::whole(candidate), Place::model(candidate)] {
        let Some(circuit) = circuits.get(&place) else {
            continue;
        };
        if circuit.may_probe(now) {
            fit = Fit::MayProbe;
        } else if circuit.is_out(now) {
            return Fit::Out;
        }
    }
    fit
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bedrock::sample::candidate;
    use ccag_domain::rng::SequenceRng;
    use prometheus_client::registry::Registry;
    use std::sync::atomic::AtomicI64;

    #[derive(Default)]
    struct SetClock(AtomicI64);

    impl Clock for SetClock {
        fn now_ms(&self) -> UnixMs {
            self.0.load(Ordering::Relaxed)
        }
    }

    fn health() -> (EndpointHealth, Arc<SetClock>) {
        let clock = Arc::new(SetClock::default());
        let rng = Arc::new(SequenceRng::new(1));
        let metrics = Arc::new(Metrics::new(&mut Registry::default()));
        (
            EndpointHealth::new(Arc::clone(&clock) as Arc<dyn Clock>, rng, metrics),
            clock,
        )
    }

    fn order_of(health: &EndpointHealth, model: &str) -> String {
        let mut route = [1, 2, 3].map(|n| candidate(n, model));
        health.order(&mut route);
        route.map(|c| c.endpoint.name).concat()
    }

    fn order(health: &EndpointHealth) -> String {
        order_of(health, "m")
    }

    #[test]
    fn an_endpoint_in_trouble_is_tried_last_until_it_answers() {
        let (health, _) = health();
        let first = candidate(1, "m");
        for _ in 0..2 {
            health.failed(&first, Finding::Unavailable);
            assert_eq!(order(&health), "123");
        }
        health.failed(&first, Finding::Unavailable);
        assert_eq!(order(&health), "231");
        health.failed(&candidate(2, "m"), Finding::Fine);
        assert_eq!(order(&health), "231");
        assert_eq!(health.standings()[0].1.cause, Trouble::Unavailable);
        health.succeeded(&first);
        assert_eq!(order(&health), "123");
        assert!(health.standings().is_empty());
    }

    #[test]
    fn one_model_in_trouble_leaves_the_others_where_they_are_and_bad_credentials_do_not() {
        let (health, _) = health();
        health.failed(&candidate(1, "m"), Finding::DailyQuota);
        assert_eq!(order(&health), "231");
        assert_eq!(order_of(&health, "n"), "123");
        health.failed(&candidate(1, "m"), Finding::Credentials);
        assert_eq!(order_of(&health, "n"), "231");
        health.keep(|id| id.as_str() != "end_1");
        assert_eq!(order(&health), "123");
    }

    #[test]
    fn one_request_finds_out_whether_an_endpoint_is_well_again() {
        let (health, clock) = health();
        let first = candidate(1, "m");
        health.failed(&first, Finding::Unreachable);
        assert_eq!(order(&health), "231");
        clock.0.store(6_100, Ordering::Relaxed);
        assert_eq!(order(&health), "123");
        assert_eq!(order(&health), "231", "one is enough");
        health.failed(&first, Finding::Unreachable);
        clock.0.store(12_000, Ordering::Relaxed);
        assert_eq!(order(&health), "231");
        clock.0.store(20_000, Ordering::Relaxed);
        assert_eq!(order(&health), "123");
        health.succeeded(&first);
        assert_eq!(order(&health), "123");
        assert_eq!(order(&health), "123");
    }

    #[test]
    fn throttles_in_a_row_are_counted_until_one_goes_through() {
        let (health, _) = health();
        let first = candidate(1, "m");
        for n in 0..40 {
            assert_eq!(health.throttles(&first), n);
            health.failed(&first, Finding::Throttled);
        }
        assert_eq!(health.throttles(&candidate(2, "m")), 0);
        health.succeeded(&first);
        assert_eq!(health.throttles(&first), 0);
    }
}
