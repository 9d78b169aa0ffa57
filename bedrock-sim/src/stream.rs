//! An answer as a stream: which frames, when, and how it ends.

use crate::Shared;
use crate::account::{Ending, Usage};
use crate::admission::Reserved;
use crate::eventstream;
use crate::guardrail::Outcome;
use crate::reply::{Block, Reply};
use crate::script::{Action, Pace};
use crate::surface::{Framing, envelope};
use bytes::Bytes;
use futures_util::Stream;
use serde_json::{Value, json};
use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::time::Sleep;

/// One step of sending an answer.
enum Step {
    Frame {
        bytes: Bytes,
        /// Output tokens and content bytes that the client has once it has this frame.
        tokens: u64,
        content: u64,
    },
    Wait(Duration),
    /// The connection breaks.
    Break,
}

/// The events of an answer, each with the output tokens and content bytes that it brings.
pub(crate) struct Events(Vec<(Value, u64, u64)>);

impl Events {
    /// The events of a planned reply.
    pub(crate) fn of(
        reply: &Reply,
        id: &str,
        model: &str,
        usage: &Usage,
        framing: &Framing,
        guarded: Option<&Outcome>,
    ) -> Self {
        let mut events = vec![(message_start(id, model, usage), 0, 0)];
        for (index, block) in reply.blocks.iter().enumerate() {
            push_block(&mut events, index, block);
        }
        let cache_written = usage.cache_write_5m + usage.cache_write_1h;
        events.push((
            json!({"type": "message_delta", "delta": {"stop_reason": reply.stop_reason, "stop_sequence": null},
                "usage": {"output_tokens": usage.output}}),
            0,
            0,
        ));
        let mut stop = json!({"type": "message_stop"});
        if matches!(framing, Framing::EventStream) {
            stop["amazon-bedrock-invocationMetrics"] = json!({
                "inputTokenCount": usage.input, "outputTokenCount": usage.output, "invocationLatency": 900,
                "firstByteLatency": 300, "cacheReadInputTokenCount": usage.cache_read,
                "cacheWriteInputTokenCount": cache_written});
        }
        for (key, value) in guarded.map(Outcome::keys).unwrap_or_default() {
            stop[key] = value;
        }
        events.push((stop, 0, 0));
        Self(events)
    }

    /// Events that a script wants sent as they are.
    pub(crate) fn scripted(events: &[Value]) -> Self {
        Self(events.iter().map(|e| (e.clone(), 0, 0)).collect())
    }
}

fn message_start(id: &str, model: &str, usage: &Usage) -> Value {
    json!({"type": "message_start", "message": {
        "id": id, "type": "message", "role": "assistant", "model": model, "content": [],
        "stop_reason": null, "stop_sequence": null, "usage": usage_json(usage, 1)}})
}

/// `usage` as Bedrock shows it.
pub(crate) fn usage_json(usage: &Usage, output: u64) -> Value {
    json!({
        "input_tokens": usage.input,
        "cache_creation_input_tokens": usage.cache_write_5m + usage.cache_write_1h,
        "cache_read_input_tokens": usage.cache_read,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.cache_write_5m,
            "ephemeral_1h_input_tokens": usage.cache_write_1h},
        "output_tokens": output})
}

