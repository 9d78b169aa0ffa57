//! The overview, and the sums that other pages share with it.

use super::budget_words::account;
use super::budgets::terms;
use super::sessions;
use super::visitor::Visitor;
use crate::app::usage::{self, Scope};
use crate::app::{App, budgets, fleet, notifications, quarantine};
use crate::store::outbox::DeliveryFilter;
use axum::response::Response;
use ccag_admin_api::{GroupBy, UsageGroup, UsageTotals};
use ccag_console::format::{day_start, month_start};
use ccag_console::page::{BoundBy, DayUsage, FleetHealth, OverviewPage, Share, Spend};
use ccag_console::path;
use ccag_domain::time::DAY_MS;
use ccag_domain::{Actor, Area, DeliveryState, NanoUsd, Permission, Problem, Reach, Tokens, UnixMs};

/// How many lines a ranking has.
const TOP: u64 = 6;

/// The first moment of the last 30 days, today included.
pub(super) fn thirty_days(now_ms: UnixMs) -> UnixMs {
    day_start(now_ms) - 29 * DAY_MS
}

/// Everything since a moment.
pub(super) fn since(from_ms: UnixMs, now_ms: UnixMs) -> Scope {
    Scope::new(from_ms, now_ms + DAY_MS)
}

/// The last 30 days, day by day and summed.
pub(super) struct Month {
    pub(super) days: Vec<DayUsage>,
    pub(super) requests: u64,
    pub(super) errors: u64,
    pub(super) cost: NanoUsd,
    pub(super) tokens: Tokens,
}

impl Month {
    /// Sums up days; those before the last 30 are left out, those without usage are filled in.
    pub(super) fn of(series: &[(UnixMs, UsageTotals)], now_ms: UnixMs) -> Self {
        let from = thirty_days(now_ms);
        let mut month = Self {
            days: Vec::with_capacity(30),
            requests: 0,
            errors: 0,
            cost: NanoUsd::ZERO,
            tokens: Tokens::default(),
        };
        for day_ms in (0..30).map(|i| from + i * DAY_MS) {
            let found = series.iter().find(|(at, _)| *at == day_ms);
            let totals = found.map(|(_, totals)| *totals).unwrap_or_default();
            month.requests += totals.requests;
            month.errors += totals.errors;
            month.cost += totals.cost_nano_usd;
            month.tokens += totals.tokens();
            month.days.push(DayUsage {
                day_ms,
                requests: totals.requests,
                cost: totals.cost_nano_usd,
            });
        }
        month
    }
}

/// Groups as lines of a ranking; `nobody` names what belongs to none.
pub(super) fn shares(
    groups: Vec<UsageGroup>,
    nobody: &str,
    href: impl Fn(&str) -> Option<String>,
) -> Vec<Share> {
    let share = |group: UsageGroup| Share {
        href: group.name.as_deref().and_then(&href),
        name: group.name.or(group.id).unwrap_or_else(|| nobody.to_owned()),
        requests: group.totals.requests,
        cost: group.totals.cost_nano_usd,
    };
    groups.into_iter().map(share).collect()
}

