//! Hourly sums of the ledger: all that analytics ever reads.

use super::entity::usage_rollup::{Column as C, Entity, Model};
use super::{Store, StoreError, dialect};
use crate::latency::Latency;
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, Tokens, UnixMs};
use futures_util::TryStreamExt;
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, OnConflict, Query, SelectStatement, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, ConnectionTrait, DatabaseTransaction, EntityTrait, FromQueryResult,
    IntoActiveModel, Iterable, QueryFilter, QueryOrder, QuerySelect,
};
use std::collections::HashMap;

/// Which sums to add up. Times select whole hours.
#[derive(Debug, Clone, Default)]
pub(crate) struct RollupFilter {
    /// Hours that begin at or after this.
    pub(crate) from_ms: Option<UnixMs>,
    /// Hours that begin before this.
    pub(crate) to_ms: Option<UnixMs>,
    pub(crate) user_id: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) model: Option<String>,
    /// Only these keys'.
    pub(crate) key_ids: Option<Vec<String>>,
    /// Of these only.
    pub(crate) of: OnlyOf,
}

/// A choice of several of each kind; what is empty does not matter, and the empty text stands for "none".
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnlyOf {
    /// Teams.
    pub teams: Vec<String>,
    /// Users.
    pub users: Vec<String>,
    /// Keys.
    pub keys: Vec<String>,
    /// Models, by their canonical names.
    pub models: Vec<String>,
    /// Endpoints.
    pub endpoints: Vec<String>,
}

/// How finely times are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Piece {
    /// Not at all.
    Whole,
    /// By the hour.
    Hour,
    /// By the day, in UTC.
    Day,
}

impl Piece {
    /// The start of the piece that an hour belongs to.
    fn start(self) -> Option<SimpleExpr> {
        match self {
            Self::Whole => None,
            Self::Hour => Some(Expr::col(C::BucketMs)),
            // Written out, so that databases see that it is the same wherever it stands.
            Self::Day => Some(Expr::cust(format!("(bucket_ms - bucket_ms % {DAY_MS})"))),
        }
    }
}

/// What to keep apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Nothing,
    Team,
    User,
    Key,
    Model,
    Endpoint,
}

/// The sum of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RollupSum {
    /// The id or name of the group, empty for "none" and where nothing is kept apart.
    pub(crate) group: String,
    /// The start of the piece of time, where times are kept apart.
    pub(crate) bucket_ms: UnixMs,
    /// The start of the last hour with any usage.
    pub(crate) last_bucket_ms: UnixMs,
    pub(crate) requests: u64,
    pub(crate) errors: u64,
    pub(crate) tokens: Tokens,
    pub(crate) cost: NanoUsd,
}

#[derive(FromQueryResult)]
struct SumRow {
    group_key: Option<String>,
    bucket: Option<i64>,
    last_bucket: Option<i64>,
    requests: Option<i64>,
    errors: Option<i64>,
    input_tokens: Option<i64>,
    output_tokens: Option<i64>,
    cache_read_tokens: Option<i64>,
    cache_write_5m_tokens: Option<i64>,
    cache_write_1h_tokens: Option<i64>,
    cost_nano_usd: Option<i64>,
}

const SUMS: [C; 8] = [
    C::Requests,
    C::Errors,
    C::InputTokens,
    C::OutputTokens,
    C::CacheReadTokens,
    C::CacheWrite5mTokens,
    C::CacheWrite1hTokens,
    C::CostNanoUsd,
];

const KEY: [C; 6] = [
    C::BucketMs,
    C::TeamId,
    C::UserId,
    C::KeyId,
    C::Model,
    C::EndpointId,
];

type RollupKey = (i64, String, String, String, String, String);

fn key_of(row: &Model) -> RollupKey {
    (
        row.bucket_ms,
        row.team_id.clone(),
        row.user_id.clone(),
        row.key_id.clone(),
        row.model.clone(),
        row.endpoint_id.clone(),
    )
}

/// Adds sums to those that are stored. Numbers are added by the database, which locks the rows; histograms are then merged
/// here, row by locked row.
pub(super) async fn add(tx: &DatabaseTransaction, mut sums: Vec<Model>) -> Result<(), StoreError> {
    // The same order everywhere: transactions that touch the same rows wait for each other.
    sums.sort_by_key(key_of);
    let mut latencies: HashMap<RollupKey, String> = HashMap::new();
    for row in &mut sums {
        latencies.insert(key_of(row), std::mem::take(&mut row.latency));
    }
    let size = dialect::rows_per_statement(C::iter().count());
    for chunk in sums.chunks(size) {
        let mut added = OnConflict::columns(KEY);
        for column in SUMS {
            let stored = Expr::col((Entity, column));
            let new = Expr::col((Alias::new("excluded"), column));
            added.value(column, stored.add(new));
        }
        let mut stored = Entity::insert_many(chunk.iter().cloned().map(IntoActiveModel::into_active_model))
            .on_conflict(added)
            .exec_with_returning(tx)
            .await?;
        for row in &mut stored {
            let new = latencies.remove(&key_of(row)).unwrap_or_default();
            row.latency = merged(&row.latency, &new);
        }
        stored.sort_by_key(key_of);
        Entity::insert_many(stored.into_iter().map(IntoActiveModel::into_active_model))
            .on_conflict(OnConflict::columns(KEY).update_column(C::Latency).to_owned())
            .exec_without_returning(tx)
            .await?;
    }
    Ok(())
}

