//! What is collected while a request is looked through.

use crate::json::{Edits, Value};
use crate::noticed::{Dropped, DroppedKind, note};
use crate::profile::{Action, Features, Profile, Row, Table};
use ccag_domain::{Problem, SealKey};

/// Edits and findings of one pass.
#[derive(Debug)]
pub(crate) struct Plan<'p> {
    pub(crate) profile: &'p Profile,
    /// The most output tokens that may be asked for.
    pub(crate) max_output: u64,
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
            max_output: profile.max_output_tokens,
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