pub(super) async fn show(visitor: Visitor) -> Response {
    let page = gather(&visitor).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor) -> Result<OverviewPage, Problem> {
    let app = &visitor.state().app;
    let actor = visitor.actor();
    let now = visitor.now_ms();
    let month_from = month_start(now);
    let from = thirty_days(now);
    let scope = since(from, now);
    let reach = visitor.reach(Permission::Read(Area::Usage));
    let kinds: &[GroupBy] = match reach {
        Reach::Everything => &[GroupBy::Model, GroupBy::User, GroupBy::Team],
        Reach::Team => &[GroupBy::Model, GroupBy::User],
        Reach::Own | Reach::Nothing => &[GroupBy::Model],
    };
    let whole = since(from.min(month_from), now);
    let operates = reach == Reach::Everything;
    let fleet = async {
        Ok(match operates {
            true => Some(health(app, &actor).await?),
            false => None,
        })
    };
    let quarantined = async {
        Ok(match operates {
            true => Some(quarantine::count(app, &actor).await?),
            false => None,
        })
    };
    let given_up = given_up();
    let undelivered = async {
        match visitor.reach(Permission::Read(Area::Notifications)) {
            Reach::Everything | Reach::Team => notifications::count(app, &actor, &given_up).await,
            Reach::Own | Reach::Nothing => Ok(0),
        }
    };
    let ((days, tops), fleet, quarantined, undelivered, budgets, paused) = tokio::try_join!(
        usage::days_and_top(app, &actor, &whole, &scope, kinds, TOP),
        fleet,
        quarantined,
        undelivered,
        bounds(app, &actor),
        sessions::own(app, &actor)
    )?;
    let mut tops = tops.into_iter();
    let mut next = || tops.next().unwrap_or_default();
    let (models, users, teams) = (next(), next(), next());
    let cost_since = |at: UnixMs| {
        days.iter()
            .filter(|(d, _)| *d >= at)
            .map(|(_, t)| t.cost_nano_usd)
            .sum()
    };
    let month = Month::of(&days, now);
    let search = |name: &str| Some(path::with_query(path::USERS, &[("q", name)]));
    let (teams, users) = (
        shares(teams, "no team", |_| None),
        shares(users, "no user", search),
    );
    Ok(OverviewPage {
        spend: Spend {
            today: cost_since(day_start(now)),
            month: cost_since(month_from),
            last_30_days: month.cost,
        },
        days: month.days,
        requests: month.requests,
        errors: month.errors,
        tokens: month.tokens,
        teams,
        users,
        models: shares(models, "unknown", |_| None),
        fleet,
        budgets,
        paused,
        quarantined,
        undelivered,
        base_url: visitor.base_url(),
    })
}

fn given_up() -> DeliveryFilter {
    DeliveryFilter {
        state: Some(DeliveryState::Dead),
        ..DeliveryFilter::default()
    }
}

/// The budgets that bound the visitor's own spending.
async fn bounds(app: &App, actor: &Actor) -> Result<Vec<BoundBy>, Problem> {
    let found = budgets::bounds_of_self(app, actor).await?;
    Ok(found
        .into_iter()
        .map(|bound| BoundBy {
            terms: terms(bound.account.limit_usd, bound.period),
            account: account(bound.account, &bound.time_zone),
            about: bound.about,
            binds: bound.binds,
        })
        .collect())
}

async fn health(app: &App, actor: &Actor) -> Result<FleetHealth, Problem> {
    let fleet = fleet::view(app, actor).await?;
    let connected = || fleet.replicas.iter().filter(|r| r.connected);
    let connected_count = connected().count() as u64;
    Ok(FleetHealth {
        connected: connected_count,
        missing: fleet.replicas.len() as u64 - connected_count,
        behind: connected().filter(|r| r.lag > 0).count() as u64,
        rejected: connected().map(|r| r.rejected.len() as u64).sum(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(requests: u64, nano: i64) -> UsageTotals {
        UsageTotals {
            requests,
            cost_nano_usd: NanoUsd(nano),
            ..UsageTotals::default()
        }
    }

    #[test]
    fn a_month_has_thirty_days_with_today_last_and_nothing_from_before() {
        let now = 100 * DAY_MS + 5;
        let series = [
            (70 * DAY_MS, totals(100, 100)),
            (71 * DAY_MS, totals(1, 10)),
            (100 * DAY_MS, totals(2, 20)),
        ];
        let month = Month::of(&series, now);
        assert_eq!(month.days.len(), 30);
        assert_eq!(month.days[0].day_ms, 71 * DAY_MS);
        assert_eq!(month.days[29].cost, NanoUsd(20));
        assert_eq!((month.requests, month.cost), (3, NanoUsd(30)));
    }
}
