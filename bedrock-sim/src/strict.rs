//! As strict about bodies as Bedrock's InvokeModel is with Claude, in its wording.
//!
//! What differs between models stands in `models.json`. Whatever Bedrock is not known to refuse passes: a new block or tool
//! type may be one that Bedrock has learnt since.

mod betas;
mod cache;
mod lanes;
mod messages;
mod thinking;
mod tools;

pub(crate) use lanes::{check as check_lane, check_count};

use betas::check as check_betas;
use cache::check as check_cache_marks;
use messages::check as check_messages;
use thinking::check as check_thinking;
use tools::check as check_tools;

use crate::models::Model;
use serde_json::Value;

const KEYS: &[&str] = &[
    "anthropic_version",
    "anthropic_beta",
    "max_tokens",
    "messages",
    "system",
    "stop_sequences",
    "temperature",
    "top_p",
    "top_k",
    "tools",
    "tool_choice",
    "thinking",
    "metadata",
    "output_config",
    "context_management",
    "cache_control",
    "safeguards",
];

/// The version of the API whose semantics are stricter; models whose id has a version of its own do not know it.
const STRICT_VERSION: &str = "2026-10-21";

/// Checks a body. The error is the message of a `ValidationException`.
pub(crate) fn check(body: &Value, model: &Model) -> Result<(), String> {
    let Some(map) = body.as_object() else {
        return Err(
            "Malformed input request: expected type: JSONObject, found: another, please reformat your input \
                    and try again."
                .into(),
        );
    };
    if let Some(key) = map
        .keys()
        .find(|k| !KEYS.contains(&k.as_str()) && *k != "amazon-bedrock-guardrailConfig")
    {
        let named = if ["stream", "model"].contains(&key.as_str()) {
            format!(
                "Malformed input request: #: extraneous key [{key}] is not permitted, please reformat your input and \
                 try again."
            )
        } else {
            extra(key)
        };
        return Err(named);
    }
    check_version(body, model)?;
    let betas = check_betas(body, model)?;
    check_max_tokens(body, model)?;
    check_thinking(body, model, &betas)?;
    check_sampling(body, model)?;
    check_context_management(body, &betas)?;
    check_output_config(body, model)?;
    check_tools(body, model, &betas)?;
    check_system(body)?;
    check_messages(body, model, &betas)?;
    check_cache_marks(body, model)
}

/// The words for a field that is not known at its place.
fn extra(path: &str) -> String {
    format!("{path}: Extra inputs are not permitted")
}

/// The blocks of a message or a tool result.
fn blocks(message: &Value) -> impl Iterator<Item = &Value> {
    message["content"].as_array().into_iter().flatten()
}

fn has_block(message: &Value, kind: &str) -> bool {
    blocks(message).any(|b| b["type"] == kind)
}

fn messages_of(body: &Value) -> impl Iterator<Item = &Value> {
    body["messages"].as_array().into_iter().flatten()
}

fn check_version(body: &Value, model: &Model) -> Result<(), String> {
    if body["anthropic_version"] == "bedrock-2023-05-31" {
        return Ok(());
    }
    if body["anthropic_version"] != STRICT_VERSION {
        return Err("anthropic_version: Field required".into());
    }
    if model.sampling {
        return Err(format!(
            "anthropic_version: '{STRICT_VERSION}' is not supported on this model"
        ));
    }
    for (i, message) in messages_of(body).enumerate() {
        if message["role"] == "assistant" && has_block(message, "document") {
            return Err(format!(
                "messages.{i}.content: document blocks are not permitted in assistant messages"
            ));
        }
        let cited =
            |b: &Value| b["type"] == "text" && b["citations"].as_array().is_some_and(|c| !c.is_empty());
        if message["role"] == "user" && blocks(message).any(cited) {
            return Err(format!(
                "messages.{i}.content: citations are not permitted in text blocks of user messages"
            ));
        }
    }
    Ok(())
}

