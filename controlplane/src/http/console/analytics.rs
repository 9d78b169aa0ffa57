//! Analytics: what was spent, who is active, how models do.

use super::form::pairs;
use super::visitor::Visitor;
use crate::app::analytics::{self, Asked, Cell, piece_start};
use crate::http::analytics::csv;
use crate::store::OnlyOf;
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{
    AnalyticsCell, GroupBy, Percentiles, Performance, Step, TimeRange, Timestamp, UsageTotals,
};
use ccag_console::form::Choice;
use ccag_console::format::{day_start, month_start};
use ccag_console::page::{
    ActivityPage, AnalyticsFilter, DoingRow, ModelsReportPage, Outlook, RANGES, RankRow, Ranking, Series,
    SpendPage, TIME_STEPS, Tick,
};
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, Problem, UnixMs};
use std::collections::{BTreeMap, HashMap};

/// How many lines a ranking has.
const TOP: usize = 8;

/// How many colours a chart has for what it keeps apart; the last one is for all others.
const COLOURS: usize = 6;

/// The most pieces of time in a chart.
const MOST_PIECES: i64 = 400;

/// What somebody looks at.
struct Look {
    asked: Asked,
    filter: AnalyticsFilter,
}

impl Look {
    /// Reads the address, and the names of what is to be chosen from.
    async fn read(visitor: &Visitor, query: Option<&str>) -> Result<Self, Problem> {
        let now = visitor.now_ms();
        let mut filter = AnalyticsFilter {
            range: "30d".to_owned(),
            ..AnalyticsFilter::default()
        };
        let mut only = OnlyOf::default();
        for (name, value) in pairs(query) {
            let value = value.into_owned();
            let list = match name.as_ref() {
                "range" if RANGES.iter().any(|(known, _)| *known == value) => {
                    filter.range = value;
                    continue;
                }
                "step" if TIME_STEPS.iter().any(|(known, _)| *known == value) => {
                    filter.step = value;
                    continue;
                }
                "from" => {
                    filter.from = value;
                    continue;
                }
                "to" => {
                    filter.to = value;
                    continue;
                }
                "team" => &mut only.teams,
                "user" => &mut only.users,
                "key" => &mut only.keys,
                "model" => &mut only.models,
                "endpoint" => &mut only.endpoints,
                _ => continue,
            };
            if !value.is_empty() && value.len() <= 200 && list.len() < 100 {
                // What belongs to none has no id.
                list.push(if value == NONE { String::new() } else { value });
            }
        }
        let (range, trouble) = match range(&filter, now) {
            Ok(range) => (range, None),
            Err(message) => (last_days(30, now), Some(message.to_owned())),
        };
        filter.trouble = trouble;
        if filter.range == "custom" && filter.from.is_empty() {
            filter.from = Timestamp::from_ms(range.from_ms).date();
            filter.to = Timestamp::from_ms(range.to_ms - 1).date();
        }
        let step = fitting(Step::parse(&filter.step), range);
        let look = Self {
            asked: Asked { range, step, only },
            filter,
        };
        look.named(visitor).await
    }

    /// The same with what there is to choose from.
    async fn named(mut self, visitor: &Visitor) -> Result<Self, Problem> {
        let only = &self.asked.only;
        let choices = analytics::choices(&visitor.state().app, &visitor.actor(), only).await?;
        let ticks = |known: Vec<(String, String)>, chosen: &[String]| -> Vec<Tick> {
            known
                .into_iter()
                .map(|(value, label)| Tick {
                    on: chosen.contains(&value),
                    value: said(&value),
                    label,
                })
                .collect()
        };
        let named = |known: HashMap<String, String>, chosen: &[String]| -> Vec<Choice> {
            chosen
                .iter()
                .map(|id| {
                    let label = known.get(id).cloned().unwrap_or_else(|| said(id));
                    Choice::new(said(id), label)
                })
                .collect()
        };
        self.filter.teams = ticks(choices.teams, &only.teams);
        self.filter.models = ticks(choices.models, &only.models);
        self.filter.endpoints = ticks(choices.endpoints, &only.endpoints);
        self.filter.users = named(choices.users, &only.users);
        self.filter.keys = named(choices.keys, &only.keys);
        Ok(self)
    }