fn merged(stored: &str, new: &str) -> String {
    let mut latency = Latency::from_json(stored).unwrap_or_default();
    latency.merge(&Latency::from_json(new).unwrap_or_default());
    latency.to_json()
}

impl Store {
    /// Adds up the sums that a filter selects: pieces of time in order, and within each the dearest group first.
    pub(crate) async fn sum_rollups(
        &self,
        filter: &RollupFilter,
        group_by: GroupBy,
        piece: Piece,
    ) -> Result<Vec<RollupSum>, StoreError> {
        let mut query = Entity::find().select_only().filter(condition(filter));
        for column in SUMS {
            query = query.expr_as(sum_of(column), sea_orm::IdenStatic::as_str(&column));
        }
        query = query.expr_as(Expr::col(C::BucketMs).max(), "last_bucket");
        query = match piece.start() {
            Some(start) => query
                .expr_as(start.clone(), "bucket")
                .group_by(start.clone())
                .order_by_asc(start),
            None => query.expr_as(Expr::val(Option::<i64>::None).cast_as("bigint"), "bucket"),
        };
        query = match group_by.column() {
            Some(column) => query
                .expr_as(Expr::col(column), "group_key")
                .group_by(column)
                .order_by_desc(sum_of(C::CostNanoUsd))
                .order_by_asc(column),
            None => query.expr_as(Expr::val(Option::<String>::None).cast_as("text"), "group_key"),
        };
        let rows = query.into_model::<SumRow>().all(&self.db).await?;
        Ok(rows.into_iter().map(Into::into).collect())
    }

    /// How many users have asked anything, by day.
    pub(crate) async fn count_active(&self, filter: &RollupFilter) -> Result<Vec<(UnixMs, u64)>, StoreError> {
        let day = Expr::cust(format!("(bucket_ms - bucket_ms % {DAY_MS})"));
        let rows: Vec<(i64, i64)> = Entity::find()
            .select_only()
            .expr_as(day.clone(), "day")
            .expr_as(Expr::col(C::UserId).count_distinct(), "users")
            .filter(condition(filter))
            .filter(C::UserId.ne(""))
            .group_by(day.clone())
            .order_by_asc(day)
            .into_tuple()
            .all(&self.db)
            .await?;
        Ok(rows
            .into_iter()
            .map(|(day, users)| (day, count(Some(users))))
            .collect())
    }

    /// How many different users have asked anything.
    pub(crate) async fn count_askers(&self, filter: &RollupFilter) -> Result<u64, StoreError> {
        let users: Option<i64> = Entity::find()
            .select_only()
            .expr_as(Expr::col(C::UserId).count_distinct(), "users")
            .filter(condition(filter))
            .filter(C::UserId.ne(""))
            .into_tuple()
            .one(&self.db)
            .await?;
        Ok(count(users))
    }

    /// How many users have asked for the first time at all, by day, and how many different ones there are in the range.
    /// "At all" knows no filter but the range.
    pub(crate) async fn count_new(
        &self,
        filter: &RollupFilter,
    ) -> Result<(Vec<(UnixMs, u64)>, u64), StoreError> {
        let first = Query::select()
            .column(C::UserId)
            .expr_as(Expr::col(C::BucketMs).min(), "first")
            .from(Entity)
            .and_where(C::UserId.in_subquery(self::active(filter)))
            .group_by_col(C::UserId)
            .to_owned();
        let day = Expr::cust(format!("(first - first % {DAY_MS})"));
        let query = Query::select()
            .expr_as(day.clone(), "day")
            .expr_as(Expr::cust("COUNT(*)"), "users")
            .from_subquery(first, "firsts")
            .add_group_by([day])
            .to_owned();
        let rows = self.db.query_all(&query).await?;
        let (mut days, mut all) = (Vec::new(), 0);
        for row in rows {
            let (day, users) = (row.try_get::<i64>("", "day")?, row.try_get::<i64>("", "users")?);
            all += count(Some(users));
            if filter
                .from_ms
                .is_none_or(|from| day >= from - from.rem_euclid(DAY_MS))
            {
                days.push((day, count(Some(users))));
            }
        }
        days.sort_unstable();
        Ok((days, all))
    }

