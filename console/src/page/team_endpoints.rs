//! Which endpoints a team may use.

use super::{Page, Section};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::{checkbox, edit_form, summary};
use crate::{PageContext, path};
use leptos::prelude::*;

/// One endpoint that can be chosen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamEndpointChoice {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its region and account, in words.
    pub place: String,
    /// Whether it is used at all.
    pub enabled: bool,
    /// Whether the team may use it.
    pub chosen: bool,
    /// Where it stands in the team's order; empty for those that are not chosen.
    pub priority: String,
}

/// The page that says which endpoints a team may use.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamEndpointsPage {
    /// The team's id.
    pub team_id: String,
    /// Its name.
    pub team: String,
    /// All endpoints.
    pub endpoints: Vec<TeamEndpointChoice>,
    /// What is wrong with the form.
    pub trouble: Option<String>,
}

impl Page for TeamEndpointsPage {
    fn title(&self) -> String {
        format!("Endpoints of {}", self.team)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let boxes = self
            .endpoints
            .iter()
            .map(|endpoint| {
                let label = if endpoint.enabled {
                    endpoint.name.clone()
                } else {
                    format!("{} (disabled)", endpoint.name)
                };
                let (id, name) = (
                    format!("place-{}", endpoint.id),
                    format!("Place of {}", endpoint.name),
                );
                view! {
                    {checkbox(
                        format!("use-{}", endpoint.id),
                        "endpoint",
                        endpoint.id.clone(),
                        label,
                        endpoint.place.clone(),
                        endpoint.chosen,
                    )}
                    <div class="field">
                        <label for=id.clone()>{name}</label>
                        <input
                            type="number"
                            min="0"
                            max="9999"
                            id=id.clone()
                            name=id
                            value=endpoint.priority.clone()
                        />
                    </div>
                }
            })
            .collect_view();
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::TEAMS>"Teams"</a></nav>
            {page_head(
                format!("Endpoints of {}", self.team),
                text("The team uses the chosen endpoints and no others. With none chosen it uses the default ones. The place says which comes first where the strategy goes by the list; without a place they stand as here."),
                nothing(),
            )}
            {edit_form(
                context,
                path::team_endpoints(&self.team_id),
                summary(&[], self.trouble.as_deref()),
                view! { <fieldset><legend>"May use"</legend>{boxes}</fieldset> }.into_any(),
                "Save",
                path::TEAMS,
            )}
        }
        .into_any()
    }
}