    fn starts(&self) -> Vec<UnixMs> {
        let TimeRange { from_ms, to_ms } = self.asked.range;
        let mut starts = Vec::new();
        let mut at = piece_start(self.asked.step, from_ms);
        while at < to_ms && starts.len() < 2_000 {
            starts.push(at);
            // No piece is longer than 31 days, and none shorter than an hour.
            let after = match self.asked.step {
                Step::Hour => at + DAY_MS / 24,
                Step::Day => at + DAY_MS,
                Step::Week => at + 7 * DAY_MS,
                Step::Month => piece_start(Step::Month, at + 32 * DAY_MS),
            };
            at = after;
        }
        starts
    }
}

/// What stands for "none" in addresses.
const NONE: &str = "none";

fn said(id: &str) -> String {
    if id.is_empty() {
        NONE.to_owned()
    } else {
        id.to_owned()
    }
}

fn last_days(days: i64, now: UnixMs) -> TimeRange {
    TimeRange {
        from_ms: day_start(now) - (days - 1) * DAY_MS,
        to_ms: now.saturating_add(1),
    }
}

/// The range that was chosen.
fn range(filter: &AnalyticsFilter, now: UnixMs) -> Result<TimeRange, &'static str> {
    let to_ms = now.saturating_add(1);
    Ok(match filter.range.as_str() {
        "7d" => last_days(7, now),
        "90d" => last_days(90, now),
        "year" => last_days(365, now),
        "month" => TimeRange {
            from_ms: month_start(now),
            to_ms,
        },
        "last-month" => {
            let this = month_start(now);
            TimeRange {
                from_ms: month_start(this - 1),
                to_ms: this,
            }
        }
        "custom" if !filter.from.is_empty() || !filter.to.is_empty() => {
            let day = |text: &str| text.parse::<Timestamp>().ok().map(|at| day_start(at.ms()));
            let from = day(&filter.from).ok_or("Say from which day on, as in 2026-11-01.")?;
            let to = match filter.to.as_str() {
                "" => to_ms,
                text => day(text).ok_or("Say up to which day, as in 2026-11-30.")? + DAY_MS,
            };
            if to <= from {
                return Err("The time ends before it begins; exchange the two days.");
            }
            TimeRange {
                from_ms: from,
                to_ms: to,
            }
        }
        _ => last_days(30, now),
    })
}

/// The step that was chosen, or a coarser one if that made too many pieces, or one that fits.
fn fitting(chosen: Option<Step>, range: TimeRange) -> Step {
    let days = (range.to_ms - range.from_ms) / DAY_MS;
    let fits = match days {
        0..=2 => Step::Hour,
        3..=100 => Step::Day,
        101..=800 => Step::Week,
        _ => Step::Month,
    };
    match chosen {
        Some(Step::Hour) if days * 24 > MOST_PIECES => fits.max(Step::Day),
        Some(Step::Day) if days > MOST_PIECES => fits,
        Some(step) => step,
        None => fits,
    }
}

pub(super) async fn spend(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let page = gather_spend(&visitor, query.as_deref()).await;
    visitor.answer(page)
}

async fn gather_spend(visitor: &Visitor, query: Option<&str>) -> Result<SpendPage, Problem> {
    let look = Look::read(visitor, query).await?;
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let cells = analytics::cells(app, &actor, &look.asked, Some(GroupBy::Team)).await?;
    let before = analytics::total_cost(app, &actor, &look.asked.before()).await?;
    let starts = look.starts();
    let ranked = async |by| -> Result<Vec<RankRow>, Problem> {
        let groups = analytics::top(app, &actor, &look.asked, by).await?;
        Ok(groups.into_iter().map(rank_row).collect())
    };
    let teams = ranked(GroupBy::Team).await?;
    let names: HashMap<String, String> = teams
        .iter()
        .map(|row| (row.value.clone().unwrap_or_default(), row.name.clone()))
        .collect();
    let forecast = analytics::forecast(app, &actor, &look.asked).await?;
    let sum: UsageTotals = analytics::sum(&cells);
    Ok(SpendPage {
        by_team: series(
            &cells,
            &starts,
            |totals| totals.cost_nano_usd.0,
            |id| {
                let id = said(id);
                names.get(&id).cloned().unwrap_or(id)
            },
        ),
        step: look.asked.step.as_str(),
        cost: sum.cost_nano_usd,
        requests: sum.requests,
        before,
        saved_by_cache: analytics::saved_by_cache(app, &actor, &look.asked).await?,
        outlook: Some(Outlook {
            spent: forecast.spent_nano_usd,
            expected: forecast.expected_nano_usd,
            low: forecast.low_nano_usd,
            high: forecast.high_nano_usd,
            from_days: forecast.from_days,
        }),
        teams: ranking(teams),
        users: ranking(ranked(GroupBy::User).await?),
        keys: ranking(ranked(GroupBy::Key).await?),
        models: ranking(ranked(GroupBy::Model).await?),
        endpoints: ranking(ranked(GroupBy::Endpoint).await?),
        starts,
        filter: look.filter,
    })
}

