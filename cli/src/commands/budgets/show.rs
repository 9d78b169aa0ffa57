//! Budgets as people read them.

use super::moment;
use crate::human::{NONE, count, money, or_none};
use crate::table::{Table, card};
use ccag_admin_api::{
    BudgetAccount, BudgetAccountList, BudgetEventList, BudgetEventView, BudgetRuleSpec, BudgetStatusView,
    BudgetView, PostureKind, RaiseState, RuleAction,
};

/// How many characters a full bar has.
const BAR: u64 = 10;

/// `[####------]  40 %`.
fn bar(percent: u64) -> String {
    let full = usize::try_from((percent * BAR / 100).min(BAR)).unwrap_or(0);
    let rest = usize::try_from(BAR).unwrap_or(0) - full;
    format!("[{}{}] {:>3} %", "#".repeat(full), "-".repeat(rest), percent)
}

fn resets(account: &BudgetAccount) -> String {
    or_none(account.resets_at_local.as_ref())
}

/// Budgets, with what is spent of each.
pub(super) fn table(budgets: &[BudgetView]) -> String {
    let mut table = Table::new(&[
        "ID", "ABOUT", "PERIOD", ">AMOUNT", ">SPENT", "USED", "STATUS", "MODE", "RESETS",
    ]);
    for budget in budgets {
        let current = budget.current.as_ref();
        let about = match budget.accounts {
            None => budget.about.clone(),
            Some(1) => format!("{} (1 account)", budget.about),
            Some(n) => format!("{} ({} accounts)", budget.about, count(n)),
        };
        let amount = current.map_or(budget.amount_usd, |account| account.limit_usd);
        table.row([
            budget.id.to_string(),
            about,
            budget.period.as_str().to_owned(),
            money(amount.0),
            current.map_or_else(|| NONE.to_owned(), |account| money(account.spent_usd.0)),
            current.map_or_else(|| NONE.to_owned(), |account| bar(account.percent)),
            current.map_or(NONE, |account| account.status.as_str()).to_owned(),
            budget.mode.as_str().to_owned(),
            current.map_or_else(|| NONE.to_owned(), resets),
        ]);
    }
    let shown = table.render(
        "No budgets: nobody's spending is bounded. Make one with `ccag budgets create USD`, or see `ccag budgets create --help`.",
    );
    if budgets.iter().any(|budget| budget.accounts.is_some()) {
        return format!(
            "{shown}\n\nWhere everyone has an account of their own, the one that has spent most is shown."
        );
    }
    shown
}

fn rule(rule: &BudgetRuleSpec) -> String {
    let what = match rule.action {
        RuleAction::Notify => "notify".to_owned(),
        RuleAction::Throttle => format!(
            "throttle to {} requests a minute",
            rule.requests_per_minute.unwrap_or(0)
        ),
        RuleAction::Restrict => format!(
            "serve only {}",
            rule.models.as_deref().unwrap_or_default().join(", ")
        ),
        RuleAction::Block => "block".to_owned(),
    };
    format!("at {} % {what}", rule.at_percent)
}

fn rules(policy: &str, rules: &[BudgetRuleSpec]) -> String {
    if rules.is_empty() {
        return "none: it is only counted".to_owned();
    }
    let rules: Vec<String> = rules.iter().map(rule).collect();
    format!("{policy}: {}", rules.join(", "))
}

fn lines(budget: &BudgetView) -> Vec<(&'static str, String)> {
    let mut lines = vec![
        ("Id", budget.id.to_string()),
        ("About", budget.about.clone()),
        ("Amount", money(budget.amount_usd.0)),
        (
            "Period",
            format!("{}, {}", budget.period.as_str(), budget.time_zone),
        ),
        ("Mode", budget.mode.as_str().to_owned()),
        ("Rules", rules(&budget.policy, &budget.rules)),
        (
            "Cut off",
            match (budget.posture, budget.grace_usd) {
                (PostureKind::Granted, _) => "serve what has been granted".to_owned(),
                (PostureKind::Grace, grace) => {
                    format!(
                        "serve {} more",
                        grace.map_or_else(|| NONE.to_owned(), |g| money(g.0))
                    )
                }
                (PostureKind::Refuse, _) => "serve nothing".to_owned(),
            },
        ),
        ("Tells", budget.notify_recipients.as_str().to_owned()),
    ];
    if let (Some(account), None) = (&budget.current, budget.accounts) {
        lines.extend(of_account(account));
    }
    if let Some(n) = budget.accounts {
        lines.push(("Accounts", count(n)));
    }
    lines
}

