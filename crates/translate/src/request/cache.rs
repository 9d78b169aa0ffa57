//! `cache_control`, in the places where it means something.

use super::plan::Plan;
use crate::json::{Kind, Value};
use crate::noticed::DroppedKind;
use ccag_domain::Problem;

/// How many markers a request may have (Anthropic, "Prompt caching").
const MAX_MARKERS: u32 = 4;

impl Plan<'_> {
    /// Reduces the marker on a block, tool or the request itself to what Bedrock takes.
    pub(crate) fn cache_control(&mut self, marker: Value<'_>) -> Result<(), Problem> {
        if !marker.is_object() {
            return Ok(());
        }
        self.cache_markers += 1;
        let profile = self.profile;
        self.filter_members(
            marker,
            &profile.cache_control,
            DroppedKind::Field,
            "cache_control.",
            |plan, value, row| {
                if row.name == "ttl" && value.is_text("1h") {
                    plan.writes_1h = true;
                }
                Ok(())
            },
        )
    }

    /// Puts an explicit marker where automatic caching would put it: on the last block that can carry one.
    pub(crate) fn explicit_marker(&mut self, marker: Value<'_>, messages: Value<'_>) {
        if self.cache_markers >= MAX_MARKERS {
            return;
        }
        let ttl = marker
            .get("ttl")
            .filter(|_| self.profile.cache_control.action("ttl") == Some(crate::profile::Action::Keep));
        self.writes_1h |= ttl.is_some_and(|ttl| ttl.is_text("1h"));
        let member = match ttl {
            Some(ttl) => format!(
                "\"cache_control\":{{\"type\":\"ephemeral\",\"ttl\":{}}}",
                ttl.raw()
            ),
            None => "\"cache_control\":{\"type\":\"ephemeral\"}".to_owned(),
        };
        // A system message may have become a user message by edits that another edit of the same text would undo.
        let last = messages
            .elements()
            .last()
            .filter(|m| !m.get("role").is_some_and(|r| r.is_text("system")));
        let Some(content) = last.and_then(|m| m.get("content")) else {
            return;
        };
        if content.kind() == Kind::String {
            if content.raw_text() != Some("") {
                let text = match self.guard_tags() {
                    // This edit takes the place of those that would have tagged the text.
                    Some((open, close)) => {
                        let inside = &content.raw()[1..content.raw().len() - 1];
                        format!("\"{open}{inside}{close}\"")
                    }
                    None => content.raw().to_owned(),
                };
                let block = format!("[{{\"type\":\"text\",\"text\":{text},{member}}}]");
                self.edits.replace(content, block);
            }
            return;
        }
        let carries = |block: &Value<'_>| {
            let kind = block.get("type");
            let is = |name: &str| kind.is_some_and(|k| k.is_text(name));
            let empty = is("text") && block.get("text").is_some_and(|t| t.raw_text() == Some(""));
            !is("thinking") && !is("redacted_thinking") && !empty && block.is_object() && !block.is_empty()
        };
        if let Some(block) = content.elements().filter(carries).last()
            && block.get("cache_control").is_none()
        {
            self.edits.append(block, &member, true);
        }
    }
}
