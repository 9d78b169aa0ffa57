//! Questions about what was used, any number of them in one statement.

use super::cubes::{Dims, Facts, Grain};
use super::packs::answer::Among;
use super::packs::{self, lines};
use super::reading::{Part, Reading};
use super::rollups::{GroupBy, MONDAY_MS, Piece, RollupFilter, RollupSum, SumRow, WEEK_MS, read_latency};
use super::{Backend, Store, StoreError};
use crate::latency::Latency;
use ccag_domain::time::DAY_MS;
use ccag_domain::{NanoUsd, UnixMs};
use sea_orm::{ConnectionTrait, FromQueryResult, Statement, Value};
use std::collections::HashMap;
use std::fmt::Write;

/// The columns that are added up.
pub(super) const SUMS: [&str; 8] = [
    "requests",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cost_nano_usd",
];

/// A number that is not asked for.
const NONE: &str = "CAST(0 AS BIGINT)";

/// What is asked.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Question<'a> {
    pub(crate) filter: &'a RollupFilter,
    pub(crate) by: GroupBy,
    pub(crate) piece: Piece,
    /// Only so many groups, those that were the dearest in all of the time; the others are counted, and what they cost is summed
    /// up.
    pub(crate) top: Option<u64>,
}

/// What comes of a question.
#[derive(Debug, Clone, Default)]
pub(crate) struct Answer {
    /// Pieces of time in order, and within each the dearest group first.
    pub(crate) sums: Vec<RollupSum>,
    /// How many groups there are beside those, where not all were asked for,
    pub(crate) others: u64,
    /// and what they cost.
    pub(crate) others_cost: NanoUsd,
}

/// Histograms by model and endpoint.
pub(crate) type Latencies = HashMap<(String, String), Latency>;

/// A statement as it is written. Both databases understand `$1`.
#[derive(Default)]
pub(super) struct Sql {
    text: String,
    values: Vec<Value>,
}

impl Sql {
    pub(super) fn say(&mut self, text: impl std::fmt::Display) {
        let _ = write!(self.text, "{text}");
    }

    pub(super) fn is_empty(&self) -> bool {
        self.text.is_empty()
    }

    pub(super) fn bind(&mut self, value: impl Into<Value>) {
        self.values.push(value.into());
        let place = self.values.len();
        self.say(format_args!("${place}"));
    }

    /// `SELECT <columns> FROM … WHERE …<more>` for each part of a reading; `START` in the columns is when a row begins, in the
    /// piece's terms.
    pub(super) fn parts(&mut self, filter: &RollupFilter, reading: &Reading, columns: &str, more: &str) {
        let parts = reading.parts(filter.from_ms, filter.to_ms);
        self.these(parts, reading.piece, filter, columns, more);
    }

    /// The same of these parts.
    pub(super) fn these(
        &mut self,
        parts: Vec<Part>,
        piece: Piece,
        filter: &RollupFilter,
        columns: &str,
        more: &str,
    ) {
        for (n, part) in parts.into_iter().enumerate() {
            if n > 0 {
                self.say(" UNION ALL ");
            }
            let (table, time) = match part.cube {
                Some(cube) => (cube.facts.table(), "start_ms"),
                None => ("usage_rollups_hourly", "bucket_ms"),
            };
            let start = match piece {
                Piece::Whole => "CAST(0 AS BIGINT)".to_owned(),
                Piece::Hour => time.to_owned(),
                // A database groups faster by a column than by what it has to work out.
                Piece::Day if part.cube.is_some_and(|cube| cube.grain == Grain::Day) => time.to_owned(),
                Piece::Week => format!("({time} - ({time} - {MONDAY_MS}) % {WEEK_MS})"),
                // Readings end with months where there are many.
                Piece::Month if part.is_of_one_month() => {
                    format!("CAST({} AS BIGINT)", piece.start(part.from.unwrap_or(0)))
                }
                Piece::Month if part.cube.is_some_and(|cube| cube.grain == Grain::Month) => time.to_owned(),
                Piece::Day | Piece::Month => format!("({time} - {time} % {DAY_MS})"),
            };
            let last = if part.cube.is_some() {
                "last_ms"
            } else {
                "bucket_ms"
            };
            let columns = columns.replace("START", &start).replace("LAST", last);
            self.say(format_args!("SELECT {columns} FROM {table}"));
            if let (Some(_), Some(index)) = (part.cube, filter.among.as_ref().and_then(Among::index)) {
                self.say(format_args!(" INDEXED BY {index}"));
            }
            self.say(" WHERE 1 = 1");
            if let Some(cube) = part.cube {
                self.say(format_args!(" AND cube = '{}'", cube.name));
            }
            for (at, sign) in [(part.from, ">="), (part.to, "<")] {
                if let Some(at) = at {
                    self.say(format_args!(" AND {time} {sign} "));
                    self.bind(at);
                }
            }
            self.chosen(filter);
            self.say(more);
        }
    }

