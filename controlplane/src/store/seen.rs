//! What is asked of tools, of sessions and of what was lost to cache misses. All of it is kept by whole days: the edges of a range
//! are rounded outwards.

use super::cubes::{day_start, month_of};
use super::questions::Sql;
use super::rollups::{GroupBy, RollupFilter};
use super::{Store, StoreError, tool_sums, used_sessions};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::FromQueryResult;

/// What calls of tools are kept apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolsBy {
    Tool,
    Server,
    Team,
    User,
    Key,
}

/// How finely times are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolPiece {
    Whole,
    Day,
    /// Months where there are sums of them, else days.
    Month,
}

/// A choice of tools; what is empty does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct OnlyTools {
    /// Tools, by name.
    pub tools: Vec<String>,
    /// MCP servers; the empty text stands for tools of none.
    pub servers: Vec<String>,
}

/// What is asked of tools.
#[derive(Debug, Clone, Copy)]
pub(crate) struct ToolQuestion<'a> {
    pub(crate) filter: &'a RollupFilter,
    pub(crate) only: &'a OnlyTools,
    pub(crate) by: ToolsBy,
    pub(crate) piece: ToolPiece,
    /// Only so many groups, those with most calls.
    pub(crate) top: u64,
}

/// The calls of one group.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct ToolSum {
    pub(crate) group: String,
    pub(crate) name: Option<String>,
    /// Of a tool, the server that it belongs to.
    pub(crate) server: String,
    pub(crate) start_ms: UnixMs,
    pub(crate) calls: u64,
    pub(crate) failed: u64,
}

/// What comes of a question.
#[derive(Debug, Clone, Default)]
pub(crate) struct ToolAnswer {
    /// Times in order, and in each the most called first.
    pub(crate) sums: Vec<ToolSum>,
    /// How many groups there are in all, and what they come to.
    pub(crate) groups: u64,
    pub(crate) calls: u64,
    pub(crate) failed: u64,
}

#[derive(FromQueryResult)]
struct ToolRow {
    question: i32,
    bucket: i64,
    group_key: String,
    name: Option<String>,
    server: String,
    calls: i64,
    failed: i64,
    groups: i64,
    all_calls: i64,
    all_failed: i64,
}

/// How many sessions began, and what they came to.
#[derive(Debug, Clone, Default, PartialEq, Eq, FromQueryResult)]
pub(crate) struct SessionDay {
    pub(crate) start_ms: i64,
    pub(crate) sessions: i64,
    pub(crate) requests: i64,
    pub(crate) length_ms: i64,
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

/// The days that a range touches.
fn days(filter: &RollupFilter) -> (Option<UnixMs>, Option<UnixMs>) {
    (
        filter.from_ms.map(day_start),
        filter.to_ms.map(|at| day_start(at.saturating_add(DAY_MS - 1))),
    )
}

impl ToolQuestion<'_> {
    /// The cubes that answer it, by the day and, where there is one, by the month.
    fn cubes(&self) -> (&'static str, Option<&'static str>) {
        let lists = self.filter.lists();
        let has = |name: &str| lists.iter().any(|(column, _)| *column == name);
        let of_tools = matches!(self.by, ToolsBy::Tool | ToolsBy::Server)
            || !self.only.tools.is_empty()
            || !self.only.servers.is_empty();
        let of_callers = matches!(self.by, ToolsBy::User | ToolsBy::Key) || has("user_id") || has("key_id");
        if has("model") || (of_tools && of_callers) {
            return (tool_sums::ALL, None);
        }
        let [day, month] = if of_callers {
            tool_sums::CALLER
        } else {
            tool_sums::TEAM
        };
        (day, Some(month).filter(|_| self.piece != ToolPiece::Day))
    }

    /// Rows to read: the cube, and from when to when.
    fn parts(&self) -> Vec<(&'static str, Option<UnixMs>, Option<UnixMs>)> {
        let (from, to) = days(self.filter);
        let (day, month) = self.cubes();
        let Some(month) = month else {
            return vec![(day, from, to)];
        };
        let first = from.map(|at| match month_of(at) {
            (start, _) if start == at => start,
            (_, end) => end,
        });
        let end = to.map(|at| month_of(at).0);
        if let (Some(first), Some(end)) = (first, end)
            && first >= end
        {
            return vec![(day, from, to)];
        }
        let mut parts = vec![(month, first, end)];
        if first != from {
            parts.push((day, from, first));
        }
        if end != to {
            parts.push((day, end, to));
        }
        parts
    }

    const fn group(by: ToolsBy) -> (&'static str, Option<GroupBy>) {
        match by {
            ToolsBy::Tool => ("tool", None),
            ToolsBy::Server => ("server", None),
            ToolsBy::Team => ("team_id", Some(GroupBy::Team)),
            ToolsBy::User => ("user_id", Some(GroupBy::User)),
            ToolsBy::Key => ("key_id", Some(GroupBy::Key)),
        }
    }
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

