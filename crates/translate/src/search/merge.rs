//! Several calls of the model and the searches between them, as one message.
//!
//! What comes in are the events that [`StreamTranslator`](crate::stream::StreamTranslator) writes for a client, call by
//! call; what goes out are the events of one message, each as soon as it is there. The message's blocks are kept, in the
//! form in which the client will send them back: they make up the next call, and the answer of a client that does not
//! stream.

use super::assemble::Open;
use super::outcome::{SearchError, SearchOutcome, client_block};
use super::{SearchTool, citations, client_id, upstream_id};
use crate::json::{Doc, Edits, Index, Value, quoted};
use crate::stream::sse;
use crate::usage::Usage;
use ccag_domain::SealKey;
use std::collections::HashMap;

/// How deep events are indexed: `message.usage.cache_creation.*`, `delta.citation.*`.
const DEPTH: usize = 4;

/// How many calls of the model one message is made of at most; it then ends with `pause_turn`, and the client can let it
/// go on (Anthropic, "Server tools", `pause_turn`).
const MAX_CALLS: u32 = 10;

/// The longest query that is put to a search service, in characters.
const MAX_QUERY: usize = 1_000;

/// A search that the model wants.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchCall {
    /// The model's id of the call.
    pub id: String,
    /// What to search for, or why nothing can be.
    pub query: Result<String, SearchError>,
}

/// What to do when a call of the model has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// Carry out these searches, report each with [`Merged::result`], then ask [`Merged::goes_on`].
    Search(Vec<SearchCall>),
    /// The message is complete: [`Merged::finish`].
    Finish,
}

/// The message.
#[derive(Debug)]
pub struct Merged {
    tool: SearchTool,
    key: SealKey,
    index: Index,
    /// The `message` of the first `message_start`.
    message: Option<String>,
    /// The last `message_delta`, which is not written before the end.
    last_delta: Option<String>,
    stop_reason: Option<String>,
    /// The client's index of the next block.
    next_index: u64,
    /// From the present call's indexes to the client's, and the blocks that are open.
    blocks: HashMap<u64, (u64, Open)>,
    /// Finished blocks.
    content: Vec<String>,
    /// Searches of the present call.
    wanted: Vec<SearchCall>,
    /// Whether the present call uses tools of the client's.
    client_tools: bool,
    calls: u32,
    /// Searches that were begun, as `max_uses` counts them.
    uses: u64,
    /// Searches that gave something, as they are billed.
    searches: u32,
    /// The present call's counts, and those of the calls before.
    usage: Usage,
    spent: Usage,
}

impl Merged {
    /// A message that has not begun.
    #[must_use]
    pub fn new(tool: SearchTool, key: SealKey) -> Self {
        Self {
            tool,
            key,
            index: Index::default(),
            message: None,
            last_delta: None,
            stop_reason: None,
            next_index: 0,
            blocks: HashMap::new(),
            content: Vec::new(),
            wanted: Vec::new(),
            client_tools: false,
            calls: 0,
            uses: 0,
            searches: 0,
            usage: Usage::default(),
            spent: Usage::default(),
        }
    }

    /// The tool that the client asked for.
    #[must_use]
    pub fn tool(&self) -> &SearchTool {
        &self.tool
    }

    /// The message's blocks so far, as the client would send them back.
    #[must_use]
    pub fn content(&self) -> &[String] {
        &self.content
    }

    /// Searches that gave something.
    #[must_use]
    pub fn searches(&self) -> u32 {
        self.searches
    }

    /// Takes in whole server-sent events of one call and writes what the client gets.
    pub fn feed(&mut self, events: &[u8], out: &mut Vec<u8>) {
        let mut rest = events;
        while let Some(end) = memchr::memmem::find(rest, b"\n\n") {
            let (event, after) = rest.split_at(end);
            rest = &after[2..];
            self.feed_one(event, out);
        }
    }

    fn feed_one(&mut self, event: &[u8], out: &mut Vec<u8>) {
        let lines = std::str::from_utf8(event).ok().and_then(|text| {
            let (first, data) = text.split_once("\ndata: ")?;
            Some((first.strip_prefix("event: ")?, data))
        });
        let mut index = std::mem::take(&mut self.index);
        match lines {
            Some((kind, data)) if index.build(data, DEPTH).is_ok() => {
                self.event(kind, data, Value::root(data, &index), out);
            }
            _ => {
                out.extend_from_slice(event);
                out.extend_from_slice(b"\n\n");
            }
        }
        self.index = index;
    }

