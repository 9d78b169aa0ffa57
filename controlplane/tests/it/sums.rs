//! The coarser sums beside the hourly ones: kept with them, and made of what was there before.

use crate::support::{Caller, NOON, Plane, TestDb, on_both, record};
use axum::extract::Query;
use axum::http::Uri;
use ccag_admin_api::{Analytics, AnalyticsCell, AnalyticsQuery, ToolCell, ToolReport};
use ccag_controlplane::app::analytics;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::time::{DAY_MS, HOUR_MS};
use ccag_domain::{Actor, EndpointId, KeyId, ModelName, TeamId, ToolCalls, ToolCounts, UsageRecord, UserId};
use sea_orm::ConnectionTrait;

on_both!(
    files_have_every_line_of_answers,
    what_was_there_before_is_summed_up_and_nothing_is_answered_otherwise,
    what_comes_in_meanwhile_is_counted_once,
    old_sums_are_made_a_few_rows_at_a_time,
);

/// Requests of four months, of some teams, users, keys, models and endpoints, at all hours.
pub(crate) fn batch(count: u64, first: u64) -> Vec<Incoming> {
    (first..first + count)
        .map(|seed| {
            let pick = |n: u64, of: u64| (seed * 7 + n * 13 + seed / 5) % of;
            let record = UsageRecord {
                model: ModelName::canonical(["claude-haiku-4-5", "claude-sonnet-4-6"][pick(1, 2) as usize]),
                user_id: (pick(2, 5) > 0).then(|| UserId::parse(&format!("user_{}", pick(2, 5))).unwrap()),
                team_id: (pick(3, 3) > 0).then(|| TeamId::parse(&format!("team_{}", pick(3, 3))).unwrap()),
                key_id: KeyId::parse(&format!("key_{}", pick(4, 7))).unwrap(),
                endpoint_id: EndpointId::parse(&format!("end_{}", pick(5, 2))).unwrap(),
                started_at_ms: NOON - (seed as i64 * 31 % 2_900) * HOUR_MS - seed as i64,
                first_token_ms: Some(100 + seed as u32 % 900),
                duration_ms: 1_000 + seed as u32 % 5_000,
                tools: tools(seed),
                ..record(seed)
            };
            Incoming::Record(Box::new(record))
        })
        .collect()
}

/// Some tools of the client and of two servers.
fn tools(seed: u64) -> ToolCounts {
    let named = |(n, name): (u64, &str)| {
        let calls = (seed + n * 3) as u32 % 4;
        ToolCalls {
            name: name.to_owned(),
            calls,
            failed: calls.min(seed as u32 % 5 / 4),
        }
    };
    let all = [
        "Bash",
        "Read",
        "mcp__github__get_issue",
        "mcp__github__search",
        "mcp__jira__find",
    ];
    let calls = (0..).zip(all).map(named).filter(|of| of.calls > 0);
    ToolCounts::of_calls(calls.collect())
}

/// Questions of all kinds, whose ranges begin and end at hours, days and months, and lie before and after each other.
fn questions() -> Vec<String> {
    let mut all = Vec::new();
    for range in [
        "days=30",
        "days=120",
        "from=2026-08-05T07:00:00Z&to=2026-11-03T22:00:00Z",
        "from=2026-09-01T00:00:00Z&to=2026-10-01T00:00:00Z",
        "from=2026-11-20T03:00:00Z&to=2026-11-20T19:00:00Z",
    ] {
        for only in [
            "",
            "&team_id=team_1",
            "&team_id=none,team_2",
            "&user_id=user_2",
            "&key_id=key_3,key_4",
            "&model=claude-haiku-4-5",
            "&endpoint_id=end_1&user_id=user_3",
            "&team_id=team_1&model=claude-haiku-4-5",
        ] {
            for by in ["team", "user", "key", "model", "endpoint"] {
                for step in ["day", "month"] {
                    all.push(format!(
                        "/admin/analytics?{range}{only}&group_by={by}&step={step}"
                    ));
                }
            }
            for about in ["activity", "performance", "forecast"] {
                all.push(format!("/admin/analytics/{about}?{range}{only}"));
            }
            // What is asked of tools knows no endpoints.
            if only.contains("endpoint") {
                continue;
            }
            for by in ["tool", "server", "team", "user", "key"] {
                for step in ["", "&step=week"] {
                    all.push(format!(
                        "/admin/analytics/tools?{range}{only}&group_by={by}{step}"
                    ));
                }
            }
        }
        for by in ["day", "user", "model"] {
            all.push(format!("/admin/usage/summary?{range}&group_by={by}"));
        }
    }
    all.push("/admin/analytics?days=20&step=hour&group_by=team".to_owned());
    all.push("/admin/analytics?days=20&step=hour&user_id=user_1".to_owned());
    all
}

