//! The database goes away for a minute.

use crate::harness::{Cluster, ControlPlane, DataPlane, Load, Sim};
use std::time::Duration;

#[tokio::test(flavor = "multi_thread")]
async fn a_minute_without_postgres_fails_no_request_and_loses_no_record() {
    let sim = Sim::start().await;
    let cluster = Cluster::start();
    let control = ControlPlane::start("control", &cluster.database()).await;
    let first = DataPlane::start("data-1", &[&control], &sim).await;
    let second = DataPlane::start("data-2", &[&control], &sim).await;
    let admin = control.admin().await;
    let (_, secret) = admin.create_key("load").await;
    admin.fleet_of(2).await;

    let prompt = "tell me something [sim: text=400, events=8, gap=5]";
    let pause = Duration::from_millis(100);
    let loads = [&first, &second].map(|plane| Load::start(&plane.client(&secret), 2, prompt, pause));
    for load in &loads {
        load.complete(4).await;
    }
    cluster.stop();
    tokio::time::sleep(Duration::from_secs(60)).await;
    cluster.resume();
    for load in &loads {
        load.complete(4).await;
    }
    let [one, two] = loads;
    let (mut tally, other) = (one.finish().await, two.finish().await);
    tally.completed.extend(other.completed);
    tally.failed.extend(other.failed);
    assert!(
        tally.failed.is_empty(),
        "inference failed meanwhile: {:?}",
        tally.failed
    );

    let ledger = admin.ledger_with(&tally.request_ids()).await;
    let account = sim.settled().await;
    tally.assert_billed(&ledger, &account);
    assert_eq!(ledger.len(), account.len(), "a row for every answer, no more");
    assert_eq!(
        admin.get("/admin/usage/summary").await["total"]["requests"],
        account.len(),
        "the sums agree with the rows"
    );
}
