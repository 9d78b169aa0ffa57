//! What a budget would have done, had it been there: the last days replayed against it.
//!
//! The replay knows what was used and not what people would have done instead: somebody who is refused may wait, ask for less or
//! go on elsewhere. What it says is what was used beyond the point at which the budget refuses.

use super::{Asked, Cell, cells};
use crate::app::budgets::check;
use crate::app::{App, usage};
use ccag_admin_api::{
    GroupBy, RuleAction, ScopeKind, Step, TimeRange, Timestamp, Usd, WhatIf, WhatIfPeriod, WhatIfQuery,
    WhatIfStep, WhatIfSubject,
};
use ccag_domain::budget::share;
use ccag_domain::time::hour_bucket;
use ccag_domain::{
    Actor, BudgetAction, BudgetRule, Code, NanoUsd, Period, Permission, Problem, Reach, Stretch, TimeZone,
    UnixMs,
};
use std::collections::{BTreeMap, HashMap};

/// Over how many days at most it is replayed: as long as hours are kept apart in one question.
const MOST_DAYS: u32 = 62;

/// How many of those who would have been refused are named.
const NAMED: usize = 20;

/// A budget that is tried out.
struct Tried {
    amount: NanoUsd,
    period: Period,
    time_zone: TimeZone,
    rules: Vec<BudgetRule>,
    /// Whether each user has it separately.
    each: bool,
}

/// Replays the days that are asked for.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that makes no sense; [`Code::Forbidden`] for those who see their own usage only.
pub async fn what_if(app: &App, actor: &Actor, query: &WhatIfQuery) -> Result<WhatIf, Problem> {
    if matches!(
        actor.reach(Permission::Read(ccag_domain::Area::Usage)),
        Reach::Own | Reach::Nothing
    ) {
        let message = "Only those who see the usage of others can try a budget out on it.";
        return Err(Problem::new(Code::Forbidden, message));
    }
    let wrong = |field: &str, message: String| Problem::new(Code::InvalidRequest, message).field(field);
    let days = query.days.unwrap_or(30);
    if !(1..=MOST_DAYS).contains(&days) {
        return Err(wrong("days", format!("Give 1 to {MOST_DAYS} days.")));
    }
    let amount: Usd = query.amount_usd.parse().map_err(|_| {
        let message = "Write dollars as a plain decimal with a point, such as 250 or 0.50.";
        wrong("amount_usd", message.to_owned())
    })?;
    let tried = Tried {
        amount: check::amount("amount_usd", amount)?,
        period: query.period.unwrap_or(Period::Monthly),
        time_zone: check::time_zone("time_zone", query.time_zone.as_deref())?,
        rules: check::preset_or_standard("policy", query.policy.as_deref())?,
        each: matches!(query.scope, ScopeKind::EachUser | ScopeKind::EachMember),
    };
    let asked = asked(app, query, days, tried.each)?;
    let by = tried.each.then_some(GroupBy::User);
    let cells = cells(app, actor, &asked, by).await?;
    Ok(replay(&tried, &asked.range, cells))
}

/// What counts towards the budget.
fn asked(app: &App, query: &WhatIfQuery, days: u32, each: bool) -> Result<Asked, Problem> {
    let range = usage::range(None, None, Some(days), app.now_ms())?;
    let mut only = crate::store::OnlyOf::default();
    let needed = |field: &str, id: Option<String>| {
        id.map(|id| vec![id]).ok_or_else(|| {
            let message = format!("A budget of this scope is about somebody: give `{field}`.");
            Problem::new(Code::InvalidRequest, message).field(field)
        })
    };
    let team = || needed("team_id", query.team_id.as_ref().map(ToString::to_string));
    let user = || needed("user_id", query.user_id.as_ref().map(ToString::to_string));
    match query.scope {
        ScopeKind::Organisation | ScopeKind::EachUser => {}
        ScopeKind::Team | ScopeKind::EachMember => only.teams = team()?,
        ScopeKind::Member => (only.teams, only.users) = (team()?, user()?),
        ScopeKind::User => only.users = user()?,
        ScopeKind::Key => only.keys = needed("key_id", query.key_id.as_ref().map(ToString::to_string))?,
    }
    Ok(Asked {
        range: TimeRange {
            from_ms: hour_bucket(range.from_ms),
            ..range
        },
        // Of many people days are enough, and few enough to be read.
        step: if each { Step::Day } else { Step::Hour },
        only,
    })
}

/// What one of those whom the budget is about has used of a period, so far.
#[derive(Default)]
struct Used {
    spent: NanoUsd,
    over: NanoUsd,
    refused: u64,
    /// How many of the rules were reached.
    steps: usize,
    blocked_at: Option<UnixMs>,
}

