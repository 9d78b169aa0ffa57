//! Content blocks put together from their events, as a client does it, so that they can be sent back.

use crate::json::{Doc, Edits, Value, quoted};

/// A block that is being received.
#[derive(Debug, Default)]
pub(super) struct Open {
    /// The `content_block` of its first event, as the client got it.
    start: String,
    /// Text, thinking and signature, as JSON spells them (without the quotes).
    text: String,
    thinking: String,
    signature: String,
    /// The input's JSON.
    pub(super) input: String,
    citations: Vec<String>,
}

impl Open {
    pub(super) fn new(start: String) -> Self {
        Self {
            start,
            ..Self::default()
        }
    }

    /// Takes in a delta, as the client gets it.
    pub(super) fn delta(&mut self, delta: Value<'_>) {
        for (key, value) in delta.members() {
            let raw = value.raw_text().unwrap_or_default();
            match key.raw_text().unwrap_or_default() {
                "text" => self.text.push_str(raw),
                "thinking" => self.thinking.push_str(raw),
                "signature" => self.signature.push_str(raw),
                "partial_json" => self.input.push_str(&value.text().unwrap_or_default()),
                "citation" => self.citations.push(value.raw().to_owned()),
                _ => {}
            }
        }
    }

    /// The whole block.
    pub(super) fn finish(self) -> String {
        let Ok(doc) = Doc::parse(&self.start, 2) else {
            return self.start.clone();
        };
        let root = doc.root();
        let kind = root.get("type").and_then(|t| t.raw_text()).unwrap_or_default();
        let mut edits = Edits::default();
        let mut added = Vec::new();
        let mut set = |name: &str, json: String| match root.get(name) {
            Some(old) => edits.replace(old, json),
            None => added.push(format!("\"{name}\":{json}")),
        };
        let whole = |name: &str, more: &str| {
            let first = root.get(name).and_then(|v| v.raw_text()).unwrap_or_default();
            format!("\"{first}{more}\"")
        };
        match kind {
            "text" => {
                set("text", whole("text", &self.text));
                if !self.citations.is_empty() {
                    set("citations", format!("[{}]", self.citations.join(",")));
                }
            }
            "thinking" => {
                set("thinking", whole("thinking", &self.thinking));
                set("signature", whole("signature", &self.signature));
            }
            "tool_use" | "server_tool_use" if !self.input.trim().is_empty() => {
                let valid = Doc::parse(&self.input, 0).is_ok();
                set(
                    "input",
                    if valid {
                        self.input.clone()
                    } else {
                        "{}".to_owned()
                    },
                );
            }
            _ => {}
        }
        if !added.is_empty() {
            edits.append(root, &added.join(","), !root.is_empty());
        }
        edits.apply_range(&self.start, 0, self.start.len())
    }

    /// The query of a call of the search tool, if its input has one.
    pub(super) fn query(&self) -> Option<String> {
        let doc = Doc::parse(&self.input, 1).ok()?;
        let query = doc.root().get("query")?.text()?;
        let query = query.trim();
        (!query.is_empty()).then(|| query.to_owned())
    }
}

/// A block of the client's that says `text`.
pub(super) fn text_events(index: u64, text: &str) -> [(&'static str, String); 3] {
    [
        (
            "content_block_start",
            format!(
                "{{\"type\":\"content_block_start\",\"index\":{index},\"content_block\":{{\"type\":\"text\",\"text\":\"\"}}}}"
            ),
        ),
        (
            "content_block_delta",
            format!(
                "{{\"type\":\"content_block_delta\",\"index\":{index},\"delta\":{{\"type\":\"text_delta\",\"text\":{}}}}}",
                quoted(text)
            ),
        ),
        (
            "content_block_stop",
            format!("{{\"type\":\"content_block_stop\",\"index\":{index}}}"),
        ),
    ]
}
