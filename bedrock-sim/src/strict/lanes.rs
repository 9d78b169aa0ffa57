//! What differs where Anthropic's own format is spoken: betas and version are headers, and what is refused is named.

use super::{
    KEYS, check_cache_marks, check_context, check_max_tokens, check_messages, check_output_config,
    check_sampling, check_system, check_thinking, check_tools,
};
use crate::models::Model;
use crate::surface::Surface;
use axum::http::HeaderMap;
use serde_json::Value;

/// Betas of both lanes, beside those of `InvokeModel`.
const BOTH: &[&str] = &["claude-code-20250219", "effort-2025-11-24"];

const MESSAGES_ONLY: &[&str] = &[
    "mid-conversation-system-2026-04-07",
    "structured-outputs-2025-11-13",
    "structured-outputs-2025-12-15",
    "fallback-credit-2026-06-01",
    "fallback-credit-2026-07-01",
];

const MANTLE_ONLY: &[&str] = &[
    "per-turn-control-2026-07-01",
    "token-efficient-tools-2025-02-19",
    "output-128k-2025-02-19",
    "structured-outputs-2025-11-13",
    "tool-examples-2025-10-29",
];

/// Checks a request. The error is the message of an `invalid_request_error`.
pub(crate) fn check(
    body: &Value,
    headers: &HeaderMap,
    model: &Model,
    surface: Surface,
) -> Result<(), String> {
    let betas = headers_of(headers, surface)?;
    check_keys(body, surface, &["max_tokens", "stream"])?;
    check_max_tokens(body, model)?;
    check_user_id(body, surface)?;
    check_thinking(body, model, &betas)?;
    check_sampling(body, model)?;
    let edits = [
        "clear_tool_uses_20250919",
        "clear_thinking_20251015",
        "compact_20260112",
    ];
    check_context(body, &betas, &edits)?;
    check_output_config(body, model)?;
    check_server_tools(body, surface)?;
    check_tools(body, model, &betas)?;
    check_system(body)?;
    check_messages(body, model, &betas)?;
    check_cache_marks(body, model)
}

/// The same for `count_tokens`, which takes less.
pub(crate) fn check_count(body: &Value, headers: &HeaderMap, model: &Model) -> Result<(), String> {
    let betas = headers_of(headers, Surface::Mantle)?;
    check_keys(body, Surface::Mantle, &[])?;
    if !body["metadata"].is_null() {
        return Err("metadata: Extra inputs are not permitted".into());
    }
    check_server_tools(body, Surface::Mantle)?;
    check_tools(body, model, &betas)?;
    check_messages(body, model, &betas)
}

fn headers_of(headers: &HeaderMap, surface: Surface) -> Result<Vec<&str>, String> {
    let version = headers.get("anthropic-version").and_then(|v| v.to_str().ok());
    if !matches!(version, Some("2023-06-01" | "2026-10-21")) {
        return Err("anthropic-version: header is required".into());
    }
    let betas: Vec<&str> = headers
        .get_all("anthropic-beta")
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|beta| !beta.is_empty())
        .collect();
    let own = match surface {
        Surface::Mantle => MANTLE_ONLY,
        _ => MESSAGES_ONLY,
    };
    let known = |beta: &&str| {
        [super::betas::BETAS, BOTH, own]
            .iter()
            .any(|list| list.contains(beta))
    };
    let unknown: Vec<String> = betas
        .iter()
        .filter(|b| !known(b))
        .map(|b| format!("`{b}`"))
        .collect();
    if unknown.is_empty() {
        return Ok(betas);
    }
    Err(format!(
        "Unexpected value(s) {} for the `anthropic-beta` header.",
        unknown.join(", ")
    ))
}

fn check_keys(body: &Value, surface: Surface, more: &[&str]) -> Result<(), String> {
    let Some(map) = body.as_object() else {
        return Err("Input should be a valid dictionary".into());
    };
    let known = |key: &str| match key {
        "anthropic_version" | "anthropic_beta" => false,
        "model" => true,
        "service_tier" => surface == Surface::Mantle,
        "max_tokens" | "stream" => more.contains(&key),
        _ => KEYS.contains(&key),
    };
    match map.keys().find(|key| !known(key)) {
        Some(key) => Err(format!("{key}: Extra inputs are not permitted")),
        None => Ok(()),
    }
}

