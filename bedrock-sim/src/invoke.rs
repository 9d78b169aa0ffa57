//! InvokeModel, InvokeModelWithResponseStream and CountTokens, and what the other surfaces share with them.

use crate::Shared;
use crate::account::{Ending, Entry, Usage};
use crate::admission::Reserved;
use crate::guardrail::{self, Outcome};
use crate::http::{Answer, answer, refuse};
use crate::models::{self, Model, Named};
use crate::reply::{self, Block, Reply};
use crate::script::{Action, Pace};
use crate::stream::{Body, Events, usage_json};
use crate::surface::{Framing, Surface};
use crate::{billing, strict, sys};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::PoisonError;
use std::time::Duration;

const VALIDATION: &str = "ValidationException";
const MODEL_ERROR: &str = "ModelErrorException";

/// What is asked for.
pub(crate) struct Ask<'a> {
    pub(crate) surface: Surface,
    pub(crate) model_id: &'a str,
    pub(crate) streaming: bool,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

/// What an invocation is about.
struct Call<'a> {
    request_id: &'a str,
    place: usize,
}

/// Answers an invocation.
pub(crate) async fn invoke(shared: Arc<Shared>, request_id: &str, ask: Ask<'_>) -> Answer {
    let (model_id, body) = (ask.model_id, ask.body);
    let operation = ask.surface.operation(ask.streaming);
    let place = shared.books.open(Entry {
        request_id: request_id.to_owned(),
        model: model_id.to_owned(),
        operation,
        usage: Usage::default(),
        output_sent: 0,
        content_bytes_sent: 0,
        frames_sent: 0,
        ending: Ending::Open,
        error: None,
        started_at_ms: sys::now_ms(),
        ended_at_ms: None,
        content: Value::Null,
    });
    let call = Call { request_id, place };
    let mut unfinished = Unfinished {
        shared: &shared,
        call: &call,
        armed: true,
    };
    let action = shared
        .script
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take(operation, model_id, body);
    let result = answer_invocation(&shared, &call, &ask, action).await;
    let answer = match result {
        Ok(answer) => answer,
        Err((status, error_type, message)) => {
            failed(&shared, &call, &error_type);
            ask.surface.refuse(status, &error_type, &message, request_id)
        }
    };
    unfinished.armed = false;
    drop(unfinished);
    answer
}

/// Notes that an answer was refused.
fn failed(shared: &Shared, call: &Call<'_>, error_type: &str) {
    shared.books.change(call.place, call.request_id, |entry| {
        entry.ending = Ending::Failed;
        entry.error = Some(error_type.to_owned());
        entry.ended_at_ms = Some(sys::now_ms());
    });
}

/// `ModelErrorException` with what botocore's service model has in it besides the message.
fn model_error(shared: &Shared, call: &Call<'_>, message: &str, original_status: u16) -> Answer {
    failed(shared, call, MODEL_ERROR);
    let body = json!({"message": message, "originalStatusCode": original_status});
    answer(424, body.to_string())
        .with(header::CONTENT_TYPE, "application/json")
        .with("x-amzn-errortype", MODEL_ERROR)
}

/// Marks the entry as cancelled when the handler itself is dropped, which happens when the client goes away before it
/// gets an answer.
struct Unfinished<'a> {
    shared: &'a Shared,
    call: &'a Call<'a>,
    armed: bool,
}

impl Drop for Unfinished<'_> {
    fn drop(&mut self) {
        if !self.armed {
            return;
        }
        self.shared
            .books
            .change(self.call.place, self.call.request_id, |entry| {
                entry.ending = Ending::Cancelled;
                entry.ended_at_ms = Some(sys::now_ms());
            });
    }
}

type Refusal = (u16, String, String);

fn invalid(message: impl Into<String>) -> Refusal {
    (400, VALIDATION.to_owned(), message.into())
}

/// `model_id` is what the model that was asked for stands for.
fn parse(ask: &Ask<'_>, model_id: &str) -> Result<(Value, &'static Model), Refusal> {
    let body = ask.body;
    let model = if ask.surface == Surface::Mantle {
        // Foundation models only, whether or not they can be invoked without a profile elsewhere.
        models::base(model_id).ok_or_else(|| {
            let message = format!("The model '{model_id}' does not exist");
            (404, "ResourceNotFoundException".to_owned(), message)
        })?
    } else {
        named(model_id)?
    };
    let parsed = serde_json::from_slice(body).map_err(|e| {
        invalid(format!(
            "Malformed input request: {e}, please reformat your input and try again."
        ))
    })?;
    Ok((parsed, model))
}

fn named(model_id: &str) -> Result<&'static Model, Refusal> {
    Ok(match models::find(model_id) {
        Named::Model(model) => model,
        Named::ProfileOnly => {
            return Err(invalid(format!(
                "Invocation of model ID {model_id} with on-demand throughput isn\u{2019}t supported. Retry your request with \
                 the ID or ARN of an inference profile that contains this model."
            )));
        }
        Named::Unknown => return Err(invalid("The provided model identifier is invalid.")),
    })
}

