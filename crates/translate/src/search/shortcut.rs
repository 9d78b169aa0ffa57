//! The request that Claude Code makes for its own web search tool, answered from the search alone.
//!
//! Claude Code's tool is a client tool; for each use it sends a request of its own with one message, "Perform a web search
//! for the query: …", and the server tool as the only tool. From the answer it takes the results' titles and addresses
//! and the text, and hands them to the model that waits (Claude Code 2.1.197 and 2.1.330, recorded). The model that the
//! request names has nothing to add to that.

use super::{Merged, SearchTool, assemble, tool};
use crate::json::{Kind, quoted};
use crate::request::Peeked;
use crate::stream::sse;
use ccag_domain::SearchHit;

/// How Claude Code words it.
const WORDS: &str = "Perform a web search for the query: ";

/// Recognises the request and gives the query.
#[must_use]
pub fn shortcut(peeked: &Peeked<'_>) -> Option<String> {
    let root = peeked.root();
    let mut tools = root.get("tools")?.elements();
    let first_is_search = tools.next().is_some_and(tool::is_search);
    if !first_is_search || tools.next().is_some() {
        return None;
    }
    let mut messages = root.get("messages")?.elements();
    let message = messages.next()?;
    if messages.next().is_some() || !message.get("role")?.is_text("user") {
        return None;
    }
    let content = message.get("content")?;
    let text = if content.kind() == Kind::String {
        content.text()?
    } else {
        let mut blocks = content.elements();
        let text = blocks.next()?.get("text")?.text()?;
        if blocks.next().is_some() {
            return None;
        }
        text
    };
    let query = text.strip_prefix(WORDS)?.trim();
    (!query.is_empty()).then(|| query.to_owned())
}

/// The events of a model that searches once and repeats what it found.
#[derive(Debug)]
pub struct Shortcut {
    /// The id of the search, as a model would give it.
    pub id: String,
    /// What to search for.
    pub query: String,
    /// The message's id and model, for its first event.
    pub message_id: String,
    /// The model, in the client's words.
    pub model: String,
}

impl Shortcut {
    /// Begins the message, up to the search.
    pub fn begin(&self, merged: &mut Merged, out: &mut Vec<u8>) {
        let SearchTool { upstream_name, .. } = merged.tool().clone();
        let input = format!("{{\"query\":{}}}", quoted(&self.query));
        let events = [
            ("message_start", self.message_start()),
            (
                "content_block_start",
                format!(
                    "{{\"type\":\"content_block_start\",\"index\":0,\"content_block\":{{\"type\":\"tool_use\",\"id\":{},\
                     \"name\":{},\"input\":{{}}}}}}",
                    quoted(&self.id),
                    quoted(&upstream_name)
                ),
            ),
            (
                "content_block_delta",
                format!(
                    "{{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{{\"type\":\"input_json_delta\",\
                     \"partial_json\":{}}}}}",
                    quoted(&input)
                ),
            ),
            (
                "content_block_stop",
                "{\"type\":\"content_block_stop\",\"index\":0}".to_owned(),
            ),
            ("message_delta", message_delta("tool_use")),
        ];
        feed(merged, &events, out);
    }

    /// Goes on after the search, with what it found in words, up to the end.
    pub fn conclude(&self, merged: &mut Merged, hits: &[SearchHit], out: &mut Vec<u8>) {
        let mut events = vec![("message_start", self.message_start())];
        events.extend(assemble::text_events(0, &in_words(hits)));
        events.push(("message_delta", message_delta("end_turn")));
        feed(merged, &events, out);
    }

    fn message_start(&self) -> String {
        format!(
            "{{\"type\":\"message_start\",\"message\":{{\"id\":{},\"type\":\"message\",\"role\":\"assistant\",\"model\":{},\
             \"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{{\"input_tokens\":0,\
             \"cache_creation_input_tokens\":0,\"cache_read_input_tokens\":0,\"output_tokens\":0}}}}}}",
            quoted(&self.message_id),
            quoted(&self.model)
        )
    }
}

fn message_delta(reason: &str) -> String {
    format!(
        "{{\"type\":\"message_delta\",\"delta\":{{\"stop_reason\":\"{reason}\",\"stop_sequence\":null}},\
         \"usage\":{{\"output_tokens\":0}}}}"
    )
}

fn feed(merged: &mut Merged, events: &[(&'static str, String)], out: &mut Vec<u8>) {
    let mut written = Vec::new();
    for (kind, json) in events {
        sse::event(kind, json.as_bytes(), &mut written);
    }
    merged.feed(&written, out);
}

/// The results as text.
fn in_words(hits: &[SearchHit]) -> String {
    if hits.is_empty() {
        return "The search found nothing.".to_owned();
    }
    let one = |(i, hit): (usize, &SearchHit)| {
        let age = hit
            .age
            .as_ref()
            .map(|age| format!(" ({age})"))
            .unwrap_or_default();
        let text = if hit.text.is_empty() {
            String::new()
        } else {
            format!("\n{}", hit.text)
        };
        format!("{}. {}{age}\n{}{text}", i + 1, hit.title, hit.url)
    };
    let all: Vec<String> = hits.iter().enumerate().map(one).collect();
    all.join("\n\n")
}
