//! Days and months that are over are packed, and say what their rows say.

use crate::sums::{answers, batch};
use crate::support::{NOON, Plane, TestDb, on_both};
use ccag_admin_api::AnalyticsQuery;
use ccag_controlplane::app::analytics::{Asked, Few, spent, tools_seen};
use ccag_controlplane::app::intake::take_in;
use ccag_controlplane::app::rollup::pack;
use ccag_controlplane::store::OnlyTools;
use ccag_domain::time::DAY_MS;
use ccag_domain::{Actor, NanoUsd};
use sea_orm::ConnectionTrait;

on_both!(
    what_is_packed_is_answered_as_before,
    late_records_are_in_no_pack_until_it_is_made_anew,
    nothing_is_packed_while_sums_are_made,
);

/// What the page of spend ranks, for several ranges and choices.
async fn rankings(plane: &Plane) -> Vec<String> {
    let mut all = Vec::new();
    for days in [7, 30, 120] {
        for (model, team, endpoint) in [
            (None, None, None),
            (Some("claude-haiku-4-5"), None, None),
            (
                None,
                Some("team_1,team_2,none,team_3,team_4,team_5,team_6,team_7,team_8"),
                None,
            ),
            (None, None, Some("end_1")),
            (None, Some("team_1"), Some("end_1")),
        ] {
            let query = AnalyticsQuery {
                days: Some(days),
                model: model.map(Into::into),
                team_id: team.map(Into::into),
                endpoint_id: endpoint.map(Into::into),
                ..AnalyticsQuery::default()
            };
            let asked = Asked::read(&query, NOON).unwrap();
            for (ranked, charted) in [(1, 0), (3, 2), (100, 9)] {
                let few = Few { ranked, charted };
                let found = spent(plane.app(), &Actor::System, &asked, few).await.unwrap();
                let over_time: NanoUsd = found
                    .teams_over_time
                    .iter()
                    .map(|cell| cell.totals.cost_nano_usd)
                    .sum();
                let dearest = found.teams.iter().take(charted);
                assert_eq!(over_time, dearest.map(|team| team.totals.cost_nano_usd).sum());
                all.push(format!("{query:?} {few:?}: {found:?}"));
            }
            for top in [1, 4, 100] {
                let only = OnlyTools::default();
                let asked = tools_seen(plane.app(), &Actor::System, &asked, &only, (top + 1, top));
                all.push(format!("{query:?} tools {top}: {:?}", asked.await.unwrap()));
            }
        }
    }
    all
}

async fn everything(plane: &Plane) -> Vec<String> {
    let admin = plane.admin().await;
    let answers = answers(&admin).await;
    let mut all: Vec<String> = answers
        .into_iter()
        .map(|(question, answer)| format!("{question}: {answer}"))
        .collect();
    all.extend(rankings(plane).await);
    all
}

fn same(before: &[String], after: &[String]) {
    assert_eq!(before.len(), after.len());
    for (before, after) in before.iter().zip(after) {
        assert_eq!(before, after);
    }
}

async fn run(db: &TestDb, sql: &str) {
    let own = db.connect().await;
    own.execute_unprepared(sql).await.unwrap();
    own.close().await.unwrap();
}

const PACKS: &str = "SELECT COUNT(*) FROM usage_packs WHERE part IN ('cost_nano_usd', 'calls')";

async fn what_is_packed_is_answered_as_before(db: TestDb) {
    let plane = Plane::start(&db).await;
    take_in(plane.app(), "rep_test", batch(400, 1)).await.unwrap();
    let rows = everything(&plane).await;
    assert_eq!(db.count(PACKS).await, 0);
    let packed = pack(plane.app()).await.unwrap();
    assert!(packed > 300, "{packed}");
    assert_eq!(db.count(PACKS).await, packed as i64);
    assert_eq!(pack(plane.app()).await.unwrap(), 0);
    same(&rows, &everything(&plane).await);
    // Those rows are not read any more, nor those of the month at hand: it is packs that answer.
    let admin = plane.admin().await;
    let before = NOON - 2 * DAY_MS;
    for (gone, asked) in [
        (
            format!(
                "DELETE FROM usage_sums WHERE (cube IN ('day-all', 'day-team-work') AND start_ms < {before}) OR cube = 'month-all'"
            ),
            "?days=120&model=claude-haiku-4-5&group_by=user&step=month",
        ),
        (
            format!(
                "DELETE FROM tool_sums WHERE cube LIKE '%caller' AND (start_ms < {before} OR cube = 'month-caller')"
            ),
            "/tools?days=120&group_by=key",
        ),
        (
            format!("DELETE FROM tool_sums WHERE start_ms < {before}"),
            "/tools?days=120&group_by=server&step=week",
        ),
    ] {
        let asked = format!("/admin/analytics{asked}");
        let kept = admin.get(&asked).await;
        assert_eq!(kept.status, 200, "{}", kept.text);
        run(&db, &gone).await;
        assert_eq!(kept.text, admin.get(&asked).await.text);
    }
    plane.stop().await;
}

async fn late_records_are_in_no_pack_until_it_is_made_anew(db: TestDb) {
    let plane = Plane::start(&db).await;
    take_in(plane.app(), "rep_test", batch(300, 1)).await.unwrap();
    let packed = pack(plane.app()).await.unwrap();
    // Of days that are packed, some of users and keys that no pack knows.
    take_in(plane.app(), "rep_test", batch(40, 301)).await.unwrap();
    let left = db.count(PACKS).await;
    assert!(left < packed as i64 && left > 0, "{left} of {packed}");
    let both = everything(&plane).await;
    let again = pack(plane.app()).await.unwrap();
    assert_eq!(left + again as i64, db.count(PACKS).await);
    same(&both, &everything(&plane).await);
    run(&db, "DELETE FROM usage_packs").await;
    same(&both, &everything(&plane).await);
    // A pack that lacks a column, as one of another release might, is none.
    pack(plane.app()).await.unwrap();
    run(&db, "DELETE FROM usage_packs WHERE part IN ('errors', 'failed')").await;
    same(&both, &everything(&plane).await);
    plane.stop().await;
}

async fn nothing_is_packed_while_sums_are_made(db: TestDb) {
    let plane = Plane::start(&db).await;
    take_in(plane.app(), "rep_test", batch(100, 1)).await.unwrap();
    assert!(pack(plane.app()).await.unwrap() > 0);
    plane.stop().await;
    let day = NOON - NOON % DAY_MS;
    run(
        &db,
        &format!("UPDATE usage_sums_state SET complete_from_ms = {day}"),
    )
    .await;
    let store = db.store().await;
    // What is made anew is packed anew.
    assert!(store.sum_some_more(10).await.unwrap());
    assert_eq!(db.count(PACKS).await, 0);
    while store.sum_some_more(1_000).await.unwrap() {}
    store.close().await;
    let plane = Plane::start(&db).await;
    let rows = everything(&plane).await;
    assert!(pack(plane.app()).await.unwrap() > 0);
    same(&rows, &everything(&plane).await);
    plane.stop().await;
}
