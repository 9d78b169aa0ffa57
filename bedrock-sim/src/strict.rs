//! As strict about bodies as Bedrock's InvokeModel is with Claude, in its wording.

mod lanes;

pub(crate) use lanes::{check as check_lane, check_count};

use crate::models::{Model, ThinkingKinds};
use crate::reply::sign;
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

const BETAS: &[&str] = &[
    "interleaved-thinking-2025-05-14",
    "context-management-2025-06-27",
    "thinking-token-count-2026-05-13",
    "tool-search-tool-2025-10-19",
    "effort-2025-11-24",
    "mid-conversation-output-config-2026-07-01",
    "mid-conversation-system-clear-at-2026-08-21",
    "context-1m-2025-08-07",
    "fine-grained-tool-streaming-2025-05-14",
    "compact-2026-01-12",
    "computer-use-2025-01-24",
    "computer-use-2025-11-24",
    "dangerous-tool-use-2026-09-03",
    "thinking-binding-controls-2026-08-01",
    "thinking-display-updates-2026-08-18",
];

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
            format!("{key}: Extra inputs are not permitted")
        };
        return Err(named);
    }
    if body["anthropic_version"] != "bedrock-2023-05-31" && body["anthropic_version"] != "2026-10-21" {
        return Err("anthropic_version: Field required".into());
    }
    let betas = betas(body)?;
    check_max_tokens(body, model)?;
    check_thinking(body, model)?;
    check_sampling(body, model)?;
    check_context_management(body, &betas)?;
    check_output_config(body, model)?;
    check_tools(body, model, &betas)?;
    check_system(body)?;
    check_messages(body, model, &betas)?;
    check_cache_marks(body)
}

