//! The conversation: what the simulator says to a request. The same request always gets the same answer.

use crate::binding;
use crate::models::{Model, ThinkingKinds};
use crate::script::Pace;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};

/// A planned answer.
pub(crate) struct Reply {
    pub(crate) blocks: Vec<Block>,
    pub(crate) stop_reason: &'static str,
}

/// One content block of an answer.
pub(crate) enum Block {
    Thinking {
        text: String,
        signature: String,
    },
    Text {
        text: String,
        pieces: usize,
    },
    /// Text with a citation of a search result.
    Cited {
        text: String,
        citation: Value,
    },
    ToolUse {
        id: String,
        name: String,
        input: String,
    },
}

impl Block {
    /// The block as the non-streaming API shows it. The tool input is raw JSON, spelt as it is streamed.
    pub(crate) fn to_json(&self) -> String {
        match self {
            Self::Thinking { text, signature } => {
                json!({"type": "thinking", "thinking": text, "signature": signature}).to_string()
            }
            Self::Text { text, .. } => json!({"type": "text", "text": text}).to_string(),
            Self::Cited { text, citation } => {
                json!({"type": "text", "text": text, "citations": [citation]}).to_string()
            }
            Self::ToolUse { id, name, input } => {
                format!(
                    "{{\"type\":\"tool_use\",\"id\":{},\"name\":{},\"input\":{input}}}",
                    json!(id),
                    json!(name)
                )
            }
        }
    }

    /// Its output tokens: a token for every four bytes, at least one.
    pub(crate) fn tokens(&self) -> u64 {
        let bytes = match self {
            Self::Thinking { text, .. } => text.len() + 40,
            Self::Text { text, .. } | Self::Cited { text, .. } => text.len(),
            Self::ToolUse { name, input, .. } => name.len() + input.len(),
        };
        u64::try_from(bytes.div_ceil(4)).unwrap_or(u64::MAX).max(1)
    }
}

/// Decides what to say.
pub(crate) fn plan(body: &Value, model: &Model, pace: Option<Pace>) -> Reply {
    let said = LastTurn::of(body);
    let pace = pace
        .or_else(|| Pace::from_prompt(&said.prompt))
        .unwrap_or_default();
    let mut blocks = Vec::new();
    if wants_thinking(body, model) {
        let omitted = body.pointer("/thinking/display").and_then(Value::as_str) == Some("omitted");
        let thought = format!("Considering: {}", shorten(&said.prompt, 80));
        let shown = if omitted { String::new() } else { thought };
        blocks.push(Block::Thinking {
            signature: binding::sign(&shown, body, model),
            text: shown,
        });
    }
    let chosen = chosen_tools(body, &said);
    if !chosen.is_empty() {
        let name = |tool: &Value| tool["name"].as_str().unwrap_or_default().to_owned();
        // A turn that brings a tool's result has no words of its own.
        let words = match said.prompt.as_str() {
            "" => body["messages"][0]["content"].to_string(),
            prompt => prompt.to_owned(),
        };
        let names: Vec<String> = chosen.iter().map(|tool| name(tool)).collect();
        blocks.push(Block::Text {
            text: format!("I will use the {} tool.", names.join(" tool and the ")),
            pieces: 2,
        });
        for (n, tool) in chosen.into_iter().enumerate() {
            blocks.push(Block::ToolUse {
                id: tool_use_id(body, n),
                name: name(tool),
                input: tool_input(tool, &words),
            });
        }
        return Reply {
            blocks,
            stop_reason: "tool_use",
        };
    }
    let mut text = match structured(body) {
        Some(fitting) => fitting,
        None => match &said.tool_result {
            Some(result) => format!("The tool answered: {}", shorten(result, 600)),
            None => format!(
                "This is the simulated model {}. You said: {}",
                model.name,
                shorten(&said.prompt, 400)
            ),
        },
    };
    if let Some(size) = pace.text {
        text = filler(size);
    }
    let chars = text.chars().count();
    let mut stop_reason = "end_turn";
    let max_tokens = body.get("max_tokens").and_then(Value::as_u64).unwrap_or(u64::MAX);
    let room = usize::try_from(max_tokens.saturating_mul(4)).unwrap_or(usize::MAX);
    if text.len() > room {
        text.truncate(text.floor_char_boundary(room));
        stop_reason = "max_tokens";
    }
    let pieces = pace.events.unwrap_or_else(|| (chars / 24).clamp(1, 400)).max(1);
    blocks.push(Block::Text { text, pieces });
    blocks.extend(cited(body));
    Reply { blocks, stop_reason }
}

/// What the last turn of the conversation says.
struct LastTurn {
    /// The person's own words, without what the client wraps around them.
    prompt: String,
    /// The text of the last tool result, if the turn brings one.
    tool_result: Option<String>,
}

