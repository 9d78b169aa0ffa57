//! What was used, for those who may see it: admins and auditors everything, team managers what their team pays for,
//! members their own.

use super::{App, catalogue, views};
use crate::latency::Latency;
use crate::store::{GroupBy, LedgerFilter, OnlyOf, Piece, Question, RollupFilter, RollupSum};
use ccag_admin_api::{
    ExportQuery, GroupBy as ApiGroupBy, LedgerRow, Percentiles, TimeRange, Timestamp, UsageGroup, UsageQuery,
    UsageSummary, UsageTotals,
};
use ccag_domain::time::{DAY_MS, hour_bucket};
use ccag_domain::{Actor, Area, Code, KeyId, ModelName, Permission, Problem, Reach, TeamId, UnixMs, UserId};
use futures_util::Stream;
use std::collections::HashMap;

/// How many rows an export reads at a time.
const EXPORT_PAGE: u64 = 1_000;

/// Which usage to look at. Sums are kept by the hour: hours that begin in `from_ms..to_ms` count, where `from_ms` is
/// rounded down to its hour.
#[derive(Debug, Clone)]
pub struct Scope {
    /// The first moment.
    pub from_ms: UnixMs,
    /// The first moment after.
    pub to_ms: UnixMs,
    /// Only this user's.
    pub user_id: Option<UserId>,
    /// Only this team's.
    pub team_id: Option<TeamId>,
    /// Only this key's.
    pub key_id: Option<KeyId>,
    /// Only this model's, by its canonical name.
    pub model: Option<String>,
    /// Of these only.
    pub only: OnlyOf,
}

impl Scope {
    /// Everything within a range.
    #[must_use]
    pub fn new(from_ms: UnixMs, to_ms: UnixMs) -> Self {
        Self {
            from_ms,
            to_ms,
            user_id: None,
            team_id: None,
            key_id: None,
            model: None,
            only: OnlyOf::default(),
        }
    }

    pub(super) fn filter(&self, app: &App, actor: &Actor) -> Result<RollupFilter, Problem> {
        let (user_id, team_id) = whose(actor, self.user_id.as_ref(), self.team_id.as_ref())?;
        // What holds the hour at hand has no end: there is nothing after it, and the sums of days can be taken whole.
        let open = hour_bucket(self.to_ms.saturating_sub(1)) >= hour_bucket(app.now_ms());
        Ok(RollupFilter {
            from_ms: Some(hour_bucket(self.from_ms)),
            to_ms: (!open).then_some(self.to_ms),
            today_ms: open.then(|| app.now_ms().div_euclid(DAY_MS) * DAY_MS),
            user_id,
            team_id,
            key_id: self.key_id.as_ref().map(ToString::to_string),
            model: self.model.clone(),
            of: self.only.clone(),
            ..RollupFilter::default()
        })
    }
}

/// What a key has been used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct KeyUse {
    /// The sums.
    pub totals: UsageTotals,
    /// The hour in which it was last used.
    pub last_hour_ms: UnixMs,
}

/// Whose usage is looked at, by user and by team: a member's own, and a manager's own or what their team pays for, whatever
/// they ask for.
fn whose(
    actor: &Actor,
    user: Option<&UserId>,
    team: Option<&TeamId>,
) -> Result<(Option<String>, Option<String>), Problem> {
    let forbidden = |field: &str, message: &str| Err(Problem::new(Code::Forbidden, message).field(field));
    let (me, own_team) = (actor.user_id(), actor.team_id());
    let asks_own = user.is_some() && user == me;
    let (user, team) = match actor.reach(Permission::Read(Area::Usage)) {
        Reach::Everything => (user, team),
        Reach::Team if asks_own => (me, team),
        Reach::Team if team.is_some() && team != own_team => {
            let message = "Team managers see what their own team pays for; leave `team_id` out.";
            return forbidden("team_id", message);
        }
        Reach::Team => (user, own_team),
        Reach::Own | Reach::Nothing if user.is_some() && !asks_own => {
            return forbidden(
                "user_id",
                "Members see their own usage only; leave `user_id` out.",
            );
        }
        Reach::Own | Reach::Nothing => (me, team),
    };
    Ok((user.map(ToString::to_string), team.map(ToString::to_string)))
}

