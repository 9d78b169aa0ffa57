//! A control plane that is killed while it tells somebody something loses no event and doubles none.

use crate::harness::{ControlPlane, DataPlane, Sim, database, wait_until};
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;
use tokio::sync::watch;

/// Takes webhooks, and holds its answers as long as it is told to.
#[derive(Clone)]
struct Receiver {
    url: String,
    /// How often each event has arrived.
    arrived: Arc<Mutex<BTreeMap<String, usize>>>,
    open: Arc<watch::Sender<bool>>,
}

impl Receiver {
    async fn start() -> Self {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let receiver = Self {
            url: format!("http://{}/", listener.local_addr().unwrap()),
            arrived: Arc::default(),
            open: Arc::new(watch::Sender::new(true)),
        };
        let app = axum::Router::new().fallback(take).with_state(receiver.clone());
        tokio::spawn(async move { axum::serve(listener, app).await });
        receiver
    }

    fn arrived(&self) -> BTreeMap<String, usize> {
        self.arrived.lock().unwrap().clone()
    }
}

async fn take(State(receiver): State<Receiver>, headers: HeaderMap, body: String) -> StatusCode {
    let event: Value = serde_json::from_str(&body).unwrap();
    if event["type"] != "test" {
        let id = headers["webhook-id"].to_str().unwrap().to_owned();
        assert_eq!(event["id"], id);
        *receiver.arrived.lock().unwrap().entry(id).or_default() += 1;
    }
    let mut open = receiver.open.subscribe();
    let _ = open.wait_for(|open| *open).await;
    StatusCode::NO_CONTENT
}

#[tokio::test(flavor = "multi_thread")]
async fn a_control_plane_killed_in_mid_delivery_neither_loses_nor_doubles_an_event() {
    let (sim, database, receiver) = (Sim::start().await, database(), Receiver::start().await);
    let mut one = ControlPlane::start("one", &database).await;
    let two = ControlPlane::start("two", &database).await;
    let plane = DataPlane::start("data", &[&two, &one], &sim).await;
    let admin = two.admin().await;
    let (_, secret) = admin.create_key("spender").await;
    admin.fleet_of(1).await;
    let way = json!({"kind": "webhook", "url": receiver.url, "allow_private_address": true});
    let made = admin
        .post(
            "/admin/notifications/destinations",
            &json!({"name": "Ops", "settings": way}),
        )
        .await;
    let path = format!(
        "/admin/notifications/destinations/{}",
        made["destination"]["id"].as_str().unwrap()
    );
    assert_eq!(
        admin.post(&format!("{path}/test"), &json!({})).await["success"],
        true
    );
    admin.post(&format!("{path}/activate"), &json!({})).await;
    // One request reaches twenty steps at once.
    for period in ["daily", "weekly", "monthly", "total"] {
        let steps: Vec<Value> = (1..=5)
            .map(|step| json!({"at_percent": step, "action": "notify"}))
            .collect();
        let body =
            json!({"scope": "organisation", "period": period, "amount_usd": "0.0001", "policy": steps});
        admin.post("/admin/budgets", &body).await;
    }
    receiver.open.send_replace(false);
    let client = plane.client(&secret);
    let limit = Duration::from_secs(60);
    // Budgets take a moment to reach the data plane.
    wait_until(
        "both control planes are in the middle of a delivery",
        limit,
        || async {
            let reply = client.stream(crate::harness::MODEL, "hello").await;
            assert!(reply.is_complete(), "{}", reply.text());
            tokio::time::sleep(Duration::from_millis(500)).await;
            (receiver.arrived().len() >= 2).then_some(())
        },
    )
    .await;
    let held = receiver.arrived();
    assert_eq!(held.len(), 2, "one at a time and control plane");
    one.kill();
    receiver.open.send_replace(true);
    wait_until("everything is delivered", Duration::from_secs(90), || async {
        let list = admin.get("/admin/notifications/deliveries?state=delivered").await;
        (list["total"] == 20).then_some(())
    })
    .await;
    let arrived = receiver.arrived();
    assert_eq!(
        arrived.len(),
        20,
        "each event has arrived, under one id: {arrived:?}"
    );
    let again: Vec<&String> = arrived
        .iter()
        .filter(|(_, times)| **times > 1)
        .map(|(id, _)| id)
        .collect();
    // What the killed one had sent is sent again under its id, for it could not say what became of it.
    assert_eq!(again.len(), 1, "{arrived:?}");
    assert!(
        held.contains_key(again[0]) && arrived[again[0]] == 2,
        "{arrived:?}"
    );
    let list = admin.get("/admin/notifications/deliveries").await;
    assert_eq!(list["total"], 20, "{list}");
}
