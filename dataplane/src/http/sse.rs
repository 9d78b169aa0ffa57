//! The answer as server-sent events: each of Bedrock's events goes out as it arrives.
//!
//! The body is driven by the connection that it is written to: there is no task and no queue behind it, a slow client slows
//! Bedrock down, and a client that goes away drops the body and with it the connection to Bedrock.

use super::Gateway;
use super::messages::{InFlight, not_recorded};
use crate::bedrock::UpstreamBody;
use crate::bedrock::attempt::{Opened, describe};
use crate::bedrock::events::{Events, Step};
use crate::bedrock::fault::{own_end, silent_end};
use crate::metrics::Metrics;
use crate::usage::{Ending, NotSpooled, Pending, Ticket, wait};
use bytes::Bytes;
use ccag_daemon::Lifecycle;
use ccag_domain::{Code, Lane, Outcome, Problem, RequestId};
use ccag_translate::stream::{EndReason, PING, error_event};
use futures_util::future::BoxFuture;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use http_body::{Body, Frame};
use http_body_util::BodyExt;
use std::convert::Infallible;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::time::{Instant, Sleep};

/// How long the rest of an upstream body, which holds nothing more for the client, may take: read to its end, the
/// connection can be used again.
const REST: Duration = Duration::from_secs(2);

/// How often it is said what an answer has cost up to now.
const TELL_USED: Duration = Duration::from_millis(40);

/// The headers of every stream.
pub(super) fn set_headers(headers: &mut HeaderMap) {
    headers.insert(
        header::CONTENT_TYPE,
        HeaderValue::from_static("text/event-stream; charset=utf-8"),
    );
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    headers.insert(
        HeaderName::from_static("x-accel-buffering"),
        HeaderValue::from_static("no"),
    );
}

enum State {
    /// Events go through.
    Flowing,
    /// The stream has ended; its last event waits for the record.
    Recording {
        recorded: BoxFuture<'static, Result<(), NotSpooled>>,
        held: Bytes,
    },
    Done,
}

/// A response body of server-sent events.
pub(super) struct StreamBody {
    upstream: Option<UpstreamBody>,
    events: Events,
    /// What goes out next.
    out: Vec<u8>,
    state: State,
    /// Taken when the record is made.
    ticket: Option<Ticket>,
    request_id: RequestId,
    ping: Duration,
    idle: Duration,
    /// When Bedrock last sent something.
    heard: Instant,
    /// When the client last got something.
    sent: Instant,
    /// When it was last said what the answer costs.
    told: Instant,
    timer: Pin<Box<Sleep>>,
    forced: BoxFuture<'static, ()>,
    metrics: Arc<Metrics>,
    life: Lifecycle,
    _in_flight: InFlight,
}

impl StreamBody {
    pub(super) fn new(gateway: &Gateway, opened: Opened, in_flight: InFlight) -> Self {
        let Opened {
            events,
            upstream,
            out,
            last,
            silent,
            ticket,
            ..
        } = opened;
        let now = Instant::now();
        let force = gateway.life.force();
        let mut body = Self {
            upstream: Some(upstream),
            events,
            out,
            state: State::Flowing,
            request_id: ticket.request_id().clone(),
            ticket: Some(ticket),
            ping: gateway.ping,
            idle: gateway.idle,
            heard: now,
            sent: now,
            told: now,
            timer: Box::pin(tokio::time::sleep(gateway.ping)),
            forced: Box::pin(async move { force.cancelled().await }),
            metrics: Arc::clone(&gateway.metrics),
            life: gateway.life.clone(),
            _in_flight: in_flight,
        };
        if silent {
            body.say_ping();
        }
        // The opening event and the first content are in `out`; of a stream without content, its end.
        body.take_step(last, 0);
        body.decode();
        body
    }

    /// Turns what was read into events, until more has to be read or the stream has ended.
    fn decode(&mut self) {
        while matches!(self.state, State::Flowing) {
            let mark = self.out.len();
            match self.events.next(&mut self.out) {
                Some(step) => self.take_step(step, mark),
                None => return,
            }
        }
    }

    /// `mark` is where in `out` the step's own event begins.
    fn take_step(&mut self, step: Step, mark: usize) {
        match step {
            Step::Opening => {}
            Step::Content => {
                if let Some(ticket) = &mut self.ticket {
                    ticket.first_token();
                }
            }
            Step::Last => {
                if self.events.guardrail_intervened() {
                    self.metrics.guardrail("output", Lane::InvokeModel);
                }
                self.record(Outcome::Completed, None, mark);
            }
            Step::Ended(reason) => self.end(&reason),
        }
    }

    /// Says from time to time what the answer has cost up to now, where a budget wants to know.
    fn tell_used(&mut self) {
        if self.heard < self.told + TELL_USED {
            return;
        }
        if let Some(ticket) = self.ticket.as_mut().filter(|ticket| ticket.is_budgeted()) {
            self.told = self.heard;
            let (mut tokens, _) = self.events.tokens();
            if tokens.prompt() == 0 {
                tokens.input = ticket.input_estimate();
            }
            ticket.used(tokens);
        }
    }

    /// Ends the stream: with an error event where the answer is not whole, so that no client takes a part for the whole.
    fn end(&mut self, reason: &EndReason) {
        let mark = self.out.len();
        let is_whole = self.events.finish(reason, &mut self.out);
        // Nothing more is wanted from Bedrock.
        self.upstream = None;
        if is_whole {
            return self.record(Outcome::Completed, None, mark);
        }
        let kind = match reason {
            EndReason::Error(error) => error.kind.as_str(),
            EndReason::Cut | EndReason::Clean => "StreamCut",
        };
        tracing::warn!(request_id = %self.request_id, error = kind, "a stream broke off");
        self.metrics.upstream_error(kind);
        self.record(Outcome::Cut, Some(kind.to_owned()), mark);
    }

