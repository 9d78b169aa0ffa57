//! How requests are refused that budgets or limits do not allow.

use super::permit::{self, Bound, whose};
use super::quote::Quote;
use super::slot::Slot;
use super::{Refused, Scope};
use ccag_domain::routing::Candidate;
use ccag_domain::{BudgetMode, BudgetScope, Code, LimitKind, ModelName, NanoUsd, Period, Problem};
use std::sync::Arc;

/// The budget in the words of the caller: "your team's monthly budget of $10.00".
fn named(scope: &Scope) -> String {
    let budget = &scope.budget;
    let whose = whose(&budget.scope, scope.team_name.as_deref());
    let period = match budget.period {
        Period::Daily => "daily ",
        Period::Weekly => "weekly ",
        Period::Monthly => "monthly ",
        Period::Total => "",
    };
    let amount = budget.amount_at(scope.now).to_usd_string(2);
    format!("{whose} {period}budget of ${amount}")
}

/// When it begins anew.
fn resets(scope: &Scope) -> String {
    match scope.budget.period {
        Period::Total => "It does not reset by itself.".to_owned(),
        _ => format!("It resets at {}.", scope.resets),
    }
}

fn capitalized(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => first.to_uppercase().chain(chars).collect(),
        None => String::new(),
    }
}

/// The budget is used up.
pub(super) fn exhausted(slot: &Slot, scope: &Scope, need: NanoUsd, quote: &Quote) -> Problem {
    let (spent, left) = standing(slot, scope);
    let (name, resets) = (capitalized(&named(scope)), resets(scope));
    let spent = spent.to_usd_string(2);
    let text = if left.0 <= 0 {
        format!("{name} is used up: ${spent} are spent. {resets} An administrator can raise it.")
    } else {
        let left = left.to_usd_string(4);
        let could = match scope.budget.mode {
            BudgetMode::Hard | BudgetMode::Fitting => {
                format!("could cost up to ${}", quote.most.to_usd_string(4))
            }
            BudgetMode::Balanced => format!("is likely to cost ${}", need.to_usd_string(4)),
        };
        format!(
            "{name} does not suffice: ${left} are left, and this request {could}. {resets} An administrator can raise it."
        )
    };
    Problem::new(Code::BudgetExceeded, text).should_retry(false)
}

/// Where a lower `max_tokens` would make the request fit, that is said as well, or done.
pub(super) fn with_advice(
    problem: Problem,
    slot: &Slot,
    scope: &Scope,
    quote: &Quote,
    route: &[Candidate],
) -> Refused {
    let mut refused = Refused::from(problem);
    let (_, left) = standing(slot, scope);
    if refused.problem.code == Code::BudgetExceeded
        && scope.budget.mode.is_hard()
        && let Some(tokens) = quote.affordable_output(left, route)
    {
        refused.problem.message.push_str(&format!(
            " With max_tokens of at most {tokens} it would fit; in Claude Code set CLAUDE_CODE_MAX_OUTPUT_TOKENS."
        ));
        refused.fits = Some(tokens).filter(|_| scope.budget.mode == BudgetMode::Fitting);
    }
    refused
}

fn standing(slot: &Slot, scope: &Scope) -> (NanoUsd, NanoUsd) {
    let ceiling = scope.budget.ceiling_at(scope.now).unwrap_or_default();
    let state = slot.state();
    (NanoUsd(state.spent), NanoUsd(state.ceiling_left(ceiling.0)))
}

/// There is some left, and all of it is set aside for requests that run.
pub(super) fn busy(scope: &Scope) -> Problem {
    let text = format!(
        "what is left of {} is set aside for requests that run at the moment; try again in a second",
        named(scope)
    );
    Problem::new(Code::RateLimited, text).retry_after(1)
}

/// The control plane cannot be asked, and what it had granted is used up.
pub(super) fn unreachable(scope: &Scope) -> Problem {
    let text = format!(
        "{} cannot be checked at the moment, and nothing is served past it; try again in a while \
         (administrators: this data plane cannot reach its control plane)",
        named(scope)
    );
    Problem::new(Code::Overloaded, text).retry_after(10)
}

/// From a share of the budget on only some models are served.
pub(super) fn restricted(scope: &Scope, spent: NanoUsd, at_percent: u32, models: &[ModelName]) -> Problem {
    let models: Vec<_> = models.iter().map(ModelName::as_str).collect();
    let text = format!(
        "of {} ${} are spent; from {at_percent} % on only these models are served: {}. {}",
        named(scope),
        spent.to_usd_string(2),
        models.join(", "),
        resets(scope)
    );
    Problem::new(Code::BudgetExceeded, capitalized(&text)).should_retry(false)
}

/// Where a limit comes from.
#[derive(Debug, Clone)]
pub(super) enum Whose {
    /// The key's own rate.
    Key,
    /// A limit that an admin has set.
    Scope {
        scope: BudgetScope,
        team_name: Option<Arc<str>>,
        models: Vec<ModelName>,
    },
    /// A budget that slows down.
    Budget { scope: Scope, spent: NanoUsd },
}

/// "5 requests per minute".
fn amount(bound: &Bound) -> String {
    let what = match bound.kind {
        LimitKind::Requests => "requests per minute",
        LimitKind::Tokens(_) => "tokens per minute",
        LimitKind::Concurrency => "requests at a time",
    };
    format!("{} {what}", bound.ceiling)
}

/// "the team Platform's limit of 5 requests per minute for claude-opus-5-5".
fn limit_named(scope: &BudgetScope, team_name: Option<&str>, models: &[ModelName], amount: &str) -> String {
    let of = match models {
        [] => String::new(),
        models => format!(" for {}", permit::list(models)),
    };
    format!("{} limit of {amount}{of}", whose(scope, team_name))
}

/// A limit is reached.
pub(super) fn limited(bound: &Bound, wait_s: u32) -> Problem {
    let amount = amount(bound);
    let text = match &bound.whose {
        Whose::Key => format!("this API key may send {amount}; wait {wait_s} s"),
        Whose::Budget { scope, spent } => capitalized(&format!(
            "of {} ${} are spent; from here on {amount} are served; wait {wait_s} s",
            named(scope),
            spent.to_usd_string(2)
        )),
        Whose::Scope {
            scope,
            team_name,
            models,
        } => capitalized(&format!(
            "{} is reached; wait {wait_s} s",
            limit_named(scope, team_name.as_deref(), models, &amount)
        )),
    };
    Problem::new(Code::RateLimited, text).retry_after(wait_s)
}

/// A limit lets nothing through.
pub(super) fn nothing_allowed(bound: &Bound) -> Problem {
    let text = match &bound.whose {
        Whose::Key | Whose::Budget { .. } => {
            "this API key may not send any requests: its limit is 0 per minute; ask your administrator"
                .to_owned()
        }
        Whose::Scope {
            scope,
            team_name,
            models,
        } => {
            let name = limit_named(scope, team_name.as_deref(), models, &amount(bound));
            format!(
                "{} lets nothing through; ask your administrator",
                capitalized(&name)
            )
        }
    };
    Problem::new(Code::RateLimited, text).should_retry(false)
}
