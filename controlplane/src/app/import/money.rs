//! Budgets.

use super::world::World;
use crate::store::budgets::{budget_row, scope_key};
use crate::store::ccag::{PairRow, TeamRow, UserRow};
use crate::store::entity::budget;
use ccag_admin_api::{Recipients, Usd};
use ccag_domain::{
    Budget, BudgetAction, BudgetId, BudgetMode, BudgetRule, BudgetScope, KeyDigest, NanoUsd, Period, Posture,
    TeamId, TimeZone, UserId,
};

/// The most that a budget can be here.
const MOST: NanoUsd = NanoUsd::from_usd(100_000_000);

/// What an amount of the existing gateway means here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Amount {
    /// So much.
    Of(NanoUsd),
    /// More than a budget can be here.
    Huge,
    /// Nothing, or less: there it lets everything through.
    None,
    /// No number.
    Unreadable,
}

fn amount(text: &str) -> Amount {
    let text = text.trim();
    match text.parse::<Usd>() {
        Ok(Usd(amount)) if amount <= NanoUsd::ZERO => Amount::None,
        Ok(Usd(amount)) if amount <= MOST => Amount::Of(amount),
        Ok(_) => Amount::Huge,
        Err(_) if text.starts_with('-') => Amount::None,
        // Too many digits to be read, or infinite.
        Err(_)
            if text == "Infinity"
                || text.bytes().all(|b| b.is_ascii_digit() || b == b'.') && text.len() > 9 =>
        {
            Amount::Huge
        }
        Err(_) => Amount::Unreadable,
    }
}

/// The steps of a policy; none is the usual one.
fn rules(policy: Option<&str>) -> Option<Vec<BudgetRule>> {
    #[derive(serde::Deserialize)]
    struct Step {
        at_percent: u32,
        action: String,
        shaped_rpm: Option<u32>,
    }
    let rule = |at_percent, action| BudgetRule { at_percent, action };
    let standard = || vec![rule(80, BudgetAction::Notify), rule(100, BudgetAction::Block)];
    let Some(text) = policy.filter(|text| !text.trim().is_empty() && text.trim() != "null") else {
        return Some(standard());
    };
    let steps: Vec<Step> = serde_json::from_str(text).ok()?;
    let mut rules: Vec<BudgetRule> = Vec::new();
    for step in steps {
        if !(1..=1_000).contains(&step.at_percent) {
            return None;
        }
        let action = match step.action.as_str() {
            "notify" => BudgetAction::Notify,
            "shape" => BudgetAction::Throttle {
                requests_per_minute: step.shaped_rpm.unwrap_or(5).max(1),
            },
            "block" => BudgetAction::Block,
            _ => return None,
        };
        match rules.last_mut() {
            // Of two at the same place the later one counts there.
            Some(last) if last.at_percent == step.at_percent => last.action = action,
            Some(last) if last.at_percent > step.at_percent || last.action == BudgetAction::Block => {
                return None;
            }
            _ => rules.push(rule(step.at_percent, action)),
        }
    }
    Some(rules)
}

fn period(text: &str) -> Period {
    match text {
        "daily" => Period::Daily,
        "weekly" => Period::Weekly,
        _ => Period::Monthly,
    }
}

fn recipients(text: &str) -> &'static str {
    match text {
        "user" => Recipients::User.as_str(),
        "admin" | "admins" => Recipients::Admins.as_str(),
        _ => Recipients::Both.as_str(),
    }
}

struct Terms<'a> {
    table: &'static str,
    row: &'a str,
    amount: &'a str,
    period: Period,
    policy: Option<&'a str>,
    notify: &'static str,
}

struct Plan<'w, 'a> {
    world: &'w mut World<'a>,
    made: Vec<budget::Model>,
    found: usize,
    there: usize,
}

/// Plans the budgets of teams, of their members, of users, and the one for everybody else.
pub(super) fn plan(
    world: &mut World<'_>,
    teams: &[TeamRow],
    users: &[UserRow],
    settings: &[PairRow],
) -> Vec<budget::Model> {
    let mut plan = Plan {
        world,
        made: Vec::new(),
        found: 0,
        there: 0,
    };
    let setting = |name: &str| settings.iter().find(|s| s.a == name).map(|s| s.b.as_str());
    let everybody = setting("default_budget_usd").filter(|text| !text.trim().is_empty());
    let has_default = everybody.is_some_and(|text| matches!(amount(text), Amount::Of(_) | Amount::Huge));
    for row in teams {
        let Some(team) = plan
            .world
            .teams
            .get(&row.id)
            .and_then(|id| TeamId::parse(id).ok())
        else {
            continue;
        };
        let mut terms = Terms {
            table: "teams",
            row: &row.id,
            amount: "",
            period: period(&row.budget_period),
            policy: row.budget_policy.as_deref(),
            notify: recipients(&row.notify_recipients),
        };
        if let Some(text) = &row.budget_amount {
            terms.amount = text;
            plan.add(&terms, BudgetScope::Team(team.clone()));
        }
        match &row.member_budget {
            Some(text) => {
                terms.amount = text;
                plan.add(&terms, BudgetScope::EachMember(team));
            }
            // There, the budget for everybody is for users without a team alone.
            None if has_default => plan.exempt(&row.id, team),
            None => {}
        }
    }
    let policies = |team: Option<&String>| {
        let team = teams.iter().find(|t| Some(&t.id) == team);
        team.and_then(|team| team.budget_policy.as_deref())
    };
    for row in users {
        let ours = plan.world.users.get(&row.id);
        let user = ours.and_then(|id| UserId::parse(id).ok());
        let (Some(text), Some(user)) = (&row.spend_limit, user) else {
            continue;
        };
        // Of users who have become one, the first one's limit counts.
        if plan.world.merged.contains(&row.id) {
            plan.found += 1;
            continue;
        }
        let terms = Terms {
            table: "users",
            row: &row.id,
            amount: text,
            period: period(&row.budget_period),
            policy: policies(row.team_id.as_ref()),
            notify: Recipients::Both.as_str(),
        };
        plan.add(&terms, BudgetScope::User(user));
    }
    if let Some(text) = everybody {
        let terms = Terms {
            table: "proxy_settings",
            row: "default_budget_usd",
            amount: text,
            period: period(setting("default_budget_period").unwrap_or("monthly")),
            policy: setting("default_budget_policy"),
            notify: recipients(setting("default_budget_notify").unwrap_or("both")),
        };
        plan.add(&terms, BudgetScope::EachUser);
    }
    let (made, found, there) = (plan.made, plan.found, plan.there);
    world.report.part("budgets", found, made.len(), there);
    made
}

