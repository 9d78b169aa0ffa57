//! What is asked of sessions and of what was lost to cache misses. All of it is kept by whole days: the edges of a range are rounded
//! outwards.

use super::cubes::day_start;
use super::questions::Sql;
use super::rollups::RollupFilter;
use super::{Store, StoreError, used_sessions};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::FromQueryResult;

/// How many sessions began, and what they came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromQueryResult)]
pub(crate) struct SessionDay {
    pub(crate) start_ms: i64,
    pub(crate) sessions: i64,
    pub(crate) requests: i64,
    pub(crate) length_ms: i64,
}

/// The days that a range touches.
pub(super) fn days(filter: &RollupFilter) -> (Option<UnixMs>, Option<UnixMs>) {
    (
        filter.from_ms.map(day_start),
        filter.to_ms.map(|at| day_start(at.saturating_add(DAY_MS - 1))),
    )
}

impl Sql {
    /// What a filter says beside times, of what is kept of tools and sessions.
    fn whose(&mut self, filter: &RollupFilter, columns: &[&str]) {
        for (column, ids) in filter.lists() {
            if columns.contains(&column) {
                self.one_of(column, &ids);
            }
        }
    }

    /// What was lost to cache misses by the day and the reason, as an answer to a question: its input tokens are those that
    /// were not read.
    pub(super) fn losses(&mut self, question: usize, filter: &RollupFilter) {
        self.say(format_args!(
            "SELECT CAST({question} AS INTEGER) AS question, start_ms AS bucket, reason AS group_key, \
             CAST(NULL AS TEXT) AS name, start_ms AS last_bucket, CAST(0 AS BIGINT) AS groups, \
             CAST(0 AS BIGINT) AS all_cost, CAST(SUM(requests) AS BIGINT) AS requests, CAST(0 AS BIGINT) AS errors, \
             CAST(SUM(tokens) AS BIGINT) AS input_tokens, CAST(0 AS BIGINT) AS output_tokens, \
             CAST(0 AS BIGINT) AS cache_read_tokens, CAST(0 AS BIGINT) AS cache_write_5m_tokens, \
             CAST(0 AS BIGINT) AS cache_write_1h_tokens, CAST(SUM(cost_nano_usd) AS BIGINT) AS cost_nano_usd \
             FROM cache_losses WHERE 1 = 1"
        ));
        let (from, to) = days(filter);
        self.between(from, to);
        self.whose(filter, &["team_id", "user_id", "key_id", "model", "endpoint_id"]);
        self.say(" GROUP BY start_ms, reason");
    }

    fn between(&mut self, from: Option<UnixMs>, to: Option<UnixMs>) {
        for (at, sign) in [(from, ">="), (to, "<")] {
            if let Some(at) = at {
                self.say(format_args!(" AND start_ms {sign} "));
                self.bind(at);
            }
        }
    }
}

impl Store {
    /// How many sessions began, by the day. Models and endpoints are not known of sessions.
    pub(crate) async fn sum_sessions(&self, filter: &RollupFilter) -> Result<Vec<SessionDay>, StoreError> {
        let lists = filter.lists();
        let of_callers = lists
            .iter()
            .any(|(column, _)| matches!(*column, "user_id" | "key_id"));
        let cube = if of_callers {
            used_sessions::ALL
        } else {
            used_sessions::TEAM
        };
        let mut sql = Sql::default();
        sql.say(format_args!(
            "SELECT start_ms, CAST(SUM(sessions) AS BIGINT) AS sessions, CAST(SUM(requests) AS BIGINT) AS requests, \
             CAST(SUM(length_ms) AS BIGINT) AS length_ms FROM session_sums WHERE cube = '{cube}'"
        ));
        let (from, to) = days(filter);
        sql.between(from, to);
        sql.whose(filter, &["team_id", "user_id", "key_id"]);
        sql.say(" GROUP BY start_ms ORDER BY start_ms");
        Ok(SessionDay::find_by_statement(sql.made(self))
            .all(&self.db)
            .await?)
    }
}
