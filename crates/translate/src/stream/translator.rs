//! The state machine.

use super::quick::Quick;
use super::sse;
use crate::error::{UpstreamError, classify_event};
use crate::json::{Edits, Index, SyntaxError, Value, quoted};
use crate::noticed::{DroppedKind, Noticed};
use crate::profile::AnswerRules;
use crate::usage::Usage;
use ccag_domain::{Code, Problem, Tokens, ToolCounts};

/// How deep events are indexed: `delta.text` and `message.usage.cache_creation.*`.
const DEPTH: usize = 4;

/// How far a stream has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Phase {
    /// Nothing but `message_start` and pings: another endpoint could still answer instead.
    BeforeContent,
    /// Content has passed.
    Content,
    /// The model has said why it stopped.
    Stopping,
    /// `message_stop` has passed.
    Stopped,
}

/// What the translator is told about the request.
#[derive(Debug, Clone, Default)]
pub struct StreamOptions {
    /// The model as the client asked for it: what `message_start` will say.
    pub model: String,
    /// Whether cache writes that are not broken down were asked for by the hour; see
    /// [`Prepared::writes_1h`](crate::request::Prepared::writes_1h).
    pub writes_1h: bool,
    /// The id that error events carry.
    pub request_id: Option<String>,
    /// What becomes of events, blocks and deltas.
    pub rules: AnswerRules,
}

/// What came of an event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fed {
    /// It was written (or is held back until the next one).
    Passed,
    /// It is an error event. Nothing was written: try elsewhere, or end with [`EndReason::Error`].
    Error(Box<UpstreamError>),
}

/// Why a stream is over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EndReason {
    /// Bedrock closed it.
    Clean,
    /// The connection broke, a frame was damaged, or a deadline passed.
    Cut,
    /// Bedrock said what went wrong.
    Error(Box<UpstreamError>),
}

/// What the client was left with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Finish {
    /// The whole message.
    Complete,
    /// A part of the message and an error event.
    Broken,
}

/// What passed by.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Observed {
    /// Anthropic's id of the message.
    pub message_id: Option<String>,
    /// Why the model stopped.
    pub stop_reason: Option<String>,
    /// How often which tools were called.
    pub tools: ToolCounts,
    /// Bytes of text, thinking and tool input, as JSON spells them.
    pub content_bytes: u64,
    /// Events that were read.
    pub events: u64,
    /// Milliseconds from Bedrock's own metrics: the whole invocation.
    pub invocation_latency_ms: Option<u64>,
    /// Milliseconds from Bedrock's own metrics: to the first byte.
    pub first_byte_latency_ms: Option<u64>,
    /// Whether a guardrail stepped in.
    pub guardrail_intervened: bool,
    /// Keys of Bedrock's own that were taken out.
    pub removed_keys: u32,
    /// What was left out, and what no rule names.
    pub noticed: Noticed,
}

/// Translates one stream.
#[derive(Debug)]
pub struct StreamTranslator {
    quick: Quick,
    options: StreamOptions,
    model_json: String,
    index: Index,
    phase: Phase,
    usage: Usage,
    /// The counts that the client has been shown.
    shown: Usage,
    /// A `message_delta` that waits for counts that may still come with `message_stop`.
    held: Option<String>,
    /// The index of a block that is being left out.
    leaving_out: Option<u64>,
    /// How many blocks were left out: those behind them move up.
    left_out: u64,
    observed: Observed,
}

impl StreamTranslator {
    /// A translator at the beginning of a stream.
    #[must_use]
    pub fn new(options: StreamOptions) -> Self {
        Self {
            quick: Quick::new(&options.rules),
            model_json: quoted(&options.model),
            options,
            index: Index::default(),
            phase: Phase::BeforeContent,
            usage: Usage::default(),
            shown: Usage::default(),
            held: None,
            leaving_out: None,
            left_out: 0,
            observed: Observed::default(),
        }
    }

    /// How far the stream has come.
    #[must_use]
    pub fn phase(&self) -> Phase {
        self.phase
    }

