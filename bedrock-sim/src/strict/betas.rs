//! Betas: one that is not known, or that stands without what it is for, spoils the request, and the answer names none.

use super::messages_of;
use crate::models::Model;
use serde_json::Value;

pub(super) const CONTEXT_MANAGEMENT: &str = "context-management-2025-06-27";
pub(super) const COMPACT: &str = "compact-2026-01-12";
pub(super) const TOOL_SEARCH: &str = "tool-search-tool-2025-10-19";
pub(super) const MESSAGE_EFFORT: &str = "mid-conversation-output-config-2026-07-01";
/// The same under the name that Anthropic's own format has for it; `InvokeModel` does not know it.
pub(super) const PER_TURN: &str = "per-turn-control-2026-07-01";
pub(super) const CLEAR_AT: &str = "mid-conversation-system-clear-at-2026-08-21";
pub(super) const BINDING: &str = "thinking-binding-controls-2026-08-01";
pub(super) const DISPLAY_UPDATES: &str = "thinking-display-updates-2026-08-18";
pub(super) const COMPUTER_2501: &str = "computer-use-2025-01-24";
pub(super) const COMPUTER_2511: &str = "computer-use-2025-11-24";

pub(in crate::strict) const BETAS: &[&str] = &[
    "interleaved-thinking-2025-05-14",
    CONTEXT_MANAGEMENT,
    "thinking-token-count-2026-05-13",
    TOOL_SEARCH,
    "effort-2025-11-24",
    MESSAGE_EFFORT,
    CLEAR_AT,
    "context-1m-2025-08-07",
    "fine-grained-tool-streaming-2025-05-14",
    COMPACT,
    COMPUTER_2501,
    COMPUTER_2511,
    "dangerous-tool-use-2026-09-03",
    BINDING,
    DISPLAY_UPDATES,
];

/// Checks the list and returns it.
pub(super) fn check<'b>(body: &'b Value, model: &Model) -> Result<Vec<&'b str>, String> {
    let list = match &body["anthropic_beta"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err("anthropic_beta: Input should be a valid array".into()),
    };
    let betas: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    let fits = |beta: &&str| {
        BETAS.contains(beta)
            && !model.refused_betas.iter().any(|refused| refused == beta)
            && needed(beta, body)
    };
    if betas.len() != list.len() || !betas.iter().all(fits) {
        return Err("invalid beta flag".into());
    }
    Ok(betas)
}

/// Whether the request has what the beta is for, as far as the beta is refused without it.
fn needed(beta: &str, body: &Value) -> bool {
    let edit = |wanted: fn(&str) -> bool| {
        let edits = body
            .pointer("/context_management/edits")
            .and_then(Value::as_array);
        edits
            .into_iter()
            .flatten()
            .any(|e| e["type"].as_str().is_some_and(wanted))
    };
    let in_messages = |key: &str| messages_of(body).any(|m| !m[key].is_null());
    match beta {
        CONTEXT_MANAGEMENT => !body["context_management"].is_null() || has_tool(body, "memory_"),
        COMPACT => edit(|kind| kind.starts_with("compact_")),
        MESSAGE_EFFORT => in_messages("output_config"),
        CLEAR_AT => in_messages("clear_at"),
        DISPLAY_UPDATES => body.pointer("/thinking/display").is_some_and(|d| d == "updates"),
        "dangerous-tool-use-2026-09-03" => !body["safeguards"].is_null(),
        "effort-2025-11-24" => body.pointer("/output_config/effort").is_some(),
        _ => true,
    }
}

/// Whether a tool of this type is there.
pub(super) fn has_tool(body: &Value, prefix: &str) -> bool {
    let tools = body["tools"].as_array();
    tools
        .into_iter()
        .flatten()
        .any(|t| t["type"].as_str().is_some_and(|kind| kind.starts_with(prefix)))
}
