//! `tools` and `tool_choice`.

use super::{betas, extra, thinking};
use crate::models::{ForcedTool, Model};
use serde_json::Value;

/// What Anthropic runs itself, and Bedrock has not.
const SERVER_TOOLS: &[&str] = &[
    "web_search_",
    "web_fetch_",
    "code_execution_",
    "advisor_",
    "mcp_toolset",
    "computer_toolset_",
    "browser_toolset_",
];

pub(super) fn check(body: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let tools = match &body["tools"] {
        Value::Null => &[][..],
        Value::Array(tools) if tools.is_empty() => {
            return Err("tools: List should have at least 1 item after validation, not 0".into());
        }
        Value::Array(tools) => tools.as_slice(),
        _ => return Err("tools: Input should be a valid list".into()),
    };
    for (i, tool) in tools.iter().enumerate() {
        match tool["type"].as_str().unwrap_or("custom") {
            "custom" => custom(i, tool, model, betas)?,
            kind if SERVER_TOOLS.iter().any(|p| kind.starts_with(p)) => {
                return Err("The provided request is not valid".into());
            }
            kind => anthropics_own(i, kind, model, betas)?,
        }
        if tool["defer_loading"] == true && !betas.contains(&betas::TOOL_SEARCH) {
            return Err(extra(&format!("tools.{i}.custom.defer_loading")));
        }
    }
    choice(body, tools, model)
}

fn custom(i: usize, tool: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    for key in tool.as_object().into_iter().flat_map(|map| map.keys()) {
        let known = match key.as_str() {
            "type" | "name" | "description" | "input_schema" | "cache_control" => true,
            "defer_loading" => betas.contains(&betas::TOOL_SEARCH),
            "eager_input_streaming" => model.eager,
            "strict" => model.format == "yes",
            _ => false,
        };
        if !known {
            return Err(extra(&format!("tools.{i}.custom.{key}")));
        }
    }
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
    Ok(())
}

/// Tools that Anthropic defines and the client runs: some are known only with their beta.
fn anthropics_own(i: usize, kind: &str, model: &Model, betas: &[&str]) -> Result<(), String> {
    let beta = match kind {
        "computer_20250124" => Some(betas::COMPUTER_2501),
        "computer_20251124" => Some(betas::COMPUTER_2511),
        _ if kind.starts_with("memory_") => Some(betas::CONTEXT_MANAGEMENT),
        _ if kind.starts_with("tool_search_tool_") => Some(betas::TOOL_SEARCH),
        _ => None,
    };
    let without_beta = beta.is_some_and(|beta| !betas.contains(&beta));
    if without_beta || model.refused_tools.iter().any(|refused| refused == kind) {
        return Err(format!(
            "tools.{i}: Input tag '{kind}' found using 'type' does not match any of the expected tags"
        ));
    }
    Ok(())
}

fn choice(body: &Value, tools: &[Value], model: &Model) -> Result<(), String> {
    let choice = &body["tool_choice"];
    if matches!(choice["type"].as_str(), Some("any" | "tool")) {
        let refused = match model.forced_tool {
            ForcedTool::Never => true,
            ForcedTool::ThinkingDisabled => thinking::kind(body) != Some("disabled"),
            ForcedTool::WithoutThinking => false,
        };
        if refused {
            return Err("tool_choice: forced tool use is not supported on this model".into());
        }
        if thinking::is_on(body) {
            return Err("Thinking may not be enabled when tool_choice forces tool use.".into());
        }
    }
    let chosen = &choice["name"];
    if chosen.is_string() && !tools.iter().any(|t| t["name"] == *chosen) {
        return Err(format!(
            "Tool '{}' not found in provided tools",
            chosen.as_str().unwrap_or_default()
        ));
    }
    Ok(())
}
