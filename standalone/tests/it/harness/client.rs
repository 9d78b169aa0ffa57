//! A client of the Messages API that trusts nothing: it keeps every byte and checks the order of events.

use futures_util::StreamExt;
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// A plain request.
pub(crate) fn message(model: &str, prompt: &str) -> Value {
    json!({
        "model": model,
        "max_tokens": 4096,
        "messages": [{"role": "user", "content": prompt}],
    })
}

#[derive(Clone)]
pub(crate) struct Client {
    http: reqwest::Client,
    base: String,
    key: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) request_id: String,
    /// The whole body, for JSON answers.
    pub(crate) body: Value,
    /// The content blocks, for streams put together from their deltas.
    pub(crate) content: Vec<Value>,
    /// Anthropic's `usage`: the last word on it.
    pub(crate) usage: Value,
    /// The names of the events in order, for streams.
    pub(crate) events: Vec<String>,
    /// When each of them came, counted from the start of the request.
    pub(crate) times: Vec<Duration>,
}

impl Reply {
    /// Whether the whole answer arrived.
    pub(crate) fn is_complete(&self) -> bool {
        self.status == 200 && self.events.last().is_none_or(|last| last == "message_stop")
    }

    /// All text of the answer.
    pub(crate) fn text(&self) -> String {
        self.content
            .iter()
            .filter_map(|block| block["text"].as_str())
            .collect()
    }

    pub(crate) fn error_type(&self) -> &str {
        self.body["error"]["type"].as_str().unwrap_or_default()
    }
}

impl Client {
    pub(crate) fn new(base: &str, key: &str) -> Self {
        Self::over(reqwest::Client::builder().no_proxy().build().unwrap(), base, key)
    }

    /// One that never uses a connection twice, as many short-lived clients do together.
    pub(crate) fn without_pool(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().pool_max_idle_per_host(0);
        Self::over(http.build().unwrap(), base, key)
    }

    /// One that speaks HTTP/2 without asking, as proxies do.
    pub(crate) fn http2(base: &str, key: &str) -> Self {
        let http = reqwest::Client::builder().no_proxy().http2_prior_knowledge();
        Self::over(http.build().unwrap(), base, key)
    }

    fn over(http: reqwest::Client, base: &str, key: &str) -> Self {
        Self {
            http,
            base: base.to_owned(),
            key: key.to_owned(),
        }
    }

    /// A request to the Messages API, not sent yet.
    pub(crate) fn request(&self) -> reqwest::RequestBuilder {
        self.http
            .post(format!("{}/v1/messages?beta=true", self.base))
            .header("x-api-key", &self.key)
            .header("anthropic-version", "2023-06-01")
            .header("content-type", "application/json")
    }

    /// Sends a body as it is.
    pub(crate) async fn raw(&self, body: impl Into<reqwest::Body>) -> Reply {
        let started = Instant::now();
        let response = self
            .request()
            .body(body)
            .send()
            .await
            .expect("the gateway answers");
        read(response, started).await.expect("the answer is whole")
    }

    /// Sends a request and waits for the whole answer.
    pub(crate) async fn send(&self, body: &Value) -> Reply {
        self.raw(body.to_string()).await
    }

    /// Sends a prompt as a stream.
    pub(crate) async fn stream(&self, model: &str, prompt: &str) -> Reply {
        self.try_stream(model, prompt)
            .await
            .expect("the stream arrives whole")
    }

    /// As [`Client::stream`], for times when the gateway may be killed.
    pub(crate) async fn try_stream(&self, model: &str, prompt: &str) -> Result<Reply, reqwest::Error> {
        let mut body = message(model, prompt);
        body["stream"] = json!(true);
        let started = Instant::now();
        let response = self.request().body(body.to_string()).send().await?;
        read(response, started).await
    }
}

async fn read(response: reqwest::Response, started: Instant) -> Result<Reply, reqwest::Error> {
    let header = |name: &str| {
        let value = response.headers().get(name);
        value.map(|v| v.to_str().unwrap().to_owned()).unwrap_or_default()
    };
    let mut reply = Reply {
        status: response.status().as_u16(),
        request_id: header("request-id"),
        body: Value::Null,
        content: Vec::new(),
        usage: Value::Null,
        events: Vec::new(),
        times: Vec::new(),
    };
    if !header("content-type").starts_with("text/event-stream") {
        let bytes = response.bytes().await?;
        reply.body = serde_json::from_slice(&bytes)
            .unwrap_or_else(|_| panic!("not JSON: {}", String::from_utf8_lossy(&bytes)));
        reply.content = reply.body["content"].as_array().cloned().unwrap_or_default();
        reply.usage = reply.body["usage"].clone();
        return Ok(reply);
    }
    let mut pending = Vec::new();
    let mut inputs: Vec<String> = Vec::new();
    let mut chunks = response.bytes_stream();
    while let Some(chunk) = chunks.next().await {
        pending.extend_from_slice(&chunk?);
        while let Some(end) = find(&pending, b"\n\n") {
            let event: Vec<u8> = pending.drain(..end + 2).collect();
            let event = String::from_utf8(event).expect("an event is whole UTF-8");
            reply.times.push(started.elapsed());
            take(&mut reply, &mut inputs, &event);
        }
    }
    Ok(reply)
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}

/// Puts one event into the answer.
fn take(reply: &mut Reply, inputs: &mut Vec<String>, event: &str) {
    let line = |name: &str| {
        event
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .map(str::trim)
    };
    let name = line("event:").expect("an event has a name").to_owned();
    let data: Value = serde_json::from_str(line("data:").expect("an event has data")).expect("data is JSON");
    assert_eq!(data["type"], name.as_str(), "name and type agree");
    let index = usize::try_from(data["index"].as_u64().unwrap_or_default()).unwrap();
    match name.as_str() {
        "message_start" => {
            reply.body = data["message"].clone();
            reply.usage = data["message"]["usage"].clone();
        }
        "content_block_start" => {
            assert_eq!(index, reply.content.len(), "blocks come in order");
            reply.content.push(data["content_block"].clone());
            inputs.push(String::new());
        }
        "content_block_delta" => {
            let delta = data["delta"].as_object().unwrap();
            for (field, part) in delta {
                match field.as_str() {
                    "partial_json" => inputs[index].push_str(part.as_str().unwrap()),
                    "text" | "thinking" | "signature" => append(&mut reply.content[index][field], part),
                    _ => {}
                }
            }
        }
        "content_block_stop" if !inputs[index].is_empty() => {
            reply.content[index]["input"] =
                serde_json::from_str(&inputs[index]).expect("a tool's input is JSON");
        }
        "message_delta" => {
            for (field, value) in data["usage"].as_object().into_iter().flatten() {
                reply.usage[field] = value.clone();
            }
            reply.body["stop_reason"] = data["delta"]["stop_reason"].clone();
        }
        "error" => reply.body = data,
        _ => {}
    }
    reply.events.push(name);
}

fn append(text: &mut Value, part: &Value) {
    let joined = format!(
        "{}{}",
        text.as_str().unwrap_or_default(),
        part.as_str().unwrap_or_default()
    );
    *text = Value::String(joined);
}
