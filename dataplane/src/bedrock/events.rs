//! From Bedrock's bytes to steps of a stream: framing and translation come from `ccag-translate`, this drives them.

use super::attempt::Bedrock;
use super::health::Served;
use super::job::Job;
use crate::metrics::Metrics;
use crate::profiles::Learning;
use ccag_domain::routing::Candidate;
use ccag_domain::{Lane, RequestId, Tokens, ToolCounts};
use ccag_translate::error::{Failure, Health, UpstreamError, classify};
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use ccag_translate::stream::{EndReason, Fed, Finish, Phase, SseReader, StreamOptions, StreamTranslator};
use std::sync::Arc;

/// What came of the bytes that were fed.
#[derive(Debug)]
pub(crate) enum Step {
    /// An event without content: `message_start`, or a ping. Another endpoint could still answer instead.
    Opening,
    /// An event after content has begun.
    Content,
    /// `message_stop`: the message is whole.
    Last,
    /// There will be no more events.
    Ended(EndReason),
}

/// How a lane frames its events.
enum Reader {
    /// AWS's binary event stream.
    Frames(FrameReader),
    /// Server-sent events.
    Sse(SseReader),
}

/// One stream of events.
pub(crate) struct Events {
    reader: Reader,
    translator: StreamTranslator,
    scratch: Scratch,
    model: String,
    ended: bool,
    metrics: Arc<Metrics>,
    learning: Arc<Learning>,
    /// By whom.
    served: Served,
}

impl Drop for Events {
    /// However the stream ended, what was noticed in it is counted.
    fn drop(&mut self) {
        let noticed = &self.translator.observed().noticed;
        self.learning
            .noticed(&self.metrics, &noticed.dropped, &noticed.passed);
    }
}

impl Events {
    pub(crate) fn new(bedrock: &Bedrock, job: &Job, candidate: &Candidate, request_id: &RequestId) -> Self {
        let options = StreamOptions {
            model: job.model_said.clone(),
            writes_1h: job.writes_1h,
            request_id: Some(request_id.to_string()),
            rules: job.rules().profile().answer.clone(),
        };
        Self {
            reader: match candidate.lane {
                Lane::InvokeModel => Reader::Frames(FrameReader::new()),
                Lane::Messages | Lane::Mantle => Reader::Sse(SseReader::new()),
            },
            translator: StreamTranslator::new(options),
            scratch: Scratch::default(),
            model: job.model_said.clone(),
            ended: false,
            metrics: Arc::clone(&bedrock.metrics),
            learning: Arc::clone(&bedrock.learning),
            served: Served::new(&bedrock.health, candidate),
        }
    }

    /// Why the model has stopped, once it has.
    pub(crate) fn stop_reason(&self) -> Option<&str> {
        self.translator.observed().stop_reason.as_deref()
    }

    /// Takes in bytes.
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        match &mut self.reader {
            Reader::Frames(reader) => reader.push(bytes),
            Reader::Sse(reader) => reader.push(bytes),
        }
    }

    /// There are no more bytes.
    pub(crate) fn end(&mut self) {
        self.ended = true;
    }

    /// The next step; what the client gets of it is appended to `out`. `None`: more bytes are needed.
    pub(crate) fn next(&mut self, out: &mut Vec<u8>) -> Option<Step> {
        loop {
            let reader = match &mut self.reader {
                Reader::Sse(_) => return self.next_sse(out),
                Reader::Frames(reader) => reader,
            };
            let next = match reader.next() {
                Ok(next) => next,
                Err(error) => return Some(Step::Ended(damaged(&error))),
            };
            let Some(frame) = next else {
                let is_cut = reader.is_mid_frame();
                return self.ended.then(|| no_more(is_cut));
            };
            let (kind, message, original_status) = match frame.message(&mut self.scratch) {
                Ok(Message::Chunk(json)) => match self.translator.feed(json, out) {
                    Ok(Fed::Passed) => return Some(self.step()),
                    Ok(Fed::Error(error)) => return Some(Step::Ended(EndReason::Error(error))),
                    Err(error) => return Some(Step::Ended(damaged(&error))),
                },
                Ok(Message::Exception {
                    kind,
                    message,
                    original_status,
                }) => (kind, message, original_status),
                Ok(Message::Error { code, message }) => (code, message, None),
                Ok(Message::Unknown { kind }) => {
                    tracing::warn!(
                        kind = kind.chars().take(64).collect::<String>(),
                        "passed over an unknown frame"
                    );
                    continue;
                }
                Err(error) => return Some(Step::Ended(damaged(&error))),
            };
            return Some(Step::Ended(EndReason::Error(Box::new(self.exception(
                &kind,
                &message,
                original_status,
            )))));
        }
    }

    /// The same where the events come as text.
    fn next_sse(&mut self, out: &mut Vec<u8>) -> Option<Step> {
        let Reader::Sse(reader) = &mut self.reader else {
            return None;
        };
        match reader.next() {
            Ok(Some(data)) => Some(match self.translator.feed(data, out) {
                Ok(Fed::Passed) => self.step(),
                Ok(Fed::Error(error)) => Step::Ended(EndReason::Error(error)),
                Err(error) => Step::Ended(damaged(&error)),
            }),
            Ok(None) => {
                let is_cut = reader.is_mid_event();
                self.ended.then(|| no_more(is_cut))
            }
            Err(error) => Some(Step::Ended(damaged(&error))),
        }
    }

    /// Whether Bedrock's own guardrail has stepped in, as far as it has said so.
    pub(crate) fn guardrail_intervened(&self) -> bool {
        self.translator.observed().guardrail_intervened
    }

    fn step(&self) -> Step {
        match self.translator.phase() {
            Phase::BeforeContent => Step::Opening,
            Phase::Content | Phase::Stopping => Step::Content,
            Phase::Stopped => {
                self.served.whole();
                Step::Last
            }
        }
    }

    fn exception(&self, kind: &str, message: &str, original_status: Option<u16>) -> UpstreamError {
        classify(&Failure {
            kind,
            message,
            original_status,
            model: &self.model,
            ..Failure::default()
        })
    }

    /// Ends the stream for the client; true if it got a whole message. What broke off counts against whoever served it.
    pub(crate) fn finish(&mut self, reason: &EndReason, out: &mut Vec<u8>) -> bool {
        let is_whole = self.translator.finish(reason, out) == Finish::Complete;
        match reason {
            _ if is_whole => self.served.whole(),
            EndReason::Error(error) => self.served.broke(error.health),
            EndReason::Cut | EndReason::Clean => self.served.broke(Health::Unavailable),
        }
        is_whole
    }

    /// Which tools were called so far.
    pub(crate) fn tools(&self) -> &ToolCounts {
        &self.translator.observed().tools
    }

    /// What was used so far, and whether that is an estimate.
    pub(crate) fn tokens(&self) -> (Tokens, bool) {
        self.translator.tokens()
    }
}

/// The bytes are at an end.
fn no_more(is_cut: bool) -> Step {
    Step::Ended(if is_cut { EndReason::Cut } else { EndReason::Clean })
}

/// A stream that cannot be read on is as good as cut.
fn damaged(error: &dyn std::error::Error) -> EndReason {
    tracing::warn!(%error, "Bedrock's stream cannot be read");
    EndReason::Cut
}
