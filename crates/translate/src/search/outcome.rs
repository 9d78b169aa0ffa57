//! What a search gives: the block that the client sees, the text that the model reads, and the way back from the one to
//! the other.

use super::{client_id, upstream_id};
use crate::json::{Value, quoted};
use ccag_domain::{SealKey, SearchHit};
use std::borrow::Cow;

/// Why a search gave nothing, in the codes of Anthropic's API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum SearchError {
    /// The search service answers too many requests at the moment.
    TooManyRequests,
    /// There is no usable query.
    InvalidToolInput,
    /// The query is longer than the service takes.
    QueryTooLong,
    /// The request has had all the searches that its tool allows.
    MaxUsesExceeded,
    /// The search service does not work.
    Unavailable,
}

impl SearchError {
    const ALL: [Self; 5] = [
        Self::TooManyRequests,
        Self::InvalidToolInput,
        Self::QueryTooLong,
        Self::MaxUsesExceeded,
        Self::Unavailable,
    ];

    /// The code (Anthropic, "Web search tool", errors).
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::TooManyRequests => "too_many_requests",
            Self::InvalidToolInput => "invalid_tool_input",
            Self::QueryTooLong => "query_too_long",
            Self::MaxUsesExceeded => "max_uses_exceeded",
            Self::Unavailable => "unavailable",
        }
    }

    /// What the model is told. A part of signed conversations: never change a word.
    const fn text(self) -> &'static str {
        match self {
            Self::TooManyRequests => {
                "The search was not carried out: the search service is being asked too often. Try again later."
            }
            Self::InvalidToolInput => {
                "The search was not carried out: the query is missing or cannot be used."
            }
            Self::QueryTooLong => "The search was not carried out: the query is too long. Use a shorter one.",
            Self::MaxUsesExceeded => {
                "The search was not carried out: no more searches are allowed. Answer with what is known."
            }
            Self::Unavailable => "The search was not carried out: the search service is not available.",
        }
    }
}

/// What a search gave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SearchOutcome {
    /// These results; none is a result, too.
    Hits(Vec<SearchHit>),
    /// Nothing.
    Failed(SearchError),
}

/// What the model reads when there are no results. A part of signed conversations: never change a word.
const NO_RESULTS: &str = "The search found nothing.";

/// What the model reads when the conversation does not say what a search gave. Never change a word.
const INTERRUPTED: &str = "The search was interrupted and gave no results.";

/// What the model is given, as a content block.
fn upstream_block(hit: &SearchHit) -> String {
    let title = if hit.title.trim().is_empty() {
        &hit.url
    } else {
        &hit.title
    };
    let mut text = hit
        .age
        .as_ref()
        .map(|age| format!("({age}) "))
        .unwrap_or_default();
    text.push_str(if hit.text.trim().is_empty() {
        title
    } else {
        &hit.text
    });
    format!(
        "{{\"type\":\"search_result\",\"source\":{},\"title\":{},\"content\":[{{\"type\":\"text\",\"text\":{}}}],\
         \"citations\":{{\"enabled\":true}}}}",
        quoted(&hit.url),
        quoted(title),
        quoted(&text)
    )
}

/// Binds a sealed result to the search, and to its place in it.
fn context(upstream_id: &str, at: usize, count: usize) -> Vec<u8> {
    format!("search result {at}/{count} of {upstream_id}").into_bytes()
}

/// The `web_search_tool_result` block that the client gets for the call with this id of the model's.
pub(super) fn client_block(upstream: &str, outcome: &SearchOutcome, key: &SealKey) -> String {
    let content = match outcome {
        SearchOutcome::Failed(error) => format!(
            "{{\"type\":\"web_search_tool_result_error\",\"error_code\":\"{}\"}}",
            error.as_str()
        ),
        SearchOutcome::Hits(hits) => {
            let one = |(at, hit): (usize, &SearchHit)| {
                let sealed = key.seal(&context(upstream, at, hits.len()), upstream_block(hit).as_bytes());
                format!(
                    "{{\"type\":\"web_search_result\",\"title\":{},\"url\":{},\"encrypted_content\":\"{}\",\"page_age\":{}}}",
                    quoted(&hit.title),
                    quoted(&hit.url),
                    base64_simd::STANDARD.encode_to_string(sealed),
                    hit.age.as_deref().map_or_else(|| "null".to_owned(), quoted)
                )
            };
            let all: Vec<String> = hits.iter().enumerate().map(one).collect();
            format!("[{}]", all.join(","))
        }
    };
    format!(
        "{{\"type\":\"web_search_tool_result\",\"tool_use_id\":{},\"content\":{content}}}",
        quoted(&client_id(upstream))
    )
}

