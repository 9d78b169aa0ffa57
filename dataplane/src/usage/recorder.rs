//! From a request's beginning to its record in the spool.

mod explained;
mod traced;

use super::spool::{NotSpooled, Pending, Spool};
use crate::allowance::Reservation;
use crate::bedrock::quota::{Hold, Party};
use crate::metrics::Metrics;
use crate::traces::{GenAi, Trace};
use ccag_domain::{
    Caller, Clock, KeyId, ModelName, Outcome, Problem, PromptFacts, ReplicaId, RequestId, Rng, Tokens,
    ToolCounts, UnixMs, UsageId, UsageRecord, routing::Candidate,
};
use ccag_proto::v1;
use prost::Message;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::Instant;

/// How long a response waits for its record; a disk that is slower than this fails the response.
const SPOOL_TIMEOUT: Duration = Duration::from_secs(10);

/// Makes and spools records.
pub(crate) struct Recorder {
    pub(crate) spool: Spool,
    pub(crate) replica_id: ReplicaId,
    /// Which run of this data plane it is.
    pub(crate) run: u64,
    pub(crate) metrics: Arc<Metrics>,
    /// Where requests are told of by OpenTelemetry, if they are.
    pub(crate) genai: Option<Arc<GenAi>>,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) rng: Arc<dyn Rng>,
}

/// What is known of a request when it begins.
#[derive(Debug, Clone)]
pub(crate) struct Start {
    pub(crate) request_id: RequestId,
    pub(crate) caller: Caller,
    pub(crate) model: ModelName,
    pub(crate) streaming: bool,
    pub(crate) session_id: Option<String>,
    pub(crate) agent_id: Option<String>,
    pub(crate) started_at_ms: UnixMs,
    pub(crate) started: Instant,
    /// What the prompt is taken for if Bedrock never says how long it is.
    pub(crate) input_estimate: u64,
    /// The most output tokens that are asked for.
    pub(crate) max_output: u64,
    /// What the prompt is known by; `None` for a request of the gateway's own.
    pub(crate) prompt: Option<PromptFacts>,
    /// Which tools the last message says to have failed.
    pub(crate) failed_tools: ToolCounts,
}

/// How a request ended.
#[derive(Debug, Clone)]
pub(crate) struct Ending {
    pub(crate) outcome: Outcome,
    /// The HTTP status that the client got.
    pub(crate) status: u16,
    pub(crate) error: Option<String>,
    pub(crate) tokens: Tokens,
    pub(crate) estimated: bool,
}

/// Stands for the record that a request owes. Dropping it without an ending, as happens when the client goes away while
/// Bedrock is being asked, spools it as abandoned.
pub(crate) struct Ticket {
    recorder: Arc<Recorder>,
    start: Start,
    /// What is set aside for the request in budgets.
    reservation: Option<Reservation>,
    /// What Bedrock is taken to set aside of quotas for the present call.
    held: Option<Hold>,
    attempt: Option<Attempt>,
    /// The attempt before, in case the present one turns out not to have reached Bedrock.
    before: Option<Attempt>,
    first_token: Option<Duration>,
    attempts: u32,
    /// What calls before the present one have used, where a request takes several, and whether that is an estimate.
    carried: Tokens,
    carried_estimated: bool,
    searches: u32,
    /// Which tools the model has called.
    tools: ToolCounts,
    /// Whether Bedrock is being asked now.
    asking: bool,
    done: bool,
    /// How the request is decided, where that is written down.
    explained: Option<explained::Explained>,
    /// The spans of the request, where they are told of.
    trace: Option<Box<Trace>>,
}

/// The last attempt that may have reached Bedrock.
struct Attempt {
    candidate: Candidate,
    aws_request_id: Option<String>,
}

impl Ticket {
    pub(crate) fn new(recorder: Arc<Recorder>, start: Start, reservation: Option<Reservation>) -> Self {
        Self {
            recorder,
            start,
            reservation,
            held: None,
            attempt: None,
            before: None,
            first_token: None,
            attempts: 0,
            carried: Tokens::default(),
            carried_estimated: false,
            searches: 0,
            tools: ToolCounts::default(),
            asking: false,
            done: false,
            explained: None,
            trace: None,
        }
    }

