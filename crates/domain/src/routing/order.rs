//! The order of a route's candidates: pure, and the same wherever the same is asked.

use super::{Ask, Candidate, Strategy};
use crate::{Endpoint, EndpointId};
use sha2::{Digest, Sha256};

/// Puts the candidates of a request into the order in which they are tried. `own` is the order of the team's endpoints, and
/// `throttled` says how often an endpoint has throttled lately.
pub(super) fn order(
    strategy: Strategy,
    candidates: &mut [Candidate],
    own: &[EndpointId],
    ask: &Ask<'_>,
    throttled: &dyn Fn(&Endpoint) -> u32,
) {
    match strategy {
        Strategy::Sticky => by_score(candidates, ask.conversation, |e| e.weight),
        Strategy::Weighted => by_score(candidates, ask.request, |e| e.weight),
        // An endpoint of no weight only steps in for others, here too.
        Strategy::RoundRobin => by_score(candidates, ask.request, |e| e.weight.min(1)),
        Strategy::PrimaryFallback => {
            candidates.sort_by_cached_key(|candidate| listed(&candidate.endpoint, own))
        }
        Strategy::LeastThrottled => {
            by_score(candidates, ask.conversation, |e| e.weight);
            // Stable: what is throttled alike stays in the order of the conversation, and what only steps in comes last.
            candidates.sort_by_key(|c| (c.endpoint.weight == 0, throttled(&c.endpoint)));
        }
    }
}

/// Where an endpoint stands in the team's list; default endpoints stand in the order of their names.
pub(super) fn listed(endpoint: &Endpoint, own: &[EndpointId]) -> (usize, String, EndpointId) {
    let place = own.iter().position(|id| *id == endpoint.id).unwrap_or(own.len());
    (place, endpoint.name.to_lowercase(), endpoint.id.clone())
}

/// Weighted rendezvous hashing: what has the same name gets the same order everywhere, and taking an endpoint away moves only
/// what was on it.
fn by_score(candidates: &mut [Candidate], name: &str, weight: impl Fn(&Endpoint) -> u32) {
    if candidates.len() < 2 {
        return;
    }
    let scored = |c: &Candidate| {
        (
            score(&c.endpoint.id, weight(&c.endpoint), name),
            c.endpoint.id.clone(),
        )
    };
    let mut keys: Vec<(f64, EndpointId)> = candidates.iter().map(scored).collect();
    keys.sort_by(|(a, x), (b, y)| b.total_cmp(a).then_with(|| x.cmp(y)));
    let place = |c: &Candidate| keys.iter().position(|(_, id)| *id == c.endpoint.id);
    candidates.sort_by_cached_key(place);
}

/// Weighted rendezvous score: `-weight / ln(u)` with `u` uniform in (0, 1) from a hash of both names.
fn score(endpoint: &EndpointId, weight: u32, name: &str) -> f64 {
    let mut hash = Sha256::new();
    hash.update(name.as_bytes());
    hash.update([0]);
    hash.update(endpoint.as_str().as_bytes());
    let digest = hash.finalize();
    let mut first = [0u8; 8];
    first.copy_from_slice(&digest[..8]);
    // 52 bits fit an f64 exactly; the half keeps the value off 0 and 1.
    #[expect(clippy::cast_precision_loss, reason = "52 bits are exact in an f64")]
    let u = ((u64::from_be_bytes(first) >> 12) as f64 + 0.5) / 4_503_599_627_370_496.0;
    f64::from(weight) / -u.ln()
}

/// Puts the endpoints that are drained behind the others, for a conversation that is not on them yet: it goes there only if
/// nobody else can take it.
pub fn drained_last(route: &mut [Candidate]) {
    route.sort_by_key(|candidate| candidate.endpoint.draining);
}
