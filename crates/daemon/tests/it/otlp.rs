use ccag_daemon::otlp::{Otlp, OtlpConfig};
use ccag_daemon::{OsRng, SystemClock};
use http::HeaderMap;
use prometheus_client::encoding::text::encode;
use std::sync::Arc;

fn start(config: &OtlpConfig) -> Option<Otlp> {
    let service = ("ccag-test", "one");
    Otlp::start(config, service, Arc::new(SystemClock), Arc::new(OsRng)).unwrap()
}

/// On one thread, so that nothing is sent while the queue fills.
#[tokio::test]
async fn what_finds_no_room_is_dropped_at_once_and_counted() {
    let silent = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let config = OtlpConfig {
        endpoint: Some(
            format!("http://{}", silent.local_addr().unwrap())
                .parse()
                .unwrap(),
        ),
        ..OtlpConfig::default()
    };
    let otlp = start(&config).unwrap();
    for _ in 0..5_000 {
        let span = otlp.serve("POST /".to_owned(), &HeaderMap::new());
        drop(otlp.call("chat".to_owned(), Some(span.context())));
    }
    let mut text = String::new();
    encode(&mut text, &config.registry().unwrap().lock().unwrap()).unwrap();
    let dropped = "ccag_otlp_dropped_total{signal=\"traces\",reason=\"full\"} 5904\n";
    assert!(text.contains(dropped), "{text}");
}

#[tokio::test]
async fn without_a_collector_there_is_nothing() {
    let config = OtlpConfig::default();
    assert!(start(&config).is_none());
    assert!(config.registry().is_none());
}