    /// A ticket for a request of the gateway's own that this one gives rise to: it finds out whether a lane serves the model.
    /// It is billed, so it owes a record of its own, under the same key.
    pub(crate) fn for_probe(&self) -> Self {
        let recorder = &self.recorder;
        let start = Start {
            request_id: RequestId::generate(recorder.clock.as_ref(), recorder.rng.as_ref()),
            caller: self.start.caller.clone(),
            model: self.start.model.clone(),
            streaming: false,
            session_id: Some(UsageRecord::LANE_PROBE.to_owned()),
            agent_id: None,
            started_at_ms: recorder.clock.now_ms(),
            started: Instant::now(),
            input_estimate: 16,
            max_output: 1,
            prompt: None,
            failed_tools: ToolCounts::default(),
        };
        // What little it costs is noticed when its record arrives.
        Self::new(Arc::clone(recorder), start, None)
    }

    pub(crate) fn request_id(&self) -> &RequestId {
        &self.start.request_id
    }

    pub(crate) fn key_id(&self) -> &KeyId {
        &self.start.caller.key_id
    }

    pub(crate) fn input_estimate(&self) -> u64 {
        self.start.input_estimate
    }

    /// About how many tokens the prompt has, and how many the answer may have.
    pub(crate) fn size(&self) -> (u64, u64) {
        (self.start.input_estimate, self.start.max_output)
    }

    /// Whose share of quotas it is.
    pub(crate) fn party(&self) -> Party {
        Party::of(&self.start.caller)
    }

    /// So much is set aside of quotas while the present call runs.
    pub(crate) fn hold(&mut self, held: Option<Hold>) {
        self.held = held;
    }

    /// The present call is over, and has used these tokens of quotas.
    pub(crate) fn release(&mut self, tokens: &Tokens) {
        if let Some(held) = self.held.take() {
            held.settle(tokens);
        }
    }

    /// Bedrock is about to be asked.
    pub(crate) fn attempt(&mut self, candidate: &Candidate) {
        self.attempts += 1;
        self.asking = true;
        self.before = self.attempt.take();
        self.attempt = Some(Attempt {
            candidate: candidate.clone(),
            aws_request_id: None,
        });
    }

    /// The present attempt did not reach Bedrock after all; those before still count.
    pub(crate) fn not_reached(&mut self) {
        self.attempts = self.attempts.saturating_sub(1);
        self.asking = false;
        self.attempt = self.before.take();
    }

    /// Bedrock answered the attempt.
    pub(crate) fn answered(&mut self, aws_request_id: Option<String>) {
        if let Some(attempt) = &mut self.attempt {
            attempt.aws_request_id = aws_request_id;
        }
    }

    /// A call that was answered whole is over, and the request goes on: its ending will be about the rest.
    pub(crate) fn carry(&mut self, tokens: Tokens, estimated: bool) {
        self.release(&tokens);
        self.asking = false;
        self.carried += tokens;
        self.carried_estimated |= estimated;
        if let Some(trace) = &mut self.trace {
            trace.carried();
        }
    }

    /// So much has been used by the present call up to now.
    pub(crate) fn used(&mut self, tokens: Tokens) {
        let Some(attempt) = &self.attempt else { return };
        if let Some(reservation) = &mut self.reservation {
            let tokens = self.carried + tokens;
            let by = (attempt.candidate.model.geography, attempt.candidate.lane);
            reservation.used(by, &tokens, self.searches);
        }
    }

    /// Whether anybody wants to know what is used up to now.
    pub(crate) fn is_budgeted(&self) -> bool {
        self.reservation.is_some()
    }

    /// Bedrock is about to be asked once more for the same request: what that may cost is set aside as well.
    ///
    /// # Errors
    /// The refusal of a budget.
    pub(crate) async fn one_more(&mut self) -> Result<(), Problem> {
        self.used(Tokens::default());
        match &mut self.reservation {
            Some(reservation) => reservation.one_more().await,
            None => Ok(()),
        }
    }

    /// The model has called tools, in a call that is over.
    pub(crate) fn called(&mut self, tools: &ToolCounts) {
        self.tools.add(tools);
    }

    /// A web search has given something.
    pub(crate) fn searched(&mut self) {
        self.searches += 1;
    }

    /// The request is answered without asking Bedrock, and owes a record nevertheless: it names whom Bedrock would have
    /// been asked through.
    pub(crate) fn owed_without_asking(&mut self, candidate: &Candidate) {
        self.attempt.get_or_insert_with(|| Attempt {
            candidate: candidate.clone(),
            aws_request_id: None,
        });
    }

    /// The first content is about to go to the client.
    pub(crate) fn first_token(&mut self) {
        self.first_token
            .get_or_insert_with(|| self.start.started.elapsed());
    }

    /// Whether Bedrock was asked at all: if not, no record is owed.
    pub(crate) fn reached_bedrock(&self) -> bool {
        self.attempt.is_some()
    }