/// Sums, as the admin API shows them.
///
/// # Errors
/// [`Code::InvalidRequest`] for a range that ends before it begins, [`Code::Forbidden`] if a member asks for others.
pub async fn summary(app: &App, actor: &Actor, query: UsageQuery) -> Result<UsageSummary, Problem> {
    let range = range(query.from, query.to, query.days, app.now_ms())?;
    let scope = Scope {
        from_ms: hour_bucket(range.from_ms),
        to_ms: range.to_ms,
        user_id: query.user_id,
        team_id: query.team_id,
        key_id: query.key_id,
        model: model_name(app, query.model.as_deref()).await?,
        only: OnlyOf::default(),
    };
    let filter = scope.filter(app, actor)?;
    let whole = Question {
        filter: &filter,
        by: GroupBy::Nothing,
        piece: Piece::Whole,
        top: None,
    };
    let grouped = query.group_by.map(|by| Question {
        by: grouped(by),
        piece: if by == ApiGroupBy::Day {
            Piece::Day
        } else {
            Piece::Whole
        },
        ..whole
    });
    let questions: Vec<Question<'_>> = std::iter::once(whole).chain(grouped).collect();
    let (answers, latencies) =
        futures_util::try_join!(app.store.ask(&questions), app.store.sum_latencies(&filter))?;
    let mut answers = answers.into_iter();
    let whole = answers.next().unwrap_or_default();
    let mut total = whole.sums.first().map(totals).unwrap_or_default();
    let mut latency = Latency::default();
    for of in latencies.values() {
        latency.merge(of);
    }
    total.duration = percentiles(|permille| latency.duration_ms(permille));
    let groups = answers.next().unwrap_or_default().sums;
    let groups = match query.group_by {
        Some(ApiGroupBy::Day) => groups
            .into_iter()
            .map(|sum| UsageGroup {
                id: Some(Timestamp::from_ms(sum.bucket_ms).date()),
                name: None,
                totals: totals(&sum),
            })
            .collect(),
        _ => groups.into_iter().map(group).collect(),
    };
    Ok(UsageSummary {
        from: Timestamp::from_ms(scope.from_ms),
        to: Timestamp::from_ms(scope.to_ms),
        group_by: query.group_by,
        total,
        groups,
    })
}

/// The percentiles that are shown, if there was anything to measure.
pub(super) fn percentiles(of: impl Fn(u64) -> Option<u64>) -> Option<Percentiles> {
    Some(Percentiles {
        p50_ms: of(500)?,
        p95_ms: of(950)?,
        p99_ms: of(990)?,
    })
}

/// Sums by the day, UTC, those without usage left out.
pub type Days = Vec<(UnixMs, UsageTotals)>;

/// Sums by the day over one range, and the `count` dearest of each of some kinds, with their names, over another; in one
/// statement.
///
/// # Errors
/// As [`summary`].
pub async fn days_and_top(
    app: &App,
    actor: &Actor,
    days: &Scope,
    scope: &Scope,
    kinds: &[ApiGroupBy],
    count: u64,
) -> Result<(Days, Vec<Vec<UsageGroup>>), Problem> {
    let (days, filter) = (days.filter(app, actor)?, scope.filter(app, actor)?);
    let mut questions = vec![Question {
        filter: &days,
        by: GroupBy::Nothing,
        piece: Piece::Day,
        top: None,
    }];
    questions.extend(kinds.iter().map(|by| Question {
        filter: &filter,
        by: grouped(*by),
        piece: Piece::Whole,
        top: Some(count),
    }));
    let mut answers = app.store.ask(&questions).await?.into_iter();
    let days = answers.next().unwrap_or_default().sums;
    let days = days.iter().map(|day| (day.bucket_ms, totals(day))).collect();
    let tops = answers.map(|answer| answer.sums.into_iter().map(group).collect());
    Ok((days, tops.collect()))
}

/// Sums by team, user, key, model or endpoint, the `count` dearest, with their names.
///
/// # Errors
/// As [`summary`].
pub async fn top(
    app: &App,
    actor: &Actor,
    scope: &Scope,
    by: ApiGroupBy,
    count: u64,
) -> Result<Vec<UsageGroup>, Problem> {
    let filter = scope.filter(app, actor)?;
    let question = Question {
        filter: &filter,
        by: grouped(by),
        piece: Piece::Whole,
        top: Some(count),
    };
    let sums = app.store.answer(question).await?.sums;
    Ok(sums.into_iter().map(group).collect())
}

/// A group as people see it.
pub(super) fn group(sum: RollupSum) -> UsageGroup {
    let totals = totals(&sum);
    UsageGroup {
        id: (!sum.group.is_empty()).then_some(sum.group),
        name: sum.name,
        totals,
    }
}

/// What is kept apart for a question of the API; days are told apart by time.
pub(super) const fn grouped(by: ApiGroupBy) -> GroupBy {
    match by {
        ApiGroupBy::Team => GroupBy::Team,
        ApiGroupBy::User => GroupBy::User,
        ApiGroupBy::Key => GroupBy::Key,
        ApiGroupBy::Model => GroupBy::Model,
        ApiGroupBy::Endpoint => GroupBy::Endpoint,
        ApiGroupBy::Day => GroupBy::Nothing,
    }
}

/// What these keys have been used for since `from_ms`; keys without usage are left out.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn of_keys(
    app: &App,
    actor: &Actor,
    ids: &[KeyId],
    from_ms: UnixMs,
) -> Result<HashMap<String, KeyUse>, Problem> {
    let filter = RollupFilter {
        key_ids: Some(ids.iter().map(ToString::to_string).collect()),
        ..Scope::new(from_ms, i64::MAX).filter(app, actor)?
    };
    let sums = app.store.sum_rollups(&filter, GroupBy::Key, Piece::Whole).await?;
    let of = |sum: RollupSum| {
        let of_key = KeyUse {
            totals: totals(&sum),
            last_hour_ms: sum.last_bucket_ms,
        };
        (sum.group, of_key)
    };
    Ok(sums.into_iter().map(of).collect())
}