fn rank_row(group: ccag_admin_api::UsageGroup) -> RankRow {
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

fn ranking(mut rows: Vec<RankRow>) -> Ranking {
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
    let own = if order.len() > COLOURS {
        COLOURS - 1
    } else {
        order.len()
    };
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
    let found = analytics::activity(app, &actor, &look.asked).await?;
    let days = look.starts();
    let by_day: HashMap<UnixMs, (u64, u64)> = found
        .days
        .iter()
        .map(|day| (day.day.ms(), (day.active, day.new)))
        .collect();
    let of = |day: &UnixMs| by_day.get(day).copied().unwrap_or_default();
    let count = |n: u64| i64::try_from(n).unwrap_or(i64::MAX);
    Ok(ActivityPage {
        returning: days
            .iter()
            .map(|day| count(of(day).0.saturating_sub(of(day).1)))
            .collect(),
        new: days.iter().map(|day| count(of(day).1)).collect(),
        days,
        users: found.users,
        users_before: analytics::users(app, &actor, &look.asked.before()).await?,
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
    let cells = analytics::cells(app, &actor, &look.asked, Some(GroupBy::Model)).await?;
    let report = analytics::performance(app, &actor, &look.asked).await?;
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
        Ok(cells) => csv(&cells),
        Err(problem) => visitor.refuse(problem),
    }
}

async fn gather_export(visitor: &Visitor, query: Option<&str>) -> Result<Vec<AnalyticsCell>, Problem> {
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
    let cells = analytics::cells(app, &actor, &look.asked, Some(by)).await?;
    analytics::named(app, by, cells).await
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(range: &str, from: &str, to: &str) -> AnalyticsFilter {
        AnalyticsFilter {
            range: range.into(),
            from: from.into(),
            to: to.into(),
            ..AnalyticsFilter::default()
        }
    }

    #[test]
    fn ranges_are_whole_days_of_utc() {
        let now = "2026-11-24T09:05:05Z".parse::<Timestamp>().unwrap().ms();
        let shown = |found: TimeRange| {
            (
                Timestamp::from_ms(found.from_ms).date(),
                Timestamp::from_ms(found.to_ms).date(),
            )
        };
        let both = |from: &str, to: &str| (from.to_owned(), to.to_owned());
        assert_eq!(
            shown(range(&filter("7d", "", ""), now).unwrap()),
            both("2026-11-18", "2026-11-24")
        );
        assert_eq!(
            shown(range(&filter("last-month", "", ""), now).unwrap()),
            both("2026-10-01", "2026-11-01")
        );
        let own = range(&filter("custom", "2026-01-05", "2026-01-05"), now).unwrap();
        assert_eq!(shown(own), both("2026-01-05", "2026-01-06"));
        assert!(range(&filter("custom", "2026-01-05", "2026-01-04"), now).is_err());
        assert!(range(&filter("custom", "soon", ""), now).is_err());
    }

    #[test]
    fn what_does_not_get_a_colour_is_there_with_the_others() {
        let cell = |group: &str, start_ms, cost| Cell {
            start_ms,
            group: group.to_owned(),
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

    #[test]
    fn steps_fit_their_range() {
        let days = |days: i64| TimeRange {
            from_ms: 0,
            to_ms: days * DAY_MS,
        };
        assert_eq!(fitting(None, days(1)), Step::Hour);
        assert_eq!(fitting(None, days(30)), Step::Day);
        assert_eq!(fitting(None, days(365)), Step::Week);
        assert_eq!(fitting(Some(Step::Hour), days(365)), Step::Week);
        assert_eq!(fitting(Some(Step::Month), days(30)), Step::Month);
    }
}