    fn one_of(&mut self, column: &str, ids: &[String]) {
        self.say(format_args!(" AND {column} IN ("));
        for (n, id) in ids.iter().enumerate() {
            if n > 0 {
                self.say(", ");
            }
            self.bind(id.clone());
        }
        // There may be none.
        self.say(if ids.is_empty() { "NULL)" } else { ")" });
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
    /// Answers questions about tools, in one statement.
    pub(crate) async fn ask_tools(
        &self,
        questions: &[ToolQuestion<'_>],
    ) -> Result<Vec<ToolAnswer>, StoreError> {
        let mut sql = Sql::default();
        for (n, asked) in questions.iter().enumerate() {
            let word = if n == 0 { "WITH" } else { "," };
            // A tool is of one server; of anything else it would say nothing.
            let server = match asked.by {
                ToolsBy::Tool | ToolsBy::Server => "MAX(server)",
                _ => "CAST('' AS TEXT)",
            };
            sql.say(format_args!(
                "{word} called{n} AS (SELECT start, group_key, {server} AS server, CAST(SUM(calls) AS BIGINT) AS calls, \
                 CAST(SUM(failed) AS BIGINT) AS failed FROM ("
            ));
            let start = match asked.piece {
                ToolPiece::Whole => "CAST(0 AS BIGINT)",
                ToolPiece::Day | ToolPiece::Month => "start_ms",
            };
            let group = self.loose(ToolQuestion::group(asked.by).0);
            for (m, (cube, from, to)) in asked.parts().into_iter().enumerate() {
                if m > 0 {
                    sql.say(" UNION ALL ");
                }
                sql.say(format_args!(
                    "SELECT {start} AS start, {group} AS group_key, server, calls, failed FROM tool_sums WHERE cube = '{cube}'"
                ));
                sql.between(from, to);
                sql.whose(asked.filter, &["team_id", "user_id", "key_id", "model"]);
                for (column, names) in [("tool", &asked.only.tools), ("server", &asked.only.servers)] {
                    if !names.is_empty() {
                        sql.one_of(column, names);
                    }
                }
            }
            sql.say(") AS parts GROUP BY start, group_key) ");
        }
        for (n, asked) in questions.iter().enumerate() {
            if n > 0 {
                sql.say(" UNION ALL ");
            }
            let named = match ToolQuestion::group(asked.by).1.and_then(GroupBy::names) {
                Some((table, id, name)) => {
                    format!("(SELECT {name} FROM {table} WHERE {table}.{id} = found.group_key)")
                }
                None => "CAST(NULL AS TEXT)".to_owned(),
            };
            sql.say(format_args!(
                "SELECT CAST({n} AS INTEGER) AS question, found.start AS bucket, found.group_key, {named} AS name, \
                 found.server, found.calls, found.failed, everything.groups, everything.all_calls, everything.all_failed FROM \
                 (SELECT * FROM called{n} ORDER BY calls DESC, group_key, start LIMIT {top}) AS found CROSS JOIN \
                 (SELECT COUNT(*) AS groups, CAST(SUM(calls) AS BIGINT) AS all_calls, \
                 CAST(SUM(failed) AS BIGINT) AS all_failed FROM called{n}) AS everything",
                top = asked.top,
            ));
        }
        sql.say(" ORDER BY question, bucket, calls DESC, group_key");
        let rows = ToolRow::find_by_statement(sql.made(self)).all(&self.db).await?;
        let mut answers = vec![ToolAnswer::default(); questions.len()];
        for row in rows {
            let Some(answer) = usize::try_from(row.question)
                .ok()
                .and_then(|n| answers.get_mut(n))
            else {
                continue;
            };
            answer.groups = count(row.groups);
            answer.calls = count(row.all_calls);
            answer.failed = count(row.all_failed);
            answer.sums.push(ToolSum {
                group: row.group_key,
                name: row.name,
                server: row.server,
                start_ms: row.bucket,
                calls: count(row.calls),
                failed: count(row.failed),
            });
        }
        Ok(answers)
    }

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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn months_are_read_whole_and_days_at_the_edges() {
        // 2026-11-01.
        let november = 1_793_491_200_000;
        let filter = RollupFilter {
            from_ms: Some(november - 2 * DAY_MS + 1),
            to_ms: Some(november + 31 * DAY_MS),
            ..RollupFilter::default()
        };
        let only = OnlyTools::default();
        let parts = |by, piece| {
            let asked = ToolQuestion {
                filter: &filter,
                only: &only,
                by,
                piece,
                top: 1,
            };
            let day = |at: Option<UnixMs>| at.map_or(-99, |at| (at - november) / DAY_MS);
            asked
                .parts()
                .into_iter()
                .map(|(cube, from, to)| (cube, day(from), day(to)))
                .collect::<Vec<_>>()
        };
        assert_eq!(
            parts(ToolsBy::Tool, ToolPiece::Whole),
            [("month-team", 0, 30), ("day-team", -2, 0), ("day-team", 30, 31)]
        );
        assert_eq!(parts(ToolsBy::Server, ToolPiece::Day), [("day-team", -2, 31)]);
        assert_eq!(
            parts(ToolsBy::User, ToolPiece::Whole),
            [
                ("month-caller", 0, 30),
                ("day-caller", -2, 0),
                ("day-caller", 30, 31)
            ]
        );
        let chosen = OnlyTools {
            tools: vec!["Bash".into()],
            servers: Vec::new(),
        };
        let asked = ToolQuestion {
            filter: &filter,
            only: &chosen,
            by: ToolsBy::User,
            piece: ToolPiece::Whole,
            top: 1,
        };
        assert_eq!(asked.parts().len(), 1);
    }
}
