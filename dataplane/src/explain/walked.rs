//! What is written down on the way along a route, and at its end.

use crate::bedrock::attempt::Bedrock;
use crate::bedrock::fault::Fault;
use crate::bedrock::job::Job;
use crate::bedrock::quota::{Judged, Verdict};
use ccag_domain::Explanation;
use ccag_domain::explanation::{
    Attempted, CandidateSeen, MAX_ITEMS, MAX_NAME, NotTried, Routed, Translated, Word, short,
};
use ccag_domain::routing::{Candidate, LeftOut, Plan, Rules};
use ccag_translate::error::Retry;
use ccag_translate::noticed::{Dropped, DroppedKind};
use ccag_translate::profile::Reduction;
use std::time::Duration;

/// So many attempts are kept at most before the explanation itself is bounded.
const MAX_ATTEMPTS: usize = 4 * MAX_ITEMS;

/// How the route was chosen, and what stands outside it. Endpoints that are not the caller's are named only of a request that
/// has nowhere to go: of any other they explain nothing.
pub(crate) fn planned(rules: &Rules<'_>, plan: &Plan<'_>) -> Routed {
    let nowhere = plan.candidates.is_empty();
    let told = plan
        .left_out
        .iter()
        .filter(|one| nowhere || one.why.is_of_the_pool());
    let not_tried = |one: &LeftOut<'_>| NotTried {
        endpoint_id: one.endpoint.id.to_string(),
        endpoint: short(&one.endpoint.name, MAX_NAME),
        why: one.why.as_str().into(),
    };
    Routed {
        strategy: rules.strategy().as_str().into(),
        pool: if rules.has_own() { "team" } else { "default" }.into(),
        not_tried: told.map(not_tried).collect(),
        ..Routed::default()
    }
}

/// Where the request may go, in the order in which it will be tried.
pub(crate) fn routed(explanation: &mut Explanation, route: &[Candidate]) {
    let seen = |candidate: &Candidate| CandidateSeen {
        endpoint_id: candidate.endpoint.id.to_string(),
        endpoint: short(&candidate.endpoint.name, MAX_NAME),
        weight: candidate.endpoint.weight,
        geography: candidate.model.geography.as_str().into(),
        in_trouble: false,
        throttled: 0,
        quota: None,
    };
    explanation.route.candidates = route.iter().map(seen).collect();
}

/// The same for a request that is about to go there, with what is known of the endpoints' troubles. A request that asks
/// several times is routed once.
pub(crate) fn looked_at(
    explanation: &mut Explanation,
    route: &[Candidate],
    (moved, judged): (bool, &Judged),
    bedrock: &Bedrock,
) {
    if !explanation.route.candidates.is_empty() {
        return;
    }
    routed(explanation, route);
    explanation.route.moved = moved;
    explanation.route.waited_for_room_ms = judged.waited.map(millis);
    for (seen, candidate) in explanation.route.candidates.iter_mut().zip(route) {
        seen.in_trouble = bedrock.health.is_out(candidate);
        seen.throttled = bedrock.throttling.lately(&candidate.endpoint.id);
        seen.quota = match judged.of(&candidate.endpoint.id) {
            Verdict::Room => None,
            Verdict::NoRoom => Some("no_room".into()),
            Verdict::OverShare(_) => Some("over_share".into()),
        };
    }
}

/// Bedrock is about to be asked.
pub(crate) fn trying(explanation: &mut Explanation, candidate: &Candidate, home_region: &str) {
    if let Some(before) = explanation.attempts.last_mut()
        && before.error.is_none()
    {
        before.then = Some("searched".into());
    }
    if explanation.attempts.len() >= MAX_ATTEMPTS {
        // The first ones and the last one say most.
        explanation.attempts.pop();
    }
    let region = candidate.endpoint.region.as_deref().unwrap_or(home_region);
    explanation.attempts.push(Attempted {
        endpoint_id: candidate.endpoint.id.to_string(),
        endpoint: short(&candidate.endpoint.name, MAX_NAME),
        lane: candidate.lane.as_str().into(),
        bedrock_model: short(&candidate.model.id, 2 * MAX_NAME),
        region: short(region, MAX_NAME),
        geography: candidate.model.geography.as_str().into(),
        // It may have, until the opposite is known.
        reached: true,
        ..Attempted::default()
    });
}

