//! `messages`: roles, blocks, and what has to follow what.

use super::{betas, blocks, extra};
use crate::binding;
use crate::models::{Model, ThinkingKinds};
use serde_json::Value;

/// The most that one image may have (Anthropic, "Vision").
const IMAGE_BYTES: usize = 5 << 20;

/// Blocks of features that InvokeModel does not have.
const FOREIGN: &[&str] = &[
    "web_search_tool_result",
    "web_fetch_tool_result",
    "code_execution_tool_result",
    "bash_code_execution_tool_result",
    "text_editor_code_execution_tool_result",
    "advisor_tool_result",
    "mcp_tool_use",
    "mcp_tool_result",
    "container_upload",
    "tool_addition",
    "tool_removal",
    "fallback",
    "fallback_credit",
];

pub(super) fn check(body: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let messages = match &body["messages"] {
        Value::Null => return Err("messages: Field required".into()),
        Value::Array(messages) if messages.is_empty() => {
            return Err("messages: at least one message is required".into());
        }
        Value::Array(messages) => messages,
        _ => return Err("messages: Input should be a valid list".into()),
    };
    for (i, message) in messages.iter().enumerate() {
        keys(i, message, model, betas)?;
        role(i, message, model)?;
        if message["content"] == "" {
            return Err(format!("messages.{i}: all messages must have non-empty content"));
        }
        for (j, block) in blocks(message).enumerate() {
            check_block(&format!("messages.{i}.content.{j}"), block)?;
        }
    }
    tool_pairs(messages)?;
    binding::check(body, model)?;
    ending(messages, model)
}

fn keys(i: usize, message: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let Some(map) = message.as_object() else {
        return Err(format!("messages.{i}: Input should be an object"));
    };
    let per_turn = [betas::MESSAGE_EFFORT, betas::PER_TURN]
        .iter()
        .any(|beta| betas.contains(beta));
    for key in map.keys() {
        let known = match key.as_str() {
            "role" | "content" => true,
            "output_config" => model.message_effort && per_turn,
            "clear_at" => message["role"] == "system" && betas.contains(&betas::CLEAR_AT),
            _ => false,
        };
        if !known {
            return Err(extra(&format!("messages.{i}.{key}")));
        }
    }
    if message["content"].is_null() {
        return Err(format!("messages.{i}.content: Field required"));
    }
    Ok(())
}

fn role(i: usize, message: &Value, model: &Model) -> Result<(), String> {
    match message["role"].as_str() {
        Some("user" | "assistant") => Ok(()),
        Some("system") if i == 0 => {
            Err("messages.0: use the top-level 'system' parameter for the initial system prompt".into())
        }
        Some("system") if !model.mid_system => Err(format!(
            "messages.{i}.role: role 'system' is not supported on this model"
        )),
        Some("system") => Ok(()),
        _ => Err(format!(
            "messages.{i}.role: Input should be 'user' or 'assistant'"
        )),
    }
}

/// Every use of a tool is answered in the turn after it, and nothing else is. Messages of the same role are one turn, and
/// system messages stand beside the turns.
fn tool_pairs(messages: &[Value]) -> Result<(), String> {
    let mut used: Vec<&str> = Vec::new();
    let mut answered: Vec<&str> = Vec::new();
    let mut before = "";
    let open = |i: usize, used: &[&str], answered: &[&str]| match used
        .iter()
        .find(|id| !answered.contains(id))
    {
        Some(open) => Err(format!(
            "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {open}. Each `tool_use` \
             block must have a corresponding `tool_result` block in the next message.",
            i.saturating_sub(1)
        )),
        None => Ok(()),
    };
    for (i, message) in messages.iter().enumerate() {
        let role = message["role"].as_str().unwrap_or_default();
        if role == "system" {
            continue;
        }
        if role == "assistant" {
            if before != "assistant" {
                open(i, &used, &answered)?;
                used.clear();
                answered.clear();
            }
            used.extend(ids(message, "tool_use", "id"));
        } else {
            for id in ids(message, "tool_result", "tool_use_id") {
                if !used.contains(&id) {
                    return Err(format!(
                        "messages.{i}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {id}. Each \
                         `tool_result` block must have a corresponding `tool_use` block in the previous message."
                    ));
                }
                if answered.contains(&id) {
                    return Err(format!(
                        "messages.{i}.content: each tool_use must have a single result. Found multiple `tool_result` \
                         blocks with id: {id}"
                    ));
                }
                answered.push(id);
            }
        }
        before = role;
    }
    if before == "assistant" {
        // What the conversation may end with is checked elsewhere.
        return Ok(());
    }
    open(messages.len(), &used, &answered)
}

