//! Makes the coarser sums of what was there before them, day by day from the newest on.

use super::cubes::{self, CUBES, Cube, EVER, Grain, day_start, month_of};
use super::dialect::{self, LedgerUse};
use super::entity::{usage_rollup, usage_sum};
use super::{Store, StoreError};
use ccag_domain::UnixMs;
use ccag_domain::time::DAY_MS;
use sea_orm::{ColumnTrait, ConnectionTrait, DatabaseTransaction, EntityTrait, QueryFilter, Statement};
use std::fmt::Write;
use std::sync::atomic::Ordering;

const SUMS: [&str; 8] = [
    "requests",
    "errors",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_5m_tokens",
    "cache_write_1h_tokens",
    "cost_nano_usd",
];

impl Store {
    /// From which day on the coarser sums are complete; 0 for all of them.
    pub(super) async fn complete_from(&self) -> Result<UnixMs, StoreError> {
        let known = self.complete_from.load(Ordering::Relaxed);
        if known != i64::MAX {
            return Ok(known);
        }
        let sql = "SELECT complete_from_ms FROM usage_sums_state WHERE id = 1";
        let row = self.db.query_one_raw(self.statement(sql)).await?;
        let found = match row {
            Some(row) => row.try_get_by_index(0)?,
            None => 0,
        };
        self.complete_from.store(found, Ordering::Relaxed);
        Ok(found)
    }

    fn statement(&self, sql: impl Into<String>) -> Statement {
        Statement::from_string(self.db.get_database_backend(), sql)
    }

    /// Makes the sums of one more day, the last one that lacks them, in one transaction during which nothing is added to the
    /// ledger. Says whether there is more to do.
    pub(crate) async fn sum_another_day(&self) -> Result<bool, StoreError> {
        if self.complete_from().await? == 0 {
            return Ok(false);
        }
        let (tx, _writer) = self.write().await?;
        dialect::lock_ledger(&tx, self.backend, LedgerUse::Sum).await?;
        // Another control plane may have gone on with it.
        let from = self
            .one(&tx, "SELECT complete_from_ms FROM usage_sums_state WHERE id = 1")
            .await?;
        let before = format!("SELECT MAX(bucket_ms) FROM usage_rollups_hourly WHERE bucket_ms < {from}");
        let done = match self.one(&tx, &before).await? {
            0 => 0,
            hour => {
                let day = day_start(hour);
                self.sum_day(&tx, day).await?;
                let before =
                    format!("SELECT MAX(bucket_ms) FROM usage_rollups_hourly WHERE bucket_ms < {day}");
                let next = self.one(&tx, &before).await?;
                // Months are used from their first day on.
                if month_of(next).0 != month_of(day).0 {
                    self.sum_month(&tx, month_of(day)).await?;
                }
                if next == 0 { 0 } else { day_start(next) + DAY_MS }
            }
        };
        let update = format!("UPDATE usage_sums_state SET complete_from_ms = {done} WHERE id = 1");
        tx.execute_unprepared(&update).await?;
        tx.commit().await?;
        self.complete_from.store(done, Ordering::Relaxed);
        Ok(done != 0)
    }

    async fn one(&self, tx: &DatabaseTransaction, sql: &str) -> Result<i64, StoreError> {
        let row = tx.query_one_raw(self.statement(sql)).await?;
        let found: Option<i64> = row.map(|row| row.try_get_by_index(0)).transpose()?.flatten();
        Ok(found.unwrap_or(0))
    }

