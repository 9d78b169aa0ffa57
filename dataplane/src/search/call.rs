//! One call of the model within the loop, from its first content to its end.

use super::session::{Context, Sink};
use crate::bedrock::UpstreamBody;
use crate::bedrock::attempt::{Opened, describe};
use crate::bedrock::events::{Events, Step};
use crate::bedrock::fault::{own_end, silent_end};
use crate::usage::{Ending, Ticket};
use ccag_domain::{Code, Outcome, Problem};
use ccag_translate::search::Merged;
use ccag_translate::stream::EndReason;
use http_body_util::BodyExt;
use std::time::Duration;
use tokio::time::Instant;

/// How long the rest of an upstream body may take, which holds nothing more: read to its end, the connection can be used
/// again.
const REST: Duration = Duration::from_secs(2);

/// The call broke off.
pub(super) struct Broken {
    pub(super) ticket: Ticket,
    pub(super) ending: Ending,
    pub(super) problem: Problem,
    /// The error event for the client.
    pub(super) event: Vec<u8>,
}

/// A call that is being read. If it is dropped, the client has gone away, and what passed is billed.
struct Reading {
    events: Events,
    upstream: Option<UpstreamBody>,
    ticket: Option<Ticket>,
}

impl Reading {
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
}

impl Drop for Reading {
    fn drop(&mut self) {
        let ending = self.ending(Outcome::Abandoned, None);
        if let Some(mut ticket) = self.ticket.take() {
            ticket.called(self.events.tools());
            // Nobody is left to wait for the spool.
            let _ = ticket.finish(ending);
        }
    }
}

/// What came of reading on.
enum Read {
    More,
    Done,
    Ended(EndReason),
}

/// Reads a call to its end; its events go through `merged` to the client as they come.
pub(super) async fn read(
    context: &Context,
    merged: &mut Merged,
    sink: &mut Sink,
    opened: Opened,
) -> Result<Ticket, Box<Broken>> {
    let mut reading = Reading {
        events: opened.events,
        upstream: Some(opened.upstream),
        ticket: Some(opened.ticket),
    };
    let mut out = Vec::new();
    merged.feed(&opened.out, &mut out);
    sink.send(&mut out);
    if opened.silent {
        context.ping(sink);
    }
    let mut state = take(&mut reading, opened.last);
    let mut heard = Instant::now();
    let reason = loop {
        while matches!(state, Read::More) {
            let mut written = Vec::new();
            let Some(step) = reading.events.next(&mut written) else {
                break;
            };
            merged.feed(&written, &mut out);
            state = take(&mut reading, step);
        }
        sink.send(&mut out);
        match state {
            Read::Done => break None,
            Read::Ended(reason) => break Some(reason),
            Read::More => {}
        }
        let Some(upstream) = reading.upstream.as_mut() else {
            break Some(EndReason::Cut);
        };
        tokio::select! {
            frame = upstream.frame() => {
                heard = Instant::now();
                match frame {
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            reading.events.feed(&data);
                        }
                    }
                    Some(Err(error)) => {
                        tracing::debug!(request_id = %context.request_id, detail = describe(error.as_ref()), "cut");
                        state = Read::Ended(EndReason::Cut);
                    }
                    None => reading.events.end(),
                }
            }
            () = tokio::time::sleep_until(sink.ping_at(context)) => context.ping(sink),
            () = tokio::time::sleep_until(heard + context.idle) => {
                state = Read::Ended(silent_end(context.idle));
            }
            () = context.force.cancelled() => state = Read::Ended(shutting_down()),
        }
    };
    release(context, &mut reading);
    let Some(reason) = reason else {
        return Ok(end_of_call(&mut reading));
    };
    let mut last = Vec::new();
    if reading.events.finish(&reason, &mut last) {
        merged.feed(&last, &mut out);
        sink.send(&mut out);
        return Ok(end_of_call(&mut reading));
    }
    Err(broken(context, reading, &reason, last))
}

fn take(reading: &mut Reading, step: Step) -> Read {
    match step {
        Step::Opening => Read::More,
        Step::Content => {
            if let Some(ticket) = &mut reading.ticket {
                ticket.first_token();
            }
            Read::More
        }
        Step::Last => Read::Done,
        Step::Ended(reason) => Read::Ended(reason),
    }
}

/// The gateway does not wait any longer.
pub(super) fn shutting_down() -> EndReason {
    let problem = Problem::new(
        Code::Overloaded,
        "this gateway is shutting down and could not wait for the answer; send the request again",
    );
    own_end("GatewayShutdown", problem)
}

/// The ticket of a call that is whole, with what it used.
fn end_of_call(reading: &mut Reading) -> Ticket {
    let ending = reading.ending(Outcome::Completed, None);
    let Some(mut ticket) = reading.ticket.take() else {
        unreachable!("the ticket is taken once, at the end")
    };
    ticket.called(reading.events.tools());
    ticket.carry(ending.tokens, ending.estimated);
    ticket
}

fn broken(context: &Context, mut reading: Reading, reason: &EndReason, event: Vec<u8>) -> Box<Broken> {
    let (kind, problem) = match reason {
        EndReason::Error(error) => (error.kind.as_str(), error.in_stream()),
        EndReason::Cut | EndReason::Clean => (
            "StreamCut",
            Problem::new(
                Code::BadUpstream,
                "Bedrock ended the response before it was complete",
            ),
        ),
    };
    tracing::warn!(request_id = %context.request_id, error = kind, "a stream broke off");
    context.metrics.upstream_error(kind);
    let ending = reading.ending(Outcome::Cut, Some(kind.to_owned()));
    let Some(mut ticket) = reading.ticket.take() else {
        unreachable!("the ticket is taken once, at the end")
    };
    ticket.called(reading.events.tools());
    Box::new(Broken {
        ticket,
        ending,
        problem,
        event,
    })
}

/// Lets the connection be used again.
fn release(context: &Context, reading: &mut Reading) {
    let Some(mut rest) = reading.upstream.take() else {
        return;
    };
    context.life.spawn("end of an answer", async move {
        let read = async { while let Some(Ok(_)) = rest.frame().await {} };
        let _ = tokio::time::timeout(REST, read).await;
    });
}