fn check_max_tokens(body: &Value, model: &Model) -> Result<(), String> {
    match &body["max_tokens"] {
        Value::Null => Err("max_tokens: Field required".into()),
        value => match value.as_u64() {
            Some(0) => Err("max_tokens: Input should be greater than or equal to 1".into()),
            Some(n) if n > model.max_output => Err(format!(
                "The maximum tokens you requested exceeds the model limit of {0}. Try again with a maximum tokens \
                 value that is lower than {0}.",
                model.max_output
            )),
            Some(_) => Ok(()),
            None => Err("max_tokens: Input should be a valid integer".into()),
        },
    }
}

fn check_sampling(body: &Value, model: &Model) -> Result<(), String> {
    for key in ["temperature", "top_p", "top_k"] {
        if !body[key].is_null() && !model.sampling {
            return Err(format!("`{key}` is not supported on this model"));
        }
    }
    if thinking::is_on(body)
        && body["temperature"]
            .as_f64()
            .is_some_and(|t| (t - 1.0).abs() > f64::EPSILON)
    {
        return Err("`temperature` may only be set to 1 when thinking is enabled.".into());
    }
    Ok(())
}

fn check_context_management(body: &Value, betas: &[&str]) -> Result<(), String> {
    check_context(body, betas, &["clear_tool_uses_20250919", "compact_20260112"])
}

fn check_context(body: &Value, betas: &[&str], known: &[&str]) -> Result<(), String> {
    let field = &body["context_management"];
    if field.is_null() {
        return Ok(());
    }
    if !betas.contains(&betas::CONTEXT_MANAGEMENT) && !betas.contains(&betas::COMPACT) {
        return Err(extra("context_management"));
    }
    let edits = field["edits"].as_array().map_or(&[][..], Vec::as_slice);
    for (i, edit) in edits.iter().enumerate() {
        if !edit["type"].as_str().is_some_and(|t| known.contains(&t)) {
            return Err(format!(
                "context_management.edits.{i}: Input tag does not match any of the expected tags"
            ));
        }
    }
    Ok(())
}

fn check_output_config(body: &Value, model: &Model) -> Result<(), String> {
    let config = &body["output_config"];
    if let Some(map) = config.as_object()
        && let Some(key) = map.keys().find(|k| !["effort", "format"].contains(&k.as_str()))
    {
        return Err(extra(&format!("output_config.{key}")));
    }
    if let Some(effort) = config.get("effort").filter(|e| !e.is_null()) {
        if model.efforts.is_empty() {
            return Err(extra("output_config.effort"));
        }
        let rank = |level: &str| model.efforts.iter().position(|e| e == level);
        let Some(asked) = effort.as_str().and_then(rank) else {
            let levels: Vec<String> = model.efforts.iter().map(|e| format!("'{e}'")).collect();
            return Err(format!(
                "output_config.effort: Input should be {}",
                levels.join(", ")
            ));
        };
        let highest = model.disabled_effort.as_deref().and_then(rank);
        if thinking::kind(body) == Some("disabled") && highest.is_some_and(|highest| asked > highest) {
            return Err("thinking.type: \"disabled\" is not supported with this effort on this model".into());
        }
    }
    if !config["format"].is_null() && model.format != "yes" {
        return Err(extra("output_config.format"));
    }
    Ok(())
}

fn check_system(body: &Value) -> Result<(), String> {
    match &body["system"] {
        Value::Null | Value::String(_) => Ok(()),
        Value::Array(blocks) => {
            for (i, block) in blocks.iter().enumerate() {
                if block["type"] != "text" {
                    return Err(format!("system.{i}.type: Input should be 'text'"));
                }
                if block["text"] == "" {
                    return Err("system: text content blocks must be non-empty".into());
                }
            }
            Ok(())
        }
        _ => Err("system: Input should be a valid list".into()),
    }
}

#[cfg(test)]
mod tests;
