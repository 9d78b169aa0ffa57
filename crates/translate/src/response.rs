//! Answers that are not streamed.

use crate::json::{Doc, Edits, Value, quoted};
use crate::noticed::{DroppedKind, Noticed};
use crate::profile::AnswerRules;
use crate::usage::Usage;
use ccag_domain::{Code, Problem, Tokens, ToolCounts};

/// Counts that Bedrock gives in headers (`x-amzn-bedrock-input-token-count` and its like).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HeaderCounts {
    /// `x-amzn-bedrock-input-token-count`.
    pub input: Option<u64>,
    /// `x-amzn-bedrock-output-token-count`.
    pub output: Option<u64>,
    /// `x-amzn-bedrock-cache-read-input-token-count`.
    pub cache_read: Option<u64>,
    /// `x-amzn-bedrock-cache-write-input-token-count`.
    pub cache_write: Option<u64>,
}

/// An answer for the client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Translated {
    /// The body.
    pub body: Vec<u8>,
    /// What the request used.
    pub tokens: Tokens,
    /// Anthropic's id of the message.
    pub message_id: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// How often which tools were called.
    pub tools: ToolCounts,
    /// What a guardrail did.
    pub guardrail: GuardrailOutcome,
    /// Blocks that were left out, or that no rule names.
    pub noticed: Noticed,
}

/// What Bedrock's own guardrail did to a whole answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum GuardrailOutcome {
    /// There was none, or it found nothing.
    #[default]
    Passed,
    /// It blocked the prompt: the answer is the guardrail's message and the model was not asked.
    InputBlocked,
    /// It stepped into the answer.
    OutputBlocked,
}

/// Gives the model back as the client asked for it, takes out Bedrock's own keys and the blocks that the rules leave out,
/// completes the cache counts and reads the usage. Everything else passes as it came.
///
/// # Errors
/// A [`Problem`] if the body is not a message.
pub fn translate(
    body: &[u8],
    asked_model: &str,
    counts: HeaderCounts,
    writes_1h: bool,
    rules: &AnswerRules,
) -> Result<Translated, Problem> {
    let unusable = || Problem::new(Code::BadUpstream, "Bedrock's answer is not a message");
    let text = std::str::from_utf8(body).map_err(|_| unusable())?;
    let doc = Doc::parse(text, 4).map_err(|_| unusable())?;
    let root = doc.root();
    if !root.get("type").is_some_and(|t| t.is_text("message")) {
        return Err(unusable());
    }
    let mut edits = Edits::default();
    let mut usage = Usage::default();
    let mut removed = Vec::new();
    let mut intervened = false;
    let mut traced = None;
    for (i, (key, value)) in root.members().enumerate() {
        match key.raw_text().unwrap_or_default() {
            "model" if !value.is_text(asked_model) => edits.replace(value, quoted(asked_model)),
            "usage" => {
                usage.anthropic(value);
                complete(value, counts, &mut edits);
            }
            name => {
                if let Some(own) = name.strip_prefix("amazon-bedrock-") {
                    removed.push(i);
                    match own {
                        "invocationMetrics" => usage.metrics(value),
                        "guardrailAction" => intervened = value.is_text("INTERVENED"),
                        "trace" => traced = value.get("guardrail"),
                        _ => {}
                    }
                }
            }
        }
    }
    edits.remove_children(root, &removed);
    let mut noticed = Noticed::default();
    if let Some(content) = root.get("content") {
        let mut left_out = Vec::new();
        for (i, block) in content.elements().enumerate() {
            let Some(kind) = block.get("type").and_then(|t| t.text()) else {
                continue;
            };
            if !noticed.stays(&rules.blocks, DroppedKind::AnswerBlock, &kind) {
                left_out.push(i);
            }
        }
        edits.remove_children(content, &left_out);
    }
    usage.input = usage.input.max(counts.input.unwrap_or(0));
    usage.output = usage.output.max(counts.output.unwrap_or(0));
    usage.cache_read = usage.cache_read.max(counts.cache_read.unwrap_or(0));
    usage.cache_write = usage.cache_write.max(counts.cache_write.unwrap_or(0));
    let string = |name: &str| {
        root.get(name)
            .and_then(|v| v.text())
            .map(std::borrow::Cow::into_owned)
    };
    Ok(Translated {
        tokens: usage.tokens(writes_1h),
        message_id: string("id"),
        stop_reason: string("stop_reason"),
        tools: tools(root),
        guardrail: outcome(intervened, traced, usage.output),
        noticed,
        body: edits.apply(text),
    })
}

/// Whether it was the prompt: the trace says so where there is one; without it, an answer for which the model wrote nothing.
fn outcome(intervened: bool, traced: Option<Value<'_>>, output_tokens: u64) -> GuardrailOutcome {
    let has = |name: &str| traced.and_then(|t| t.get(name)).is_some_and(|v| !v.is_empty());
    match (intervened, has("input"), has("outputs")) {
        (false, ..) => GuardrailOutcome::Passed,
        (true, true, false) => GuardrailOutcome::InputBlocked,
        (true, false, false) if output_tokens == 0 => GuardrailOutcome::InputBlocked,
        (true, ..) => GuardrailOutcome::OutputBlocked,
    }
}

/// The text of a message, as far as it can be shown; for an answer that is a guardrail's message.
#[must_use]
pub fn text_of(body: &[u8]) -> String {
    let Ok(text) = std::str::from_utf8(body) else {
        return String::new();
    };
    let Ok(doc) = Doc::parse(text, 4) else {
        return String::new();
    };
    let blocks = doc.root().get("content").into_iter().flat_map(Value::elements);
    let texts: Vec<_> = blocks
        .filter_map(|block| block.get("text")?.text())
        .filter(|text| !text.is_empty())
        .collect();
    texts.join("\n")
}

/// Adds cache counts that only the headers tell. Zeros tell nothing.
fn complete(usage: Value<'_>, counts: HeaderCounts, edits: &mut Edits<'_>) {
    let missing: Vec<String> = [
        ("cache_creation_input_tokens", counts.cache_write),
        ("cache_read_input_tokens", counts.cache_read),
    ]
    .into_iter()
    .filter_map(|(name, count)| Some((name, count.filter(|n| *n > 0)?)))
    .filter(|(name, _)| usage.get(name).is_none())
    .map(|(name, count)| format!("\"{name}\":{count}"))
    .collect();
    if !missing.is_empty() && usage.is_object() {
        edits.append(usage, &missing.join(","), !usage.is_empty());
    }
}

/// How often which tools were called.
fn tools(root: Value<'_>) -> ToolCounts {
    let mut tools = ToolCounts::default();
    for block in root.get("content").into_iter().flat_map(Value::elements) {
        if block.get("type").is_some_and(|t| t.is_text("tool_use"))
            && let Some(name) = block.get("name").and_then(|n| n.text())
        {
            tools.called(&name);
        }
    }
    tools
}