    /// What a filter says beside times.
    fn chosen(&mut self, filter: &RollupFilter) {
        for (column, ids) in filter.lists() {
            self.one_of(column, &ids);
        }
        let Some(among) = &filter.among else { return };
        let numbers: Vec<String> = among.numbers.iter().map(ToString::to_string).collect();
        self.say(format_args!(
            " AND {} IN (SELECT id FROM usage_numbers WHERE number IN ({})",
            among.column,
            if numbers.is_empty() {
                "NULL".to_owned()
            } else {
                numbers.join(", ")
            }
        ));
        for id in &among.ids {
            self.say(" UNION ALL SELECT CAST(");
            self.bind(id.clone());
            self.say(" AS TEXT)");
        }
        self.say(")");
    }

    pub(super) fn one_of(&mut self, column: &str, ids: &[String]) {
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

    pub(super) fn made(self, store: &Store) -> Statement {
        Statement::from_sql_and_values(store.db.get_database_backend(), self.text, self.values)
    }
}

impl GroupBy {
    pub(super) const fn dims(self) -> Dims {
        match self {
            Self::Nothing | Self::Miss => Dims::NONE,
            Self::Team => Dims::TEAM,
            Self::User => Dims::USER,
            Self::Key => Dims::KEY,
            Self::Model => Dims::MODEL,
            Self::Endpoint => Dims::ENDPOINT,
        }
    }

    pub(super) const fn column(self) -> &'static str {
        match self {
            Self::Nothing => "CAST('' AS TEXT)",
            Self::Team => "team_id",
            Self::User => "user_id",
            Self::Key => "key_id",
            Self::Model => "model",
            Self::Endpoint => "endpoint_id",
            Self::Miss => "reason",
        }
    }

    /// Where the names of the groups are: table, id and name.
    pub(super) const fn names(self) -> Option<(&'static str, &'static str, &'static str)> {
        match self {
            Self::Team => Some(("teams", "id", "teams.name")),
            Self::User => Some(("users", "id", "COALESCE(users.display_name, users.username)")),
            Self::Key => Some(("virtual_keys", "id", "virtual_keys.name")),
            Self::Model => Some(("models", "name", "models.display_name")),
            Self::Endpoint => Some(("endpoints", "id", "endpoints.name")),
            Self::Nothing | Self::Miss => None,
        }
    }
}

#[derive(FromQueryResult)]
struct AnswerRow {
    question: i32,
    groups: i64,
    all_cost: i64,
    #[sea_orm(nested)]
    sum: SumRow,
}

/// Whether a question may share what it reads with others: rankings of users and keys read the same rows.
fn shares(question: &Question<'_>) -> bool {
    matches!(question.by, GroupBy::User | GroupBy::Key) && question.top.is_some()
}

impl Question<'_> {
    /// Whether it is better answered from packs, where coarser sums begin then: all of it has to be in them.
    pub(super) fn is_wide(&self, complete_from: UnixMs) -> bool {
        complete_from == 0
            && self.by != GroupBy::Miss
            && Store::is_wide(self.filter, self.by.dims(), self.piece)
    }
}

impl Store {
    /// Answers a question.
    pub(crate) async fn answer(&self, question: Question<'_>) -> Result<Answer, StoreError> {
        let mut answers = self.ask(&[question]).await?;
        Ok(answers.pop().unwrap_or_default())
    }

