//! The translation's exchanges through a whole data plane: what Bedrock is asked how often, and what a client sees of it.

use crate::control::{endpoint, usual};
use crate::fake::{Script, chunk, exception, frame};
use crate::world::{Answer, Options, Rig, world_of};
use bytes::Bytes;
use ccag_domain::ConfigObject;
use serde_json::{Value, json};

const EXCHANGES: &str = include_str!("../../../crates/translate/tests/vectors/exchanges.json");

fn text<'v>(value: &'v Value, key: &str) -> &'v str {
    value[key].as_str().unwrap_or_default()
}

fn event(event: &Value) -> Bytes {
    if event["damaged"] == true {
        let mut bytes = chunk(r#"{"type":"ping"}"#).to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        return bytes.into();
    }
    if event["half"] == true {
        let whole = chunk(r#"{"type":"ping"}"#);
        return whole.slice(..whole.len() / 2);
    }
    if let Some(kind) = event["exception"].as_str() {
        return exception(kind, text(event, "message"));
    }
    if let Some(code) = event["error"].as_str() {
        let message = text(event, "message");
        return frame(
            &[
                (":message-type", "error"),
                (":error-code", code),
                (":error-message", message),
            ],
            "",
        );
    }
    match event["frame"].as_str() {
        Some(kind) => frame(&[(":message-type", "event"), (":event-type", kind)], "{}"),
        None => chunk(&event.to_string()),
    }
}

/// Lets Bedrock give a reply to the next call.
fn script(rig: &Rig, reply: &'static Value) {
    if let Some(events) = reply["events"].as_array() {
        let stream = rig.bedrock.stream();
        for one in events {
            stream.send(Ok(event(one))).unwrap();
        }
    } else if let Some(status) = reply["status"].as_u64() {
        let body = json!({"message": reply["message"]}).to_string();
        let kind = reply["kind"].as_str().unwrap();
        rig.bedrock
            .push(Script::Status(u16::try_from(status).unwrap(), kind, body));
    } else {
        rig.bedrock.push(Script::Whole(reply["body"].to_string()));
    }
}

fn faults(vector: &Value, answer: &Answer, asked: usize) -> Vec<String> {
    let client = &vector["client"];
    let mut faults = Vec::new();
    let mut expect = |what: &str, now: Value, then: &Value| {
        if !then.is_null() && now != *then {
            faults.push(format!("{what} is {now}, not {then}"));
        }
    };
    expect("the number of calls", asked.into(), &vector["calls"]);
    let status = client.get("status").cloned().unwrap_or_else(|| json!(200));
    expect("the status", answer.status.into(), &status);
    if answer.status != 200 {
        expect("the type", answer.error_type().into(), &client["type"]);
        let again = answer.header("x-should-retry").map(|v| v == "true");
        expect("x-should-retry", json!(again), &client["should_retry"]);
        let wait = answer.header("retry-after").and_then(|v| v.parse::<u32>().ok());
        expect(
            "retry-after within 1 and 60",
            wait.is_some_and(|s| (1..=60).contains(&s)).into(),
            &client["retry_after"],
        );
        if !answer.text().contains(text(client, "says")) {
            faults.push(format!("it says {}", answer.text()));
        }
        return faults;
    }
    if client["body"].is_object() {
        expect("the body", answer.json(), &client["body"]);
        return faults;
    }
    let seen = answer.text();
    let events: Vec<&str> = seen.lines().filter_map(|l| l.strip_prefix("event: ")).collect();
    expect("the events", json!(events), &client["events"]);
    let list = |key: &str| {
        client[key]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
    };
    faults.extend(
        list("has")
            .filter(|part| !seen.contains(part))
            .map(|part| format!("no {part} in {seen}")),
    );
    faults.extend(
        list("lacks")
            .filter(|part| seen.contains(part))
            .map(|part| format!("{part} in {seen}")),
    );
    faults
}

#[tokio::test]
async fn every_exchange_of_the_translation_ends_the_same_through_a_data_plane() {
    let vectors: &'static [Value] = serde_json::from_str::<Vec<Value>>(EXCHANGES).unwrap().leak();
    let mut wrong = Vec::new();
    let mut ran = 0;
    for vector in vectors {
        let replies = vector["replies"].as_array().unwrap();
        if replies.iter().any(|reply| reply.get("counts").is_some()) {
            // Headers of Bedrock's are not scripted here.
            continue;
        }
        ran += 1;
        let mut objects = usual();
        if vector["calls"].as_u64() > Some(1) {
            objects.push(ConfigObject::Endpoint(endpoint(2, true)));
        }
        let (_control, rig) = world_of(objects, Options::default()).await;
        for reply in replies {
            script(&rig, reply);
        }
        let mut body = json!({"model": "claude-opus-5-5", "max_tokens": 1024, "messages": [{"role": "user", "content": "hi"}], "stream": true});
        for (key, value) in vector["ask"].as_object().into_iter().flatten() {
            body[key] = value.clone();
        }
        let answer = rig.post(body.to_string()).await;
        let faults = faults(vector, &answer, rig.bedrock.asked().len());
        let id = text(vector, "id");
        if !faults.is_empty() {
            wrong.push(format!("{id}: {}", faults.join("; ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(ran >= 40, "{ran} exchanges");
}
