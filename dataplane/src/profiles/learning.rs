//! What Bedrock's refusals have taught, and what was left out or is unknown.
//!
//! A lesson counts at once for conversations that begin on this data plane, is reported to the control plane, and comes
//! back as pushed configuration to all of them.

use crate::metrics::Metrics;
use ccag_domain::routing::Candidate;
use ccag_domain::{Clock, LearntFact};
use ccag_proto::v1;
use ccag_translate::noticed::Dropped;
use ccag_translate::profile::Reduction;
use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use tokio::sync::Notify;

/// So many lessons are held at most before they are reported.
const MAX_PENDING: usize = 500;

/// So many different names are counted between two reports.
const MAX_SEEN: usize = 200;

/// What an endpoint, a model and a version of the rules have taught, in the order of learning.
#[derive(Debug, Clone, Default)]
pub(crate) struct Lessons {
    by_id: BTreeMap<String, Arc<LearntFact>>,
    by_place: HashMap<Place, Vec<Reduction>>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Place {
    endpoint: String,
    model: String,
    surface: String,
    version: String,
}

impl Place {
    fn of(fact: &LearntFact) -> Self {
        Self {
            endpoint: fact.endpoint_id.to_string(),
            model: fact.bedrock_model.clone(),
            surface: fact.surface.clone(),
            version: fact.version.clone(),
        }
    }
}

impl Lessons {
    /// Adds a lesson, or replaces it.
    pub(crate) fn put(&mut self, fact: LearntFact) {
        self.by_id.insert(fact.id(), Arc::new(fact));
        self.index();
    }

    /// Forgets a lesson.
    pub(crate) fn remove(&mut self, id: &str) {
        self.by_id.remove(id);
        self.index();
    }

    /// All lessons.
    pub(crate) fn facts(&self) -> impl Iterator<Item = &Arc<LearntFact>> {
        self.by_id.values()
    }

    fn has(&self, id: &str) -> bool {
        self.by_id.contains_key(id)
    }

    /// Lessons are few and rarely change.
    fn index(&mut self) {
        let mut in_order: Vec<&Arc<LearntFact>> = self.by_id.values().collect();
        in_order.sort_by_cached_key(|fact| (fact.learnt_at_ms, fact.id()));
        let mut by_place: HashMap<Place, Vec<Reduction>> = HashMap::new();
        for fact in in_order {
            if let Some(reduction) = Reduction::parse(&fact.kind, &fact.value) {
                by_place.entry(Place::of(fact)).or_default().push(reduction);
            }
        }
        self.by_place = by_place;
    }

