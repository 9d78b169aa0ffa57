//! The simulator over real sockets: its faults by script, its account, and proof against clients that nobody here wrote.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod account;
mod availability;
mod faults;
mod lanes;
mod strangers;

use bedrock_sim::Sim;
use serde_json::{Value, json};

const OPUS: &str = "us.anthropic.claude-opus-5-5";

fn body(prompt: &str) -> Value {
    json!({"anthropic_version": "bedrock-2023-05-31", "max_tokens": 4000,
        "messages": [{"role": "user", "content": prompt}]})
}

async fn post(sim: &Sim, operation: &str, body: &Value) -> reqwest::Response {
    reqwest::Client::new()
        .post(format!("{}/model/{OPUS}/{operation}", sim.base_url()))
        .body(body.to_string())
        .send()
        .await
        .unwrap()
}

async fn stream(sim: &Sim, prompt: &str) -> reqwest::Response {
    post(sim, "invoke-with-response-stream", &body(prompt)).await
}

/// A frame as it was received: its string headers and its payload, both checksums checked.
struct Frame {
    headers: Vec<(String, String)>,
    payload: Vec<u8>,
}

impl Frame {
    fn header(&self, name: &str) -> &str {
        self.headers
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }
}

/// Reads frames; `Err` holds what was wrong with the first that is not whole.
fn frames(mut bytes: &[u8]) -> Result<Vec<Frame>, String> {
    let word = |b: &[u8], at: usize| u32::from_be_bytes(b[at..at + 4].try_into().unwrap());
    let mut all = Vec::new();
    while !bytes.is_empty() {
        if bytes.len() < 16 || bytes.len() < word(bytes, 0) as usize {
            return Err("half a frame".into());
        }
        let (frame, rest) = bytes.split_at(word(bytes, 0) as usize);
        if crc32fast::hash(&frame[..8]) != word(frame, 8)
            || crc32fast::hash(&frame[..frame.len() - 4]) != word(frame, frame.len() - 4)
        {
            return Err("checksum".into());
        }
        let end = 12 + word(frame, 4) as usize;
        let (mut headers, mut at) = (Vec::new(), 12);
        while at < end {
            let name = usize::from(frame[at]);
            let value_at = at + 1 + name + 3;
            assert_eq!(frame[at + 1 + name], 7, "headers are strings");
            let value = usize::from(u16::from_be_bytes([frame[value_at - 2], frame[value_at - 1]]));
            headers.push((
                String::from_utf8(frame[at + 1..at + 1 + name].to_vec()).unwrap(),
                String::from_utf8(frame[value_at..value_at + value].to_vec()).unwrap(),
            ));
            at = value_at + value;
        }
        let payload = frame[end..frame.len() - 4].to_vec();
        all.push(Frame { headers, payload });
        bytes = rest;
    }
    Ok(all)
}
