//! The real Claude Code searches the web, through a search service of ours.

use crate::harness::{Machine, standalone};
use serde_json::{Value, json};
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};

/// A search service that knows one page; it lives as long as the test does.
pub(crate) fn search_service() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for connection in listener.incoming().flatten() {
            std::thread::spawn(move || serve(connection));
        }
    });
    url
}

fn serve(mut connection: TcpStream) -> std::io::Result<()> {
    let mut received = Vec::new();
    let mut buffer = [0; 4_096];
    // The request is whole when its JSON is.
    while !received.ends_with(b"}") {
        let read = connection.read(&mut buffer)?;
        if read == 0 {
            return Ok(());
        }
        received.extend_from_slice(&buffer[..read]);
    }
    let page =
        json!([{"title": "The axum book", "url": "https://axum.example/book", "snippet": "axum 0.8 is out"}]);
    let body = page.to_string();
    write!(
        connection,
        "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    )
}

/// The rules under which all searches go to this service.
pub(crate) fn rules(url: &str, shortcut: bool) -> Value {
    json!({"mode": "global", "shortcut": shortcut, "price_nano_usd": 10_000_000,
        "provider": {"provider_type": "custom", "api_url": url, "allow_private_address": true}})
}

/// Otherwise Claude Code defers WebSearch, and the model would have to look for it first.
pub(crate) const EVERY_TOOL_AT_ONCE: &[(&str, &str)] = &[("ENABLE_TOOL_SEARCH", "false")];

#[tokio::test(flavor = "multi_thread")]
async fn claude_codes_web_search_finds_what_there_is() {
    let it = standalone().await;
    for shortcut in [true, false] {
        it.admin
            .put("/admin/websearch-mode", &rules(&search_service(), shortcut))
            .await;
        it.admin.fleet_of(1).await;
        it.sim.clear();
        let session = Machine::new()
            .run_with(
                &it,
                "Use the WebSearch tool to find `axum version`",
                &["--allowedTools", "WebSearch"],
                EVERY_TOOL_AT_ONCE,
            )
            .await;
        let results = session.tool_results();
        assert!(!results.contains("error"), "{shortcut}: {results}");
        if shortcut {
            assert!(results.contains("https://axum.example/book"), "{results}");
            let asked_for_search = it
                .sim
                .requests()
                .iter()
                .any(|r| r.body.contains("Perform a web search"));
            assert!(!asked_for_search, "the model was asked");
        }
        for request in it.sim.requests() {
            assert!(request.status < 400, "Bedrock refused {}", request.body);
        }
    }
    let ledger = it.admin.ledger().await;
    let searched: Vec<&Value> = ledger.iter().filter(|row| row["web_searches"] == 1).collect();
    assert!(!searched.is_empty(), "{ledger:?}");
    assert!(
        searched
            .iter()
            .all(|row| row["cost_nano_usd"].as_i64().unwrap() >= 10_000_000)
    );
}
