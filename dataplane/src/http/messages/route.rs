//! Where a request may go: decided by its team's endpoints and rules, and nothing else.

use crate::bedrock::attempt::Bedrock;
use crate::explain;
use crate::sync::ConfigView;
use ccag_domain::explanation::Routed;
use ccag_domain::routing::{Ask, Candidate, Rules};
use ccag_domain::{Caller, Endpoint, Problem};

/// A route, and how it was chosen.
pub(in crate::http) struct Chosen {
    pub(in crate::http) candidates: Vec<Candidate>,
    pub(in crate::http) told: Routed,
}

/// There is no route.
pub(in crate::http) struct Nowhere {
    pub(in crate::http) problem: Problem,
    pub(in crate::http) told: Box<Routed>,
}

/// The rules for a caller's requests.
pub(in crate::http) fn rules<'v>(view: &'v ConfigView, caller: &Caller, home_region: &'v str) -> Rules<'v> {
    let team = caller.team_id.as_ref().and_then(|id| view.team(id));
    Rules::of(team.map(AsRef::as_ref), &view.settings().routing, home_region)
}

/// The endpoints that a caller may use for a model that their rules allow, in order: never another team's, never one that is
/// disabled or that the rules exclude.
///
/// # Errors
/// What decided that there is none, and what explains it.
pub(in crate::http) fn choose(
    bedrock: &Bedrock,
    view: &ConfigView,
    rules: &Rules<'_>,
    ask: Ask<'_>,
) -> Result<Chosen, Nowhere> {
    let throttled = |endpoint: &Endpoint| bedrock.throttling.lately(&endpoint.id);
    let plan = rules.plan(&ask, view.endpoints(), &throttled);
    let told = explain::planned(rules, &plan);
    match rules.check_plan(&plan, &ask.model.name) {
        Ok(()) => Ok(Chosen {
            candidates: plan.candidates,
            told,
        }),
        Err(problem) => Err(Nowhere {
            problem,
            told: Box::new(told),
        }),
    }
}
