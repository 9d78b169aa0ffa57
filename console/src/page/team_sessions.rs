//! What the sessions of a team may do within a minute.

use super::{BreakerForm, FormPage, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::{Ask, edit_form, select, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// The page with the form for a team's limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamSessionsPage {
    /// The team's id.
    pub team_id: String,
    /// Its name.
    pub team: String,
    /// What the organisation says, in words.
    pub organisation: String,
    /// `organisation`, or `team` for limits of its own.
    pub whose: Field,
    /// The limits of its own.
    pub form: BreakerForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const WHOSE: Ask = Ask::line(
    "whose",
    "Which limits count",
    "Limits of its own replace the organisation's. Of its own and empty means that its sessions are never paused.",
    true,
    0,
);

impl FormPage for TeamSessionsPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        self.form.field_mut(name)
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for TeamSessionsPage {
    fn title(&self) -> String {
        format!("Sessions of {}", self.team)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let choices = [
            Choice::new(
                "organisation",
                format!("The organisation's: {}", self.organisation),
            ),
            Choice::new("team", "Limits of its own"),
        ];
        let [usd, agents] = self.form.fields();
        let inputs = view! { {select(WHOSE, &self.whose, &choices)} {self.form.inputs()} };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::TEAMS>"Teams"</a></nav>
            {page_head(
                format!("Sessions of {}", self.team),
                text("What a session that the team pays for may do within a minute. One that does more is paused until somebody resumes it."),
                nothing(),
            )}
            {edit_form(
                context,
                path::team_sessions(&self.team_id),
                summary(&[(&WHOSE, &self.whose), usd, agents], self.trouble.as_deref()),
                inputs.into_any(),
                "Save",
                path::TEAMS,
            )}
        }
        .into_any()
    }
}
