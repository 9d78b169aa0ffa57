//! Teams.

use super::{BudgetAccount, BudgetState, PAGE_SIZE, Page, Section};
use crate::form::Field;
use crate::format::{ago, grouped, money, short_usd};
use crate::part::block::{Colour, badge, empty, maker, nothing, page_head, text};
use crate::part::budget::state_badge;
use crate::part::field::{Ask, button_form, csrf, filter_bar, input, page_name, summary};
use crate::part::list::{Column, Sort, cell, number_cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{AccountState, Area, NanoUsd, Permission, Reach, Strategy, UnixMs};
use leptos::prelude::*;

/// What the form for a new team holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct NewTeamForm {
    /// What to call it.
    pub name: Field,
}

/// One team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether its keys work.
    pub state: AccountState,
    /// How many users belong to it.
    pub users: u64,
    /// When it was made.
    pub created_at_ms: UnixMs,
    /// Spend of the last 30 days.
    pub spend_30_days: NanoUsd,
    /// How many endpoints are assigned to it; with none it uses the default ones.
    pub endpoints: u64,
    /// The strategy of its own by which its endpoints are tried, if it says one.
    pub strategy: Option<Strategy>,
    /// The id or ARN of its guardrail; without one that of the endpoint holds.
    pub guardrail: Option<String>,
    /// What its budget holds, if it has one.
    pub budget: Option<BudgetAccount>,
}

/// By what teams are sorted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum TeamSort {
    /// Their name.
    #[default]
    Name,
    /// How many users belong to them.
    Users,
    /// What they spent.
    Spend,
    /// When they were made.
    Created,
}

impl TeamSort {
    const ALL: [(Self, &'static str); 4] = [
        (Self::Name, "name"),
        (Self::Users, "users"),
        (Self::Spend, "spend"),
        (Self::Created, "created"),
    ];

    fn as_str(self) -> &'static str {
        let found = Self::ALL.iter().find(|(sort, _)| *sort == self);
        found.map_or("", |(_, text)| text)
    }

    /// Reads the value in an address; anything unknown is the default.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let found = Self::ALL.iter().find(|(_, known)| *known == text);
        found.map_or_else(Self::default, |(sort, _)| *sort)
    }

    /// Whether the largest or latest come first unless something else is said.
    #[must_use]
    pub const fn descends_at_first(self) -> bool {
        !matches!(self, Self::Name)
    }
}

/// The teams, and the form for a new one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TeamsPage {
    /// Part of a name.
    pub search: String,
    /// By what they are sorted,
    pub sort: TeamSort,
    /// with the largest, latest or last first.
    pub descending: bool,
    /// Which page, from 1.
    pub page: u64,
    /// One page of them.
    pub rows: Vec<TeamRow>,
    /// How many there are on all pages.
    pub total: u64,
    /// What the form holds.
    pub form: NewTeamForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const NAME: Ask = Ask {
    id: "name",
    name: "name",
    label: "Name",
    help: "As people know it, such as “Platform”. Two teams cannot share a name.",
    kind: "",
    autocomplete: "",
    required: true,
    max_length: 100,
};

impl Page for TeamsPage {
    fn title(&self) -> String {
        "Teams".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let list = if self.rows.is_empty() && !self.search.is_empty() {
            empty(
                "No team fits",
                view! { <p>"No team has these characters in its name."</p> }.into_any(),
                view! { <a class="button" href=path::TEAMS>"Show all teams"</a> }.into_any(),
            )
        } else if self.rows.is_empty() {
            empty(
                "No teams yet",
                view! { <p>"A team gathers the spend of its people and decides which AWS accounts their requests may use."</p> }.into_any(),
                nothing(),
            )
        } else {
            self.list(context)
        };
        view! {
            {page_head("Teams".to_owned(), text("Who pays, and where requests may go."), nothing())}
            {maker(context, path::TEAMS, "Create a team", self.total == 0 && self.search.is_empty() || self.refused(), self.new_team(context))}
            {self.filter()}
            {list}
        }
        .into_any()
    }
}

