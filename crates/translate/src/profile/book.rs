//! The rule book of a surface.

use super::model::{FilteredModel, ModelFilter};
use super::table::{Action, DisabledThinking, Row, Rows, Table};
use super::{AnswerRules, Profile};
use ccag_domain::{Lane, ModelName};
use serde::Deserialize;
use std::sync::{Arc, LazyLock};

/// A rule book that cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum RuleBookError {
    /// It is not JSON of the right shape.
    #[error("the rule book cannot be read: {0}")]
    Json(#[from] serde_json::Error),
    /// A row does not say what it needs to.
    #[error("the rule book's row `{row}` in `{table}` {what}")]
    Row {
        /// The table.
        table: &'static str,
        /// The row's name.
        row: String,
        /// What is wrong with it.
        what: &'static str,
    },
    /// There is no such table.
    #[error("the rule book has no table `{0}`")]
    Table(String),
    /// No row holds for some models.
    #[error("the rule book's table `{0}` must end with a row for all models")]
    Open(&'static str),
}

/// Which forms of thinking some models take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThinkingRow {
    /// For which models.
    #[serde(default)]
    pub models: ModelFilter,
    /// Whether `adaptive` is taken.
    pub adaptive: bool,
    /// Whether `enabled` with a budget is taken.
    pub budget: bool,
    /// What becomes of `disabled`.
    pub disabled: DisabledThinking,
    /// Whether `display` is taken.
    pub display: bool,
    /// The highest effort that goes with `disabled`; without it, every effort that the model has.
    #[serde(default)]
    pub disabled_effort: Option<String>,
    /// Where the knowledge comes from.
    pub source: String,
}

/// Which efforts some models take.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EffortRow {
    /// For which models.
    #[serde(default)]
    pub models: ModelFilter,
    /// From low to high; none means that the field is left out.
    pub levels: Arc<[String]>,
    /// Where the knowledge comes from.
    pub source: String,
}

/// All rules of one surface.
///
/// Books are kept as they were written. One from before the tables about answers has none of them: then everything passes.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct RuleBook {
    surface: String,
    version: String,
    betas: Arc<Rows>,
    add_betas: Arc<Rows>,
    fields: Arc<Rows>,
    versions: Arc<Rows>,
    output_config: Arc<Rows>,
    context_edits: Arc<Rows>,
    cache_control: Arc<Rows>,
    message_fields: Arc<Rows>,
    roles: Arc<Rows>,
    system_texts: Arc<Rows>,
    tools: Arc<Rows>,
    tool_fields: Arc<Rows>,
    blocks: Arc<Rows>,
    sources: Arc<Rows>,
    #[serde(default = "PassingTables::events")]
    events: Arc<Rows>,
    #[serde(default = "PassingTables::answer_blocks")]
    answer_blocks: Arc<Rows>,
    #[serde(default = "PassingTables::deltas")]
    deltas: Arc<Rows>,
    thinking: Vec<ThinkingRow>,
    efforts: Vec<EffortRow>,
}

/// The rule books that this release ships, by surface.
const SHIPPED: [(&str, &str); 3] = [
    ("invoke-model", include_str!("../../profiles/invoke-model.json")),
    ("messages", include_str!("../../profiles/messages.json")),
    ("mantle", include_str!("../../profiles/mantle.json")),
];

static INVOKE_MODEL: LazyLock<RuleBook> = LazyLock::new(|| {
    RuleBook::from_json(SHIPPED[0].1.as_bytes()).expect("the shipped rule book is valid: a test reads it")
});

static MESSAGES: LazyLock<RuleBook> = LazyLock::new(|| {
    RuleBook::from_json(SHIPPED[1].1.as_bytes()).expect("the shipped rule book is valid: a test reads it")
});

static MANTLE: LazyLock<RuleBook> = LazyLock::new(|| {
    RuleBook::from_json(SHIPPED[2].1.as_bytes()).expect("the shipped rule book is valid: a test reads it")
});

/// What a book without tables about answers does: everything passes, as it did when it was written and whatever a later
/// release leaves out. The names are those of this release's book for `InvokeModel`, so that what everybody knows is not
/// reported as unheard of.
#[derive(Deserialize)]
struct PassingTables {
    events: Vec<Row>,
    answer_blocks: Vec<Row>,
    deltas: Vec<Row>,
}

impl PassingTables {
    fn events() -> Arc<Rows> {
        Self::passing(|tables| tables.events)
    }

    fn answer_blocks() -> Arc<Rows> {
        Self::passing(|tables| tables.answer_blocks)
    }

    fn deltas() -> Arc<Rows> {
        Self::passing(|tables| tables.deltas)
    }

    fn passing(table: impl FnOnce(Self) -> Vec<Row>) -> Arc<Rows> {
        let shipped: Self =
            serde_json::from_str(SHIPPED[0].1).expect("the shipped rule book is valid: a test reads it");
        let passing = |row: Row| Row {
            action: Action::Keep,
            models: ModelFilter::default(),
            ..row
        };
        Arc::new(Rows::from(
            table(shipped).into_iter().map(passing).collect::<Vec<_>>(),
        ))
    }
}

