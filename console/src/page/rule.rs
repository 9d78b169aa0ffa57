//! Adding a rule, and taking one away.

use super::{Page, RuleRow, Section};
use crate::form::{Choice, Field};
use crate::part::block::{facts, nothing, page_head, text};
use crate::part::field::{Ask, csrf, input, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What the form for a new rule holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRuleForm {
    /// The surface.
    pub surface: Field,
    /// The table.
    pub table: Field,
    /// What it is about.
    pub name: Field,
    /// What to do.
    pub action: Field,
    /// What it becomes.
    pub to: Field,
    /// Names of models, separated by commas.
    pub models: Field,
    /// From which version of models on.
    pub from: Field,
    /// Until which version of models.
    pub until: Field,
    /// What a refusal says.
    pub message: Field,
    /// Where the knowledge comes from.
    pub source: Field,
}

/// The page with the form for a new rule.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewRulePage {
    /// What the form holds.
    pub form: NewRuleForm,
    /// The surfaces to choose from.
    pub surfaces: Vec<String>,
    /// The tables to choose from.
    pub tables: Vec<String>,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

/// What can be done, and what it means.
const ACTIONS: [(&str, &str); 5] = [
    ("keep", "Keep: send it as it came"),
    ("drop", "Drop: leave it out, and count that"),
    ("rewrite", "Rewrite: send it in another form"),
    ("emulate", "Emulate: do here what Bedrock cannot"),
    ("refuse", "Refuse the request"),
];

const fn ask(id: &'static str, label: &'static str, help: &'static str, required: bool) -> Ask {
    Ask {
        id,
        name: id,
        label,
        help,
        kind: "",
        autocomplete: "",
        required,
        max_length: 500,
    }
}

const SURFACE: Ask = ask("surface", "Surface", "", true);
const TABLE: Ask = ask(
    "table",
    "Table",
    "Which part of a request it is about: a beta, a field of the body, a tool, a content block, and so on.",
    true,
);
const NAME: Ask = ask(
    "name",
    "Name",
    "As clients spell it; a * at the end stands for any rest. A whole name counts before one with a *.",
    true,
);
const ACTION: Ask = ask("action", "What to do", "", true);
const TO: Ask = ask(
    "to",
    "Becomes",
    "What it is sent as, where it is rewritten.",
    false,
);
const MODELS: Ask = ask(
    "models",
    "Models",
    "Names such as claude-opus-5-5, claude-mythos-*, separated by commas. Empty means all.",
    false,
);
const FROM: Ask = ask("from", "From version", "Such as 4.7.", false);
const UNTIL: Ask = ask("until", "Until version", "Such as 4.6.", false);
const MESSAGE: Ask = ask("message", "Message", "What a refusal tells the developer.", false);
const SOURCE: Ask = ask(
    "source",
    "Source",
    "How you know: a document, a ticket, an answer of AWS support. It is shown with the rule.",
    true,
);

impl Page for NewRulePage {
    fn title(&self) -> String {
        "Add a rule".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Capabilities)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let same = |values: &[String]| {
            values
                .iter()
                .map(|value| Choice::new(value.clone(), value.clone()))
                .collect::<Vec<_>>()
        };
        let actions = ACTIONS.map(|(value, label)| Choice::new(value, label));
        let fields = [
            (&SURFACE, &form.surface),
            (&TABLE, &form.table),
            (&NAME, &form.name),
            (&ACTION, &form.action),
            (&TO, &form.to),
            (&MODELS, &form.models),
            (&FROM, &form.from),
            (&UNTIL, &form.until),
            (&MESSAGE, &form.message),
            (&SOURCE, &form.source),
        ];
        view! {
            {trail()}
            {page_head(
                "Add a rule".to_owned(),
                text("It counts before the shipped ones, for conversations that begin from now on."),
                nothing(),
            )}
            <form method="post" action=path::NEW_RULE class="card narrow stack">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {select(SURFACE, &form.surface, &same(&self.surfaces))}
                {select(TABLE, &form.table, &same(&self.tables))}
                {input(NAME, &form.name, &[])}
                {select(ACTION, &form.action, &actions)}
                {input(TO, &form.to, &[])}
                {input(MODELS, &form.models, &[])}
                {input(FROM, &form.from, &[])}
                {input(UNTIL, &form.until, &[])}
                {input(MESSAGE, &form.message, &[])}
                {input(SOURCE, &form.source, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">"Add the rule"</button>
                    <a class="button quiet" href=path::CAPABILITIES>"Cancel"</a>
                </div>
            </form>
        }
        .into_any()
    }
}

/// The page that asks before a rule is taken away.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteRulePage {
    /// Its id.
    pub id: String,
    /// The rule.
    pub rule: RuleRow,
}

impl Page for DeleteRulePage {
    fn title(&self) -> String {
        format!("Take away the rule for {}", self.rule.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Capabilities)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let rule = &self.rule;
        view! {
            {trail()}
            {page_head(
                format!("Take away the rule for “{}”?", rule.name),
                text("Conversations that begin from then on follow the other rules; running ones go on as they are."),
                nothing(),
            )}
            <form method="post" action=path::delete_rule(&self.id) class="card narrow stack">
                {csrf(context)}
                {facts(vec![
                    ("Surface", text(rule.surface.clone())),
                    ("Table", text(rule.table.clone())),
                    ("Does", text(rule.action.clone())),
                    ("When", text(rule.condition.clone())),
                    ("Source", text(rule.source.clone())),
                ])}
                <div class="form-actions">
                    <button type="submit" class="danger">"Take it away"</button>
                    <a class="button quiet" href=path::CAPABILITIES>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }
}

fn trail() -> AnyView {
    view! {
        <nav class="trail" aria-label="Where you are">
            <a href=path::CAPABILITIES>"Capabilities"</a>
        </nav>
    }
    .into_any()
}