impl Used {
    /// More was used, in a piece of time that began then.
    fn add(&mut self, tried: &Tried, at: UnixMs, cost: NanoUsd, requests: u64) {
        let block = tried.rules.iter().find(|rule| rule.action == BudgetAction::Block);
        let before = self.spent;
        self.spent += cost;
        let reached = |rule: &&BudgetRule| self.spent >= share(tried.amount, rule.at_percent);
        self.steps = tried.rules.iter().take_while(reached).count();
        let Some(ceiling) = block.map(|rule| share(tried.amount, rule.at_percent)) else {
            return;
        };
        // Of this piece of time, what lies beyond the point at which nothing is served any more.
        let beyond = (self.spent - ceiling.max(before)).max(NanoUsd::ZERO).min(cost);
        if beyond > NanoUsd::ZERO {
            self.blocked_at.get_or_insert(at);
            self.over += beyond;
            self.refused = self.refused.saturating_add(part(requests, beyond, cost));
        }
    }
}

/// So much of the requests as of the cost, rounded up.
fn part(requests: u64, beyond: NanoUsd, cost: NanoUsd) -> u64 {
    let (beyond, cost) = (i128::from(beyond.0), i128::from(cost.0.max(1)));
    let share = (i128::from(requests) * beyond + cost - 1) / cost;
    u64::try_from(share).unwrap_or(requests).min(requests)
}

