//! Whether a request's limits and budgets allow it.

use super::{Admitted, Plan};
use crate::allowance;
use crate::http::Gateway;
use ccag_domain::{Explanation, Problem};

/// An answer is not shortened below so many tokens: the least budget for thinking is 1,024 (Anthropic, "Extended thinking"),
/// and something is to be said after it.
const LEAST_OUTPUT: u64 = 2_048;

/// Whether the caller's budgets and limits allow it, and with what set aside. Where a budget allows it only with fewer output
/// tokens, and is to do so, no more than these are asked for. `told` learns what each of them says.
pub(super) async fn afford(
    gateway: &Gateway,
    admitted: &Admitted,
    plan: &mut Plan,
    told: &mut Explanation,
) -> Result<allowance::Admitted, Problem> {
    let (view, caller) = (&admitted.view, &admitted.who.caller);
    let key_rate = admitted.who.grant.rate_limit_rpm;
    if view.budgets().is_empty() && view.limits().is_empty() && key_rate.is_none() {
        return Ok(allowance::Admitted::default());
    }
    loop {
        let asked = allowance::Asked {
            model: &plan.model,
            route: &plan.route,
            size: plan.size,
            streaming: plan.job.streaming,
            key_rate,
        };
        // What waits for a share is kept apart from what every request carries.
        let admission = gateway
            .allowances
            .admit(view, caller, asked, gateway.clock.as_ref(), told);
        let refused = match Box::pin(admission).await {
            Ok(mut afforded) => {
                if let (Some(notice), Some(tokens)) = (&mut afforded.notice, plan.job.source.most_output) {
                    notice.max_tokens = Some(tokens);
                }
                return Ok(afforded);
            }
            Err(refused) => refused,
        };
        match refused.fits {
            Some(tokens) if (LEAST_OUTPUT..plan.size.max_output).contains(&tokens) => {
                plan.job.bound_output(tokens);
                plan.size.max_output = tokens;
                told.asked.lowered_to = Some(tokens);
            }
            _ => return Err(refused.problem),
        }
    }
}
