//! The loop: call the model, search for what it wants, call it again, until it has said everything.

use super::call::{self, Broken};
use super::{Wanted, run};
use crate::bedrock::attempt::{Answer, Bedrock, Failure, Opened, walk};
use crate::bedrock::job::{Job, LaneJob, Source, pieces};
use crate::metrics::Metrics;
use crate::usage::{Ending, Ticket};
use bytes::Bytes;
use ccag_daemon::Lifecycle;
use ccag_domain::routing::Candidate;
use ccag_domain::{Code, Outcome, Problem, RequestId, Tokens};
use ccag_search::Searcher;
use ccag_translate::request::{Operation, peek};
use ccag_translate::search::{Merged, Next, SearchCall, SearchOutcome, continued};
use ccag_translate::stream::{EndReason, PING, error_event};
use futures_util::StreamExt;
use futures_util::future::Either;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::mpsc;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

/// How many searches of one call are carried out at a time.
const AT_A_TIME: usize = 4;

/// Bodies from this size on are read on a thread of their own.
const OFFLOAD_BYTES: usize = 512 * 1024;

/// What a session takes from its surroundings.
pub(crate) struct Context {
    pub(crate) bedrock: Arc<Bedrock>,
    pub(crate) searcher: Searcher,
    pub(crate) metrics: Arc<Metrics>,
    pub(crate) life: Lifecycle,
    pub(crate) force: CancellationToken,
    pub(crate) request_id: RequestId,
    pub(crate) ping: Duration,
    pub(crate) idle: Duration,
}

impl Context {
    pub(super) fn ping(&self, sink: &mut Sink) {
        if sink.to.is_some() {
            self.metrics.pings.inc();
        }
        sink.send(&mut PING.to_vec());
    }
}

/// Where the client's events go; nowhere if it does not stream.
pub(crate) struct Sink {
    to: Option<mpsc::UnboundedSender<Bytes>>,
    sent: Instant,
}

impl Sink {
    pub(crate) fn new(to: Option<mpsc::UnboundedSender<Bytes>>) -> Self {
        Self {
            to,
            sent: Instant::now(),
        }
    }

    /// Sends what was written, and empties it.
    pub(super) fn send(&mut self, out: &mut Vec<u8>) {
        if out.is_empty() {
            return;
        }
        let bytes = Bytes::from(std::mem::take(out));
        self.sent = Instant::now();
        if let Some(to) = &self.to {
            // The body that reads them lives as long as the session does.
            let _ = to.send(bytes);
        }
    }

    /// When the client will have heard nothing for too long.
    pub(super) fn ping_at(&self, context: &Context) -> Instant {
        self.sent + context.ping
    }
}

/// How a session ended; the record is still owed.
pub(crate) enum Ended {
    /// The message is whole. The last event, or the whole answer, goes out when the record is safe.
    Whole {
        ticket: Ticket,
        ending: Ending,
        body: Vec<u8>,
    },
    /// It broke off.
    Broken {
        ticket: Ticket,
        ending: Ending,
        problem: Problem,
        event: Vec<u8>,
    },
}

impl From<Box<Broken>> for Ended {
    fn from(broken: Box<Broken>) -> Self {
        let Broken {
            ticket,
            ending,
            problem,
            event,
        } = *broken;
        Self::Broken {
            ticket,
            ending,
            problem,
            event,
        }
    }
}

/// One request that searches.
pub(crate) struct Session {
    pub(crate) context: Context,
    pub(crate) wanted: Wanted,
    pub(crate) route: Vec<Candidate>,
    /// What the client sent.
    pub(crate) source: Source,
    /// Which lanes and guardrails it may meet.
    pub(crate) lane: LaneJob,
    pub(crate) model_said: String,
}

impl Session {
    /// Serves the request, of which the first call has begun to be answered.
    pub(crate) async fn run(mut self, first: Opened, mut sink: Sink) -> Ended {
        let mut merged = Merged::new(self.wanted.tool.clone(), self.wanted.key.clone());
        let mut opened = first;
        let mut out = Vec::new();
        let ticket = loop {
            self.source.rules = opened.rules.clone();
            self.source.rules.go_on(&self.context.bedrock.pins);
            let mut ticket = match call::read(&self.context, &mut merged, &mut sink, opened).await {
                Ok(ticket) => ticket,
                Err(broken) => return broken.into(),
            };
            let next = merged.call_ended(&mut out);
            sink.send(&mut out);
            let Next::Search(calls) = next else { break ticket };
            if let Err(reason) = self.search(&calls, &mut merged, &mut ticket, &mut sink).await {
                return self.stopped(ticket, &reason);
            }
            if !merged.goes_on() {
                break ticket;
            }
            opened = match self.call_again(&merged, ticket, &mut sink).await {
                Ok(opened) => opened,
                Err(ended) => return *ended,
            };
        };
        merged.finish(&mut out);
        sink.send(&mut out);
        Ended::Whole {
            ticket,
            ending: completed(),
            body: merged.whole(),
        }
    }

