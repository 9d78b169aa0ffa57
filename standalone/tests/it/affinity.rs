//! Conversations find their prompts in the cache, whichever data plane their requests reach and whatever becomes of endpoints:
//! what Bedrock counts as read from its cache is the truth.
//!
//! Six simulators stand for six pairs of account and region, since no cache reaches from one to another.

use crate::harness::{Admin, ControlPlane, DataPlane, MODEL, Sim, database};
use bedrock_sim::{Action, Rule};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

const ENDPOINTS: usize = 6;
const PLANES: usize = 4;

/// How many conversations, of how many turns: as many as `docs/routing.md` speaks of with the variable set.
fn size() -> (usize, usize) {
    match std::env::var("CCAG_TEST_CONVERSATIONS") {
        Ok(text) => (text.parse().unwrap(), 20),
        Err(_) => (120, 10),
    }
}

/// Which data plane a load balancer gives a request to: any.
fn any_plane(conversation: usize, turn: usize) -> usize {
    let mut z = (conversation * 1_000 + turn) as u64;
    z = (z ^ (z >> 12)).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    usize::try_from((z >> 40) % PLANES as u64).unwrap()
}

/// The request of a turn. As Claude Code does, it marks the system prompt and the last two questions: what the last turn wrote
/// into the cache is found by the second mark.
fn request(conversation: usize, turn: usize, history: &[Value]) -> Value {
    let mark = json!({"type": "ephemeral"});
    let system = format!(
        "conversation {conversation}: {}",
        "rules of the house. ".repeat(500)
    );
    let mut messages = history.to_vec();
    if let Some(last) = messages
        .iter_mut()
        .rev()
        .find(|message| message["role"] == "user")
    {
        last["content"][0]["cache_control"] = mark.clone();
    }
    let question = format!("turn {turn} [sim: text=120, events=3] {}", "words ".repeat(200));
    messages.push(json!({"role": "user", "content": [
        {"type": "text", "text": question, "cache_control": mark},
    ]}));
    json!({
        "model": MODEL, "max_tokens": 500, "stream": true,
        "system": [{"type": "text", "text": system, "cache_control": mark}],
        "messages": messages,
        "metadata": {"user_id": json!({"session_id": format!("5e551000-0000-4000-8000-{conversation:012}")}).to_string()},
    })
}

/// A message of the history: without the marks that it had.
fn past(message: &Value) -> Value {
    let mut past = message.clone();
    past["content"][0]
        .as_object_mut()
        .unwrap()
        .remove("cache_control");
    past
}

async fn converse(
    urls: Arc<Vec<String>>,
    secret: String,
    conversation: usize,
    from: usize,
    turns: usize,
    mut history: Vec<Value>,
) -> Vec<Value> {
    let http = reqwest::Client::builder().no_proxy().build().unwrap();
    for turn in from..from + turns {
        let body = request(conversation, turn, &history);
        let url = &urls[any_plane(conversation, turn) % urls.len()];
        let request = http
            .post(format!("{url}/v1/messages"))
            .header("x-api-key", &secret);
        let response = request.body(body.to_string()).send().await.unwrap();
        let status = response.status();
        let text = response.text().await.unwrap();
        assert!(
            status.is_success() && text.contains("message_stop"),
            "{status}: {text}"
        );
        history.push(past(body["messages"].as_array().unwrap().last().unwrap()));
        history.push(
            json!({"role": "assistant", "content": [{"type": "text", "text": format!("answer {turn}")}]}),
        );
    }
    history
}

/// Carries on all conversations by some turns, a few at a time.
async fn carry_on(
    urls: &Arc<Vec<String>>,
    secret: &str,
    histories: Vec<Vec<Value>>,
    from: usize,
    turns: usize,
) -> Vec<Vec<Value>> {
    let mut running = tokio::task::JoinSet::new();
    let permits = Arc::new(tokio::sync::Semaphore::new(8));
    for (conversation, history) in histories.into_iter().enumerate() {
        let (urls, secret, permits) = (Arc::clone(urls), secret.to_owned(), Arc::clone(&permits));
        running.spawn(async move {
            let _permit = permits.acquire_owned().await.unwrap();
            (
                conversation,
                converse(urls, secret, conversation, from, turns, history).await,
            )
        });
    }
    let mut done = running.join_all().await;
    done.sort_by_key(|(conversation, _)| *conversation);
    done.into_iter().map(|(_, history)| history).collect()
}

/// Of all tokens of prompts, how many were read from a cache.
fn hit_rate(sims: &[Sim]) -> f64 {
    let (mut read, mut all) = (0, 0);
    for answer in sims.iter().flat_map(Sim::account) {
        let usage = answer.entry.usage;
        read += usage.cache_read;
        all += usage.input + usage.cache_read + usage.cache_write_5m + usage.cache_write_1h;
    }
    #[expect(clippy::cast_precision_loss, reason = "a share, of counts far below 2^52")]
    let share = read as f64 / all as f64;
    share
}

