//! What is kept beside the hours of the ledger, made of them: the coarser sums, and tools, sessions and cache losses.

use anyhow::Result;
use ccag_domain::time::DAY_MS;
use ccag_domain::{Period, TimeZone};
use sea_orm::{ConnectionTrait, DatabaseConnection, DatabaseTransaction, Statement, TransactionTrait};

const SUMS: &str = "requests, errors, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, \
                    cache_write_1h_tokens, cost_nano_usd";

/// The columns that a row of a cube can keep apart.
const KEPT: [&str; 5] = ["team_id", "user_id", "key_id", "model", "endpoint_id"];

/// Cubes: their name, their grain, what they keep apart, and whether they have histograms. One histogram stands for all of a
/// row: reading it is what takes time, not what it says.
const CUBES: [(&str, char, &str, bool); 10] = [
    ("hour-work", 'h', "model endpoint_id", false),
    ("hour-team", 'h', "team_id", false),
    ("day-work", 'd', "model endpoint_id", true),
    ("day-team", 'd', "team_id", false),
    ("day-team-work", 'd', "team_id model endpoint_id", true),
    ("day-people", 'd', "team_id user_id key_id", false),
    ("day-all", 'd', "team_id user_id key_id model endpoint_id", false),
    ("month-work", 'm', "model endpoint_id", true),
    ("month-people", 'm', "team_id user_id key_id", false),
    (
        "month-all",
        'm',
        "team_id user_id key_id model endpoint_id",
        false,
    ),
];

/// How many calls of each tool there are for a hundred requests, and how many of a hundred fail.
const TOOLS: [(&str, &str, i64, i64); 6] = [
    ("Bash", "", 80, 6),
    ("Read", "", 120, 1),
    ("Edit", "", 60, 3),
    ("Grep", "", 40, 0),
    ("mcp__github__search_issues", "github", 4, 9),
    ("mcp__tracker__list", "tracker", 2, 4),
];

/// Why prompts were not read from the cache, and for how many of a thousand requests.
const LOSSES: [(&str, i64); 3] = [("expired", 20), ("tools_changed", 6), ("moved", 3)];

/// Starts and ends of the months from one moment to another.
fn months(from: i64, to: i64) -> Vec<(i64, i64)> {
    let mut months = Vec::new();
    let mut at = from;
    while at <= to {
        let month = Period::Monthly.around(at, &TimeZone::UTC);
        months.push((month.start_ms, month.end_ms));
        at = month.end_ms;
    }
    months
}

async fn number(db: &DatabaseConnection, sql: &str) -> Result<i64> {
    let row = db
        .query_one_raw(Statement::from_string(db.get_database_backend(), sql))
        .await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}

/// Whether the hours are there already, to the end: then only what is beside them is missing.
pub(crate) async fn is_all_that_is_missing(db: &DatabaseConnection, now: i64) -> Result<bool> {
    let last = number(db, "SELECT COALESCE(MAX(bucket_ms), 0) FROM usage_rollups_hourly").await?;
    anyhow::ensure!(
        last == 0 || last > now - 3 * DAY_MS,
        "the database has a part of a history, or an old one: take an empty one"
    );
    Ok(last > 0)
}

/// Writes all of it that is not there.
pub(crate) async fn write(db: &DatabaseConnection) -> Result<()> {
    let from = number(db, "SELECT MIN(bucket_ms) FROM usage_rollups_hourly").await?;
    let to = number(db, "SELECT MAX(bucket_ms) FROM usage_rollups_hourly").await?;
    let added: Vec<String> = SUMS
        .split(", ")
        .map(|sum| format!("CAST(SUM({sum}) AS BIGINT)"))
        .collect();
    let added = added.join(", ");
    for (start, end) in months(from, to) {
        let there =
            format!("SELECT COUNT(*) FROM usage_sums WHERE cube = 'month-all' AND start_ms = {start}");
        if number(db, &there).await? > 0 {
            // A month is written whole or not at all.
            continue;
        }
        let db = db.begin().await?;
        for (name, grain, kept, latency) in CUBES {
            let (source, first, last) = match grain {
                'm' => (
                    format!("usage_sums WHERE cube = '{}'", name.replace("month", "day")),
                    "first_ms",
                    "last_ms",
                ),
                _ => (
                    "usage_rollups_hourly WHERE 1 = 1".to_owned(),
                    "bucket_ms",
                    "bucket_ms",
                ),
            };
            let time = if grain == 'm' { "start_ms" } else { "bucket_ms" };
            let at = match grain {
                'h' => time.to_owned(),
                'd' => format!("{time} - {time} % {DAY_MS}"),
                _ => format!("CAST({start} AS BIGINT)"),
            };
            let columns: Vec<&str> = KEPT
                .iter()
                .map(|column| {
                    if kept.split(' ').any(|one| one == *column) {
                        column
                    } else {
                        "''"
                    }
                })
                .collect();
            let mut groups: Vec<String> = kept.split(' ').map(str::to_owned).collect();
            if grain != 'm' {
                groups.push(at.clone());
            }
            let histogram = if latency { "MIN(latency)" } else { "''" };
            db.execute_unprepared(&format!(
                "INSERT INTO usage_sums (cube, start_ms, {}, {SUMS}, first_ms, last_ms, latency) SELECT '{name}', {at}, {}, \
                 {added}, MIN({first}), MAX({last}), {histogram} FROM {source} AND {time} >= {start} AND {time} < {end} \
                 GROUP BY {}",
                KEPT.join(", "),
                columns.join(", "),
                groups.join(", "),
            ))
            .await?;
        }
        others(&db, start, end).await?;
        db.commit().await?;
        println!("what is beside the hours from {start} on is written");
    }
    let zeros = ["0"; 8].join(", ");
    db.execute_unprepared(&format!(
        "INSERT INTO usage_sums (cube, start_ms, {}, {SUMS}, first_ms, last_ms, latency) SELECT 'ever-user', 0, '', user_id, '', \
         '', '', {zeros}, MIN(first_ms), MAX(last_ms), '' FROM usage_sums WHERE cube = 'month-people' AND user_id <> '' \
         GROUP BY user_id",
        KEPT.join(", "),
    ))
    .await?;
    for table in ["usage_sums", "tool_sums", "session_sums", "cache_losses"] {
        db.execute_unprepared(&format!("ANALYZE {table}")).await?;
    }
    Ok(())
}