fn replay(tried: &Tried, range: &TimeRange, mut cells: Vec<Cell>) -> WhatIf {
    cells.sort_by_key(|cell| cell.start_ms);
    let mut used: BTreeMap<(UnixMs, String), Used> = BTreeMap::new();
    let mut stretches: HashMap<UnixMs, Stretch> = HashMap::new();
    let mut names: HashMap<String, Option<String>> = HashMap::new();
    for cell in cells {
        if tried.each && cell.group.is_empty() {
            // Nobody's: no user has it.
            continue;
        }
        let stretch = tried.period.around(cell.start_ms, &tried.time_zone);
        stretches.insert(stretch.start_ms, stretch);
        let totals = &cell.totals;
        let one = used.entry((stretch.start_ms, cell.group.clone())).or_default();
        one.add(tried, cell.start_ms, totals.cost_nano_usd, totals.requests);
        names.insert(cell.group, cell.name);
    }
    let mut periods: BTreeMap<UnixMs, WhatIfPeriod> = BTreeMap::new();
    let mut subjects: HashMap<String, WhatIfSubject> = HashMap::new();
    let mut reached = vec![0_u64; tried.rules.len()];
    for ((start_ms, group), one) in used {
        let stretch = stretches.get(&start_ms).copied().unwrap_or(Stretch::EVER);
        let period = periods.entry(start_ms).or_insert_with(|| WhatIfPeriod {
            // A budget for ever begins with what is replayed.
            start: Timestamp::from_ms(stretch.start_ms.max(range.from_ms)),
            end: Timestamp::from_ms(stretch.end_ms.min(range.to_ms)),
            spent_usd: Usd(NanoUsd::ZERO),
            over_usd: Usd(NanoUsd::ZERO),
            refused_requests: 0,
            blocked: 0,
            first_blocked_at: None,
        });
        period.spent_usd.0 += one.spent;
        period.over_usd.0 += one.over;
        period.refused_requests = period.refused_requests.saturating_add(one.refused);
        if let Some(at) = one.blocked_at {
            period.blocked += 1;
            let first = period.first_blocked_at.map_or(at, |first| first.ms().min(at));
            period.first_blocked_at = Some(Timestamp::from_ms(first));
        }
        for count in reached.iter_mut().take(one.steps) {
            *count += 1;
        }
        if tried.each && one.blocked_at.is_some() {
            let subject = subjects.entry(group.clone()).or_insert_with(|| WhatIfSubject {
                name: names.get(&group).cloned().flatten(),
                id: group,
                spent_usd: Usd(NanoUsd::ZERO),
                over_usd: Usd(NanoUsd::ZERO),
                refused_requests: 0,
            });
            subject.spent_usd.0 += one.spent;
            subject.over_usd.0 += one.over;
            subject.refused_requests = subject.refused_requests.saturating_add(one.refused);
        }
    }
    let subject_count = u64::try_from(subjects.len()).unwrap_or(u64::MAX);
    let mut subjects: Vec<WhatIfSubject> = subjects.into_values().collect();
    subjects.sort_by(|a, b| b.over_usd.0.cmp(&a.over_usd.0).then_with(|| a.id.cmp(&b.id)));
    subjects.truncate(NAMED);
    let periods: Vec<WhatIfPeriod> = periods.into_values().collect();
    let sum = |of: fn(&WhatIfPeriod) -> NanoUsd| Usd(periods.iter().map(of).sum());
    WhatIf {
        from: Timestamp::from_ms(range.from_ms),
        to: Timestamp::from_ms(range.to_ms),
        spent_usd: sum(|period| period.spent_usd.0),
        over_usd: sum(|period| period.over_usd.0),
        refused_requests: periods.iter().map(|period| period.refused_requests).sum(),
        steps: tried
            .rules
            .iter()
            .zip(reached)
            .map(|(rule, times)| WhatIfStep {
                at_percent: rule.at_percent,
                action: match rule.action {
                    BudgetAction::Notify => RuleAction::Notify,
                    BudgetAction::Throttle { .. } => RuleAction::Throttle,
                    BudgetAction::Restrict { .. } => RuleAction::Restrict,
                    BudgetAction::Block => RuleAction::Block,
                },
                times,
            })
            .collect(),
        periods,
        refused_subjects: subject_count,
        subjects,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_admin_api::UsageTotals;
    use ccag_domain::time::{DAY_MS, HOUR_MS};

    fn tried(amount: i64, period: Period, each: bool) -> Tried {
        Tried {
            amount: NanoUsd::from_usd(amount),
            period,
            time_zone: TimeZone::UTC,
            rules: check::preset_or_standard("policy", None).unwrap(),
            each,
        }
    }

    fn cell(at: UnixMs, group: &str, usd: i64, requests: u64) -> Cell {
        Cell {
            start_ms: at,
            group: group.to_owned(),
            name: (!group.is_empty()).then(|| group.to_uppercase()),
            totals: UsageTotals {
                requests,
                cost_nano_usd: NanoUsd::from_usd(usd),
                ..UsageTotals::default()
            },
        }
    }

    fn range() -> TimeRange {
        TimeRange {
            from_ms: 0,
            to_ms: 10 * DAY_MS,
        }
    }

    #[test]
    fn what_lies_beyond_the_amount_of_a_day_is_refused_and_a_new_day_begins_anew() {
        let cells = vec![
            cell(0, "", 6, 6),
            // Two of these four dollars still fit.
            cell(HOUR_MS, "", 4, 10),
            cell(2 * HOUR_MS, "", 3, 3),
            cell(DAY_MS, "", 8, 8),
        ];
        let found = replay(&tried(8, Period::Daily, false), &range(), cells);
        assert_eq!(found.spent_usd.0, NanoUsd::from_usd(21));
        assert_eq!(found.over_usd.0, NanoUsd::from_usd(5));
        assert_eq!(found.refused_requests, 5 + 3);
        assert_eq!(found.periods.len(), 2);
        assert_eq!(
            found.periods[0].first_blocked_at,
            Some(Timestamp::from_ms(HOUR_MS))
        );
        assert_eq!(found.periods[1].blocked, 0);
        let times: Vec<_> = found
            .steps
            .iter()
            .map(|step| (step.at_percent, step.times))
            .collect();
        assert_eq!(times, [(80, 2), (100, 2)]);
        assert!(found.subjects.is_empty());
    }

    #[test]
    fn each_user_has_it_alone_and_the_dearest_are_named_first() {
        let cells = vec![
            cell(0, "ada", 9, 9),
            cell(0, "bob", 20, 20),
            cell(0, "", 50, 50),
            cell(DAY_MS, "ada", 3, 3),
            cell(DAY_MS, "cyd", 1, 1),
        ];
        let found = replay(&tried(10, Period::Weekly, true), &range(), cells);
        assert_eq!(
            found.spent_usd.0,
            NanoUsd::from_usd(33),
            "nobody's usage does not count"
        );
        assert_eq!(
            (found.refused_subjects, found.over_usd.0),
            (2, NanoUsd::from_usd(12))
        );
        let names: Vec<_> = found
            .subjects
            .iter()
            .map(|one| one.name.as_deref().unwrap())
            .collect();
        assert_eq!(names, ["BOB", "ADA"]);
        assert_eq!(found.periods[0].blocked, 2);
    }

    #[test]
    fn an_amount_of_zero_refuses_everything() {
        let found = replay(&tried(0, Period::Total, false), &range(), vec![cell(0, "", 2, 7)]);
        assert_eq!(
            (found.refused_requests, found.over_usd.0),
            (7, NanoUsd::from_usd(2))
        );
    }
}