    fn event(&mut self, kind: &str, data: &str, root: Value<'_>, out: &mut Vec<u8>) {
        match kind {
            "message_start" => {
                let message = root.get("message");
                if let Some(usage) = message.and_then(|m| m.get("usage")) {
                    self.usage.anthropic(usage);
                }
                self.calls += 1;
                if self.message.is_none() {
                    self.message = Some(message.map_or("{}", |m| m.raw()).to_owned());
                    sse::event(kind, data.as_bytes(), out);
                }
            }
            "message_delta" => {
                if let Some(usage) = root.get("usage") {
                    self.usage.anthropic(usage);
                }
                let reason = root.get("delta").and_then(|d| d.get("stop_reason"));
                self.stop_reason = reason.and_then(|r| r.text()).map(std::borrow::Cow::into_owned);
                self.last_delta = Some(data.to_owned());
            }
            "message_stop" => {}
            "content_block_start" => self.block_start(data, root, out),
            "content_block_delta" => self.block_delta(data, root, out),
            "content_block_stop" => self.block_stop(data, root, out),
            _ => sse::event(kind, data.as_bytes(), out),
        }
    }

    fn block_start(&mut self, data: &str, root: Value<'_>, out: &mut Vec<u8>) {
        let (Some(at), Some(block)) = (root.get("index"), root.get("content_block")) else {
            return sse::event("content_block_start", data.as_bytes(), out);
        };
        let shown = self.next_index;
        self.next_index += 1;
        let mut edits = Edits::default();
        edits.replace(at, shown.to_string());
        let is_tool = block.get("type").is_some_and(|t| t.is_text("tool_use"));
        let start = if is_tool
            && block
                .get("name")
                .is_some_and(|n| n.is_text(&self.tool.upstream_name))
        {
            let id = block.get("id").and_then(|v| v.text()).unwrap_or_default();
            let call = format!(
                "{{\"type\":\"server_tool_use\",\"id\":{},\"name\":{},\"input\":{{}}}}",
                quoted(&client_id(&id)),
                quoted(&self.tool.name)
            );
            edits.replace(block, call.clone());
            call
        } else {
            self.client_tools |= is_tool;
            block.raw().to_owned()
        };
        self.blocks
            .insert(at.u64().unwrap_or(shown), (shown, Open::new(start)));
        sse::event("content_block_start", &edits.apply(data), out);
    }

    fn block_delta(&mut self, data: &str, root: Value<'_>, out: &mut Vec<u8>) {
        let at = root.get("index");
        let open = at.and_then(|at| self.blocks.get_mut(&at.u64()?));
        let (Some(at), Some((shown, open)), Some(delta)) = (at, open, root.get("delta")) else {
            return sse::event("content_block_delta", data.as_bytes(), out);
        };
        let mut edits = Edits::default();
        edits.replace(at, shown.to_string());
        let citation = delta.get("citation");
        match citation.and_then(|c| Some((c, citations::for_client(c, &self.key)?))) {
            Some((old, new)) => {
                let text = format!("{{\"citation\":{new}}}");
                if let Ok(doc) = Doc::parse(&text, 1) {
                    open.delta(doc.root());
                }
                edits.replace(old, new);
            }
            None => open.delta(delta),
        }
        sse::event("content_block_delta", &edits.apply(data), out);
    }

    fn block_stop(&mut self, data: &str, root: Value<'_>, out: &mut Vec<u8>) {
        let at = root.get("index");
        let closed = at.and_then(|at| self.blocks.remove(&at.u64()?));
        let (Some(at), Some((shown, open))) = (at, closed) else {
            return sse::event("content_block_stop", data.as_bytes(), out);
        };
        let query = open.query();
        let whole = open.finish();
        self.want(&whole, query);
        self.content.push(whole);
        let mut edits = Edits::default();
        edits.replace(at, shown.to_string());
        sse::event("content_block_stop", &edits.apply(data), out);
    }

    /// Notes the search that a finished block stands for, if it does.
    fn want(&mut self, block: &str, query: Option<String>) {
        let Ok(doc) = Doc::parse(block, 1) else { return };
        let root = doc.root();
        let ours = root.get("type").is_some_and(|t| t.is_text("server_tool_use"))
            && root.get("name").is_some_and(|n| n.is_text(&self.tool.name));
        let id = root.get("id").and_then(|v| v.text());
        let Some(id) = id.filter(|_| ours) else { return };
        let query = if self.tool.max_uses.is_some_and(|most| self.uses >= most) {
            Err(SearchError::MaxUsesExceeded)
        } else {
            self.uses += 1;
            match query {
                None => Err(SearchError::InvalidToolInput),
                Some(query) if query.chars().count() > MAX_QUERY => Err(SearchError::QueryTooLong),
                Some(query) => Ok(query),
            }
        };
        self.wanted.push(SearchCall {
            id: upstream_id(&id).to_owned(),
            query,
        });
    }

    /// The present call has ended.
    pub fn call_ended(&mut self, out: &mut Vec<u8>) -> Next {
        self.spent.add(&std::mem::take(&mut self.usage));
        self.blocks.clear();
        let wanted = std::mem::take(&mut self.wanted);
        if wanted.is_empty() {
            return Next::Finish;
        }
        if self.stop_reason.as_deref() == Some("tool_use") {
            return Next::Search(wanted);
        }
        // The model was stopped in the middle: what it wanted is not carried out, and no call stays without a result.
        for call in wanted {
            let error = call.query.err().unwrap_or(SearchError::Unavailable);
            self.result(&call.id, &SearchOutcome::Failed(error), out);
        }
        Next::Finish
    }

