//! What was left out of requests and answers, and what passed that no rule names.

use crate::profile::{Action, Row, Table};

/// What kind of thing was left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum DroppedKind {
    /// A beta of the header or the body.
    Beta,
    /// A field of the body, by its path without positions.
    Field,
    /// A content block or a part of one.
    Content,
    /// A field of a tool.
    Tool,
    /// A tool, by its type.
    ToolType,
    /// An event of an answer.
    Event,
    /// A content block of an answer.
    AnswerBlock,
    /// A delta of an answer.
    Delta,
}

impl DroppedKind {
    /// The name for metrics.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Beta => "beta",
            Self::Field => "field",
            Self::Content => "content",
            Self::Tool => "tool",
            Self::ToolType => "tool_type",
            Self::Event => "event",
            Self::AnswerBlock => "answer_block",
            Self::Delta => "delta",
        }
    }
}

/// Something that the client sent and Bedrock did not get, or the other way round, or that nobody here has heard of. Names come
/// from outside: bound their number in metrics.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Dropped {
    /// What kind of thing.
    pub kind: DroppedKind,
    /// Its name, at most 64 letters, digits, `-`, `_`, `.`.
    pub name: String,
    /// Whether the profile has a rule for it; `false` means that nobody here has heard of it.
    pub known: bool,
}

/// How many different things of an answer are noticed, of either sort.
const MAX_NOTICED: usize = 16;

/// What is worth noting of an answer.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Noticed {
    /// Events, blocks and deltas that the rules leave out; each once, at most 16.
    pub dropped: Vec<Dropped>,
    /// Those that no rule names and that passed all the same; each once, at most 16.
    pub passed: Vec<Dropped>,
}

impl Noticed {
    /// Decides by a table whether a part of an answer stays.
    pub(crate) fn stays(&mut self, table: &Table, kind: DroppedKind, name: &str) -> bool {
        let row = table.find(name);
        let is_named = row.is_some_and(Row::is_named);
        let is_dropped = row.is_some_and(|row| row.action == Action::Drop);
        let list = match (is_dropped, is_named) {
            (true, _) => &mut self.dropped,
            (false, false) => &mut self.passed,
            (false, true) => return true,
        };
        if list.len() < MAX_NOTICED {
            note(list, kind, name, is_named);
        }
        !is_dropped
    }
}

/// Adds a name to a list, once and in plain characters.
pub(crate) fn note(list: &mut Vec<Dropped>, kind: DroppedKind, name: &str, known: bool) {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let name: String = name
        .chars()
        .take(64)
        .map(|c| if is_plain(c) { c } else { '_' })
        .collect();
    if !list.iter().any(|d| d.kind == kind && d.name == name) {
        list.push(Dropped { kind, name, known });
    }
}
