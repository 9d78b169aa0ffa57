//! Analytics: what was spent, who is active, how models do.

mod look;
mod losses;
mod tools;

pub(super) use tools::{export_tools, tools};

use super::form::pairs;
use super::visitor::Visitor;
use crate::app::analytics::{self, Cell, Ranked, Spent};
use crate::http::analytics::csv;
use crate::http::usage::charges;
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{
    ExportQuery, GroupBy, Percentiles, Performance, Step, Timestamp, UsageGroup, UsageTotals,
};
use ccag_console::page::{
    ActivityPage, DoingRow, ModelsReportPage, Outlook, RankRow, Ranking, Series, SessionsSeen, SpendPage,
};
use ccag_domain::time::DAY_MS;
use ccag_domain::{Code, NanoUsd, Problem, UnixMs};
use look::{Look, said};
use std::collections::{BTreeMap, HashMap};

/// How many lines a ranking has.
const TOP: usize = 8;

/// How many colours a chart has for what it keeps apart; the last one is for all others.
const COLOURS: usize = 6;

pub(super) async fn spend(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_spend(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_spend(visitor: &Visitor, query: Option<&str>) -> Result<SpendPage, Problem> {
    let look = Look::read(visitor, query).await?;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let few = analytics::Few {
        ranked: TOP as u64,
        charted: COLOURS,
    };
    let spent = Box::pin(analytics::spent(app, &actor, &look.asked, few)).await?;
    let starts = look.starts();
    let by_team = teams_in_time(&spent, &starts);
    let forecast = spent.forecast;
    let sum: UsageTotals = analytics::sum(&spent.over_time);
    Ok(SpendPage {
        by_team,
        step: look.asked.step.as_str(),
        cost: sum.cost_nano_usd,
        requests: sum.requests,
        before: spent.before,
        saved_by_cache: analytics::saved_by_cache(app, &spent.models).await?,
        outlook: Some(Outlook {
            spent: forecast.spent_nano_usd,
            expected: forecast.expected_nano_usd,
            low: forecast.low_nano_usd,
            high: forecast.high_nano_usd,
            from_days: forecast.from_days,
        }),
        teams: ranking(spent.teams),
        users: ranked(spent.users),
        keys: ranked(spent.keys),
        models: ranking(spent.models),
        endpoints: ranked(spent.endpoints),
        starts,
        filter: look.filter,
    })
}

/// What teams cost over time: the dearest, and all others together.
fn teams_in_time(spent: &Spent, starts: &[UnixMs]) -> Vec<Series> {
    let names: HashMap<&str, &str> = spent
        .teams
        .iter()
        .filter_map(|group| Some((group.id.as_deref()?, group.name.as_deref()?)))
        .collect();
    let cost = |totals: &UsageTotals| totals.cost_nano_usd.0;
    let is_first = |cell: &&Cell| {
        let first = spent.teams.iter().take(colours(spent.teams.len()));
        first
            .map(|team| team.id.as_deref().unwrap_or_default())
            .any(|id| id == cell.group)
    };
    let own: Vec<Cell> = spent.teams_over_time.iter().filter(is_first).cloned().collect();
    let mut all = series(&own, starts, cost, |id| {
        names.get(id).map_or_else(|| said(id), |&name| name.to_owned())
    });
    let others = spent.teams.len().saturating_sub(all.len());
    if others > 0 {
        let mut total = series(&spent.over_time, starts, cost, |_| format!("{others} others"));
        for rest in &mut total {
            for (n, value) in rest.values.iter_mut().enumerate() {
                let shown: i64 = all.iter().filter_map(|one| one.values.get(n)).sum();
                *value -= shown;
            }
        }
        all.append(&mut total);
    }
    all
}

/// How many of so many have a colour of their own.
const fn colours(count: usize) -> usize {
    if count > COLOURS { COLOURS - 1 } else { count }
}

fn ranked(of: Ranked) -> Ranking {
    Ranking {
        rows: of.groups.into_iter().map(rank_row).collect(),
        others: (of.others > 0).then_some((of.others, of.others_cost)),
    }
}

fn rank_row(group: UsageGroup) -> RankRow {
    let tokens = group.totals.tokens();
    let id = group.id.unwrap_or_default();
    RankRow {
        name: group.name.unwrap_or_else(|| said(&id)),
        value: Some(said(&id)),
        requests: group.totals.requests,
        tokens: tokens.input
            + tokens.output
            + tokens.cache_read
            + tokens.cache_write_5m
            + tokens.cache_write_1h,
        cost: group.totals.cost_nano_usd,
    }
}

fn ranking(groups: Vec<UsageGroup>) -> Ranking {
    let mut rows: Vec<RankRow> = groups.into_iter().map(rank_row).collect();
    let others = rows.split_off(rows.len().min(TOP));
    let cost: NanoUsd = others.iter().map(|row| row.cost).sum();
    Ranking {
        rows,
        others: (!others.is_empty()).then_some((others.len() as u64, cost)),
    }
}

/// Cells as what is stacked: the greatest, and all others together.
fn series(
    cells: &[Cell],
    starts: &[UnixMs],
    of: impl Fn(&UsageTotals) -> i64,
    name: impl Fn(&str) -> String,
) -> Vec<Series> {
    let mut sums: BTreeMap<&str, i64> = BTreeMap::new();
    for cell in cells {
        *sums.entry(&cell.group).or_default() += of(&cell.totals);
    }
    let mut order: Vec<(&str, i64)> = sums.into_iter().collect();
    order.sort_by_key(|(_, sum)| std::cmp::Reverse(*sum));
    let own = colours(order.len());
    let mut series: Vec<Series> = order
        .iter()
        .take(own)
        .map(|(group, _)| Series {
            name: name(group),
            values: vec![0; starts.len()],
        })
        .collect();
    if order.len() > own {
        series.push(Series {
            name: format!("{} others", order.len() - own),
            values: vec![0; starts.len()],
        });
    }
    for cell in cells {
        let Ok(at) = starts.binary_search(&cell.start_ms) else {
            continue;
        };
        let n = order
            .iter()
            .position(|(group, _)| *group == cell.group)
            .unwrap_or(own)
            .min(own);
        if let Some(value) = series.get_mut(n).and_then(|series| series.values.get_mut(at)) {
            *value += of(&cell.totals);
        }
    }
    series
}

pub(super) async fn activity(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_activity(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_activity(visitor: &Visitor, query: Option<&str>) -> Result<ActivityPage, Problem> {
    let mut look = Look::read(visitor, query).await?;
    look.asked.step = Step::Day;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (found, users_before) = analytics::activity(app, &actor, &look.asked).await?;
    let days = look.starts();
    let by_day: HashMap<UnixMs, (u64, u64)> = found
        .days
        .iter()
        .map(|day| (day.day.ms(), (day.active, day.new)))
        .collect();
    let of = |day: &UnixMs| by_day.get(day).copied().unwrap_or_default();
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    let only = &look.asked.only;
    let sessions = if only.models.is_empty() && only.endpoints.is_empty() {
        let report = analytics::sessions(app, &actor, &look.asked).await?;
        let began: HashMap<UnixMs, u64> = report
            .days
            .iter()
            .map(|day| (day.day.ms(), day.sessions))
            .collect();
        let of = |day: &UnixMs| count(began.get(day).copied().unwrap_or(0));
        Some(SessionsSeen {
            by_day: days.iter().map(of).collect(),
            sessions: report.sessions,
            requests: report.requests,
            length_ms: report.length_ms,
        })
    } else {
        None
    };
    Ok(ActivityPage {
        sessions,
        returning: days
            .iter()
            .map(|day| count(of(day).0.saturating_sub(of(day).1)))
            .collect(),
        new: days.iter().map(|day| count(of(day).1)).collect(),
        days,
        users: found.users,
        users_before,
        week: found.week,
        filter: look.filter,
    })
}

pub(super) async fn models(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_models(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_models(visitor: &Visitor, query: Option<&str>) -> Result<ModelsReportPage, Problem> {
    let look = Look::read(visitor, query).await?;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (report, cells, lost) = analytics::performance_in_time(app, &actor, &look.asked).await?;
    let starts = look.starts();
    let names: HashMap<&str, &str> = report
        .models
        .iter()
        .map(|row| (row.id.as_str(), row.name.as_deref().unwrap_or(&row.id)))
        .collect();
    let requests = |totals: &UsageTotals| i64::try_from(totals.requests).unwrap_or(i64::MAX);
    Ok(ModelsReportPage {
        by_model: series(&cells, &starts, requests, |id| {
            names.get(id).copied().unwrap_or(id).to_owned()
        }),
        step: look.asked.step.as_str(),
        models: report.models.iter().map(doing).collect(),
        endpoints: report.endpoints.iter().map(doing).collect(),
        losses: losses::losses(&lost, &look),
        starts,
        filter: look.filter,
    })
}

fn doing(row: &Performance) -> DoingRow {
    let times = |of: Option<Percentiles>| of.map(|of| [of.p50_ms, of.p95_ms, of.p99_ms]);
    DoingRow {
        name: row.name.clone().unwrap_or_else(|| row.id.clone()),
        value: row.id.clone(),
        requests: row.totals.requests,
        errors: row.totals.errors,
        tokens: row.totals.tokens(),
        cost: row.totals.cost_nano_usd,
        first_token: times(row.first_token),
        duration: times(row.totals.duration),
    }
}

pub(super) async fn export(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    match gather_export(&visitor, query.as_deref()).await {
        Ok(file) => file,
        Err(problem) => visitor.refuse(problem),
    }
}

async fn gather_export(visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
    let look = Look::read(visitor, query).await?;
    let by = pairs(query).into_iter().find(|(name, _)| name == "by");
    let by = match by.as_ref().map(|(_, value)| value.as_ref()) {
        Some("user") => GroupBy::User,
        Some("key") => GroupBy::Key,
        Some("model") => GroupBy::Model,
        Some("endpoint") => GroupBy::Endpoint,
        _ => GroupBy::Team,
    };
    let (app, actor) = (&visitor.state().app, visitor.actor());
    csv(app, &actor, &look.asked, Some(by)).await
}

/// The ledger as charges in the form of FOCUS; days are chosen with the last of them.
pub(super) async fn focus(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    match gather_focus(&visitor, query.as_deref()).await {
        Ok(file) => file,
        Err(problem) => visitor.refuse(problem),
    }
}

async fn gather_focus(visitor: &Visitor, query: Option<&str>) -> Result<Response, Problem> {
    let mut asked = ExportQuery::default();
    for (name, value) in pairs(query) {
        let day = || {
            let message = "Say from which day to which, as in 2026-11-01.";
            let wrong = |_| Problem::new(Code::InvalidRequest, message).field(name.as_ref());
            value.parse::<Timestamp>().map_err(wrong)
        };
        match name.as_ref() {
            "from" => asked.from = Some(day()?),
            "to" => asked.to = Some(Timestamp::from_ms(day()?.ms() + DAY_MS)),
            _ => {}
        }
    }
    charges(&visitor.state().app, &visitor.actor(), &asked).await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_get_a_colour_is_there_with_the_others() {
        let cell = |group: &str, start_ms, cost| Cell {
            start_ms,
            group: group.to_owned(),
            name: None,
            totals: UsageTotals {
                cost_nano_usd: NanoUsd(cost),
                ..UsageTotals::default()
            },
        };
        let cells: Vec<Cell> = (0..9)
            .map(|n| cell(&format!("t{n}"), 0, 100 - n))
            .chain([cell("t0", 10, 7)])
            .collect();
        let found = series(&cells, &[0, 10], |totals| totals.cost_nano_usd.0, str::to_owned);
        assert_eq!(found.len(), COLOURS);
        assert_eq!((found[0].name.as_str(), &found[0].values), ("t0", &vec![100, 7]));
        assert_eq!(
            (found[5].name.as_str(), &found[5].values),
            ("4 others", &vec![95 + 94 + 93 + 92, 0])
        );
    }
}
