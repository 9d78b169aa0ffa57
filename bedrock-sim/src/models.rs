//! Which models there are and what each accepts: the data file `models.json`, after AWS's and Anthropic's documentation.

use serde::Deserialize;
use std::sync::LazyLock;

/// What a model accepts.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Model {
    /// The foundation model's id.
    pub(crate) id: String,
    pub(crate) name: String,
    /// The geographies that have an inference profile.
    pub(crate) geographies: Vec<String>,
    /// The context window in tokens.
    pub(crate) context: u64,
    pub(crate) max_output: u64,
    /// Whether the foundation model's own id can be invoked.
    pub(crate) on_demand: bool,
    /// Prompts shorter than this many tokens are not cached.
    pub(crate) cache_min: u64,
    pub(crate) thinking: ThinkingKinds,
    /// Whether `thinking.type: disabled` is accepted.
    pub(crate) thinking_disabled: bool,
    /// Whether `role: system` messages may stand between others.
    pub(crate) mid_system: bool,
    pub(crate) count_tokens: bool,
    /// The values of `output_config.effort`, from low to high; none where the field is not known.
    pub(crate) efforts: Vec<String>,
    /// The highest effort that goes with disabled thinking, where there is a limit.
    pub(crate) disabled_effort: Option<String>,
    /// Whether `thinking.type: between_tools` is accepted.
    pub(crate) between_tools: bool,
    /// When `tool_choice` may force a tool.
    pub(crate) forced_tool: ForcedTool,
    /// Whether the body itself may carry `cache_control`.
    pub(crate) auto_cache: bool,
    /// Whether cache marks may ask for an hour.
    pub(crate) hour_cache: bool,
    /// Whether thinking is signed together with the history before it.
    pub(crate) bound_thinking: bool,
    /// Whether messages may carry `output_config`.
    pub(crate) message_effort: bool,
    /// Betas that other models know.
    pub(crate) refused_betas: Vec<String>,
    /// Tool types that other models know.
    pub(crate) refused_tools: Vec<String>,
    /// Whether `output_config.format` is known: `yes` or `no`.
    pub(crate) format: String,
    /// Whether tools may carry `eager_input_streaming`.
    pub(crate) eager: bool,
    /// Whether `thinking.display` is known.
    pub(crate) display: bool,
    /// Whether `temperature`, `top_p` and `top_k` may be set.
    pub(crate) sampling: bool,
}

/// Which forms of `thinking` a model takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ThinkingKinds {
    /// `enabled` with a budget.
    Budget,
    /// `enabled` and `adaptive`.
    Both,
    /// `adaptive`.
    AdaptiveOnly,
}

/// When a model lets `tool_choice` force a tool.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum ForcedTool {
    /// While it is not asked to think.
    WithoutThinking,
    /// While its thinking is disabled expressly.
    ThinkingDisabled,
    /// Never.
    Never,
}

/// All models. The data file is part of the program, and a test reads it.
pub(crate) static MODELS: LazyLock<Vec<Model>> =
    LazyLock::new(|| serde_json::from_str(include_str!("models.json")).unwrap_or_default());

/// What a model id in a URL names.
pub(crate) enum Named {
    /// A model that can be invoked so.
    Model(&'static Model),
    /// A foundation model that can only be invoked through a profile.
    ProfileOnly,
    /// Nothing.
    Unknown,
}

/// Looks a model id up: a foundation model, an inference profile, or the ARN of either.
pub(crate) fn find(id: &str) -> Named {
    let id = match id
        .split_once("foundation-model/")
        .or_else(|| id.split_once("inference-profile/"))
    {
        Some((head, _)) if head.contains(":application-") || head.ends_with("application-") => {
            return Named::Unknown;
        }
        Some((head, rest)) if head.starts_with("arn:aws") => rest,
        _ => id,
    };
    for model in MODELS.iter() {
        if id == model.id {
            return if model.on_demand {
                Named::Model(model)
            } else {
                Named::ProfileOnly
            };
        }
        if let Some(geography) = id
            .strip_suffix(model.id.as_str())
            .and_then(|g| g.strip_suffix('.'))
            && model.geographies.iter().any(|g| g == geography)
        {
            return Named::Model(model);
        }
    }
    Named::Unknown
}

/// The model whose foundation model's id this is.
pub(crate) fn base(id: &str) -> Option<&'static Model> {
    MODELS.iter().find(|model| model.id == id)
}

/// Every system-defined profile: its id, its geography and its model.
pub(crate) fn profiles() -> impl Iterator<Item = (String, &'static str, &'static Model)> {
    MODELS.iter().flat_map(|m| {
        m.geographies
            .iter()
            .map(move |g| (format!("{g}.{}", m.id), g.as_str(), m))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_data_file_is_read() {
        assert!(MODELS.len() >= 20);
        assert!(matches!(find("us.anthropic.claude-opus-5-5"), Named::Model(_)));
        assert!(matches!(find("anthropic.claude-opus-5-5"), Named::ProfileOnly));
        assert!(matches!(
            find("anthropic.claude-haiku-4-5-20251001-v1:0"),
            Named::Model(_)
        ));
        assert!(matches!(find("mars.anthropic.claude-opus-5-5"), Named::Unknown));
        let arn = "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-opus-5-5";
        assert!(matches!(find(arn), Named::Model(_)));
    }
}
