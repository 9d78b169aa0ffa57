//! Processes that are killed at work lose no record and count none twice.

use crate::harness::{ControlPlane, DataPlane, Load, Sim, database, execute};
use std::time::Duration;

const PROMPT: &str = "tell me something [sim: text=1200, events=30, gap=3]";

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_killed_under_load_bills_every_completed_answer_once() {
    let sim = Sim::start().await;
    let control = ControlPlane::start("control", &database()).await;
    let mut plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("load").await;
    admin.fleet_of(1).await;

    let load = Load::start(&plane.client(&secret), 8, PROMPT, Duration::ZERO);
    for _ in 0..3 {
        load.complete(24).await;
        plane.kill();
        plane.resume().await;
    }
    load.complete(24).await;
    let tally = load.finish().await;

    let ledger = admin.ledger_with(&tally.request_ids()).await;
    tally.assert_billed(&ledger, &sim.settled().await);
    assert!(tally.completed.len() >= 96);
    assert!(
        !tally.failed.is_empty(),
        "the kills have hit no request: the test proves nothing"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn no_record_is_unaccounted_for_after_poison_and_crashes() {
    let sim = Sim::start().await;
    let database = database();
    let control = ControlPlane::start("control", &database).await;
    let mut plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("load").await;
    admin.fleet_of(1).await;
    // The database never takes what ends with an odd number of milliseconds.
    execute(
        &database,
        "ALTER TABLE usage_records ADD CONSTRAINT poison CHECK (duration_ms % 2 = 0)",
    );

    let load = Load::start(&plane.client(&secret), 8, PROMPT, Duration::ZERO);
    for _ in 0..2 {
        load.complete(24).await;
        plane.kill();
        plane.resume().await;
    }
    load.complete(24).await;
    load.finish().await;

    let [emitted, delivered, quarantined] = plane.accounts().await;
    assert_eq!(emitted, delivered + quarantined);
    assert!(emitted >= 72 && quarantined > 0, "{emitted} {quarantined}");
    let list = admin.get("/admin/usage/quarantine?limit=1000").await;
    let records = list["records"].as_array().unwrap();
    assert_eq!(records.len() as i64, quarantined, "nothing was put aside twice");
    let stored = admin.get("/admin/usage/summary").await;
    assert_eq!(stored["total"]["requests"], delivered);

    // Once the database takes them, they can be taken in.
    execute(&database, "ALTER TABLE usage_records DROP CONSTRAINT poison");
    for record in records {
        let path = format!("/admin/usage/quarantine/{}/retry", record["id"].as_str().unwrap());
        admin.post(&path, &serde_json::Value::Null).await;
    }
    let stored = admin.get("/admin/usage/summary").await;
    assert_eq!(stored["total"]["requests"], emitted);
}

#[tokio::test(flavor = "multi_thread")]
async fn inference_goes_on_and_everything_is_billed_while_the_control_plane_is_killed_and_comes_back() {
    let sim = Sim::start().await;
    let mut control = ControlPlane::start("control", &database()).await;
    let plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("load").await;
    admin.fleet_of(1).await;

    let load = Load::start(&plane.client(&secret), 4, PROMPT, Duration::from_millis(5));
    for _ in 0..3 {
        load.complete(16).await;
        control.kill();
        load.complete(32).await;
        control.resume().await;
    }
    load.complete(16).await;
    let tally = load.finish().await;
    assert!(
        tally.failed.is_empty(),
        "inference failed meanwhile: {:?}",
        tally.failed
    );

    let ledger = admin.ledger_with(&tally.request_ids()).await;
    let account = sim.settled().await;
    tally.assert_billed(&ledger, &account);
    assert_eq!(ledger.len(), account.len(), "a row for every answer, no more");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_that_restarts_without_its_control_plane_serves_from_its_snapshot() {
    let sim = Sim::start().await;
    let mut control = ControlPlane::start("control", &database()).await;
    let mut plane = DataPlane::start("data", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("kept").await;
    admin.fleet_of(1).await;
    let before = plane
        .client(&secret)
        .stream(crate::harness::MODEL, "before")
        .await;

    // The snapshot on disk follows within half a second.
    tokio::time::sleep(Duration::from_secs(1)).await;
    control.kill();
    plane.kill();
    plane.resume().await;
    let during = plane
        .client(&secret)
        .stream(crate::harness::MODEL, "during")
        .await;
    assert!(during.is_complete(), "{during:?}");

    control.resume().await;
    let ids = [before.request_id, during.request_id];
    let ledger = admin.ledger_with(&ids).await;
    assert_eq!(ledger.len(), 2);
}
