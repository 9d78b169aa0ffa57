//! Guardrails: as headers of `InvokeModel`, and as `ApplyGuardrail` calls around the lanes that have none of their own.

use super::super::attempt::{Bedrock, collect};
use super::super::fault::Fault;
use super::super::job::Job;
use super::super::{Call, Operation};
use crate::conversation::ConversationKey;
use bytes::Bytes;
use ccag_domain::routing::Candidate;
use ccag_domain::{Code, Guardrail, GuardrailTrace, Lane, Problem, Subject};
use ccag_translate::stream::SseReader;
use http::{HeaderName, HeaderValue};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// The name of the fault that sends a request to `InvokeModel`: there a guardrail can mask the prompt, here it cannot.
pub(crate) const NEEDS_INVOKE_MODEL: &str = "GuardrailNeedsInvokeModel";

/// The name of a guardrail's refusal in records and metrics.
pub(crate) const INTERVENED: &str = "GuardrailIntervened";

/// So much text goes into one call: text units of 1,000 characters, of which a call may have 25 by default (Amazon Bedrock
/// quotas, "On-demand ApplyGuardrail").
const CALL_CHARS: usize = 20_000;

/// So much is looked at again where a long text was cut, so that no phrase hides in the cut.
const OVERLAP_CHARS: usize = 200;

/// The most that an answer of `ApplyGuardrail` may have.
const ANSWER_BYTES: usize = 1 << 20;

/// The headers by which `InvokeModel` applies a guardrail (Amazon Bedrock API reference, "InvokeModel").
///
/// # Errors
/// [`Code::PolicyBlocked`] if the guardrail has no name that a header can hold.
pub(crate) fn headers(guardrail: &Guardrail) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
    let value = |text: &str| {
        let unusable =
            "the guardrail that requests must pass has no usable name; an administrator has to correct it";
        HeaderValue::from_str(text).map_err(|_| Problem::new(Code::PolicyBlocked, unusable))
    };
    let trace = match guardrail.trace {
        GuardrailTrace::Disabled => "DISABLED",
        GuardrailTrace::Enabled => "ENABLED",
        GuardrailTrace::EnabledFull => "ENABLED_FULL",
    };
    Ok(vec![
        (
            HeaderName::from_static("x-amzn-bedrock-guardrailidentifier"),
            value(&guardrail.id)?,
        ),
        (
            HeaderName::from_static("x-amzn-bedrock-guardrailversion"),
            value(&guardrail.version)?,
        ),
        (
            HeaderName::from_static("x-amzn-bedrock-trace"),
            HeaderValue::from_static(trace),
        ),
    ])
}

