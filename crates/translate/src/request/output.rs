//! `output_config` and `context_management`.

use super::plan::Plan;
use crate::json::{Value, escape_into};
use crate::noticed::DroppedKind;
use crate::profile::{Action, Feature};
use ccag_domain::Problem;

/// Efforts from low to high, as far as they are known.
const EFFORTS: [&str; 5] = ["low", "medium", "high", "xhigh", "max"];

/// What was found in `output_config`.
#[derive(Debug, Default)]
pub(crate) struct OutputConfig {
    /// Nothing of it stays.
    pub(crate) goes: bool,
    /// It names an effort that stays.
    pub(crate) has_effort: bool,
    /// Text for the system prompt that stands in for `format`.
    pub(crate) instead_of_format: Option<String>,
}

impl Plan<'_> {
    /// Reduces `output_config` to what the model takes.
    pub(crate) fn output_config(&mut self, config: Value<'_>) -> Result<OutputConfig, Problem> {
        let mut found = OutputConfig::default();
        let mut removed = Vec::new();
        let mut count = 0;
        for (i, (key, value)) in config.members().enumerate() {
            count = i + 1;
            let name = key.text().unwrap_or_default();
            let profile = self.profile;
            let row = profile.output_config.find(&name);
            match row.map(|row| row.action) {
                Some(Action::Refuse) => {
                    return Err(row.map_or_else(
                        || Problem::new(ccag_domain::Code::InvalidRequest, name.clone()),
                        |row| row.problem(&format!("output_config.{name}")),
                    ));
                }
                Some(Action::Emulate) if name == "format" => {
                    found.instead_of_format = format_instruction(value);
                    removed.push(i);
                }
                Some(Action::Drop) | None => {
                    self.left_out_by(row, DroppedKind::Field, &format!("output_config.{name}"));
                    removed.push(i);
                }
                Some(_) if name == "effort" => {
                    if self.effort(value) {
                        found.has_effort = true;
                    } else {
                        removed.push(i);
                    }
                }
                Some(_) => self.goes_by(row, DroppedKind::Field, &format!("output_config.{name}")),
            }
        }
        found.goes = removed.len() == count;
        if !found.goes {
            self.edits.remove_children(config, &removed);
        }
        Ok(found)
    }

    /// Lowers an effort to the highest that the model takes; says whether one stays.
    fn effort(&mut self, value: Value<'_>) -> bool {
        let all = &self.profile.efforts;
        let limit = self.effort_limit.as_deref();
        let highest = limit.and_then(|limit| all.iter().position(|level| level == limit));
        let levels = highest.map_or(&all[..], |highest| &all[..=highest]);
        if levels.is_empty() {
            self.left_out(DroppedKind::Field, "output_config.effort", true);
            return false;
        }
        self.features.add(Feature::Effort);
        let asked = value.text().unwrap_or_default();
        let rank = |level: &str| EFFORTS.iter().position(|e| *e == level);
        if let Some(wanted) = rank(&asked)
            && !levels.iter().any(|l| *l == asked)
            && let Some(lower) = levels.iter().rfind(|l| rank(l).is_some_and(|r| r < wanted))
        {
            self.edits.replace(value, format!("\"{lower}\""));
        }
        true
    }

    /// Reduces `context_management` to the edits that Bedrock takes; says whether anything stays.
    pub(crate) fn context_management(&mut self, value: Value<'_>) -> bool {
        let Some(edits) = value.get("edits") else {
            self.left_out(DroppedKind::Field, "context_management", true);
            return false;
        };
        let mut removed = Vec::new();
        let mut count = 0;
        for (i, edit) in edits.elements().enumerate() {
            count = i + 1;
            let name = edit.get("type").and_then(|t| t.text()).unwrap_or_default();
            let row = self.profile.context_edits.find(&name);
            if row.is_some_and(|row| row.action == Action::Keep) {
                self.goes_by(row, DroppedKind::Field, &format!("context_management.{name}"));
                self.features.add(if name.starts_with("compact_") {
                    Feature::CompactEdit
                } else {
                    Feature::ContextEdits
                });
            } else {
                self.left_out_by(row, DroppedKind::Field, &format!("context_management.{name}"));
                removed.push(i);
            }
        }
        if removed.len() == count {
            return false;
        }
        self.edits.remove_children(edits, &removed);
        true
    }
}

/// The instruction that takes the place of a JSON schema. It stands in the system prompt, so that it is the same on every
/// turn of a conversation that asks for the same schema.
pub(crate) fn format_instruction(format: Value<'_>) -> Option<String> {
    let schema = format.get("schema")?;
    let mut text = String::from(
        "Answer with one JSON value and nothing else: no explanation before or after it and no Markdown fence. \
         It must be valid against this JSON Schema:\\n",
    );
    escape_into(schema.raw(), &mut text);
    Some(text)
}
