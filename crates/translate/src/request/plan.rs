//! What is collected while a request is looked through.

use crate::json::{Edits, Value};
use crate::profile::{Action, Features, Profile, Row, Table};
use ccag_domain::{Problem, SealKey};

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

/// Edits and findings of one pass.
#[derive(Debug)]
pub(crate) struct Plan<'p> {
    pub(crate) profile: &'p Profile,
    pub(crate) edits: Edits<'p>,
    pub(crate) features: Features,
    pub(crate) dropped: Vec<Dropped>,
    /// What no rule names and went on all the same.
    pub(crate) passed: Vec<Dropped>,
    /// Efforts above this one do not go with the rest of the request.
    pub(crate) effort_limit: Option<String>,
    /// Whether the request asks for the semantics of API version 2026-10-21.
    pub(crate) strict_version: bool,
    pub(crate) writes_1h: bool,
    pub(crate) cache_markers: u32,
    /// The suffix of the tags around what a guardrail is to look at.
    pub(crate) guard_suffix: Option<&'p str>,
    /// Web search.
    pub(crate) search: Search,
}

/// What becomes of web search in a request.
#[derive(Debug, Default)]
pub(crate) struct Search {
    /// Whether searches are carried out.
    pub(crate) enabled: bool,
    /// What earlier results are sealed with.
    pub(crate) key: Option<SealKey>,
    /// What the model calls the tool.
    pub(crate) upstream_name: String,
}

impl<'p> Plan<'p> {
    pub(crate) fn new(profile: &'p Profile, strict_version: bool, guard_suffix: Option<&'p str>) -> Self {
        Self {
            profile,
            edits: Edits::default(),
            features: Features::default(),
            dropped: Vec::new(),
            passed: Vec::new(),
            effort_limit: None,
            strict_version,
            writes_1h: false,
            cache_markers: 0,
            guard_suffix,
            search: Search::default(),
        }
    }

    /// Notes that something was left out.
    pub(crate) fn left_out(&mut self, kind: DroppedKind, name: &str, known: bool) {
        note(&mut self.dropped, kind, name, known);
    }

    /// Notes that something was left out because of a row, or because no row is about it.
    pub(crate) fn left_out_by(&mut self, row: Option<&Row>, kind: DroppedKind, name: &str) {
        self.left_out(kind, name, row.is_some_and(Row::is_named));
    }

    /// Notes that something goes to Bedrock that no row names.
    pub(crate) fn goes_by(&mut self, row: Option<&Row>, kind: DroppedKind, name: &str) {
        if !row.is_some_and(Row::is_named) {
            note(&mut self.passed, kind, name, false);
        }
    }

    /// Decides on each member of an object by a table in which unknown names are dropped. `keep` sees the members that
    /// the table lets through, with their row.
    pub(crate) fn filter_members(
        &mut self,
        object: Value<'_>,
        table: &'p Table,
        kind: DroppedKind,
        path: &str,
        mut keep: impl FnMut(&mut Self, Value<'_>, &'p Row) -> Result<(), Problem>,
    ) -> Result<(), Problem> {
        let mut removed = Vec::new();
        for (i, (key, value)) in object.members().enumerate() {
            let name = key.text().unwrap_or_default();
            match table.find_for(&name, self.features, value.f64()) {
                Some(row) if row.action == Action::Refuse => {
                    return Err(row.problem(&format!("{path}{name}")));
                }
                Some(row) if row.action != Action::Drop => {
                    self.goes_by(Some(row), kind, &format!("{path}{name}"));
                    keep(self, value, row)?;
                }
                row => {
                    self.left_out_by(row, kind, &format!("{path}{name}"));
                    removed.push(i);
                }
            }
        }
        self.edits.remove_children(object, &removed);
        Ok(())
    }
}

/// Adds a name to a list, once and in plain characters.
fn note(list: &mut Vec<Dropped>, kind: DroppedKind, name: &str, known: bool) {
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