    /// Spools the record; `None` if none is owed.
    pub(crate) fn finish(mut self, ending: Ending) -> Option<Pending> {
        self.done = true;
        self.spool(ending)
    }

    /// Spools the record and waits until it is safe.
    ///
    /// # Errors
    /// [`NotSpooled`] if it is not within ten seconds; it is then still written as soon as the disk allows.
    pub(crate) async fn finish_and_wait(self, ending: Ending) -> Result<(), NotSpooled> {
        match self.finish(ending) {
            None => Ok(()),
            Some(pending) => wait(pending).await,
        }
    }

    fn spool(&mut self, ending: Ending) -> Option<Pending> {
        self.release(&ending.tokens);
        let attempt = self.attempt.take()?;
        let explanation = self.take_explanation();
        let recorder = &self.recorder;
        let start = &self.start;
        let tokens = self.carried + ending.tokens;
        let estimated = ending.estimated || self.carried_estimated;
        let whole = ending.outcome == Outcome::Completed && !estimated && self.attempts > 0;
        let geography = attempt.candidate.model.geography;
        let draws = self
            .reservation
            .take()
            .map(|reservation| {
                reservation.settle((geography, attempt.candidate.lane), &tokens, self.searches, whole)
            })
            .unwrap_or_default();
        let mut tools = std::mem::take(&mut self.tools);
        if ending.outcome == Outcome::Completed {
            // A request that did not complete is sent again, and brings the same results.
            tools.add(&self.start.failed_tools);
        }
        let record = UsageRecord {
            id: UsageId::generate(recorder.clock.as_ref(), recorder.rng.as_ref()),
            request_id: start.request_id.clone(),
            aws_request_id: attempt.aws_request_id,
            key_id: start.caller.key_id.clone(),
            user_id: start.caller.user_id.clone(),
            team_id: start.caller.team_id.clone(),
            model: start.model.clone(),
            bedrock_model: attempt.candidate.model.id,
            geography,
            endpoint_id: attempt.candidate.endpoint.id,
            streaming: start.streaming,
            outcome: ending.outcome,
            error: ending.error,
            status: ending.status,
            tokens,
            web_searches: self.searches,
            estimated,
            attempts: self.attempts,
            started_at_ms: start.started_at_ms,
            first_token_ms: self.first_token.map(whole_ms),
            duration_ms: whole_ms(start.started.elapsed()),
            session_id: start.session_id.clone(),
            agent_id: start.agent_id.clone(),
            replica_id: recorder.replica_id.clone(),
            surface: attempt.candidate.lane,
            draws,
            run: recorder.run,
            explanation,
            tools,
            prompt: start.prompt,
        };
        recorder.metrics.recorded(&record);
        if let Some(genai) = &recorder.genai {
            genai.recorded(&record);
        }
        if let Some(trace) = self.trace.take() {
            trace.finished(&record);
        }
        let recorder = &self.recorder;
        tracing::info!(
            request_id = %record.request_id,
            key_id = %record.key_id,
            model = %record.model,
            endpoint_id = %record.endpoint_id,
            outcome = record.outcome.as_str(),
            status = record.status,
            error = record.error,
            input = record.tokens.input,
            output = record.tokens.output,
            attempts = record.attempts,
            first_token_ms = record.first_token_ms,
            duration_ms = record.duration_ms,
            "request ended"
        );
        let pending = recorder
            .spool
            .append(v1::UsageRecord::from(record).encode_to_vec());
        recorder.publish();
        Some(pending)
    }
}

impl Recorder {
    /// Brings the spool's gauges up to date.
    pub(crate) fn publish(&self) {
        self.metrics.usage(&self.spool.accounts());
        self.metrics
            .spool_bytes
            .set(i64::try_from(self.spool.bytes()).unwrap_or(i64::MAX));
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.done {
            // What a call that has not been answered yet may cost.
            let input = if self.asking { self.start.input_estimate } else { 0 };
            // Nobody is left to wait for the spool.
            let _ = self.spool(Ending {
                outcome: Outcome::Abandoned,
                status: 499,
                error: None,
                tokens: Tokens {
                    input,
                    ..Tokens::default()
                },
                estimated: self.asking,
            });
        }
    }
}

/// Waits until a record is safe.
pub(crate) async fn wait(pending: Pending) -> Result<(), NotSpooled> {
    if let Pending::Written(_) = pending {
        return Ok(());
    }
    match tokio::time::timeout(SPOOL_TIMEOUT, pending.written()).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(_)) | Err(_) => Err(NotSpooled),
    }
}

fn whole_ms(duration: Duration) -> u32 {
    u32::try_from(duration.as_millis()).unwrap_or(u32::MAX)
}
