//! What is asked of calls of tools. They are kept by whole days: the edges of a range are rounded outwards.

use super::cubes::{Dims, Facts};
use super::packs;
use super::packs::answer::{Unnamed, foremost};
use super::packs::groups::Tally;
use super::packs::lines::Group;
use super::packs::sum::{Asked, Plan};
use super::questions::Sql;
use super::reading::Reading;
use super::rollups::{GroupBy, OnlyOf, Piece, RollupFilter};
use super::seen::days;
use super::{Store, StoreError};
use ccag_domain::{UnixMs, mcp_server};
use sea_orm::FromQueryResult;
use std::collections::HashMap;

/// What calls of tools are kept apart by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ToolsBy {
    Tool,
    Server,
    Team,
    User,
    Key,
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
    /// As [`RollupFilter::of_tools`] makes it.
    pub(crate) filter: &'a RollupFilter,
    pub(crate) by: ToolsBy,
    pub(crate) piece: Piece,
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

/// Calls of a group in a piece of time, and how many failed.
struct Called {
    at: UnixMs,
    group: Group,
    calls: i64,
    failed: i64,
}

fn count(n: i64) -> u64 {
    u64::try_from(n).unwrap_or(0)
}

impl ToolsBy {
    const fn dims(self) -> Dims {
        match self {
            Self::Tool | Self::Server => Dims::TOOL,
            Self::Team => Dims::TEAM,
            Self::User => Dims::USER,
            Self::Key => Dims::KEY,
        }
    }

    const fn column(self) -> &'static str {
        match self {
            Self::Tool => "tool",
            Self::Server => "server",
            Self::Team => "team_id",
            Self::User => "user_id",
            Self::Key => "key_id",
        }
    }

    /// Where the names of the groups are: table, id and name.
    fn names(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Tool | Self::Server => None,
            Self::Team => GroupBy::Team.names(),
            Self::User => GroupBy::User.names(),
            Self::Key => GroupBy::Key.names(),
        }
    }
}

impl RollupFilter {
    /// The same of calls of these tools: by whole days, and at whatever endpoint, which is not kept of them.
    pub(crate) fn of_tools(self, only: &OnlyTools) -> Self {
        let (from_ms, to_ms) = days(&self);
        Self {
            from_ms,
            to_ms,
            of: OnlyOf {
                endpoints: Vec::new(),
                ..self.of
            },
            tools: only.clone(),
            ..self
        }
    }
}

impl ToolQuestion<'_> {
    fn reading(&self) -> Reading {
        Reading {
            facts: Facts::Tools,
            dims: self.filter.dims().and(self.by.dims()),
            piece: self.piece,
            latency: false,
            complete_from: 0,
        }
    }

    /// Whether it is answered from packs, those of few teams as well: no index finds their rows. Users and keys of each day would
    /// be too many to keep in memory.
    fn is_wide(&self) -> bool {
        Store::is_of_many(Facts::Tools, self.filter, self.by.dims())
            && (self.piece == Piece::Whole || !matches!(self.by, ToolsBy::User | ToolsBy::Key))
    }

    /// How it is answered from packs, where a tool stands for its server.
    fn plan(&self) -> Plan {
        let by = match self.by {
            ToolsBy::Server => ToolsBy::Tool,
            by => by,
        };
        Plan::of_tools(by.column(), self.piece)
    }
}

