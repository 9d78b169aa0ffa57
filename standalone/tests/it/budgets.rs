//! Budgets hold: what Bedrock says it gave is the truth.

use crate::harness::{Admin, Answer, ControlPlane, DataPlane, Sim, database};
use bedrock_sim::Ending;
use ccag_domain::{Geography, ModelName, NanoUsd, PriceBook, Tokens, catalogue};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};
use tokio::task::JoinHandle;

/// Haiku 4.5 through the `us.` profile: 1.1 and 5.5 dollars per million tokens.
const MODEL: &str = "claude-haiku-4-5";

/// Requests by what they ask for and what they get, in tokens: the dearest could cost nine cents and a half, less than a
/// hundredth of ten dollars.
const SIZES: [(u64, u64); 6] = [
    (16_000, 9_000),
    (12_000, 12_000),
    (8_000, 2_000),
    (4_000, 3_500),
    (2_000, 700),
    (600, 600),
];

/// What the answers have cost in truth.
fn spent(account: &[Answer]) -> NanoUsd {
    let prices = PriceBook::new(catalogue::prices());
    let model = ModelName::canonical(MODEL);
    let cost = |answer: &Answer| {
        let usage = answer.entry.usage;
        let output = match answer.entry.ending {
            Ending::Completed => usage.output,
            Ending::Failed => return NanoUsd::ZERO,
            Ending::Open | Ending::Cut | Ending::Cancelled => answer.entry.output_sent,
        };
        let tokens = Tokens {
            input: usage.input,
            output,
            cache_read: usage.cache_read,
            cache_write_5m: usage.cache_write_5m,
            cache_write_1h: usage.cache_write_1h,
        };
        prices.cost(&model, Geography::Us, &tokens).unwrap().amount
    };
    account.iter().map(cost).sum()
}

/// Clients that go on asking.
struct Demand {
    stop: Arc<AtomicBool>,
    /// How many clients have been told that not even the smallest request is left.
    done: Arc<AtomicUsize>,
    workers: Vec<JoinHandle<Tally>>,
}

#[derive(Debug, Default)]
struct Tally {
    completed: usize,
    busy: usize,
    exhausted: usize,
    unavailable: usize,
    /// Answers that began and did not end.
    truncated: Vec<String>,
    unexpected: Vec<String>,
}

impl Demand {
    /// So many clients at each of these addresses; each asks for one size after the other.
    fn start(planes: &[&DataPlane], secret: &str, clients: usize, sizes: &'static [(u64, u64)]) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let mut workers = Vec::new();
        for plane in planes {
            let http = reqwest::Client::builder().no_proxy().build().unwrap();
            for number in 0..clients {
                let client = DemandClient {
                    http: http.clone(),
                    url: format!("{}/v1/messages", plane.http),
                    secret: secret.to_owned(),
                    number,
                };
                workers.push(tokio::spawn(client.run(
                    Arc::clone(&stop),
                    Arc::clone(&done),
                    sizes,
                )));
            }
        }
        Self { stop, done, workers }
    }

    /// Waits until so many clients have been told that nothing is left.
    async fn until_exhausted(&self, clients: usize, limit: Duration) {
        crate::harness::wait_until("the budget is used up", limit, || async {
            (self.done.load(Ordering::Relaxed) >= clients).then_some(())
        })
        .await;
    }

    async fn finish(self) -> Tally {
        self.stop.store(true, Ordering::Relaxed);
        let mut all = Tally::default();
        for worker in self.workers {
            let one = worker.await.unwrap();
            all.completed += one.completed;
            all.busy += one.busy;
            all.exhausted += one.exhausted;
            all.unavailable += one.unavailable;
            all.truncated.extend(one.truncated);
            all.unexpected.extend(one.unexpected);
        }
        all
    }
}

struct DemandClient {
    http: reqwest::Client,
    url: String,
    secret: String,
    number: usize,
}

impl DemandClient {
    async fn run(self, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>, sizes: &'static [(u64, u64)]) -> Tally {
        let mut tally = Tally::default();
        let mut round = self.number;
        // From here on larger requests have been told that they do not fit.
        let mut smallest = 0;
        let mut counted = false;
        while !stop.load(Ordering::Relaxed) {
            let at = smallest + round % (sizes.len() - smallest);
            let (max_tokens, tokens) = sizes[at];
            round += 1;
            let pause = match self.ask(max_tokens, tokens, &mut tally).await {
                Verdict::Served => Duration::ZERO,
                Verdict::Wait(pause) => pause,
                Verdict::Exhausted if at + 1 < sizes.len() => {
                    smallest = smallest.max(at + 1);
                    Duration::from_millis(20)
                }
                Verdict::Exhausted => {
                    if !counted {
                        counted = true;
                        done.fetch_add(1, Ordering::Relaxed);
                    }
                    Duration::from_millis(500)
                }
            };
            tokio::time::sleep(pause).await;
        }
        tally
    }