fn push_block(events: &mut Vec<(Value, u64, u64)>, index: usize, block: &Block) {
    let start = |shown: Value| json!({"type": "content_block_start", "index": index, "content_block": shown});
    let delta = |shown: Value| json!({"type": "content_block_delta", "index": index, "delta": shown});
    let before = events.len();
    match block {
        Block::Thinking { text, signature } => {
            events.push((
                start(json!({"type": "thinking", "thinking": "", "signature": ""})),
                0,
                0,
            ));
            for piece in pieces(text, 2) {
                let size = piece.len() as u64;
                events.push((
                    delta(json!({"type": "thinking_delta", "thinking": piece})),
                    0,
                    size,
                ));
            }
            events.push((
                delta(json!({"type": "signature_delta", "signature": signature})),
                0,
                0,
            ));
        }
        Block::Text { text, pieces: count } => {
            events.push((start(json!({"type": "text", "text": ""})), 0, 0));
            for piece in pieces(text, *count) {
                let size = piece.len() as u64;
                events.push((delta(json!({"type": "text_delta", "text": piece})), 0, size));
            }
        }
        Block::Cited { text, citation } => {
            events.push((start(json!({"type": "text", "text": "", "citations": []})), 0, 0));
            events.push((
                delta(json!({"type": "citations_delta", "citation": citation})),
                0,
                0,
            ));
            let size = text.len() as u64;
            events.push((delta(json!({"type": "text_delta", "text": text})), 0, size));
        }
        Block::ToolUse { id, name, input } => {
            events.push((
                start(json!({"type": "tool_use", "id": id, "name": name, "input": {}})),
                0,
                0,
            ));
            events.push((
                delta(json!({"type": "input_json_delta", "partial_json": ""})),
                0,
                0,
            ));
            for piece in pieces(input, 3) {
                let size = piece.len() as u64;
                events.push((
                    delta(json!({"type": "input_json_delta", "partial_json": piece})),
                    0,
                    size,
                ));
            }
        }
    }
    // The block's tokens are shared out over its deltas, the rest going to the last.
    let total = block.tokens();
    let deltas = (events.len() - before - 1) as u64;
    let each = total / deltas.max(1);
    for event in &mut events[before + 1..] {
        event.1 = each;
    }
    if let Some(last) = events.last_mut() {
        last.1 += total - each * deltas;
    }
    events.push((json!({"type": "content_block_stop", "index": index}), 0, 0));
}

/// Splits a text into about `count` pieces at character boundaries.
fn pieces(text: &str, count: usize) -> Vec<String> {
    let chars: Vec<char> = text.chars().collect();
    let size = chars.len().div_ceil(count.max(1)).max(1);
    chars.chunks(size).map(|chunk| chunk.iter().collect()).collect()
}

impl Framing {
    fn event(&self, event: &Value) -> Bytes {
        match self {
            Self::EventStream => eventstream::chunk(event.to_string().as_bytes()),
            Self::Sse(_) => sse(event["type"].as_str().unwrap_or_default(), &event.to_string()),
        }
    }

    fn exception(&self, error_type: &str, message: &str, original_status: Option<u16>) -> Bytes {
        match self {
            Self::EventStream => {
                let mut body = json!({"message": message});
                if let Some(status) = original_status {
                    body["originalStatusCode"] = json!(status);
                    body["originalMessage"] = json!(message);
                }
                eventstream::exception(error_type, &body)
            }
            Self::Sse(request_id) => sse("error", &envelope(error_type, message, request_id)),
        }
    }

    fn error(&self, code: &str, message: &str) -> Bytes {
        match self {
            Self::EventStream => eventstream::error(code, message),
            Self::Sse(request_id) => sse("error", &envelope(code, message, request_id)),
        }
    }

    fn spoilt(&self, bytes: &Bytes) -> Bytes {
        match self {
            Self::EventStream => eventstream::spoil(bytes),
            Self::Sse(_) => sse("content_block_delta", "{\"type\":\"content_block_"),
        }
    }

    fn unknown(&self) -> Bytes {
        match self {
            Self::EventStream => {
                let headers = [(":event-type", "novelty"), (":message-type", "event")];
                eventstream::frame(&headers, b"{}")
            }
            Self::Sse(_) => sse("novelty", "{\"type\":\"novelty\"}"),
        }
    }
}

fn sse(kind: &str, json: &str) -> Bytes {
    Bytes::from(format!("event: {kind}\ndata: {json}\n\n"))
}