    /// The latency histograms by model and endpoint.
    pub(crate) async fn sum_latencies(
        &self,
        filter: &RollupFilter,
    ) -> Result<HashMap<(String, String), Latency>, StoreError> {
        let mut rows = Entity::find()
            .select_only()
            .columns([C::Model, C::EndpointId, C::Latency])
            .filter(condition(filter))
            .into_tuple::<(String, String, String)>()
            .stream(&self.db)
            .await?;
        let mut sums: HashMap<(String, String), Latency> = HashMap::new();
        while let Some((model, endpoint, text)) = rows.try_next().await? {
            sums.entry((model, endpoint))
                .or_default()
                .merge(&read_latency(&text)?);
        }
        Ok(sums)
    }

    /// The latency histogram over everything that a filter selects.
    pub(crate) async fn sum_latency(&self, filter: &RollupFilter) -> Result<Latency, StoreError> {
        let rows: Vec<String> = Entity::find()
            .select_only()
            .column(C::Latency)
            .filter(condition(filter))
            .into_tuple()
            .all(&self.db)
            .await?;
        let mut sum = Latency::default();
        for row in rows {
            sum.merge(&read_latency(&row)?);
        }
        Ok(sum)
    }
}

fn read_latency(text: &str) -> Result<Latency, StoreError> {
    Latency::from_json(text)
        .ok_or_else(|| StoreError::unreadable("usage_rollups_hourly", "bad value in latency"))
}

/// The ids of the users who have asked anything.
fn active(filter: &RollupFilter) -> SelectStatement {
    Query::select()
        .distinct()
        .column(C::UserId)
        .from(Entity)
        .cond_where(condition(filter))
        .and_where(C::UserId.ne(""))
        .to_owned()
}

impl GroupBy {
    const fn column(self) -> Option<C> {
        match self {
            Self::Nothing => None,
            Self::Team => Some(C::TeamId),
            Self::User => Some(C::UserId),
            Self::Key => Some(C::KeyId),
            Self::Model => Some(C::Model),
            Self::Endpoint => Some(C::EndpointId),
        }
    }
}

fn count(n: Option<i64>) -> u64 {
    u64::try_from(n.unwrap_or(0)).unwrap_or(0)
}

/// What everything that a filter selects has cost, in nano-USD.
pub(super) async fn sum_cost(tx: &DatabaseTransaction, filter: &RollupFilter) -> Result<i64, StoreError> {
    let sum: Option<Option<i64>> = Entity::find()
        .select_only()
        .expr_as(sum_of(C::CostNanoUsd), "sum")
        .filter(condition(filter))
        .into_tuple()
        .one(tx)
        .await?;
    Ok(sum.flatten().unwrap_or(0))
}

/// `SUM` of 64-bit integers is a decimal on Postgres: cast back.
fn sum_of(column: C) -> SimpleExpr {
    Expr::expr(Func::sum(Expr::col(column))).cast_as("bigint")
}

fn condition(filter: &RollupFilter) -> Condition {
    let of = &filter.of;
    let chosen = [
        (C::TeamId, &of.teams),
        (C::UserId, &of.users),
        (C::KeyId, &of.keys),
        (C::Model, &of.models),
        (C::EndpointId, &of.endpoints),
    ];
    let chosen = chosen.into_iter().filter(|(_, ids)| !ids.is_empty());
    chosen
        .fold(Condition::all(), |all, (column, ids)| all.add(column.is_in(ids)))
        .add_option(filter.from_ms.map(|at| C::BucketMs.gte(at)))
        .add_option(filter.to_ms.map(|at| C::BucketMs.lt(at)))
        .add_option(filter.user_id.as_ref().map(|id| C::UserId.eq(id)))
        .add_option(filter.team_id.as_ref().map(|id| C::TeamId.eq(id)))
        .add_option(filter.key_id.as_ref().map(|id| C::KeyId.eq(id)))
        .add_option(filter.model.as_ref().map(|name| C::Model.eq(name)))
        .add_option(filter.key_ids.as_ref().map(|ids| C::KeyId.is_in(ids)))
}

impl From<SumRow> for RollupSum {
    fn from(row: SumRow) -> Self {
        Self {
            group: row.group_key.unwrap_or_default(),
            bucket_ms: row.bucket.unwrap_or(0),
            last_bucket_ms: row.last_bucket.unwrap_or(0),
            requests: count(row.requests),
            errors: count(row.errors),
            tokens: Tokens {
                input: count(row.input_tokens),
                output: count(row.output_tokens),
                cache_read: count(row.cache_read_tokens),
                cache_write_5m: count(row.cache_write_5m_tokens),
                cache_write_1h: count(row.cache_write_1h_tokens),
            },
            cost: NanoUsd(row.cost_nano_usd.unwrap_or(0)),
        }
    }
}
