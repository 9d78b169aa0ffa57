//! Which models an endpoint offers, what is invoked for each, and whether the account may use it.

use super::{Page, Section};
use crate::format::ago;
use crate::part::block::{Colour, badge, nothing, page_head, text};
use crate::part::field::button_form;
use crate::part::list::{Column, cell, name_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{Availability, UnixMs};
use leptos::prelude::*;

/// One model at an endpoint.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OfferedRow {
    /// Its canonical name; `None` if it is not in the catalogue.
    pub model: Option<String>,
    /// Bedrock's id of the foundation model.
    pub bedrock_id: String,
    /// What is invoked for it, and where that runs; `None` if it is not to be had here.
    pub invoked: Option<(String, String)>,
    /// Whether AWS calls it legacy.
    pub legacy: bool,
    /// Whether the account may use it; `None` if AWS was not asked about it.
    pub availability: Option<Availability>,
}

/// The page with the models that an endpoint offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointModelsPage {
    /// The endpoint's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When AWS was asked last with success.
    pub discovered_at_ms: Option<UnixMs>,
    /// Why it could not be asked the last time.
    pub error: Option<String>,
    /// The models.
    pub rows: Vec<OfferedRow>,
    /// Profiles that cannot be used and why, in sentences.
    pub left_out: Vec<String>,
}

/// The button that asks AWS what an endpoint offers, and how much of it.
pub(super) fn ask_aws(context: &PageContext, id: &str, name: &str) -> AnyView {
    let action = path::discover_endpoint(id);
    button_form(context, action, &[], "Ask AWS now", name, "primary")
}

impl Page for EndpointModelsPage {
    fn title(&self) -> String {
        format!("Models of {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = match self.discovered_at_ms {
            Some(at) => view! { "AWS was asked " {ago(at, context.now_ms)} "." }.into_any(),
            None => text("AWS has not been asked: this is what the catalogue says."),
        };
        let ask = ask_aws(context, &self.id, &self.name);
        let error = self.error.clone().map(|error| {
            view! {
                <div class="flash flash-bad" role="alert">
                    <p>"AWS could not be asked the last time; what was known before goes on to count. " {error}</p>
                </div>
            }
        });
        let items = self
            .left_out
            .iter()
            .map(|line| view! { <li>{line.clone()}</li> })
            .collect_view();
        let left_out = (!self.left_out.is_empty()).then(|| {
            view! {
                <details class="card">
                    <summary>"Profiles that cannot be used"</summary>
                    <ul class="prose">{items}</ul>
                </details>
            }
        });
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::ENDPOINTS>"Endpoints"</a>
                <a href=path::endpoint(&self.id)>{self.name.clone()}</a>
            </nav>
            {page_head(format!("Models of {}", self.name), lead, ask)}
            {error}
            {self.list()}
            {left_out}
        }
        .into_any()
    }
}

impl EndpointModelsPage {
    fn list(&self) -> AnyView {
        let columns = vec![
            Column::text("Model"),
            Column::text("Bedrock id"),
            Column::text("Invoked as"),
            Column::text("Geography"),
            Column::text("Availability"),
        ];
        let rows = self
            .rows
            .iter()
            .map(|row| {
                let name = match &row.model {
                    Some(name) => view! { <a href=path::model(name)>{name.clone()}</a> }.into_any(),
                    None => badge(Colour::Muted, "not in the catalogue"),
                };
                let legacy = if row.legacy {
                    badge(Colour::Warn, "legacy")
                } else {
                    nothing()
                };
                let (invoked, geography) = match &row.invoked {
                    Some((id, geography)) => (
                        view! { <code>{id.clone()}</code> }.into_any(),
                        text(geography.clone()),
                    ),
                    None => (badge(Colour::Muted, "not to be had here"), nothing()),
                };
                view! {
                    <tr>
                        {row_head(view! { {name} " " {legacy} }.into_any())}
                        {name_cell("Bedrock id", view! { <code>{row.bedrock_id.clone()}</code> }.into_any())}
                        {name_cell("Invoked as", invoked)}
                        {cell("Geography", geography)}
                        {name_cell("Availability", availability(row.availability.as_ref()))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Models of the endpoint", columns, rows)
    }
}

/// What AWS says, in badges with what helps beside them.
fn availability(known: Option<&Availability>) -> AnyView {
    let Some(known) = known else {
        return nothing();
    };
    let colour = match known {
        Availability::Available => Colour::Good,
        Availability::Hindered { .. } => Colour::Warn,
        Availability::Unknown { .. } => Colour::Muted,
    };
    let words = known.words().into_iter();
    words
        .map(|(name, more)| view! { <p>{badge(colour, name)} " " {more}</p> })
        .collect_view()
        .into_any()
}
