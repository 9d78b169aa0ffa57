//! Budgets in the words of the console.

use ccag_admin_api::{BudgetRuleSpec, BudgetState, PostureKind, Recipients, RuleAction, Usd};
use ccag_console::format::exact_usd;
use ccag_console::page::{self, Named};
use ccag_domain::NanoUsd;

/// What an account holds, as pages show it.
pub(super) fn account(account: ccag_admin_api::BudgetAccount, time_zone: &str) -> page::BudgetAccount {
    let user = account.user_id.map(|id| Named {
        name: account.user_name.unwrap_or_else(|| id.to_string()),
        id: id.to_string(),
    });
    page::BudgetAccount {
        user,
        limit: account.limit_usd.0,
        spent: account.spent_usd.0,
        held: account.held_usd.0,
        remaining: account.remaining_usd.0,
        blocked_at: account.blocked_at_usd.map(|at| at.0),
        percent: account.percent,
        state: match account.status {
            BudgetState::Ok => page::BudgetState::Ok,
            BudgetState::Warning => page::BudgetState::Warning,
            BudgetState::Throttled => page::BudgetState::Throttled,
            BudgetState::Restricted => page::BudgetState::Restricted,
            BudgetState::Blocked => page::BudgetState::Blocked,
        },
        resets: account.resets_at_local.map(|at| local(&at, time_zone)),
    }
}

/// `2026-12-01T00:00:00+01:00` as `2026-12-01 00:00, Europe/Berlin`.
fn local(at: &str, time_zone: &str) -> String {
    match (at.get(..10), at.get(11..16)) {
        (Some(date), Some(time)) => format!("{date} {time}, {time_zone}"),
        _ => at.to_owned(),
    }
}

/// What happens at a step.
pub(super) fn step_words(rule: &BudgetRuleSpec) -> String {
    match rule.action {
        RuleAction::Notify => "Tell somebody".to_owned(),
        RuleAction::Throttle => match rule.requests_per_minute.unwrap_or(0) {
            1 => "Slow down to 1 request a minute".to_owned(),
            n => format!("Slow down to {n} requests a minute"),
        },
        RuleAction::Restrict => format!(
            "Serve only {}",
            rule.models.as_deref().unwrap_or_default().join(", ")
        ),
        RuleAction::Block => "Serve nothing".to_owned(),
    }
}

/// What happened at a step.
pub(super) fn action_word(action: &str) -> &str {
    match action {
        "notify" => "somebody is told",
        "throttle" => "slowed down",
        "restrict" => "only some models",
        "block" => "nothing is served",
        other => other,
    }
}

pub(super) fn posture_words(posture: PostureKind, grace: Option<Usd>) -> String {
    match posture {
        PostureKind::Granted => "data planes serve what they have been granted, then nothing".to_owned(),
        PostureKind::Grace => {
            let grace = grace.map_or(NanoUsd::ZERO, |grace| grace.0);
            format!("each data plane serves {} more", exact_usd(grace))
        }
        PostureKind::Refuse => "data planes serve nothing".to_owned(),
    }
}

pub(super) const fn recipients_words(recipients: Recipients) -> &'static str {
    match recipients {
        Recipients::Both => "those whom it is about, and the administrators",
        Recipients::User => "those whom it is about",
        Recipients::Admins => "the administrators",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_period_is_told_in_its_time_zone() {
        assert_eq!(
            local("2026-12-01T00:00:00+01:00", "Europe/Berlin"),
            "2026-12-01 00:00, Europe/Berlin"
        );
        assert_eq!(local("soon", "UTC"), "soon");
    }
}
