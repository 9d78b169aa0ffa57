//! Budgets hold: what Bedrock says it gave is the truth.

use crate::harness::{Answer, ControlPlane, DataPlane, Link, Sim, SkewedPlane, Way, database};
use bedrock_sim::Ending;
use ccag_domain::{Geography, Lane, ModelName, NanoUsd, PriceBook, Tokens, catalogue};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

/// What clients ask for: a model, and requests by what they ask for and what they get, in tokens.
struct Mix {
    model: &'static str,
    sizes: &'static [(u64, u64)],
    /// How many tokens come in a millisecond. A model gives about a hundred in a second.
    pace: u64,
}

/// Haiku 4.5 through the `us.` profile, at 1.1 and 5.5 dollars per million tokens: the dearest could cost nine cents and a
/// half, less than a hundredth of ten dollars.
const SMALL: &Mix = &Mix {
    model: "claude-haiku-4-5",
    sizes: SMALL_SIZES,
    pace: 10,
};

const SMALL_SIZES: &[(u64, u64)] = &[
    (16_000, 9_000),
    (12_000, 12_000),
    (8_000, 2_000),
    (4_000, 3_500),
    (2_000, 700),
    (600, 600),
];

/// The same at ten times the pace of a model instead of a hundred times. What a data plane's requests have used in the last
/// moment before it is killed nobody can know, and that moment costs as much more as answers are faster.
const SMALL_AND_SLOWER: &Mix = &Mix { pace: 1, ..*SMALL };

/// Sonnet 5.5, at 2.2 and 11 dollars: as Claude Code asks, for 128,000 tokens and seldom in need of them.
const LARGE: &Mix = &Mix {
    model: "claude-sonnet-5-5",
    sizes: &[
        (128_000, 1_500),
        (128_000, 400),
        (128_000, 6_000),
        (64_000, 900),
        (32_000, 2_500),
    ],
    pace: 10,
};

/// What an answer has cost in truth.
fn cost(prices: &PriceBook, mix: &Mix, answer: &Answer) -> NanoUsd {
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
    let model = ModelName::canonical(mix.model);
    prices
        .cost(&model, Geography::Us, Lane::InvokeModel, &tokens)
        .unwrap()
        .amount
}

/// What the answers have cost in truth.
fn spent(mix: &Mix, account: &[Answer]) -> NanoUsd {
    let prices = PriceBook::new(catalogue::prices());
    account.iter().map(|answer| cost(&prices, mix, answer)).sum()
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
    /// Where no answer came, or none with an end.
    silent: Vec<String>,
}

