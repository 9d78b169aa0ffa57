//! The ledger of a range, at the prices that are in the history now.

use crate::support::{NOON, Plane, TestDb, on_both, record};
use ccag_admin_api::Timestamp;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_domain::{ModelName, TeamId};
use sea_orm::ConnectionTrait;
use serde_json::json;

on_both!(
    a_preview_says_what_would_change_and_changes_nothing,
    what_is_applied_changes_rows_sums_and_budgets_alike,
);

/// More than two transactions' worth.
const ROWS: u64 = 1_200;

const HOUR: i64 = 3_600_000;

async fn execute(db: &TestDb, sql: &str) {
    let own = db.connect().await;
    own.execute_unprepared(sql).await.unwrap();
    own.close().await.unwrap();
}

/// Of Opus 5.5 within the last three hours and, every tenth, of Sonnet 5.5; every third of a team. Then a price that was wrong
/// is put right: output of Opus 5.5 costs twice as much.
async fn world(db: &TestDb) -> Plane {
    let plane = Plane::start(db).await;
    for (id, team, from) in [
        ("acc_all", "", NOON - 24 * HOUR),
        ("acc_red", "team_red", NOON - HOUR),
    ] {
        execute(
            db,
            &format!(
                "INSERT INTO budget_accounts (id, budget_id, start_ms, end_ms, team_id, user_id, key_id, \
                 settled_nano_usd, held_nano_usd) VALUES ('{id}', 'bud_x', {from}, {NOON}, '{team}', '', '', 0, 7)"
            ),
        )
        .await;
    }
    let records = (0..ROWS).map(|seed| {
        let mut record = record(seed);
        record.started_at_ms = NOON - 1 - i64::try_from(seed).unwrap() * 3 * HOUR / 1_200;
        if seed % 10 == 0 {
            record.model = ModelName::canonical("claude-sonnet-5-5");
        }
        record.team_id = (seed % 3 == 0).then(|| TeamId::parse("team_red").unwrap());
        Incoming::Record(Box::new(record))
    });
    let receipt = take_in(plane.app(), "rep_test", records.collect()).await.unwrap();
    assert_eq!(receipt.stored as u64, ROWS);
    execute(
        db,
        "UPDATE prices SET output = output * 2 WHERE model = 'claude-opus-5-5'",
    )
    .await;
    plane
}

/// What the ledger, the hourly sums and the account of everybody hold.
async fn sums(db: &TestDb) -> [i64; 3] {
    let mut found = [0; 3];
    for (slot, sql) in found.iter_mut().zip([
        "SELECT CAST(SUM(cost_nano_usd) AS BIGINT) FROM usage_records",
        "SELECT CAST(SUM(cost_nano_usd) AS BIGINT) FROM usage_rollups_hourly",
        "SELECT settled_nano_usd FROM budget_accounts WHERE id = 'acc_all'",
    ]) {
        *slot = db.count(sql).await;
    }
    found
}

fn query(from: i64, to: i64) -> String {
    let (from, to) = (Timestamp::from_ms(from), Timestamp::from_ms(to));
    format!("/admin/usage/reprice?from={from}&to={to}")
}

