//! The pages that make, change and delete a limit.

use super::budget_form::{KEY, TEAM, USER};
use super::budgets::SCOPES;
use super::limits::KINDS;
use super::{Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{facts, nothing, page_head, text};
use crate::part::field::{Ask, csrf, input, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitForm {
    /// Whom it is about.
    pub scope: Field,
    /// The team, by id.
    pub team: Field,
    /// The user, by name or id.
    pub user: Field,
    /// The key, by name or id.
    pub key: Field,
    /// What is counted.
    pub kind: Field,
    /// How many.
    pub amount: Field,
    /// The models, with commas between them.
    pub models: Field,
    /// How much tokens count: input, output, read from the cache, written to it.
    pub weights: [Field; 4],
}

impl Default for LimitForm {
    fn default() -> Self {
        Self {
            scope: Field::new("organisation"),
            team: Field::default(),
            user: Field::default(),
            key: Field::default(),
            kind: Field::new("requests_per_minute"),
            amount: Field::default(),
            models: Field::default(),
            weights: Default::default(),
        }
    }
}

impl LimitForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        let [input, output, cache_read, cache_write] = &mut self.weights;
        Some(match name {
            "scope" => &mut self.scope,
            "team_id" => &mut self.team,
            "user_id" => &mut self.user,
            "key_id" => &mut self.key,
            "kind" => &mut self.kind,
            "amount" => &mut self.amount,
            "models" => &mut self.models,
            "weights" | "weights.input" => input,
            "weights.output" => output,
            "weights.cache_read" => cache_read,
            "weights.cache_write" => cache_write,
            _ => return None,
        })
    }
}

const SCOPE: Ask = Ask::line("scope", "Whose requests", "", true, 0);
const KIND: Ask = Ask::line("kind", "What is counted", "", true, 0);
const AMOUNT: Ask = Ask::line(
    "amount",
    "How many",
    "A whole number. With 0 nothing is let through.",
    true,
    20,
);
const MODELS: Ask = Ask::line(
    "models",
    "Models",
    "Only requests for these count, together: names with commas between them. Empty is all models.",
    false,
    1_000,
);
const WEIGHTS: [Ask; 4] = [
    Ask::line("weight_input", "Of the prompt, percent", "", false, 6),
    Ask::line("weight_output", "Of the answer, percent", "", false, 6),
    Ask::line("weight_cache_read", "Read from the cache, percent", "", false, 6),
    Ask::line(
        "weight_cache_write",
        "Written to the cache, percent",
        "",
        false,
        6,
    ),
];

/// The names of the fields for the weights, in the order of [`LimitForm::weights`].
pub const WEIGHT_NAMES: [&str; 4] = [WEIGHTS[0].name, WEIGHTS[1].name, WEIGHTS[2].name, WEIGHTS[3].name];

/// What of a limit stays as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FixedLimit {
    /// Its id.
    pub id: String,
    /// Whom it is about, in words.
    pub about: String,
    /// What is counted, in words.
    pub kind: String,
    /// Whether that is tokens.
    pub has_weights: bool,
}

/// The page with the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitEditPage {
    /// The limit that is changed; `None` for a new one.
    pub fixed: Option<FixedLimit>,
    /// Teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// What the form holds.
    pub form: LimitForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl Page for LimitEditPage {
    fn title(&self) -> String {
        match &self.fixed {
            Some(fixed) => format!("Change the limit {}", fixed.about),
            None => "Create a limit".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Limits)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let title = match &self.fixed {
            Some(_) => "Change the limit",
            None => "Create a limit",
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::LIMITS>"Limits"</a></nav>
            {page_head(title.to_owned(), text("Every connected data plane follows within a second."), nothing())}
            <div class="columns form-columns">
                {self.form(context)}
                {about_limits()}
            </div>
        }
        .into_any()
    }
}