/// It has answered with content.
pub(crate) fn worked(explanation: &mut Explanation, aws_request_id: Option<&str>, took: Duration) {
    let Some(attempt) = explanation.attempts.last_mut() else {
        return;
    };
    attempt.status = Some(200);
    attempt.took_ms = Some(millis(took));
    attempt.aws_request_id = aws_request_id.map(|id| short(id, MAX_NAME));
}

/// It has failed. What is done about it is what the failure calls for: whether there is another endpoint shows later.
pub(crate) fn faulted(explanation: &mut Explanation, fault: &Fault, took: Duration) {
    let Some(attempt) = explanation.attempts.last_mut() else {
        return;
    };
    attempt.status = fault.status;
    attempt.error = Some(short(&fault.error.kind, MAX_NAME));
    attempt.reached = fault.reached;
    attempt.took_ms = Some(millis(took));
    attempt.aws_request_id = fault.aws_request_id.as_deref().map(|id| short(id, MAX_NAME));
    let (then, without): (Option<Word>, _) = match &fault.error.retry {
        Retry::Never => (None, None),
        Retry::NextEndpoint => (Some("next_endpoint".into()), None),
        Retry::OtherOnce => (Some("other_once".into()), None),
        Retry::NotReady => (Some("not_ready".into()), None),
        Retry::SameOnce => (Some("same_once".into()), None),
        Retry::RefreshCredentials => (Some("fresh_credentials".into()), None),
        Retry::OtherHistory => (Some("other_history".into()), None),
        Retry::Reduced(by) => (Some("reduced".into()), Some(said(by))),
    };
    attempt.then = then;
    attempt.without = without;
}

/// What becomes of the request's parts, as it is sent now.
pub(crate) fn translated(explanation: &mut Explanation, job: &Job) {
    let (surface, version, pinned, lessons) = job.rules().told();
    let named = |one: &Dropped| format!("{} {}", one.kind.as_str(), one.name);
    let is_beta = |one: &&Dropped| one.kind == DroppedKind::Beta;
    let kept = MAX_ITEMS;
    explanation.translation = Translated {
        surface: surface.to_owned(),
        version: short(version, MAX_NAME),
        pinned,
        lessons: lessons.iter().take(kept).map(said).collect(),
        betas_sent: job
            .betas
            .iter()
            .take(kept)
            .map(|name| short(name, MAX_NAME))
            .collect(),
        betas_removed: (job.dropped.iter().filter(is_beta).take(kept))
            .map(|one| one.name.clone())
            .collect(),
        dropped: (job.dropped.iter().filter(|one| !is_beta(one)).take(kept))
            .map(named)
            .collect(),
        unknown_passed: job.passed.iter().take(kept).map(named).collect(),
    };
    let more = |list: &'static str, all: usize| {
        let count = u32::try_from(all.saturating_sub(kept)).unwrap_or(u32::MAX);
        (count > 0).then(|| ccag_domain::explanation::LeftOut {
            list: list.into(),
            count,
        })
    };
    let betas = job.dropped.iter().filter(is_beta).count();
    let left_out = [
        more("lessons", lessons.len()),
        more("betas sent", job.betas.len()),
        more("betas removed", betas),
        more("fields dropped", job.dropped.len() - betas),
        more("unknown passed", job.passed.len()),
    ];
    explanation.left_out = left_out.into_iter().flatten().collect();
}

fn said(by: &Reduction) -> String {
    let (kind, value) = by.parts();
    short(&format!("{kind} {value}"), MAX_NAME).trim_end().to_owned()
}

fn millis(took: Duration) -> u64 {
    u64::try_from(took.as_millis()).unwrap_or(u64::MAX)
}
