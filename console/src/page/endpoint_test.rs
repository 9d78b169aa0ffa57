//! What an endpoint's credentials may do.

use super::{Page, Section};
use crate::part::block::{Colour, badge, card, copyable, nothing, page_head, text};
use crate::part::field::button_form;
use crate::part::list::{Column, cell, name_cell, prose_cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// What came of trying an operation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Tried {
    /// It is allowed.
    Allowed,
    /// It is not.
    Denied,
    /// That could not be found out.
    Failed,
}

/// One operation that was tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CheckRow {
    /// The IAM action.
    pub action: String,
    /// What it was tried on.
    pub on: Option<String>,
    /// What came of it.
    pub tried: Tried,
    /// AWS's words, where it is not allowed.
    pub message: Option<String>,
}

/// The page that tries an endpoint.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointTestPage {
    /// The endpoint's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether the credentials are the control plane's own.
    pub own_credentials: bool,
    /// What was tried; `None` before.
    pub rows: Option<Vec<CheckRow>>,
    /// An IAM policy that allows what is missing.
    pub missing_policy: Option<String>,
}

impl Page for EndpointTestPage {
    fn title(&self) -> String {
        format!("Test of {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let all_pass = |rows: &Vec<CheckRow>| rows.iter().all(|row| row.tried == Tried::Allowed);
        let (lead, label) = match &self.rows {
            None => (
                "AWS is asked for everything that the gateway needs here. Nothing is changed, no model runs, and nothing is billed.",
                "Test now",
            ),
            Some(rows) if all_pass(rows) => {
                ("Everything that the gateway needs here is allowed.", "Test again")
            }
            Some(_) => (
                "Not everything that the gateway needs here is allowed.",
                "Test again",
            ),
        };
        let ask = button_form(
            context,
            path::test_endpoint(&self.id),
            &[],
            label,
            &self.name,
            "primary",
        );
        let own = (self.own_credentials && self.rows.is_some()).then(|| {
            view! {
                <p>
                    "The endpoint has neither a role nor credentials of its own, so those of the control plane were tried. Data planes use their own, which may be others."
                </p>
            }
        });
        let policy = self.missing_policy.clone().map(|policy| {
            card(
                "missing",
                "What is missing",
                text(
                    "Add this to the policy of the role or user that the endpoint's requests are signed as.",
                ),
                copyable("missing-policy", "policy", policy),
            )
        });
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::ENDPOINTS>"Endpoints"</a>
                <a href=path::endpoint(&self.id)>{self.name.clone()}</a>
            </nav>
            {page_head(format!("Test of {}", self.name), text(lead), ask)}
            {own}
            {policy}
            {self.rows.as_deref().map(list)}
        }
        .into_any()
    }
}

fn list(rows: &[CheckRow]) -> AnyView {
    let columns = vec![
        Column::text("Action"),
        Column::text("On"),
        Column::text("Result"),
        Column::text("What AWS says"),
    ];
    let rows = rows
        .iter()
        .map(|row| {
            let result = match row.tried {
                Tried::Allowed => badge(Colour::Good, "allowed"),
                Tried::Denied => badge(Colour::Bad, "denied"),
                Tried::Failed => badge(Colour::Warn, "not found out"),
            };
            let on = match &row.on {
                Some(on) => view! { <code>{on.clone()}</code> }.into_any(),
                None => nothing(),
            };
            view! {
                <tr>
                    {row_head(view! { <code>{row.action.clone()}</code> }.into_any())}
                    {name_cell("On", on)}
                    {cell("Result", result)}
                    {prose_cell("What AWS says", text(row.message.clone().unwrap_or_default()))}
                </tr>
            }
            .into_any()
        })
        .collect();
    table("What was tried", columns, rows)
}