fn betas(body: &Value) -> Result<Vec<&str>, String> {
    let list = match &body["anthropic_beta"] {
        Value::Null => return Ok(Vec::new()),
        Value::Array(list) => list,
        _ => return Err("anthropic_beta: Input should be a valid array".into()),
    };
    let betas: Vec<&str> = list.iter().filter_map(Value::as_str).collect();
    if betas.len() != list.len() || betas.iter().any(|b| !BETAS.contains(b)) {
        return Err("invalid beta flag".into());
    }
    if betas.contains(&"dangerous-tool-use-2026-09-03") && body["safeguards"].is_null() {
        return Err("invalid beta flag".into());
    }
    Ok(betas)
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

fn check_thinking(body: &Value, model: &Model) -> Result<(), String> {
    let thinking = &body["thinking"];
    if thinking.is_null() {
        return Ok(());
    }
    if !thinking["display"].is_null() && !model.display {
        return Err("thinking.display: Extra inputs are not permitted".into());
    }
    match thinking["type"].as_str() {
        Some("enabled") if model.thinking == ThinkingKinds::AdaptiveOnly => {
            Err("thinking.type: \"enabled\" is not supported on this model. Use \"adaptive\" instead.".into())
        }
        Some("enabled") => {
            let budget = thinking["budget_tokens"].as_u64();
            let Some(budget) = budget else {
                return Err("thinking.enabled.budget_tokens: Field required".into());
            };
            if budget < 1024 {
                return Err(
                    "thinking.enabled.budget_tokens: Input should be greater than or equal to 1024".into(),
                );
            }
            if body["max_tokens"].as_u64().is_some_and(|max| max <= budget) {
                return Err("`max_tokens` must be greater than `thinking.budget_tokens`".into());
            }
            Ok(())
        }
        Some("adaptive") if model.thinking == ThinkingKinds::Budget => {
            Err("adaptive thinking is not supported on this model".into())
        }
        Some("disabled") if !model.thinking_disabled => {
            Err("thinking.type: \"disabled\" is not supported on this model".into())
        }
        Some("adaptive" | "disabled" | "between_tools") => Ok(()),
        _ => Err("thinking.type: Input should be 'adaptive', 'disabled' or 'enabled'".into()),
    }
}

fn check_sampling(body: &Value, model: &Model) -> Result<(), String> {
    for key in ["temperature", "top_p", "top_k"] {
        if !body[key].is_null() && !model.sampling {
            return Err(format!("{key}: Extra inputs are not permitted"));
        }
    }
    let thinks = matches!(
        body.pointer("/thinking/type").and_then(Value::as_str),
        Some("enabled" | "adaptive")
    );
    if thinks
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
    let has_beta = betas.contains(&"context-management-2025-06-27") || betas.contains(&"compact-2026-01-12");
    if field.is_null() {
        return Ok(());
    }
    if !has_beta {
        return Err("context_management: Extra inputs are not permitted".into());
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
        return Err(format!("output_config.{key}: Extra inputs are not permitted"));
    }
    if !config["effort"].is_null() && !model.effort {
        return Err("output_config.effort: Extra inputs are not permitted".into());
    }
    if !config["format"].is_null() && model.format != "yes" {
        return Err("output_config.format: Extra inputs are not permitted".into());
    }
    Ok(())
}

fn check_tools(body: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let tools = match &body["tools"] {
        Value::Null => return Ok(()),
        Value::Array(tools) if tools.is_empty() => {
            return Err("tools: List should have at least 1 item after validation, not 0".into());
        }
        Value::Array(tools) => tools,
        _ => return Err("tools: Input should be a valid list".into()),
    };
    for (i, tool) in tools.iter().enumerate() {
        let kind = tool["type"].as_str().unwrap_or("custom");
        if ["web_search_", "web_fetch_", "code_execution_", "advisor_"]
            .iter()
            .any(|p| kind.starts_with(p))
        {
            return Err("The provided request is not valid".into());
        }
        let extra = |key: &str| Err(format!("tools.{i}.custom.{key}: Extra inputs are not permitted"));
        if tool["defer_loading"] == true && !betas.contains(&"tool-search-tool-2025-10-19") {
            return extra("defer_loading");
        }
        if !tool["eager_input_streaming"].is_null() && !model.eager {
            return extra("eager_input_streaming");
        }
        for key in ["input_examples", "allowed_callers"] {
            if !tool[key].is_null() {
                return extra(key);
            }
        }
        if kind == "custom" {
            if !tool["name"].is_string() {
                return Err(format!("tools.{i}.custom.name: Field required"));
            }
            if !tool["input_schema"].is_object() {
                return Err(format!("tools.{i}.custom.input_schema: Field required"));
            }
            if tool["input_schema"]["type"] != "object" {
                return Err(format!(
                    "tools.{i}.custom.input_schema.type: Input should be 'object'"
                ));
            }
        }
    }
    let chosen = &body["tool_choice"]["name"];
    if chosen.is_string() && !tools.iter().any(|t| t["name"] == *chosen) {
        return Err(format!(
            "Tool '{}' not found in provided tools",
            chosen.as_str().unwrap_or_default()
        ));
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

fn check_messages(body: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let messages = match &body["messages"] {
        Value::Null => return Err("messages: Field required".into()),
        Value::Array(messages) if messages.is_empty() => {
            return Err("messages: at least one message is required".into());
        }
        Value::Array(messages) => messages,
        _ => return Err("messages: Input should be a valid list".into()),
    };
    let mut pending: Vec<&str> = Vec::new();
    for (i, message) in messages.iter().enumerate() {
        check_message_keys(i, message, betas)?;
        match message["role"].as_str() {
            Some("user") => {
                let answered = blocks(message).filter(|b| b["type"] == "tool_result");
                let answered: Vec<&str> = answered.filter_map(|b| b["tool_use_id"].as_str()).collect();
                if let Some(open) = pending.iter().find(|id| !answered.contains(id)) {
                    return Err(format!(
                        "messages.{}: `tool_use` ids were found without `tool_result` blocks immediately after: {open}. \
                         Each `tool_use` block must have a corresponding `tool_result` block in the next message.",
                        i.saturating_sub(1)
                    ));
                }
                if let Some(strange) = answered.iter().find(|id| !pending.contains(id)) {
                    return Err(format!(
                        "messages.{i}.content.0: unexpected `tool_use_id` found in `tool_result` blocks: {strange}. Each \
                         `tool_result` block must have a corresponding `tool_use` block in the previous message."
                    ));
                }
                pending.clear();
            }
            Some("assistant") => {
                pending = blocks(message)
                    .filter(|b| b["type"] == "tool_use")
                    .filter_map(|b| b["id"].as_str())
                    .collect();
            }
            Some("system") if i == 0 => {
                return Err(
                    "messages.0: use the top-level 'system' parameter for the initial system prompt".into(),
                );
            }
            Some("system") if !model.mid_system => {
                return Err(format!(
                    "messages.{i}.role: role 'system' is not supported on this model"
                ));
            }
            Some("system") => {}
            _ => {
                return Err(format!(
                    "messages.{i}.role: Input should be 'user' or 'assistant'"
                ));
            }
        }
        check_blocks(i, message)?;
    }
    if !model.sampling && messages.last().is_some_and(|m| m["role"] == "assistant") {
        return Err(
            "This model does not support assistant message prefill. The conversation must end with a user \
                    message."
                .into(),
        );
    }
    Ok(())
}

fn check_message_keys(i: usize, message: &Value, betas: &[&str]) -> Result<(), String> {
    let Some(map) = message.as_object() else {
        return Err(format!("messages.{i}: Input should be an object"));
    };
    let per_turn = [
        "mid-conversation-output-config-2026-07-01",
        "per-turn-control-2026-07-01",
    ]
    .iter()
    .any(|beta| betas.contains(beta));
    let clear_at = betas.contains(&"mid-conversation-system-clear-at-2026-08-21");
    for key in map.keys() {
        let known = match key.as_str() {
            "role" | "content" => true,
            "output_config" => per_turn,
            "clear_at" => clear_at,
            _ => false,
        };
        if !known {
            return Err(format!("messages.{i}.{key}: Extra inputs are not permitted"));
        }
    }
    if message["content"].is_null() {
        return Err(format!("messages.{i}.content: Field required"));
    }
    Ok(())
}

fn blocks(message: &Value) -> impl Iterator<Item = &Value> {
    message["content"].as_array().into_iter().flatten()
}

fn check_blocks(i: usize, message: &Value) -> Result<(), String> {
    if message["content"] == "" {
        return Err(format!("messages.{i}: all messages must have non-empty content"));
    }
    for (j, block) in blocks(message).enumerate() {
        match block["type"].as_str() {
            Some("text") if block["text"] == "" => {
                return Err("messages: text content blocks must be non-empty".into());
            }
            Some("thinking") => {
                let shown = block["thinking"].as_str().unwrap_or_default();
                if block["signature"] != sign(shown) {
                    return Err(format!(
                        "messages.{i}.content.{j}: Invalid `signature` in `thinking` block"
                    ));
                }
                if !block["cache_control"].is_null() {
                    return Err(format!(
                        "messages.{i}.content.{j}.thinking.cache_control: Extra inputs are not permitted"
                    ));
                }
            }
            Some("image" | "document") if block["source"]["type"] == "url" => {
                return Err(format!(
                    "messages.{i}.content.{j}.image.source: URL sources are not supported on this platform"
                ));
            }
            Some("server_tool_use" | "web_search_tool_result" | "mcp_tool_use" | "mcp_tool_result") => {
                return Err(format!(
                    "messages.{i}.content.{j}: Input tag '{}' found using 'type' does not match any of the expected tags",
                    block["type"].as_str().unwrap_or_default()
                ));
            }
            Some(_) => {}
            None => return Err(format!("messages.{i}.content.{j}.type: Field required")),
        }
    }
    Ok(())
}

/// Cache marks: four at most, nothing but `type` and `ttl`, and no hour after five minutes.
fn check_cache_marks(body: &Value) -> Result<(), String> {
    let mut marks: Vec<(String, &Value)> = Vec::new();
    for (i, tool) in body["tools"].as_array().into_iter().flatten().enumerate() {
        marks.push((format!("tools.{i}.cache_control"), &tool["cache_control"]));
    }
    for (i, block) in body["system"].as_array().into_iter().flatten().enumerate() {
        marks.push((format!("system.{i}.cache_control"), &block["cache_control"]));
    }
    for (i, message) in body["messages"].as_array().into_iter().flatten().enumerate() {
        for (j, block) in blocks(message).enumerate() {
            let kind = block["type"].as_str().unwrap_or_default();
            marks.push((
                format!("messages.{i}.content.{j}.{kind}.cache_control"),
                &block["cache_control"],
            ));
        }
    }
    marks.retain(|(_, mark)| !mark.is_null());
    let mut short_seen = false;
    for (place, mark) in &marks {
        if let Some(key) = mark
            .as_object()
            .and_then(|m| m.keys().find(|k| !["type", "ttl"].contains(&k.as_str())))
        {
            return Err(format!("{place}.ephemeral.{key}: Extra inputs are not permitted"));
        }
        match mark["ttl"].as_str() {
            Some("1h") if short_seen => {
                return Err(format!(
                    "{place}: a ttl='1h' cache_control block must not come after a ttl='5m' cache_control block. Note \
                     that blocks are processed in the following order: `tools`, `system`, `messages`."
                ));
            }
            Some("1h") => {}
            None | Some("5m") => short_seen = true,
            Some(other) => {
                return Err(format!(
                    "{place}.ephemeral.ttl: Input should be '5m' or '1h', not '{other}'"
                ));
            }
        }
    }
    if marks.len() > 4 {
        return Err(format!(
            "A maximum of 4 blocks with cache_control may be provided. Found {}.",
            marks.len()
        ));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Named, find};
    use serde_json::json;

    fn refusal(id: &str, change: impl FnOnce(&mut Value)) -> String {
        let Named::Model(model) = find(id) else {
            panic!("missing")
        };
        let mut body = json!({
            "anthropic_version": "bedrock-2023-05-31", "max_tokens": 100,
            "messages": [{"role": "user", "content": "hi"}]
        });
        change(&mut body);
        check(&body, model).err().unwrap_or_default()
    }

    #[test]
    fn each_fault_is_refused_in_bedrocks_words() {
        let opus = "us.anthropic.claude-opus-5-5";
        let haiku = "us.anthropic.claude-haiku-4-5-20251001-v1:0";
        assert_eq!(refusal(opus, |_| {}), "");
        let cases: Vec<(&str, Value, &str)> = vec![
            ("stream", json!(true), "extraneous key [stream]"),
            ("speed", json!("fast"), "speed: Extra inputs"),
            (
                "anthropic_version",
                Value::Null,
                "anthropic_version: Field required",
            ),
            (
                "anthropic_beta",
                json!(["claude-code-20250219"]),
                "invalid beta flag",
            ),
            ("max_tokens", json!(128_001), "exceeds the model limit of 128000"),
            ("max_tokens", Value::Null, "max_tokens: Field required"),
            ("messages", json!([]), "at least one message"),
            (
                "thinking",
                json!({"type": "enabled", "budget_tokens": 2000}),
                "not supported",
            ),
            ("thinking", json!({"type": "disabled"}), "not supported"),
            ("temperature", json!(0.5), "temperature: Extra inputs"),
            (
                "context_management",
                json!({"edits": []}),
                "context_management: Extra inputs",
            ),
            (
                "output_config",
                json!({"task_budget": 1}),
                "output_config.task_budget: Extra inputs",
            ),
            ("tools", json!([]), "at least 1 item"),
            (
                "tools",
                json!([{"type": "web_search_20250305", "name": "web_search"}]),
                "not valid",
            ),
            (
                "tools",
                json!([{"name": "x", "input_schema": {"type": "object"}, "defer_loading": true}]),
                "tools.0.custom.defer_loading: Extra inputs",
            ),
            (
                "messages",
                json!([{"role": "user", "content": "x", "output_config": {}}]),
                "messages.0.output_config",
            ),
            (
                "messages",
                json!([{"role": "system", "content": "x"}]),
                "top-level 'system'",
            ),
            (
                "messages",
                json!([{"role": "user", "content": [{"type": "text", "text": ""}]}]),
                "must be non-empty",
            ),
            (
                "messages",
                json!([{"role": "user", "content": [{"type": "text", "text": "x",
                "cache_control": {"type": "ephemeral", "scope": "global"}}]}]),
                "ephemeral.scope: Extra inputs",
            ),
            (
                "messages",
                json!([{"role": "user", "content": [
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": "x", "cache_control": {"type": "ephemeral", "ttl": "1h"}}]}]),
                "must not come after",
            ),
        ];
        for (key, value, expected) in cases {
            let message = refusal(opus, |body| body[key] = value.clone());
            assert!(message.contains(expected), "{key} = {value}: {message}");
        }
        let adaptive = refusal(haiku, |body| body["thinking"] = json!({"type": "adaptive"}));
        assert!(adaptive.contains("adaptive thinking is not supported"));
        let system = refusal(haiku, |body| {
            body["messages"] = json!([{"role": "user", "content": "a"}, {"role": "system", "content": "b"}]);
        });
        assert!(system.contains("role 'system' is not supported"));
    }

    #[test]
    fn tool_uses_and_results_have_to_pair() {
        let message = refusal("us.anthropic.claude-opus-5-5", |body| {
            body["messages"] = json!([
                {"role": "user", "content": "a"},
                {"role": "assistant", "content": [{"type": "tool_use", "id": "t1", "name": "x", "input": {}}]},
                {"role": "user", "content": "b"}
            ]);
        });
        assert!(message.contains("without `tool_result`"));
    }

    #[test]
    fn thinking_that_was_not_signed_here_is_refused() {
        let with = |signature: String| {
            refusal("us.anthropic.claude-opus-5-5", |body| {
                body["messages"] = json!([
                    {"role": "user", "content": "a"},
                    {"role": "assistant", "content": [
                        {"type": "thinking", "thinking": "hm", "signature": signature},
                        {"type": "text", "text": "b"}]},
                    {"role": "user", "content": "c"}
                ]);
            })
        };
        assert_eq!(with(sign("hm")), "");
        assert!(with(sign("other")).contains("Invalid `signature` in `thinking` block"));
    }
}
