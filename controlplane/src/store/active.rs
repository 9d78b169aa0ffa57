//! Who was active.

use super::cubes::{Dims, EVER, Facts, day_start};
use super::packs::find::Wanted;
use super::packs::lines::{self, Group};
use super::packs::numbers::NONE;
use super::packs::open::{Chosen, Pack};
use super::questions::Sql;
use super::reading::Reading;
use super::rollups::{Piece, RollupFilter};
use super::{Backend, Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::{ConnectionTrait, FromQueryResult};
use std::collections::{HashMap, HashSet};

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

#[derive(FromQueryResult)]
struct Found {
    what: String,
    at: i64,
    found: i64,
}

/// Users, and when they were active first or at all.
#[derive(FromQueryResult)]
struct Lines {
    what: String,
    lines: Option<String>,
}

/// Users who were active: by number, and those who have none yet.
#[derive(Default)]
struct Users {
    numbers: Vec<bool>,
    count: u64,
    ids: HashSet<String>,
}

impl Users {
    fn add(&mut self, number: i64) {
        let Ok(place) = usize::try_from(number) else {
            return;
        };
        if place >= self.numbers.len() {
            self.numbers.resize(place + 1, false);
        }
        if let Some(slot) = self.numbers.get_mut(place)
            && !std::mem::replace(slot, true)
        {
            self.count += 1;
        }
    }

    fn put(&mut self, user: &Group) {
        match user {
            Group::Number(number) => self.add(*number),
            Group::Id(id) => drop(self.ids.insert(id.clone())),
        }
    }

    fn has(&self, user: &Group) -> bool {
        match user {
            Group::Number(number) => usize::try_from(*number)
                .ok()
                .and_then(|place| self.numbers.get(place))
                .is_some_and(|active| *active),
            Group::Id(id) => self.ids.contains(id),
        }
    }

    fn count(&self) -> u64 {
        self.count + self.ids.len() as u64
    }
}

/// Who was active in packs: everybody, and how many on each day.
fn in_packs(packs: Vec<Pack>, chosen: &Chosen) -> Result<(Users, HashMap<UnixMs, u64>), StoreError> {
    let (mut users, mut by_day) = (Users::default(), HashMap::new());
    for pack in packs {
        let start = pack.start();
        let columns = pack.open(chosen, ["user_id"])?;
        // A user's rows lie together.
        let (mut last, mut count) = (NONE, 0);
        for user in columns.of("user_id") {
            if *user != last {
                users.add(*user);
                (last, count) = (*user, count + 1);
            }
        }
        by_day.insert(start, count);
    }
    Ok((users, by_day))
}

impl Sql {
    /// On which day users who were first active in a range were so, and something else about them.
    fn firsts(&mut self, filter: &RollupFilter, complete_from: UnixMs, more: &str) {
        self.say(format_args!(
            "SELECT first_ms - first_ms % {DAY_MS} AS day{more} FROM "
        ));
        if complete_from > 0 {
            self.say(
                "(SELECT user_id, MIN(bucket_ms) AS first_ms FROM usage_rollups_hourly WHERE user_id <> '' GROUP BY user_id) \
                 AS firsts WHERE 1 = 1",
            );
        } else {
            self.say(format_args!("usage_sums WHERE cube = '{EVER}'"));
        }
        for (at, sign) in [(filter.from_ms.map(day_start), ">="), (filter.to_ms, "<")] {
            if let Some(at) = at {
                self.say(format_args!(" AND first_ms {sign} "));
                self.bind(at);
            }
        }
    }

    /// Different users among rows, with their numbers, beside what was asked before.
    fn users(&mut self, backend: Backend, (what, at): (&str, &str), rows: impl FnOnce(&mut Self)) {
        if !self.is_empty() {
            self.say(" UNION ALL ");
        }
        let lines = lines::written(backend, &["at"], "user_id");
        self.say(format_args!(
            "SELECT '{what}' AS what, {lines} AS lines FROM (SELECT DISTINCT {at}, user_id FROM ("
        ));
        rows(self);
        self.say(") AS parts) AS found");
    }
}

impl Store {
    /// Who has asked anything, in a range and in the one before, and when in the week.
    pub(crate) async fn count_active(
        &self,
        filter: &RollupFilter,
        before: &RollupFilter,
    ) -> Result<Active, StoreError> {
        let complete_from = self.complete_from().await?;
        // Few teams as well: of a year, one of two hundred has thirteen thousand rows.
        if complete_from == 0 && Self::is_of_many(Facts::Usage, filter, Dims::USER) {
            self.count_packed(filter, before).await
        } else {
            self.count_rows(filter, before, complete_from).await
        }
    }

    /// The same from packs, and from the few rows that are in none.
    async fn count_packed(&self, filter: &RollupFilter, before: &RollupFilter) -> Result<Active, StoreError> {
        let reading = |piece| Reading {
            facts: Facts::Usage,
            dims: filter.dims().and(Dims::USER),
            piece,
            latency: false,
            complete_from: 0,
        };
        let wanted = [(filter, Piece::Day), (before, Piece::Whole)].map(|(filter, piece)| Wanted {
            filter,
            reading: reading(piece),
            columns: vec!["user_id"],
        });
        let mut sql = Sql::default();
        if filter.dims() == Dims::NONE {
            sql.say("SELECT 'new' AS what, day AS at, COUNT(*) AS found FROM (");
            sql.firsts(filter, 0, "");
            sql.say(") AS news GROUP BY day UNION ALL ");
        }
        self.hours(&mut sql, filter, 0);
        let columns = ["what", "at", "found"].map(ToOwned::to_owned).into();
        let (found, counted) = futures_util::try_join!(
            self.find_packs(&wanted),
            self.read::<Found>(sql.made(self), columns)
        )?;
        let mut active = Active::default();
        for row in counted {
            let count = u64::try_from(row.found).unwrap_or(0);
            match row.what.as_str() {
                "new" => drop(active.new_by_day.insert(row.at, count)),
                _ => drop(active.week.insert(row.at, count)),
            }
        }
        let mut sql = Sql::default();
        let mut ranges = Vec::with_capacity(2);
        for ((one, what), found) in wanted.iter().zip(["day", "before"]).zip(found) {
            ranges.push((found.packs, found.chosen));
            if !found.rest.is_empty() {
                let columns = format!("START AS at, {} AS user_id", self.loose("user_id"));
                sql.users(self.backend, (what, "at"), |sql| {
                    sql.these(
                        found.rest,
                        one.reading.piece,
                        one.filter,
                        &columns,
                        " AND user_id <> ''",
                    );
                });
            }
        }
        if filter.dims() != Dims::NONE {
            sql.users(self.backend, ("new", "day AS at"), |sql| {
                sql.firsts(filter, 0, ", user_id")
            });
        }
        let columns = ["what", "lines"].map(ToOwned::to_owned).into();
        let adding = async {
            let all = move || {
                let mut ranges = ranges.into_iter().map(|(packs, chosen)| in_packs(packs, &chosen));
                let mut next = || ranges.next().unwrap_or_else(|| Ok(Default::default()));
                Ok::<_, StoreError>((next()?, next()?))
            };
            tokio::task::spawn_blocking(all)
                .await
                .map_err(|_| StoreError::Other("packs were not read".to_owned()))?
        };
        let rest = async {
            match sql.is_empty() {
                true => Ok(Vec::new()),
                false => self.read::<Lines>(sql.made(self), columns).await,
            }
        };
        let (((mut users, by_day), (mut earlier, _)), rest) = futures_util::try_join!(adding, rest)?;
        active.by_day = by_day;
        let mut news = Vec::new();
        for row in rest {
            for line in lines::read(row.lines.as_deref().unwrap_or_default()) {
                let ([at], user) = line?;
                match row.what.as_str() {
                    "day" => {
                        users.put(&user);
                        *active.by_day.entry(at).or_default() += 1;
                    }
                    "before" => earlier.put(&user),
                    _ => news.push((at, user)),
                }
            }
        }
        for (day, _) in news.into_iter().filter(|(_, user)| users.has(user)) {
            *active.new_by_day.entry(day).or_default() += 1;
        }
        active.by_day.retain(|_, count| *count > 0);
        (active.users, active.users_before) = (users.count(), earlier.count());
        Ok(active)
    }

    /// How many requests began in each hour of the week.
    fn hours(&self, sql: &mut Sql, filter: &RollupFilter, complete_from: UnixMs) {
        sql.say("SELECT 'hour' AS what, hour AS at, CAST(SUM(requests) AS BIGINT) AS found FROM (");
        let reading = Reading {
            facts: Facts::Usage,
            dims: filter.dims(),
            piece: Piece::Hour,
            latency: false,
            complete_from,
        };
        let hours = "(START / 3600000) % 168 AS hour, requests";
        sql.parts(filter, &reading, hours, "");
        sql.say(") AS parts GROUP BY hour");
    }

    /// The same row by row, in one statement.
    async fn count_rows(
        &self,
        filter: &RollupFilter,
        before: &RollupFilter,
        complete_from: UnixMs,
    ) -> Result<Active, StoreError> {
        let reading = |dims: Dims, piece| Reading {
            facts: Facts::Usage,
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
                " UNION ALL SELECT '{what}', CAST(0 AS BIGINT), COUNT(*) FROM (SELECT DISTINCT user_id FROM ("
            ));
            sql.parts(filter, &reading(Dims::USER, Piece::Whole), users, "");
            sql.say(") AS parts WHERE user_id <> '') AS users");
        }
        sql.say(" UNION ALL SELECT 'new', day, COUNT(*) FROM (");
        sql.firsts(filter, complete_from, "");
        if filter.dims() != Dims::NONE {
            sql.say(" AND user_id IN (");
            sql.parts(filter, &reading(Dims::USER, Piece::Whole), "user_id", "");
            sql.say(")");
        }
        sql.say(") AS news GROUP BY day UNION ALL ");
        self.hours(&mut sql, filter, complete_from);
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
