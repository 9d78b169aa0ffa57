use crate::start;
use ccag_daemon::metric::Metric;
use ccag_daemon::{Lifecycle, Ops};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex};
use std::time::Duration;

async fn get(base: &str, path: &str) -> (u16, String, String) {
    get_as(base, path, "*/*").await
}

async fn get_as(base: &str, path: &str, accept: &str) -> (u16, String, String) {
    let request = reqwest::Client::new().get(format!("{base}{path}"));
    let response = request.header("accept", accept).send().await.unwrap();
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
async fn metrics_of_all_parts_are_one_text_in_the_format_that_is_asked_for() {
    let life = Lifecycle::new();
    let registries = ["ccag_first", "ccag_second"].map(|name| {
        let mut registry = Registry::default();
        let counter = Counter::<u64>::default();
        counter.inc_by(7);
        Metric::counter(name, "things", "A counter").register(&mut registry, counter);
        Arc::new(Mutex::new(registry))
    });
    let [first, second] = registries;
    let ops = Ops::new(&life).registry(first).registry(second);
    let (addr, _server) = start(&life, ops.router(), Duration::ZERO).await;
    let base = format!("http://{addr}");
    let prometheus = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3";
    let (status, content_type, text) = get_as(&base, "/metrics", prometheus).await;
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
    // What has not been counted yet is shown all the same.
    assert!(
        text.contains("# TYPE ccag_connections_closed counter\n"),
        "{text}"
    );

    let (status, content_type, text) = get(&base, "/metrics").await;
    assert_eq!(status, 200);
    assert_eq!(content_type, "text/plain; version=0.0.4; charset=utf-8");
    let first = "# HELP ccag_first_total A counter.\n# TYPE ccag_first_total counter\nccag_first_total 7\n";
    assert!(text.contains(first), "{text}");
    assert!(
        text.contains("# TYPE ccag_open_connections gauge\nccag_open_connections "),
        "{text}"
    );
    assert!(!text.contains("EOF"), "{text}");
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