    async fn ask(&self, max_tokens: u64, tokens: u64, tally: &mut Tally) -> Verdict {
        let events = tokens.div_ceil(200);
        let prompt = format!(
            "client {}: go on [sim: text={}, events={events}, gap=2]",
            self.number,
            tokens * 4
        );
        let body = json!({
            "model": MODEL, "max_tokens": max_tokens, "stream": true,
            "messages": [{"role": "user", "content": prompt}],
        });
        let request = self.http.post(&self.url).header("x-api-key", &self.secret);
        let Ok(response) = request.body(body.to_string()).send().await else {
            // The data plane was killed.
            tally.unavailable += 1;
            return Verdict::Wait(Duration::from_millis(200));
        };
        let status = response.status().as_u16();
        let Ok(text) = response.text().await else {
            tally.truncated.push(format!("{status}, broken off"));
            return Verdict::Wait(Duration::from_millis(200));
        };
        if status == 200 {
            if text.contains("event: message_stop") {
                tally.completed += 1;
            } else {
                tally.truncated.push(text.chars().rev().take(200).collect());
            }
            return Verdict::Served;
        }
        let error: Value = serde_json::from_str(&text).unwrap();
        match (status, error["error"]["type"].as_str().unwrap()) {
            (429, "billing_error") => {
                tally.exhausted += 1;
                Verdict::Exhausted
            }
            (429, "rate_limit_error") => {
                tally.busy += 1;
                Verdict::Wait(Duration::from_millis(100 + 7 * (self.number as u64 % 100)))
            }
            (529 | 503, _) => {
                tally.unavailable += 1;
                Verdict::Wait(Duration::from_millis(300))
            }
            _ => {
                tally.unexpected.push(text);
                Verdict::Wait(Duration::from_secs(1))
            }
        }
    }
}

enum Verdict {
    Served,
    Wait(Duration),
    Exhausted,
}

/// A fleet under one budget of ten dollars for the organisation.
struct Fleet {
    sim: Sim,
    controls: Vec<ControlPlane>,
    planes: Vec<DataPlane>,
    secret: String,
}

const BUDGET: NanoUsd = NanoUsd::from_usd(10);

impl Fleet {
    async fn start(mode: &str, controls: usize, more: &[(&'static str, String)]) -> Self {
        let sim = Sim::start().await;
        let database = database();
        let mut running = Vec::new();
        for n in 0..controls {
            running.push(ControlPlane::start(&format!("control-{n}"), &database).await);
        }
        let admin = running[0].admin().await;
        let (_, secret) = admin.create_key("budgeted").await;
        set_budget(&admin, mode).await;
        let mut planes = Vec::new();
        for n in 0..4 {
            // Each has another control plane first in its list.
            let mut list: Vec<&ControlPlane> = running.iter().collect();
            list.rotate_left(n % controls);
            planes.push(DataPlane::start_with(&format!("data-{n}"), &list, &sim, more).await);
        }
        admin.fleet_of(4).await;
        Self {
            sim,
            controls: running,
            planes,
            secret,
        }
    }

    fn planes(&self) -> Vec<&DataPlane> {
        self.planes.iter().collect()
    }

    /// Waits until a part of the budget is spent.
    async fn until_spent(&self, share: i64) {
        crate::harness::wait_until(
            "a part of the budget is spent",
            Duration::from_secs(60),
            || async { (spent(&self.sim.account()).0 * 100 >= BUDGET.0 * share).then_some(()) },
        )
        .await;
    }
}

async fn set_budget(admin: &Admin, mode: &str) {
    let budget = json!({"scope": "organisation", "amount_usd": "10", "period": "monthly", "mode": mode});
    admin.post("/admin/budgets", &budget).await;
}

/// How much of the budget is used at least, in thousandths.
const USED_PERMILLE: i64 = 987;

fn assert_held(truth: NanoUsd, tally: &Tally, over: NanoUsd) {
    let (completed, busy) = (tally.completed, tally.busy);
    eprintln!(
        "spent {truth} of {BUDGET}: {completed} served, {busy} told to wait, {} unavailable",
        tally.unavailable
    );
    assert!(tally.unexpected.is_empty(), "{:?}", tally.unexpected);
    assert!(
        truth <= BUDGET + over,
        "{truth} spent, {over} more than the budget allowed"
    );
    assert!(
        truth.0 * 1_000 >= BUDGET.0 * USED_PERMILLE,
        "only {truth} could be used"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_is_exceeded_by_nothing_and_used_to_the_end() {
    let fleet = Fleet::start("hard", 1, &[]).await;
    let started = Instant::now();
    let demand = Demand::start(&fleet.planes(), &fleet.secret, 200, &SIZES);
    demand.until_exhausted(800, Duration::from_secs(120)).await;
    let tally = demand.finish().await;
    let truth = spent(&fleet.sim.settled().await);
    eprintln!("{:?}", started.elapsed());
    assert_held(truth, &tally, NanoUsd::ZERO);
    assert!(tally.truncated.is_empty(), "{:?}", tally.truncated);
    // Books and truth agree to the nano-dollar.
    let ids: Vec<String> = Vec::new();
    let admin = fleet.controls[0].admin().await;
    let ledger = admin.ledger_with(&ids).await;
    let booked: i64 = ledger
        .iter()
        .map(|row| row["cost_nano_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(NanoUsd(booked), truth);
}
