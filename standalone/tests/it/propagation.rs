//! A change reaches every data plane, whichever control plane took it.

use crate::harness::{Client, ControlPlane, DataPlane, MODEL, Sim, database, message};
use std::time::{Duration, Instant};

/// How long it takes until each of the clients gets this status.
async fn time_until(status: u16, clients: &[&Client]) -> Duration {
    let started = Instant::now();
    for client in clients {
        loop {
            let seen = client.send(&message(MODEL, "hello")).await.status;
            if seen == status {
                break;
            }
            assert!(
                started.elapsed() < Duration::from_secs(10),
                "still {seen} instead of {status}"
            );
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
    started.elapsed()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_works_and_is_revoked_on_every_data_plane_within_a_second() {
    let sim = Sim::start().await;
    let database = database();
    let first = ControlPlane::start("control-1", &database).await;
    let second = ControlPlane::start("control-2", &database).await;
    let near = DataPlane::start("data-1", &[&first], &sim).await;
    let far = DataPlane::start("data-2", &[&second], &sim).await;
    let at_first = first.admin().await;
    let at_second = at_first.at(&second.http);
    at_first.fleet_of(2).await;

    let mut slowest = Duration::ZERO;
    for round in 0..5 {
        // Each of the replicas takes its turn at both halves.
        let (maker, revoker) = match round % 2 {
            0 => (&at_first, &at_second),
            _ => (&at_second, &at_first),
        };
        let (id, secret) = maker.create_key(&format!("round-{round}")).await;
        let (a, b) = (near.client(&secret), far.client(&secret));
        slowest = slowest.max(time_until(200, &[&a, &b]).await);
        revoker.revoke_key(&id).await;
        slowest = slowest.max(time_until(401, &[&a, &b]).await);
    }
    assert!(
        slowest < Duration::from_secs(1),
        "the slowest change took {slowest:?}"
    );

    let fleet = at_first.get("/admin/fleet").await;
    let replicas = fleet["replicas"].as_array().unwrap();
    assert_eq!(replicas.len(), 2, "{fleet}");
    assert!(
        replicas.iter().all(|r| r["apply_p99_ms"].is_u64()),
        "no measured delay: {fleet}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_plane_moves_to_the_other_control_plane_when_its_own_dies() {
    let sim = Sim::start().await;
    let database = database();
    let mut first = ControlPlane::start("control-1", &database).await;
    let second = ControlPlane::start("control-2", &database).await;
    let plane = DataPlane::start("data-1", &[&first, &second], &sim).await;
    let admin = second.admin().await;
    admin.fleet_of(1).await;
    first.kill();
    let (_, secret) = admin.create_key("after the loss").await;
    let client = plane.client(&secret);
    let took = time_until(200, &[&client]).await;
    assert!(took < Duration::from_secs(10), "{took:?}");
}
