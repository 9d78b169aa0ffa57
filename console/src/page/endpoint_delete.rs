//! Asking before an endpoint is deleted.

use super::{Named, Page, Section};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::csrf;
use crate::{PageContext, path};
use leptos::prelude::*;

/// The page that asks before an endpoint is deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DeleteEndpointPage {
    /// The endpoint's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether teams without endpoints of their own use it.
    pub is_default: bool,
    /// The teams that may use it: while there are any, it cannot be deleted.
    pub teams: Vec<Named>,
}

impl Page for DeleteEndpointPage {
    fn title(&self) -> String {
        format!("Delete {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let body = if self.teams.is_empty() {
            self.question(context)
        } else {
            self.refusal()
        };
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::ENDPOINTS>"Endpoints"</a>
                <a href=path::endpoint(&self.id)>{self.name.clone()}</a>
            </nav>
            {page_head(format!("Delete “{}”?", self.name), text("No request leaves through it any more."), nothing())}
            {body}
        }
        .into_any()
    }
}

impl DeleteEndpointPage {
    fn question(&self, context: &PageContext) -> AnyView {
        let default = self.is_default.then(|| {
            view! { <li>"Teams without endpoints of their own use the other default ones. The last default cannot be deleted."</li> }
        });
        view! {
            <form method="post" action=path::delete_endpoint(&self.id) class="card narrow stack">
                {csrf(context)}
                <ul class="prose">
                    <li>"Conversations that run through it move to other endpoints and fill their prompt caches anew."</li>
                    <li>"Answers that are streaming now run to their end."</li>
                    {default}
                    <li>"What was spent through it stays in the ledger."</li>
                </ul>
                <p><strong>"This cannot be undone."</strong></p>
                <div class="form-actions">
                    <button type="submit" class="danger">"Delete the endpoint"</button>
                    <a class="button quiet" href=path::endpoint(&self.id)>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }

    fn refusal(&self) -> AnyView {
        let items = self
            .teams
            .iter()
            .map(|team| view! { <li><a href=path::team_endpoints(&team.id)>{team.name.clone()}</a></li> })
            .collect_view();
        view! {
            <div class="card narrow stack">
                <p>"These teams may use it, and would be refused or sent through another account without it. Take it away from them first:"</p>
                <ul class="prose">{items}</ul>
                <div class="form-actions">
                    <a class="button quiet" href=path::endpoint(&self.id)>"Keep it"</a>
                </div>
            </div>
        }
        .into_any()
    }
}