/// Tools, sessions and cache losses of a month.
async fn others(db: &DatabaseTransaction, start: i64, end: i64) -> Result<()> {
    let days = format!("start_ms >= {start} AND start_ms < {end}");
    let head = "INSERT INTO tool_sums (cube, start_ms, team_id, tool, user_id, key_id, model, server, calls, failed)";
    for (tool, server, calls, failed) in TOOLS {
        db.execute_unprepared(&format!(
            "{head} SELECT 'day-all', start_ms, team_id, '{tool}', user_id, key_id, model, '{server}', \
             CAST(SUM(requests) AS BIGINT) * {calls} / 100 + 1, CAST(SUM(requests) AS BIGINT) * {calls} * {failed} / 10000 \
             FROM usage_sums WHERE cube = 'day-all' AND {days} GROUP BY start_ms, team_id, user_id, key_id, model"
        ))
        .await?;
    }
    let sums = "CAST(SUM(calls) AS BIGINT), CAST(SUM(failed) AS BIGINT)";
    for (cube, at, kept) in [
        (
            "day-team",
            "start_ms".to_owned(),
            "team_id, tool, '', '', '', server",
        ),
        (
            "month-team",
            start.to_string(),
            "team_id, tool, '', '', '', server",
        ),
        (
            "day-caller",
            "start_ms".to_owned(),
            "team_id, '', user_id, key_id, '', ''",
        ),
        (
            "month-caller",
            start.to_string(),
            "team_id, '', user_id, key_id, '', ''",
        ),
    ] {
        let mut groups: Vec<&str> = kept.split(", ").filter(|one| *one != "''").collect();
        if at == "start_ms" {
            groups.push("start_ms");
        }
        db.execute_unprepared(&format!(
            "{head} SELECT '{cube}', CAST({at} AS BIGINT), {kept}, {sums} FROM tool_sums WHERE cube = 'day-all' AND {days} GROUP BY {}",
            groups.join(", ")
        ))
        .await?;
    }
    let head =
        "INSERT INTO session_sums (cube, start_ms, team_id, user_id, key_id, sessions, requests, length_ms)";
    db.execute_unprepared(&format!(
        "{head} SELECT 'all', start_ms, team_id, user_id, key_id, requests / 40 + 1, requests, (requests / 40 + 1) * 1500000 \
         FROM usage_sums WHERE cube = 'day-people' AND {days}"
    ))
    .await?;
    db.execute_unprepared(&format!(
        "{head} SELECT 'team', start_ms, team_id, '', '', CAST(SUM(sessions) AS BIGINT), CAST(SUM(requests) AS BIGINT), \
         CAST(SUM(length_ms) AS BIGINT) FROM session_sums WHERE cube = 'all' AND {days} GROUP BY start_ms, team_id"
    ))
    .await?;
    for (reason, share) in LOSSES {
        db.execute_unprepared(&format!(
            "INSERT INTO cache_losses (start_ms, reason, team_id, user_id, key_id, model, endpoint_id, requests, tokens, \
             cost_nano_usd) SELECT start_ms, '{reason}', team_id, user_id, key_id, model, endpoint_id, \
             requests * {share} / 1000, requests * {share} * 20, cost_nano_usd * {share} / 4000 FROM usage_sums \
             WHERE cube = 'day-all' AND {days} AND requests * {share} >= 1000"
        ))
        .await?;
    }
    Ok(())
}
