//! Records that were put aside can be seen, tried again and dismissed.

use crate::support::{Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{take_in, understand};
use ccag_domain::UsageRecord;
use ccag_proto::v1;
use prost::Message;
use sea_orm::ConnectionTrait;
use std::sync::atomic::Ordering;

on_both!(
    a_record_that_was_put_aside_is_shown_and_stored_once_it_can_be,
    what_is_dismissed_is_gone_and_stands_in_the_audit_log,
);

fn bytes(record: UsageRecord) -> Vec<u8> {
    v1::UsageRecord::from(record).encode_to_vec()
}

async fn take(plane: &Plane, messages: Vec<Vec<u8>>) {
    let batch = messages.into_iter().map(understand).collect();
    take_in(plane.app(), "rep_test", batch).await.unwrap();
    // So that the next one is newer.
    plane.clock.0.fetch_add(1_000, Ordering::Relaxed);
}

async fn execute(db: &TestDb, sql: &str) {
    let own = db.connect().await;
    own.execute_unprepared(sql).await.unwrap();
    own.close().await.unwrap();
}

/// Makes the database refuse records with the error `poison`; with `false` it takes them again.
async fn refuse_poison(db: &TestDb, refuse: bool) {
    let sql = match (db.is_postgres(), refuse) {
        (true, true) => {
            "ALTER TABLE usage_records ADD CONSTRAINT no_poison CHECK (error IS NULL OR error <> 'poison') NOT VALID"
        }
        (true, false) => "ALTER TABLE usage_records DROP CONSTRAINT no_poison",
        (false, true) => {
            "CREATE TRIGGER no_poison BEFORE INSERT ON usage_records WHEN NEW.error = 'poison' \
             BEGIN SELECT RAISE(ABORT, 'poison'); END"
        }
        (false, false) => "DROP TRIGGER no_poison",
    };
    execute(db, sql).await;
}

async fn a_record_that_was_put_aside_is_shown_and_stored_once_it_can_be(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let list = "/admin/usage/quarantine";
    let empty = admin.get(list).await.json();
    assert_eq!(
        (&empty["total"], &empty["next_cursor"]),
        (&0.into(), &serde_json::Value::Null)
    );

    let mut absurd = record(1);
    absurd.started_at_ms = 0;
    let absurd_id = absurd.id.to_string();
    take(&plane, vec![bytes(absurd)]).await;
    refuse_poison(&db, true).await;
    let mut poison = record(2);
    poison.error = Some("poison".into());
    let poison_id = poison.id.to_string();
    take(&plane, vec![bytes(poison.clone()), bytes(record(3))]).await;

    let all = admin.get(list).await.json();
    assert_eq!(all["total"], 2);
    assert_eq!(all["records"][0]["id"], poison_id.as_str(), "the newest first");
    assert_eq!(all["records"][1]["reason"], "absurd time: 0");
    assert_eq!(all["records"][1]["retryable"], true);
    let first = admin.get(&format!("{list}?limit=1")).await.json();
    let cursor = first["next_cursor"].as_str().unwrap();
    let second = admin.get(&format!("{list}?limit=1&cursor={cursor}")).await.json();
    assert_eq!(second["records"][0]["id"], absurd_id.as_str());
    assert_eq!(second["next_cursor"], serde_json::Value::Null);

    // Both still cannot be stored: they stay.
    for (id, reason) in [(&absurd_id, "absurd time: 0"), (&poison_id, "cannot be stored")] {
        let refused = admin.send("POST", &format!("{list}/{id}/retry"), "").await;
        assert_eq!(refused.status, 409, "{}", refused.text);
        assert!(refused.text.contains(reason), "{}", refused.text);
    }
    assert_eq!(admin.get(list).await.json()["total"], 2);

    refuse_poison(&db, false).await;
    let retry = format!("{list}/{poison_id}/retry");
    let done = admin.send("POST", &retry, "").await;
    assert_eq!(
        (done.status.as_u16(), &done.json()["stored"]),
        (200, &true.into()),
        "{}",
        done.text
    );
    assert_eq!(admin.send("POST", &retry, "").await.status, 404);
    assert_eq!(admin.get(list).await.json()["total"], 1);
    assert_eq!(db.count("SELECT COUNT(*) FROM usage_records").await, 2);
    let sum = "SELECT CAST(SUM(requests) AS BIGINT) FROM usage_rollups_hourly";
    assert_eq!(db.count(sum).await, 2);

    // In the ledger already, as when the data plane sent it again meanwhile.
    refuse_poison(&db, true).await;
    let mut other = record(4);
    other.error = Some("poison".into());
    take(&plane, vec![bytes(other.clone())]).await;
    refuse_poison(&db, false).await;
    take(&plane, vec![bytes(other.clone())]).await;
    let done = admin
        .send("POST", &format!("{list}/{}/retry", other.id), "")
        .await;
    assert_eq!(done.json()["stored"], false, "{}", done.text);
    assert_eq!(db.count(sum).await, 3);
    plane.stop().await;
}

async fn what_is_dismissed_is_gone_and_stands_in_the_audit_log(db: TestDb) {
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    take(&plane, vec![b"\xff\xff\xff\xff".to_vec()]).await;
    let list = "/admin/usage/quarantine";
    let shown = admin.get(list).await.json();
    let id = shown["records"][0]["id"].as_str().unwrap().to_owned();
    assert!(id.starts_with("raw_"), "{id}");
    let path = format!("{list}/{id}");
    let (member, _) = admin.new_member("mira").await;
    assert_eq!(member.get(list).await.status, 403);
    assert_eq!(member.send("DELETE", &path, "").await.status, 403);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    assert_eq!(admin.send("DELETE", &path, "").await.status, 404);
    assert_eq!(admin.get(list).await.json()["total"], 0);
    let audited = format!(
        "SELECT COUNT(*) FROM audit WHERE action = 'usage.quarantine.dismiss' AND object_id = '{id}'"
    );
    assert_eq!(db.count(&audited).await, 1);
    plane.stop().await;
}
