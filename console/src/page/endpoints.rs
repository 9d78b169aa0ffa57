//! The endpoints.

use super::{Page, Section};
use crate::part::block::{Colour, badge, empty, nothing, page_head, text};
use crate::part::field::page_link;
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use ccag_domain::EndpointState;
use leptos::prelude::*;

/// One endpoint in the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndpointRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The AWS region; `None` is the data planes' own.
    pub region: Option<String>,
    /// The account of its role; `None` is the data planes' own.
    pub account: Option<String>,
    /// The only geography that it uses.
    pub geography: Option<String>,
    /// Its share of the conversations.
    pub weight: u32,
    /// Whether it takes requests.
    pub state: EndpointState,
    /// Whether teams without endpoints of their own use it.
    pub is_default: bool,
    /// How many teams it is assigned to.
    pub teams: usize,
}

/// The endpoints.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EndpointsPage {
    /// All of them, by name.
    pub rows: Vec<EndpointRow>,
}

impl Page for EndpointsPage {
    fn title(&self) -> String {
        "Endpoints".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Endpoints)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let list = if self.rows.is_empty() {
            empty(
                "No endpoints",
                view! { <p>"Without an endpoint every request is refused. Add the AWS account and region that requests may use."</p> }.into_any(),
                nothing(),
            )
        } else {
            self.list()
        };
        let add = view! {
            {page_link(context, path::ROUTING, "Routing", "button")}
            {page_link(context, path::NEW_ENDPOINT, "Add an endpoint", "button primary")}
        };
        view! {
            {page_head(
                "Endpoints".to_owned(),
                text("The AWS accounts and regions that requests leave through. A team with endpoints of its own uses no others."),
                add.into_any(),
            )}
            {list}
        }
        .into_any()
    }
}

impl EndpointsPage {
    fn list(&self) -> AnyView {
        let columns = vec![
            Column::text("Name"),
            Column::text("State"),
            Column::text("Region"),
            Column::text("Account"),
            Column::text("Geography"),
            Column::number("Weight"),
            Column::text("Used by"),
        ];
        let rows = self
            .rows
            .iter()
            .map(|endpoint| {
                let name = view! { <a href=path::endpoint(&endpoint.id)>{endpoint.name.clone()}</a> };
                let or = |text: &Option<String>, other: &str| {
                    text.clone().unwrap_or_else(|| other.to_owned()).into_any()
                };
                view! {
                    <tr>
                        {row_head(name.into_any())}
                        {cell("State", state_badge(endpoint.state))}
                        {cell("Region", or(&endpoint.region, "of the data planes"))}
                        {cell("Account", or(&endpoint.account, "of the data planes"))}
                        {cell("Geography", or(&endpoint.geography, "closest"))}
                        {number_cell("Weight", text(endpoint.weight.to_string()))}
                        {cell("Used by", text(used_by(endpoint.is_default, endpoint.teams)))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Endpoints", columns, rows)
    }
}

/// Whether an endpoint takes requests, in a word.
pub(super) fn state_badge(state: EndpointState) -> AnyView {
    match state {
        EndpointState::Enabled => badge(Colour::Good, "Enabled"),
        EndpointState::Draining => badge(Colour::Warn, "Draining"),
        EndpointState::Disabled => badge(Colour::Warn, "Disabled"),
    }
}

/// Who uses an endpoint, in words.
pub(super) fn used_by(is_default: bool, teams: usize) -> String {
    let teams = match teams {
        0 => None,
        1 => Some("1 team".to_owned()),
        n => Some(format!("{n} teams")),
    };
    match (is_default, teams) {
        (true, None) => "all teams without their own".to_owned(),
        (true, Some(teams)) => format!("{teams}, and all without their own"),
        (false, Some(teams)) => teams,
        (false, None) => "nobody".to_owned(),
    }
}
