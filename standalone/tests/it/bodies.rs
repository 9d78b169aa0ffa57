//! Bodies of every size and shape.

use crate::harness::{Client, MODEL, Reply, Resident, message, standalone, wait_until};
use bedrock_sim::{Action, Pace};
use serde_json::{Value, json};

/// Every refusal has Anthropic's envelope and an id to ask for.
fn assert_refused(reply: &Reply, status: u16, kind: &str) {
    assert_eq!(reply.status, status, "{}", reply.body);
    assert_eq!(reply.body["type"], "error", "{}", reply.body);
    assert_eq!(reply.error_type(), kind, "{}", reply.body);
    let message = reply.body["error"]["message"].as_str().unwrap();
    assert!(!message.is_empty() && !message.contains("arn:"), "{message}");
    assert!(
        reply.request_id.starts_with("req_"),
        "request-id: {:?}",
        reply.request_id
    );
    assert_eq!(reply.body["request_id"], reply.request_id.as_str());
}

/// A request of so many bytes that is small in tokens: pictures.
fn pictures(size: usize) -> String {
    let picture = "iVBORw0KGgoAAAANSUhEUgAA".repeat(150_000);
    let block =
        json!({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": picture}});
    let mut body = message(MODEL, "");
    let mut content = vec![json!({"type": "text", "text": "what do you see?"})];
    while (content.len()) * picture.len() < size {
        content.push(block.clone());
    }
    body["messages"][0]["content"] = Value::Array(content);
    let text = body.to_string();
    // Filled up with blanks to the exact size.
    format!(
        "{}{}}}",
        &text[..text.len() - 1],
        " ".repeat(size.saturating_sub(text.len()))
    )
}

#[tokio::test(flavor = "multi_thread")]
async fn thirty_megabytes_pass_and_thirty_three_are_refused() {
    let it = standalone().await;
    let body = pictures(30_000_000);
    assert!(body.len() >= 30_000_000);
    let reply = it.client.raw(body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
    let received = it.sim.requests().pop().unwrap();
    assert!(
        received.body.len() > 29_000_000,
        "something was lost: {}",
        received.body.len()
    );
    it.sim.clear();

    let refused = it.client.raw(pictures(33 * 1024 * 1024)).await;
    assert_refused(&refused, 413, "request_too_large");
    assert!(it.sim.requests().is_empty(), "Bedrock was bothered with it");
}

/// `cargo xtask bench memory` does it with a hundred.
#[tokio::test(flavor = "multi_thread")]
async fn large_bodies_that_bedrock_is_thinking_about_are_in_memory_once() {
    const COUNT: usize = 20;
    let it = standalone().await;
    let body = pictures(10_000_000).replace("what do you see?", "what do you see? [sim: head=600000]");
    let resident = Resident::new(it.gateway.process.pid());
    let idle = resident.now();
    resident.forget_peak();
    let mut clients = tokio::task::JoinSet::new();
    for _ in 0..COUNT {
        let request = it.client.request().body(body.clone());
        clients.spawn(request.send());
    }
    wait_until(
        "Bedrock has all of them",
        std::time::Duration::from_secs(60),
        || async { (it.sim.account().len() == COUNT).then_some(()) },
    )
    .await;
    let (in_flight, taken) = ((COUNT * body.len()) as u64, resident.peak() - idle);
    assert!(
        taken > in_flight,
        "they are not all there: {taken} of {in_flight}"
    );
    assert!(2 * taken < 3 * in_flight, "{taken} for {in_flight}");
    clients.shutdown().await;
    wait_until(
        "the memory is free again",
        std::time::Duration::from_secs(10),
        || async { (resident.now() < idle + in_flight / 2).then_some(()) },
    )
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_requests_are_told_what_is_wrong() {
    let it = standalone().await;
    let whole = message(MODEL, "hello").to_string();
    let without = |field: &str| {
        let mut body = message(MODEL, "hello");
        body.as_object_mut().unwrap().remove(field);
        body.to_string()
    };
    let cases = [
        ("cut short", whole[..whole.len() - 5].to_owned()),
        ("no JSON", "hello".to_owned()),
        ("empty", String::new()),
        ("a list", "[]".to_owned()),
        ("twice", format!("{whole}{whole}")),
        ("NUL byte", whole.replace("hello", "hel\0lo")),
        ("no model", without("model")),
        ("no messages", without("messages")),
        ("no max_tokens", without("max_tokens")),
        ("model is a number", whole.replace(&format!("\"{MODEL}\""), "7")),
        ("deep", format!("{}{}", "[".repeat(200_000), "]".repeat(200_000))),
    ];
    for (name, body) in cases {
        let reply = it.client.raw(body).await;
        assert_eq!(reply.status, 400, "{name}: {}", reply.body);
        assert_refused(&reply, 400, "invalid_request_error");
    }
    let not_utf8 = it.client.raw(&b"{\"model\":\"\xff\"}"[..]).await;
    assert_refused(&not_utf8, 400, "invalid_request_error");
    assert!(it.sim.requests().is_empty(), "Bedrock was bothered with it");

    let after = it.client.send(&message(MODEL, "still there?")).await;
    assert_eq!(after.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_and_unknown_models_are_refused_in_anthropics_words() {
    let it = standalone().await;
    for key in [
        "",
        "nonsense",
        "sk-ccag-AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA",
    ] {
        let stranger = Client::new(&it.gateway.url, key);
        let reply = stranger.send(&message(MODEL, "hello")).await;
        assert_refused(&reply, 401, "authentication_error");
    }
    let unknown = it.client.send(&message("claude-of-tomorrow", "hello")).await;
    assert_refused(&unknown, 404, "not_found_error");
    let odd = it.client.send(&message("claude\u{0}\u{1F642}", "hello")).await;
    assert!(matches!(odd.status, 400 | 404), "{}", odd.body);
    assert!(it.sim.requests().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_field_does_not_stop_a_request() {
    let it = standalone().await;
    let mut body = message(MODEL, "hello");
    body["field_of_tomorrow"] = json!({"a": [1.0, null]});
    let reply = it.client.send(&body).await;
    assert_eq!(reply.status, 200, "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn escaped_nul_and_lone_surrogates_get_an_answer_and_no_record_is_stuck() {
    let it = standalone().await;
    let mut ids = Vec::new();
    let escapes = [("NUL", "\\u0000", 200), ("lone surrogate", "\\ud83d", 400)];
    for (name, escape, status) in escapes {
        let body = message(MODEL, "before ESCAPE after")
            .to_string()
            .replace("ESCAPE", escape);
        let reply = it.client.raw(body).await;
        assert_eq!(reply.status, status, "{name}: {}", reply.body);
        if status == 200 {
            ids.push(reply.request_id);
        } else {
            assert_refused(&reply, 400, "invalid_request_error");
        }
    }
    // What is recorded of a request must not be able to hold up the rest: PostgreSQL takes no NUL in a text.
    let mut body = message(MODEL, "hello");
    body["metadata"] = json!({"user_id": json!({"session_id": "a\u{0}b", "device_id": "d"}).to_string()});
    ids.push(it.client.send(&body).await.request_id);
    ids.push(it.client.send(&message(MODEL, "and on")).await.request_id);
    it.admin.ledger_with(&ids).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_of_three_megabytes_passes_both_ways() {
    let it = standalone().await;
    let mut body = message(MODEL, &"x".repeat(3_000_000));
    body["model"] = json!("claude-opus-4-8");
    let reply = it.client.send(&body).await;
    assert_eq!(reply.status, 200, "{}", reply.body["error"]);

    // The longest that one event of Bedrock's carries.
    it.sim.once(Action::Pace(Pace {
        text: Some(200_000),
        events: Some(1),
        ..Pace::default()
    }));
    let mut body = message("claude-opus-4-8", "at length");
    body["max_tokens"] = json!(64_000);
    body["stream"] = json!(true);
    let reply = it.client.send(&body).await;
    let account = it.sim.settled().await;
    assert_eq!(reply.text(), account[1].text());
}

#[tokio::test(flavor = "multi_thread")]
async fn characters_cut_by_a_chunk_boundary_arrive_whole() {
    let it = standalone().await;
    let prompt = "Zoë 一二三 🙂 end";
    let body = message(MODEL, prompt).to_string().into_bytes();
    for cut in 0..body.len() {
        if std::str::from_utf8(&body[..cut]).is_ok() {
            continue;
        }
        let (head, tail) = (body[..cut].to_vec(), body[cut..].to_vec());
        let parts = futures_util::stream::unfold(vec![tail, head], |mut parts| async move {
            let part = parts.pop()?;
            if parts.is_empty() {
                tokio::time::sleep(std::time::Duration::from_millis(30)).await;
            }
            Some((Ok::<_, std::io::Error>(part), parts))
        });
        let reply = it.client.raw(reqwest::Body::wrap_stream(parts)).await;
        assert_eq!(reply.status, 200, "cut at {cut}: {}", reply.body);
        assert!(reply.text().contains(prompt), "cut at {cut}: {}", reply.text());
    }
    let streamed = it
        .client
        .stream(MODEL, &format!("{prompt} [sim: text=3000, events=700]"))
        .await;
    assert_eq!(streamed.text(), it.sim.settled().await.pop().unwrap().text());
}