async fn a_preview_says_what_would_change_and_changes_nothing(db: TestDb) {
    let plane = world(&db).await;
    let admin = plane.admin().await;
    let before = sums(&db).await;
    assert_eq!(before, [before[0]; 3]);
    let report = admin.get(&query(NOON - 24 * HOUR, NOON)).await.json();
    assert_eq!(
        (&report["applied"], &report["rows"]),
        (&false.into(), &ROWS.into()),
        "{report}"
    );
    // 20 tokens of output at 20,000 nano-dollars more each, and a tenth for the regional profile.
    let difference = 1_080 * 440_000;
    assert_eq!(report["difference_nano_usd"], difference);
    assert_eq!(report["stored_nano_usd"], before[0]);
    assert_eq!(report["recomputed_nano_usd"], before[0] + difference);
    let opus = &report["models"][0];
    assert_eq!(
        (&opus["model"], &opus["changed_rows"]),
        (&"claude-opus-5-5".into(), &1_080.into())
    );
    let sonnet = &report["models"][1];
    assert_eq!(
        (&sonnet["rows"], &sonnet["changed_rows"]),
        (&120.into(), &0.into())
    );
    assert_eq!(sums(&db).await, before);

    let sonnet = admin.get(&format!("{}&model=sonnet-5-5", query(0, NOON))).await;
    assert_eq!(sonnet.json()["rows"], 0, "an unknown model has no rows");
    let sonnet = admin
        .get(&format!("{}&model=claude-sonnet-5-5", query(0, NOON)))
        .await;
    assert_eq!(sonnet.json()["rows"], 120);
    assert_eq!(admin.get(&query(NOON, 0)).await.status, 400);
    let (member, _) = admin.new_member("mira").await;
    assert_eq!(member.get(&query(0, NOON)).await.status, 403);
    plane.stop().await;
}

async fn what_is_applied_changes_rows_sums_and_budgets_alike(db: TestDb) {
    let plane = world(&db).await;
    let admin = plane.admin().await;
    let before = sums(&db).await;
    let red = "SELECT settled_nano_usd FROM budget_accounts WHERE id = 'acc_red'";
    let red_before = db.count(red).await;
    let of = |from: i64| {
        let (from, to) = (Timestamp::from_ms(from), Timestamp::from_ms(NOON));
        json!({"from": from, "to": to, "reason": "output was entered at half its price"})
    };
    let mut silent = of(0);
    silent["reason"] = " ".into();
    let refused = admin.post("/admin/usage/reprice", silent).await;
    assert_eq!(
        (refused.status.as_u16(), &refused.json()["field"]),
        (400, &"reason".into()),
        "{}",
        refused.text
    );
    assert_eq!(sums(&db).await, before);

    // The last hour and a half first: half of the rows.
    let half = admin
        .post("/admin/usage/reprice", of(NOON - 3 * HOUR / 2))
        .await
        .json();
    assert_eq!(
        (&half["applied"], &half["changed_rows"]),
        (&true.into(), &540.into()),
        "{half}"
    );
    assert_eq!(sums(&db).await, before.map(|sum| sum + 540 * 440_000));
    // The team's account counts the last hour of the team's requests: 400 rows of the last hour, every third of them, less
    // those of Sonnet.
    let counting = (0..400).filter(|seed| seed % 3 == 0 && seed % 10 != 0).count();
    let expected = red_before + i64::try_from(counting).unwrap() * 440_000;
    assert_eq!(db.count(red).await, expected);

    // The rest, and then there is nothing left.
    let rest = admin.post("/admin/usage/reprice", of(0)).await.json();
    assert_eq!(rest["changed_rows"], 540);
    assert_eq!(sums(&db).await, before.map(|sum| sum + 1_080 * 440_000));
    assert_eq!(db.count(red).await, expected);
    let again = admin.post("/admin/usage/reprice", of(0)).await.json();
    assert_eq!(
        (&again["changed_rows"], &again["difference_nano_usd"]),
        (&0.into(), &0.into())
    );
    let held = "SELECT CAST(SUM(held_nano_usd) AS BIGINT) FROM budget_accounts";
    assert_eq!(
        db.count(held).await,
        14,
        "what is granted to data planes is none of its business"
    );
    let requests = "SELECT CAST(SUM(requests) AS BIGINT) FROM usage_rollups_hourly";
    assert_eq!(db.count(requests).await.unsigned_abs(), ROWS);
    let audited = "SELECT COUNT(*) FROM audit WHERE action IN ('usage.reprice.begin', 'usage.reprice') \
                   AND details LIKE '%half its price%'";
    assert_eq!(db.count(audited).await, 6);
    plane.stop().await;
}