    /// Spools the record; what `out` holds from `mark` on goes out when it is safe.
    fn record(&mut self, outcome: Outcome, error: Option<String>, mark: usize) {
        let ending = self.ending(outcome, error);
        let Some(mut ticket) = self.ticket.take() else {
            return;
        };
        ticket.called(self.events.tools());
        ticket.stopped(self.events.stop_reason());
        self.state = match ticket.finish(ending) {
            None | Some(Pending::Written(_)) => State::Done,
            Some(pending) => State::Recording {
                recorded: Box::pin(wait(pending)),
                held: self.out.split_off(mark).into(),
            },
        };
    }

    fn ending(&self, outcome: Outcome, error: Option<String>) -> Ending {
        let (mut tokens, mut estimated) = self.events.tokens();
        if tokens.prompt() == 0
            && let Some(ticket) = &self.ticket
        {
            // Bedrock has not even said how long the prompt is.
            tokens.input = ticket.input_estimate();
            estimated = true;
        }
        Ending {
            outcome,
            status: 200,
            error,
            tokens,
            estimated,
        }
    }

    /// Reads from Bedrock; `Pending` when there is nothing at the moment.
    fn poll_upstream(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(upstream) = &mut self.upstream else {
            return Poll::Pending;
        };
        match ready!(Pin::new(upstream).poll_frame(cx)) {
            Some(Ok(frame)) => {
                self.heard = Instant::now();
                if let Ok(data) = frame.into_data()
                    && matches!(self.state, State::Flowing)
                {
                    self.events.feed(&data);
                    // What the client gets is not longer than what came, but for a few bytes.
                    self.out.reserve(data.len());
                    self.decode();
                    self.tell_used();
                }
            }
            Some(Err(error)) => {
                self.upstream = None;
                if matches!(self.state, State::Flowing) {
                    tracing::debug!(request_id = %self.request_id, detail = describe(error.as_ref()), "cut");
                    self.end(&EndReason::Cut);
                }
            }
            None => {
                self.upstream = None;
                if matches!(self.state, State::Flowing) {
                    self.events.end();
                    self.decode();
                }
            }
        }
        Poll::Ready(())
    }

    /// Pings a client that would otherwise hear nothing, and gives up on a silent Bedrock.
    fn poll_silence(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        ready!(self.timer.as_mut().poll(cx));
        let now = Instant::now();
        if now >= self.heard + self.idle {
            self.end(&silent_end(self.idle));
        } else if now >= self.sent + self.ping {
            self.say_ping();
        }
        let next = (self.sent + self.ping)
            .max(now + Duration::from_millis(1))
            .min(self.heard + self.idle);
        self.timer.as_mut().reset(next);
        Poll::Ready(())
    }

    fn say_ping(&mut self) {
        self.metrics.pings.inc();
        self.out.extend_from_slice(PING);
        self.sent = Instant::now();
    }

    /// Lets the connection be used again: what is left of Bedrock's answer is read to its end, which mostly is here already.
    fn release(&mut self, cx: &mut Context<'_>) {
        while self.upstream.is_some() {
            if self.poll_upstream(cx).is_pending() {
                break;
            }
        }
        let Some(mut rest) = self.upstream.take() else {
            return;
        };
        self.life.spawn("end of an answer", async move {
            let read = async { while let Some(Ok(_)) = rest.frame().await {} };
            let _ = tokio::time::timeout(REST, read).await;
        });
    }
}

impl Body for StreamBody {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        let this = self.get_mut();
        loop {
            if !this.out.is_empty() {
                this.sent = Instant::now();
                // The buffer goes with its content: while Bedrock is silent the stream holds none.
                let bytes = std::mem::take(&mut this.out);
                return Poll::Ready(Some(Ok(Frame::data(bytes.into()))));
            }
            match &mut this.state {
                State::Done => {
                    this.release(cx);
                    return Poll::Ready(None);
                }
                State::Recording { recorded, held } => {
                    let last = match recorded.as_mut().poll(cx) {
                        Poll::Ready(Ok(())) => std::mem::take(held),
                        Poll::Ready(Err(NotSpooled)) => {
                            tracing::error!(request_id = %this.request_id, "the usage record could not be spooled in time");
                            let mut event = Vec::new();
                            error_event(&not_recorded(), Some(this.request_id.as_str()), &mut event);
                            event.into()
                        }
                        Poll::Pending => {
                            // Meanwhile the end of Bedrock's answer is read.
                            while this.poll_upstream(cx).is_ready() {}
                            return Poll::Pending;
                        }
                    };
                    this.state = State::Done;
                    return Poll::Ready(Some(Ok(Frame::data(last))));
                }
                State::Flowing => {
                    if this.forced.as_mut().poll(cx).is_ready() {
                        let problem = Problem::new(
                            Code::Overloaded,
                            "this gateway is shutting down and could not wait for the answer; send the request again",
                        );
                        this.end(&own_end("GatewayShutdown", problem));
                    } else if this.poll_upstream(cx).is_pending() {
                        ready!(this.poll_silence(cx));
                    }
                }
            }
        }
    }
}

impl Drop for StreamBody {
    /// The client has gone away: what passed is billed.
    fn drop(&mut self) {
        let ending = self.ending(Outcome::Abandoned, None);
        if let Some(mut ticket) = self.ticket.take() {
            ticket.called(self.events.tools());
            // Nobody is left to wait for the spool.
            let _ = ticket.finish(ending);
        }
    }
}
