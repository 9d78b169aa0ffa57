//! The system prompt.

use super::plan::Plan;
use crate::json::{Kind, Value};
use crate::noticed::DroppedKind;
use crate::profile::Action;
use ccag_domain::Problem;

/// What becomes of the `system` field.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum System {
    /// It stays, perhaps with edits inside.
    Stays,
    /// It is left out.
    Goes,
    /// There was none: this is to be added.
    New(String),
}

impl Plan<'_> {
    /// Looks through the system prompt and adds `extra` blocks (as JSON) at its end.
    pub(crate) fn system(&mut self, system: Option<Value<'_>>, extra: &[String]) -> Result<System, Problem> {
        let added = extra.join(",");
        let Some(system) = system.filter(|s| s.kind() != Kind::Null) else {
            return Ok(match (system, extra.is_empty()) {
                (None, true) => System::Stays,
                (Some(_), true) => System::Goes,
                (None, false) => System::New(format!("[{added}]")),
                (Some(null), false) => {
                    self.edits.replace(null, format!("[{added}]"));
                    System::Stays
                }
            });
        };
        if system.kind() == Kind::String {
            match (extra.is_empty(), system.raw_text() == Some("")) {
                (true, _) => {}
                (false, true) => self.edits.replace(system, format!("[{added}]")),
                (false, false) => {
                    let own = format!("{{\"type\":\"text\",\"text\":{}}}", system.raw());
                    self.edits.replace(system, format!("[{own},{added}]"));
                }
            }
            return Ok(System::Stays);
        }
        let mut removed = Vec::new();
        let mut count = 0;
        for (i, block) in system.elements().enumerate() {
            count = i + 1;
            let text = block.get("text").and_then(|t| t.raw_text()).unwrap_or_default();
            match self.profile.system_texts.find(text) {
                Some(row) if row.action == Action::Refuse => return Err(row.problem(&format!("system.{i}"))),
                Some(row) if row.action == Action::Drop => {
                    self.left_out(DroppedKind::Content, row.name.trim_end_matches(":*"), true);
                    removed.push(i);
                }
                _ => {
                    if let Some(marker) = block.get("cache_control") {
                        self.cache_control(marker)?;
                    }
                }
            }
        }
        let left = removed.len() < count;
        if !left && extra.is_empty() {
            return Ok(System::Goes);
        }
        self.edits.remove_children(system, &removed);
        if !extra.is_empty() {
            self.edits.append(system, &added, left);
        }
        Ok(System::Stays)
    }
}
