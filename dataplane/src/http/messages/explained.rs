//! What is written down of a request on its way through [`super`].

use super::{Admitted, Plan};
use crate::explain::{self, Arrived, Stage};
use crate::http::Gateway;
use ccag_domain::explanation::{AskedFor, Routed, short};
use ccag_domain::{Explanation, ModelName, Problem};
use http::HeaderMap;

/// What is known of a request when it is understood.
pub(super) fn begun(admitted: &Admitted, plan: &mut Plan, arrived: &Arrived) -> Box<Explanation> {
    let mut explanation = explain::of_caller(arrived, &admitted.view, &admitted.who);
    explanation.route = std::mem::take(&mut plan.chosen_from);
    let named = plan.session_id.is_some();
    explanation.route.affinity = if named { "session" } else { "conversation" }.into();
    explanation.asked = AskedFor {
        said: short(&plan.job.model_said, 100),
        model: plan.model.name.to_string(),
        streaming: plan.streaming,
        input_estimate: plan.size.input,
        max_output: plan.size.max_output,
        lowered_to: None,
    };
    explanation
}

/// Notes why somebody is refused by their headers whose key is one of ours; of others nothing is kept.
pub(super) fn turned_away(gateway: &Gateway, headers: &HeaderMap, arrived: &Arrived, problem: &Problem) {
    let Some(view) = gateway.current.held() else {
        return;
    };
    if let Some((explanation, stage)) = explain::of_headers(arrived, &view, headers, &gateway.tokens) {
        gateway.refusals.note(explanation, stage, problem);
    }
}

/// Notes why a request is refused of which nothing has been planned.
pub(super) fn refused(
    gateway: &Gateway,
    (admitted, arrived): (&Admitted, &Arrived),
    stage: Stage,
    problem: &Problem,
    (model, route): (Option<&ModelName>, Option<&Routed>),
) {
    let mut explanation = explain::of_caller(arrived, &admitted.view, &admitted.who);
    explanation.asked.model = model.map(ToString::to_string).unwrap_or_default();
    explanation.route = route.cloned().unwrap_or_default();
    gateway.refusals.note(explanation, stage, problem);
}

/// Notes why a request is refused by a limit or a budget.
pub(super) fn unaffordable(
    gateway: &Gateway,
    mut explanation: Box<Explanation>,
    plan: &Plan,
    problem: &Problem,
) {
    explain::routed(&mut explanation, &plan.route);
    explain::translated(&mut explanation, &plan.job);
    let limited = explanation.limits.iter().any(|limit| limit.verdict == "refused");
    let stage = if limited { Stage::Limit } else { Stage::Budget };
    gateway.refusals.note(explanation, stage, problem);
}
