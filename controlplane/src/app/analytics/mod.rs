//! What was used over time, by whom and by what. All of it comes from the hourly sums, whatever its size.

mod forecast;
mod sums;

pub use forecast::forecast;
pub use sums::{Choices, choices, grouped, named, saved_by_cache, sum, top, total_cost, users};

use super::App;
use super::usage::{self, Scope, percentiles};
use crate::latency::Latency;
use crate::store::{GroupBy, OnlyOf, Piece};
use ccag_admin_api::{
    ActiveUsers, Activity, Analytics, AnalyticsQuery, GroupBy as ApiGroupBy, Performance, PerformanceReport,
    Step, TimeRange, Timestamp, UsageTotals,
};
use ccag_domain::time::{DAY_MS, HOUR_MS, hour_bucket};
use ccag_domain::{Actor, Code, Period, Problem, TimeZone, UnixMs};
use std::collections::{BTreeMap, HashMap};

/// How many ids a list in a question holds at most.
const MOST: usize = 200;

/// The longest range in which hours are kept apart.
const MOST_HOURS_MS: i64 = 62 * DAY_MS;

/// Which use is asked about.
#[derive(Debug, Clone)]
pub struct Asked {
    /// From when to when.
    pub range: TimeRange,
    /// How finely.
    pub step: Step,
    /// Whose, and of what.
    pub only: OnlyOf,
}

impl Asked {
    /// What a question of the API asks about.
    ///
    /// # Errors
    /// [`Code::InvalidRequest`] for a range that ends before it begins, or is too long for hours, and for lists that are too long.
    pub fn read(query: &AnalyticsQuery, now: UnixMs) -> Result<Self, Problem> {
        let range = usage::range(query.from, query.to, query.days, now)?;
        let step = query.step.unwrap_or(Step::Day);
        let list = |field: &str, text: &Option<String>| -> Result<Vec<String>, Problem> {
            let ids: Vec<String> = text
                .as_deref()
                .unwrap_or_default()
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(|id| {
                    if id == "none" {
                        String::new()
                    } else {
                        id.to_owned()
                    }
                })
                .collect();
            if ids.len() > MOST {
                let message = format!("At most {MOST} can be listed.");
                return Err(Problem::new(Code::InvalidRequest, message).field(field));
            }
            Ok(ids)
        };
        let asked = Self {
            range: TimeRange {
                from_ms: hour_bucket(range.from_ms),
                ..range
            },
            step,
            only: OnlyOf {
                teams: list("team_id", &query.team_id)?,
                users: list("user_id", &query.user_id)?,
                keys: list("key_id", &query.key_id)?,
                models: list("model", &query.model)?,
                endpoints: list("endpoint_id", &query.endpoint_id)?,
            },
        };
        if step == Step::Hour && range.to_ms.saturating_sub(range.from_ms) > MOST_HOURS_MS {
            let message =
                "Hours can be kept apart over two months at most; ask for a shorter range, or for days.";
            return Err(Problem::new(Code::InvalidRequest, message).field("step"));
        }
        Ok(asked)
    }

    pub(super) fn scope(&self) -> Scope {
        Scope {
            only: self.only.clone(),
            ..Scope::new(self.range.from_ms, self.range.to_ms)
        }
    }

    /// The same about the range of the same length that ends where this one begins.
    #[must_use]
    pub fn before(&self) -> Self {
        let length = self.range.to_ms.saturating_sub(self.range.from_ms);
        // Whole hours, so that none counts in both.
        let length = length.saturating_add(HOUR_MS - 1) / HOUR_MS * HOUR_MS;
        Self {
            range: TimeRange {
                from_ms: self.range.from_ms.saturating_sub(length),
                to_ms: self.range.from_ms,
            },
            ..self.clone()
        }
    }
}

/// When the piece of time begins that a moment belongs to.
#[must_use]
pub fn piece_start(step: Step, at: UnixMs) -> UnixMs {
    match step {
        Step::Hour => hour_bucket(at),
        Step::Day => at.div_euclid(DAY_MS) * DAY_MS,
        Step::Week => Period::Weekly.around(at, &TimeZone::UTC).start_ms,
        Step::Month => Period::Monthly.around(at, &TimeZone::UTC).start_ms,
    }
}

/// The sums of a group in a piece of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// When the piece begins.
    pub start_ms: UnixMs,
    /// The group's id or name; empty for none.
    pub group: String,
    /// The sums.
    pub totals: UsageTotals,
}

/// Sums by pieces of time and groups: times in order, and within each the dearest group first.
///
/// # Errors
/// [`Code::Unavailable`] without a database; [`Code::Forbidden`] for nobody: what one may not see is not in the sums.
pub async fn cells(
    app: &App,
    actor: &Actor,
    asked: &Asked,
    by: Option<ApiGroupBy>,
) -> Result<Vec<Cell>, Problem> {
    let filter = asked.scope().filter(actor)?;
    let piece = match asked.step {
        Step::Hour => Piece::Hour,
        Step::Day | Step::Week | Step::Month => Piece::Day,
    };
    let by = by.map_or(GroupBy::Nothing, usage::grouped);
    let mut pieces: BTreeMap<UnixMs, HashMap<String, UsageTotals>> = BTreeMap::new();
    for sum in app.store.sum_rollups(&filter, by, piece).await? {
        let groups = pieces.entry(piece_start(asked.step, sum.bucket_ms)).or_default();
        usage::add(groups.entry(sum.group.clone()).or_default(), &usage::totals(&sum));
    }
    let in_order = |(start_ms, groups): (UnixMs, HashMap<String, UsageTotals>)| {
        let mut cells: Vec<Cell> = groups
            .into_iter()
            .map(|(group, totals)| Cell {
                start_ms,
                group,
                totals,
            })
            .collect();
        cells.sort_by(|a, b| {
            let (one, other) = (a.totals.cost_nano_usd, b.totals.cost_nano_usd);
            other.cmp(&one).then_with(|| a.group.cmp(&b.group))
        });
        cells
    };
    Ok(pieces.into_iter().flat_map(in_order).collect())
}

