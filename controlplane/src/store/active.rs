//! Who was active.

use super::cubes::{Dims, EVER, day_start};
use super::questions::Sql;
use super::reading::Reading;
use super::rollups::{Piece, RollupFilter};
use super::{Backend, Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::ConnectionTrait;
use std::collections::HashMap;

/// Who asked anything.
#[derive(Debug, Clone, Default)]
pub(crate) struct Active {
    /// How many users, by day.
    pub(crate) by_day: HashMap<UnixMs, u64>,
    /// How many of them never had before.
    pub(crate) new_by_day: HashMap<UnixMs, u64>,
    /// How many different ones.
    pub(crate) users: u64,
    /// How many different ones in the time before.
    pub(crate) users_before: u64,
    /// How many requests began in each hour of the week; the first is the one in which 1970 began, a Thursday.
    pub(crate) week: HashMap<i64, u64>,
}

impl Store {
    /// Who has asked anything, in a range and in the one before, and when in the week; in one statement.
    pub(crate) async fn count_active(
        &self,
        filter: &RollupFilter,
        before: &RollupFilter,
    ) -> Result<Active, StoreError> {
        let complete_from = self.complete_from().await?;
        let reading = |dims: Dims, piece| Reading {
            dims: filter.dims().and(dims),
            piece,
            latency: false,
            complete_from,
        };
        let mut sql = Sql::default();
        let users = format!("START AS start, {} AS user_id", self.loose("user_id"));
        let users = users.as_str();
        // Rows come day by day, which SQLite makes use of, and PostgreSQL does not.
        let (count, end) = match self.backend {
            Backend::Sqlite => ("COUNT(DISTINCT user_id) AS found FROM (", "GROUP BY start"),
            Backend::Postgres => (
                "COUNT(*) AS found FROM (SELECT DISTINCT start, user_id FROM (",
                ") AS days GROUP BY start",
            ),
        };
        sql.say(format_args!("SELECT 'day' AS what, start AS at, {count}"));
        sql.parts(filter, &reading(Dims::USER, Piece::Day), users, "");
        sql.say(format_args!(") AS parts WHERE user_id <> '' {end}"));
        for (what, filter) in [("users", filter), ("before", before)] {
            sql.say(format_args!(
                " UNION ALL SELECT '{what}', CAST(0 AS BIGINT), COUNT(*) FROM "
            ));
            let reading = reading(Dims::USER, Piece::Whole);
            if complete_from > 0 {
                sql.say("(SELECT DISTINCT user_id FROM (");
                sql.parts(filter, &reading, users, "");
                sql.say(") AS parts WHERE user_id <> '') AS users");
            } else {
                // To look for one row of each user is less than to look at all rows.
                sql.say(format_args!(
                    "usage_sums AS ever WHERE ever.cube = '{EVER}' AND EXISTS ("
                ));
                sql.parts(filter, &reading, "1", " AND user_id = ever.user_id");
                sql.say(")");
            }
        }
        sql.say(" UNION ALL SELECT 'new', day, COUNT(*) FROM (");
        let ever = format!("SELECT first_ms - first_ms % {DAY_MS} AS day FROM ");
        if complete_from > 0 {
            sql.say(&ever);
            sql.say(
                "(SELECT user_id, MIN(bucket_ms) AS first_ms FROM usage_rollups_hourly WHERE user_id <> '' GROUP BY user_id) \
                 AS firsts WHERE 1 = 1",
            );
        } else {
            sql.say(&ever);
            sql.say(format_args!("usage_sums WHERE cube = '{EVER}'"));
        }
        for (at, sign) in [(filter.from_ms.map(day_start), ">="), (filter.to_ms, "<")] {
            if let Some(at) = at {
                sql.say(format_args!(" AND first_ms {sign} "));
                sql.bind(at);
            }
        }
        if filter.dims() != Dims::NONE {
            sql.say(" AND user_id IN (");
            sql.parts(filter, &reading(Dims::USER, Piece::Whole), "user_id", "");
            sql.say(")");
        }
        sql.say(") AS news GROUP BY day UNION ALL SELECT 'hour', hour, CAST(SUM(requests) AS BIGINT) FROM (");
        let hours = "(START / 3600000) % 168 AS hour, requests";
        sql.parts(filter, &reading(Dims::NONE, Piece::Hour), hours, "");
        sql.say(") AS parts GROUP BY hour");
        let mut active = Active::default();
        for row in self.db.query_all_raw(sql.made(self)).await? {
            let (what, at): (String, i64) = (row.try_get("", "what")?, row.try_get("", "at")?);
            let found = u64::try_from(row.try_get::<i64>("", "found")?).unwrap_or(0);
            match what.as_str() {
                "day" => drop(active.by_day.insert(at, found)),
                "new" => drop(active.new_by_day.insert(at, found)),
                "hour" => drop(active.week.insert(at, found)),
                "users" => active.users = found,
                _ => active.users_before = found,
            }
        }
        Ok(active)
    }
}