/// The tables about what Bedrock answers.
const ANSWER_TABLES: [&str; 3] = ["events", "answer_blocks", "deltas"];

impl RuleBook {
    /// The rules that this release ships for a lane.
    #[must_use]
    pub fn of(lane: Lane) -> &'static Self {
        match lane {
            Lane::InvokeModel => &INVOKE_MODEL,
            Lane::Messages => &MESSAGES,
            Lane::Mantle => &MANTLE,
        }
    }

    /// The rules for Bedrock Runtime's `InvokeModel` that this release ships.
    #[must_use]
    pub fn invoke_model() -> &'static Self {
        &INVOKE_MODEL
    }

    /// The surfaces that this release ships rules for.
    pub fn surfaces() -> impl Iterator<Item = &'static str> {
        SHIPPED.iter().map(|(surface, _)| *surface)
    }

    /// The rules for a surface that this release ships, as JSON.
    #[must_use]
    pub fn shipped(surface: &str) -> Option<&'static str> {
        let found = SHIPPED.iter().find(|(name, _)| *name == surface);
        found.map(|(_, json)| *json)
    }

    /// Reads a rule book.
    ///
    /// # Errors
    /// [`RuleBookError`] names the row at fault.
    pub fn from_json(json: &[u8]) -> Result<Self, RuleBookError> {
        let book: Self = serde_json::from_slice(json)?;
        for (table, rows) in book.tables() {
            for row in rows {
                let what = if row.source.is_empty() {
                    "has no source"
                } else if row.name.is_empty() {
                    "has no name"
                } else if table == "add_betas" && row.needs.is_none() {
                    "must say what it is needed for"
                } else if ANSWER_TABLES.contains(&table) && !matches!(row.action, Action::Keep | Action::Drop)
                {
                    "is about answers, which can only be kept or dropped"
                } else {
                    continue;
                };
                return Err(RuleBookError::Row {
                    table,
                    row: row.name.clone(),
                    what,
                });
            }
        }
        if book
            .thinking
            .last()
            .is_none_or(|row| row.models != ModelFilter::default())
        {
            return Err(RuleBookError::Open("thinking"));
        }
        Ok(book)
    }

    /// The version, for metrics and for pinning conversations to it.
    #[must_use]
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The surface, which is the name of a lane: `invoke-model`.
    #[must_use]
    pub fn surface(&self) -> &str {
        &self.surface
    }

    /// The tables of named rows, by name.
    #[must_use]
    pub fn tables(&self) -> [(&'static str, &[Row]); 17] {
        [
            ("betas", &self.betas.ordered),
            ("add_betas", &self.add_betas.ordered),
            ("fields", &self.fields.ordered),
            ("versions", &self.versions.ordered),
            ("output_config", &self.output_config.ordered),
            ("context_edits", &self.context_edits.ordered),
            ("cache_control", &self.cache_control.ordered),
            ("message_fields", &self.message_fields.ordered),
            ("roles", &self.roles.ordered),
            ("system_texts", &self.system_texts.ordered),
            ("tools", &self.tools.ordered),
            ("tool_fields", &self.tool_fields.ordered),
            ("blocks", &self.blocks.ordered),
            ("sources", &self.sources.ordered),
            ("events", &self.events.ordered),
            ("answer_blocks", &self.answer_blocks.ordered),
            ("deltas", &self.deltas.ordered),
        ]
    }

    /// The rules for one model. Cheap: the tables are shared.
    #[must_use]
    pub fn profile(&self, model: &ModelName, max_output_tokens: u32) -> Profile {
        let filtered = Arc::new(FilteredModel::new(model));
        let table = |rows: &Arc<Rows>| Table::new(rows, &filtered);
        // The last row holds for all models: checked when the book was read.
        let thinking = self
            .thinking
            .iter()
            .find(|row| row.models.admits(&filtered))
            .or(self.thinking.last());
        let efforts = self.efforts.iter().find(|row| row.models.admits(&filtered));
        Profile {
            surface: self.surface.clone(),
            version: self.version.clone(),
            model: model.clone(),
            max_output_tokens: u64::from(max_output_tokens),
            betas: table(&self.betas),
            add_betas: table(&self.add_betas),
            fields: table(&self.fields),
            versions: table(&self.versions),
            output_config: table(&self.output_config),
            context_edits: table(&self.context_edits),
            cache_control: table(&self.cache_control),
            message_fields: table(&self.message_fields),
            roles: table(&self.roles),
            system_texts: table(&self.system_texts),
            tools: table(&self.tools),
            tool_fields: table(&self.tool_fields),
            blocks: table(&self.blocks),
            sources: table(&self.sources),
            answer: AnswerRules {
                events: table(&self.events),
                blocks: table(&self.answer_blocks),
                deltas: table(&self.deltas),
            },
            thinking: thinking.cloned().unwrap_or_else(ThinkingRow::newest),
            efforts: efforts.map(|row| Arc::clone(&row.levels)).unwrap_or_default(),
        }
    }
}