pub(crate) async fn answers(admin: &Caller) -> Vec<(String, String)> {
    let mut answers = Vec::new();
    for question in questions() {
        let answer = admin.get(&question).await;
        assert_eq!(answer.status, 200, "{question}: {}", answer.text);
        answers.push((question, answer.text));
    }
    answers
}

async fn files_have_every_line_of_answers(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    take_in(plane.app(), "rep_test", batch(300, 1)).await.unwrap();
    for range in ["days=120", "from=2026-08-05T07:00:00Z&to=2026-11-03T22:00:00Z"] {
        for by in ["", "&group_by=team", "&group_by=user", "&group_by=key"] {
            for step in ["day", "week", "month"] {
                let asked = format!("/admin/analytics?{range}{by}&step={step}");
                let answer: Analytics = serde_json::from_str(&admin.get(&asked).await.text).unwrap();
                let uri: Uri = asked.parse().unwrap();
                let Query(query) = Query::<AnalyticsQuery>::try_from_uri(&uri).unwrap();
                let (whole, by) = analytics::asked(plane.app(), &query).unwrap();
                let at_once = analytics::cells(plane.app(), &Actor::System, &whole, by).await;
                assert_eq!(answer.cells, analytics::named(at_once.unwrap()), "{asked}");
                let file = admin.get(&format!("{asked}&format=csv")).await.text;
                let lines: String = answer.cells.iter().map(AnalyticsCell::to_csv).collect();
                assert!(answer.cells.len() > 3, "{asked}");
                assert_eq!(file, AnalyticsCell::csv_header() + &lines, "{asked}");
            }
        }
        for by in ["tool", "server", "team", "user", "key"] {
            for step in ["", "&step=day", "&step=week", "&step=month"] {
                let asked = format!("/admin/analytics/tools?{range}&group_by={by}{step}");
                let answer: ToolReport = serde_json::from_str(&admin.get(&asked).await.text).unwrap();
                let file = admin.get(&format!("{asked}&format=csv")).await.text;
                let lines: String = answer.cells.iter().map(ToolCell::to_csv).collect();
                assert!(!answer.cells.is_empty(), "{asked}");
                assert_eq!(file, ToolCell::csv_header() + &lines, "{asked}");
            }
        }
    }
    // What cannot be asked is refused before the file begins.
    let refused = admin.get("/admin/analytics?group_by=day&format=csv").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    let refused = admin.get("/admin/analytics/tools?step=hour&format=csv").await;
    assert_eq!(refused.status, 400, "{}", refused.text);
    plane.stop().await;
}

/// Takes the sums away, as if the ledger were older than they are.
async fn forget(db: &TestDb) {
    let own = db.connect().await;
    own.execute_unprepared("DELETE FROM usage_sums").await.unwrap();
    own.execute_unprepared("UPDATE usage_sums_state SET complete_from_ms = 4102444800000")
        .await
        .unwrap();
    own.close().await.unwrap();
}

