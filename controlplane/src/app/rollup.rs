//! The hourly sums of a set of records, the coarser ones of what was there before them, and packs of what is over.

use super::App;
use crate::latency::Latency;
use crate::store::StoreError;
use crate::store::entity::{usage_record, usage_rollup};
use ccag_daemon::CancellationToken;
use ccag_domain::Outcome;
use ccag_domain::time::hour_bucket;
use std::collections::BTreeMap;
use std::time::Duration;

/// How long to wait after a failure.
const PATIENCE: Duration = Duration::from_secs(10);

/// How long one step of making old sums is to take, during which no record is taken in, in milliseconds.
const STEP_MS: i64 = 40;

/// How often to look for what is over. It is also how long a day that late records have changed is read row by row.
const PACK_EVERY: Duration = Duration::from_mins(5);

/// How many hourly rows the first step takes.
const FIRST: u64 = 100;

/// The most and the fewest that a step takes.
const ROWS: std::ops::RangeInclusive<u64> = 10..=5_000;

/// So many rows as would have taken as long as a step is to take, but no more than twice as many as before.
fn next_step(rows: u64, took_ms: i64) -> u64 {
    let took = u64::try_from(took_ms).unwrap_or(0).max(1);
    let fit = rows.saturating_mul(STEP_MS.unsigned_abs()) / took;
    fit.min(rows.saturating_mul(2)).clamp(*ROWS.start(), *ROWS.end())
}

/// Makes the coarser sums of hours that are in none yet, if the ledger is older than they are. Between steps it rests for as
/// long as it has worked, so that records can be taken in.
pub(crate) async fn catch_up(app: App, shutdown: CancellationToken) {
    let work = async {
        let mut rows = FIRST;
        loop {
            let begun = tokio::time::Instant::now();
            let rest = match app.store.sum_some_more(rows).await {
                Ok(false) => return,
                Ok(true) => {
                    let took = begun.elapsed();
                    rows = next_step(rows, i64::try_from(took.as_millis()).unwrap_or(i64::MAX));
                    took
                }
                Err(error) => {
                    tracing::warn!(%error, "the coarser sums could not be made");
                    app.metrics.db_error("maintenance");
                    PATIENCE
                }
            };
            tokio::time::sleep(rest).await;
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => {}
    }
}

/// Packs the sums of days and months once they are over. It waits at first: while control planes are being replaced, those of an
/// earlier release may still add to days without taking their packs away.
pub(crate) async fn keep_packed(app: App, shutdown: CancellationToken) {
    let work = async {
        loop {
            tokio::time::sleep(PACK_EVERY).await;
            if let Err(error) = pack(&app).await {
                tracing::warn!(%error, "the sums of days that are over could not be packed; pages read them row by row");
                app.metrics.db_error("maintenance");
            }
        }
    };
    tokio::select! {
        () = work => {}
        () = shutdown.cancelled() => {}
    }
}

/// Packs what is over and not packed yet, and says how much that was: days and months of each cube. Between two of them it rests
/// for as long as it has worked.
///
/// # Errors
/// What the database says.
pub async fn pack(app: &App) -> Result<usize, StoreError> {
    let due = app.store.due(app.now_ms()).await?;
    for one in &due {
        let begun = tokio::time::Instant::now();
        app.store.pack(one, app.now_ms()).await?;
        tokio::time::sleep(begun.elapsed()).await;
    }
    Ok(due.len())
}

/// Sums records by hour, team, user, key, model and endpoint.
pub(super) fn sums(records: &[&usage_record::Model]) -> Vec<usage_rollup::Model> {
    let mut groups: BTreeMap<_, (usage_rollup::Model, Latency)> = BTreeMap::new();
    for record in records {
        let bucket_ms = hour_bucket(record.started_at_ms);
        let team_id = record.team_id.clone().unwrap_or_default();
        let user_id = record.user_id.clone().unwrap_or_default();
        let key = (
            bucket_ms,
            team_id.clone(),
            user_id.clone(),
            &record.key_id,
            &record.model,
            &record.endpoint_id,
        );
        let (sum, latency) = groups.entry(key).or_insert_with(|| {
            let sum = usage_rollup::Model {
                bucket_ms,
                team_id,
                user_id,
                key_id: record.key_id.clone(),
                model: record.model.clone(),
                endpoint_id: record.endpoint_id.clone(),
                requests: 0,
                errors: 0,
                input_tokens: 0,
                output_tokens: 0,
                cache_read_tokens: 0,
                cache_write_5m_tokens: 0,
                cache_write_1h_tokens: 0,
                cost_nano_usd: 0,
                latency: String::new(),
            };
            (sum, Latency::default())
        });
        sum.requests += 1;
        sum.errors += i64::from(record.outcome != Outcome::Completed.as_str());
        for (slot, count) in [
            (&mut sum.input_tokens, record.input_tokens),
            (&mut sum.output_tokens, record.output_tokens),
            (&mut sum.cache_read_tokens, record.cache_read_tokens),
            (&mut sum.cache_write_5m_tokens, record.cache_write_5m_tokens),
            (&mut sum.cache_write_1h_tokens, record.cache_write_1h_tokens),
            (&mut sum.cost_nano_usd, record.cost_nano_usd),
        ] {
            *slot = slot.saturating_add(count);
        }
        let ms = |n: i64| u64::try_from(n).unwrap_or(0);
        latency.record(ms(record.duration_ms), record.first_token_ms.map(ms));
    }
    let finish = |(mut sum, latency): (usage_rollup::Model, Latency)| {
        sum.latency = latency.to_json();
        sum
    };
    groups.into_values().map(finish).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_that_took_too_long_is_followed_by_a_smaller_one() {
        assert_eq!(next_step(400, 80), 200);
        assert_eq!(next_step(400, 30), 533);
        assert_eq!(next_step(400, 0), 800);
        assert_eq!(next_step(20, 10_000), 10);
        assert_eq!(next_step(5_000, 1), 5_000);
    }
}