    /// What passed by.
    #[must_use]
    pub fn observed(&self) -> &Observed {
        &self.observed
    }

    /// What the request has used, and whether the output is an estimate: Bedrock's own count comes last, so that of a
    /// stream that was broken off is estimated from what passed.
    #[must_use]
    pub fn tokens(&self) -> (Tokens, bool) {
        let mut tokens = self.usage.tokens(self.options.writes_1h);
        if self.phase >= Phase::Stopping {
            return (tokens, false);
        }
        tokens.output = tokens.output.max(self.observed.content_bytes.div_ceil(4));
        (tokens, true)
    }

    /// Takes in one event as JSON and writes what the client gets.
    ///
    /// # Errors
    /// [`SyntaxError`] if it is not JSON: end the stream with [`EndReason::Cut`].
    pub fn feed(&mut self, event: &[u8], out: &mut Vec<u8>) -> Result<Fed, SyntaxError> {
        // Where a block was left out, or an event is held back, there is more to do.
        if self.left_out == 0
            && self.held.is_none()
            && let Some(bytes) = self.quick.content_bytes(event)
        {
            self.observed.events += 1;
            self.observed.content_bytes += bytes;
            self.phase = self.phase.max(Phase::Content);
            // Its JSON is spelt as Bedrock spells it, and a string holds no line break.
            sse::delta(event, out);
            return Ok(Fed::Passed);
        }
        self.read(event, out)
    }

    /// The same for any event, by an index of its values.
    fn read(&mut self, event: &[u8], out: &mut Vec<u8>) -> Result<Fed, SyntaxError> {
        let text = std::str::from_utf8(event).map_err(|e| SyntaxError {
            what: "invalid UTF-8",
            at: e.valid_up_to(),
        })?;
        let mut index = std::mem::take(&mut self.index);
        let fed = index
            .build(text, DEPTH)
            .map(|()| self.event(text, Value::root(text, &index), out));
        self.index = index;
        fed
    }

    fn event(&mut self, text: &str, root: Value<'_>, out: &mut Vec<u8>) -> Fed {
        self.observed.events += 1;
        let kind = root.get("type").and_then(|t| t.raw_text()).unwrap_or("message");
        if kind == "error" {
            let get = |name: &str| root.get("error").and_then(|e| e.get(name)).and_then(|v| v.text());
            let (kind, message) = (
                get("type").unwrap_or_default(),
                get("message").unwrap_or_default(),
            );
            return Fed::Error(Box::new(classify_event(&kind, &message, &self.options.model)));
        }
        let mut edits = Edits::default();
        self.take_out_bedrocks_own(root, &mut edits);
        let stays = match kind {
            "content_block_delta" => {
                let is_in = self.is_in(root, &mut edits);
                self.delta(root, is_in)
            }
            "content_block_start" => self.block_start(root, &mut edits),
            "content_block_stop" => self.block_stop(root, &mut edits),
            "message_start" => {
                self.message_start(root, &mut edits);
                true
            }
            "message_delta" => {
                self.message_delta(root);
                if self.counts_may_follow() {
                    self.release_held(out);
                    self.held = Some(edits.apply_range(text, 0, text.len()));
                    return Fed::Passed;
                }
                true
            }
            "message_stop" => {
                if let Some(usage) = root.get("usage") {
                    self.usage.anthropic(usage);
                }
                true
            }
            "ping" => true,
            _ => self
                .observed
                .noticed
                .stays(&self.options.rules.events, DroppedKind::Event, kind),
        };
        if !stays {
            return Fed::Passed;
        }
        self.release_held(out);
        if edits.is_empty() {
            sse::event(kind, text.as_bytes(), out);
        } else {
            sse::event(kind, &edits.apply(text), out);
        }
        if kind == "message_stop" {
            self.phase = Phase::Stopped;
        }
        Fed::Passed
    }