struct World {
    sims: Vec<Sim>,
    _control: ControlPlane,
    admin: Admin,
    _planes: Vec<DataPlane>,
    urls: Arc<Vec<String>>,
    secret: String,
}

/// So many endpoints and data planes.
async fn world(endpoints: usize, planes: usize) -> World {
    let mut sims = Vec::new();
    for _ in 0..endpoints {
        sims.push(Sim::start().await);
    }
    let control = ControlPlane::start("control", &database()).await;
    let admin = control.admin().await;
    for endpoint in admin.get("/admin/endpoints").await["endpoints"]
        .as_array()
        .unwrap()
    {
        let id = endpoint["id"].as_str().unwrap();
        admin
            .patch(&format!("/admin/endpoints/{id}"), &json!({"enabled": false}))
            .await;
    }
    for (n, sim) in sims.iter().enumerate() {
        let endpoint = json!({
            "name": format!("endpoint-{n}"), "region": "us-east-1", "runtime_url": sim.url(), "is_default": true,
        });
        admin.post("/admin/endpoints", &endpoint).await;
    }
    let (_, secret) = admin.create_key("developers").await;
    let mut running = Vec::new();
    for n in 0..planes {
        running.push(DataPlane::start_at(&format!("data-{n}"), &control.grpc, &sims[0]).await);
    }
    admin.fleet_of(planes as u64).await;
    World {
        urls: Arc::new(running.iter().map(|plane| plane.http.clone()).collect()),
        sims,
        _control: control,
        admin,
        _planes: running,
        secret,
    }
}

fn none(conversations: usize) -> Vec<Vec<Value>> {
    vec![Vec::new(); conversations]
}

#[tokio::test(flavor = "multi_thread")]
async fn prompts_are_read_from_caches_whichever_data_plane_is_asked_and_while_an_endpoint_is_out() {
    let (conversations, turns) = size();
    // Every conversation is like every other: a few say what the best is that can be had.
    let one = world(1, 1).await;
    carry_on(&one.urls, &one.secret, none(20), 0, turns).await;
    let best = hit_rate(&one.sims);
    drop(one);

    let it = world(ENDPOINTS, PLANES).await;
    carry_on(&it.urls, &it.secret, none(conversations), 0, turns).await;
    let spread = hit_rate(&it.sims);
    let used = it.sims.iter().filter(|sim| !sim.account().is_empty()).count();
    println!(
        "cache hits: {best:.4} with one endpoint, {spread:.4} with {used} of {ENDPOINTS} and {PLANES} data planes"
    );
    assert_eq!(used, ENDPOINTS);
    assert!(spread >= 0.98 * best, "{spread} of {best}");

    // The same again, with one endpoint out for a third of the time.
    it.sims.iter().for_each(Sim::clear);
    let third = turns / 3;
    let fresh = world_of_others(conversations);
    let histories = carry_on(&it.urls, &it.secret, fresh, 1_000, third).await;
    let error = Action::Error {
        status: 503,
        error_type: "ServiceUnavailableException".into(),
        message: "Bedrock is unable to process your request.".into(),
    };
    it.sims[2].script(Rule::always(error));
    let histories = carry_on(&it.urls, &it.secret, histories, 1_000 + third, third).await;
    let out = it.admin.get("/admin/fleet").await;
    let troubles = out["replicas"].as_array().unwrap().iter();
    let seen = troubles
        .filter(|replica| replica["troubles"][0]["cause"] == "unavailable")
        .count();
    assert!(seen > 0, "the console knows: {out}");
    let refused = it.sims[2]
        .requests()
        .iter()
        .filter(|one| one.status == 503)
        .count();
    it.sims[2].clear_script();
    let before = it.sims[2].account().len();
    tokio::time::sleep(Duration::from_secs(1)).await;
    carry_on(
        &it.urls,
        &it.secret,
        histories,
        1_000 + 2 * third,
        turns - 2 * third,
    )
    .await;
    let shaken = hit_rate(&it.sims);
    let back = it.sims[2].account().len() - before;
    println!(
        "with an endpoint out for a third of the time: {shaken:.4}; it refused {refused}, and afterwards served {back}"
    );
    assert!(shaken >= 0.95 * best, "{shaken} of {best}");
    // Whoever had to leave stays away: each of those has a warm cache elsewhere.
    let was_there = conversations / ENDPOINTS;
    assert!(back < was_there * (turns - 2 * third) / 4, "{back} came back");
}

/// Conversations that nobody has had yet.
fn world_of_others(conversations: usize) -> Vec<Vec<Value>> {
    let opening = |n: usize| {
        vec![
            json!({"role": "user", "content": [{"type": "text", "text": format!("another one, {n}")}]}),
            json!({"role": "assistant", "content": [{"type": "text", "text": "yes"}]}),
        ]
    };
    (0..conversations).map(opening).collect()
}
