//! A long outage is over: everything that the data planes have kept arrives at once.

use crate::support::{NOON, PASSWORD, Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{take_in, understand};
use ccag_domain::{KeyId, ModelName, UserId};
use ccag_proto::v1;
use prost::Message;
use std::time::{Duration, Instant};

on_both!(seventy_thousand_records_with_poison_among_them_are_all_accounted_for);

const SENT: u64 = 70_000;

/// As many as a data plane that has caught up puts into one batch, ten times over.
const BATCH: usize = 5_000;

/// A record as its bytes, with the start of a text in it replaced by half of a surrogate pair.
fn with_a_lone_surrogate(seed: u64) -> Vec<u8> {
    let mut bytes = v1::UsageRecord::from(record(seed)).encode_to_vec();
    let at = bytes.windows(7).position(|w| w == b"session").unwrap();
    bytes[at..at + 3].copy_from_slice(&[0xed, 0xa0, 0x80]);
    bytes
}

fn message(seed: u64, deleted: &(KeyId, UserId)) -> Vec<u8> {
    let mut record = record(seed);
    record.key_id = KeyId::parse(&format!("key_{}", seed % 40)).unwrap();
    record.started_at_ms = NOON - 1 - i64::try_from(seed % 72).unwrap() * 1_800_000;
    record.tokens.output = seed;
    match seed {
        10 => record.key_id = deleted.0.clone(),
        11 => record.user_id = Some(deleted.1.clone()),
        12 => record.error = Some("a\0b".into()),
        13 => record.model = ModelName::canonical("claude\0opus"),
        14 => record.started_at_ms = i64::MIN,
        15 => return with_a_lone_surrogate(seed),
        _ => {}
    }
    v1::UsageRecord::from(record).encode_to_vec()
}

async fn seventy_thousand_records_with_poison_among_them_are_all_accounted_for(db: TestDb) {
    let began = Instant::now();
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let key = admin
        .post("/admin/keys", serde_json::json!({"name": "gone"}))
        .await;
    let user = serde_json::json!({"username": "gone", "password": PASSWORD});
    let user = admin.post("/admin/users", user).await;
    let deleted = (
        KeyId::parse(&key.id()).unwrap(),
        UserId::parse(&user.id()).unwrap(),
    );
    for path in [
        format!("/admin/keys/{}", deleted.0),
        format!("/admin/users/{}", deleted.1),
    ] {
        assert_eq!(admin.send("DELETE", &path, "").await.status, 204);
    }

    let mut messages: Vec<_> = (0..SENT).map(|seed| message(seed, &deleted)).collect();
    // One that was sent twice, far apart.
    messages.push(message(16, &deleted));
    let (mut stored, mut duplicates, mut quarantined) = (0, 0, 0);
    for batch in messages.chunks(BATCH) {
        let batch = batch.iter().cloned().map(understand).collect();
        let receipt = take_in(plane.app(), "rep_test", batch).await.unwrap();
        stored += receipt.stored as u64;
        duplicates += receipt.duplicates as u64;
        quarantined += receipt.quarantined.len() as u64;
    }
    assert_eq!((stored, quarantined, duplicates), (SENT - 3, 3, 1));

    let count = async |sql: &str| db.count(sql).await.unsigned_abs();
    assert_eq!(count("SELECT COUNT(*) FROM usage_records").await, stored);
    assert_eq!(count("SELECT COUNT(*) FROM usage_quarantine").await, quarantined);
    for what in ["key_id", "user_id"] {
        let id = if what == "key_id" {
            deleted.0.as_str()
        } else {
            deleted.1.as_str()
        };
        let sql = format!("SELECT COUNT(*) FROM usage_records WHERE {what} = '{id}'");
        assert_eq!(count(&sql).await, 1, "{what}");
    }
    for (rows, sums) in [
        ("COUNT(*)", "requests"),
        ("CAST(SUM(output_tokens) AS BIGINT)", "output_tokens"),
        ("CAST(SUM(cost_nano_usd) AS BIGINT)", "cost_nano_usd"),
    ] {
        let sums = format!("SELECT CAST(SUM({sums}) AS BIGINT) FROM usage_rollups_hourly");
        let rows = format!("SELECT {rows} FROM usage_records");
        assert_eq!(count(&sums).await, count(&rows).await, "{rows}");
    }
    let took = began.elapsed();
    assert!(took < Duration::from_secs(60), "{took:?}");
    plane.stop().await;
}