    /// Answers questions: those that would read many rows from packs, the others in one statement.
    pub(crate) async fn ask(&self, questions: &[Question<'_>]) -> Result<Vec<Answer>, StoreError> {
        let complete_from = self.complete_from().await?;
        let is_wide = |asked: &Question<'_>| asked.is_wide(complete_from);
        let (wide, narrow): (Vec<Question<'_>>, Vec<Question<'_>>) =
            questions.iter().copied().partition(|asked| is_wide(asked));
        let answers = futures_util::try_join!(
            async {
                match wide.is_empty() {
                    true => Ok(Vec::new()),
                    false => self.ask_packs(&wide).await,
                }
            },
            async {
                match narrow.is_empty() {
                    true => Ok(Vec::new()),
                    false => self.ask_rows(&narrow, complete_from).await,
                }
            },
        )?;
        Ok(packs::in_order(questions, is_wide, answers))
    }

    /// Answers questions, in one statement.
    pub(super) async fn ask_rows(
        &self,
        questions: &[Question<'_>],
        complete_from: UnixMs,
    ) -> Result<Vec<Answer>, StoreError> {
        let statement = self.write_down(questions, complete_from);
        let columns = [
            "question",
            "bucket",
            "group_key",
            "name",
            "last_bucket",
            "groups",
            "all_cost",
        ];
        let columns = columns.iter().chain(&SUMS).map(ToString::to_string).collect();
        let rows: Vec<AnswerRow> = self.read(statement, columns).await?;
        let mut answers = vec![Answer::default(); questions.len()];
        for row in rows {
            let Some(answer) = usize::try_from(row.question)
                .ok()
                .and_then(|n| answers.get_mut(n))
            else {
                continue;
            };
            let sum = RollupSum::from(row.sum);
            if row.groups > 0 {
                if answer.sums.is_empty() {
                    answer.others = u64::try_from(row.groups).unwrap_or(0);
                    answer.others_cost = NanoUsd(row.all_cost);
                }
                answer.others = answer.others.saturating_sub(1);
                answer.others_cost.0 = answer.others_cost.0.saturating_sub(sum.cost.0);
            }
            answer.sums.push(sum);
        }
        Ok(answers)
    }

    /// A column to group by. SQLite would rather read all of a cube in the order of the groups than a few days of it and put
    /// those in order: it is not told that there is an index for that order.
    pub(super) fn loose(&self, column: &str) -> String {
        match self.backend {
            Backend::Sqlite => format!("({column} || '')"),
            Backend::Postgres => column.to_owned(),
        }
    }

    /// Which rows a question reads.
    pub(super) fn reading(&self, asked: &Question<'_>, complete_from: UnixMs) -> Reading {
        Reading {
            facts: Facts::Usage,
            dims: asked.filter.dims().and(asked.by.dims()),
            piece: asked.piece,
            latency: false,
            complete_from,
        }
    }

    fn write_down(&self, questions: &[Question<'_>], complete_from: UnixMs) -> Statement {
        let mut sql = Sql::default();
        let sharing = |n: usize| {
            let asked = &questions[n];
            let alike = |other: &Question<'_>| shares(other) && std::ptr::eq(other.filter, asked.filter);
            let mates = questions.iter().filter(|other| alike(other)).count();
            (shares(asked) && mates > 1).then(|| questions.iter().position(alike).unwrap_or(n))
        };
        let totals: Vec<String> = SUMS
            .iter()
            .map(|sum| format!("CAST(SUM({sum}) AS BIGINT) AS {sum}"))
            .collect();
        let (totals, plain) = (totals.join(", "), SUMS.join(", "));
        let mut word = "WITH ";
        for (n, asked) in questions.iter().enumerate() {
            if sharing(n) != Some(n) {
                continue;
            }
            let reading = Reading {
                facts: Facts::Usage,
                dims: asked.filter.dims().and(Dims::USER).and(Dims::KEY),
                piece: Piece::Whole,
                latency: false,
                complete_from,
            };
            sql.say(format_args!(
                "{word}shared{n} AS (SELECT user_id, key_id, SUM(cost_nano_usd) AS cost_nano_usd FROM ("
            ));
            let (user, key) = (self.loose("user_id"), self.loose("key_id"));
            let columns = format!("{user} AS user_id, {key} AS key_id, cost_nano_usd");
            sql.parts(asked.filter, &reading, &columns, "");
            sql.say(") AS parts GROUP BY user_id, key_id) ");
            word = ", ";
        }
        for (n, asked) in questions.iter().enumerate() {
            let Some(top) = asked.top.filter(|_| asked.by != GroupBy::Miss) else {
                continue;
            };
            // Which are the dearest is found by what they cost alone: the rest is added up for few.
            sql.say(format_args!(
                "{word}costs{n} AS (SELECT group_key, SUM(cost_nano_usd) AS cost FROM ("
            ));
            let group = asked.by.column();
            if let Some(shared) = sharing(n) {
                sql.say(format_args!(
                    "SELECT {group} AS group_key, cost_nano_usd FROM shared{shared}"
                ));
            } else {
                let reading = Reading {
                    piece: Piece::Whole,
                    ..self.reading(asked, complete_from)
                };
                let columns = format!("{} AS group_key, cost_nano_usd", self.loose(group));
                sql.parts(asked.filter, &reading, &columns, "");
            }
            sql.say(format_args!(
                ") AS parts GROUP BY group_key), dearest{n} AS (SELECT group_key FROM costs{n} ORDER BY cost DESC, group_key \
                 LIMIT {top}), all{n} AS (SELECT COUNT(*) AS groups, CAST(SUM(cost) AS BIGINT) AS all_cost FROM costs{n}) "
            ));
            word = ", ";
        }
        for (n, asked) in questions.iter().enumerate() {
            if n > 0 {
                sql.say(" UNION ALL ");
            }
            if asked.by == GroupBy::Miss {
                sql.losses(n, asked.filter);
                continue;
            }
            // Of a few out of many they are looked up for those that are left in the end.
            let names = asked.by.names();
            let joined = names.filter(|_| asked.top.is_none());
            let named = match (names, joined) {
                (_, Some((_, _, name))) => name.to_owned(),
                (Some((table, id, name)), None) => {
                    format!("(SELECT {name} FROM {table} WHERE {table}.{id} = found.group_key)")
                }
                (None, None) => "CAST(NULL AS TEXT)".to_owned(),
            };
            let (groups, all_cost) = match asked.top {
                Some(_) => (format!("all{n}.groups"), format!("all{n}.all_cost")),
                None => (NONE.to_owned(), NONE.to_owned()),
            };
            sql.say(format_args!(
                "SELECT CAST({n} AS INTEGER) AS question, found.start AS bucket, found.group_key, {named} AS name, \
                 found.last_hour AS last_bucket, {groups} AS groups, {all_cost} AS all_cost"
            ));
            for sum in SUMS {
                sql.say(format_args!(", found.{sum}"));
            }
            sql.say(format_args!(
                " FROM (SELECT start, group_key, {totals}, MAX(last_hour) AS last_hour FROM ("
            ));
            let group = asked.by.column();
            let more = match asked.top {
                Some(_) => format!(" AND {group} IN (SELECT group_key FROM dearest{n})"),
                None => String::new(),
            };
            let columns = format!(
                "START AS start, {} AS group_key, {plain}, LAST AS last_hour",
                self.loose(group)
            );
            sql.parts(asked.filter, &self.reading(asked, complete_from), &columns, &more);
            sql.say(") AS parts GROUP BY start, group_key) AS found");
            if asked.top.is_some() {
                sql.say(format_args!(" CROSS JOIN all{n}"));
            }
            if let Some((table, id, _)) = joined {
                sql.say(format_args!(
                    " LEFT JOIN {table} ON {table}.{id} = found.group_key"
                ));
            }
        }
        sql.say(" ORDER BY question, bucket, cost_nano_usd DESC, group_key");
        sql.made(self)
    }

    /// The latency histograms by model and endpoint.
    pub(crate) async fn sum_latencies(&self, filter: &RollupFilter) -> Result<Latencies, StoreError> {
        let reading = Reading {
            facts: Facts::Usage,
            dims: filter.dims().and(Dims::MODEL).and(Dims::ENDPOINT),
            piece: Piece::Whole,
            latency: true,
            complete_from: self.complete_from().await?,
        };
        let mut sql = Sql::default();
        let lines = lines::joined(self.backend, "latency");
        sql.say(format_args!("SELECT model, endpoint_id, {lines} FROM ("));
        let columns = format!("{} AS model, endpoint_id, latency", self.loose("model"));
        sql.parts(filter, &reading, &columns, "");
        sql.say(") AS parts GROUP BY model, endpoint_id");
        // On a connection of its own, while another answers what is asked beside it.
        let mut found = Vec::new();
        for row in self.db.query_all_raw(sql.made(self)).await? {
            let of: (String, String) = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let lines: String = row.try_get_by_index(2)?;
            found.push((of, lines));
        }
        let merged = move || {
            let merge = |(of, lines): ((String, String), String)| {
                let mut sum = Latency::default();
                for text in lines.lines() {
                    sum.merge(&read_latency(text)?);
                }
                Ok((of, sum))
            };
            found.into_iter().map(merge).collect()
        };
        tokio::task::spawn_blocking(merged)
            .await
            .map_err(|_| StoreError::Other("histograms were not added up".to_owned()))?
    }
}
