//! What a request tells beside what it asks: digests by which one turn is held against the next, and which tools have failed.

use super::peek::Peeked;
use super::prepare::Prepared;
use crate::json::{Kind, Value};
use crate::profile::{Action, Profile};
use ccag_domain::{Caching, ToolCounts};
use std::borrow::Cow;
use std::collections::HashMap;

/// Digests of the parts of a prompt that come before its last message. Marks for the cache are left out: clients move them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Digests {
    /// Of the text of the first message.
    pub beginning: u32,
    /// Of the tools.
    pub tools: u32,
    /// Of the system prompt, without what the rules leave out of it.
    pub system: u32,
}

impl Peeked<'_> {
    /// Digests of the prompt, as it is translated by `profile`.
    #[must_use]
    pub fn digests(&self, profile: &Profile) -> Digests {
        let root = self.root();
        let first = root.get("messages").and_then(|m| m.elements().next());
        let mut beginning = crc32fast::Hasher::new();
        texts(first.and_then(|m| m.get("content")), |text| {
            beginning.update(text.as_bytes());
        });
        let mut tools = crc32fast::Hasher::new();
        for tool in root.get("tools").into_iter().flat_map(Value::elements) {
            for (key, value) in tool.members() {
                if key.raw_text() != Some("cache_control") {
                    tools.update(key.raw().as_bytes());
                    tools.update(value.raw().as_bytes());
                }
            }
        }
        let mut system = crc32fast::Hasher::new();
        texts(root.get("system"), |text| {
            let row = profile.system_texts.find(text);
            if row.is_none_or(|row| row.action != Action::Drop) {
                system.update(text.as_bytes());
            }
        });
        Digests {
            beginning: beginning.finalize(),
            tools: tools.finalize(),
            system: system.finalize(),
        }
    }

    /// Which tools the last message says to have failed. Messages before it have said so in requests before.
    #[must_use]
    pub fn failed_tools(&self) -> ToolCounts {
        let mut failed = ToolCounts::default();
        let messages = self.root().get("messages").into_iter().flat_map(Value::elements);
        let (mut before, mut last) = (None, None);
        for message in messages {
            before = last.replace(message);
        }
        let results = content(last, "user").into_iter().flat_map(Value::elements);
        let errors: Vec<Cow<'_, str>> = results
            .filter(|block| block.get("type").is_some_and(|t| t.is_text("tool_result")))
            .filter(|block| block.get("is_error").and_then(|e| e.bool()) == Some(true))
            .filter_map(|block| block.get("tool_use_id")?.text())
            .collect();
        if errors.is_empty() {
            return failed;
        }
        let calls = content(before, "assistant").into_iter().flat_map(Value::elements);
        let names: HashMap<Cow<'_, str>, Cow<'_, str>> = calls
            .filter(|block| block.get("type").is_some_and(|t| t.is_text("tool_use")))
            .filter_map(|block| Some((block.get("id")?.text()?, block.get("name")?.text()?)))
            .collect();
        for name in errors.iter().filter_map(|id| names.get(id)) {
            failed.failed(name);
        }
        failed
    }
}

impl Prepared<'_> {
    /// Whether the prefix of the prompt is to be cached.
    #[must_use]
    pub fn caching(&self) -> Caching {
        if self.writes_1h {
            Caching::Hour
        } else if self.marks > 0 {
            Caching::Minutes
        } else if self.dropped.iter().any(|part| is_mark(&part.name)) {
            Caching::NotTaken
        } else {
            Caching::NotAsked
        }
    }
}

/// What somebody says, if it is they who speak.
fn content<'d>(message: Option<Value<'d>>, role: &str) -> Option<Value<'d>> {
    let message = message?;
    let is_theirs = message.get("role").is_some_and(|r| r.is_text(role));
    is_theirs.then(|| message.get("content")).flatten()
}

/// Whether what was left out is a whole mark, and not a part of one.
fn is_mark(name: &str) -> bool {
    name.rsplit('.').next() == Some("cache_control")
}

/// Each text of a system prompt or a message, as JSON spells it; of a block without text, its type.
fn texts(content: Option<Value<'_>>, mut each: impl FnMut(&str)) {
    let Some(content) = content else { return };
    if content.kind() == Kind::String {
        each(content.raw_text().unwrap_or_default());
        return;
    }
    for block in content.elements() {
        let text = block.get("text").or_else(|| block.get("type"));
        each(text.and_then(|t| t.raw_text()).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests {

    use crate::request::{Operation, peek};

    fn failed(messages: &str) -> Vec<(String, u32)> {
        let body = format!(r#"{{"model":"m","max_tokens":1,"messages":[{messages}]}}"#);
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        let calls = peeked.failed_tools().into_calls();
        calls.into_iter().map(|tool| (tool.name, tool.failed)).collect()
    }

    #[test]
    fn failures_are_those_of_the_last_message() {
        let call = r#"{"role":"assistant","content":[{"type":"tool_use","id":"a","name":"Bash","input":{}},
            {"type":"tool_use","id":"b","name":"Read","input":{}}]}"#;
        let results = r#"{"role":"user","content":[{"type":"tool_result","tool_use_id":"a","is_error":true,"content":"x"},
            {"type":"tool_result","tool_use_id":"b","content":"y"},
            {"type":"tool_result","tool_use_id":"unknown","is_error":true}]}"#;
        let hello = r#"{"role":"user","content":"x"}"#;
        let said = r#"{"role":"assistant","content":"z"}"#;
        assert_eq!(
            failed(&format!("{hello},{call},{results}")),
            [("Bash".to_owned(), 1)]
        );
        assert_eq!(failed(&format!("{hello},{call},{results},{said},{hello}")), []);
        assert_eq!(failed(hello), []);
    }
}
