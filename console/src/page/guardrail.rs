//! What forms ask about a guardrail: an endpoint's, or a team's.

use crate::form::{Choice, Field};
use crate::part::field::{Ask, input, select, yes_box};
use leptos::prelude::*;

/// What a form holds of a guardrail.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GuardrailForm {
    /// Its id; empty is none.
    pub id: Field,
    /// Its version.
    pub version: Field,
    /// How much Bedrock tells about what it found.
    pub trace: Field,
    /// Whether it looks only at what the user and the tools said.
    pub tag_input: bool,
}

impl Default for GuardrailForm {
    fn default() -> Self {
        Self {
            id: Field::default(),
            version: Field::default(),
            trace: Field::new("disabled"),
            tag_input: false,
        }
    }
}

impl GuardrailForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        Some(match name {
            "guardrail.id" => &mut self.id,
            "guardrail.version" => &mut self.version,
            "guardrail.trace" => &mut self.trace,
            _ => return None,
        })
    }

    /// The fields that can be wrong; `id` is how the guardrail itself is asked for.
    pub(super) fn fields(&self, id: &'static Ask) -> [(&'static Ask, &Field); 3] {
        [(id, &self.id), (&VERSION, &self.version), (&TRACE, &self.trace)]
    }

    /// The inputs.
    pub(super) fn inputs(&self, id: Ask) -> AnyView {
        view! {
            {input(id, &self.id, &[])}
            {input(VERSION, &self.version, &[])}
            {select(TRACE, &self.trace, &traces())}
            {yes_box(
                "guardrail_tag_input",
                "The guardrail looks only at what the user and the tools said",
                "Not at the system prompt, and not at documents.",
                self.tag_input,
            )}
        }
        .into_any()
    }
}

/// How the guardrail itself is asked for.
pub(super) const fn guardrail(help: &'static str) -> Ask {
    Ask::line("guardrail_id", "Guardrail", help, false, 2_048)
}

const VERSION: Ask = Ask::line(
    "guardrail_version",
    "Guardrail version",
    "A number, or DRAFT.",
    false,
    8,
);
const TRACE: Ask = Ask::line(
    "guardrail_trace",
    "Guardrail trace",
    "How much Bedrock writes into its invocation log about what was found, quotes included.",
    false,
    0,
);

fn traces() -> Vec<Choice> {
    vec![
        Choice::new("disabled", "Nothing"),
        Choice::new("enabled", "What was found"),
        Choice::new("enabled-full", "Everything that was looked for"),
    ]
}