    fn at(&self, candidate: &Candidate, surface: &str, version: &str) -> &[Reduction] {
        if self.by_place.is_empty() {
            return &[];
        }
        let place = Place {
            endpoint: candidate.endpoint.id.to_string(),
            model: candidate.model.id.clone(),
            surface: surface.to_owned(),
            version: version.to_owned(),
        };
        self.by_place.get(&place).map_or(&[], Vec::as_slice)
    }
}

/// Kind and name of something that was left out or is unknown.
type Feature = (&'static str, String);

/// Whether the rules know it, and how often it came.
type Seen = (bool, u64);

/// What this data plane has learnt and not yet got back.
pub(crate) struct Learning {
    clock: Arc<dyn Clock>,
    own: RwLock<Lessons>,
    seen: Mutex<HashMap<Feature, Seen>>,
    news: Notify,
}

impl Learning {
    pub(crate) fn new(clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            own: RwLock::default(),
            seen: Mutex::default(),
            news: Notify::new(),
        }
    }

    /// What a conversation that begins at `candidate` has to do without.
    pub(crate) fn lessons(
        &self,
        pushed: &Lessons,
        candidate: &Candidate,
        surface: &str,
        version: &str,
    ) -> Vec<Reduction> {
        let mut all = pushed.at(candidate, surface, version).to_vec();
        let own = self.own.read().unwrap_or_else(PoisonError::into_inner);
        for reduction in own.at(candidate, surface, version) {
            if !all.contains(reduction) {
                all.push(reduction.clone());
            }
        }
        all
    }

    /// `candidate` has refused a request and taken it without `reduction`.
    pub(crate) fn learn(&self, candidate: &Candidate, surface: &str, version: &str, reduction: &Reduction) {
        if !reduction.is_lesson() {
            return;
        }
        let shortened = |text: &str| {
            let end = text.floor_char_boundary(LearntFact::MAX_TEXT.min(text.len()));
            text[..end].to_owned()
        };
        let (kind, value) = reduction.parts();
        let fact = LearntFact {
            endpoint_id: candidate.endpoint.id.clone(),
            bedrock_model: shortened(&candidate.model.id),
            surface: surface.to_owned(),
            version: version.to_owned(),
            kind: kind.to_owned(),
            value: shortened(&value),
            learnt_at_ms: self.clock.now_ms(),
        };
        tracing::warn!(
            endpoint = candidate.endpoint.name,
            model = candidate.model.id,
            surface,
            version,
            kind,
            value = fact.value,
            "Bedrock refused a part of a request; new conversations do without it"
        );
        let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
        if own.by_id.len() < MAX_PENDING && !own.has(&fact.id()) {
            own.put(fact);
            self.news.notify_one();
        }
    }

    /// Counts what of a request or of an answer was left out, and what passed that no rule names.
    pub(crate) fn noticed(&self, metrics: &Metrics, dropped: &[Dropped], passed: &[Dropped]) {
        for one in dropped {
            metrics.dropped(one.kind.as_str(), &one.name);
            self.saw(one.kind.as_str(), &one.name, one.known);
        }
        for one in passed {
            metrics.passed(one.kind.as_str(), &one.name);
            self.saw(one.kind.as_str(), &one.name, false);
        }
    }

    fn saw(&self, kind: &'static str, name: &str, known: bool) {
        let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        let full = seen.len() >= MAX_SEEN;
        match seen.get_mut(&(kind, name.to_owned())) {
            Some((was_known, count)) => {
                // The latest rules have the say.
                *was_known = known;
                *count += 1;
            }
            None if full => {}
            None => {
                seen.insert((kind, name.to_owned()), (known, 1));
            }
        }
    }

    /// Waits for a lesson.
    pub(crate) async fn news(&self) {
        self.news.notified().await;
    }

    /// What there is to report. Lessons stay until they are pushed; counts are handed out once.
    pub(crate) fn report(&self, pushed: Option<&Lessons>) -> Option<v1::Findings> {
        let learnt = {
            let mut own = self.own.write().unwrap_or_else(PoisonError::into_inner);
            let back: HashSet<String> = match pushed {
                Some(pushed) => own.by_id.keys().filter(|id| pushed.has(id)).cloned().collect(),
                None => HashSet::new(),
            };
            if !back.is_empty() {
                own.by_id.retain(|id, _| !back.contains(id));
                own.index();
            }
            own.facts()
                .map(|fact| fact.as_ref().clone().into())
                .collect::<Vec<_>>()
        };
        let seen = std::mem::take(&mut *self.seen.lock().unwrap_or_else(PoisonError::into_inner));
        let seen: Vec<_> = seen
            .into_iter()
            .map(|((kind, name), (known, count))| v1::SeenFeature {
                kind: kind.to_owned(),
                name,
                known,
                count,
            })
            .collect();
        (!learnt.is_empty() || !seen.is_empty()).then_some(v1::Findings {
            learnt,
            seen,
            moved: Vec::new(),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::FixedClock;

    fn candidate(n: u32) -> Candidate {
        crate::bedrock::sample::candidate(n, "m")
    }

    #[test]
    fn a_lesson_counts_at_its_own_endpoint_under_its_own_rules() {
        let learning = Learning::new(Arc::new(FixedClock(1)));
        let beta = Reduction::Beta("x".into());
        learning.learn(&candidate(1), "s", "1", &beta);
        learning.learn(&candidate(1), "s", "1", &beta);
        learning.learn(&candidate(1), "s", "1", &Reduction::ThinkingHistory);
        let pushed = Lessons::default();
        assert_eq!(learning.lessons(&pushed, &candidate(1), "s", "1"), [beta]);
        assert!(learning.lessons(&pushed, &candidate(2), "s", "1").is_empty());
        assert!(learning.lessons(&pushed, &candidate(1), "s", "2").is_empty());
    }

    #[test]
    fn a_lesson_is_reported_until_it_comes_back() {
        let learning = Learning::new(Arc::new(FixedClock(1)));
        learning.learn(&candidate(1), "s", "1", &Reduction::MinimalBetas);
        learning.saw("beta", "novelty", false);
        learning.saw("beta", "novelty", false);
        let mut pushed = Lessons::default();
        let first = learning.report(Some(&pushed)).unwrap();
        assert_eq!((first.learnt.len(), first.seen[0].count), (1, 2));
        let again = learning.report(Some(&pushed)).unwrap();
        assert_eq!((again.learnt.len(), again.seen.len()), (1, 0));
        pushed.put(first.learnt[0].clone().try_into().unwrap());
        assert!(learning.report(Some(&pushed)).is_none());
        assert_eq!(
            learning.lessons(&pushed, &candidate(1), "s", "1"),
            [Reduction::MinimalBetas]
        );
        pushed.remove(&first.learnt[0].id);
        assert!(learning.lessons(&pushed, &candidate(1), "s", "1").is_empty());
    }
}
