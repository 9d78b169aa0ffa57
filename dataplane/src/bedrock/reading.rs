//! Reading an answer up to the point from which on the client can be answered: a whole one to its end, a stream to its first
//! content.

use super::Reply;
use super::attempt::{Answered, Bedrock, Begun, ERROR_BYTES, ERROR_TIME, collect, describe};
use super::events::{Events, Step};
use super::fault::Fault;
use super::job::Job;
use super::lanes::guard;
use bytes::Bytes;
use ccag_domain::routing::Candidate;
use ccag_domain::{Lane, RequestId, ToolCounts};
use ccag_translate::error::Words;
use ccag_translate::response::{self, GuardrailOutcome, HeaderCounts};
use http_body_util::BodyExt;
use tokio::time::Instant;

/// The most that a whole answer may have: 128 000 tokens are about half a megabyte.
const ANSWER_BYTES: usize = 64 << 20;

/// A guardrail's message has at most 500 characters (Amazon Bedrock API reference, "CreateGuardrail"); what is longer than this
/// with the events around it is none.
const LONGEST_BLOCK_BYTES: usize = 8 * 1024;

/// An error inside an answer whose status says that all is well.
fn refused_in_success(body: &[u8], model: &str) -> Option<Fault> {
    Words::in_success(body)?;
    // The status says nothing here; the error's name does.
    let nothing = (http::StatusCode::BAD_GATEWAY, http::HeaderMap::new());
    Some(Fault::of_refusal(nothing.0, &nothing.1, body, model, 0))
}

/// Reads a whole answer.
pub(super) async fn whole(
    bedrock: &Bedrock,
    candidate: &Candidate,
    reply: Reply,
    job: &Job,
) -> Result<Answered, Fault> {
    let count = |name: &str| reply.headers.get(name)?.to_str().ok()?.parse().ok();
    let counts = HeaderCounts {
        input: count("x-amzn-bedrock-input-token-count"),
        output: count("x-amzn-bedrock-output-token-count"),
        cache_read: count("x-amzn-bedrock-cache-read-input-token-count"),
        cache_write: count("x-amzn-bedrock-cache-write-input-token-count"),
    };
    let collected = collect(reply.body, ANSWER_BYTES)
        .await
        .map_err(|detail| Fault::cut(&detail))?;
    let rules = &job.rules().profile().answer;
    let translated = response::translate(&collected, &job.model_said, counts, job.writes_1h, rules)
        .map_err(|p| refused_in_success(&collected, &job.model_said).unwrap_or_else(|| Fault::unusable(p)))?;
    let noticed = &translated.noticed;
    bedrock
        .learning
        .noticed(&bedrock.metrics, &noticed.dropped, &noticed.passed);
    let (tokens, mut tools) = (translated.tokens, translated.tools);
    let mut body = Bytes::from(translated.body);
    match translated.guardrail {
        GuardrailOutcome::Passed => {}
        GuardrailOutcome::OutputBlocked => bedrock.metrics.guardrail("output", candidate.lane),
        GuardrailOutcome::InputBlocked => {
            bedrock.metrics.guardrail("input", candidate.lane);
            return Err(Fault {
                tokens,
                ..guard::blocked(&response::text_of(&body))
            });
        }
    }
    if let Some(guardrail) = job.lane.guardrail(candidate)
        && guard::is_applied_here(candidate.lane)
    {
        let looked_at = guard::check_output(bedrock, candidate, guardrail, job, &body).await;
        let looked_at = looked_at.map_err(|fault| Fault {
            tokens,
            reached: true,
            ..fault
        })?;
        if let Some(instead) = looked_at {
            body = instead;
            // What the model called does not reach the client.
            tools = ToolCounts::default();
        }
    }
    Ok(Answered::Whole {
        body,
        tokens,
        stop_reason: translated.stop_reason,
        tools,
    })
}

/// A lane that answers in JSON where a stream was asked for tells what went wrong.
async fn event_stream(lane: Lane, reply: Reply, model: &str) -> Result<Reply, Fault> {
    let content_type = reply.headers.get(http::header::CONTENT_TYPE);
    let is_json = content_type.is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    if lane == Lane::InvokeModel || !is_json {
        return Ok(reply);
    }
    let body = tokio::time::timeout(ERROR_TIME, collect(reply.body, ERROR_BYTES))
        .await
        .unwrap_or_else(|_| Err("the answer does not end".to_owned()))
        .map_err(|detail| Fault::cut(&detail))?;
    Err(refused_in_success(&body, model).unwrap_or_else(|| Fault::cut("the answer is not a stream")))
}

/// Reads a stream up to its first content.
pub(super) async fn begin(
    bedrock: &Bedrock,
    candidate: &Candidate,
    reply: Reply,
    job: &Job,
    request_id: &RequestId,
) -> Result<Begun, Fault> {
    let patience = bedrock.patience;
    let reply = event_stream(candidate.lane, reply, &job.model_said).await?;
    let mut upstream = reply.body;
    let mut events = Events::new(bedrock, job, candidate, request_id);
    let mut out = Vec::new();
    // Under a guardrail content is held back as long as it may be the guardrail's own: then Bedrock counts no prompt.
    let guarded = job.lane.guardrail(candidate).is_some();
    let mut last = Step::Opening;
    let mut deadline = Instant::now() + patience;
    loop {
        let frame = match tokio::time::timeout_at(deadline, upstream.frame()).await {
            Ok(frame) => frame,
            Err(_) => {
                return Ok(Begun {
                    events,
                    upstream,
                    out,
                    last,
                    silent: true,
                });
            }
        };
        match frame {
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    events.feed(&data);
                }
            }
            Some(Err(error)) => {
                let fault = Fault::cut(&describe(error.as_ref()));
                return Err(Fault {
                    tokens: events.tokens().0,
                    ..fault
                });
            }
            None => events.end(),
        }
        while let Some(step) = events.next(&mut out) {
            match step {
                Step::Opening => {}
                Step::Ended(reason) => {
                    return Err(Fault {
                        tokens: events.tokens().0,
                        ..Fault::of_end(reason)
                    });
                }
                Step::Content
                    if guarded && events.tokens().0.prompt() == 0 && out.len() < LONGEST_BLOCK_BYTES =>
                {
                    last = Step::Content;
                }
                Step::Last if guarded && events.guardrail_intervened() && events.tokens().0.prompt() == 0 => {
                    bedrock.metrics.guardrail("input", candidate.lane);
                    return Err(guard::blocked(&guard::text_of_stream(&out)));
                }
                last @ (Step::Content | Step::Last) => {
                    return Ok(Begun {
                        events,
                        upstream,
                        out,
                        last,
                        silent: false,
                    });
                }
            }
        }
        if !matches!(last, Step::Content) {
            deadline = Instant::now() + patience;
        }
    }
}