impl TeamsPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub const fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn filter(&self) -> AnyView {
        if self.total == 0 && self.search.is_empty() {
            return nothing();
        }
        filter_bar(path::TEAMS, "Search by name", &self.search, nothing())
    }

    fn refused(&self) -> bool {
        self.trouble.is_some() || self.form.name.error.is_some()
    }

    fn new_team(&self, context: &PageContext) -> AnyView {
        view! {
            <form method="post" action=path::TEAMS class="grid-form">
                {csrf(context)}
                {summary(&[(&NAME, &self.form.name)], self.trouble.as_deref())}
                {input(NAME, &self.form.name, &[])}
                <div class="form-actions">
                    <button type="submit" class="primary">"Create the team"</button>
                </div>
            </form>
        }
        .into_any()
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let mut columns = vec![
            Column::sorted("Name", self.sorted(TeamSort::Name)),
            Column::text("State"),
            Column::sorted_number("Users", self.sorted(TeamSort::Users)),
            Column::sorted_number("Spend, 30 days", self.sorted(TeamSort::Spend)),
            Column::text("Budget"),
        ];
        let routes = context.reach(Permission::Read(Area::Routing)) == Reach::Everything;
        if routes {
            columns.push(Column::text("Endpoints, routing, guardrail"));
        }
        columns.push(Column::sorted("Created", self.sorted(TeamSort::Created)));
        let changes = context.reach(Permission::Change(Area::Teams)) != Reach::Nothing;
        if changes {
            columns.push(Column::text("Change"));
        }
        let rows = self
            .rows
            .iter()
            .map(|team| {
                view! {
                    <tr>
                        {row_head(page_name(context, path::team(&team.id), team.name.clone(), "row-link"))}
                        {cell("State", account_badge(team.state))}
                        {number_cell("Users", text(grouped(team.users)))}
                        {number_cell("Spend, 30 days", money(team.spend_30_days))}
                        {cell("Budget", budget_of(team, context))}
                        {routes.then(|| cell("Endpoints, routing, guardrail", routes_of(team, context)))}
                        {cell("Created", ago(team.created_at_ms, context.now_ms))}
                        {changes.then(|| cell("Change", state_switch(context, path::team_state(&team.id), &team.name, team.state)))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        let pages = pagination("teams", self.page, self.total, |page| {
            self.href(self.sort, self.descending, page)
        });
        view! { {table("Teams", columns, rows)} {pages} }.into_any()
    }

    /// The address of a page of this list, sorted like this.
    fn href(&self, sort: TeamSort, descending: bool, page: u64) -> String {
        let order = match (descending, sort.descends_at_first()) {
            (true, false) => "desc",
            (false, true) => "asc",
            _ => "",
        };
        let by = if sort == TeamSort::Name { "" } else { sort.as_str() };
        let page = if page <= 1 {
            String::new()
        } else {
            page.to_string()
        };
        let query = [
            ("q", self.search.as_str()),
            ("sort", by),
            ("order", order),
            ("page", &page),
        ];
        path::with_query(path::TEAMS, &query)
    }

    fn sorted(&self, by: TeamSort) -> Sort {
        let current = self.sort == by;
        let next = if current {
            !self.descending
        } else {
            by.descends_at_first()
        };
        Sort {
            href: self.href(by, next, 1),
            descending: current.then_some(self.descending),
        }
    }
}

/// What is said of a team, as a way to where it is said, for those who may go there.
fn way(context: &PageContext, href: String, label: String, name: String) -> AnyView {
    if !context.opens(&href) {
        return text(label);
    }
    view! { <a href=href aria-label=name>{label}</a> }.into_any()
}

/// What a team's budget holds, with a way to change it.
fn budget_of(team: &TeamRow, context: &PageContext) -> AnyView {
    let Some(account) = &team.budget else {
        let name = format!("Budget of {}: none", team.name);
        return way(context, path::team_budget(&team.id), "none".to_owned(), name);
    };
    let label = format!("{} % of {}", grouped(account.percent), short_usd(account.limit));
    let name = format!("Budget of {}: {label}", team.name);
    let state = (account.state != BudgetState::Ok).then(|| state_badge(account.state));
    let label = way(context, path::team_budget(&team.id), label, name);
    view! { <span>{label} " " {state}</span> }.into_any()
}

/// Where a team's requests may go, and what they must pass.
fn routes_of(team: &TeamRow, context: &PageContext) -> AnyView {
    view! {
        <ul class="lines">
            <li>{endpoints_of(team, context)}</li>
            <li>{routing_of(team, context)}</li>
            <li>{guardrail_of(team, context)}</li>
        </ul>
    }
    .into_any()
}

/// Which endpoints a team uses, with a way to change that.
fn endpoints_of(team: &TeamRow, context: &PageContext) -> AnyView {
    let label = match team.endpoints {
        0 => "default endpoints".to_owned(),
        1 => "1 endpoint of its own".to_owned(),
        n => format!("{} endpoints of its own", grouped(n)),
    };
    let name = format!("Endpoints of {}: {label}", team.name);
    way(context, path::team_endpoints(&team.id), label, name)
}

/// By which strategy a team's endpoints are tried, with a way to change that and where its requests may go.
fn routing_of(team: &TeamRow, context: &PageContext) -> AnyView {
    let label = match team.strategy {
        None => "the organisation's routing".to_owned(),
        Some(strategy) => strategy.as_str().to_owned(),
    };
    let name = format!("Routing of {}: {label}", team.name);
    way(context, path::team_routing(&team.id), label, name)
}

/// Which guardrail a team's requests must pass, with a way to change that.
fn guardrail_of(team: &TeamRow, context: &PageContext) -> AnyView {
    let label = match &team.guardrail {
        None => "the endpoint's guardrail".to_owned(),
        // The last part of an ARN is the id.
        Some(id) => format!("guardrail {}", id.rsplit('/').next().unwrap_or(id)),
    };
    let name = format!("Guardrail of {}: {label}", team.name);
    way(context, path::team_guardrail(&team.id), label, name)
}

/// The state of a user or a team in a word.
pub(super) fn account_badge(state: AccountState) -> AnyView {
    match state {
        AccountState::Active => badge(Colour::Good, "Active"),
        AccountState::Suspended => badge(Colour::Warn, "Suspended"),
    }
}

/// The button that suspends or activates. Both can be undone with the same button, so nothing is asked.
pub(super) fn state_switch(
    context: &PageContext,
    action: String,
    name: &str,
    state: AccountState,
) -> AnyView {
    let (to, label) = match state {
        AccountState::Active => (AccountState::Suspended, "Suspend"),
        AccountState::Suspended => (AccountState::Active, "Activate"),
    };
    button_form(
        context,
        action,
        &[("state", to.as_str().to_owned())],
        label,
        name,
        "small",
    )
}
