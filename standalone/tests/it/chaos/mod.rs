//! Whatever goes wrong, in whatever order: no request fails that was not running on a process that was killed, the ledger is
//! exact, the budget holds, and everything recovers without help.
//!
//! `cargo xtask chaos` runs it for longer, with another seed, and on SQLite.

mod faults;
mod sdk;
mod traffic;
mod world;

use crate::harness::{Admin, Answer, Client, MODEL, Tally, wait_until};
use bedrock_sim::Ending;
use ccag_domain::{Geography, Lane, ModelName, NanoUsd, PriceBook, Tokens, catalogue};
use faults::{Dice, draw};
use sdk::Sdk;
use serde_json::Value;
use std::collections::HashSet;
use std::time::{Duration, Instant, SystemTime};
use traffic::{Seen, Traffic};
use world::World;

const PROMPT: &str = "tell me something [sim: text=600, events=12, gap=60]";

/// What the bounded key asks for, which tells its answers from the others' in Bedrock's account.
const BOUNDED_MODEL: &str = "claude-haiku-4-5";

/// How long before a kill an answer may have ended at Bedrock and yet not have reached its record, and how long after it a
/// request may be read there that was sent before, in milliseconds.
const ON_ITS_WAY_MS: i64 = 1_000;

fn now_ms() -> i64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap();
    i64::try_from(since.as_millis()).unwrap()
}

/// A setting of `cargo xtask chaos`.
fn setting(name: &str, otherwise: u64) -> u64 {
    std::env::var(name).map_or(otherwise, |text| text.parse().unwrap())
}

/// Lets things go wrong and puts them right, until the time is over.
async fn rounds(world: &mut World, seed: u64, length: Duration) -> Vec<String> {
    let mut dice = Dice::new(seed);
    let started = Instant::now();
    let mut told = Vec::new();
    while started.elapsed() < length {
        let mut faults = draw(&mut dice, world);
        let at = started.elapsed().as_secs_f32();
        let held = dice.between(Duration::from_millis(500), Duration::from_secs(3));
        eprintln!("{at:6.1} s: {faults:?} for {held:?}");
        told.push(format!("{faults:?}"));
        for fault in &faults {
            fault.strike(world);
        }
        tokio::time::sleep(held).await;
        faults.sort_by_key(|fault| fault.order());
        for fault in faults {
            fault.heal(world).await;
        }
        let pause = dice.between(Duration::from_millis(200), Duration::from_millis(1_500));
        tokio::time::sleep(pause).await;
    }
    told
}

/// Whether something that ran from `start` to `end` ran on a data plane that may have been killed meanwhile.
fn killed_meanwhile(kills: &[i64], start: i64, end: i64) -> bool {
    let ran = start - ON_ITS_WAY_MS..=end + ON_ITS_WAY_MS;
    kills.iter().any(|kill| ran.contains(kill))
}

/// Everything is as it was before, by itself.
async fn recovered(world: &World) -> Admin {
    let admin = wait_until("the control planes answer", Duration::from_secs(30), || async {
        for control in &world.controls {
            let health = reqwest::get(format!("{}/health", control.http)).await;
            if !health.is_ok_and(|answer| answer.status().is_success()) {
                return None;
            }
        }
        Some(world.admin().await)
    })
    .await;
    admin.fleet_of(world.planes.len() as u64).await;
    // A change reaches every one of them, whichever control plane it was made at.
    for control in &world.controls {
        let (_, secret) = admin.at(&control.http).create_key("afterwards").await;
        for plane in &world.planes {
            wait_until("the new key works", Duration::from_secs(10), || async {
                let reply = plane.client(&secret).stream(MODEL, "afterwards").await;
                reply.is_complete().then_some(())
            })
            .await;
        }
    }
    for plane in &world.planes {
        let limit = Duration::from_secs(60);
        let accounts = tokio::time::timeout(limit, plane.accounts()).await;
        let [emitted, delivered, quarantined] = accounts.expect("the spool is delivered");
        assert_eq!((emitted, quarantined), (delivered, 0), "{}", plane.http);
    }
    admin.fleet_of(world.planes.len() as u64).await;
    admin
}

/// What Bedrock has given is in the ledger once, except what ran on a data plane when it was killed. Says how much that is.
fn check_ledger(world: &World, ledger: &[Value], account: &[Answer]) -> usize {
    let mut billed = HashSet::new();
    for row in ledger {
        if let Some(id) = row["aws_request_id"].as_str() {
            assert!(billed.insert(id), "{id} is billed twice");
        }
    }
    let missing = account
        .iter()
        .filter(|answer| !billed.contains(answer.request_id.as_str()));
    missing
        .inspect(|answer| {
            let entry = &answer.entry;
            let end = entry.ended_at_ms.unwrap_or(entry.started_at_ms);
            assert!(
                killed_meanwhile(&world.kills, entry.started_at_ms, end),
                "no record of {entry:?}; killed at {:?}; rows without an answer: {:#?}",
                world.kills,
                ledger
                    .iter()
                    .filter(|row| row["aws_request_id"].is_null())
                    .collect::<Vec<_>>(),
            );
        })
        .count()
}

