//! Limits hold over all data planes together: what Bedrock was asked is the truth.

use crate::harness::{Answer, ControlPlane, DataPlane, Sim, database};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use tokio::task::JoinHandle;

const MINUTE_MS: i64 = 60_000;

/// How much later a request may reach Bedrock than it was let through, on a machine that has much to do.
const LATER_MS: i64 = 500;

/// How many requests are let through in a minute, and how many run at a time.
const REQUESTS: i64 = 800;
const AT_A_TIME: i64 = 40;

/// How many tokens are let through in a minute: about a thousand for each answer.
const TOKENS: i64 = 400_000;

/// How many clients ask each data plane for each of the three.
const CLIENTS: usize = 25;

/// One kind of demand, known in Bedrock's account by its model.
#[derive(Clone, Copy)]
struct Kind {
    name: &'static str,
    model: &'static str,
    amount: i64,
    max_tokens: u64,
    sim: &'static str,
}

const KINDS: [Kind; 3] = [
    Kind {
        name: "requests_per_minute",
        model: "claude-haiku-4-5",
        amount: REQUESTS,
        max_tokens: 64,
        sim: "text=40, events=2",
    },
    Kind {
        name: "tokens_per_minute",
        model: "claude-sonnet-4-5",
        amount: TOKENS,
        max_tokens: 1_200,
        sim: "text=4000, events=10, gap=5",
    },
    Kind {
        name: "concurrent_requests",
        model: "claude-sonnet-5-5",
        amount: AT_A_TIME,
        max_tokens: 64,
        sim: "text=40, events=20, gap=40",
    },
];