    /// Carries out the searches of one call; each result goes out when those before it are there.
    async fn search(
        &self,
        calls: &[SearchCall],
        merged: &mut Merged,
        ticket: &mut Ticket,
        sink: &mut Sink,
    ) -> Result<(), EndReason> {
        let (context, tool, provider) = (&self.context, &self.wanted.tool, self.wanted.provider.as_ref());
        let mut searches = Vec::with_capacity(calls.len());
        for call in calls {
            searches.push(async move { (call, run::search(context, provider, tool, call).await) });
        }
        let mut results = futures_util::stream::iter(searches).buffered(AT_A_TIME);
        let mut out = Vec::new();
        loop {
            tokio::select! {
                result = results.next() => {
                    let Some((call, outcome)) = result else { return Ok(()) };
                    if matches!(outcome, SearchOutcome::Hits(_)) {
                        ticket.searched();
                    }
                    merged.result(&call.id, &outcome, &mut out);
                    sink.send(&mut out);
                }
                () = tokio::time::sleep_until(sink.ping_at(context)) => context.ping(sink),
                () = context.force.cancelled() => return Err(call::shutting_down()),
            }
        }
    }

    /// Asks Bedrock again, with what has been said and found.
    async fn call_again(
        &self,
        merged: &Merged,
        mut ticket: Ticket,
        sink: &mut Sink,
    ) -> Result<Opened, Box<Ended>> {
        if let Err(problem) = ticket.one_more().await {
            let kind = "BudgetExceeded".to_owned();
            return Err(Box::new(self.broken_off(
                ticket,
                problem,
                kind,
                Tokens::default(),
            )));
        }
        let job = match self.next_job(merged).await {
            Ok(job) => job,
            Err(problem) => {
                let kind = "ContinuationRefused".to_owned();
                return Err(Box::new(self.broken_off(
                    ticket,
                    problem,
                    kind,
                    Tokens::default(),
                )));
            }
        };
        let context = &self.context;
        let walked = {
            let mut walking = std::pin::pin!(walk(
                Arc::clone(&context.bedrock),
                self.route.clone(),
                job,
                ticket
            ));
            loop {
                tokio::select! {
                    walked = &mut walking => break walked,
                    () = tokio::time::sleep_until(sink.ping_at(context)) => context.ping(sink),
                }
            }
        };
        match walked {
            Ok(Answer::Stream(opened)) => Ok(*opened),
            // A streaming job is answered by a stream.
            Ok(Answer::Whole(whole)) => {
                let problem = Problem::new(Code::BadUpstream, "Bedrock's answer is not a stream");
                let kind = "UnusableAnswer".to_owned();
                Err(Box::new(self.broken_off(
                    whole.ticket,
                    problem,
                    kind,
                    whole.tokens,
                )))
            }
            Err(failure) => {
                let Failure {
                    ticket,
                    problem,
                    name,
                    tokens,
                    ..
                } = *failure;
                Err(Box::new(self.broken_off(ticket, problem, name, tokens)))
            }
        }
    }

    async fn next_job(&self, merged: &Merged) -> Result<Job, Problem> {
        let (source, said) = (self.source.clone(), merged.content().to_vec());
        let (lane, model_said) = (self.lane.again(), self.model_said.clone());
        let size = source.body.len() + said.iter().map(String::len).sum::<usize>();
        let make = move || job(source, lane, &said, model_said);
        let made = if size < OFFLOAD_BYTES {
            Either::Left(std::future::ready(Ok(make())))
        } else {
            Either::Right(tokio::task::spawn_blocking(make))
        };
        made.await
            .unwrap_or_else(|_| Err(Problem::new(Code::Internal, "the request could not be processed")))
    }

    fn stopped(&self, ticket: Ticket, reason: &EndReason) -> Ended {
        let (kind, problem) = match reason {
            EndReason::Error(error) => (error.kind.clone(), error.problem.clone()),
            EndReason::Cut | EndReason::Clean => ("StreamCut".to_owned(), broke_off()),
        };
        self.broken_off(ticket, problem, kind, Tokens::default())
    }

    fn broken_off(&self, ticket: Ticket, problem: Problem, kind: String, tokens: Tokens) -> Ended {
        tracing::warn!(request_id = %self.context.request_id, error = kind, "a request that searches broke off");
        let mut event = Vec::new();
        error_event(&problem, Some(self.context.request_id.as_str()), &mut event);
        Ended::Broken {
            ticket,
            ending: Ending {
                outcome: Outcome::Cut,
                status: 200,
                error: Some(kind),
                tokens,
                estimated: false,
            },
            problem,
            event,
        }
    }
}

pub(super) fn broke_off() -> Problem {
    Problem::new(Code::BadUpstream, "the answer broke off")
}

/// The ending of a request whose calls have all been carried.
pub(super) fn completed() -> Ending {
    Ending {
        outcome: Outcome::Completed,
        status: 200,
        error: None,
        tokens: Tokens::default(),
        estimated: false,
    }
}

/// The next call: what the client would send to let the message go on.
fn job(mut source: Source, lane: LaneJob, said: &[String], model_said: String) -> Result<Job, Problem> {
    let first = source.body.clone();
    source.body = continued(&peek(&first, Operation::Messages)?, said).into();
    let body = source.body.clone();
    let prepared = source.prepare(&peek(&body, Operation::Messages)?)?;
    Ok(Job {
        caching: prepared.caching(),
        copied: prepared.body.copied(),
        body: pieces(&body, prepared.body),
        source,
        model_said,
        streaming: true,
        betas: prepared.betas,
        dropped: prepared.dropped,
        passed: prepared.passed,
        writes_1h: prepared.writes_1h,
        lane,
    })
}
