//! The database goes away.

use crate::harness::{Answer, Cluster, ControlPlane, DataPlane, Load, MODEL, Sim};
use ccag_domain::{Geography, Lane, ModelName, NanoUsd, PriceBook, Tokens, catalogue};
use std::time::Duration;

/// What these answers cost by the price book: all of them were given whole, through the `us.` profile.
fn spent(account: &[Answer]) -> NanoUsd {
    let prices = PriceBook::new(catalogue::prices());
    let model = ModelName::canonical(MODEL);
    let of = |answer: &Answer| {
        let usage = answer.entry.usage;
        let tokens = Tokens {
            input: usage.input,
            output: usage.output,
            cache_read: usage.cache_read,
            cache_write_5m: usage.cache_write_5m,
            cache_write_1h: usage.cache_write_1h,
        };
        let cost = prices.cost(&model, Geography::Us, Lane::InvokeModel, &tokens);
        cost.unwrap().amount
    };
    account.iter().map(of).sum()
}

/// For how many seconds it is gone; `CCAG_TEST_OUTAGE_S=600` makes it ten minutes.
fn outage() -> Duration {
    let seconds = std::env::var("CCAG_TEST_OUTAGE_S").map_or(60, |text| text.parse().unwrap());
    Duration::from_secs(seconds)
}

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
    // Fifty and more in a second, both together.
    let pause = Duration::from_millis(60);
    let loads = [&first, &second].map(|plane| Load::start(&plane.client(&secret), 4, prompt, pause));
    for load in &loads {
        load.complete(4).await;
    }
    cluster.stop();
    let before = sim.account().len();
    tokio::time::sleep(outage()).await;
    let meanwhile = sim.account().len() - before;
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

    eprintln!("{meanwhile} answers in {:?} without a database", outage());
    let ledger = admin.ledger_with(&tally.request_ids()).await;
    let account = sim.settled().await;
    tally.assert_billed(&ledger, &account);
    assert_eq!(ledger.len(), account.len(), "a row for every answer, no more");
    let booked: i64 = ledger
        .iter()
        .map(|row| row["cost_nano_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(NanoUsd(booked), spent(&account), "to the nano-dollar");
    assert_eq!(
        admin.get("/admin/usage/summary").await["total"]["requests"],
        account.len(),
        "the sums agree with the rows"
    );
}