impl Store {
    /// Answers questions about tools: those that would read many rows from packs, the others in one statement.
    pub(crate) async fn ask_tools(
        &self,
        questions: &[ToolQuestion<'_>],
    ) -> Result<Vec<ToolAnswer>, StoreError> {
        let packed = self.complete_from().await? == 0;
        let is_wide = |asked: &ToolQuestion<'_>| packed && asked.is_wide();
        let (wide, narrow): (Vec<ToolQuestion<'_>>, Vec<ToolQuestion<'_>>) =
            questions.iter().partition(|asked| is_wide(asked));
        let answers = futures_util::try_join!(self.ask_tool_packs(&wide), self.ask_tool_rows(&narrow))?;
        Ok(packs::in_order(questions, is_wide, answers))
    }

    async fn ask_tool_packs(&self, questions: &[ToolQuestion<'_>]) -> Result<Vec<ToolAnswer>, StoreError> {
        let asked = questions.iter().map(|asked| Asked {
            filter: asked.filter,
            reading: asked.reading(),
            plan: asked.plan(),
        });
        let tallies = self.tallies(asked.collect()).await?;
        let mut answers = Vec::with_capacity(questions.len());
        let mut found: Vec<Vec<Called>> = Vec::with_capacity(questions.len());
        for (asked, tally) in questions.iter().zip(tallies) {
            let called = called(tally);
            let mut answer = ToolAnswer {
                groups: called.len() as u64,
                ..ToolAnswer::default()
            };
            for one in &called {
                answer.calls += count(one.calls);
                answer.failed += count(one.failed);
            }
            answers.push(answer);
            found.push(match asked.by {
                // They are put together by server first.
                ToolsBy::Server => called,
                _ => foremost(called, asked.top, |one| one.calls),
            });
        }
        let unnamed = questions.iter().zip(&found).map(|(asked, called)| {
            let groups = called.iter().map(|one| &one.group);
            Unnamed::of(asked.by.names(), groups)
        });
        let names = self.names(&unnamed.collect::<Vec<_>>()).await?;
        for (((asked, answer), called), names) in questions.iter().zip(&mut answers).zip(found).zip(names) {
            let mut sums: HashMap<(UnixMs, String), ToolSum> = HashMap::with_capacity(called.len());
            for one in called {
                let (id, name) = names.get(&one.group).cloned().unwrap_or_default();
                let (group, server) = match asked.by {
                    ToolsBy::Tool => {
                        let server = mcp_server(&id).unwrap_or_default().to_owned();
                        (id, server)
                    }
                    ToolsBy::Server => {
                        let server = mcp_server(&id).unwrap_or_default().to_owned();
                        (server.clone(), server)
                    }
                    _ => (id, String::new()),
                };
                let sum = sums.entry((one.at, group.clone())).or_insert_with(|| ToolSum {
                    group,
                    name,
                    server,
                    start_ms: one.at,
                    ..ToolSum::default()
                });
                sum.calls += count(one.calls);
                sum.failed += count(one.failed);
            }
            if asked.by == ToolsBy::Server {
                answer.groups = sums.len() as u64;
            }
            let mut sums: Vec<ToolSum> = sums.into_values().collect();
            sums.sort_by(|a, b| {
                let (one, other) = ((&a.group, a.start_ms), (&b.group, b.start_ms));
                b.calls.cmp(&a.calls).then_with(|| one.cmp(&other))
            });
            sums.truncate(usize::try_from(asked.top).unwrap_or(usize::MAX));
            sums.sort_by_key(|sum| sum.start_ms);
            answer.sums = sums;
        }
        Ok(answers)
    }

    async fn ask_tool_rows(&self, questions: &[ToolQuestion<'_>]) -> Result<Vec<ToolAnswer>, StoreError> {
        if questions.is_empty() {
            return Ok(Vec::new());
        }
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
            let columns = format!(
                "START AS start, {} AS group_key, server, calls, failed",
                self.loose(asked.by.column())
            );
            sql.parts(asked.filter, &asked.reading(), &columns, "");
            sql.say(") AS parts GROUP BY start, group_key) ");
        }
        for (n, asked) in questions.iter().enumerate() {
            if n > 0 {
                sql.say(" UNION ALL ");
            }
            let named = match asked.by.names() {
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
                top = asked.top.min(i64::MAX.unsigned_abs()),
            ));
        }
        sql.say(" ORDER BY question, bucket, calls DESC, group_key");
        let columns = [
            "question",
            "bucket",
            "group_key",
            "name",
            "server",
            "calls",
            "failed",
            "groups",
            "all_calls",
            "all_failed",
        ];
        let columns = columns.map(ToOwned::to_owned).into();
        let mut answers = vec![ToolAnswer::default(); questions.len()];
        for row in self.read::<ToolRow>(sql.made(self), columns).await? {
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
}

/// The groups of a tally.
fn called(tally: Tally) -> Vec<Called> {
    let Tally::Sums(groups) = tally else {
        return Vec::new();
    };
    let one = |((at, group), [calls, failed, ..]): ((i64, Group), [i64; 9])| Called {
        at,
        group,
        calls,
        failed,
    };
    groups.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::time::DAY_MS;

    #[test]
    fn months_are_read_whole_and_days_at_the_edges() {
        // 2026-11-01.
        let november = 1_793_491_200_000;
        let range = RollupFilter {
            from_ms: Some(november - 2 * DAY_MS + 1),
            to_ms: Some(november + 31 * DAY_MS),
            ..RollupFilter::default()
        };
        let parts = |by, piece, only: OnlyTools| {
            let filter = range.clone().of_tools(&only);
            let asked = ToolQuestion {
                filter: &filter,
                by,
                piece,
                top: 1,
            };
            let day = |at: Option<UnixMs>| at.map_or(-99, |at| (at - november) / DAY_MS);
            let parts = asked.reading().parts(filter.from_ms, filter.to_ms);
            parts
                .into_iter()
                .map(|part| (part.cube.unwrap().name, day(part.from), day(part.to)))
                .collect::<Vec<_>>()
        };
        let all = OnlyTools::default();
        assert_eq!(
            parts(ToolsBy::Tool, Piece::Whole, all.clone()),
            [("day-team", -2, 0), ("month-team", 0, 30), ("day-team", 30, 31)]
        );
        assert_eq!(
            parts(ToolsBy::Server, Piece::Day, all.clone()),
            [("day-team", -2, 31)]
        );
        assert_eq!(
            parts(ToolsBy::User, Piece::Whole, all),
            [
                ("day-caller", -2, 0),
                ("month-caller", 0, 30),
                ("day-caller", 30, 31)
            ]
        );
        let chosen = OnlyTools {
            tools: vec!["Bash".into()],
            servers: Vec::new(),
        };
        assert_eq!(parts(ToolsBy::User, Piece::Whole, chosen), [("day-all", -2, 31)]);
    }
}