    async fn sum_day(&self, tx: &DatabaseTransaction, day: UnixMs) -> Result<(), StoreError> {
        let end = day + DAY_MS;
        let mut with_latency = Vec::new();
        for cube in &CUBES {
            match cube.grain {
                Grain::Hour | Grain::Day => {
                    let gone = format!(
                        "DELETE FROM usage_sums WHERE cube = '{}' AND start_ms >= {day} AND start_ms < {end}",
                        cube.name
                    );
                    tx.execute_unprepared(&gone).await?;
                }
                Grain::Month | Grain::Ever => continue,
            }
            if cube.latency {
                with_latency.push(cube);
            } else {
                let start = if cube.grain == Grain::Hour {
                    "bucket_ms".to_owned()
                } else {
                    day.to_string()
                };
                let source = format!("usage_rollups_hourly WHERE bucket_ms >= {day} AND bucket_ms < {end}");
                let sql = insert(cube, &start, "MIN(bucket_ms), MAX(bucket_ms)", &source);
                tx.execute_unprepared(&sql).await?;
            }
        }
        let ever = format!(
            "INSERT INTO usage_sums (cube, start_ms, team_id, user_id, key_id, model, endpoint_id, {sums}, first_ms, last_ms, \
             latency) SELECT '{EVER}', 0, '', user_id, '', '', '', {zeros}, MIN(bucket_ms), MAX(bucket_ms), '' \
             FROM usage_rollups_hourly WHERE bucket_ms >= {day} AND bucket_ms < {end} AND user_id <> '' GROUP BY user_id \
             ON CONFLICT (cube, start_ms, team_id, user_id, key_id, model, endpoint_id) DO UPDATE SET \
             first_ms = CASE WHEN excluded.first_ms < usage_sums.first_ms THEN excluded.first_ms ELSE usage_sums.first_ms END, \
             last_ms = CASE WHEN excluded.last_ms > usage_sums.last_ms THEN excluded.last_ms ELSE usage_sums.last_ms END",
            sums = SUMS.join(", "),
            zeros = ["0"; SUMS.len()].join(", "),
        );
        tx.execute_unprepared(&ever).await?;
        let hours = usage_rollup::Entity::find()
            .filter(usage_rollup::Column::BucketMs.gte(day))
            .filter(usage_rollup::Column::BucketMs.lt(end))
            .all(tx)
            .await?;
        cubes::put(tx, cubes::coarser(&hours, with_latency.into_iter())?).await
    }

    async fn sum_month(
        &self,
        tx: &DatabaseTransaction,
        (start, end): (UnixMs, UnixMs),
    ) -> Result<(), StoreError> {
        for month in CUBES.iter().filter(|cube| cube.grain == Grain::Month) {
            let gone = format!(
                "DELETE FROM usage_sums WHERE cube = '{}' AND start_ms = {start}",
                month.name
            );
            tx.execute_unprepared(&gone).await?;
            let Some(day) = cubes::find(Grain::Day, month.dims) else {
                continue;
            };
            if month.latency {
                let days = usage_sum::Entity::find()
                    .filter(usage_sum::Column::Cube.eq(day.name))
                    .filter(usage_sum::Column::StartMs.gte(start))
                    .filter(usage_sum::Column::StartMs.lt(end))
                    .all(tx)
                    .await?;
                let hours: Vec<_> = days.into_iter().map(as_hour).collect();
                cubes::put(tx, cubes::coarser(&hours, std::iter::once(month))?).await?;
            } else {
                let source = format!(
                    "usage_sums WHERE cube = '{}' AND start_ms >= {start} AND start_ms < {end}",
                    day.name
                );
                let sql = insert(month, &start.to_string(), "MIN(first_ms), MAX(last_ms)", &source);
                tx.execute_unprepared(&sql).await?;
            }
        }
        Ok(())
    }
}

fn as_hour(day: usage_sum::Model) -> usage_rollup::Model {
    usage_rollup::Model {
        bucket_ms: day.start_ms,
        team_id: day.team_id,
        user_id: day.user_id,
        key_id: day.key_id,
        model: day.model,
        endpoint_id: day.endpoint_id,
        requests: day.requests,
        errors: day.errors,
        input_tokens: day.input_tokens,
        output_tokens: day.output_tokens,
        cache_read_tokens: day.cache_read_tokens,
        cache_write_5m_tokens: day.cache_write_5m_tokens,
        cache_write_1h_tokens: day.cache_write_1h_tokens,
        cost_nano_usd: day.cost_nano_usd,
        latency: day.latency,
    }
}

/// The statement that fills a cube from finer sums.
fn insert(cube: &Cube, start: &str, times: &str, source: &str) -> String {
    let kept: Vec<&str> = cube.dims.columns().collect();
    let mut columns = String::new();
    for column in ["team_id", "user_id", "key_id", "model", "endpoint_id"] {
        let value = if kept.contains(&column) { column } else { "''" };
        let _ = write!(columns, ", {value}");
    }
    let sums: Vec<String> = SUMS
        .iter()
        .map(|sum| format!("CAST(SUM({sum}) AS BIGINT)"))
        .collect();
    let mut groups = kept;
    if start == "bucket_ms" {
        groups.insert(0, start);
    }
    format!(
        "INSERT INTO usage_sums (cube, start_ms, team_id, user_id, key_id, model, endpoint_id, {}, first_ms, last_ms, latency) \
         SELECT '{}', {start}{columns}, {}, {times}, '' FROM {source} GROUP BY {}",
        SUMS.join(", "),
        cube.name,
        sums.join(", "),
        groups.join(", "),
    )
}
