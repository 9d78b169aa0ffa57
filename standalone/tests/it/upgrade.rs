//! A fleet that is upgraded under load, and taken back.
//!
//! With `cargo xtask upgrade --from REF` the older programs are those of that commit. Without, both versions are this one, and
//! what is tested is the way that an upgrade goes.

use crate::harness::{ControlPlane, DataPlane, Load, MODEL, PASSWORD, Sim, database};
use std::time::Duration;

/// How many requests are completed in each mixture of versions.
const IN_EACH: u64 = 20;

async fn restarted(plane: &mut DataPlane, older: bool) {
    let mut process = plane.process.take().unwrap();
    process.terminate();
    let status = process.ended(Duration::from_secs(60)).await;
    assert_eq!(status.code(), Some(0), "{}", process.output());
    plane.older = older;
    plane.resume().await;
}

async fn switched(plane: &mut ControlPlane, older: bool) {
    plane.stop().await;
    plane.older = older;
    plane.resume().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_upgraded_and_its_data_planes_taken_back_under_load_and_nothing_is_lost() {
    let (sim, database) = (Sim::start().await, database());
    let mut first = ControlPlane::new("control-1", &database, Some(PASSWORD));
    let mut second = ControlPlane::new("control-2", &database, Some(PASSWORD));
    (first.older, second.older) = (true, true);
    first.resume().await;
    second.resume().await;
    let mut steady = DataPlane::start("steady", &[&first, &second], &sim).await;
    let mut moving = DataPlane::start("moving", &[&second, &first], &sim).await;
    restarted(&mut steady, true).await;
    restarted(&mut moving, true).await;
    let admin = first.admin().await;
    let (_, secret) = admin.create_key("kept").await;
    admin.fleet_of(2).await;
    // One data plane serves all the time; the other is restarted between.
    let load = Load::start(&steady.client(&secret), 4, "go on", Duration::from_millis(5));
    let mut others = Vec::new();
    let mut ask = async |plane: &DataPlane, what: &str| {
        let reply = plane.client(&secret).stream(MODEL, what).await;
        assert!(reply.is_complete(), "{what}: {reply:?}");
        others.push(reply.request_id);
    };
    ask(&moving, "all of it is older").await;
    load.complete(IN_EACH).await;
    // The newer control plane brings the database up to date; the older one goes on with it.
    switched(&mut first, false).await;
    load.complete(IN_EACH).await;
    ask(&moving, "older data planes, control planes of both versions").await;
    let by_newer = first.admin().await.create_key("made by the newer one").await;
    let by_older = second.admin().await.create_key("made by the older one").await;
    first.admin().await.fleet_of(2).await;
    for (_, secret) in [&by_newer, &by_older] {
        let reply = steady.client(secret).stream(MODEL, "a new key").await;
        assert!(reply.is_complete(), "{reply:?}");
    }
    restarted(&mut moving, false).await;
    ask(&moving, "a newer data plane, control planes of both versions").await;
    load.complete(IN_EACH).await;
    // The older one goes on with the newer one's database also when it is started again.
    switched(&mut second, true).await;
    ask(&moving, "the older control plane was started again").await;
    switched(&mut second, false).await;
    ask(&moving, "only one data plane is older").await;
    // Back: what a newer data plane has left on its disk, an older one can use.
    restarted(&mut moving, true).await;
    ask(&moving, "back to the older data plane").await;
    restarted(&mut moving, false).await;
    ask(&moving, "and on again").await;
    let revoked = first.admin().await;
    revoked.revoke_key(&by_older.0).await;
    revoked.fleet_of(2).await;
    assert_eq!(
        steady.client(&by_older.1).stream(MODEL, "revoked").await.status,
        401
    );
    load.complete(IN_EACH).await;
    let tally = load.finish().await;
    assert_eq!(tally.failed, Vec::<String>::new());
    let admin = first.admin().await;
    let mut ids = tally.request_ids();
    ids.extend(others);
    let ledger = admin.ledger_with(&ids).await;
    tally.assert_billed(&ledger, &sim.settled().await);
    for id in &ids {
        let times = ledger
            .iter()
            .filter(|row| row["request_id"] == id.as_str())
            .count();
        assert_eq!(times, 1, "{id}");
    }
    // The sums, which both versions have added to, are those of the ledger.
    let range = "from=2020-01-01T00:00:00Z&to=2099-01-01T00:00:00Z";
    let summed = admin.get(&format!("/admin/usage/summary?{range}")).await;
    assert_eq!(summed["total"]["requests"], ledger.len(), "{summed}");
    let cost: i64 = ledger
        .iter()
        .map(|row| row["cost_nano_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(summed["total"]["cost_nano_usd"], cost, "{summed}");
}