async fn caught_up(db: &TestDb) {
    for _ in 0..3_000 {
        if db.count("SELECT complete_from_ms FROM usage_sums_state").await == 0 {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    panic!("the sums of old days are not made");
}

/// What is in the sums, as text.
async fn content(db: &TestDb) -> Vec<String> {
    let own = db.connect().await;
    let sql = "SELECT cube, start_ms, team_id, user_id, key_id, model, endpoint_id, requests, output_tokens, cost_nano_usd, \
               latency FROM usage_sums ORDER BY 1, 2, 3, 4, 5, 6, 7";
    let statement = sea_orm::Statement::from_string(own.get_database_backend(), sql);
    let rows = own.query_all_raw(statement).await.unwrap();
    let text = |row: &sea_orm::QueryResult| {
        let texts = [0, 2, 3, 4, 5, 6, 10].map(|n| row.try_get_by_index::<String>(n).unwrap());
        let numbers = [1, 7, 8, 9].map(|n| row.try_get_by_index::<i64>(n).unwrap());
        format!("{texts:?} {numbers:?}")
    };
    let found = rows.iter().map(text).collect();
    own.close().await.unwrap();
    found
}

async fn what_was_there_before_is_summed_up_and_nothing_is_answered_otherwise(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    take_in(plane.app(), "rep_test", batch(400, 1)).await.unwrap();
    take_in(plane.app(), "rep_test", batch(200, 401)).await.unwrap();
    let (kept, answered) = (content(&db).await, answers(&admin).await);
    assert!(kept.len() > 1_000, "{}", kept.len());
    plane.stop().await;
    forget(&db).await;
    // The days are summed up one by one while questions are answered: from hours at first, then from both.
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let meanwhile = answers(&admin).await;
    caught_up(&db).await;
    let from_sums = answers(&admin).await;
    for ((question, kept), (hours, sums)) in answered.iter().zip(meanwhile.iter().zip(&from_sums)) {
        assert_eq!(kept, &hours.1, "{question}");
        assert_eq!(kept, &sums.1, "{question}");
    }
    assert_eq!(kept, content(&db).await);
    plane.stop().await;
}

async fn what_comes_in_meanwhile_is_counted_once(db: TestDb) {
    let plane = Plane::start(&db).await;
    take_in(plane.app(), "rep_test", batch(300, 1)).await.unwrap();
    plane.stop().await;
    forget(&db).await;
    let plane = Plane::start(&db).await;
    for n in 0..10 {
        take_in(plane.app(), "rep_test", batch(30, 301 + n * 30))
            .await
            .unwrap();
    }
    caught_up(&db).await;
    for cube in [
        "day-all",
        "day-people",
        "day-work",
        "day-team",
        "month-all",
        "month-people",
        "hour-work",
    ] {
        let summed = format!("SELECT CAST(SUM(requests) AS BIGINT) FROM usage_sums WHERE cube = '{cube}'");
        assert_eq!(db.count(&summed).await, 600, "{cube}");
    }
    let admin = plane.admin().await;
    let day = NOON - NOON % DAY_MS;
    let all = admin.get("/admin/analytics?days=130&step=month").await.json();
    let cells = all["cells"].as_array().unwrap();
    let requests: u64 = cells.iter().map(|cell| cell["requests"].as_u64().unwrap()).sum();
    assert_eq!(requests, 600, "up to {day}");
    plane.stop().await;
}

async fn old_sums_are_made_a_few_rows_at_a_time(db: TestDb) {
    const AT_ONCE: u64 = 7;
    let plane = Plane::start(&db).await;
    take_in(plane.app(), "rep_test", batch(300, 1)).await.unwrap();
    take_in(plane.app(), "rep_test", batch(40, 301)).await.unwrap();
    let kept = content(&db).await;
    let hours = db.count("SELECT COUNT(*) FROM usage_rollups_hourly").await;
    plane.stop().await;
    // As an earlier version left it: in the middle of a month, with sums of days before that somebody has added to.
    let own = db.connect().await;
    let half = format!(
        "UPDATE usage_sums_state SET complete_from_ms = {}",
        NOON - NOON % DAY_MS
    );
    own.execute_unprepared(&half).await.unwrap();
    own.close().await.unwrap();
    let store = db.store().await;
    let summed = "SELECT CAST(COALESCE(SUM(requests), 0) AS BIGINT) FROM usage_sums WHERE cube = 'day-all'";
    let (mut steps, mut before) = (0, db.count(summed).await);
    while store.sum_some_more(AT_ONCE).await.unwrap() {
        steps += 1;
        let now = db.count(summed).await;
        // A team and a user have a few rows of an hour, of which each is one or two requests here.
        assert!(now - before <= 4 * AT_ONCE as i64, "{} at once", now - before);
        before = now;
    }
    store.close().await;
    assert!(
        steps > hours / (2 * AT_ONCE as i64),
        "{hours} rows in {steps} steps"
    );
    assert_eq!(kept, content(&db).await);
}