impl ThinkingRow {
    fn newest() -> Self {
        Self {
            models: ModelFilter::default(),
            adaptive: true,
            budget: false,
            disabled: DisabledThinking::Keep,
            display: true,
            disabled_effort: None,
            source: "no row".to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Feature, Features};

    fn profile(model: &str) -> Profile {
        RuleBook::invoke_model().profile(&ModelName::canonical(model), 128_000)
    }

    #[test]
    fn the_shipped_book_gives_a_source_for_every_row() {
        let book = RuleBook::invoke_model();
        assert!(book.tables().iter().map(|(_, rows)| rows.len()).sum::<usize>() > 150);
        assert_eq!(book.surface(), "invoke-model");
        for surface in RuleBook::surfaces() {
            let shipped = RuleBook::from_json(RuleBook::shipped(surface).unwrap().as_bytes()).unwrap();
            assert_eq!(shipped.surface(), surface);
        }
    }

    #[test]
    fn every_lane_has_a_book_of_its_own_name() {
        for lane in Lane::ALL {
            let book = RuleBook::of(lane);
            assert_eq!(book.surface(), lane.as_str());
            let profile = book.profile(&ModelName::canonical("claude-opus-5-5"), 1);
            assert_eq!(profile.lane(), lane);
        }
    }

    #[test]
    fn a_beta_that_was_refused_by_name_is_not_sent_again_even_where_unknown_ones_are() {
        let model = ModelName::canonical("claude-opus-5-5");
        let profile = RuleBook::of(Lane::Messages).profile(&model, 1);
        let unheard = "unheard-of-2030-01-01";
        assert_eq!(profile.betas.action(unheard), Some(Action::Keep));
        let reduced = profile
            .reduced(&crate::profile::Reduction::Beta(unheard.into()))
            .unwrap();
        assert_eq!(reduced.betas.action(unheard), Some(Action::Drop));
        assert!(
            reduced
                .reduced(&crate::profile::Reduction::Beta(unheard.into()))
                .is_none()
        );
        // What becomes the refused beta goes, too.
        let search = crate::profile::Reduction::Beta("tool-search-tool-2025-10-19".into());
        let reduced = profile.reduced(&search).unwrap();
        assert_eq!(
            reduced.betas.action("advanced-tool-use-2025-11-20"),
            Some(Action::Drop)
        );
    }

    #[test]
    fn the_first_row_that_fits_decides() {
        let beta = |model: &str, name: &str| profile(model).betas.action(name);
        assert_eq!(
            beta("claude-opus-5-5", "thinking-token-count-2026-05-13"),
            Some(Action::Keep)
        );
        assert_eq!(
            beta("claude-sonnet-4-6", "thinking-token-count-2026-05-13"),
            Some(Action::Drop)
        );
        assert_eq!(
            beta("claude-haiku-4-5-20251001", "interleaved-thinking-2025-05-14"),
            Some(Action::Drop)
        );
        assert_eq!(
            beta("claude-opus-5-5", "user-profiles-2030-01-01"),
            Some(Action::Drop)
        );
        let betas = profile("claude-opus-5-5").betas;
        let unheard_of = betas.find("unheard-of-2030-01-01").unwrap();
        assert_eq!((unheard_of.action, unheard_of.is_named()), (Action::Drop, false));
        let mut features = Features::default();
        features.add(Feature::MemoryTool);
        let betas = profile("claude-opus-5-5").betas;
        let row = betas
            .find_for("context-management-2025-06-27", features, None)
            .unwrap();
        assert_eq!(row.action, Action::Keep);
    }

    #[test]
    fn models_of_the_future_get_the_newest_rules() {
        let next = profile("claude-opus-7");
        assert_eq!(next.roles.action("system"), Some(Action::Keep));
        assert!(next.thinking.adaptive && !next.thinking.budget);
        assert_eq!(next.efforts.len(), 5);
    }

    #[test]
    fn a_book_from_before_the_tables_about_answers_reads_and_lets_every_answer_pass() {
        for surface in RuleBook::surfaces() {
            let mut older: serde_json::Value =
                serde_json::from_str(RuleBook::shipped(surface).unwrap()).unwrap();
            for table in ANSWER_TABLES {
                assert!(older.as_object_mut().unwrap().remove(table).is_some(), "{table}");
            }
            let book = RuleBook::from_json(older.to_string().as_bytes()).unwrap();
            let profile = book.profile(&ModelName::canonical("claude-haiku-4-5"), 1);
            let answer = &profile.answer;
            for (table, known) in [
                (&answer.events, None),
                (&answer.blocks, Some("thinking")),
                (&answer.deltas, Some("text_delta")),
            ] {
                for name in known.into_iter().chain(["unheard_of"]) {
                    let row = table.find(name).unwrap();
                    assert_eq!(row.action, Action::Keep, "{surface}: {name}");
                    assert_eq!(row.is_named(), name != "unheard_of", "{surface}: {name}");
                }
            }
            // The tables about requests are not optional.
            older.as_object_mut().unwrap().remove("blocks");
            assert!(RuleBook::from_json(older.to_string().as_bytes()).is_err());
        }
    }

    #[test]
    fn a_book_that_says_too_little_is_refused() {
        assert!(RuleBook::from_json(b"{}").is_err());
    }
}
