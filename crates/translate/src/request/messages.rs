//! Messages and their content blocks.

use super::plan::Plan;
use crate::json::{Edits, Kind, Value, quoted};
use crate::noticed::DroppedKind;
use crate::profile::{Action, Feature};
use crate::search::{as_text, has_searches};
use ccag_domain::{Code, Problem};

/// Where a block stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    User,
    Assistant,
    System,
    ToolResult,
}

impl Plan<'_> {
    /// Looks through all messages. Returns the blocks (as JSON) that belong into the system prompt instead.
    pub(crate) fn messages(&mut self, text: &str, messages: Value<'_>) -> Result<Vec<String>, Problem> {
        let is_system = |m: Value<'_>| m.get("role").is_some_and(|r| r.is_text("system"));
        let leading = messages.elements().take_while(|m| is_system(*m)).count();
        let only_system = messages.elements().nth(leading).is_none();
        let mut removed = Vec::new();
        let mut hoisted = Vec::new();
        // The last message that is not a system message: tool results must follow right after their tool uses.
        let mut previous = None;
        for (i, message) in messages.elements().enumerate() {
            let Some(role) = message.get("role") else { continue };
            if i < leading && !only_system {
                self.hoist(text, i, message, &mut hoisted)?;
                removed.push(i);
            } else if role.is_text("system") {
                if self.system_message(text, messages, i, message, previous)? {
                    removed.push(i);
                }
            } else {
                let place = if role.is_text("assistant") {
                    Place::Assistant
                } else {
                    Place::User
                };
                if place == Place::Assistant && has_searches(message) {
                    self.searched_message(text, messages, i, message)?;
                } else if self.message(i, message, place)? {
                    removed.push(i);
                }
                previous = Some(message);
            }
        }
        self.edits.remove_children(messages, &removed);
        Ok(hoisted)
    }

    /// Looks through one message; says whether nothing of it is left.
    pub(crate) fn message(&mut self, i: usize, message: Value<'_>, place: Place) -> Result<bool, Problem> {
        let mut removed = Vec::new();
        let mut emptied = false;
        for (at, (key, value)) in message.members().enumerate() {
            if key.is_text("content") {
                emptied = value.is_array() && self.blocks(i, value, place)?;
                if place == Place::User {
                    self.guard(value);
                }
                continue;
            }
            if key.is_text("role") {
                continue;
            }
            let name = key.text().unwrap_or_default();
            let profile = self.profile;
            let row = profile.message_fields.find_for(&name, self.features, None);
            match row.map(|row| (row.action, row)) {
                Some((Action::Refuse, row)) => return Err(row.problem(&format!("messages.{i}.{name}"))),
                Some((Action::Drop, _)) | None => {
                    self.left_out_by(row, DroppedKind::Field, &format!("messages.{name}"));
                    removed.push(at);
                }
                Some(_) if name == "output_config" => self.features.add(Feature::MessageOutputConfig),
                Some(_) if name == "clear_at" => self.features.add(Feature::ClearAt),
                Some(_) => self.goes_by(row, DroppedKind::Field, &format!("messages.{name}")),
            }
        }
        self.edits.remove_children(message, &removed);
        Ok(emptied)
    }

    /// Looks through the blocks of a message or tool result; says whether none is left.
    pub(crate) fn blocks(&mut self, i: usize, content: Value<'_>, place: Place) -> Result<bool, Problem> {
        let mut removed = Vec::new();
        let mut count = 0;
        for (at, block) in content.elements().enumerate() {
            count += 1;
            if self.block(i, block, place)? {
                removed.push(at);
            }
        }
        if removed.is_empty() {
            return Ok(false);
        }
        self.edits.remove_children(content, &removed);
        Ok(removed.len() == count)
    }

    /// Looks through one block; says whether it is to go.
    pub(crate) fn block(&mut self, i: usize, block: Value<'_>, place: Place) -> Result<bool, Problem> {
        let kind = block.get("type").and_then(|t| t.raw_text()).unwrap_or_default();
        let profile = self.profile;
        let row = match block.get("name").and_then(|n| n.raw_text()) {
            Some(name) if kind == "server_tool_use" => profile.blocks.find(&format!("{kind}.{name}")),
            _ => profile.blocks.find(kind),
        };
        match row.map(|row| (row.action, row)) {
            Some((Action::Refuse, row)) => {
                return Err(row.problem(&format!("messages.{i}: content of type '{kind}'")));
            }
            Some((Action::Drop, _)) => {
                self.left_out_by(row, DroppedKind::Content, kind);
                return Ok(true);
            }
            Some((Action::Rewrite, _)) => {
                // What the model is told about its tools stays a part of the conversation, as text.
                let note = quoted(&format!("{kind}: {}", block.raw()));
                self.edits
                    .replace(block, format!("{{\"type\":\"text\",\"text\":{note}}}"));
                return Ok(false);
            }
            // Searches stand in messages of the assistant, which are rewritten whole.
            Some((Action::Emulate, _)) => {
                self.edits.replace(block, as_text(block));
                return Ok(false);
            }
            _ => self.goes_by(row, DroppedKind::Content, kind),
        }
        if self.strict_version {
            strict_block(i, block, kind, place)?;
        }
        if let Some(source) = block.get("source")
            && !self.source(i, source)?
        {
            return Ok(true);
        }
        self.block_members(i, block, kind)?;
        if kind == "text"
            && matches!(place, Place::User | Place::ToolResult)
            && let Some(text) = block.get("text")
        {
            self.guard(text);
        }
        Ok(false)
    }

    fn block_members(&mut self, i: usize, block: Value<'_>, kind: &str) -> Result<(), Problem> {
        for (at, (key, value)) in block.members().enumerate() {
            match key.raw_text().unwrap_or_default() {
                "cache_control" => self.cache_control(value)?,
                "citations" if kind == "text" => self.searched_citations(block, at, value),
                "content" if value.is_array() => {
                    // An emptied tool result is one without content, which is allowed.
                    self.blocks(i, value, Place::ToolResult)?;
                }
                "content" if kind == "tool_result" => self.guard(value),
                "caller" if kind == "tool_use" => {
                    let direct = value.get("type").is_some_and(|t| t.is_text("direct"));
                    match self.profile.blocks.find("caller") {
                        Some(row) if row.action == Action::Drop && !direct => {
                            return Err(row.problem(&format!("messages.{i}: programmatic tool calling")));
                        }
                        Some(row) if row.action == Action::Drop => self.edits.remove_children(block, &[at]),
                        _ => {}
                    }
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Looks at where the data of a block comes from; says whether the block can stay.
    fn source(&mut self, i: usize, source: Value<'_>) -> Result<bool, Problem> {
        // The source of a search result is text.
        let Some(kind) = source.get("type").and_then(|t| t.raw_text()) else {
            return Ok(true);
        };
        let row = self.profile.sources.find(kind);
        match row.map(|row| (row.action, row)) {
            Some((Action::Refuse, row)) => Err(row.problem(&format!("messages.{i}"))),
            Some((Action::Drop, _)) => {
                self.left_out_by(row, DroppedKind::Content, &format!("source.{kind}"));
                Ok(false)
            }
            _ => {
                self.goes_by(row, DroppedKind::Content, &format!("source.{kind}"));
                Ok(true)
            }
        }
    }

    /// Works on a part of the text with edits of its own and returns it changed.
    pub(crate) fn edited(
        &mut self,
        text: &str,
        value: Value<'_>,
        work: impl FnOnce(&mut Self) -> Result<(), Problem>,
    ) -> Result<String, Problem> {
        let outer = std::mem::take(&mut self.edits);
        let done = work(self);
        let inner: Edits<'_> = std::mem::replace(&mut self.edits, outer);
        done.map(|()| inner.apply_range(text, value.start(), value.end()))
    }
}

/// What API version 2026-10-21 refuses and Bedrock's older version lets pass (Anthropic, "Versions").
fn strict_block(i: usize, block: Value<'_>, kind: &str, place: Place) -> Result<(), Problem> {
    let refuse = |what: &str| {
        let field = format!("messages.{i}.content");
        Err(Problem::new(Code::InvalidRequest, format!("{field}: {what}")).field(field))
    };
    if kind == "document" && place == Place::Assistant {
        return refuse("document blocks are not permitted in assistant messages");
    }
    let cited = block
        .get("citations")
        .is_some_and(|c| c.kind() == Kind::Array && !c.is_empty());
    if kind == "text" && place == Place::User && cited {
        return refuse("citations are not permitted in text blocks of user messages");
    }
    Ok(())
}