/// Sums over time, as the admin API shows them.
///
/// # Errors
/// As [`Asked::read`] and [`cells`].
pub async fn table(app: &App, actor: &Actor, query: &AnalyticsQuery) -> Result<Analytics, Problem> {
    let asked = Asked::read(query, app.now_ms())?;
    if query.group_by == Some(ApiGroupBy::Day) {
        let message = "Days are kept apart by `step=day`; group by team, user, key, model or endpoint.";
        return Err(Problem::new(Code::InvalidRequest, message).field("group_by"));
    }
    let cells = cells(app, actor, &asked, query.group_by).await?;
    Ok(Analytics {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        step: asked.step,
        group_by: query.group_by,
        // Where nothing is kept apart there is nothing to name either.
        cells: named(app, query.group_by.unwrap_or(ApiGroupBy::Day), cells).await?,
    })
}

/// Who is active, and when.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn activity(app: &App, actor: &Actor, asked: &Asked) -> Result<Activity, Problem> {
    let filter = asked.scope().filter(actor)?;
    let active = app.store.count_active(&filter).await?;
    let (new, users) = app.store.count_new(&filter).await?;
    let new: HashMap<UnixMs, u64> = new.into_iter().collect();
    let mut week = [[0_u64; 24]; 7];
    for hour in app
        .store
        .sum_rollups(&filter, GroupBy::Nothing, Piece::Hour)
        .await?
    {
        let (day, of_day) = at_in_week(hour.bucket_ms);
        if let Some(slot) = week.get_mut(day).and_then(|hours| hours.get_mut(of_day)) {
            *slot = slot.saturating_add(hour.requests);
        }
    }
    let day = |(day, active): (UnixMs, u64)| ActiveUsers {
        day: Timestamp::from_ms(day),
        active,
        new: new.get(&day).copied().unwrap_or(0),
    };
    Ok(Activity {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        users,
        days: active.into_iter().map(day).collect(),
        week,
    })
}

/// The weekday, from Monday on, and the hour of the day, UTC.
fn at_in_week(at: UnixMs) -> (usize, usize) {
    let hours = at.div_euclid(HOUR_MS);
    // The first of January 1970 was a Thursday.
    let day = (hours.div_euclid(24) + 3).rem_euclid(7);
    let part = |n: i64| usize::try_from(n).unwrap_or(0);
    (part(day), part(hours.rem_euclid(24)))
}

/// How models and endpoints do.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn performance(app: &App, actor: &Actor, asked: &Asked) -> Result<PerformanceReport, Problem> {
    let scope = asked.scope();
    let latencies = app.store.sum_latencies(&scope.filter(actor)?).await?;
    let (mut by_model, mut by_endpoint) = (HashMap::new(), HashMap::new());
    for ((model, endpoint), latency) in &latencies {
        let merge = |sums: &mut HashMap<String, Latency>, id: &String| {
            sums.entry(id.clone()).or_default().merge(latency);
        };
        merge(&mut by_model, model);
        merge(&mut by_endpoint, endpoint);
    }
    let report = async |by, latencies: HashMap<String, Latency>| -> Result<Vec<Performance>, Problem> {
        let groups = usage::top(app, actor, &scope, by, usize::MAX).await?;
        let row = |group: ccag_admin_api::UsageGroup| {
            let id = group.id.unwrap_or_default();
            let latency = latencies.get(&id).cloned().unwrap_or_default();
            Performance {
                first_token: percentiles(|permille| latency.first_token_ms(permille)),
                totals: UsageTotals {
                    duration: percentiles(|permille| latency.duration_ms(permille)),
                    ..group.totals
                },
                name: group.name,
                id,
            }
        };
        Ok(groups.into_iter().map(row).collect())
    };
    Ok(PerformanceReport {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        models: report(ApiGroupBy::Model, by_model).await?,
        endpoints: report(ApiGroupBy::Endpoint, by_endpoint).await?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday() {
        // 2026-11-26, a Thursday, 21:00.
        let thursday = 1_795_726_800_000;
        assert_eq!(at_in_week(thursday), (3, 21));
        assert_eq!(at_in_week(piece_start(Step::Week, thursday)), (0, 0));
        assert_eq!(piece_start(Step::Month, thursday), 1_793_491_200_000);
    }

    #[test]
    fn lists_and_ranges_are_looked_at() {
        let query = AnalyticsQuery {
            team_id: Some("team_1, none,".into()),
            days: Some(2),
            ..AnalyticsQuery::default()
        };
        let asked = Asked::read(&query, 10 * DAY_MS).unwrap();
        assert_eq!(asked.only.teams, ["team_1", ""]);
        let before = asked.before();
        assert_eq!(before.range.to_ms, asked.range.from_ms);
        let long = AnalyticsQuery {
            step: Some(Step::Hour),
            days: Some(90),
            ..AnalyticsQuery::default()
        };
        let refused = Asked::read(&long, 100 * DAY_MS).unwrap_err();
        assert_eq!(refused.field.as_deref(), Some("step"));
    }
}
