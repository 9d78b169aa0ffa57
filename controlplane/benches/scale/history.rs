//! A year of an organisation, made up: teams, users, keys, budgets, the hours of the ledger, and its last records.
//!
//! A few use much and most use little (weights of users are log-normal), weekdays are busy and weekends are not, people work
//! from morning to evening in three parts of the world, keys are replaced after a while, and of the last rows of the ledger
//! and the audit log there are as many as there are keys.

use anyhow::Result;
use ccag_controlplane::latency::Latency;
use ccag_domain::time::{DAY_MS, HOUR_MS};
use sea_orm::{ConnectionTrait, DatabaseConnection, TransactionTrait};
use std::fmt::Write;

/// How large it is.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Size {
    /// How many users
    #[arg(long, default_value_t = 10_000)]
    pub(crate) users: usize,
    /// How many keys they have together
    #[arg(long, default_value_t = 100_000)]
    pub(crate) keys: usize,
    /// How many requests there were, about
    #[arg(long, default_value_t = 50_000_000)]
    pub(crate) requests: u64,
    /// In how many days
    #[arg(long, default_value_t = 365)]
    pub(crate) days: usize,
}

/// Numbers that look random and are the same each time (Steele, Lea, Flood: "Fast splittable pseudorandom number
/// generators", 2014).
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// From 0 to 1.
    fn unit(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn below(&mut self, n: usize) -> usize {
        (self.unit() * n as f64) as usize
    }

    fn normal(&mut self) -> f64 {
        let (a, b) = (self.unit().max(1e-12), self.unit());
        (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
    }
}

struct User {
    weight: f64,
    team: usize,
    /// When their day begins, UTC.
    morning: i64,
    /// Their keys.
    keys: Vec<usize>,
    endpoint: usize,
    model: usize,
}

/// User, key, model and endpoint, and how many requests.
type Use = (usize, usize, usize, usize, u64);

/// The models that are used.
const MODELS: [&str; 4] = [
    "claude-haiku-4-5",
    "claude-sonnet-4-5",
    "claude-opus-4-5",
    "claude-opus-5-5",
];

const ENDPOINTS: usize = 3;

fn id(kind: &str, n: usize) -> String {
    // As long as a real one, and as little in order.
    let mixed = (n as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    format!("{kind}_01{mixed:016X}{n:08}")
}

/// Rows, put into a table many at a time.
struct Rows {
    head: String,
    text: String,
    count: usize,
}

impl Rows {
    fn of(table: &str, columns: &str) -> Self {
        Self {
            head: format!("INSERT INTO {table} ({columns}) VALUES "),
            text: String::new(),
            count: 0,
        }
    }

    async fn row<C: ConnectionTrait>(&mut self, db: &C, values: std::fmt::Arguments<'_>) -> Result<()> {
        self.text.push_str(if self.count == 0 { &self.head } else { "," });
        self.text.push('(');
        self.text.write_fmt(values)?;
        self.text.push(')');
        self.count += 1;
        if self.count == 500 {
            self.flush(db).await?;
        }
        Ok(())
    }

    async fn flush<C: ConnectionTrait>(&mut self, db: &C) -> Result<()> {
        if self.count > 0 {
            db.execute_unprepared(&self.text).await?;
            self.text.clear();
            self.count = 0;
        }
        Ok(())
    }
}

/// Lets much be written in a short time: what is lost when the machine fails can be made anew.
pub(crate) async fn fast(db: &DatabaseConnection) -> Result<()> {
    let settings: &[&str] = match db.get_database_backend() {
        sea_orm::DbBackend::Sqlite => &["PRAGMA synchronous = OFF", "PRAGMA cache_size = -400000"],
        _ => &["SET synchronous_commit = off"],
    };
    for setting in settings {
        db.execute_unprepared(setting).await?;
    }
    Ok(())
}

/// Writes it all, up to `now`.
pub(crate) async fn write(db: &DatabaseConnection, size: &Size, now: i64) -> Result<()> {
    let mut dice = Dice(size.users as u64 ^ size.requests);
    let users = people(db, size, &mut dice, now).await?;
    let latencies: Vec<Vec<String>> = (0..60).map(|n| latencies(n, &mut dice)).collect();
    let today = now.div_euclid(DAY_MS) * DAY_MS;
    let mut written = 0_u64;
    // How much there is on a day, all users together, so that it comes to the requests asked for.
    let weekdays = (0..size.days)
        .filter(|day| !is_weekend(today - *day as i64 * DAY_MS))
        .count();
    let busy_days = weekdays as f64 + 0.08 * (size.days - weekdays) as f64;
    let weights: f64 = users.iter().map(|user| user.weight * presence(user)).sum();
    let factor = size.requests as f64 / busy_days / weights;
    let begun = tokio::time::Instant::now();
    let mut hours = 0_u64;
    for back in (0..size.days).rev() {
        let day = today - back as i64 * DAY_MS;
        let tx = db.begin().await?;
        let mut rows = Rows::of(
            "usage_rollups_hourly",
            "bucket_ms, team_id, user_id, key_id, model, endpoint_id, requests, errors, input_tokens, output_tokens, \
             cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, cost_nano_usd, latency",
        );
        let mut by_hour: Vec<Vec<Use>> = vec![Vec::new(); 24];
        for (n, user) in users.iter().enumerate() {
            let there = presence(user) * if is_weekend(day) { 0.08 } else { 1.0 };
            if dice.unit() >= there {
                continue;
            }
            let requests = (user.weight * factor * (0.5 + dice.unit())).max(1.0);
            of_day(n, user, requests, back, size.days, &mut dice, &mut by_hour);
        }
        for (hour, found) in by_hour.iter().enumerate() {
            let at = day + hour as i64 * HOUR_MS;
            if at > now {
                break;
            }
            for (n, key, model, endpoint, requests) in found {
                written += requests;
                hours += 1;
                let cost = requests * [4, 12, 40, 50][*model] * (1_000_000 + dice.below(4_000_000) as u64);
                let known = &latencies[(*requests as usize).min(59)];
                rows.row(
                    &tx,
                    format_args!(
                        "{at},'{}','{}','{}','{}','{}',{requests},{},{},{},{},{},0,{cost},'{}'",
                        id("team", users[*n].team),
                        id("user", *n),
                        id("key", *key),
                        MODELS[*model],
                        id("end", *endpoint),
                        u64::from(dice.below(40) == 0),
                        requests * (50 + dice.below(400) as u64),
                        requests * (100 + dice.below(900) as u64),
                        requests * (10_000 + dice.below(60_000) as u64),
                        requests * (500 + dice.below(4_000) as u64),
                        known[dice.below(known.len())],
                    ),
                )
                .await?;
            }
        }
        rows.flush(&tx).await?;
        tx.commit().await?;
        if back % 30 == 0 {
            println!(
                "{back} days to go: {written} requests in {hours} rows, {:?}",
                begun.elapsed()
            );
        }
    }
    ledger(db, size, &users, &mut dice, now).await?;
    for table in [
        "usage_rollups_hourly",
        "virtual_keys",
        "users",
        "usage_records",
        "audit",
        "budgets",
    ] {
        db.execute_unprepared(&format!("ANALYZE {table}")).await?;
    }
    Ok(())
}

/// How likely somebody is to work on a weekday.
fn presence(user: &User) -> f64 {
    (0.25 + 0.35 * user.weight).min(0.92)
}

fn is_weekend(day: i64) -> bool {
    (day.div_euclid(DAY_MS) + 3).rem_euclid(7) >= 5
}

/// Spreads a day's requests of somebody over hours, keys, models and endpoints.
fn of_day(
    n: usize,
    user: &User,
    requests: f64,
    back: usize,
    days: usize,
    dice: &mut Dice,
    by_hour: &mut [Vec<Use>],
) {
    let busy = (requests / 3.0).clamp(1.0, 9.0) as usize;
    let share = requests / busy as f64;
    let current = (days - 1 - back) * user.keys.len() / days.max(1);
    for hour in 0..busy {
        let at = (user.morning + hour as i64 + dice.below(2) as i64).rem_euclid(24) as usize;
        let key = if dice.below(8) == 0 {
            dice.below(user.keys.len())
        } else {
            current
        };
        let endpoint = if dice.below(12) == 0 {
            dice.below(ENDPOINTS)
        } else {
            user.endpoint
        };
        let mut left = (share * (0.4 + 1.2 * dice.unit())).round().max(1.0) as u64;
        let small = left / 3;
        if small > 0 && user.model != 0 {
            by_hour[at].push((n, user.keys[key], 0, endpoint, small));
            left -= small;
        }
        by_hour[at].push((n, user.keys[key], user.model, endpoint, left));
    }
    // The same hour may have been drawn twice.
    for hour in by_hour.iter_mut() {
        while let [.., a, b] = hour.as_mut_slice() {
            if (a.0, a.1, a.2, a.3) != (b.0, b.1, b.2, b.3) {
                break;
            }
            a.4 += b.4;
            hour.pop();
        }
        let mut seen = std::collections::HashMap::new();
        let start = hour.iter().rposition(|row| row.0 != n).map_or(0, |at| at + 1);
        for (n, key, model, endpoint, requests) in hour.split_off(start) {
            *seen.entry((n, key, model, endpoint)).or_insert(0) += requests;
        }
        hour.extend(seen.into_iter().map(|((n, k, m, e), r)| (n, k, m, e, r)));
    }
}

/// Some histograms of so many requests.
fn latencies(requests: u64, dice: &mut Dice) -> Vec<String> {
    let one = |dice: &mut Dice| {
        let mut latency = Latency::default();
        for _ in 0..requests {
            let ms = (8.6 + dice.normal()).exp() as u64;
            latency.record(ms, (dice.below(50) > 0).then_some(ms / 5 + 200));
        }
        latency.to_json()
    };
    (0..40).map(|_| one(dice)).collect()
}

async fn people(db: &DatabaseConnection, size: &Size, dice: &mut Dice, now: i64) -> Result<Vec<User>> {
    let teams = (size.users / 50).max(1);
    let tx = db.begin().await?;
    let begin = now - size.days as i64 * DAY_MS;
    let mut rows = Rows::of("teams", "id, name, name_key, state, created_at_ms");
    for n in 0..teams {
        let name = format!("Team {n:04}");
        let key = name.to_lowercase();
        rows.row(
            &tx,
            format_args!("'{}','{name}','{key}','active',{begin}", id("team", n)),
        )
        .await?;
    }
    rows.flush(&tx).await?;
    let mut rows = Rows::of(
        "endpoints",
        "id, name, name_key, region, weight, enabled, is_default, created_at_ms",
    );
    for n in 0..ENDPOINTS {
        let name = format!("endpoint {n}");
        let of = id("end", n);
        rows.row(
            &tx,
            format_args!("'{of}','{name}','{name}','eu-central-1',1,true,false,{begin}"),
        )
        .await?;
    }
    rows.flush(&tx).await?;
    let mut users: Vec<User> = (0..size.users)
        .map(|n| User {
            weight: (1.1 * dice.normal()).exp().min(30.0),
            // Some teams are large.
            team: if n % 3 == 0 {
                dice.below((teams / 10).max(1))
            } else {
                dice.below(teams)
            },
            morning: [6, 7, 8, 13, 14, 15, 1, 2][dice.below(8)],
            keys: Vec::new(),
            endpoint: dice.below(ENDPOINTS),
            model: [0, 1, 1, 1, 2, 3][dice.below(6)],
        })
        .collect();
    for key in 0..size.keys.max(size.users) {
        let user = if key < size.users {
            key
        } else {
            dice.below(size.users)
        };
        users[user].keys.push(key);
    }
    let mut rows = Rows::of(
        "users",
        "id, username, username_key, email, display_name, role, state, team_id, search_key, created_at_ms",
    );
    let mut keys = Rows::of(
        "virtual_keys",
        "id, digest, prefix, name, name_key, user_id, team_id, state, created_at_ms, created_by, revoked_at_ms, expires_at_ms",
    );
    let mut budgets = Rows::of(
        "budgets",
        "id, scope, team_id, user_id, scope_key, amount_nano_usd, period, time_zone, mode, rules, raises, posture, \
         grace_nano_usd, created_at_ms, updated_at_ms",
    );
    for (n, user) in users.iter().enumerate() {
        let (user_id, team) = (id("user", n), id("team", user.team));
        let name = format!("person{n:06}");
        rows.row(
            &tx,
            format_args!(
                "'{user_id}','{name}','{name}','{name}@example.com','Person {n}','member','active','{team}',\
                 '{name} {name}@example.com person {n}',{begin}"
            ),
        )
        .await?;
        for (at, key) in user.keys.iter().enumerate() {
            let created = begin + (at * size.days / user.keys.len()) as i64 * DAY_MS + *key as i64;
            let last = at + 1 == user.keys.len();
            let (state, revoked) = if last {
                ("active", "NULL".to_owned())
            } else {
                ("revoked", now.to_string())
            };
            let name = format!("laptop {key:06}");
            keys.row(
                &tx,
                format_args!(
                    "'{}','{key:064x}','sk-ccag-{key:06}','{name}','{name}','{user_id}',NULL,'{state}',{created},\
                     '{user_id}',{revoked},{}",
                    id("key", *key),
                    if key % 5 == 0 { "NULL".to_owned() } else { (now + 90 * DAY_MS).to_string() }
                ),
            )
            .await?;
        }
        budgets.row(
            &tx,
            format_args!(
                "'{}','member','{team}','{user_id}','member:{team}:{user_id}',{},'monthly','UTC','balanced','[]','[]',\
                 'granted',0,{begin},{begin}",
                id("bud", n),
                100_000_000_000_i64
            ),
        )
        .await?;
    }
    for rows in [&mut rows, &mut keys, &mut budgets] {
        rows.flush(&tx).await?;
    }
    tx.commit().await?;
    Ok(users)
}

/// The last rows of the ledger and of the audit log.
async fn ledger(
    db: &DatabaseConnection,
    size: &Size,
    users: &[User],
    dice: &mut Dice,
    now: i64,
) -> Result<()> {
    let tx = db.begin().await?;
    let mut rows = Rows::of(
        "usage_records",
        "id, request_id, key_id, user_id, team_id, model, bedrock_model, geography, endpoint_id, streaming, outcome, \
         status, input_tokens, output_tokens, cache_read_tokens, cache_write_5m_tokens, cache_write_1h_tokens, estimated, \
         attempts, started_at_ms, duration_ms, replica_id, cost_nano_usd, price_id, price_assumed, received_at_ms",
    );
    let mut audit = Rows::of(
        "audit",
        "id, at_ms, actor, action, object_kind, object_id, details",
    );
    for n in 0..size.keys {
        let at = now - (size.keys - n) as i64 * 1_500;
        let of = dice.below(users.len());
        let key = users[of].keys[users[of].keys.len() - 1];
        rows.row(
            &tx,
            format_args!(
                "'{}','{}','{}','{}','{}','{}','eu.anthropic','eu','{}',true,'completed',200,100,500,40000,2000,0,false,\
                 1,{at},4000,'{}',12000000,'{}',false,{at}",
                id("use", n),
                id("req", n),
                id("key", key),
                id("user", of),
                id("team", users[of].team),
                MODELS[users[of].model],
                id("end", users[of].endpoint),
                id("rep", 1),
                id("price", 1),
            ),
        )
        .await?;
        audit
            .row(
                &tx,
                format_args!(
                    "'{}',{},'{}','key.create','key','{}','{{}}'",
                    id("aud", n),
                    now - (size.keys - n) as i64 * 300_000,
                    id("user", of),
                    id("key", key),
                ),
            )
            .await?;
    }
    rows.flush(&tx).await?;
    audit.flush(&tx).await?;
    tx.commit().await?;
    Ok(())
}
