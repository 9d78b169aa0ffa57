//! `role: "system"` within the conversation.

use super::messages::Place;
use super::plan::Plan;
use crate::json::{Kind, Value};
use crate::noticed::DroppedKind;
use crate::profile::Action;
use ccag_domain::{Code, Problem};

/// What a system message becomes where the model knows only user and assistant. Claude Code frames its own reminders so.
const OPEN: &str = "<system-reminder>\\n";
const CLOSE: &str = "\\n</system-reminder>";

fn has_block(message: Value<'_>, kind: &str) -> bool {
    let content = message.get("content");
    content
        .into_iter()
        .flat_map(Value::elements)
        .any(|b| b.get("type").is_some_and(|t| t.is_text(kind)))
}

impl Plan<'_> {
    /// Takes a system message from the beginning of the conversation into the system prompt.
    pub(crate) fn hoist(
        &mut self,
        text: &str,
        i: usize,
        message: Value<'_>,
        blocks: &mut Vec<String>,
    ) -> Result<(), Problem> {
        let Some(content) = message.get("content") else {
            return Ok(());
        };
        if content.kind() == Kind::String {
            if content.raw_text() != Some("") {
                blocks.push(format!("{{\"type\":\"text\",\"text\":{}}}", content.raw()));
            }
            return Ok(());
        }
        if !content.is_array() {
            let field = format!("messages.{i}.content");
            return Err(Problem::new(
                Code::InvalidRequest,
                format!("{field}: Input should be a valid list"),
            )
            .field(field));
        }
        let edited = self.edited(text, content, |plan| {
            plan.blocks(i, content, Place::System).map(|_| ())
        })?;
        let inside = edited
            .strip_prefix('[')
            .and_then(|rest| rest.strip_suffix(']'))
            .unwrap_or_default()
            .trim();
        if !inside.is_empty() {
            blocks.push(inside.to_owned());
        }
        Ok(())
    }

    /// Keeps a system message that stands within the conversation, or turns it into a user message; says whether it
    /// leaves its place.
    pub(crate) fn system_message(
        &mut self,
        text: &str,
        messages: Value<'_>,
        i: usize,
        message: Value<'_>,
        previous: Option<Value<'_>>,
    ) -> Result<bool, Problem> {
        let row = self.profile.roles.find("system");
        match row.map(|row| (row.action, row)) {
            Some((Action::Rewrite, _)) => {}
            Some((Action::Refuse, row)) => return Err(row.problem(&format!("messages.{i}.role"))),
            Some((Action::Drop, _)) => {
                self.left_out_by(row, DroppedKind::Content, "role.system");
                return Ok(true);
            }
            _ => return self.message(i, message, Place::System),
        }
        let pending = previous
            .filter(|p| p.get("role").is_some_and(|r| r.is_text("assistant")) && has_block(*p, "tool_use"))
            .and_then(|_| {
                let mut rest = messages.elements().skip(i + 1);
                rest.find(|m| !m.get("role").is_some_and(|r| r.is_text("system")))
            })
            .filter(|next| has_block(*next, "tool_result"));
        let Some(results) = pending else {
            return self.as_user(i, message);
        };
        let moved = self.edited(text, message, |plan| plan.as_user(i, message).map(|_| ()))?;
        self.edits.insert(results.end(), format!(",{moved}"));
        Ok(true)
    }

    /// Makes it a user message in its place; says whether nothing of it is left.
    fn as_user(&mut self, i: usize, message: Value<'_>) -> Result<bool, Problem> {
        if let Some(role) = message.get("role") {
            self.edits.replace(role, "\"user\"");
        }
        let frame = |plan: &mut Self, text: Value<'_>| {
            if text.kind() == Kind::String && text.raw_text() != Some("") {
                plan.edits.insert(text.start() + 1, OPEN);
                plan.edits.insert(text.end() - 1, CLOSE);
            }
        };
        if let Some(content) = message.get("content") {
            frame(self, content);
            for block in content.elements() {
                if let Some(text) = block.get("text") {
                    frame(self, text);
                }
            }
        }
        self.message(i, message, Place::System)
    }
}
