//! What requests have used of quotas lately: the ledger, by model and geography.

use super::entity::usage_record::{Column as C, Entity};
use super::rows::read;
use super::{Store, StoreError};
use ccag_domain::{Geography, Lane, Tokens, UnixMs};
use sea_orm::sea_query::{Expr, ExprTrait, Func, SimpleExpr};
use sea_orm::{ColumnTrait, EntityTrait, FromQueryResult, QueryFilter, QuerySelect};

/// The longest that a request is believed to take: where in the ledger those may stand that ended in a time.
const LONGEST_MS: i64 = 60 * 60_000;

/// What requests for a model in a geography have used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct QuotaSum {
    /// The model's canonical name.
    pub(crate) model: String,
    /// Where they ran.
    pub(crate) geography: Geography,
    pub(crate) requests: u64,
    pub(crate) tokens: Tokens,
}

#[derive(FromQueryResult)]
struct Row {
    model: String,
    geography: String,
    requests: i64,
    input: Option<i64>,
    output: Option<i64>,
    cache_read: Option<i64>,
    write_5m: Option<i64>,
    write_1h: Option<i64>,
}

/// `SUM` of 64-bit integers is a decimal on Postgres: cast back.
fn sum(column: C) -> SimpleExpr {
    Expr::expr(Func::sum(Expr::col(column))).cast_as("bigint")
}

impl Store {
    /// What requests at an endpoint that ended after a moment have used of Bedrock Runtime's quotas: those of bedrock-mantle
    /// count against others.
    pub(crate) async fn sum_quota_use(
        &self,
        endpoint_id: &str,
        since_ms: UnixMs,
    ) -> Result<Vec<QuotaSum>, StoreError> {
        let ended = Expr::col(C::StartedAtMs).add(Expr::col(C::DurationMs));
        let select = Entity::find()
            .select_only()
            .column(C::Model)
            .column(C::Geography)
            .expr_as(C::Id.count(), "requests")
            .expr_as(sum(C::InputTokens), "input")
            .expr_as(sum(C::OutputTokens), "output")
            .expr_as(sum(C::CacheReadTokens), "cache_read")
            .expr_as(sum(C::CacheWrite5mTokens), "write_5m")
            .expr_as(sum(C::CacheWrite1hTokens), "write_1h")
            .filter(C::StartedAtMs.gte(since_ms.saturating_sub(LONGEST_MS)))
            .filter(C::EndpointId.eq(endpoint_id))
            .filter(C::Surface.ne(Lane::Mantle.as_str()))
            .filter(ended.gt(since_ms))
            .group_by(C::Model)
            .group_by(C::Geography);
        let columns = [
            "model",
            "geography",
            "requests",
            "input",
            "output",
            "cache_read",
            "write_5m",
            "write_1h",
        ];
        let rows: Vec<Row> = self.read_some(select, &columns).await?;
        rows.into_iter().map(TryInto::try_into).collect()
    }
}

impl TryFrom<Row> for QuotaSum {
    type Error = StoreError;
    fn try_from(row: Row) -> Result<Self, StoreError> {
        let count = |n: Option<i64>| u64::try_from(n.unwrap_or(0)).unwrap_or(0);
        Ok(Self {
            geography: read("usage_records", "geography", Geography::parse(&row.geography))?,
            model: row.model,
            requests: count(Some(row.requests)),
            tokens: Tokens {
                input: count(row.input),
                output: count(row.output),
                cache_read: count(row.cache_read),
                cache_write_5m: count(row.write_5m),
                cache_write_1h: count(row.write_1h),
            },
        })
    }
}
