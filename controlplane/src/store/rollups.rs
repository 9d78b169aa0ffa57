//! Hourly sums of the ledger, and what can be asked of them and of what is summed up further ([`super::cubes`]).

use super::cubes::{self, Dims};
use super::entity::usage_rollup::{Column as C, Entity, Model};
use super::packs::answer::Among;
use super::questions::Question;
use super::tools::OnlyTools;
use super::{Store, StoreError, dialect};
use crate::latency::Latency;
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, Tokens, UnixMs};
use sea_orm::sea_query::{Alias, Expr, ExprTrait, OnConflict};
use sea_orm::{DatabaseTransaction, EntityTrait, FromQueryResult, IntoActiveModel, Iterable};
use std::collections::HashMap;

/// Which sums to add up. Times select whole hours.
#[derive(Debug, Clone, Default)]
pub(crate) struct RollupFilter {
    /// Hours that begin at or after this.
    pub(crate) from_ms: Option<UnixMs>,
    /// Hours that begin before this.
    pub(crate) to_ms: Option<UnixMs>,
    /// Where it has no end, when the day at hand began: what was before is over.
    pub(crate) today_ms: Option<UnixMs>,
    pub(crate) user_id: Option<String>,
    pub(crate) team_id: Option<String>,
    pub(crate) key_id: Option<String>,
    pub(crate) model: Option<String>,
    /// Only these keys'.
    pub(crate) key_ids: Option<Vec<String>>,
    /// Of these only.
    pub(crate) of: OnlyOf,
    /// Calls of these tools only: [`RollupFilter::of_tools`].
    pub(crate) tools: OnlyTools,
    /// Of those that remain of a ranking only.
    pub(crate) among: Option<Among>,
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
    /// By the week, which begins on Monday, UTC.
    Week,
    /// By the month, in UTC.
    Month,
}

impl Piece {
    /// When the piece begins that a day or a month is in.
    pub(super) fn start(self, at: UnixMs) -> UnixMs {
        match self {
            Self::Whole => 0,
            Self::Hour => at,
            Self::Day => cubes::day_start(at),
            Self::Week => at - (at - MONDAY_MS).rem_euclid(WEEK_MS),
            Self::Month => cubes::month_of(at).0,
        }
    }
}

/// The first Monday of 1970.
pub(super) const MONDAY_MS: i64 = 4 * DAY_MS;

pub(super) const WEEK_MS: i64 = 7 * DAY_MS;

/// What to keep apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum GroupBy {
    Nothing,
    Team,
    User,
    Key,
    Model,
    Endpoint,
    /// Why something was lost to cache misses: by the day, and of what was lost only.
    Miss,
}

/// The sum of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct RollupSum {
    /// The id or name of the group, empty for "none" and where nothing is kept apart.
    pub(crate) group: String,
    /// What people call the group.
    pub(crate) name: Option<String>,
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
pub(super) struct SumRow {
    group_key: Option<String>,
    name: Option<String>,
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
    let all = sums.clone();
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
    cubes::add(tx, all).await
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
        by: GroupBy,
        piece: Piece,
    ) -> Result<Vec<RollupSum>, StoreError> {
        let question = Question {
            filter,
            by,
            piece,
            top: None,
        };
        Ok(self.answer(question).await?.sums)
    }
}

impl RollupFilter {
    /// Which values are selected, by column.
    pub(super) fn lists(&self) -> Vec<(&'static str, Vec<String>)> {
        let of = &self.of;
        let lists = [
            ("team_id", &of.teams),
            ("user_id", &of.users),
            ("key_id", &of.keys),
            ("model", &of.models),
            ("endpoint_id", &of.endpoints),
            ("tool", &self.tools.tools),
            ("server", &self.tools.servers),
        ];
        let mut found: Vec<(&'static str, Vec<String>)> = lists
            .into_iter()
            .filter(|(_, ids)| !ids.is_empty())
            .map(|(column, ids)| (column, ids.clone()))
            .collect();
        let singles = [
            ("user_id", &self.user_id),
            ("team_id", &self.team_id),
            ("key_id", &self.key_id),
            ("model", &self.model),
        ];
        for (column, id) in singles {
            found.extend(id.as_ref().map(|id| (column, vec![id.clone()])));
        }
        found.extend(self.key_ids.as_ref().map(|ids| ("key_id", ids.clone())));
        found
    }

    /// What has to be kept apart to select by it.
    pub(super) fn dims(&self) -> Dims {
        let columns = self.lists().into_iter().map(|(column, _)| column);
        columns
            .chain(self.among.as_ref().map(|among| among.column))
            .map(|column| match column {
                "team_id" => Dims::TEAM,
                "user_id" => Dims::USER,
                "key_id" => Dims::KEY,
                "model" => Dims::MODEL,
                "tool" | "server" => Dims::TOOL,
                _ => Dims::ENDPOINT,
            })
            .fold(Dims::NONE, Dims::and)
    }
}

pub(super) fn read_latency(text: &str) -> Result<Latency, StoreError> {
    Latency::from_json(text)
        .ok_or_else(|| StoreError::unreadable("usage_rollups_hourly", "bad value in latency"))
}

fn count(n: Option<i64>) -> u64 {
    u64::try_from(n.unwrap_or(0)).unwrap_or(0)
}

impl From<SumRow> for RollupSum {
    fn from(row: SumRow) -> Self {
        Self {
            group: row.group_key.unwrap_or_default(),
            name: row.name,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weeks_begin_on_monday_and_months_with_their_first_day() {
        // 2026-11-26, a Thursday.
        let thursday = 1_795_651_200_000;
        assert_eq!(Piece::Day.start(thursday), thursday);
        assert_eq!(Piece::Week.start(thursday), thursday - 3 * DAY_MS);
        assert_eq!(Piece::Week.start(thursday - 3 * DAY_MS), thursday - 3 * DAY_MS);
        assert_eq!(Piece::Week.start(thursday - 4 * DAY_MS), thursday - 10 * DAY_MS);
        assert_eq!(Piece::Month.start(thursday), thursday - 25 * DAY_MS);
    }
}