/// Bedrock Runtime takes a `user_id` for request metadata, whose characters are few.
fn check_user_id(body: &Value, surface: Surface) -> Result<(), String> {
    let Some(id) = body.pointer("/metadata/user_id").and_then(Value::as_str) else {
        return Ok(());
    };
    let plain = |c: char| c.is_ascii_alphanumeric() || "_.@-".contains(c);
    if surface == Surface::Messages && !((1..=256).contains(&id.len()) && id.chars().all(plain)) {
        return Err(
            "Request metadata contains a value that violates the regular expression: \
                    [a-zA-Z0-9_.@-]{1,256}"
                .into(),
        );
    }
    Ok(())
}

fn check_server_tools(body: &Value, surface: Surface) -> Result<(), String> {
    let refused: &[&str] = match surface {
        Surface::Messages => &["web_search_", "web_fetch_", "code_execution_", "advisor_"],
        _ => &[
            "web_fetch_",
            "web_search_",
            "code_execution_",
            "advisor_",
            "browser_toolset_",
        ],
    };
    let tools = body["tools"].as_array().into_iter().flatten();
    let kinds = tools.filter_map(|tool| tool["type"].as_str());
    match kinds
        .into_iter()
        .find(|kind| refused.iter().any(|p| kind.starts_with(p)))
    {
        Some(kind) => Err(format!("tool type '{kind}' is not supported")),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::base;
    use serde_json::json;

    fn refusal(surface: Surface, betas: &str, change: impl FnOnce(&mut Value)) -> String {
        let model = base("anthropic.claude-opus-5-5").unwrap();
        let mut headers = HeaderMap::new();
        headers.insert("anthropic-version", "2023-06-01".parse().unwrap());
        headers.insert("anthropic-beta", betas.parse().unwrap());
        let mut body = json!({"model": "m", "max_tokens": 9, "stream": true,
            "messages": [{"role": "user", "content": "hi"}]});
        change(&mut body);
        check(&body, &headers, model, surface).err().unwrap_or_default()
    }

    #[test]
    fn what_is_refused_is_named() {
        let (rta, man) = (Surface::Messages, Surface::Mantle);
        assert_eq!(refusal(rta, "claude-code-20250219", |_| {}), "");
        assert_eq!(
            refusal(rta, "claude-code-20250219, novel-1,novel-2", |_| {}),
            "Unexpected value(s) `novel-1`, `novel-2` for the `anthropic-beta` header."
        );
        let set = |key: &'static str, value: Value| move |body: &mut Value| body[key] = value;
        let rows = [
            (
                rta,
                "anthropic_version",
                json!("bedrock-2023-05-31"),
                "anthropic_version: Extra",
            ),
            (rta, "anthropic_beta", json!([]), "anthropic_beta: Extra"),
            (rta, "inference_geo", json!("us"), "inference_geo: Extra"),
            (
                rta,
                "metadata",
                json!({"user_id": "{\"a\":1}"}),
                "violates the regular expression",
            ),
            (man, "metadata", json!({"user_id": "{\"a\":1}"}), ""),
            (rta, "service_tier", json!("flex"), "service_tier: Extra"),
            (man, "service_tier", json!("flex"), ""),
            (
                rta,
                "tools",
                json!([{"type": "web_search_20250305", "name": "web_search"}]),
                "tool type 'web_search_20250305' is not supported",
            ),
        ];
        for (surface, key, value, expected) in rows {
            let message = refusal(surface, "", set(key, value));
            assert!(
                message.contains(expected) && message.is_empty() == expected.is_empty(),
                "{surface:?} {key}: {message}"
            );
        }
        let edits = json!({"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]});
        assert_eq!(
            refusal(
                rta,
                "context-management-2025-06-27",
                set("context_management", edits.clone())
            ),
            ""
        );
        assert!(refusal(rta, "", set("context_management", edits)).contains("Extra inputs"));
    }
}