/// Turns events into steps, with what the script wants done on the way.
fn steps(events: Events, pace: Pace, action: Option<&Action>, framing: &Framing) -> VecDeque<Step> {
    let mut steps = VecDeque::new();
    let wait = |ms: u64| Step::Wait(Duration::from_millis(ms));
    if pace.first_ms > 0 {
        steps.push_back(wait(pace.first_ms));
    }
    let plain = |bytes: Bytes| Step::Frame {
        bytes,
        tokens: 0,
        content: 0,
    };
    let count = events.0.len();
    for (i, (event, tokens, content)) in events.0.into_iter().enumerate() {
        let bytes = framing.event(&event);
        match action {
            Some(Action::Exception {
                after,
                error_type,
                message,
                original_status,
            }) if *after == i => {
                steps.push_back(plain(framing.exception(error_type, message, *original_status)));
                return steps;
            }
            Some(Action::ErrorMessage { after, code, message }) if *after == i => {
                steps.push_back(plain(framing.error(code, message)));
                return steps;
            }
            Some(Action::Cut { after, half_frame }) if *after == i => {
                if *half_frame {
                    steps.push_back(plain(bytes.slice(..bytes.len() / 2)));
                }
                // What was sent so far goes out before the connection breaks.
                steps.push_back(wait(20));
                steps.push_back(Step::Break);
                return steps;
            }
            Some(Action::BadChecksum { after }) if *after == i => {
                steps.push_back(plain(framing.spoilt(&bytes)));
                return steps;
            }
            Some(Action::End { after }) if *after == i => return steps,
            Some(Action::NoMessageStop) if i + 1 == count => return steps,
            Some(Action::Silence {
                after: Some(after),
                ms,
            }) if *after == i => steps.push_back(wait(*ms)),
            Some(Action::UnknownEvent { after }) if *after == i => {
                steps.push_back(plain(framing.unknown()));
            }
            _ => {}
        }
        if pace.gap_ms > 0 && i > 0 {
            steps.push_back(wait(pace.gap_ms));
        }
        steps.push_back(Step::Frame {
            bytes,
            tokens,
            content,
        });
    }
    steps
}

/// The body of a streaming response. It writes into the account how far it came and how it ended; being dropped before its
/// end means that the client went away.
pub(crate) struct Body {
    steps: VecDeque<Step>,
    sleep: Option<Pin<Box<Sleep>>>,
    shared: Arc<Shared>,
    place: usize,
    request_id: String,
    frames: u64,
    tokens: u64,
    content: u64,
    ending: Ending,
    /// What is set aside of the account's quota, and what the whole answer uses.
    held: Option<(Reserved, Usage)>,
}

impl Body {
    pub(crate) fn new(
        shared: Arc<Shared>,
        place: usize,
        request_id: String,
        events: Events,
        (pace, framing): (Pace, &Framing),
        action: Option<&Action>,
    ) -> Self {
        let ending = match action {
            Some(
                Action::Exception { .. }
                | Action::ErrorMessage { .. }
                | Action::Cut { .. }
                | Action::BadChecksum { .. }
                | Action::End { .. },
            ) => Ending::Cut,
            _ => Ending::Completed,
        };
        Self {
            steps: steps(events, pace, action, framing),
            sleep: None,
            shared,
            place,
            request_id,
            frames: 0,
            tokens: 0,
            content: 0,
            ending,
            held: None,
        }
    }

    /// It holds a part of a quota until its end.
    pub(crate) fn holding(mut self, reserved: Reserved, usage: Usage) -> Self {
        self.held = Some((reserved, usage));
        self
    }

    fn close(&mut self, ending: Ending) {
        let (frames, tokens, content) = (self.frames, self.tokens, self.content);
        if let Some((reserved, usage)) = self.held.take() {
            reserved.settle(&usage, tokens);
        }
        self.shared.books.change(self.place, &self.request_id, |entry| {
            if entry.ending == Ending::Open {
                entry.ending = ending;
                entry.frames_sent = frames;
                entry.output_sent = tokens;
                entry.content_bytes_sent = content;
                entry.ended_at_ms = Some(crate::sys::now_ms());
            }
        });
    }
}

impl Stream for Body {
    type Item = Result<Bytes, std::io::Error>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        loop {
            if let Some(sleep) = self.sleep.as_mut() {
                match sleep.as_mut().poll(cx) {
                    Poll::Pending => return Poll::Pending,
                    Poll::Ready(()) => self.sleep = None,
                }
            }
            match self.steps.pop_front() {
                Some(Step::Frame {
                    bytes,
                    tokens,
                    content,
                }) => {
                    self.frames += 1;
                    self.tokens += tokens;
                    self.content += content;
                    return Poll::Ready(Some(Ok(bytes)));
                }
                Some(Step::Wait(duration)) => self.sleep = Some(Box::pin(tokio::time::sleep(duration))),
                Some(Step::Break) => {
                    self.close(Ending::Cut);
                    return Poll::Ready(Some(Err(std::io::Error::other("broken off by the script"))));
                }
                None => {
                    let ending = self.ending;
                    self.close(ending);
                    return Poll::Ready(None);
                }
            }
        }
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.close(Ending::Cancelled);
    }
}
