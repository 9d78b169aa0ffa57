//! Makes the coarser sums of what was there before them, from the newest hour on, a few rows at a time.
//!
//! What is made is added, as what comes in is: an hour's rows to the sums of their hour, their day and their month. So the rows
//! that are in the sums and those that are not have to be told apart all the time. [`Filled`] says which are, and whoever adds
//! to the hours reads it in the same transaction.

use super::cubes::{self, CUBES, Grain, day_start, month_of};
use super::dialect::{self, LedgerUse};
use super::entity::usage_rollup;
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::{
    ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Statement, Value,
};
use serde::{Deserialize, Serialize};
use std::sync::atomic::Ordering;

/// What of the hourly rows is in the coarser sums, while there are some that are not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Filled {
    /// All later hours are,
    hour: UnixMs,
    /// and of this one everything up to this team and user, in the order of their ids; nothing, if there is none.
    up_to: Option<(String, String)>,
    /// Whether sums of earlier hours are still being taken away that were made otherwise.
    clearing: bool,
}

impl Filled {
    pub(super) fn has(&self, row: &usage_rollup::Model) -> bool {
        let up_to = self.up_to.as_ref();
        row.bucket_ms > self.hour
            || (row.bucket_ms == self.hour
                && up_to.is_some_and(|(team, user)| (&row.team_id, &row.user_id) <= (team, user)))
    }
}

/// What is in the coarser sums; everything, if it does not say.
pub(super) async fn filled(tx: &DatabaseTransaction) -> Result<Option<Filled>, StoreError> {
    let (complete_from, filled) = state(tx).await?;
    Ok(filled.filter(|_| complete_from != 0))
}

async fn state(tx: &DatabaseTransaction) -> Result<(UnixMs, Option<Filled>), StoreError> {
    let sql = "SELECT complete_from_ms, filled FROM usage_sums_state WHERE id = 1";
    let statement = Statement::from_string(tx.get_database_backend(), sql);
    let Some(row) = tx.query_one_raw(statement).await? else {
        return Ok((0, None));
    };
    let filled: Option<String> = row.try_get_by_index(1)?;
    let read = |text: String| {
        serde_json::from_str(&text)
            .map_err(|_| StoreError::unreadable("usage_sums_state", "bad value in filled"))
    };
    Ok((row.try_get_by_index(0)?, filled.map(read).transpose()?))
}

async fn save(
    tx: &DatabaseTransaction,
    complete_from: UnixMs,
    filled: Option<&Filled>,
) -> Result<(), StoreError> {
    let text = filled.map(|filled| serde_json::to_string(filled).unwrap_or_default());
    let values: [Value; 2] = [complete_from.into(), text.into()];
    let statement = Statement::from_sql_and_values(
        tx.get_database_backend(),
        "UPDATE usage_sums_state SET complete_from_ms = $1, filled = $2 WHERE id = 1",
        values,
    );
    tx.execute_raw(statement).await?;
    Ok(())
}

impl Store {
    /// From which day on the coarser sums are complete; 0 for all of them.
    pub(super) async fn complete_from(&self) -> Result<UnixMs, StoreError> {
        let known = self.complete_from.load(Ordering::Relaxed);
        if known != i64::MAX {
            return Ok(known);
        }
        let sql = "SELECT complete_from_ms FROM usage_sums_state WHERE id = 1";
        let row = self.db.query_one_raw(self.statement(sql, [])).await?;
        let found = match row {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        };
        self.complete_from.store(found, Ordering::Relaxed);
        Ok(found)
    }

    fn statement(&self, sql: &str, values: impl IntoIterator<Item = Value>) -> Statement {
        Statement::from_sql_and_values(self.db.get_database_backend(), sql, values)
    }

