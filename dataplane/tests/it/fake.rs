//! A Bedrock that answers by script, behind the `Upstream` trait: exact control over what arrives when.

use bytes::Bytes;
use ccag_dataplane::bedrock::{BoxError, Call, CallError, Reply, Upstream};
use ccag_domain::{Endpoint, Subject};
use futures_util::future::{BoxFuture, FutureExt};
use http::{HeaderMap, StatusCode};
use http_body::Frame;
use http_body_util::{BodyExt, StreamBody};
use std::collections::VecDeque;
use std::sync::{Arc, Mutex};
use tokio::sync::mpsc;
use tokio_stream::wrappers::UnboundedReceiverStream;

/// What one call gets.
pub enum Script {
    Error(CallError),
    Status(u16, &'static str, String),
    /// A stream; the test holds the sender.
    Stream(mpsc::UnboundedReceiver<Result<Bytes, BoxError>>),
    Whole(String),
    Hang,
}

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub endpoint: String,
    pub model: String,
    pub body: Bytes,
}

#[derive(Default)]
pub struct FakeBedrock {
    scripts: Mutex<VecDeque<Script>>,
    asked: Mutex<Vec<Asked>>,
    forgotten: Mutex<u32>,
}

impl FakeBedrock {
    pub fn push(&self, script: Script) {
        self.scripts.lock().unwrap().push_back(script);
    }

    /// The next call streams what is sent here.
    pub fn stream(&self) -> mpsc::UnboundedSender<Result<Bytes, BoxError>> {
        let (tx, rx) = mpsc::unbounded_channel();
        self.push(Script::Stream(rx));
        tx
    }

    /// The next call streams these events and ends.
    pub fn events<'e>(&self, events: impl IntoIterator<Item = &'e str>) {
        let tx = self.stream();
        for event in events {
            tx.send(Ok(chunk(event))).unwrap();
        }
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.asked.lock().unwrap().clone()
    }

    pub fn forgotten(&self) -> u32 {
        *self.forgotten.lock().unwrap()
    }
}

impl Upstream for FakeBedrock {
    fn call<'a>(&'a self, call: Call<'a>) -> BoxFuture<'a, Result<Reply, CallError>> {
        self.asked.lock().unwrap().push(Asked {
            endpoint: call.endpoint.name.clone(),
            model: call.model.to_owned(),
            body: call.body.whole(),
        });
        let script = self.scripts.lock().unwrap().pop_front();
        async move {
            let mut headers = HeaderMap::new();
            headers.insert(
                "x-amzn-requestid",
                "11111111-2222-3333-4444-555555555555".parse().unwrap(),
            );
            let full = |text: String| {
                http_body_util::Full::new(Bytes::from(text))
                    .map_err(|e| match e {})
                    .boxed_unsync()
            };
            let (status, body) = match script {
                None => return Err(CallError::Connect("no script".into())),
                Some(Script::Error(error)) => return Err(error),
                Some(Script::Hang) => return futures_util::future::pending().await,
                Some(Script::Status(status, kind, body)) => {
                    headers.insert("x-amzn-errortype", kind.parse().unwrap());
                    (StatusCode::from_u16(status).unwrap(), full(body))
                }
                Some(Script::Whole(body)) => (StatusCode::OK, full(body)),
                Some(Script::Stream(rx)) => {
                    let frames = futures_util::StreamExt::map(UnboundedReceiverStream::new(rx), |r| {
                        r.map(Frame::data)
                    });
                    (StatusCode::OK, StreamBody::new(frames).boxed_unsync())
                }
            };
            Ok(Reply {
                status,
                headers,
                body,
            })
        }
        .boxed()
    }

    fn forget_credentials(&self, _: &Endpoint, _: Option<&Subject>) {
        *self.forgotten.lock().unwrap() += 1;
    }

    fn home_region(&self) -> &str {
        "us-east-1"
    }
}

impl std::fmt::Debug for FakeBedrock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("FakeBedrock")
    }
}

/// One event in AWS's framing, as a `chunk`.
pub fn chunk(event: &str) -> Bytes {
    use base64::Engine;
    let encoded = base64::engine::general_purpose::STANDARD.encode(event);
    let payload = format!("{{\"bytes\":\"{encoded}\",\"p\":\"abcdef\"}}");
    frame(
        &[
            (":message-type", "event"),
            (":event-type", "chunk"),
            (":content-type", "application/json"),
        ],
        &payload,
    )
}

/// An exception in AWS's framing.
pub fn exception(kind: &str, message: &str) -> Bytes {
    let payload = serde_json::json!({ "message": message }).to_string();
    frame(
        &[(":message-type", "exception"), (":exception-type", kind)],
        &payload,
    )
}

pub fn frame(headers: &[(&str, &str)], payload: &str) -> Bytes {
    let mut head = Vec::new();
    for (name, value) in headers {
        head.push(u8::try_from(name.len()).unwrap());
        head.extend_from_slice(name.as_bytes());
        head.push(7);
        head.extend_from_slice(&u16::try_from(value.len()).unwrap().to_be_bytes());
        head.extend_from_slice(value.as_bytes());
    }
    let total = u32::try_from(16 + head.len() + payload.len()).unwrap();
    let mut bytes = total.to_be_bytes().to_vec();
    bytes.extend_from_slice(&u32::try_from(head.len()).unwrap().to_be_bytes());
    let prelude = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&prelude.to_be_bytes());
    bytes.extend_from_slice(&head);
    bytes.extend_from_slice(payload.as_bytes());
    let all = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&all.to_be_bytes());
    bytes.into()
}

pub const START: &str = r#"{"type":"message_start","message":{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"claude-haiku-4-5-20251001","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":12,"cache_creation_input_tokens":3,"cache_read_input_tokens":4,"output_tokens":1}}}"#;
pub const BLOCK: &str =
    r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
pub const BLOCK_STOP: &str = r#"{"type":"content_block_stop","index":0}"#;
pub const DELTA: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":7}}"#;
pub const STOP: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":12,"outputTokenCount":7,"invocationLatency":5,"firstByteLatency":2,"cacheReadInputTokenCount":4,"cacheWriteInputTokenCount":3}}"#;

pub fn text(words: &str) -> String {
    serde_json::json!({"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":words}})
        .to_string()
}

/// A whole conversation turn.
pub fn hello() -> Vec<String> {
    [START, BLOCK, &text("Hel"), &text("lo ✓"), BLOCK_STOP, DELTA, STOP]
        .map(str::to_owned)
        .to_vec()
}

pub fn whole_message() -> String {
    serde_json::json!({
        "id": "msg_bdrk_02", "type": "message", "role": "assistant", "model": "claude-haiku-4-5-20251001",
        "content": [{"type": "text", "text": "Hello"}], "stop_reason": "end_turn", "stop_sequence": null,
        "usage": {"input_tokens": 12, "output_tokens": 7, "cache_read_input_tokens": 4, "cache_creation_input_tokens": 3}
    })
    .to_string()
}

pub type Fake = Arc<FakeBedrock>;