async fn answer_invocation(
    shared: &Arc<Shared>,
    call: &Call<'_>,
    ask: &Ask<'_>,
    action: Option<Action>,
) -> Result<Answer, Refusal> {
    let streaming = ask.streaming;
    let pace = match &action {
        Some(Action::Error {
            status,
            error_type,
            message,
        }) => return Err((*status, error_type.clone(), message.clone())),
        Some(Action::ModelError {
            message,
            original_status,
        }) => {
            if ask.surface == Surface::InvokeModel {
                return Ok(model_error(shared, call, message, *original_status));
            }
            return Err((424, MODEL_ERROR.to_owned(), message.clone()));
        }
        Some(Action::Exception {
            error_type, message, ..
        }) if !streaming => return Err((500, error_type.clone(), message.clone())),
        Some(Action::Silence { after: None, ms }) => {
            tokio::time::sleep(Duration::from_millis(*ms)).await;
            None
        }
        Some(Action::Pace(pace)) => Some(*pace),
        _ => None,
    };
    let behind = crate::control::behind(shared, ask.model_id);
    let (mut parsed, model) = parse(ask, &behind)?;
    let guard = match ask.surface {
        Surface::InvokeModel => {
            strict::check(&guardrail::untagged(&parsed), model).map_err(invalid)?;
            guardrail::asked(shared, ask.headers, &parsed).map_err(invalid)?
        }
        surface => {
            strict::check_lane(&parsed, ask.headers, model, surface).map_err(invalid)?;
            None
        }
    };
    let prompt = billing::prompt_tokens(&parsed);
    if prompt > model.context {
        return Err(invalid(format!(
            "prompt is too long: {prompt} tokens > {} maximum",
            model.context
        )));
    }
    let reserved = reserve(shared, ask, &behind, prompt, &parsed, model)?;
    let (reply, usage, guarded) = decide(shared, &mut parsed, model, pace, guard.as_ref());
    let content = format!(
        "[{}]",
        reply
            .blocks
            .iter()
            .map(reply::Block::to_json)
            .collect::<Vec<_>>()
            .join(",")
    );
    shared.books.change(call.place, call.request_id, |entry| {
        entry.usage = usage;
        entry.content = serde_json::from_str(&content).unwrap_or(Value::Null);
    });
    let pace = pace
        .or_else(|| Pace::from_prompt(&last_text(&parsed)))
        .unwrap_or_default();
    if pace.head_ms > 0 {
        tokio::time::sleep(Duration::from_millis(pace.head_ms)).await;
    }
    let id = format!("msg_bdrk_{}", call.request_id.replace('-', ""));
    let name = model.id.trim_start_matches("anthropic.");
    if streaming {
        let framing = match ask.surface {
            Surface::InvokeModel => Framing::EventStream,
            Surface::Messages | Surface::Mantle => Framing::Sse(call.request_id.to_owned()),
        };
        let events = match &action {
            Some(Action::Events { events }) => Events::scripted(events),
            _ => Events::of(&reply, &id, name, &usage, &framing, guarded.as_ref()),
        };
        let body = Body::new(
            Arc::clone(shared),
            call.place,
            call.request_id.to_owned(),
            events,
            (pace, &framing),
            action.as_ref(),
        )
        .holding(reserved, usage);
        if let Framing::Sse(_) = framing {
            return Ok(answer(200, axum::body::Body::from_stream(body))
                .with(header::CONTENT_TYPE, "text/event-stream; charset=utf-8"));
        }
        return Ok(answer(200, axum::body::Body::from_stream(body))
            .with(header::CONTENT_TYPE, "application/vnd.amazon.eventstream")
            .with("x-amzn-bedrock-content-type", "application/json"));
    }
    let parts = Whole {
        id: &id,
        model: name,
        reply: &reply,
        usage: &usage,
        content: &content,
        guarded: guarded.as_ref(),
    };
    let answer = whole(shared, call, &parts, ask.surface, action);
    reserved.settle(&usage, usage.output);
    Ok(answer)
}

/// Sets aside what the request may use of the account's quota: all of its prompt, cached or not, and the most output that it
/// may have. bedrock-mantle has quotas of its own, which are not simulated.
fn reserve(
    shared: &Shared,
    ask: &Ask<'_>,
    model_id: &str,
    prompt: u64,
    parsed: &Value,
    model: &Model,
) -> Result<Reserved, Refusal> {
    let most = parsed["max_tokens"].as_u64().unwrap_or(model.max_output);
    let tokens = match ask.surface {
        Surface::InvokeModel | Surface::Messages => prompt.saturating_add(most),
        Surface::Mantle => 0,
    };
    shared.admission.reserve(model_id, tokens).ok_or_else(|| {
        let message = "Too many tokens, please wait before trying again.";
        (429, "ThrottlingException".to_owned(), message.to_owned())
    })
}