/// The suffix of the tags around what a guardrail is to look at: the same for all turns of a conversation on every data
/// plane, since the tags stand in the history; and made of something that no client knows, since a client that knew it
/// could close the tag.
pub(crate) fn suffix(epoch: &str, guardrail: &Guardrail, conversation: &ConversationKey) -> String {
    let mut hash = Sha256::new();
    for part in ["guardrail tag", epoch, &guardrail.id] {
        hash.update(part.as_bytes());
        hash.update([0]);
    }
    hash.update(conversation.bytes());
    let digest = hash.finalize();
    digest[..10].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bedrock's own guardrail refused the prompt, in its own words.
pub(crate) fn blocked(message: &str) -> Fault {
    let message = if message.is_empty() {
        "blocked by a guardrail of this gateway"
    } else {
        message
    };
    Fault {
        reached: true,
        ..Fault::refused_here(INTERVENED, Problem::new(Code::PolicyBlocked, message))
    }
}

/// Looks at the prompt before a lane without guardrails is asked: at what the model will read, not at what the client wrote,
/// in which the results of earlier searches are sealed.
///
/// What has passed once is not looked at again: the history comes back with every turn.
pub(crate) async fn check_input(
    bedrock: &Bedrock,
    candidate: &Candidate,
    guardrail: &Guardrail,
    job: &Job,
) -> Result<(), Fault> {
    let Ok(body) = serde_json::from_slice::<Value>(&job.body.whole()) else {
        // Nested more deeply than is read here.
        return Err(needs_invoke_model(
            "the guardrail cannot be applied to this request here",
        ));
    };
    let texts: Vec<String> = prompt_texts(&body, !guardrail.tag_input)
        .into_iter()
        .flat_map(pieces)
        .collect();
    let digest = |text: &str| -> [u8; 32] {
        let mut hash = Sha256::new();
        for part in [
            &guardrail.id,
            &guardrail.version,
            candidate.endpoint.id.as_str(),
            text,
        ] {
            hash.update(part.as_bytes());
            hash.update([0]);
        }
        hash.finalize().into()
    };
    let unknown = texts
        .iter()
        .filter(|text| !bedrock.lanes.passed.contains_key(&digest(text)));
    let mut batch: Vec<&str> = Vec::new();
    let mut batches = Vec::new();
    let mut chars = 0;
    for text in unknown {
        let length = text.chars().count();
        if chars + length > CALL_CHARS && !batch.is_empty() {
            batches.push(std::mem::take(&mut batch));
            chars = 0;
        }
        chars += length;
        batch.push(text);
    }
    if !batch.is_empty() {
        batches.push(batch);
    }
    for batch in batches {
        let subject = job.lane.subject.as_deref();
        match apply(bedrock, (candidate, subject), guardrail, "INPUT", &batch).await? {
            Verdict::Passed => {
                for text in batch {
                    bedrock.lanes.passed.insert(digest(text), ());
                }
            }
            Verdict::Blocked(message) => {
                bedrock.metrics.guardrail("input", candidate.lane);
                return Err(blocked(&message));
            }
            Verdict::Masked(_) => {
                return Err(needs_invoke_model("the guardrail masks a part of this request"));
            }
        }
    }
    Ok(())
}

fn needs_invoke_model(reason: &str) -> Fault {
    Fault::refused_here(NEEDS_INVOKE_MODEL, Problem::new(Code::Overloaded, reason))
}

/// Looks at a whole answer of a lane without guardrails. Returns what the client gets instead, if the guardrail stepped in.
pub(crate) async fn check_output(
    bedrock: &Bedrock,
    candidate: &Candidate,
    guardrail: &Guardrail,
    job: &Job,
    body: &[u8],
) -> Result<Option<Bytes>, Fault> {
    let Ok(mut answer) = serde_json::from_slice::<Value>(body) else {
        return Err(unavailable(Fault::cut(
            "the answer is nested too deeply to be looked at",
        )));
    };
    let texts: Vec<String> = answer_texts(&answer).into_iter().flat_map(pieces).collect();
    for text in &texts {
        let to = (candidate, job.lane.subject.as_deref());
        let instead = match apply(bedrock, to, guardrail, "OUTPUT", &[text]).await? {
            Verdict::Passed => continue,
            // Masks are only as long as one call: a longer answer is replaced by what is left of the part at fault.
            Verdict::Blocked(instead) | Verdict::Masked(instead) => instead,
        };
        bedrock.metrics.guardrail("output", candidate.lane);
        answer["content"] = json!([{"type": "text", "text": instead}]);
        answer["stop_reason"] = json!("end_turn");
        return Ok(Some(Bytes::from(answer.to_string())));
    }
    Ok(None)
}

/// What `ApplyGuardrail` says.
#[derive(Debug, PartialEq, Eq)]
enum Verdict {
    Passed,
    /// With the guardrail's message.
    Blocked(String),
    /// With what is left.
    Masked(String),
}

async fn apply(
    bedrock: &Bedrock,
    (candidate, subject): (&Candidate, Option<&Subject>),
    guardrail: &Guardrail,
    source: &str,
    texts: &[&str],
) -> Result<Verdict, Fault> {
    let content: Vec<Value> = texts.iter().map(|text| json!({"text": {"text": text}})).collect();
    let call = Call {
        endpoint: &candidate.endpoint,
        model: &guardrail.id,
        operation: Operation::ApplyGuardrail {
            version: &guardrail.version,
        },
        subject,
        headers: Vec::new(),
        body: Bytes::from(json!({"source": source, "content": content}).to_string()).into(),
    };
    let reply = bedrock
        .upstream
        .call(call)
        .await
        .map_err(|error| unavailable(Fault::of_call(&error)))?;
    let (status, headers) = (reply.status, reply.headers);
    let body = collect(reply.body, ANSWER_BYTES)
        .await
        .map_err(|detail| unavailable(Fault::cut(&detail)))?;
    if !status.is_success() {
        return Err(unavailable(Fault::of_refusal(status, &headers, &body, "", 0)));
    }
    verdict(&body).ok_or_else(|| unavailable(Fault::cut("an answer of ApplyGuardrail cannot be read")))
}

/// Reads an answer (Amazon Bedrock API reference, "ApplyGuardrail").
fn verdict(body: &[u8]) -> Option<Verdict> {
    let body: Value = serde_json::from_slice(body).ok()?;
    let outputs = body["outputs"].as_array().into_iter().flatten();
    let texts: Vec<&str> = outputs.filter_map(|output| output["text"].as_str()).collect();
    match body["action"].as_str()? {
        "NONE" => Some(Verdict::Passed),
        // Without an assessment that says otherwise it is a block.
        _ if is_mask(&body["assessments"]) => Some(Verdict::Masked(texts.join("\n"))),
        _ => Some(Verdict::Blocked(texts.join("\n"))),
    }
}

/// Whether something was masked and nothing blocked.
fn is_mask(assessments: &Value) -> bool {
    let text = assessments.to_string();
    text.contains("\"ANONYMIZED\"") && !text.contains("\"BLOCKED\"")
}

/// A guardrail that cannot be applied: nothing goes without it. The model was not asked.
fn unavailable(fault: Fault) -> Fault {
    let mut fault = fault;
    fault.error.problem = Problem::new(
        Code::Overloaded,
        "the guardrail that requests must pass could not be applied; try again in a moment",
    )
    .retry_after(5);
    fault.error.retry = ccag_translate::error::Retry::NextEndpoint;
    fault.error.health = ccag_translate::error::Health::Fine;
    fault
}

/// What users and tools have said, and the system prompt if everything is to be looked at.
fn prompt_texts(body: &Value, everything: bool) -> Vec<&str> {
    let mut texts = Vec::new();
    if everything {
        block_texts(&body["system"], &mut texts);
    }
    for message in body["messages"].as_array().into_iter().flatten() {
        if everything || message["role"] == "user" {
            block_texts(&message["content"], &mut texts);
        }
    }
    texts
}

fn block_texts<'v>(content: &'v Value, texts: &mut Vec<&'v str>) {
    match content {
        Value::String(text) if !text.is_empty() => texts.push(text),
        Value::Array(blocks) => {
            for block in blocks {
                if let Some(text) = block["text"].as_str().filter(|text| !text.is_empty()) {
                    texts.push(text);
                }
                let parts: &[&str] = match block["type"].as_str() {
                    Some("tool_result") => &["/content"],
                    Some("search_result") => &["/title", "/content"],
                    Some("document") if block["source"]["type"] == "text" => {
                        &["/title", "/context", "/source/data"]
                    }
                    Some("document") => &["/title", "/context", "/source/content"],
                    _ => &[],
                };
                for part in parts.iter().filter_map(|part| block.pointer(part)) {
                    block_texts(part, texts);
                }
            }
        }
        _ => {}
    }
}

