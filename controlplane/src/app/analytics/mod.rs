//! What was used over time, by whom and by what. All of it comes from sums that are kept, whatever its size.

mod forecast;
mod seen;
mod spend;
mod stream;
mod sums;
mod what_if;

pub use forecast::forecast;

pub use seen::{ToolsGroup, ToolsRanked, ToolsSeen, cache_misses, sessions, tools, tools_seen};
pub use spend::{Few, Ranked, Spent, spent};
pub use stream::{stream, stream_tools};
pub use what_if::what_if;

pub use sums::{Choices, choices, grouped, named, saved_by_cache, sum};

use super::App;
use super::usage::{self, Scope, percentiles};
use crate::latency::Latency;
use crate::store::{GroupBy, OnlyOf, Piece, Question, RollupFilter, RollupSum};
use ccag_admin_api::{
    ActiveUsers, Activity, Analytics, AnalyticsQuery, CacheMissReport, GroupBy as ApiGroupBy, Performance,
    PerformanceReport, Step, TimeRange, Timestamp, UsageTotals,
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

const fn piece(step: Step) -> Piece {
    match step {
        Step::Hour => Piece::Hour,
        Step::Day => Piece::Day,
        Step::Week => Piece::Week,
        Step::Month => Piece::Month,
    }
}

/// The sums of a group in a piece of time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Cell {
    /// When the piece begins.
    pub start_ms: UnixMs,
    /// The group's id or name; empty for none.
    pub group: String,
    /// What people call the group.
    pub name: Option<String>,
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
    let filter = asked.scope().filter(app, actor)?;
    let answer = app.store.answer(asked.question(&filter, by)).await?;
    Ok(in_pieces(asked.step, answer.sums))
}

impl Asked {
    /// The question for sums by pieces of time and groups.
    fn question<'a>(&self, filter: &'a RollupFilter, by: Option<ApiGroupBy>) -> Question<'a> {
        Question {
            filter,
            by: by.map_or(GroupBy::Nothing, usage::grouped),
            piece: piece(self.step),
            top: None,
        }
    }
}

/// Sums of hours or days as those of the pieces they belong to.
fn in_pieces(step: Step, sums: Vec<RollupSum>) -> Vec<Cell> {
    let mut pieces: BTreeMap<UnixMs, HashMap<String, Cell>> = BTreeMap::new();
    for sum in sums {
        let start_ms = piece_start(step, sum.bucket_ms);
        let groups = pieces.entry(start_ms).or_default();
        let totals = usage::totals(&sum);
        let cell = groups.entry(sum.group.clone()).or_insert_with(|| Cell {
            start_ms,
            group: sum.group,
            name: sum.name,
            totals: UsageTotals::default(),
        });
        usage::add(&mut cell.totals, &totals);
    }
    let in_order = |groups: HashMap<String, Cell>| {
        let mut cells: Vec<Cell> = groups.into_values().collect();
        cells.sort_by(|a, b| {
            let (one, other) = (a.totals.cost_nano_usd, b.totals.cost_nano_usd);
            other.cmp(&one).then_with(|| a.group.cmp(&b.group))
        });
        cells
    };
    pieces.into_values().flat_map(in_order).collect()
}

/// What a question of the API asks about, and what it keeps apart.
///
/// # Errors
/// As [`Asked::read`]; [`Code::InvalidRequest`] for days as groups.
pub fn asked(app: &App, query: &AnalyticsQuery) -> Result<(Asked, Option<ApiGroupBy>), Problem> {
    let asked = Asked::read(query, app.now_ms())?;
    if query.group_by == Some(ApiGroupBy::Day) {
        let message = "Days are kept apart by `step=day`; group by team, user, key, model or endpoint.";
        return Err(Problem::new(Code::InvalidRequest, message).field("group_by"));
    }
    Ok((asked, query.group_by))
}

/// Sums over time as the admin API shows them, without any.
#[must_use]
pub fn empty(asked: &Asked, by: Option<ApiGroupBy>) -> Analytics {
    Analytics {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        step: asked.step,
        group_by: by,
        cells: Vec::new(),
    }
}

/// Who is active, and when; and how many users were in the time before.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn activity(app: &App, actor: &Actor, asked: &Asked) -> Result<(Activity, u64), Problem> {
    let filter = asked.scope().filter(app, actor)?;
    let before = asked.before().scope().filter(app, actor)?;
    let found = app.store.count_active(&filter, &before).await?;
    let mut week = [[0_u64; 24]; 7];
    for (hour, requests) in found.week {
        let (day, of_day) = at_in_week(hour * HOUR_MS);
        if let Some(slot) = week.get_mut(day).and_then(|hours| hours.get_mut(of_day)) {
            *slot = slot.saturating_add(requests);
        }
    }
    let mut days: Vec<ActiveUsers> = found
        .by_day
        .iter()
        .map(|(day, active)| ActiveUsers {
            day: Timestamp::from_ms(*day),
            active: *active,
            new: found.new_by_day.get(day).copied().unwrap_or(0),
        })
        .collect();
    days.sort_by_key(|day| day.day.ms());
    let activity = Activity {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        users: found.users,
        days,
        week,
    };
    Ok((activity, found.users_before))
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
    Ok(performance_in_time(app, actor, asked).await?.0)
}

/// How models and endpoints do, the sums of models over time, and what was lost to cache misses.
///
/// # Errors
/// As [`performance`].
pub async fn performance_in_time(
    app: &App,
    actor: &Actor,
    asked: &Asked,
) -> Result<(PerformanceReport, Vec<Cell>, CacheMissReport), Problem> {
    let filter = asked.scope().filter(app, actor)?;
    let whole = |by| Question {
        filter: &filter,
        by,
        piece: Piece::Whole,
        top: None,
    };
    let questions = [
        whole(GroupBy::Model),
        whole(GroupBy::Endpoint),
        asked.question(&filter, Some(ApiGroupBy::Model)),
        seen::losses(&filter),
    ];
    let (latencies, answers) =
        futures_util::try_join!(app.store.sum_latencies(&filter), app.store.ask(&questions))?;
    let mut answers = answers.into_iter();
    let (mut by_model, mut by_endpoint) = (HashMap::new(), HashMap::new());
    for ((model, endpoint), latency) in &latencies {
        let merge = |sums: &mut HashMap<String, Latency>, id: &String| {
            sums.entry(id.clone()).or_default().merge(latency);
        };
        merge(&mut by_model, model);
        merge(&mut by_endpoint, endpoint);
    }
    let mut report = |latencies: HashMap<String, Latency>| -> Vec<Performance> {
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
        let sums = answers.next().unwrap_or_default().sums;
        sums.into_iter().map(usage::group).map(row).collect()
    };
    let report = PerformanceReport {
        from: Timestamp::from_ms(asked.range.from_ms),
        to: Timestamp::from_ms(asked.range.to_ms),
        models: report(by_model),
        endpoints: report(by_endpoint),
    };
    let in_time = answers.next().unwrap_or_default().sums;
    let lost = answers.next().unwrap_or_default().sums;
    Ok((report, in_pieces(asked.step, in_time), seen::lost(asked, &lost)))
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