/// What the bounded key has cost in truth.
fn spent(account: &[Answer]) -> NanoUsd {
    let prices = PriceBook::new(catalogue::prices());
    let model = ModelName::canonical(BOUNDED_MODEL);
    let bounded = account.iter().map(|answer| &answer.entry);
    bounded
        .filter(|entry| entry.model.contains(BOUNDED_MODEL) && entry.ending != Ending::Failed)
        .map(|entry| {
            let tokens = Tokens {
                input: entry.usage.input,
                output: if entry.ending == Ending::Completed {
                    entry.usage.output
                } else {
                    entry.output_sent
                },
                cache_read: entry.usage.cache_read,
                cache_write_5m: entry.usage.cache_write_5m,
                cache_write_1h: entry.usage.cache_write_1h,
            };
            let cost = prices.cost(&model, Geography::Us, Lane::InvokeModel, &tokens);
            cost.unwrap().amount
        })
        .sum()
}

fn check_traffic(world: &World, seen: &Seen, whose: &str) {
    assert!(seen.failed.is_empty(), "{whose}: {:?}", seen.failed);
    for (start, end, how) in &seen.broken {
        assert!(
            killed_meanwhile(&world.kills, *start, *end),
            "{whose}: an answer broke off between {start} and {end}, without a kill ({:?}): {how}",
            world.kills
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_goes_wrong_no_answer_is_lost_and_everything_recovers() {
    let seed = setting("CCAG_CHAOS_SEED", 7);
    let length = Duration::from_secs(setting("CCAG_CHAOS_SECONDS", 45));
    let sqlite = std::env::var("CCAG_CHAOS_DATABASE").is_ok_and(|name| name == "sqlite");
    let mut world = World::start(sqlite).await;
    let (url, far) = (world.balancer.url.clone(), world.client_link.url());
    let clients = |secret: &str, count: usize| -> Vec<Client> {
        let pooled = Client::new(&url, secret);
        let client = |n: usize| match n % 4 {
            0 => pooled.clone(),
            1 => Client::without_pool(&far, secret),
            _ => Client::without_pool(&url, secret),
        };
        (0..count).map(client).collect()
    };
    let sdks = [
        Sdk::python(&url, &world.secret, MODEL, PROMPT),
        Sdk::typescript(&far, &world.secret, MODEL, PROMPT),
    ];
    let free = Traffic::start(clients(&world.secret, 12), MODEL, PROMPT);
    let bounded = Traffic::start(clients(&world.bounded.1, 4), BOUNDED_MODEL, PROMPT);
    let told = rounds(&mut world, seed, length).await;
    let (free, bounded) = (free.finish().await, bounded.finish().await);
    let [python, typescript] = sdks;
    let sdks = [python.finish().await, typescript.finish().await];

    let admin = recovered(&world).await;
    check_traffic(&world, &free, "without a budget");
    check_traffic(&world, &bounded, "with a budget");
    for seen in &sdks {
        check_traffic(&world, seen, "with an SDK of Anthropic's");
    }
    let by_sdks = sdks.iter().map(|seen| seen.completed.len()).sum::<usize>();
    let account = world.sim.settled().await;
    let ledger = admin.ledger().await;
    let lost = check_ledger(&world, &ledger, &account);
    let tally = Tally {
        completed: [&free, &bounded]
            .into_iter()
            .chain(&sdks)
            .flat_map(|seen| seen.completed.iter().cloned())
            .collect(),
        failed: Vec::new(),
    };
    tally.assert_billed(&ledger, &account);
    let (truth, limit) = (spent(&account), NanoUsd::parse_usd(world::BUDGET_USD).unwrap());
    assert!(truth <= limit, "the hard budget of {limit} was exceeded: {truth}");

    eprintln!(
        "chaos with seed {seed} on {}: {} rounds, {} data planes killed
  {} answers complete, {by_sdks} of them with Anthropic's SDKs, {} attempts repeated, {} answers broken off by kills, longest wait {:?}
  {} answers of Bedrock's, {} rows in the ledger, {lost} without a record because of kills
  hard budget of {limit}: {truth} spent, {} requests refused",
        if sqlite { "SQLite" } else { "PostgreSQL" },
        told.len(),
        world.kills.len(),
        tally.completed.len(),
        free.retries + bounded.retries,
        [&free, &bounded].into_iter().chain(&sdks).map(|seen| seen.broken.len()).sum::<usize>(),
        free.longest,
        account.len(),
        ledger.len(),
        bounded.exhausted,
    );
    assert!(tally.completed.len() > told.len(), "the traffic has stood still");
    let is_long = length >= Duration::from_secs(45);
    assert!(
        !is_long || bounded.exhausted > 0 && truth > NanoUsd::ZERO,
        "the budget was never used, or never used up: it proves nothing"
    );
}