impl Plan<'_, '_> {
    fn add(&mut self, terms: &Terms<'_>, scope: BudgetScope) {
        self.found += 1;
        let note = |world: &mut World<'_>, text: &str| {
            world
                .report
                .note(terms.table, terms.row, format!("{}: {text}", scope.kind()));
        };
        let amount = match amount(terms.amount) {
            Amount::Of(amount) => amount,
            Amount::Huge => {
                note(
                    self.world,
                    "the amount is more than a budget can be here; it is 100,000,000 dollars now",
                );
                MOST
            }
            Amount::None => {
                note(
                    self.world,
                    "an amount of nothing or less let everything through there, and would let nothing through here; there is no budget",
                );
                return;
            }
            Amount::Unreadable => {
                note(self.world, "the amount is no number; there is no budget");
                return;
            }
        };
        let rules = rules(terms.policy).unwrap_or_else(|| {
            note(self.world, "the policy cannot be read; it is the usual one now: notice at 80 %, nothing more from 100 % on");
            rules(None).unwrap_or_default()
        });
        self.push(scope, amount, terms.period, rules, terms.notify);
    }

    /// Says of a team that the budget for everybody is not for its members: they have one that never blocks.
    fn exempt(&mut self, row: &str, team: TeamId) {
        self.found += 1;
        let text = "each_member: its members have no budget of their own there, also where there is one for everybody. So they \
                    have one here that is as large as can be and blocks nothing";
        self.world.report.note("teams", row, text);
        let notify = Recipients::Both.as_str();
        self.push(
            BudgetScope::EachMember(team),
            MOST,
            Period::Monthly,
            Vec::new(),
            notify,
        );
    }

    fn push(
        &mut self,
        scope: BudgetScope,
        amount: NanoUsd,
        period: Period,
        rules: Vec<BudgetRule>,
        notify: &str,
    ) {
        let key = scope_key(&scope);
        if self.world.present.budgets.iter().any(|(held, _)| *held == key) {
            self.there += 1;
            return;
        }
        // The scope says it all: it has one budget.
        let digest = KeyDigest::of(&key).to_hex();
        let Ok(id) = BudgetId::parse(&format!("bud_{}", digest.get(..26).unwrap_or(&digest))) else {
            return;
        };
        let budget = Budget {
            id,
            scope,
            amount,
            period,
            time_zone: TimeZone::UTC,
            mode: BudgetMode::Balanced,
            rules,
            raises: Vec::new(),
            posture: Posture::Granted,
        };
        if !self.made.iter().any(|row| row.scope_key == key) {
            self.made
                .push(budget_row(&budget, notify, self.world.now, self.world.now));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_read_without_a_float() {
        assert_eq!(amount("250.100000000"), Amount::Of(NanoUsd(250_100_000_000)));
        assert_eq!(amount("0.000000001"), Amount::Of(NanoUsd(1)));
        for none in ["0.000000000", "0", "-5.000000000", "-Infinity"] {
            assert_eq!(amount(none), Amount::None, "{none}");
        }
        assert_eq!(amount("NaN"), Amount::Unreadable);
        assert_eq!(amount("100000000.000000001"), Amount::Huge);
        assert_eq!(amount(&format!("1{}.000000000", "0".repeat(300))), Amount::Huge);
        assert_eq!(amount("Infinity"), Amount::Huge);
    }

    #[test]
    fn policies_are_what_they_were() {
        let shaped = r#"[{"at_percent":80,"action":"notify"},{"at_percent":100,"action":"shape","shaped_rpm":7},
                         {"at_percent":150,"action":"block"}]"#;
        let read = rules(Some(shaped)).unwrap();
        assert_eq!(
            read[1].action,
            BudgetAction::Throttle {
                requests_per_minute: 7
            }
        );
        assert_eq!(read[2].action, BudgetAction::Block);
        for usual in [None, Some(""), Some("null")] {
            assert_eq!(rules(usual).unwrap().len(), 2, "{usual:?}");
        }
        assert_eq!(rules(Some("\"standard\"")), None);
        assert_eq!(rules(Some(r#"[{"at_percent":0,"action":"block"}]"#)), None);
        let twice = r#"[{"at_percent":80,"action":"notify"},{"at_percent":80,"action":"block"}]"#;
        assert_eq!(rules(Some(twice)).unwrap().len(), 1);
    }
}