    /// Writes what a search gave.
    pub fn result(&mut self, id: &str, outcome: &SearchOutcome, out: &mut Vec<u8>) {
        if matches!(outcome, SearchOutcome::Hits(_)) {
            self.searches += 1;
        }
        let block = client_block(id, outcome, &self.key);
        let index = self.next_index;
        self.next_index += 1;
        let start =
            format!("{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{block}}}");
        sse::event("content_block_start", start.as_bytes(), out);
        let stop = format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}");
        sse::event("content_block_stop", stop.as_bytes(), out);
        self.content.push(block);
    }

    /// Whether, after its searches, the model is to be called again. If not, the message is complete.
    pub fn goes_on(&mut self) -> bool {
        if std::mem::take(&mut self.client_tools) {
            // The client has to use its tools first: the message ends with `tool_use`.
            return false;
        }
        if self.calls >= MAX_CALLS {
            self.stop_reason = Some("pause_turn".to_owned());
            return false;
        }
        true
    }

    /// Writes the end of the message, without its last event ([`Merged::stop`]).
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        let delta = self.last_delta.take().unwrap_or_else(|| {
            r#"{"type":"message_delta","delta":{"stop_reason":null,"stop_sequence":null},"usage":{}}"#
                .to_owned()
        });
        if let Ok(doc) = Doc::parse(&delta, 3) {
            let mut edits = Edits::default();
            let root = doc.root();
            if let Some(reason) = root.get("delta").and_then(|d| d.get("stop_reason")) {
                edits.replace(reason, self.stop_reason_json());
            }
            match root.get("usage") {
                Some(usage) => edits.replace(usage, self.usage_json(Some(usage))),
                None => edits.append(root, &format!("\"usage\":{}", self.usage_json(None)), true),
            }
            sse::event("message_delta", &edits.apply(&delta), out);
        }
        self.last_delta = Some(delta);
    }

    /// The last event.
    #[must_use]
    pub fn stop() -> &'static [u8] {
        b"event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n"
    }

    fn stop_reason_json(&self) -> String {
        self.stop_reason
            .as_deref()
            .map_or_else(|| "null".to_owned(), quoted)
    }

    /// The counts of all calls, with whatever else the last one says.
    fn usage_json(&self, last: Option<Value<'_>>) -> String {
        const COUNTED: [&str; 6] = [
            "input_tokens",
            "output_tokens",
            "cache_creation_input_tokens",
            "cache_read_input_tokens",
            "cache_creation",
            "server_tool_use",
        ];
        let spent = &self.spent;
        let mut members = vec![
            format!("\"input_tokens\":{}", spent.input),
            format!("\"cache_creation_input_tokens\":{}", spent.cache_write),
            format!("\"cache_read_input_tokens\":{}", spent.cache_read),
            format!("\"output_tokens\":{}", spent.output),
        ];
        if spent.write_5m + spent.write_1h > 0 {
            members.push(format!(
                "\"cache_creation\":{{\"ephemeral_5m_input_tokens\":{},\"ephemeral_1h_input_tokens\":{}}}",
                spent.write_5m, spent.write_1h
            ));
        }
        members.push(format!(
            "\"server_tool_use\":{{\"web_search_requests\":{}}}",
            self.searches
        ));
        for (key, value) in last.into_iter().flat_map(Value::members) {
            if !COUNTED.contains(&key.raw_text().unwrap_or_default()) {
                members.push(format!("{}:{}", key.raw(), value.raw()));
            }
        }
        format!("{{{}}}", members.join(","))
    }

    /// The whole message, for a client that does not stream; after [`Merged::finish`].
    #[must_use]
    pub fn whole(&self) -> Vec<u8> {
        let message = self.message.as_deref().unwrap_or("{}");
        let Ok(doc) = Doc::parse(message, 2) else {
            return message.as_bytes().to_vec();
        };
        let root = doc.root();
        let delta = self.last_delta.as_deref().unwrap_or("{}");
        let sequence = Doc::parse(delta, 2).ok().and_then(|doc| {
            let sequence = doc.root().get("delta")?.get("stop_sequence")?;
            Some(sequence.raw().to_owned())
        });
        let mut edits = Edits::default();
        let mut added = Vec::new();
        let values = [
            ("content", format!("[{}]", self.content.join(","))),
            ("stop_reason", self.stop_reason_json()),
            ("stop_sequence", sequence.unwrap_or_else(|| "null".to_owned())),
            ("usage", self.usage_json(root.get("usage"))),
        ];
        for (name, json) in values {
            match root.get(name) {
                Some(old) => edits.replace(old, json),
                None => added.push(format!("\"{name}\":{json}")),
            }
        }
        if !added.is_empty() {
            edits.append(root, &added.join(","), !root.is_empty());
        }
        edits.apply(message)
    }
}
