//! Tables of rules: name → what to do.

use super::model::{FilteredModel, ModelFilter, matches};
use ccag_domain::{Code, Problem};
use serde::Deserialize;
use std::collections::HashMap;
use std::sync::Arc;

/// What to do with something in a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Action {
    /// Send it as it came.
    Keep,
    /// Send it in another place.
    Move,
    /// Send it in another form.
    Rewrite,
    /// Do in the gateway what Bedrock cannot.
    Emulate,
    /// Leave it out, and count that.
    Drop,
    /// Refuse the request.
    Refuse,
}

/// Something that a request uses and that betas depend on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u32)]
pub enum Feature {
    /// `context_management` with an edit other than compaction.
    ContextEdits,
    /// `context_management` with a compaction edit.
    CompactEdit,
    /// The memory tool.
    MemoryTool,
    /// `safeguards`.
    Safeguards,
    /// `clear_at` on a message.
    ClearAt,
    /// The beta for `clear_at` is asked for.
    ClearAtBeta,
    /// `thinking.display: "updates"`.
    DisplayUpdates,
    /// `output_config` on a message.
    MessageOutputConfig,
    /// A tool with `defer_loading`, or a tool of Anthropic's own that searches tools.
    DeferLoading,
    /// A tool whose `eager_input_streaming: true` was left out.
    EagerInputStreaming,
    /// `output_config.effort`.
    Effort,
    /// The model was asked for with `[1m]`.
    OneMillion,
    /// The computer tool of November 2025.
    #[serde(rename = "computer_20251124")]
    Computer2511,
    /// The computer tool of January 2025.
    #[serde(rename = "computer_20250124")]
    Computer2501,
    /// A tool with `input_examples`.
    InputExamples,
}

/// A set of [`Feature`]s.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Features(u32);

impl Features {
    /// Adds one.
    pub fn add(&mut self, feature: Feature) {
        self.0 |= 1 << feature as u32;
    }

    /// Whether one is in it.
    #[must_use]
    pub fn has(self, feature: Feature) -> bool {
        self.0 & (1 << feature as u32) != 0
    }
}

/// How a refusal is worded for the client.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// `invalid_request_error`: Claude Code sends the request again in a reduced form.
    Invalid,
    /// `policy_blocked`: Claude Code shows the message and stops.
    Policy,
}

/// One rule.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Row {
    /// What it is about; a `*` at the end stands for any rest.
    pub name: String,
    /// What to do.
    #[serde(rename = "do")]
    pub action: Action,
    /// For which models.
    #[serde(default)]
    pub models: ModelFilter,
    /// Holds only if the request uses this.
    pub needs: Option<Feature>,
    /// Holds only if the value is this number.
    pub value: Option<f64>,
    /// What it becomes.
    pub to: Option<String>,
    /// How a refusal is classed.
    pub code: Option<Refusal>,
    /// What a refusal says.
    pub message: Option<String>,
    /// Where the knowledge comes from.
    pub source: String,
}

impl Row {
    /// Whether it is about something by name: the row `*` says what becomes of everything that nobody here has heard of.
    #[must_use]
    pub fn is_named(&self) -> bool {
        self.name != "*"
    }

    /// The refusal for something called `what`.
    #[must_use]
    pub fn problem(&self, what: &str) -> Problem {
        let code = match self.code {
            Some(Refusal::Invalid) => Code::InvalidRequest,
            _ => Code::PolicyBlocked,
        };
        match &self.message {
            Some(message) if message.starts_with(what) || self.code == Some(Refusal::Invalid) => {
                Problem::new(code, message.clone())
            }
            Some(message) => Problem::new(code, format!("{what}: {message}")),
            None => Problem::new(code, format!("{what} is not available through this gateway")),
        }
        .field(what)
    }
}

/// The rows of one table of a rule book, found by name.
#[derive(Debug, Default, Deserialize)]
#[serde(from = "Vec<Row>")]
pub(crate) struct Rows {
    pub(crate) ordered: Vec<Row>,
    /// Positions of the rows for a name, rising.
    exact: HashMap<String, Vec<usize>>,
    /// Positions of the rows whose name ends with `*`, rising.
    prefixes: Vec<usize>,
}

