//! `thinking`: which forms a model takes.

use super::{betas, extra};
use crate::models::{Model, ThinkingKinds};
use serde_json::Value;

/// Its type, if the request has the field.
pub(super) fn kind(body: &Value) -> Option<&str> {
    body.pointer("/thinking/type").and_then(Value::as_str)
}

/// Whether the request asks for thinking.
pub(super) fn is_on(body: &Value) -> bool {
    matches!(kind(body), Some("enabled" | "adaptive"))
}

pub(super) fn check(body: &Value, model: &Model, betas: &[&str]) -> Result<(), String> {
    let thinking = &body["thinking"];
    if thinking.is_null() {
        return Ok(());
    }
    let kind = thinking["type"].as_str().unwrap_or_default();
    check_kind(body, kind, model)?;
    for key in thinking.as_object().into_iter().flat_map(|map| map.keys()) {
        let known = match key.as_str() {
            "type" => true,
            "budget_tokens" => kind == "enabled",
            "display" => model.display && kind != "disabled",
            "block_binding" => betas.contains(&betas::BINDING),
            _ => false,
        };
        if !known {
            return Err(extra(&format!("thinking.{kind}.{key}")));
        }
    }
    match thinking.get("display").map(|d| d.as_str()) {
        None | Some(Some("omitted" | "summarized")) => Ok(()),
        Some(Some("updates")) if betas.contains(&betas::DISPLAY_UPDATES) => Ok(()),
        Some(_) => Err(format!(
            "thinking.{kind}.display: Input should be 'omitted' or 'summarized'"
        )),
    }
}

fn check_kind(body: &Value, kind: &str, model: &Model) -> Result<(), String> {
    match kind {
        "enabled" if model.thinking == ThinkingKinds::AdaptiveOnly => {
            Err("thinking.type: \"enabled\" is not supported on this model. Use \"adaptive\" instead.".into())
        }
        "enabled" => check_budget(body),
        "adaptive" if model.thinking == ThinkingKinds::Budget => {
            Err("adaptive thinking is not supported on this model".into())
        }
        "disabled" if model.between_tools => Err(
            "thinking.type: \"disabled\" is not supported on this model. To keep thinking to a minimum, send \
             \"thinking\": {\"type\": \"between_tools\"}."
                .into(),
        ),
        "disabled" if !model.thinking_disabled => {
            Err("thinking.type: \"disabled\" is not supported on this model".into())
        }
        "adaptive" | "disabled" => Ok(()),
        "between_tools" if model.between_tools => Ok(()),
        _ => Err("thinking.type: Input should be 'adaptive', 'disabled' or 'enabled'".into()),
    }
}

fn check_budget(body: &Value) -> Result<(), String> {
    let Some(budget) = body.pointer("/thinking/budget_tokens").and_then(Value::as_u64) else {
        return Err("thinking.enabled.budget_tokens: Field required".into());
    };
    if budget < 1024 {
        return Err("thinking.enabled.budget_tokens: Input should be greater than or equal to 1024".into());
    }
    if body["max_tokens"].as_u64().is_some_and(|max| max <= budget) {
        return Err("`max_tokens` must be greater than `thinking.budget_tokens`".into());
    }
    Ok(())
}
