use crate::start;
use ccag_daemon::{Lifecycle, Ops};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn get(base: &str, path: &str) -> (u16, String, String) {
    let response = reqwest::get(format!("{base}{path}")).await.unwrap();
    let content_type = response
        .headers()
        .get("content-type")
        .map(|v| v.to_str().unwrap().to_owned())
        .unwrap_or_default();
    (
        response.status().as_u16(),
        content_type,
        response.text().await.unwrap(),
    )
}

#[tokio::test]
async fn readyz_says_what_is_waited_for() {
    let gateway = Lifecycle::new();
    let guard = gateway.ready_guard("first configuration");
    let life = Lifecycle::new();
    let (addr, _server) = start(&life, Ops::new(&gateway).router(), Duration::ZERO).await;
    let base = format!("http://{addr}");
    let (status, _, text) = get(&base, "/readyz").await;
    assert_eq!(
        (status, text.as_str()),
        (503, "not ready: waiting for first configuration\n")
    );
    drop(guard);
    assert_eq!(get(&base, "/readyz").await.0, 200);
    gateway.begin_shutdown();
    let (status, _, text) = get(&base, "/readyz").await;
    assert_eq!((status, text.as_str()), (503, "not ready: shutting down\n"));
    assert_eq!(get(&base, "/livez").await.0, 200);
    life.begin_shutdown();
}

#[tokio::test]
async fn metrics_of_all_parts_are_one_openmetrics_text() {
    let life = Lifecycle::new();
    let registries = ["ccag_first", "ccag_second"].map(|name| {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        counter.inc_by(7);
        registry.register(name, "A counter", counter);
        Arc::new(Mutex::new(registry))
    });
    let [first, second] = registries;
    let ops = Ops::new(&life).registry(first).registry(second);
    let (addr, _server) = start(&life, ops.router(), Duration::ZERO).await;
    let (status, content_type, text) = get(&format!("http://{addr}"), "/metrics").await;
    assert_eq!(status, 200);
    assert_eq!(
        content_type,
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    );
    assert!(
        text.contains("ccag_first_total 7\n") && text.contains("ccag_second_total 7\n"),
        "{text}"
    );
    assert!(text.contains("ccag_open_connections 1\n"), "{text}");
    assert_eq!(text.matches("# EOF").count(), 1);
    assert!(text.ends_with("# EOF\n"));
    life.begin_shutdown();
}

#[tokio::test]
async fn the_config_dump_is_what_the_process_gives() {
    let life = Lifecycle::new();
    let ops = Ops::new(&life).config_dump(|| serde_json::json!({"revision": 7}));
    let (addr, _server) = start(&life, ops.router(), Duration::ZERO).await;
    let (status, content_type, text) = get(&format!("http://{addr}"), "/config_dump").await;
    assert_eq!((status, text.as_str()), (200, r#"{"revision":7}"#));
    assert_eq!(content_type, "application/json");
    life.begin_shutdown();
}
