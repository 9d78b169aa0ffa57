//! Which tools a model has called, by name and count. Names come from outside: how long they may be, and how many of them a record
//! holds, is bounded, and nothing of what they were called with is kept.

/// How often a tool was called.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCalls {
    /// Its name, such as `Bash` or `mcp__github__create_issue`; [`ToolCounts::OTHER`] for what has no place of its own.
    pub name: String,
    /// How often the model has called it in this answer.
    pub calls: u32,
    /// How many results of it that the request brought say that it has failed.
    pub failed: u32,
}

/// Counts of tools, each name once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ToolCounts(Vec<ToolCalls>);

impl ToolCounts {
    /// So many different names are kept apart.
    pub const MOST: usize = 24;

    /// What all others are counted as; no tool can be called that.
    pub const OTHER: &'static str = "(other)";

    /// The longest name, in characters. Anthropic takes no longer ones (Messages API reference, `tools.name`).
    pub const MAX_NAME: usize = 128;

    /// The model has called a tool.
    pub fn called(&mut self, name: &str) {
        let tool = self.of(name);
        tool.calls = tool.calls.saturating_add(1);
    }

    /// A tool has failed.
    pub fn failed(&mut self, name: &str) {
        let tool = self.of(name);
        tool.failed = tool.failed.saturating_add(1);
    }

    /// Adds the counts of another answer.
    pub fn add(&mut self, other: &Self) {
        for more in &other.0 {
            let tool = self.of(&more.name);
            tool.calls = tool.calls.saturating_add(more.calls);
            tool.failed = tool.failed.saturating_add(more.failed);
        }
    }

    /// What was counted, in the order in which names came up.
    #[must_use]
    pub fn into_calls(self) -> Vec<ToolCalls> {
        self.0
    }

    /// Counts that came from elsewhere, within the same bounds.
    #[must_use]
    pub fn of_calls(calls: Vec<ToolCalls>) -> Self {
        let mut counts = Self::default();
        counts.add(&Self(calls));
        counts
    }

    /// What was counted.
    #[must_use]
    pub fn calls(&self) -> &[ToolCalls] {
        &self.0
    }

    /// Whether nothing was counted.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn of(&mut self, name: &str) -> &mut ToolCalls {
        let known = |tools: &[ToolCalls], name: &str| tools.iter().position(|tool| tool.name == name);
        let at = known(&self.0, name).unwrap_or_else(|| {
            let own = self.0.iter().filter(|tool| tool.name != Self::OTHER).count();
            let name = if is_name(name) && own < Self::MOST {
                name
            } else {
                Self::OTHER
            };
            known(&self.0, name).unwrap_or_else(|| {
                self.0.push(ToolCalls {
                    name: name.to_owned(),
                    ..ToolCalls::default()
                });
                self.0.len() - 1
            })
        });
        &mut self.0[at]
    }
}

/// Whether a tool can be called that.
fn is_name(name: &str) -> bool {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b == b'_' || b == b'-';
    (1..=ToolCounts::MAX_NAME).contains(&name.len()) && name.bytes().all(plain)
}

/// The MCP server that a tool belongs to: `github` of `mcp__github__create_issue`, which is how Claude Code names tools of
/// servers (Claude Code, "Connect Claude Code to tools via MCP"). `None` for a tool of the client's own.
#[must_use]
pub fn mcp_server(tool: &str) -> Option<&str> {
    let (server, name) = tool.strip_prefix("mcp__")?.split_once("__")?;
    (!server.is_empty() && !name.is_empty()).then_some(server)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_counted_once_each_and_bounded_in_number_and_length() {
        let mut counts = ToolCounts::default();
        counts.called("Bash");
        counts.called("Bash");
        counts.failed("Bash");
        counts.called("not a name");
        counts.called(&"x".repeat(129));
        for n in 0..100 {
            counts.called(&format!("t{n}"));
        }
        let calls = counts.clone().into_calls();
        assert_eq!(calls.len(), ToolCounts::MOST + 1);
        let bash = calls.first().unwrap();
        assert_eq!((bash.name.as_str(), bash.calls, bash.failed), ("Bash", 2, 1));
        let other = calls.iter().find(|tool| tool.name == ToolCounts::OTHER).unwrap();
        assert_eq!(other.calls, 2 + 100 - 23);
        // What was counted elsewhere has the same bounds, and all of it is still there.
        let all = |counts: &ToolCounts| counts.calls().iter().map(|tool| tool.calls).sum::<u32>();
        let mut twice = counts.clone();
        twice.add(&counts);
        assert_eq!(all(&twice), 2 * all(&counts));
        assert_eq!(twice.calls().len(), ToolCounts::MOST + 1);
    }

    #[test]
    fn servers_are_told_from_names() {
        assert_eq!(mcp_server("mcp__github__create_issue"), Some("github"));
        assert_eq!(mcp_server("mcp__plugin_a_b__c__d"), Some("plugin_a_b"));
        for own in ["Bash", "mcp__github", "mcp____x", "mcp__x__", "xmcp__a__b"] {
            assert_eq!(mcp_server(own), None, "{own}");
        }
    }
}
