//! A short quota of AWS's is shared fairly over all data planes together: each knows from the others who uses how much.

use crate::harness::{ControlPlane, DataPlane, Sim, database, wait_until};
use bedrock_sim::TokenQuota;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

const MODEL: &str = "claude-haiku-4-5";

/// Tokens a minute: for about two hundred of these requests.
const LIMIT: u64 = 100_000;

/// One request; it settles for about five hundred tokens.
async fn ask(url: &str, secret: &str) -> (u16, String) {
    let body = json!({
        "model": MODEL, "max_tokens": 1_000,
        "messages": [{"role": "user", "content": "go on [sim: text=400, head=20]"}],
    });
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    let request = http
        .post(format!("{url}/v1/messages"))
        .header("x-api-key", secret);
    let response = request.body(body.to_string()).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// Asks again and again, until it is told that its team has its share.
async fn ask_until_refused(url: String, secret: String, stop: Arc<AtomicBool>) -> u32 {
    let mut served = 0;
    while !stop.load(Ordering::Relaxed) {
        let (status, text) = ask(&url, &secret).await;
        match status {
            200 => served += 1,
            429 if text.contains("has its share") => stop.store(true, Ordering::Relaxed),
            _ => panic!("{status}: {text}"),
        }
    }
    served
}

#[tokio::test(flavor = "multi_thread")]
async fn a_team_at_one_data_plane_has_its_share_beside_a_greedy_one_at_another() {
    let sim = Sim::start().await;
    sim.quota(TokenQuota {
        model: "haiku-4-5".into(),
        tokens_per_minute: LIMIT,
        burndown: 5,
    });
    let control = ControlPlane::start_asking(&sim, &database()).await;
    let admin = control.admin().await;
    let mut secrets = Vec::new();
    for name in ["modest", "greedy"] {
        let team = admin.post("/admin/teams", &json!({"name": name})).await;
        let key = json!({"name": name, "team_id": team["id"]});
        let made = admin.post("/admin/keys", &key).await;
        secrets.push(made["key"].as_str().unwrap().to_owned());
    }
    let endpoints = admin.get("/admin/endpoints").await;
    let endpoint = endpoints["endpoints"][0]["id"].as_str().unwrap().to_owned();
    admin
        .post(&format!("/admin/endpoints/{endpoint}/discover"), &json!({}))
        .await;
    let mut planes = Vec::new();
    for n in 0..2 {
        planes.push(DataPlane::start_at(&format!("data-{n}"), &control.grpc, &sim).await);
    }
    admin.fleet_of(2).await;
    let (modest, greedy) = (secrets[0].as_str(), secrets[1].as_str());

    for _ in 0..3 {
        assert_eq!(ask(&planes[0].http, modest).await.0, 200);
    }
    assert_eq!(ask(&planes[1].http, greedy).await.0, 200);
    let counted = format!(
        "quota_counted{{endpoint_id=\"{endpoint}\",model=\"{MODEL}\",scope=\"cross_region\",kind=\"tokens_per_minute\"}}"
    );
    wait_until(
        "the second data plane knows what the first one uses",
        Duration::from_secs(30),
        || async { (planes[1].metric(&counted).await >= 4 * 500).then_some(()) },
    )
    .await;

    let stop = Arc::new(AtomicBool::new(false));
    let clients: Vec<_> = (0..6)
        .map(|_| {
            let (url, secret) = (planes[1].http.clone(), greedy.to_owned());
            tokio::spawn(ask_until_refused(url, secret, Arc::clone(&stop)))
        })
        .collect();
    let mut served = 0;
    for client in clients {
        served += client.await.unwrap();
    }
    assert!(served >= 100, "no dead stop: {served}");
    for n in 0..5 {
        let (status, text) = ask(&planes[0].http, modest).await;
        assert_eq!(status, 200, "{n}: {text}");
    }
    let throttled = sim
        .account()
        .iter()
        .filter(|one| one.entry.error.is_some())
        .count();
    assert_eq!(throttled, 0, "nobody had to find out at AWS");

    // People see it, too.
    let shown = wait_until(
        "the control plane shows what counts",
        Duration::from_secs(30),
        || async {
            let found = admin.get(&format!("/admin/endpoints/{endpoint}/quotas")).await;
            let is_it = |one: &&Value| {
                one["model"] == MODEL && one["scope"] == "cross_region" && one["kind"] == "tokens_per_minute"
            };
            let quota = found["quotas"]
                .as_array()
                .unwrap()
                .iter()
                .find(is_it)
                .unwrap()
                .clone();
            quota["counted"].as_u64().filter(|counted| *counted > LIMIT / 2)?;
            Some(quota)
        },
    )
    .await;
    assert_eq!(shown["limit"], LIMIT);
}