fn of_account(account: &BudgetAccount) -> Vec<(&'static str, String)> {
    vec![
        ("Limit", money(account.limit_usd.0)),
        (
            "Spent",
            format!("{}  {}", money(account.spent_usd.0), bar(account.percent)),
        ),
        ("Held", money(account.held_usd.0)),
        ("Remaining", money(account.remaining_usd.0)),
        ("Status", account.status.as_str().to_owned()),
        ("Resets", resets(account)),
    ]
}

/// A budget as a card.
pub(crate) fn card_of(budget: &BudgetView) -> String {
    card(&lines(budget))
}

fn raises(budget: &BudgetView) -> String {
    let mut table = Table::new(&["RAISE", ">AMOUNT", "FROM", "UNTIL", "STATE", "REASON"]);
    for raise in &budget.raises {
        table.row([
            raise.id.clone(),
            money(raise.amount_usd.0),
            moment(Some(raise.from)),
            moment(Some(raise.until)),
            match raise.state {
                RaiseState::Active => "active",
                RaiseState::Past => "past",
            }
            .to_owned(),
            raise.reason.clone(),
        ]);
    }
    table.render("")
}

fn accounts(list: &BudgetAccountList) -> String {
    let mut table = Table::new(&["USER", ">SPENT", ">HELD", ">REMAINING", "USED", "STATUS"]);
    for account in &list.accounts {
        let user = account
            .user_name
            .clone()
            .or_else(|| account.user_id.as_ref().map(ToString::to_string));
        table.row([
            or_none(user.as_ref()),
            money(account.spent_usd.0),
            money(account.held_usd.0),
            money(account.remaining_usd.0),
            bar(account.percent),
            account.status.as_str().to_owned(),
        ]);
    }
    table.render("Nobody has spent anything in this period.")
}

fn steps(events: &[BudgetEventView]) -> String {
    let mut table = Table::new(&["WHEN", ">STEP", "ACTION", ">SPENT", ">OF", "USER"]);
    for event in events {
        table.row([
            moment(Some(event.at)),
            format!("{} %", event.at_percent),
            event.action.clone(),
            money(event.spent_usd.0),
            money(event.limit_usd.0),
            or_none(event.user_id.as_ref()),
        ]);
    }
    table.render("")
}

/// Everything about a budget.
pub(super) fn details(budget: &BudgetView, list: &BudgetAccountList, events: &BudgetEventList) -> String {
    let mut parts = vec![card_of(budget)];
    if !budget.raises.is_empty() {
        parts.push(raises(budget));
    }
    if budget.accounts.is_some() {
        parts.push(accounts(list));
        if list.next_cursor.is_some() {
            parts.push("There are more; these have spent most.".to_owned());
        }
    }
    if !events.events.is_empty() {
        parts.push(steps(&events.events));
    }
    parts.join("\n\n")
}

/// What bounds somebody's spending.
pub(super) fn status(status: &BudgetStatusView) -> String {
    if status.budgets.is_empty() {
        return format!(
            "No budget bounds the spending of {}. Spent since {}: {}.",
            status.user,
            moment(status.period_start),
            money(status.spend_usd.0)
        );
    }
    let mut table = Table::new(&[
        "",
        "BUDGET",
        "PERIOD",
        ">SPENT",
        ">LIMIT",
        ">REMAINING",
        "USED",
        "STATUS",
        "RESETS",
    ]);
    for budget in &status.budgets {
        let account = &budget.account;
        table.row([
            if budget.binds { "*" } else { "" }.to_owned(),
            budget.about.clone(),
            budget.period.as_str().to_owned(),
            money(account.spent_usd.0),
            money(account.limit_usd.0),
            money(account.remaining_usd.0),
            bar(account.percent),
            account.status.as_str().to_owned(),
            resets(account),
        ]);
    }
    let mut parts = vec![
        card(&[
            ("User", status.user.clone()),
            ("Status", status.status.as_str().to_owned()),
        ]),
        table.render(""),
        "All of them must hold; the one with a star binds.".to_owned(),
    ];
    if !status.recent_events.is_empty() {
        parts.push(steps(&status.recent_events));
    }
    parts.join("\n\n")
}