/// The ledger, page by page, the oldest first, in memory that does not grow with it.
///
/// # Errors
/// As [`summary`]; the items of the stream fail if the database does.
pub async fn export(
    app: &App,
    actor: &Actor,
    query: &ExportQuery,
) -> Result<impl Stream<Item = Result<Vec<LedgerRow>, Problem>> + Send + use<>, Problem> {
    let range = range(query.from, query.to, query.days, app.now_ms())?;
    let (user_id, team_id) = whose(actor, query.user_id.as_ref(), query.team_id.as_ref())?;
    let filter = LedgerFilter {
        from_ms: Some(range.from_ms),
        to_ms: Some(range.to_ms),
        user_id,
        team_id,
        key_id: query.key_id.as_ref().map(ToString::to_string),
        model: model_name(app, query.model.as_deref()).await?,
    };
    let show_bedrock = actor.may_all(Permission::Read(Area::Endpoints));
    let start = (app.clone(), filter, Some(None::<(UnixMs, String)>));
    Ok(futures_util::stream::try_unfold(
        start,
        move |(app, filter, position)| async move {
            let Some(after) = position else {
                return Ok(None);
            };
            let cursor = after.as_ref().map(|(at_ms, id)| (*at_ms, id.as_str()));
            let page = app.store.list_usage(&filter, cursor, EXPORT_PAGE).await?;
            let full = page.len() as u64 == EXPORT_PAGE;
            let next = match page.last() {
                Some(last) if full => Some(Some((last.started_at_ms, last.id.clone()))),
                _ => None,
            };
            let rows = page
                .into_iter()
                .map(|row| views::ledger(row, show_bedrock))
                .collect::<Result<Vec<_>, _>>()?;
            Ok(Some((rows, (app, filter, next))))
        },
    ))
}

pub(super) fn range(
    from: Option<Timestamp>,
    to: Option<Timestamp>,
    days: Option<u32>,
    now_ms: UnixMs,
) -> Result<TimeRange, Problem> {
    TimeRange::resolve(from, to, days, now_ms).ok_or_else(|| {
        Problem::new(
            Code::InvalidRequest,
            "The range ends before it begins; exchange `from` and `to`.",
        )
        .field("from")
    })
}

/// The name under which a model stands in the ledger, from any of its names.
pub(super) async fn model_name(app: &App, asked: Option<&str>) -> Result<Option<String>, Problem> {
    let Some(asked) = asked else {
        return Ok(None);
    };
    let models = catalogue::models(&app.store.list_models().await?)?;
    let found = catalogue::find(&models, asked).map(|model| model.name.clone());
    Ok(Some(
        found.unwrap_or_else(|| ModelName::canonical(asked)).to_string(),
    ))
}

pub(super) async fn names(
    app: &App,
    by: ApiGroupBy,
    ids: &[String],
) -> Result<HashMap<String, String>, Problem> {
    let store = &app.store;
    let mut found = Vec::new();
    // A statement takes only so many values.
    for ids in ids.chunks(5_000) {
        found.extend(match by {
            ApiGroupBy::Team => store.list_team_names(ids).await?,
            ApiGroupBy::User => store.list_user_names(ids).await?,
            ApiGroupBy::Key => store.list_key_names(ids).await?,
            ApiGroupBy::Model | ApiGroupBy::Endpoint | ApiGroupBy::Day => Vec::new(),
        });
    }
    match by {
        ApiGroupBy::Model => {
            let models = store.list_models().await?;
            found.extend(models.into_iter().map(|row| (row.name, row.display_name)));
        }
        ApiGroupBy::Endpoint => {
            let endpoints = store.list_endpoints().await?;
            found.extend(endpoints.into_iter().map(|row| (row.id, row.name)));
        }
        ApiGroupBy::Team | ApiGroupBy::User | ApiGroupBy::Key | ApiGroupBy::Day => {}
    }
    Ok(found.into_iter().collect())
}

pub(super) fn totals(sum: &RollupSum) -> UsageTotals {
    UsageTotals {
        requests: sum.requests,
        errors: sum.errors,
        input_tokens: sum.tokens.input,
        output_tokens: sum.tokens.output,
        cache_read_tokens: sum.tokens.cache_read,
        cache_write_5m_tokens: sum.tokens.cache_write_5m,
        cache_write_1h_tokens: sum.tokens.cache_write_1h,
        cost_nano_usd: sum.cost,
        duration: None,
    }
}

pub(super) fn add(sum: &mut UsageTotals, other: &UsageTotals) {
    sum.requests += other.requests;
    sum.errors += other.errors;
    sum.input_tokens += other.input_tokens;
    sum.output_tokens += other.output_tokens;
    sum.cache_read_tokens += other.cache_read_tokens;
    sum.cache_write_5m_tokens += other.cache_write_5m_tokens;
    sum.cache_write_1h_tokens += other.cache_write_1h_tokens;
    sum.cost_nano_usd += other.cost_nano_usd;
}