/// Clients that ask again soon, whatever they are told.
async fn go_on_asking(
    http: reqwest::Client,
    url: String,
    secret: String,
    kind: Kind,
    stop: Arc<AtomicBool>,
) -> Vec<String> {
    let mut unexpected = Vec::new();
    let body = json!({
        "model": kind.model, "max_tokens": kind.max_tokens, "stream": true,
        "messages": [{"role": "user", "content": format!("go on [sim: {}]", kind.sim)}],
    });
    let body = body.to_string();
    while !stop.load(Ordering::Relaxed) {
        let request = http.post(&url).header("x-api-key", &secret).body(body.clone());
        let Ok(response) = request.send().await else {
            // The data plane was killed.
            tokio::time::sleep(Duration::from_secs(1)).await;
            continue;
        };
        let status = response.status().as_u16();
        let wait = response.headers().get("retry-after").is_some();
        let Ok(text) = response.text().await else { continue };
        match status {
            200 => {}
            429 if wait && text.contains("rate_limit_error") => {
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
            _ => {
                unexpected.push(format!("{status}: {text}"));
                tokio::time::sleep(Duration::from_secs(1)).await;
            }
        }
    }
    unexpected
}

struct Fleet {
    sim: Sim,
    _control: ControlPlane,
    planes: Vec<DataPlane>,
    secrets: Vec<String>,
    began_ms: i64,
    stop: Arc<AtomicBool>,
    clients: Vec<JoinHandle<Vec<String>>>,
}

impl Fleet {
    async fn start() -> Self {
        let sim = Sim::start().await;
        let control = ControlPlane::start("control", &database()).await;
        let admin = control.admin().await;
        let mut secrets = Vec::new();
        for kind in KINDS {
            let (id, secret) = admin.create_key(kind.name).await;
            let limit = json!({"scope": "key", "key_id": id, "kind": kind.name, "amount": kind.amount});
            admin.post("/admin/limits", &limit).await;
            secrets.push(secret);
        }
        let mut planes = Vec::new();
        for n in 0..4 {
            planes.push(DataPlane::start_at(&format!("data-{n}"), &control.grpc, &sim).await);
        }
        admin.fleet_of(4).await;
        Self {
            sim,
            _control: control,
            planes,
            secrets,
            began_ms: 0,
            stop: Arc::default(),
            clients: Vec::new(),
        }
    }

    fn ask(&mut self) {
        for (kind, secret) in KINDS.iter().zip(&self.secrets) {
            for plane in &self.planes {
                let http = reqwest::Client::builder().no_proxy().build().unwrap();
                let url = format!("{}/v1/messages", plane.http);
                for _ in 0..CLIENTS {
                    let stop = Arc::clone(&self.stop);
                    let client = go_on_asking(http.clone(), url.clone(), secret.clone(), *kind, stop);
                    self.clients.push(tokio::spawn(client));
                }
            }
        }
    }

    /// What Bedrock was asked for a kind since the beginning: when each request began and ended, and its tokens.
    fn asked(&self, kind: Kind) -> Vec<(i64, Option<i64>, i64)> {
        let account = self.sim.account();
        let of_kind = account.iter().filter(|a| a.entry.model.contains(kind.model));
        let mut asked: Vec<_> = of_kind.map(|a| self.times(a)).collect();
        asked.sort_unstable();
        asked
    }

    fn times(&self, answer: &Answer) -> (i64, Option<i64>, i64) {
        let entry = &answer.entry;
        let usage = entry.usage;
        let tokens = usage.input + usage.output + usage.cache_write_5m + usage.cache_write_1h;
        (
            entry.started_at_ms - self.began_ms,
            entry.ended_at_ms.map(|at| at - self.began_ms),
            i64::try_from(tokens).unwrap(),
        )
    }

    /// Waits until so long after the first request.
    async fn until(&self, ms: i64) {
        let now = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap();
        let now = i64::try_from(now.as_millis()).unwrap() - self.began_ms;
        tokio::time::sleep(Duration::from_millis(u64::try_from(ms - now).unwrap_or(0))).await;
    }

    /// What was let through of a rate between two moments.
    fn let_through(&self, kind: Kind, from: i64, to: i64) -> i64 {
        let asked = self.asked(kind);
        let within = asked.iter().filter(|(began, ..)| (from..to).contains(began));
        match kind.name {
            "tokens_per_minute" => within.map(|(.., tokens)| tokens).sum(),
            _ => i64::try_from(within.count()).unwrap(),
        }
    }

    /// The most that was let through of a rate in any minute: as the account says when requests arrived, those that were let
    /// through in the last moment of it may stand in the next.
    fn busiest_minute(&self, kind: Kind) -> i64 {
        let asked = self.asked(kind);
        let starts = asked.iter().map(|(began, ..)| *began);
        starts
            .map(|began| self.within_minute(&asked, kind, began))
            .max()
            .unwrap()
    }

    fn within_minute(&self, asked: &[(i64, Option<i64>, i64)], kind: Kind, from: i64) -> i64 {
        let first = asked.partition_point(|(began, ..)| *began < from);
        let last = asked.partition_point(|(began, ..)| *began < from + MINUTE_MS - LATER_MS);
        match kind.name {
            "tokens_per_minute" => asked[first..last].iter().map(|(.., tokens)| tokens).sum(),
            _ => i64::try_from(last - first).unwrap(),
        }
    }

    /// The most that ran at a time between two moments, and the mean.
    fn at_a_time(&self, from: i64, to: i64) -> (i64, f64) {
        let asked = self.asked(KINDS[2]);
        let mut steps: Vec<(i64, i64)> = Vec::new();
        for (began, ended, _) in &asked {
            // One that ends in the same millisecond in which another begins makes room for it.
            steps.push((*began, 1));
            steps.extend(ended.map(|at| (at, -1)));
        }
        steps.sort_by_key(|(at, step)| (*at, *step));
        let (mut running, mut most, mut area, mut last) = (0, 0, 0i64, from);
        for (at, step) in steps {
            let at = at.clamp(from, to);
            area += running * (at - last);
            last = at;
            running += step;
            if (from..to).contains(&at) {
                most = most.max(running);
            }
        }
        (most, area as f64 / (to - from) as f64)
    }
}

/// Asserts that it is the limit, give or take two of a hundred.
fn assert_is_limit(what: &str, amount: i64, limit: i64) {
    eprintln!("{what}: {amount} of {limit}");
    assert!(amount * 100 <= limit * 102, "{what}: {amount} of {limit}");
    assert!(amount * 100 >= limit * 98, "{what}: {amount} of {limit}");
}

#[tokio::test(flavor = "multi_thread")]
async fn four_data_planes_share_limits_and_the_share_of_one_that_is_killed_is_back_within_a_minute() {
    let mut fleet = Fleet::start().await;
    fleet.ask();
    crate::harness::wait_until("the first request", Duration::from_secs(10), || async {
        (!fleet.sim.account().is_empty()).then_some(())
    })
    .await;
    let first = fleet
        .sim
        .account()
        .iter()
        .map(|a| a.entry.started_at_ms)
        .min()
        .unwrap();
    fleet.began_ms = first;
    fleet.until(MINUTE_MS + 10_000).await;
    fleet.planes[3].kill();
    // A minute later its share is with the others.
    fleet.until(3 * MINUTE_MS + 5_000).await;
    fleet.stop.store(true, Ordering::Relaxed);
    for client in std::mem::take(&mut fleet.clients) {
        let unexpected = client.await.unwrap();
        assert!(unexpected.is_empty(), "{unexpected:?}");
    }
    for kind in &KINDS[..2] {
        for minute in 0..3 {
            let from = minute * MINUTE_MS;
            let amount = fleet.let_through(*kind, from, from + MINUTE_MS + 3_000);
            eprintln!(
                "{} in minute {minute}, with three seconds of the next: {amount}",
                kind.name
            );
        }
        assert_is_limit(kind.name, fleet.let_through(*kind, 0, MINUTE_MS), kind.amount);
        assert_is_limit("busiest minute", fleet.busiest_minute(*kind), kind.amount);
        let after = 2 * MINUTE_MS + 4_000;
        assert_is_limit(
            "after the kill",
            fleet.let_through(*kind, after - 4_000, after + MINUTE_MS - 4_000),
            kind.amount,
        );
    }
    let (most, mean) = fleet.at_a_time(5_000, MINUTE_MS);
    eprintln!("at a time: at most {most}, {mean:.1} in the mean");
    assert_is_limit("at a time", most, AT_A_TIME);
    let (_, mean_of_three) = fleet.at_a_time(MINUTE_MS + 20_000, MINUTE_MS + 50_000);
    let (most, mean) = fleet.at_a_time(2 * MINUTE_MS + 10_000, 3 * MINUTE_MS);
    eprintln!(
        "at a time with one dead: {mean_of_three:.1} in the mean; a minute later at most {most}, {mean:.1} in the mean"
    );
    assert_is_limit("at a time a minute after the kill", most, AT_A_TIME);
}

/// What an administrator reads of a limit.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_of_a_limit_is_shown() {
    let mut fleet = Fleet::start().await;
    let admin = fleet._control.admin().await;
    fleet.ask();
    crate::harness::wait_until("all permits are taken", Duration::from_secs(30), || async {
        let list: Value = admin.get("/admin/limits?kind=concurrent_requests").await;
        (list["limits"][0]["in_use"] == AT_A_TIME).then_some(())
    })
    .await;
    fleet.stop.store(true, Ordering::Relaxed);
    crate::harness::wait_until("none is taken", Duration::from_secs(30), || async {
        let list: Value = admin.get("/admin/limits?kind=concurrent_requests").await;
        (list["limits"][0]["in_use"] == 0).then_some(())
    })
    .await;
}
