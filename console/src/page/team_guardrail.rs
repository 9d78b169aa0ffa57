//! Which guardrail a team's requests must pass.

use super::guardrail::{GuardrailForm, guardrail};
use super::{FormPage, Page, Section};
use crate::form::Field;
use crate::part::block::{nothing, page_head, text};
use crate::part::field::{Ask, edit_form, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// The page with the form for a team's guardrail.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamGuardrailPage {
    /// The team's id.
    pub team_id: String,
    /// Its name.
    pub team: String,
    /// What the form holds.
    pub form: GuardrailForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const GUARDRAIL: Ask = guardrail(
    "Its id or ARN. Empty, with an empty version: the guardrail of the endpoint holds, if it has one.",
);

impl FormPage for TeamGuardrailPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.form.field_mut(name)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for TeamGuardrailPage {
    fn title(&self) -> String {
        format!("Guardrail of {}", self.team)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::TEAMS>"Teams"</a></nav>
            {page_head(
                format!("Guardrail of {}", self.team),
                text(
                    "The team's requests must pass it instead of the endpoint's. An AWS account that does not have it refuses them.",
                ),
                nothing(),
            )}
            {edit_form(
                context,
                path::team_guardrail(&self.team_id),
                summary(&self.form.fields(&GUARDRAIL), self.trouble.as_deref()),
                self.form.inputs(GUARDRAIL),
                "Save",
                path::TEAMS,
            )}
        }
        .into_any()
    }
}