/// The `tool_result` block for a `web_search_tool_result` that the client sends back: exactly what the model was given if
/// the results are sealed by us, else what can be read of them. `extra` is what else the block has, beginning with a comma.
pub(super) fn tool_result(block: Value<'_>, key: Option<&SealKey>, extra: &str) -> String {
    let id = block
        .get("tool_use_id")
        .and_then(|v| v.text())
        .unwrap_or_default();
    let id = upstream_id(&id);
    let content = block.get("content");
    let code = content.and_then(|c| c.get("error_code")).and_then(|c| c.text());
    if let Some(code) = code {
        let error = SearchError::ALL.into_iter().find(|e| e.as_str() == code);
        return failed_result(id, error.unwrap_or(SearchError::Unavailable).text(), extra);
    }
    let results: Vec<Value<'_>> = content.into_iter().flat_map(Value::elements).collect();
    let content = if results.is_empty() {
        quoted(NO_RESULTS)
    } else {
        key.and_then(|key| opened(id, &results, key))
            .unwrap_or_else(|| quoted(&readable(&results)))
    };
    format!(
        "{{\"type\":\"tool_result\",\"tool_use_id\":{},\"content\":{content}{extra}}}",
        quoted(id)
    )
}

/// The `tool_result` block for a search whose result the conversation does not hold.
pub(super) fn interrupted(client_id: &str) -> String {
    failed_result(upstream_id(client_id), INTERRUPTED, "")
}

fn failed_result(id: &str, text: &str, extra: &str) -> String {
    format!(
        "{{\"type\":\"tool_result\",\"tool_use_id\":{},\"content\":{},\"is_error\":true{extra}}}",
        quoted(id),
        quoted(text)
    )
}

/// What is sealed in the results; `None` if any is not ours, or not in its place.
fn opened(id: &str, results: &[Value<'_>], key: &SealKey) -> Option<String> {
    let mut blocks = Vec::with_capacity(results.len());
    for (at, result) in results.iter().enumerate() {
        let sealed = result.get("encrypted_content")?.text()?;
        let sealed = base64_simd::STANDARD.decode_to_vec(sealed.as_bytes()).ok()?;
        let block = key.open(&context(id, at, results.len()), &sealed)?;
        blocks.push(String::from_utf8(block.to_vec()).ok()?);
    }
    Some(format!("[{}]", blocks.join(",")))
}

/// Results of somebody else's search, as far as they can be read.
fn readable(results: &[Value<'_>]) -> String {
    let lines: Vec<String> = results
        .iter()
        .enumerate()
        .map(|(i, r)| format!("{}. {}\n{}", i + 1, field(*r, "title"), field(*r, "url")))
        .collect();
    format!("Results of an earlier search:\n\n{}", lines.join("\n\n"))
}

fn field<'v>(result: Value<'v>, name: &str) -> Cow<'v, str> {
    result.get(name).and_then(|v| v.text()).unwrap_or_default()
}

/// A result that has no call, or stands where none can, as a block of text.
pub(crate) fn as_text(block: Value<'_>) -> String {
    let results: Vec<Value<'_>> = block
        .get("content")
        .into_iter()
        .flat_map(Value::elements)
        .collect();
    let text = if results.is_empty() {
        NO_RESULTS.to_owned()
    } else {
        readable(&results)
    };
    format!("{{\"type\":\"text\",\"text\":{}}}", quoted(&text))
}