/// What is said and billed, with what a guardrail makes of both.
fn decide(
    shared: &Shared,
    parsed: &mut Value,
    model: &Model,
    pace: Option<Pace>,
    guard: Option<&guardrail::Asked>,
) -> (Reply, Usage, Option<Outcome>) {
    let instead = |text: String| Reply {
        blocks: vec![Block::Text { text, pieces: 1 }],
        stop_reason: "end_turn",
    };
    if let Some((text, outcome)) = guard.and_then(|guard| guard.look_at_input(parsed)) {
        // The model is not asked.
        return (instead(text), Usage::default(), Some(outcome));
    }
    let mut reply = reply::plan(parsed, model, pace);
    let mut usage = {
        let mut cache = shared.cache.lock().unwrap_or_else(PoisonError::into_inner);
        cache.bill(parsed, model, sys::now_ms())
    };
    usage.output = reply.blocks.iter().map(Block::tokens).sum();
    let guarded = guard.map(|guard| {
        let said: Vec<String> = reply.blocks.iter().map(Block::to_json).collect();
        match guard.look_at_output(&said.join("\n")) {
            Some((text, outcome)) => {
                reply = instead(text);
                outcome
            }
            None => guard.passed(),
        }
    });
    (reply, usage, guarded)
}

/// The parts of a whole answer.
struct Whole<'a> {
    id: &'a str,
    model: &'a str,
    reply: &'a Reply,
    usage: &'a Usage,
    content: &'a str,
    guarded: Option<&'a Outcome>,
}

fn last_text(body: &Value) -> String {
    let last = body["messages"]
        .as_array()
        .and_then(|m| m.iter().rev().find(|m| m["role"] == "user"));
    last.map(|m| match &m["content"] {
        Value::String(text) => text.clone(),
        other => other
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|b| b["text"].as_str())
            .collect(),
    })
    .unwrap_or_default()
}

fn whole(
    shared: &Shared,
    call: &Call<'_>,
    parts: &Whole<'_>,
    surface: Surface,
    action: Option<Action>,
) -> Answer {
    let Whole {
        id,
        model,
        reply,
        usage,
        content,
        guarded,
    } = parts;
    let own: String = guarded
        .map(Outcome::keys)
        .unwrap_or_default()
        .iter()
        .map(|(key, value)| format!(",\"{key}\":{value}"))
        .collect();
    let text = match action {
        Some(Action::Events { events }) => events.first().map(Value::to_string).unwrap_or_default(),
        _ => format!(
            "{{\"id\":\"{id}\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"{model}\",\"content\":{content},\
             \"stop_reason\":\"{}\",\"stop_sequence\":null,\"usage\":{}{own}}}",
            reply.stop_reason,
            usage_json(usage, usage.output)
        ),
    };
    shared.books.change(call.place, call.request_id, |entry| {
        entry.ending = Ending::Completed;
        entry.output_sent = usage.output;
        entry.content_bytes_sent = content.len() as u64;
        entry.ended_at_ms = Some(sys::now_ms());
    });
    let written = usage.cache_write_5m + usage.cache_write_1h;
    let answer = answer(200, text).with(header::CONTENT_TYPE, "application/json");
    if surface != Surface::InvokeModel {
        return answer;
    }
    answer
        .with("x-amzn-bedrock-input-token-count", usage.input.to_string())
        .with("x-amzn-bedrock-output-token-count", usage.output.to_string())
        .with(
            "x-amzn-bedrock-cache-read-input-token-count",
            usage.cache_read.to_string(),
        )
        .with(
            "x-amzn-bedrock-cache-write-input-token-count",
            written.to_string(),
        )
        .with("x-amzn-bedrock-invocation-latency", "900")
}

/// Answers CountTokens.
pub(crate) fn count_tokens(shared: &Shared, model_id: &str, body: &[u8]) -> Answer {
    let action = shared
        .script
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take("count", model_id, body);
    if let Some(Action::Error {
        status,
        error_type,
        message,
    }) = action
    {
        return refuse(status, &error_type, &message);
    }
    match count(model_id, body) {
        Ok(tokens) => answer(200, json!({"inputTokens": tokens}).to_string())
            .with(header::CONTENT_TYPE, "application/json"),
        Err((status, error_type, message)) => refuse(status, &error_type, &message),
    }
}

fn count(model_id: &str, body: &[u8]) -> Result<u64, Refusal> {
    let counts = models::MODELS.iter().find(|m| m.id == model_id);
    let Some(model) = counts else {
        return Err(invalid("The provided model identifier is invalid."));
    };
    if !model.count_tokens {
        return Err(invalid("The provided model doesn't support counting tokens."));
    }
    let malformed = |e: &dyn std::fmt::Display| invalid(format!("Malformed input request: {e}"));
    let request: Value = serde_json::from_slice(body).map_err(|e| malformed(&e))?;
    let inner = request.pointer("/input/invokeModel/body").and_then(Value::as_str);
    let inner = inner.ok_or_else(|| malformed(&"input.invokeModel.body is missing"))?;
    let inner = STANDARD.decode(inner).map_err(|e| malformed(&e))?;
    let inner: Value = serde_json::from_slice(&inner).map_err(|e| malformed(&e))?;
    strict::check(&inner, model).map_err(invalid)?;
    Ok(billing::prompt_tokens(&inner))
}