impl Demand {
    /// So many clients at each of these addresses; each asks for one size after the other.
    fn start(planes: &[&str], secret: &str, clients: usize, mix: &'static Mix) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let done = Arc::new(AtomicUsize::new(0));
        let mut workers = Vec::new();
        for plane in planes {
            let http = reqwest::Client::builder()
                .no_proxy()
                .connect_timeout(Duration::from_secs(5))
                .timeout(LONGEST);
            let http = http.build().unwrap();
            for number in 0..clients {
                let client = DemandClient {
                    http: http.clone(),
                    url: format!("{plane}/v1/messages"),
                    secret: secret.to_owned(),
                    number,
                    mix,
                };
                workers.push(tokio::spawn(client.run(Arc::clone(&stop), Arc::clone(&done))));
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
            all.silent.extend(one.silent);
        }
        all
    }
}

struct DemandClient {
    http: reqwest::Client,
    url: String,
    secret: String,
    number: usize,
    mix: &'static Mix,
}

impl DemandClient {
    async fn run(self, stop: Arc<AtomicBool>, done: Arc<AtomicUsize>) -> Tally {
        let sizes = self.mix.sizes;
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
        let (events, gap) = (tokens.div_ceil(100), 100 / self.mix.pace);
        let prompt = format!(
            "client {}: go on [sim: text={}, events={events}, gap={gap}]",
            self.number,
            tokens * 4
        );
        let body = json!({
            "model": self.mix.model, "max_tokens": max_tokens, "stream": true,
            "messages": [{"role": "user", "content": prompt}],
        });
        let request = self.http.post(&self.url).header("x-api-key", &self.secret);
        let response = match request.body(body.to_string()).send().await {
            Ok(response) => response,
            Err(error) => {
                if error.is_timeout() && !error.is_connect() {
                    tally.silent.push(self.url.clone());
                }
                // The data plane was killed.
                tally.unavailable += 1;
                return Verdict::Wait(Duration::from_millis(200));
            }
        };
        let status = response.status().as_u16();
        let text = match response.text().await {
            Ok(text) => text,
            Err(error) => {
                if error.is_timeout() {
                    tally.silent.push(self.url.clone());
                }
                tally.truncated.push(format!("{status}, broken off"));
                return Verdict::Wait(Duration::from_millis(200));
            }
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
    /// What stands between the planes: it can be cut.
    links: Vec<Link>,
    planes: Vec<DataPlane>,
    /// Those whose clocks are wrong.
    skewed: Vec<SkewedPlane>,
    secret: String,
}

const BUDGET: NanoUsd = NanoUsd::from_usd(10);

/// No answer takes longer, also where it waits for its share before it begins.
const LONGEST: Duration = Duration::from_secs(60);

/// How many clients there are at each of the four data planes.
const CLIENTS: usize = 200;

impl Fleet {
    async fn start(mode: &str, controls: usize) -> Self {
        Box::pin(Self::start_with_clocks(mode, controls, &[])).await
    }

    /// The same, with the clocks of some of the four wrong by so many milliseconds.
    async fn start_with_clocks(mode: &str, controls: usize, wrong_by_ms: &[i64]) -> Self {
        let sim = Sim::start().await;
        let database = database();
        let mut running = Vec::new();
        for n in 0..controls {
            running.push(ControlPlane::start(&format!("control-{n}"), &database).await);
        }
        let admin = running[0].admin().await;
        let (_, secret) = admin.create_key("budgeted").await;
        let budget = json!({"scope": "organisation", "amount_usd": "10", "period": "monthly", "mode": mode});
        admin.post("/admin/budgets", &budget).await;
        let mut links = Vec::new();
        for control in &running {
            links.push(Link::to(&control.grpc).await);
        }
        let addresses: Vec<String> = links.iter().map(Link::url).collect();
        let (mut planes, mut skewed) = (Vec::new(), Vec::new());
        for n in 0..4 {
            // Each has another control plane first in its list.
            let mut list: Vec<&str> = addresses.iter().map(String::as_str).collect();
            list.rotate_left(n % controls);
            let (name, list) = (format!("data-{n}"), list.join(","));
            match wrong_by_ms.get(n) {
                Some(wrong) => skewed.push(Box::pin(SkewedPlane::start(&name, &list, &sim, *wrong)).await),
                None => planes.push(DataPlane::start_at(&name, &list, &sim).await),
            }
        }
        admin.fleet_of(4).await;
        Self {
            sim,
            controls: running,
            links,
            planes,
            skewed,
            secret,
        }
    }

    fn demand(&self, mix: &'static Mix) -> Demand {
        let skewed = self.skewed.iter().map(|plane| plane.http.as_str());
        let planes: Vec<&str> = self
            .planes
            .iter()
            .map(|plane| plane.http.as_str())
            .chain(skewed)
            .collect();
        Demand::start(&planes, &self.secret, CLIENTS, mix)
    }

    /// Waits until so many percent of the budget are spent.
    async fn until_spent(&self, mix: &Mix, percent: i64) {
        let what = "a part of the budget is spent";
        crate::harness::wait_until(what, Duration::from_secs(120), || async {
            (spent(mix, &self.sim.account()).0 * 100 >= BUDGET.0 * percent).then_some(())
        })
        .await;
    }

    /// Waits until nobody at the data planes that run is served any more, and says what was spent in truth.
    async fn end(&self, demand: Demand, mix: &Mix, clients: usize) -> (NanoUsd, Tally) {
        demand.until_exhausted(clients, Duration::from_secs(180)).await;
        let tally = demand.finish().await;
        let truth = spent(mix, &self.sim.settled().await);
        eprintln!(
            "spent {truth} of {BUDGET}: {} served, {} told to wait, {} unavailable",
            tally.completed, tally.busy, tally.unavailable
        );
        assert!(tally.unexpected.is_empty(), "{:?}", tally.unexpected);
        let dead = self.planes.iter().filter(|plane| plane.is_killed());
        let dead: Vec<&str> = dead.map(|plane| plane.http.as_str()).collect();
        let of_living = |url: &&String| !dead.iter().any(|http| url.starts_with(http));
        let silent: Vec<&String> = tally.silent.iter().filter(of_living).collect();
        assert!(silent.is_empty(), "{silent:?}");
        (truth, tally)
    }
}

/// Asserts that so many thousandths of the budget could be used.
fn assert_used(truth: NanoUsd, permille: i64) {
    assert!(
        truth.0 * 1_000 >= BUDGET.0 * permille,
        "only {truth} could be used"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_is_exceeded_by_nothing_and_used_to_the_end() {
    let fleet = Fleet::start("hard", 1).await;
    let demand = fleet.demand(SMALL);
    let (truth, tally) = fleet.end(demand, SMALL, 4 * CLIENTS).await;
    assert!(truth <= BUDGET, "{truth}");
    assert_used(truth, 987);
    assert!(tally.truncated.is_empty(), "{:?}", tally.truncated);
    // The books and the truth agree to the nano-dollar.
    let admin = fleet.controls[0].admin().await;
    let rows = crate::harness::wait_until("every record is booked", Duration::from_secs(20), || async {
        let rows = admin.ledger().await;
        (rows.len() == tally.completed).then_some(rows)
    })
    .await;
    let booked: i64 = rows
        .iter()
        .map(|row| row["cost_nano_usd"].as_i64().unwrap())
        .sum();
    assert_eq!(NanoUsd(booked), truth);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balanced_budget_is_exceeded_by_no_more_than_what_ran_with_the_last_request() {
    let fleet = Fleet::start("balanced", 1).await;
    let demand = fleet.demand(LARGE);
    let (truth, tally) = fleet.end(demand, LARGE, 4 * CLIENTS).await;
    assert_used(truth, 987);
    let prices = PriceBook::new(catalogue::prices());
    let account = fleet.sim.account();
    let last = account.iter().map(|a| a.entry.started_at_ms).max().unwrap();
    let ran = account
        .iter()
        .filter(|a| a.entry.ended_at_ms.is_none_or(|end| end >= last));
    let running: NanoUsd = ran.map(|answer| cost(&prices, LARGE, answer)).sum();
    eprintln!("what ran with the last request cost {running}");
    assert!(truth <= BUDGET + running, "{truth}");
    assert!(tally.truncated.is_empty(), "{:?}", tally.truncated);
}

/// One of two control planes is killed, and then a data plane, which may come back. Returns what was spent.
async fn killed(comes_back: bool) -> NanoUsd {
    let mix = SMALL_AND_SLOWER;
    let mut fleet = Fleet::start("hard", 2).await;
    let demand = fleet.demand(mix);
    fleet.until_spent(mix, 30).await;
    fleet.controls[0].kill();
    fleet.until_spent(mix, 60).await;
    fleet.planes[3].kill();
    let mut served = 3;
    if comes_back {
        tokio::time::sleep(Duration::from_secs(2)).await;
        fleet.planes[3].resume().await;
        served = 4;
    }
    // Those who ask a dead data plane are not served any more.
    let (truth, tally) = fleet.end(demand, mix, served * CLIENTS).await;
    assert!(truth <= BUDGET, "{truth}");
    let broken = tally.truncated.len();
    assert!(
        broken <= CLIENTS,
        "{broken} streams broke off, more than the dead data plane had"
    );
    truth
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_holds_while_data_planes_and_control_planes_are_killed() {
    assert_used(killed(false).await, 987);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_holds_while_a_data_plane_is_killed_and_comes_back() {
    assert_used(killed(true).await, 987);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_holds_while_clocks_are_five_seconds_apart() {
    let fleet = Box::pin(Fleet::start_with_clocks("hard", 1, &[-2_500, 2_500])).await;
    let demand = fleet.demand(SMALL);
    let (truth, tally) = fleet.end(demand, SMALL, 4 * CLIENTS).await;
    assert!(truth <= BUDGET, "{truth}");
    assert_used(truth, 987);
    assert!(tally.truncated.is_empty(), "{:?}", tally.truncated);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hard_budget_holds_while_the_planes_are_cut_off_from_each_other() {
    let fleet = Fleet::start("hard", 1).await;
    let demand = fleet.demand(SMALL);
    fleet.until_spent(SMALL, 20).await;
    fleet.links[0].set(Way::Cut);
    tokio::time::sleep(Duration::from_secs(30)).await;
    fleet.links[0].set(Way::Open);
    let (truth, tally) = fleet.end(demand, SMALL, 4 * CLIENTS).await;
    assert!(truth <= BUDGET, "{truth}");
    assert_used(truth, 987);
    assert!(tally.truncated.is_empty(), "{:?}", tally.truncated);
}
