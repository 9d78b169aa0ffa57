//! Tools.

use super::plan::Plan;
use crate::json::{Doc, Edits, Value, quoted};
use crate::noticed::DroppedKind;
use crate::profile::{Action, Feature, Row};
use ccag_domain::Problem;

/// How deep schemas are looked into.
const SCHEMA_DEPTH: usize = 64;

impl Plan<'_> {
    /// Looks through the tools; says whether none is left.
    pub(crate) fn tools(&mut self, text: &str, tools: Value<'_>) -> Result<bool, Problem> {
        let profile = self.profile;
        let mut removed = Vec::new();
        let mut count = 0;
        for (at, tool) in tools.elements().enumerate() {
            count = at + 1;
            let kind = tool
                .get("type")
                .and_then(|t| t.text())
                .unwrap_or_else(|| "custom".into());
            if kind == "custom" {
                self.custom_tool(tool)?;
                continue;
            }
            let row = profile.tools.find(&kind);
            match row.map(|row| (row.action, row)) {
                Some((Action::Emulate, _)) if self.search.enabled && kind.starts_with("web_search_") => {
                    self.search_tool(text, tool)?;
                    continue;
                }
                Some((Action::Refuse | Action::Emulate, row)) => {
                    return Err(row.problem(&format!("tool type '{kind}'")));
                }
                Some((Action::Drop, _)) => {
                    self.left_out_by(row, DroppedKind::ToolType, &kind);
                    removed.push(at);
                    continue;
                }
                Some((Action::Rewrite, row)) => self.rename(tool, &kind, row),
                _ => self.goes_by(row, DroppedKind::ToolType, &kind),
            }
            self.tool_features(tool, &kind)?;
        }
        if removed.len() < count {
            self.edits.remove_children(tools, &removed);
        }
        Ok(removed.len() == count)
    }

    /// Gives a tool of Anthropic's own the type and name of another, in the same dated version.
    fn rename(&mut self, tool: Value<'_>, kind: &str, row: &Row) {
        let Some(to) = &row.to else { return };
        let date = kind
            .rsplit('_')
            .next()
            .filter(|d| d.len() == 8 && d.bytes().all(|b| b.is_ascii_digit()));
        for (key, value) in tool.members() {
            if key.is_text("type") {
                let dated = date.map_or_else(|| to.clone(), |date| format!("{to}_{date}"));
                self.edits.replace(value, quoted(&dated));
            } else if key.is_text("name") {
                self.edits.replace(value, quoted(to));
            }
        }
    }

    fn tool_features(&mut self, tool: Value<'_>, kind: &str) -> Result<(), Problem> {
        if kind.starts_with("memory_") {
            self.features.add(Feature::MemoryTool);
        } else if kind.starts_with("tool_search_tool_") {
            self.features.add(Feature::DeferLoading);
        } else if kind == "computer_20251124" {
            self.features.add(Feature::Computer2511);
        } else if kind == "computer_20250124" {
            self.features.add(Feature::Computer2501);
        }
        for (key, value) in tool.members() {
            if key.is_text("cache_control") {
                self.cache_control(value)?;
            } else if key.is_text("defer_loading") && value.bool() == Some(true) {
                self.features.add(Feature::DeferLoading);
            }
        }
        Ok(())
    }

    fn custom_tool(&mut self, tool: Value<'_>) -> Result<(), Problem> {
        let profile = self.profile;
        let mut removed = Vec::new();
        let mut wrapped = None;
        for (at, (key, value)) in tool.members().enumerate() {
            let name = key.text().unwrap_or_default();
            let row = profile.tool_fields.find(&name);
            match row.map(|row| (row.action, row)) {
                Some((Action::Refuse, row)) => return Err(row.problem(&format!("tools.{name}"))),
                Some((Action::Drop, row)) => {
                    self.without(&name, value, row)?;
                    removed.push(at);
                }
                None => {
                    self.left_out(DroppedKind::Tool, &name, false);
                    removed.push(at);
                }
                // Some clients put what concerns deferred loading into an object of its own.
                Some((Action::Rewrite, _)) if name == "custom" => {
                    wrapped = value.get("defer_loading").and_then(|v| v.bool());
                    removed.push(at);
                }
                Some(_) => match name.as_ref() {
                    "cache_control" => self.cache_control(value)?,
                    "input_schema" => self.schema(value),
                    "defer_loading" if value.bool() == Some(true) => self.features.add(Feature::DeferLoading),
                    "input_examples" => self.features.add(Feature::InputExamples),
                    _ => self.goes_by(row, DroppedKind::Tool, &name),
                },
            }
        }
        self.edits.remove_children(tool, &removed);
        let deferrable = profile.tool_fields.action("defer_loading") == Some(Action::Keep);
        let something_stays = tool.members().nth(removed.len()).is_some();
        if wrapped == Some(true) && deferrable && something_stays && tool.get("defer_loading").is_none() {
            self.features.add(Feature::DeferLoading);
            self.edits.insert(tool.start() + 1, "\"defer_loading\":true,");
        }
        Ok(())
    }

    /// What follows from leaving out a field of a tool.
    fn without(&mut self, name: &str, value: Value<'_>, row: &Row) -> Result<(), Problem> {
        if name == "eager_input_streaming" && value.bool() == Some(true) {
            self.features.add(Feature::EagerInputStreaming);
        }
        if name == "allowed_callers" && value.elements().any(|caller| !caller.is_text("direct")) {
            return Err(row.problem("tools: programmatic tool calling (`allowed_callers`)"));
        }
        self.left_out_by(Some(row), DroppedKind::Tool, name);
        Ok(())
    }

    /// Gives a schema the type `object` where it has none or the invented type `custom`.
    fn schema(&mut self, schema: Value<'_>) {
        if !schema.is_object() {
            return;
        }
        let raw = schema.raw();
        if memchr::memmem::find(raw.as_bytes(), b"\"custom\"").is_some()
            && let Ok(doc) = Doc::parse(raw, SCHEMA_DEPTH)
        {
            let mut edits = Edits::default();
            custom_to_object(doc.root(), &mut edits);
            if !edits.is_empty() {
                self.edits.replace(schema, edits.apply_range(raw, 0, raw.len()));
                return;
            }
        }
        if schema.is_empty() {
            self.edits.replace(schema, "{\"type\":\"object\"}");
        } else if schema.get("type").is_none() {
            self.edits.insert(schema.start() + 1, "\"type\":\"object\",");
        }
    }
}

/// Follows the places of a schema where schemas stand; whatever else is called `type` there is data.
fn custom_to_object(schema: Value<'_>, edits: &mut Edits<'_>) {
    for (key, value) in schema.members() {
        match key.raw_text().unwrap_or_default() {
            "type" if value.is_text("custom") => edits.replace(value, "\"object\""),
            "properties" | "patternProperties" | "$defs" | "definitions" | "dependentSchemas" => {
                for (_, inner) in value.members() {
                    custom_to_object(inner, edits);
                }
            }
            "items"
            | "additionalProperties"
            | "not"
            | "if"
            | "then"
            | "else"
            | "contains"
            | "propertyNames" => {
                custom_to_object(value, edits);
                for inner in value.elements() {
                    custom_to_object(inner, edits);
                }
            }
            "anyOf" | "oneOf" | "allOf" | "prefixItems" => {
                for inner in value.elements() {
                    custom_to_object(inner, edits);
                }
            }
            _ => {}
        }
    }
}
