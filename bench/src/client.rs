//! A client that reads and checks every answer: each event has to come, in order, with all of the text.

use crate::upstream::pieces;
use anyhow::{Context, Result, bail, ensure};
use bytes::Bytes;
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use http::{HeaderName, HeaderValue, Request, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::Instant;

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shape {
    /// Its name in the results.
    pub name: &'static str,
    /// About how long the prompt is, in bytes.
    pub prompt: usize,
    /// Characters of the answer.
    pub text: usize,
    /// Events with text; 0 for an answer in one piece.
    pub events: usize,
    /// Milliseconds between events.
    pub gap_ms: u64,
}

impl Shape {
    /// The body of the request.
    #[must_use]
    pub fn body(&self, model: &str) -> Bytes {
        const LINE: &str =
            "fn what_stands_in_a_file(of: &str) -> Option<usize> { of.len().checked_sub(1) }\n";
        let file = LINE.repeat(self.prompt / LINE.len());
        let Self {
            text, events, gap_ms, ..
        } = self;
        let prompt = format!("{file}What does it do? [sim: text={text}, events={events}, gap={gap_ms}]");
        let body = json!({
            "model": model,
            "max_tokens": 4096,
            "stream": *events > 0,
            "messages": [{"role": "user", "content": prompt}],
        });
        Bytes::from(body.to_string())
    }
}

/// Who is asked, and how.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in the results.
    pub name: &'static str,
    /// Where it listens.
    pub address: SocketAddr,
    /// The path of the request.
    pub path: String,
    /// The model's name as it knows it.
    pub model: &'static str,
    /// Further headers.
    pub headers: Vec<(HeaderName, HeaderValue)>,
    /// Whether it answers with AWS's frames, which are not looked into.
    pub is_bedrock: bool,
}

/// When what came of an answer.
#[derive(Debug)]
pub struct Answered {
    /// When the first content came: the first delta of a stream, the first part of anything else.
    pub first: Instant,
    /// Between one part and the next.
    pub gaps: Vec<Duration>,
}

/// A connection of its own.
#[derive(Debug)]
pub struct Client {
    target: Target,
    shape: Shape,
    body: Bytes,
    expected: String,
    connection: SendRequest<Full<Bytes>>,
}

impl Client {
    /// Connects.
    ///
    /// # Errors
    /// If nobody is there.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's own client, which ends with it"
    )]
    pub async fn connect(target: &Target, shape: Shape) -> Result<Self> {
        let socket = TcpStream::connect(target.address).await;
        let socket = socket.with_context(|| format!("{} at {}", target.name, target.address))?;
        socket.set_nodelay(true)?;
        let (connection, driver) = handshake(TokioIo::new(socket)).await?;
        tokio::spawn(driver);
        Ok(Self {
            target: target.clone(),
            shape,
            body: shape.body(target.model),
            expected: pieces(shape.text, shape.events).concat(),
            connection,
        })
    }

    /// Expects another text than the shape's.
    pub fn expect(&mut self, text: &str) {
        text.clone_into(&mut self.expected);
    }

    /// Asks, reads the answer to its end, and checks it.
    ///
    /// # Errors
    /// If it is not answered, or not with all that it should be.
    pub async fn ask(&mut self) -> Result<Answered> {
        let mut request = Request::post(&self.target.path)
            .header(header::HOST, self.target.address.to_string())
            .header(header::CONTENT_TYPE, "application/json")
            .header("anthropic-version", "2023-06-01")
            .body(Full::from(self.body.clone()))?;
        request.headers_mut().extend(self.target.headers.iter().cloned());
        self.connection.ready().await?;
        let (head, mut body) = self.connection.send_request(request).await?.into_parts();
        let (mut read, mut first, mut last, mut gaps) = (Vec::new(), None, None, Vec::new());
        let mut seen = Seen::new(&self.target, self.shape);
        while let Some(frame) = body.frame().await {
            let frame = frame.with_context(|| format!("{} broke off", self.target.name))?;
            let Some(data) = frame.data_ref() else { continue };
            read.extend_from_slice(data);
            let now = Instant::now();
            if first.is_none() && seen.has_content(data, &read)? {
                first = Some(now);
            }
            gaps.extend(last.map(|last| now - last));
            last = Some(now);
        }
        if head.status != 200 {
            bail!(
                "{}: {} {}",
                self.target.name,
                head.status,
                String::from_utf8_lossy(&read)
            );
        }
        if !self.target.is_bedrock {
            let text = if self.shape.events > 0 {
                streamed(&read)?
            } else {
                whole(&read)?
            };
            ensure!(
                text == self.expected,
                "{}: another text came: {text}",
                self.target.name
            );
        }
        Ok(Answered {
            first: first.context("an empty answer")?,
            gaps,
        })
    }
}

/// Looks for the first content.
enum Seen {
    /// In whatever comes.
    Anything,
    Frames(FrameReader, Scratch),
    Events,
}

impl Seen {
    fn new(target: &Target, shape: Shape) -> Self {
        match (shape.events, target.is_bedrock) {
            (0, _) => Self::Anything,
            (_, true) => Self::Frames(FrameReader::new(), Scratch::default()),
            (_, false) => Self::Events,
        }
    }

    /// Whether there is some in `data`, the last part of what was read.
    fn has_content(&mut self, data: &[u8], read: &[u8]) -> Result<bool> {
        const DELTA: &[u8] = b"content_block_delta";
        match self {
            Self::Anything => Ok(true),
            Self::Events => {
                let from = read.len().saturating_sub(data.len() + DELTA.len());
                Ok(read[from..].windows(DELTA.len()).any(|part| part == DELTA))
            }
            Self::Frames(reader, scratch) => {
                reader.push(data);
                while let Some(frame) = reader.next()? {
                    if let Message::Chunk(event) = frame.message(scratch)?
                        && event.windows(DELTA.len()).any(|part| part == DELTA)
                    {
                        return Ok(true);
                    }
                }
                Ok(false)
            }
        }
    }
}

#[derive(Deserialize)]
struct Delta<'t> {
    #[serde(borrow)]
    delta: Text<'t>,
}

#[derive(Deserialize)]
struct Text<'t> {
    #[serde(borrow)]
    text: std::borrow::Cow<'t, str>,
}

#[derive(Deserialize)]
struct Whole<'t> {
    #[serde(borrow)]
    content: Vec<Text<'t>>,
}

fn whole(answer: &[u8]) -> Result<String> {
    let message: Whole<'_> = serde_json::from_slice(answer).context("no message")?;
    Ok(message.content.iter().map(|block| &*block.text).collect())
}

/// The text of a stream that is whole.
fn streamed(answer: &[u8]) -> Result<String> {
    let answer = std::str::from_utf8(answer)?;
    let (mut text, mut last) = (String::new(), "");
    for event in answer.split_terminator("\n\n") {
        let (kind, data) = event
            .split_once('\n')
            .with_context(|| format!("no event: {event}"))?;
        last = kind
            .strip_prefix("event: ")
            .with_context(|| format!("no kind: {kind}"))?;
        if last == "content_block_delta" {
            let data = data.strip_prefix("data: ").context("no data")?;
            let delta: Delta<'_> = serde_json::from_str(data).with_context(|| data.to_owned())?;
            text.push_str(&delta.delta.text);
        }
    }
    ensure!(
        last == "message_stop" && answer.ends_with("\n\n"),
        "the stream ended with {last}"
    );
    Ok(text)
}