    /// Bedrock adds keys of its own at the top of some events.
    fn take_out_bedrocks_own(&mut self, root: Value<'_>, edits: &mut Edits<'_>) {
        let mut removed = Vec::new();
        for (i, (key, value)) in root.members().enumerate() {
            let Some(name) = key.raw_text().and_then(|k| k.strip_prefix("amazon-bedrock-")) else {
                continue;
            };
            removed.push(i);
            self.observed.removed_keys += 1;
            match name {
                "invocationMetrics" => {
                    self.usage.metrics(value);
                    let count = |name: &str| value.get(name).and_then(|v| v.u64());
                    self.observed.invocation_latency_ms = count("invocationLatency");
                    self.observed.first_byte_latency_ms = count("firstByteLatency");
                }
                "guardrailAction" => self.observed.guardrail_intervened |= value.is_text("INTERVENED"),
                _ => {}
            }
        }
        edits.remove_children(root, &removed);
    }

    fn message_start(&mut self, root: Value<'_>, edits: &mut Edits<'_>) {
        let Some(message) = root.get("message") else {
            return;
        };
        self.observed.message_id = message.get("id").and_then(|v| v.text()).map(|id| id.into_owned());
        if let Some(usage) = message.get("usage") {
            self.usage.anthropic(usage);
            self.shown.anthropic(usage);
        }
        if let Some(model) = message.get("model")
            && !self.options.model.is_empty()
            && model.raw() != self.model_json
        {
            edits.replace(model, self.model_json.clone());
        }
    }

    /// Whether the event is of a block that the client gets; its index becomes the client's.
    fn is_in(&self, root: Value<'_>, edits: &mut Edits<'_>) -> bool {
        if self.left_out == 0 {
            return true;
        }
        let Some((value, index)) = root.get("index").and_then(|v| Some((v, v.u64()?))) else {
            return true;
        };
        if self.leaving_out == Some(index) {
            return false;
        }
        edits.replace(value, index.saturating_sub(self.left_out).to_string());
        true
    }

    fn block_start(&mut self, root: Value<'_>, edits: &mut Edits<'_>) -> bool {
        let block = root.get("content_block");
        if let Some(kind) = block.and_then(|b| b.get("type")).and_then(|t| t.text())
            && !self
                .observed
                .noticed
                .stays(&self.options.rules.blocks, DroppedKind::AnswerBlock, &kind)
        {
            self.leaving_out = root.get("index").and_then(|v| v.u64());
            self.left_out += 1;
            return false;
        }
        self.phase = self.phase.max(Phase::Content);
        self.leaving_out = None;
        if let Some(block) = block
            && block.get("type").is_some_and(|t| t.is_text("tool_use"))
            && let Some(name) = block.get("name").and_then(|n| n.text())
        {
            self.observed.tools.called(&name);
        }
        self.is_in(root, edits)
    }

    fn block_stop(&mut self, root: Value<'_>, edits: &mut Edits<'_>) -> bool {
        let is_in = self.is_in(root, edits);
        if !is_in {
            self.leaving_out = None;
        }
        is_in
    }

    /// Counts what a delta brings, also where the client does not get it: it is paid for.
    fn delta(&mut self, root: Value<'_>, is_in: bool) -> bool {
        if is_in {
            self.phase = self.phase.max(Phase::Content);
        }
        let Some(delta) = root.get("delta") else {
            return is_in;
        };
        let mut stays = is_in;
        for (key, value) in delta.members() {
            match (key.raw_text().unwrap_or_default(), value.raw_text()) {
                ("text" | "thinking" | "partial_json", Some(text)) => {
                    self.observed.content_bytes += text.len() as u64;
                }
                ("type", Some(kind)) if is_in => {
                    stays &=
                        self.observed
                            .noticed
                            .stays(&self.options.rules.deltas, DroppedKind::Delta, kind);
                }
                _ => {}
            }
        }
        stays
    }

