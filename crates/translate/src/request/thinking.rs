//! `thinking`, in the form that the model takes.

use super::plan::Plan;
use crate::json::Value;
use crate::noticed::DroppedKind;
use crate::profile::{DisabledThinking, Feature};

/// The budget that Claude Code's own Bedrock client gives to models without adaptive thinking.
const NATIVE_BUDGET: u64 = 31_999;

/// The least budget that such models take.
const LEAST_BUDGET: u64 = 1_024;

/// What becomes of the field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Thinking {
    /// It stays, perhaps with edits inside.
    Stays,
    /// It is left out.
    Goes,
    /// It stays as `adaptive`; this effort replaces the budget if the request names none.
    Effort(&'static str),
}

impl Plan<'_> {
    /// Rewrites `thinking`; `max_tokens` is what Bedrock will be asked for, `updates` whether the beta for
    /// `display: "updates"` was sent.
    pub(crate) fn thinking(&mut self, thinking: Value<'_>, max_tokens: u64, updates: bool) -> Thinking {
        let rules = self.profile.thinking.clone();
        let Some(kind) = thinking.get("type") else {
            return Thinking::Stays;
        };
        let is = |name: &str| kind.is_text(name);
        let mut outcome = Thinking::Stays;
        if is("disabled") {
            match rules.disabled {
                DisabledThinking::Keep => {}
                DisabledThinking::Drop => outcome = Thinking::Goes,
                DisabledThinking::BetweenTools => self.edits.replace(kind, "\"between_tools\""),
            }
        } else if is("between_tools") && rules.disabled != DisabledThinking::BetweenTools {
            match rules.disabled {
                DisabledThinking::Drop => outcome = Thinking::Goes,
                _ => self.edits.replace(kind, "\"disabled\""),
            }
        } else if is("adaptive") && !rules.adaptive {
            outcome = self.adaptive_to_budget(thinking, kind, max_tokens);
        } else if is("enabled") && !rules.budget {
            outcome = self.budget_to_adaptive(thinking, kind);
        } else if is("enabled") {
            outcome = self.fit_budget(thinking, max_tokens);
        }
        if outcome == Thinking::Goes {
            self.left_out(DroppedKind::Field, "thinking", true);
            return outcome;
        }
        let updates = updates && rules.display;
        self.display(thinking, rules.display, updates, is("enabled") && !rules.budget);
        outcome
    }

    fn adaptive_to_budget(&mut self, thinking: Value<'_>, kind: Value<'_>, max_tokens: u64) -> Thinking {
        if max_tokens <= LEAST_BUDGET {
            return Thinking::Goes;
        }
        let budget = NATIVE_BUDGET.min(max_tokens - 1);
        self.edits.replace(kind, "\"enabled\"");
        self.edits
            .insert(thinking.start() + 1, format!("\"budget_tokens\":{budget},"));
        Thinking::Stays
    }

    fn budget_to_adaptive(&mut self, thinking: Value<'_>, kind: Value<'_>) -> Thinking {
        self.edits.replace(kind, "\"adaptive\"");
        match thinking.get("budget_tokens").and_then(|v| v.u64()) {
            Some(budget) if budget >= 10_000 => Thinking::Effort("high"),
            Some(budget) if budget >= 4_000 => Thinking::Effort("medium"),
            Some(_) => Thinking::Effort("low"),
            None => Thinking::Stays,
        }
    }

    /// Our own clamp of `max_tokens` must not leave a budget that no longer fits under it.
    fn fit_budget(&mut self, thinking: Value<'_>, max_tokens: u64) -> Thinking {
        let Some(budget) = thinking.get("budget_tokens") else {
            return Thinking::Stays;
        };
        if max_tokens == self.max_output && budget.u64().is_some_and(|n| n >= max_tokens) {
            self.edits.replace(budget, (max_tokens - 1).to_string());
        }
        Thinking::Stays
    }

    /// Takes out `display` where it is not taken, and the budget of a request that became adaptive.
    fn display(&mut self, thinking: Value<'_>, taken: bool, updates: bool, without_budget: bool) {
        let mut removed = Vec::new();
        for (i, (key, value)) in thinking.members().enumerate() {
            if key.is_text("display") {
                let is_updates = value.is_text("updates");
                if !taken || (is_updates && !updates) {
                    removed.push(i);
                    self.left_out(DroppedKind::Field, "thinking.display", true);
                } else if is_updates {
                    self.features.add(Feature::DisplayUpdates);
                }
            } else if without_budget && key.is_text("budget_tokens") {
                removed.push(i);
            }
        }
        self.edits.remove_children(thinking, &removed);
    }
}