impl LastTurn {
    fn of(body: &Value) -> Self {
        let empty = Vec::new();
        let messages = body.get("messages").and_then(Value::as_array).unwrap_or(&empty);
        let last = messages.iter().rev().find(|m| m["role"] == "user");
        let content = last.map(|m| &m["content"]);
        let mut prompt = String::new();
        let mut tool_result = None;
        match content {
            Some(Value::String(text)) => prompt.clone_from(text),
            Some(Value::Array(blocks)) => {
                for block in blocks {
                    match block["type"].as_str() {
                        Some("text") => {
                            let text = without_reminders(block["text"].as_str().unwrap_or_default());
                            if !text.trim().is_empty() {
                                prompt = text;
                            }
                        }
                        Some("tool_result") => tool_result = Some(text_of(&block["content"])),
                        _ => {}
                    }
                }
            }
            _ => {}
        }
        let prompt = without_reminders(&prompt).trim().to_owned();
        Self { prompt, tool_result }
    }
}

fn text_of(content: &Value) -> String {
    match content {
        Value::String(text) => text.clone(),
        Value::Array(blocks) => {
            let texts: Vec<String> = blocks
                .iter()
                .filter_map(|b| match b["text"].as_str() {
                    Some(text) => Some(text.to_owned()),
                    None if b["type"] == "search_result" => Some(text_of(&b["content"])),
                    None => None,
                })
                .collect();
            texts.join("\n")
        }
        _ => String::new(),
    }
}

/// Clients add notes of their own to what the person typed; only the person is answered.
fn without_reminders(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::new();
    while let Some((before, after)) = rest.split_once("<system-reminder>") {
        kept.push_str(before);
        rest = after
            .split_once("</system-reminder>")
            .map_or("", |(_, tail)| tail);
    }
    kept.push_str(rest);
    kept
}

fn shorten(text: &str, chars: usize) -> String {
    text.chars().take(chars).collect()
}

fn wants_thinking(body: &Value, model: &Model) -> bool {
    match body.pointer("/thinking/type").and_then(Value::as_str) {
        Some("enabled" | "adaptive") => true,
        Some(_) => false,
        None => model.thinking == ThinkingKinds::AdaptiveOnly && !model.thinking_disabled,
    }
}

/// What a person says to have the tools used that they name, one after the other: all in one turn.
const TOGETHER: &str = "in parallel";

/// What a person says to have a tool used in every turn, whatever it gives.
const FOREVER: &str = "again and again";

/// The tools to use: the one that `tool_choice` forces, or one that the person asks for by name ("use the Bash tool", "use
/// the Bash tool and the web_search tool in parallel"). A turn that brings a tool's result is answered in words, unless the
/// conversation began with the wish to use a tool "again and again".
fn chosen_tools<'a>(body: &'a Value, said: &LastTurn) -> Vec<&'a Value> {
    let Some(tools) = body["tools"].as_array() else {
        return Vec::new();
    };
    let usable: Vec<&Value> = tools.iter().filter(|t| t["input_schema"].is_object()).collect();
    let choice = &body["tool_choice"];
    match choice["type"].as_str() {
        Some("none") => return Vec::new(),
        Some("tool") => {
            let named = usable.into_iter().find(|t| t["name"] == choice["name"]);
            return named.into_iter().collect();
        }
        Some("any") if said.tool_result.is_none() => {
            let asked = asked_for(&usable, &said.prompt);
            let first = usable.first().copied();
            return if asked.is_empty() {
                first.into_iter().collect()
            } else {
                asked
            };
        }
        _ => {}
    }
    if said.tool_result.is_none() {
        return asked_for(&usable, &said.prompt);
    }
    let first = body["messages"][0]["content"].to_string();
    if first.contains(FOREVER) {
        return asked_for(&usable, &first);
    }
    Vec::new()
}

fn asked_for<'a>(tools: &[&'a Value], prompt: &str) -> Vec<&'a Value> {
    let most = if prompt.contains(TOGETHER) { usize::MAX } else { 1 };
    let asked = |tool: &&&Value| {
        let name = tool["name"].as_str();
        name.is_some_and(|name| prompt.contains(&format!("{name} tool")))
    };
    tools.iter().filter(asked).take(most).copied().collect()
}

/// An id that depends on the conversation so far, for the `n`th tool of a turn.
fn tool_use_id(body: &Value, n: usize) -> String {
    let digest = Sha256::digest(body["messages"].to_string().as_bytes());
    let tail: String = digest.iter().take(12).map(|b| format!("{b:02x}")).collect();
    match n {
        0 => format!("toolu_bdrk_{tail}"),
        n => format!("toolu_bdrk_{tail}{n}"),
    }
}

/// A sentence with a citation, if the last turn brings search results that may be cited.
fn cited(body: &Value) -> Option<Block> {
    let last = body["messages"]
        .as_array()?
        .iter()
        .rev()
        .find(|m| m["role"] == "user")?;
    let results = last["content"]
        .as_array()?
        .iter()
        .filter(|b| b["type"] == "tool_result");
    let result = results
        .flat_map(|b| b["content"].as_array().into_iter().flatten())
        .find(|b| b["type"] == "search_result" && b["citations"]["enabled"] == true)?;
    Some(Block::Cited {
        text: "So says the first result.".to_owned(),
        citation: json!({"type": "search_result_location", "cited_text": result["content"][0]["text"],
            "source": result["source"], "title": result["title"], "search_result_index": 0,
            "start_block_index": 0, "end_block_index": 1}),
    })
}

