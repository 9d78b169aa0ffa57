//! What a Bedrock surface does with each beta, field, tool and block, as data.
//!
//! A [`RuleBook`] holds rows for one surface; each row names the thing, the action, the models it holds for and where the
//! knowledge comes from. A [`Profile`] is a book read for one model. Translation is a pure function of the request and the
//! profile, so two turns of a conversation that use the same profile are rewritten alike.

mod book;
mod model;
mod overlay;
mod reduction;
mod table;

pub use book::{EffortRow, RuleBook, RuleBookError, ThinkingRow};
pub use model::{FilteredModel, ModelFilter, ModelVersion};
pub use overlay::{TABLES, overlaid};
pub use reduction::Reduction;
pub use table::{Action, DisabledThinking, Feature, Features, Refusal, Row, Table};

use ccag_domain::{Lane, ModelName};
use std::sync::Arc;

/// What becomes of what Bedrock answers, beside the parts that every message has: kept or dropped. What no row names is kept.
#[derive(Debug, Clone)]
pub struct AnswerRules {
    /// Events of a stream, beside those that frame a message and its blocks.
    pub events: Table,
    /// Types of content blocks.
    pub blocks: Table,
    /// Types of deltas.
    pub deltas: Table,
}

impl Default for AnswerRules {
    /// What this release ships for models that it does not know.
    fn default() -> Self {
        let model = ModelName::canonical("claude");
        RuleBook::invoke_model().profile(&model, u32::MAX).answer
    }
}

/// The rules of one surface for one model.
#[derive(Debug, Clone)]
pub struct Profile {
    /// The surface, for metrics: `invoke-model`.
    pub surface: String,
    /// The version of the rule book that it was read from.
    pub version: String,
    /// The canonical model.
    pub model: ModelName,
    /// The most output tokens that the model can be asked for.
    pub max_output_tokens: u64,
    /// Betas of the `anthropic-beta` header.
    pub betas: Table,
    /// Betas to add when the request uses something that needs them.
    pub add_betas: Table,
    /// Top-level fields of the body.
    pub fields: Table,
    /// Values of `anthropic_version` beside the default.
    pub versions: Table,
    /// Fields of `output_config`.
    pub output_config: Table,
    /// Types of `context_management.edits`.
    pub context_edits: Table,
    /// Fields of `cache_control`.
    pub cache_control: Table,
    /// Fields of a message.
    pub message_fields: Table,
    /// Roles of messages, beside `user` and `assistant`.
    pub roles: Table,
    /// Beginnings of system texts.
    pub system_texts: Table,
    /// Tool types.
    pub tools: Table,
    /// Fields of ordinary tools.
    pub tool_fields: Table,
    /// Types of content blocks.
    pub blocks: Table,
    /// Types of `source` in images and documents.
    pub sources: Table,
    /// What becomes of what Bedrock answers.
    pub answer: AnswerRules,
    /// Which forms of thinking the model takes.
    pub thinking: ThinkingRow,
    /// Which efforts the model takes, from low to high.
    pub efforts: Arc<[String]>,
}

impl Profile {
    /// The lane that the rules are for: each surface is one.
    #[must_use]
    pub fn lane(&self) -> Lane {
        Lane::parse(&self.surface).unwrap_or_default()
    }

    /// The same profile without the things that Bedrock has just refused, or `None` if it cannot be reduced that way.
    ///
    /// For conversations that are already running this changes what is sent; models that sign their thinking over the
    /// history then refuse it. Use it for one retry, and for new conversations.
    #[must_use]
    pub fn reduced(&self, by: &Reduction) -> Option<Self> {
        let mut reduced = self.clone();
        let changed = match by {
            Reduction::NoBetas => reduced.retain_betas(|_| false),
            // A profile that is minimal already loses the rest, too.
            Reduction::MinimalBetas => {
                reduced.retain_betas(|row| MINIMAL_BETAS.contains(&row.name.as_str()))
                    || reduced.retain_betas(|_| false)
            }
            Reduction::MaxTokens(limit) => {
                let lower = *limit < reduced.max_output_tokens && *limit > 0;
                reduced.max_output_tokens = (*limit).min(reduced.max_output_tokens);
                lower
            }
            // Whatever becomes this beta must not be sent either.
            Reduction::Beta(name) => {
                let asked = reduced.betas.forbid(name);
                let added = reduced.add_betas.retain(|row| row.name != *name);
                asked || added
            }
            Reduction::Path(path) => reduced.without_path(path),
            Reduction::ThinkingHistory => {
                let thinking = reduced.blocks.set_action("thinking", Action::Drop);
                reduced.blocks.set_action("redacted_thinking", Action::Drop) || thinking
            }
        };
        changed.then_some(reduced)
    }

    /// The profile after several reductions; those that change nothing are passed over.
    #[must_use]
    pub fn reduced_by<'r>(&self, all: impl IntoIterator<Item = &'r Reduction>) -> Option<Self> {
        all.into_iter().fold(None, |reduced: Option<Self>, by| {
            reduced.as_ref().unwrap_or(self).reduced(by).or(reduced)
        })
    }

    fn retain_betas(&mut self, keep: impl Fn(&Row) -> bool) -> bool {
        let asked = self.betas.retain(&keep);
        let added = self.add_betas.retain(&keep);
        asked || added
    }

    /// Takes out the rule that lets `path` (as Bedrock spells it, `tools.0.custom.strict`) through.
    fn without_path(&mut self, path: &str) -> bool {
        let parts: Vec<&str> = path
            .split('.')
            .filter(|p| p.parse::<u32>().is_err() && *p != "custom")
            .collect();
        match parts.as_slice() {
            ["output_config", "format", ..] => self.output_config.set_action("format", Action::Emulate),
            ["output_config", field, ..] => self.output_config.set_action(field, Action::Drop),
            ["tools", field] => self.tool_fields.set_action(field, Action::Drop),
            ["messages", field] => self.message_fields.set_action(field, Action::Drop),
            ["thinking", .., "display"] => std::mem::replace(&mut self.thinking.display, false),
            [.., "cache_control", _, field] | [.., "cache_control", field] => {
                self.cache_control.set_action(field, Action::Drop)
            }
            ["messages" | "system" | "tools" | "max_tokens" | "model"] => false,
            [field] => self.fields.set_action(field, Action::Drop),
            _ => false,
        }
    }
}

/// What Claude Code's own Bedrock client sends to every model that takes betas at all.
const MINIMAL_BETAS: [&str; 2] = ["tool-search-tool-2025-10-19", "advanced-tool-use-2025-11-20"];
