//! Hourly sums of the ledger: all that analytics ever reads.

use super::entity::usage_rollup::{Column as C, Entity, Model};
use super::{Store, StoreError, dialect};
use crate::latency::Latency;
use ccag_domain::{NanoUsd, Tokens, UnixMs};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, Func, OnConflict, SimpleExpr};
use sea_orm::{
    ColumnTrait, Condition, DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel, Iterable,
    QueryFilter, QueryOrder, QuerySelect,
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
}

/// What to keep apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Nothing,
    Hour,
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
    /// The start of the hour, where hours are kept apart.
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
    /// Adds up the sums that a filter selects, dearest group first, or hours in order.
    pub(crate) async fn sum_rollups(
        &self,
        filter: &RollupFilter,
        group_by: GroupBy,
    ) -> Result<Vec<RollupSum>, StoreError> {
        let mut query = Entity::find().select_only().filter(condition(filter));
        for column in SUMS {
            query = query.expr_as(sum_of(column), sea_orm::IdenStatic::as_str(&column));
        }
        query = query.expr_as(Expr::col(C::BucketMs).max(), "last_bucket");
        let by = match group_by {
            GroupBy::Nothing | GroupBy::Hour => None,
            GroupBy::Team => Some(C::TeamId),
            GroupBy::User => Some(C::UserId),
            GroupBy::Key => Some(C::KeyId),
            GroupBy::Model => Some(C::Model),
            GroupBy::Endpoint => Some(C::EndpointId),
        };
        query = match by {
            Some(column) => query
                .expr_as(Expr::col(column), "group_key")
                .expr_as(Expr::val(Option::<i64>::None).cast_as("bigint"), "bucket")
                .group_by(column)
                .order_by_desc(sum_of(C::CostNanoUsd))
                .order_by_asc(column),
            None => query.expr_as(Expr::val(Option::<String>::None).cast_as("text"), "group_key"),
        };
        if group_by == GroupBy::Hour {
            query = query
                .expr_as(Expr::col(C::BucketMs), "bucket")
                .group_by(C::BucketMs)
                .order_by_asc(C::BucketMs);
        } else if by.is_none() {
            query = query.expr_as(Expr::val(Option::<i64>::None).cast_as("bigint"), "bucket");
        }
        let rows = query.into_model::<SumRow>().all(&self.db).await?;
        Ok(rows.into_iter().map(Into::into).collect())
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
            let one = Latency::from_json(&row)
                .ok_or_else(|| StoreError::unreadable("usage_rollups_hourly", "bad value in latency"))?;
            sum.merge(&one);
        }
        Ok(sum)
    }
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
    Condition::all()
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
        let count = |n: Option<i64>| u64::try_from(n.unwrap_or(0)).unwrap_or(0);
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