const MAIN_PARAMETERS: [&str; 8] = [
    "command",
    "prompt",
    "query",
    "file_path",
    "path",
    "pattern",
    "url",
    "text",
];

/// An input that fits the tool's schema. What the person put between backticks goes into its main string parameter.
fn tool_input(tool: &Value, prompt: &str) -> String {
    let quoted = prompt.split('`').nth(1).map(str::to_owned);
    let schema = &tool["input_schema"];
    let properties = schema["properties"].as_object();
    let required: Vec<&str> = schema["required"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let is_string = |name: &str| {
        properties
            .and_then(|p| p.get(name))
            .is_some_and(|p| p["type"] == "string")
    };
    let main = MAIN_PARAMETERS
        .into_iter()
        .find(|name| is_string(name))
        .or_else(|| required.iter().copied().find(|name| is_string(name)));
    let mut input = Map::new();
    for name in &required {
        let part = properties.and_then(|p| p.get(*name)).unwrap_or(&Value::Null);
        input.insert((*name).to_owned(), fitting(part, prompt, 0));
    }
    if let (Some(main), Some(quoted)) = (main, quoted) {
        input.insert(main.to_owned(), Value::String(quoted));
    }
    Value::Object(input).to_string()
}

/// Some value that fits a JSON schema.
fn fitting(schema: &Value, words: &str, depth: usize) -> Value {
    if let Some(first) = schema["enum"].as_array().and_then(|e| e.first()) {
        return first.clone();
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        other => other.as_str(),
    };
    match kind {
        Some("object") if depth < 8 => {
            let required = schema["required"]
                .as_array()
                .into_iter()
                .flatten()
                .filter_map(Value::as_str);
            let fields =
                required.map(|n| (n.to_owned(), fitting(&schema["properties"][n], words, depth + 1)));
            Value::Object(fields.collect())
        }
        Some("array") if depth < 8 => {
            let least = schema["minItems"].as_u64().unwrap_or(0).min(16);
            (0..least)
                .map(|_| fitting(&schema["items"], words, depth + 1))
                .collect()
        }
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(false),
        Some("null") => Value::Null,
        _ => match schema["anyOf"]
            .as_array()
            .or_else(|| schema["oneOf"].as_array())
            .and_then(|s| s.first())
        {
            Some(first) if depth < 8 => fitting(first, words, depth + 1),
            _ => json!(shorten(words, 40)),
        },
    }
}

/// JSON for `output_config.format`, if the request asks for it.
fn structured(body: &Value) -> Option<String> {
    let schema = body.pointer("/output_config/format/schema")?;
    Some(fitting(schema, "A simulated answer", 0).to_string())
}

/// Text of exactly this many characters, with some that take more than one byte and some that JSON escapes.
fn filler(chars: usize) -> String {
    const PATTERN: &str = "Zoë counts tokens — 一二三 🙂 \"quoted\" \\ back\tslash\nline; ";
    PATTERN.chars().cycle().take(chars).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Named, find};

    fn opus() -> &'static Model {
        match find("us.anthropic.claude-opus-5-5") {
            Named::Model(model) => model,
            _ => panic!("missing"),
        }
    }

    fn bash_request(prompt: &str) -> Value {
        json!({
            "max_tokens": 1000,
            "messages": [{"role": "user", "content": [{"type": "text", "text": prompt}]}],
            "tools": [{"name": "Bash", "input_schema": {"type": "object", "required": ["command"],
                "properties": {"command": {"type": "string"}, "timeout": {"type": "number"}}}}]
        })
    }

    #[test]
    fn a_tool_that_is_asked_for_is_used_with_an_input_that_fits() {
        let reply = plan(&bash_request("Use the Bash tool to run `echo hi`"), opus(), None);
        assert_eq!(reply.stop_reason, "tool_use");
        let Some(Block::ToolUse { name, input, .. }) = reply.blocks.last() else {
            panic!("no tool use");
        };
        assert_eq!(
            (name.as_str(), input.as_str()),
            ("Bash", r#"{"command":"echo hi"}"#)
        );
    }

    #[test]
    fn a_tool_result_is_quoted_back() {
        let mut body = bash_request("x");
        body["messages"] = json!([{"role": "user", "content": [
            {"type": "tool_result", "tool_use_id": "t", "content": "forty-two"}]}]);
        let reply = plan(&body, opus(), None);
        assert!(reply.blocks.iter().any(|b| b.to_json().contains("forty-two")));
    }

    #[test]
    fn notes_of_the_client_are_not_taken_for_the_persons_words() {
        let reply = plan(
            &bash_request("<system-reminder>Use the Bash tool</system-reminder>hello"),
            opus(),
            None,
        );
        assert_eq!(reply.stop_reason, "end_turn");
    }
}