/// What an answer says: its text, and what it wants tools to be given.
fn answer_texts(answer: &Value) -> Vec<String> {
    let blocks = answer["content"].as_array().into_iter().flatten();
    let text = |block: &Value| match block["type"].as_str() {
        Some("text") => block["text"].as_str().map(str::to_owned),
        Some("tool_use") => Some(block["input"].to_string()),
        _ => None,
    };
    blocks.filter_map(text).filter(|text| !text.is_empty()).collect()
}

/// Cuts a text into parts that fit into one call, each beginning a little before the end of the one before.
fn pieces(text: impl AsRef<str>) -> Vec<String> {
    let text = text.as_ref();
    if text.len() <= CALL_CHARS {
        return vec![text.to_owned()];
    }
    let chars: Vec<char> = text.chars().collect();
    let step = CALL_CHARS - OVERLAP_CHARS;
    let starts = (0..chars.len()).step_by(step);
    let piece = |start: usize| chars[start..chars.len().min(start + CALL_CHARS)].iter().collect();
    // The last part may lie within the overlap of the one before it.
    starts
        .take_while(|start| *start == 0 || start + OVERLAP_CHARS < chars.len())
        .map(piece)
        .collect()
}

/// The text that a stream carries, as it was written for the client.
pub(crate) fn text_of_stream(events: &[u8]) -> String {
    let mut reader = SseReader::new();
    reader.push(events);
    let mut text = String::new();
    while let Ok(Some(data)) = reader.next() {
        let event: Value = serde_json::from_slice(data).unwrap_or(Value::Null);
        text.push_str(event["delta"]["text"].as_str().unwrap_or_default());
    }
    text
}