    fn message_delta(&mut self, root: Value<'_>) {
        if let Some(usage) = root.get("usage") {
            self.usage.anthropic(usage);
            self.shown.anthropic(usage);
        }
        if let Some(reason) = root
            .get("delta")
            .and_then(|d| d.get("stop_reason"))
            .and_then(|r| r.text())
        {
            self.observed.stop_reason = Some(reason.into_owned());
            self.phase = self.phase.max(Phase::Stopping);
        }
    }

    /// Cache counts that the client has not been shown may still come with `message_stop`.
    fn counts_may_follow(&self) -> bool {
        self.shown.cache_read == 0 || self.shown.cache_write == 0
    }

    /// Writes a `message_delta` that was held back, with the cache counts that have become known. A count that is not known
    /// is not written: zeros would overwrite what clients have read before.
    fn release_held(&mut self, out: &mut Vec<u8>) {
        let Some(text) = self.held.take() else { return };
        let mut index = Index::default();
        let mut edits = Edits::default();
        if index.build(&text, 2).is_ok() {
            let root = Value::root(&text, &index);
            let counts = [
                (
                    "cache_creation_input_tokens",
                    self.usage.cache_write,
                    self.shown.cache_write,
                ),
                (
                    "cache_read_input_tokens",
                    self.usage.cache_read,
                    self.shown.cache_read,
                ),
            ];
            let unknown = |usage: Option<Value<'_>>, name: &str| usage.and_then(|u| u.get(name)).is_none();
            let usage = root.get("usage").filter(|u| u.is_object());
            let news: Vec<String> = counts
                .iter()
                .filter(|(name, known, shown)| *known > 0 && shown < known && unknown(usage, name))
                .map(|(name, known, _)| format!("\"{name}\":{known}"))
                .collect();
            match (usage, news.is_empty()) {
                (_, true) => {}
                (Some(usage), false) => edits.append(usage, &news.join(","), !usage.is_empty()),
                (None, false) => edits.append(root, &format!("\"usage\":{{{}}}", news.join(",")), true),
            }
        }
        sse::event("message_delta", &edits.apply(&text), out);
    }

    /// Ends the stream: writes what the client still needs.
    ///
    /// A message whose stop reason has passed is whole, whatever happened then: only `message_stop` is added. Anything less
    /// ends with an error event, so that no client takes a part for the whole.
    pub fn finish(&mut self, reason: &EndReason, out: &mut Vec<u8>) -> Finish {
        self.release_held(out);
        match self.phase {
            Phase::Stopped => return Finish::Complete,
            Phase::Stopping => {
                sse::event("message_stop", br#"{"type":"message_stop"}"#, out);
                self.phase = Phase::Stopped;
                return Finish::Complete;
            }
            Phase::BeforeContent | Phase::Content => {}
        }
        let problem = match reason {
            EndReason::Error(error) => error.in_stream(),
            EndReason::Clean | EndReason::Cut => Problem::new(
                Code::BadUpstream,
                "Bedrock ended the response before it was complete",
            ),
        };
        sse::error_event(&problem, self.options.request_id.as_deref(), out);
        Finish::Broken
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        /// What is read without an index means the same.
        #[test]
        fn both_ways_of_reading_a_delta_agree(
            kind in "(text|thinking|input_json|signature)_delta", key in "(text|thinking|partial_json|signature)",
            text in r#"[a-zé\"n \n]{0,12}"#, index in "[0-9]{1,3}", tail in "(\\}){1,3}",
        ) {
            let event = format!(
                "{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{{\"type\":\"{kind}\",\"{key}\":\"{text}\"{tail}"
            );
            let (mut quick, mut slow) = (Vec::new(), Vec::new());
            let (mut one, mut other) = (
                StreamTranslator::new(StreamOptions::default()),
                StreamTranslator::new(StreamOptions::default()),
            );
            let fed = one.feed(event.as_bytes(), &mut quick);
            prop_assert_eq!(fed, other.read(event.as_bytes(), &mut slow));
            prop_assert_eq!(quick, slow);
            prop_assert_eq!(one.observed(), other.observed());
            prop_assert_eq!(one.phase(), other.phase());
        }
    }
}