impl From<Vec<Row>> for Rows {
    fn from(ordered: Vec<Row>) -> Self {
        let mut exact: HashMap<String, Vec<usize>> = HashMap::new();
        let mut prefixes = Vec::new();
        for (i, row) in ordered.iter().enumerate() {
            if row.name.ends_with('*') {
                prefixes.push(i);
            } else {
                exact.entry(row.name.clone()).or_default().push(i);
            }
        }
        Self {
            ordered,
            exact,
            prefixes,
        }
    }
}

/// Rules by name, for one model. Of several that fit, the first in the book decides. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Table {
    rows: Arc<Rows>,
    model: Arc<FilteredModel>,
}

impl Table {
    pub(crate) fn new(rows: &Arc<Rows>, model: &Arc<FilteredModel>) -> Self {
        Self {
            rows: Arc::clone(rows),
            model: Arc::clone(model),
        }
    }

    /// The rule for `name`, if there is one without further conditions.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Row> {
        self.find_for(name, Features::default(), None)
    }

    /// The first rule for `name` whose conditions hold.
    #[must_use]
    pub fn find_for(&self, name: &str, features: Features, value: Option<f64>) -> Option<&Row> {
        let holds = |row: &&Row| {
            row.needs.is_none_or(|f| features.has(f))
                && row.value.is_none_or(|wanted| value == Some(wanted))
                && row.models.admits(&self.model)
        };
        let row = |i: &usize| &self.rows.ordered[*i];
        let exact = self
            .rows
            .exact
            .get(name)
            .and_then(|at| at.iter().map(row).find(holds));
        exact.or_else(|| {
            self.rows
                .prefixes
                .iter()
                .map(row)
                .filter(|row| matches(&row.name, name))
                .find(holds)
        })
    }

    /// The action for `name`, if there is a rule.
    #[must_use]
    pub fn action(&self, name: &str) -> Option<Action> {
        self.find(name).map(|row| row.action)
    }

    /// All rules for the model, in the order of the book.
    pub fn rows(&self) -> impl Iterator<Item = &Row> {
        self.rows
            .ordered
            .iter()
            .filter(|row| row.models.admits(&self.model))
    }

    /// Leaves only some rules; says whether that changes anything.
    pub(crate) fn retain(&mut self, keep: impl Fn(&Row) -> bool) -> bool {
        let rows: Vec<Row> = self
            .rows
            .ordered
            .iter()
            .filter(|row| keep(row))
            .cloned()
            .collect();
        let changed = rows.len() < self.rows.ordered.len();
        self.rows = Arc::new(Rows::from(rows));
        changed
    }

    /// Leaves out everything called `name` from now on, also where a rule for all names would let it through; says whether
    /// that changes anything.
    pub(crate) fn forbid(&mut self, name: &str) -> bool {
        let becomes_it = |row: &&Row| row.to.as_deref() == Some(name);
        let mut names: Vec<String> = vec![name.to_owned()];
        names.extend(
            self.rows
                .ordered
                .iter()
                .filter(becomes_it)
                .map(|row| row.name.clone()),
        );
        let lets_through = |row: &Row| row.action != Action::Drop && names.contains(&row.name);
        let is_open = self.action(name).is_some_and(|action| action != Action::Drop);
        if !is_open && !self.rows.ordered.iter().any(lets_through) {
            return false;
        }
        self.retain(|row| !names.contains(&row.name));
        for name in &names {
            self.set_action(name, Action::Drop);
        }
        true
    }

    /// Gives everything called `name` another action; says whether that changes anything.
    pub(crate) fn set_action(&mut self, name: &str, action: Action) -> bool {
        if self.action(name) == Some(action) {
            return false;
        }
        let learnt = Row {
            name: name.to_owned(),
            action,
            models: ModelFilter::default(),
            needs: None,
            value: None,
            to: None,
            code: None,
            message: None,
            source: "learnt from Bedrock's answer".to_owned(),
        };
        let others = self.rows.ordered.iter().filter(|row| row.name != name).cloned();
        self.rows = Arc::new(Rows::from([learnt].into_iter().chain(others).collect::<Vec<_>>()));
        true
    }
}

/// What becomes of `thinking: {"type": "disabled"}`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DisabledThinking {
    /// The model takes it.
    Keep,
    /// The model always thinks: the field is left out.
    Drop,
    /// The nearest that the model takes.
    BetweenTools,
}
