//! A stand-in for Bedrock Runtime that costs next to nothing: it has every answer ready. What it says is asked for as of
//! `bedrock-sim`, with `[sim: text=4000, events=50, gap=5]` at the end of the prompt. It looks at no signature; that the proxies
//! sign rightly is shown against `bedrock-sim`.

use bedrock_sim::{Pace, eventstream};
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::time::{Instant, Interval, MissedTickBehavior};

/// How much of the end of a body is looked at for what is asked for, in bytes.
const TAIL: usize = 512;

/// What an answer takes: characters of text, pieces of it.
type Size = (usize, usize);

/// Ready answers.
#[derive(Debug, Default)]
pub struct Upstream {
    ready: Mutex<HashMap<Size, Arc<Ready>>>,
}

/// One answer, whole and in frames.
#[derive(Debug)]
struct Ready {
    whole: Bytes,
    /// Every event as a frame.
    frames: Vec<Bytes>,
    /// All frames in one.
    together: Bytes,
}

/// The text of an answer of so many characters, cut into so many pieces.
#[must_use]
pub fn pieces(text: usize, events: usize) -> Vec<String> {
    const WORDS: &str = "Each of these words is a part of the answer, and all of them have to arrive. ";
    let events = events.clamp(1, text.max(1));
    let letters: Vec<char> = WORDS.chars().cycle().take(text).collect();
    let cut = |n: usize| text * n / events;
    (0..events)
        .map(|n| letters[cut(n)..cut(n + 1)].iter().collect())
        .collect()
}

impl Ready {
    fn new((text, events): Size) -> Self {
        let pieces = pieces(text, events);
        let usage = |output: usize| {
            json!({"input_tokens": 15_000, "cache_creation_input_tokens": 0, "cache_read_input_tokens": 0,
                "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
                "output_tokens": output})
        };
        let message = |content: Value, usage: Value, stop: Value| {
            json!({"type": "message", "id": "msg_bdrk_01", "role": "assistant", "model": "claude-sonnet-4-6",
                "content": content, "stop_reason": stop, "stop_sequence": null, "usage": usage})
        };
        let start = message(json!([]), usage(1), Value::Null);
        let mut all = vec![
            json!({"type": "message_start", "message": start}),
            json!({"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}),
        ];
        all.extend(pieces.iter().map(|piece| {
            json!({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": piece}})
        }));
        all.push(json!({"type": "content_block_stop", "index": 0}));
        all.push(
            json!({"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": null},
            "usage": {"output_tokens": text / 4}}),
        );
        all.push(json!({"type": "message_stop", "amazon-bedrock-invocationMetrics": {
            "inputTokenCount": 15_000, "outputTokenCount": text / 4, "invocationLatency": 900, "firstByteLatency": 300}}));
        let frames: Vec<Bytes> = all
            .iter()
            .map(|event| eventstream::chunk(event.to_string().as_bytes()))
            .collect();
        let mut together = BytesMut::new();
        frames.iter().for_each(|frame| together.extend_from_slice(frame));
        let content = json!([{"type": "text", "text": pieces.concat()}]);
        Self {
            whole: message(content, usage(text / 4), json!("end_turn"))
                .to_string()
                .into(),
            frames,
            together: together.freeze(),
        }
    }
}

type Answer = Response<Either<Full<Bytes>, Paced>>;

impl Upstream {
    /// Serves for ever.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's own server: it is killed, not shut down"
    )]
    pub async fn serve(self, listener: TcpListener) {
        let upstream = Arc::new(self);
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            let _ = socket.set_nodelay(true);
            let upstream = Arc::clone(&upstream);
            tokio::spawn(async move {
                let service = service_fn(|request| upstream.answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        let (head, body) = request.into_parts();
        let is_stream = head.uri.path().ends_with("/invoke-with-response-stream");
        let is_signed = head.headers.contains_key(header::AUTHORIZATION);
        // Read in the pieces in which it comes, of which only the last matter.
        let mut tail = Vec::new();
        let mut body = body;
        while let Some(Ok(frame)) = body.frame().await {
            if let Some(data) = frame.data_ref() {
                tail.extend_from_slice(&data[data.len().saturating_sub(TAIL)..]);
                tail.drain(..tail.len().saturating_sub(TAIL));
            }
        }
        if !is_signed || !tail.ends_with(b"}") {
            let mut refusal = Response::new(Either::Left(Full::from(
                "{\"message\":\"not signed, or not whole\"}",
            )));
            *refusal.status_mut() = StatusCode::FORBIDDEN;
            return Ok(refusal);
        }
        let pace = Pace::from_prompt(&String::from_utf8_lossy(&tail)).unwrap_or_default();
        let size = (pace.text.unwrap_or(200), pace.events.unwrap_or(10));
        let ready = {
            let mut all = self.ready.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(all.entry(size).or_insert_with(|| Arc::new(Ready::new(size))))
        };
        // A timer is as fine as a millisecond, which is more than anybody adds.
        if pace.head_ms > 0 {
            tokio::time::sleep(Duration::from_millis(pace.head_ms)).await;
        }
        let (kind, body) = match (is_stream, pace.gap_ms) {
            (false, _) => ("application/json", Either::Left(Full::from(ready.whole.clone()))),
            (true, 0) => (
                "application/vnd.amazon.eventstream",
                Either::Left(Full::from(ready.together.clone())),
            ),
            (true, gap) => (
                "application/vnd.amazon.eventstream",
                Either::Right(Paced::new(ready, gap)),
            ),
        };
        let mut response = Response::new(body);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
        headers.insert(
            "x-amzn-requestid",
            HeaderValue::from_static("01234567-89ab-cdef-0123-456789abcdef"),
        );
        Ok(response)
    }
}

/// How many events are there when the answer begins: what a model has said by then, its first words among it.
const AT_FIRST: usize = 3;

/// An answer whose events come one after the other, after the first words.
#[derive(Debug)]
pub struct Paced {
    ready: Arc<Ready>,
    next: usize,
    tick: Interval,
}

impl Paced {
    fn new(ready: Arc<Ready>, gap_ms: u64) -> Self {
        let gap = Duration::from_millis(gap_ms);
        let mut tick = tokio::time::interval_at(Instant::now() + gap, gap);
        tick.set_missed_tick_behavior(MissedTickBehavior::Burst);
        Self { ready, next: 0, tick }
    }
}

impl Body for Paced {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        let Some(frame) = this.ready.frames.get(this.next) else {
            return Poll::Ready(None);
        };
        if this.next >= AT_FIRST {
            ready!(this.tick.poll_tick(cx));
        }
        this.next += 1;
        Poll::Ready(Some(Ok(Frame::data(frame.clone()))))
    }
}