impl LimitEditPage {
    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let mut fields = vec![(&AMOUNT, &form.amount), (&MODELS, &form.models)];
        fields.extend(WEIGHTS.iter().zip(&form.weights));
        if self.fixed.is_none() {
            let whose = [
                (&SCOPE, &form.scope),
                (&TEAM, &form.team),
                (&USER, &form.user),
                (&KEY, &form.key),
                (&KIND, &form.kind),
            ];
            fields.splice(0..0, whose);
        }
        let (action, button) = match &self.fixed {
            Some(fixed) => (path::edit_limit(&fixed.id), "Save"),
            None => (path::LIMITS.to_owned(), "Create the limit"),
        };
        let delete = self.fixed.as_ref().map(|fixed| {
            view! { <a class="button danger" href=path::delete_limit(&fixed.id)>"Delete…"</a> }
        });
        view! {
            <form method="post" action=action class="stack card">
                {csrf(context)}
                {summary(&fields, self.trouble.as_deref())}
                {self.whose()}
                {input(AMOUNT, &form.amount, &[])}
                {input(MODELS, &form.models, &[])}
                {self.weights()}
                <div class="form-actions">
                    <button type="submit" class="primary">{button}</button>
                    <a class="button quiet" href=path::LIMITS>"Cancel"</a>
                    {delete}
                </div>
            </form>
        }
        .into_any()
    }

    fn whose(&self) -> AnyView {
        let form = &self.form;
        if let Some(fixed) = &self.fixed {
            return view! {
                {facts(vec![("Whose requests", text(fixed.about.clone())), ("Counts", text(fixed.kind.clone()))])}
                <p class="field-help">"These stay. Create another limit for others."</p>
            }
            .into_any();
        }
        let choices = |all: &[(&'static str, &'static str)]| -> Vec<Choice> {
            all.iter()
                .map(|(value, label)| Choice::new(*value, *label))
                .collect()
        };
        let mut teams = vec![Choice::new("", "none")];
        teams.extend(self.teams.iter().cloned());
        view! {
            {select(SCOPE, &form.scope, &choices(&SCOPES))}
            {select(TEAM, &form.team, &teams)}
            {input(USER, &form.user, &[])}
            {input(KEY, &form.key, &[])}
            {select(KIND, &form.kind, &choices(&KINDS))}
        }
        .into_any()
    }

    fn weights(&self) -> AnyView {
        if self.fixed.as_ref().is_some_and(|fixed| !fixed.has_weights) {
            return nothing();
        }
        let fields = WEIGHTS.into_iter().zip(&self.form.weights);
        let fields = fields.map(|(ask, field)| input(ask, field, &[])).collect_view();
        let said = self.fixed.is_some()
            || self
                .form
                .weights
                .iter()
                .any(|field| field.error.is_some() || !field.value.is_empty());
        view! {
            <details class="steps-form" open=said>
                <summary>"How much tokens count"</summary>
                <p class="field-help">
                    "For tokens per minute. Where nothing is given, a token that is read from the cache does not count, and "
                    "every other one counts once: 100 percent."
                </p>
                {fields}
            </details>
        }
        .into_any()
    }
}

fn about_limits() -> AnyView {
    view! {
        <aside class="card stack" aria-labelledby="about-limits">
            <h2 id="about-limits">"How limits hold"</h2>
            <p>
                "Data planes share a limit: together they let through no more than it says, in any minute, wherever it "
                "begins. All limits that are about somebody hold at the same time; what is set for one user or member "
                "replaces what is set for each."
            </p>
            <p>
                "Whoever reaches a limit is told how long to wait, and Claude Code waits by itself. With 0 it is told "
                "to stop."
            </p>
            <p>
                "Bedrock’s own quotas count each token of an answer several times for most Claude models. With 1000 percent "
                "for the answer, a limit on tokens follows a quota that counts it ten times."
            </p>
        </aside>
    }
    .into_any()
}

/// The page that asks before a limit is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteLimitPage {
    /// Its id.
    pub id: String,
    /// Whom it is about, in words.
    pub about: String,
    /// How many of what.
    pub amount: String,
}

impl Page for DeleteLimitPage {
    fn title(&self) -> String {
        "Delete a limit".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Limits)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let title = format!("Delete the limit “{}”?", self.about);
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::LIMITS>"Limits"</a>
                <a href=path::edit_limit(&self.id)>{self.about.clone()}</a>
            </nav>
            {page_head(title, text(self.amount.clone()), nothing())}
            <form method="post" action=path::delete_limit(&self.id) class="card narrow stack">
                {csrf(context)}
                <p>"Nothing is held back by it any more, within a second; other limits go on to hold."</p>
                <div class="form-actions">
                    <button type="submit" class="danger">"Delete the limit"</button>
                    <a class="button quiet" href=path::edit_limit(&self.id)>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