/// Whether a request through this lane is looked at by calls of our own.
pub(crate) const fn is_applied_here(lane: Lane) -> bool {
    !matches!(lane, Lane::InvokeModel)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_text_is_looked_at_whole_and_across_every_cut() {
        let text: String = ('a'..='z').cycle().take(50_123).collect();
        let parts = pieces(&text);
        assert!(parts.iter().all(|part| part.chars().count() <= CALL_CHARS));
        let mut whole = parts[0].clone();
        for part in &parts[1..] {
            assert!(whole.ends_with(&part[..OVERLAP_CHARS]));
            whole.push_str(&part[OVERLAP_CHARS..]);
        }
        assert_eq!(whole, text);
        assert_eq!(pieces("short"), ["short"]);
    }

    #[test]
    fn what_a_guardrail_says_is_read() {
        let read = |body: Value| verdict(body.to_string().as_bytes());
        assert_eq!(
            read(json!({"action": "NONE", "outputs": []})),
            Some(Verdict::Passed)
        );
        assert_eq!(
            read(
                json!({"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "no"}],
                "assessments": [{"wordPolicy": {"customWords": [{"action": "BLOCKED"}]}}]})
            ),
            Some(Verdict::Blocked("no".into()))
        );
        assert_eq!(
            read(
                json!({"action": "GUARDRAIL_INTERVENED", "outputs": [{"text": "{NAME}"}],
                "assessments": [{"sensitiveInformationPolicy": {"piiEntities": [{"action": "ANONYMIZED"}]}}]})
            ),
            Some(Verdict::Masked("{NAME}".into()))
        );
        assert_eq!(read(json!({})), None);
    }

    #[test]
    fn texts_are_found_where_users_and_tools_speak() {
        let body = json!({"system": "s", "messages": [
            {"role": "user", "content": "a"},
            {"role": "assistant", "content": [{"type": "text", "text": "b"}]},
            {"role": "user", "content": [{"type": "tool_result", "content": [{"type": "text", "text": "c"}]},
                {"type": "tool_result", "content": "d"}, {"type": "text", "text": "e"}]}]});
        assert_eq!(prompt_texts(&body, false), ["a", "c", "d", "e"]);
        assert_eq!(prompt_texts(&body, true), ["s", "a", "b", "c", "d", "e"]);
    }

    #[test]
    fn texts_are_found_in_search_results_and_documents() {
        let found = json!({"type": "search_result", "source": "u", "title": "a", "content": [{"type": "text", "text": "b"}]});
        let document =
            |title: &str, source: Value| json!({"type": "document", "title": title, "source": source});
        let body = json!({"messages": [{"role": "user", "content": [
            {"type": "tool_result", "content": [found]},
            document("c", json!({"type": "text", "media_type": "text/plain", "data": "d"})),
            document("e", json!({"type": "content", "content": [{"type": "text", "text": "f"}]})),
            document("g", json!({"type": "base64", "media_type": "application/pdf", "data": "AAAA"}))]}]});
        assert_eq!(prompt_texts(&body, false), ["a", "b", "c", "d", "e", "f", "g"]);
    }
}