fn ids<'m>(message: &'m Value, kind: &'static str, key: &'static str) -> impl Iterator<Item = &'m str> {
    blocks(message)
        .filter(move |b| b["type"] == kind)
        .filter_map(move |b| b[key].as_str())
}

fn check_block(place: &str, block: &Value) -> Result<(), String> {
    let foreign = |kind: &str| {
        Err(format!(
            "{place}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        ))
    };
    match block["type"].as_str() {
        Some("text") if block["text"] == "" && !block["cache_control"].is_null() => Err(format!(
            "{place}.text: cache_control cannot be set for empty text blocks"
        )),
        Some("text") if block["text"] == "" => Err("messages: text content blocks must be non-empty".into()),
        Some("thinking" | "redacted_thinking") if !block["cache_control"].is_null() => {
            Err(extra(&format!("{place}.thinking.cache_control")))
        }
        Some(kind @ ("image" | "document")) => source(&format!("{place}.{kind}.source"), &block["source"]),
        Some("tool_use") if !block["caller"].is_null() => Err(extra(&format!("{place}.tool_use.caller"))),
        Some("tool_result") => {
            for (k, inner) in blocks(block).enumerate() {
                if matches!(inner["type"].as_str(), Some("image" | "document")) {
                    source(
                        &format!("{place}.tool_result.content.{k}.source"),
                        &inner["source"],
                    )?;
                }
            }
            Ok(())
        }
        // Tool search is the one server tool that InvokeModel has.
        Some("server_tool_use") => match block["name"].as_str() {
            Some(name) if name.starts_with("tool_search_tool") => Ok(()),
            _ => foreign("server_tool_use"),
        },
        Some(kind) if FOREIGN.contains(&kind) => foreign(kind),
        Some(_) => Ok(()),
        None => Err(format!("{place}.type: Field required")),
    }
}

fn source(place: &str, source: &Value) -> Result<(), String> {
    match source["type"].as_str() {
        Some("url") => Err(format!("{place}: URL sources are not supported on this platform")),
        Some("file") => Err(format!(
            "{place}: file sources are not supported on this platform"
        )),
        Some("base64")
            if source["media_type"]
                .as_str()
                .is_some_and(|media| media.starts_with("image/")) =>
        {
            let bytes = source["data"].as_str().map_or(0, |data| data.len() / 4 * 3);
            if bytes > IMAGE_BYTES {
                return Err(format!(
                    "{place}.base64: image exceeds 5 MB maximum: {bytes} bytes > {IMAGE_BYTES} bytes"
                ));
            }
            Ok(())
        }
        _ => Ok(()),
    }
}

/// What the last message may be: older models go on where the assistant left off.
fn ending(messages: &[Value], model: &Model) -> Result<(), String> {
    let Some(last) = messages.iter().rev().find(|m| m["role"] != "system") else {
        return Ok(());
    };
    if last["role"] != "assistant" {
        return Ok(());
    }
    if model.thinking != ThinkingKinds::Budget {
        return Err(
            "This model does not support assistant message prefill. The conversation must end with a user \
                    message."
                .into(),
        );
    }
    let text = match &last["content"] {
        Value::String(text) => Some(text.as_str()),
        other => other
            .as_array()
            .and_then(|blocks| blocks.last())
            .and_then(|b| b["text"].as_str()),
    };
    if text.is_some_and(|text| text.ends_with(char::is_whitespace)) {
        return Err("messages: final assistant content cannot end with trailing whitespace".into());
    }
    Ok(())
}
