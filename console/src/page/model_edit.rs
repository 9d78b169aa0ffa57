//! One model: the form for a new one, or for changing it.

use super::{FormPage, Page, Section};
use crate::form::Field;
use crate::part::block::{facts, nothing, page_head, text};
use crate::part::field::{Ask, edit_form, input, summary, yes_box};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What the form holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ModelForm {
    /// Its canonical name.
    pub name: Field,
    /// Its name for people.
    pub title: Field,
    /// Other names, separated by blanks or commas.
    pub aliases: Field,
    /// Bedrock's id of the foundation model.
    pub bedrock_id: Field,
    /// Geographies with an inference profile, separated by blanks or commas.
    pub geographies: Field,
    /// The context window in tokens.
    pub context: Field,
    /// The most output tokens.
    pub max_output: Field,
    /// How many tokens of a quota one output token uses up.
    pub burndown: Field,
    /// The date of its release.
    pub released: Field,
    /// Whether it can be invoked without a profile.
    pub on_demand: bool,
    /// Whether Bedrock Runtime can count its tokens.
    pub counts_tokens: bool,
}

impl Default for ModelForm {
    fn default() -> Self {
        Self {
            name: Field::default(),
            title: Field::default(),
            aliases: Field::default(),
            bedrock_id: Field::default(),
            geographies: Field::new("global"),
            context: Field::new("200000"),
            max_output: Field::new("64000"),
            burndown: Field::new("10"),
            released: Field::default(),
            on_demand: false,
            counts_tokens: false,
        }
    }
}

impl ModelForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "name" => &mut self.name,
            "display_name" => &mut self.title,
            "aliases" => &mut self.aliases,
            "bedrock_id" => &mut self.bedrock_id,
            "geographies" => &mut self.geographies,
            "context_tokens" => &mut self.context,
            "max_output_tokens" => &mut self.max_output,
            "output_burndown" => &mut self.burndown,
            "released_at" => &mut self.released,
            _ => return None,
        })
    }
}

/// The page for one model.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ModelPage {
    /// The model that is changed, by its canonical name; `None` for a new one.
    pub name: Option<String>,
    /// Its name for people, as it is stored.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// Whether it has a price.
    pub priced: bool,
    /// What the form holds.
    pub form: ModelForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const NAME: Ask = Ask::line(
    "name",
    "Name",
    "As Anthropic's API spells it, without a date: claude-opus-5-5. It cannot be changed later.",
    true,
    100,
);
const TITLE: Ask = Ask::line(
    "display_name",
    "Title",
    "For people: Claude Opus 5.5.",
    false,
    200,
);
const ALIASES: Ask = Ask::line(
    "aliases",
    "Aliases",
    "Other names that clients use for it, separated by blanks. No other model may have them.",
    false,
    2_000,
);
const BEDROCK_ID: Ask = Ask::line(
    "bedrock_id",
    "Bedrock id",
    "Of the foundation model, without a geography: anthropic.claude-opus-5-5.",
    true,
    140,
);
const GEOGRAPHIES: Ask = Ask::line(
    "geographies",
    "Geographies",
    "That have an inference profile, separated by blanks: global us eu au jp apac in ca us-gov. At endpoints that have been asked, AWS's own list counts.",
    false,
    200,
);
const CONTEXT: Ask = Ask::line("context_tokens", "Context window", "In tokens.", true, 9);
const MAX_OUTPUT: Ask = Ask::line("max_output_tokens", "Most output", "In tokens.", true, 9);
const BURNDOWN: Ask = Ask::line(
    "output_burndown",
    "Burn-down",
    "How many tokens of AWS's quota one output token uses up: 10 for all current models.",
    true,
    3,
);
const RELEASED: Ask = Ask::line(
    "released_at",
    "Released",
    "Such as 2026-11-01. Lists begin with the newest.",
    false,
    30,
);

impl FormPage for ModelPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.form.field_mut(name)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for ModelPage {
    fn title(&self) -> String {
        match self.name {
            Some(_) => self.title.clone(),
            None => "Add a model".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Models)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let head = match &self.name {
            Some(name) => {
                let lead = if self.priced {
                    text(format!("{name}, {}", self.source))
                } else {
                    text("It has no price and is refused until it has one.")
                };
                let admin = context.opens(&path::delete_model(name)).then(|| {
                    view! { <a class="button danger" href=path::delete_model(name)>"Remove…"</a> }
                });
                let actions = view! {
                    <a class="button" href=path::model_price(name)>"Prices"</a>
                    {admin}
                };
                page_head(self.title.clone(), lead, actions.into_any())
            }
            None => page_head(
                "Add a model".to_owned(),
                text("It is served as soon as it has a price."),
                nothing(),
            ),
        };
        let body = if context.posts(path::MODELS) {
            self.form(context)
        } else {
            self.about()
        };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::MODELS>"Models and prices"</a></nav>
            {head}
            {body}
        }
        .into_any()
    }
}

impl ModelPage {
    fn about(&self) -> AnyView {
        let value = |field: &Field| text(field.value.clone());
        view! {
            <section class="card narrow">
                {facts(vec![
                    ("Aliases", value(&self.form.aliases)),
                    ("Bedrock id", value(&self.form.bedrock_id)),
                    ("Geographies", value(&self.form.geographies)),
                    ("Context window", value(&self.form.context)),
                    ("Most output", value(&self.form.max_output)),
                    ("Burn-down", value(&self.form.burndown)),
                ])}
            </section>
        }
        .into_any()
    }

    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let fields = [
            (&NAME, &form.name),
            (&TITLE, &form.title),
            (&ALIASES, &form.aliases),
            (&BEDROCK_ID, &form.bedrock_id),
            (&GEOGRAPHIES, &form.geographies),
            (&CONTEXT, &form.context),
            (&MAX_OUTPUT, &form.max_output),
            (&BURNDOWN, &form.burndown),
            (&RELEASED, &form.released),
        ];
        let (action, button) = match &self.name {
            Some(name) => (path::model(name), "Save"),
            None => (path::MODELS.to_owned(), "Add the model"),
        };
        let new = self.name.is_none();
        let inputs = view! {
                {new.then(|| input(NAME, &form.name, &[]))}
                {input(TITLE, &form.title, &[])}
                {input(ALIASES, &form.aliases, &[])}
                {input(BEDROCK_ID, &form.bedrock_id, &[])}
                {input(GEOGRAPHIES, &form.geographies, &[])}
                {yes_box("on_demand", "It can be invoked without a profile", "", form.on_demand)}
                {input(CONTEXT, &form.context, &[])}
                {input(MAX_OUTPUT, &form.max_output, &[])}
                {input(BURNDOWN, &form.burndown, &[])}
                {yes_box("counts_tokens", "Bedrock Runtime can count its tokens", "Otherwise the gateway estimates.", form.counts_tokens)}
                {input(RELEASED, &form.released, &[])}
        };
        edit_form(
            context,
            action,
            summary(&fields[usize::from(!new)..], self.trouble.as_deref()),
            inputs.into_any(),
            button,
            path::MODELS,
        )
    }
}