    /// Makes the sums of some more hourly rows, about `rows` of them, in one transaction during which nothing is added to the
    /// ledger. Says whether there is more to do.
    ///
    /// # Errors
    /// What the database says.
    pub async fn sum_some_more(&self, rows: u64) -> Result<bool, StoreError> {
        if self.complete_from().await? == 0 {
            return Ok(false);
        }
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Sum).await?;
        // Another control plane may have gone on with it.
        let done = match state(&tx).await? {
            (0, _) => 0,
            (from, None) => {
                let from = begin(from);
                let packs = "DELETE FROM usage_packs";
                tx.execute_raw(self.statement(packs, [])).await?;
                let filled = Filled {
                    hour: from - 1,
                    up_to: None,
                    clearing: true,
                };
                save(&tx, from, Some(&filled)).await?;
                from
            }
            (from, Some(mut filled)) if filled.clearing => {
                filled.clearing = self.clear(&tx, filled.hour, rows).await?;
                save(&tx, from, Some(&filled)).await?;
                from
            }
            (from, Some(filled)) => self.fill(&tx, from, filled, rows).await?,
        };
        tx.commit().await?;
        self.complete_from.store(done, Ordering::Relaxed);
        Ok(done != 0)
    }

    async fn number(
        &self,
        tx: &DatabaseTransaction,
        sql: &str,
        values: impl IntoIterator<Item = Value>,
    ) -> Result<Option<i64>, StoreError> {
        let row = tx.query_one_raw(self.statement(sql, values)).await?;
        Ok(row.map(|row| row.try_get_by_index(0)).transpose()?.flatten())
    }

    /// Takes about so many sums away that begin before a moment, team by team; says whether there are more.
    async fn clear(&self, tx: &DatabaseTransaction, before: UnixMs, rows: u64) -> Result<bool, StoreError> {
        let mut gone = 0;
        for cube in CUBES.iter().filter(|cube| cube.grain != Grain::Ever) {
            loop {
                let newest = "SELECT MAX(start_ms) FROM usage_sums WHERE cube = $1 AND start_ms <= $2";
                let Some(start) = self.number(tx, newest, [cube.name.into(), before.into()]).await? else {
                    break;
                };
                if gone >= rows {
                    return Ok(true);
                }
                let some = "DELETE FROM usage_sums WHERE cube = $1 AND start_ms = $2 AND team_id = \
                            (SELECT MIN(team_id) FROM usage_sums WHERE cube = $1 AND start_ms = $2)";
                let deleted = tx
                    .execute_raw(self.statement(some, [cube.name.into(), start.into()]))
                    .await?;
                gone += deleted.rows_affected().max(1);
            }
        }
        Ok(false)
    }

    /// Adds about so many hourly rows to the sums, and says from which day on these are complete then.
    async fn fill(
        &self,
        tx: &DatabaseTransaction,
        mut complete_from: UnixMs,
        mut filled: Filled,
        rows: u64,
    ) -> Result<UnixMs, StoreError> {
        let mut taken: Vec<usage_rollup::Model> = Vec::new();
        while (taken.len() as u64) < rows {
            let some = self.next_of_hour(tx, &filled, rows - taken.len() as u64).await?;
            if let Some((team, users)) = some {
                filled.up_to = users.last().map(|user| (team.clone(), user.clone()));
                let more = usage_rollup::Entity::find()
                    .filter(usage_rollup::Column::BucketMs.eq(filled.hour))
                    .filter(usage_rollup::Column::TeamId.eq(team))
                    .filter(usage_rollup::Column::UserId.is_in(users));
                taken.extend(more.all(tx).await?);
                continue;
            }
            let before = "SELECT MAX(bucket_ms) FROM usage_rollups_hourly WHERE bucket_ms < $1";
            let Some(hour) = self.number(tx, before, [filled.hour.into()]).await? else {
                complete_from = 0;
                break;
            };
            complete_from = complete_from.min(day_start(hour) + DAY_MS);
            filled = Filled {
                hour,
                up_to: None,
                clearing: false,
            };
        }
        cubes::put(tx, cubes::coarser(&taken, CUBES.iter())?).await?;
        save(tx, complete_from, Some(&filled).filter(|_| complete_from != 0)).await?;
        Ok(complete_from)
    }

    /// Of the hour at hand, a team and those users of it who come next, with about so many rows; `None` if it is through.
    async fn next_of_hour(
        &self,
        tx: &DatabaseTransaction,
        filled: &Filled,
        rows: u64,
    ) -> Result<Option<(String, Vec<String>)>, StoreError> {
        let sql = "SELECT team_id, user_id, COUNT(*) FROM usage_rollups_hourly WHERE bucket_ms = $1 GROUP BY team_id, user_id";
        let mut left: Vec<((String, String), u64)> = Vec::new();
        for row in tx
            .query_all_raw(self.statement(sql, [filled.hour.into()]))
            .await?
        {
            let of = (row.try_get_by_index(0)?, row.try_get_by_index(1)?);
            let count: i64 = row.try_get_by_index(2)?;
            if filled.up_to.as_ref().is_none_or(|up_to| of > *up_to) {
                left.push((of, u64::try_from(count).unwrap_or(0)));
            }
        }
        // The order of bytes, whatever the database's is.
        left.sort();
        let mut users = Vec::new();
        let (mut team, mut count) = (None, 0);
        for ((of, user), more) in left {
            if count >= rows || team.as_ref().is_some_and(|team| *team != of) {
                break;
            }
            team = Some(of);
            count += more;
            users.push(user);
        }
        Ok(team.map(|team| (team, users)))
    }
}

/// Where it begins: months are added to hour by hour as well, so a whole one has to be made anew.
fn begin(complete_from: UnixMs) -> UnixMs {
    let (start, end) = month_of(complete_from);
    if start == complete_from { start } else { end }
}
