//! One team: its members, and its name.

use super::teams::{account_badge, state_switch};
use super::{FormPage, PAGE_SIZE, Page, Section};
use crate::form::Field;
use crate::format::{grouped, moment};
use crate::part::block::{card, empty, facts, nothing, page_head, text};
use crate::part::confirm::{Confirm, confirm};
use crate::part::field::{Ask, button_form, csrf, input, page_link, page_name, post_form, summary};
use crate::part::list::{Column, cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{AccountState, Role, UnixMs};
use leptos::prelude::*;

/// A user of the team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MemberRow {
    /// Their id.
    pub id: String,
    /// The name they sign in with.
    pub username: String,
    /// What they may do.
    pub role: Role,
    /// Whether their keys and sign-in work.
    pub state: AccountState,
}

/// One team.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TeamPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Whether its keys work.
    pub state: AccountState,
    /// When it was made.
    pub created_at_ms: UnixMs,
    /// Which page of its members, from 1.
    pub page: u64,
    /// That page, by name.
    pub members: Vec<MemberRow>,
    /// How many members it has.
    pub total: u64,
    /// The username of somebody who is to come in.
    pub username: Field,
    /// Another name.
    pub new_name: Field,
    /// What is wrong as a whole.
    pub trouble: Option<String>,
}

const USERNAME: Ask = Ask::line(
    "username",
    "Username",
    "Whoever is in another team leaves it: from then on this one pays.",
    true,
    100,
);

const NAME: Ask = Ask::line("name", "Name", "Two teams cannot share one.", true, 100);

impl TeamPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub const fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn actions(&self, context: &PageContext) -> AnyView {
        let state = context
            .posts(&path::team_state(&self.id))
            .then(|| state_switch(context, path::team_state(&self.id), &self.name, self.state));
        let delete = path::delete_team(&self.id);
        let delete = context
            .opens(&delete)
            .then(|| page_link(context, delete.clone(), "Delete…", "button danger"));
        view! { <div class="form-actions">{state}{delete}</div> }.into_any()
    }

    fn ways(&self, context: &PageContext) -> AnyView {
        let id = &self.id;
        let ways = [
            ("Budget", path::team_budget(id)),
            ("Endpoints", path::team_endpoints(id)),
            ("Routing", path::team_routing(id)),
            ("Guardrail", path::team_guardrail(id)),
            ("What sessions may do", path::team_sessions(id)),
        ];
        let ways = ways
            .into_iter()
            .filter(|(_, href)| context.opens(href))
            .map(|(label, href)| view! { <li><a href=href>{label}</a></li> })
            .collect_view();
        view! {
            <div class="stack">
            {facts(vec![
                ("Members", text(grouped(self.total))),
                ("Created", moment(self.created_at_ms)),
                ("Id", view! { <code>{self.id.clone()}</code> }.into_any()),
            ])}
            <ul class="prose">{ways}</ul>
            </div>
        }
        .into_any()
    }

    fn rename(&self, context: &PageContext) -> AnyView {
        let form = post_form(
            context,
            path::team(&self.id),
            "stack",
            summary(&[(&NAME, &self.new_name)], self.trouble.as_deref()),
            input(NAME, &self.new_name, &[]),
            view! { <button type="submit">"Rename"</button> }.into_any(),
        );
        card("rename", "Name", nothing(), form)
    }

    fn add(&self, context: &PageContext) -> AnyView {
        let action = path::team_members(&self.id);
        if !context.posts(&action) {
            return nothing();
        }
        let form = view! {
            <form method="post" action=action class="stack">
                {csrf(context)}
                {summary(&[(&USERNAME, &self.username)], None)}
                {input(USERNAME, &self.username, &[])}
                <button type="submit" class="primary">"Add to the team"</button>
            </form>
        };
        card("add", "Add a member", nothing(), form.into_any())
    }

    fn list(&self, context: &PageContext) -> AnyView {
        if self.members.is_empty() {
            let body =
                view! { <p>"Requests of members count for their team, unless a key says otherwise."</p> };
            return empty("Nobody is in this team", body.into_any(), nothing());
        }
        let removes = context.posts(&path::team_members(&self.id));
        let mut columns = Vec::from(["Username", "Role", "State"].map(Column::text));
        if removes {
            columns.push(Column::text("Change"));
        }
        let row = |member: &MemberRow| {
            let remove = removes.then(|| {
                let action = path::remove_team_member(&self.id);
                let who = [("user_id", member.id.clone())];
                cell(
                    "Change",
                    button_form(context, action, &who, "Remove", &member.username, "small"),
                )
            });
            view! {
                <tr>
                    {row_head(page_name(context, path::user(&member.id), member.username.clone(), "row-link"))}
                    {cell("Role", text(member.role.title()))}
                    {cell("State", account_badge(member.state))}
                    {remove}
                </tr>
            }
            .into_any()
        };
        let pages = pagination("members", self.page, self.total, |page| {
            path::with_query(&path::team(&self.id), &[("page", &page.to_string())])
        });
        view! { {table("Members", columns, self.members.iter().map(row).collect())} {pages} }.into_any()
    }
}

impl Page for TeamPage {
    fn title(&self) -> String {
        format!("Team {}", self.name)
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are">{page_link(context, path::TEAMS, "Teams", "")}</nav>
            {page_head(self.name.clone(), account_badge(self.state), self.actions(context))}
            <div class="columns">
                {card("about", "About", nothing(), self.ways(context))}
                <div class="stack">
                    {self.add(context)}
                    {self.rename(context)}
                </div>
            </div>
            {self.list(context)}
        }
        .into_any()
    }
}

impl FormPage for TeamPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        match name {
            "name" => Some(&mut self.new_name),
            "username" => Some(&mut self.username),
            _ => None,
        }
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

/// The page that asks before a team is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteTeamPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// How many members it has: with any it stays.
    pub members: u64,
    /// How many of its keys are not revoked: with any it stays.
    pub keys: u64,
    /// The first of them: ids and names.
    pub some_keys: Vec<(String, String)>,
}

impl Page for DeleteTeamPage {
    fn title(&self) -> String {
        "Delete a team".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Teams)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        if self.members + self.keys > 0 {
            return self.in_use(context);
        }
        confirm(
            context,
            Confirm {
                list: (path::TEAMS, "Teams"),
                page: (path::team(&self.id), self.name.clone()),
                question: format!("Delete the team “{}”?", self.name),
                what: text(
                    "Its budgets, its limits and its destinations of notifications go with it. What it has used stays in the ledger.",
                ),
                action: path::delete_team(&self.id),
                button: "Delete the team",
            },
        )
    }
}

impl DeleteTeamPage {
    /// What has to be done before.
    fn in_use(&self, context: &PageContext) -> AnyView {
        let members = (self.members > 0).then(|| {
            let (words, them) = match self.members {
                1 => ("1 user is a member.".to_owned(), "them"),
                n => (format!("{} users are members.", grouped(n)), "them"),
            };
            let link = page_link(context, path::team(&self.id), "See the members", "");
            view! {
                <li>
                    {words} " Take " {them} " out on the team's page, or move " {them} " to another team on their own pages. " {link}
                </li>
            }
        });
        let keys = (self.keys > 0).then(|| {
            let words = match self.keys {
                1 => "1 key is not revoked.".to_owned(),
                n => format!("{} keys are not revoked.", grouped(n)),
            };
            let some = self.some_keys.iter().map(|(id, name)| {
                view! { <li>{page_link(context, path::key(id), name.clone(), "")}</li> }
            });
            let shown = self.some_keys.len() as u64;
            let more = (self.keys > shown && shown > 0)
                .then(|| view! { <li>{format!("and {} more", grouped(self.keys - shown))}</li> });
            view! {
                <li>
                    {words} " Give them to another team, or revoke them:"
                    <ul>{some.collect_view()} {more}</ul>
                </li>
            }
        });
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::TEAMS>"Teams"</a>
                <a href=path::team(&self.id)>{self.name.clone()}</a>
            </nav>
            {page_head(format!("“{}” cannot be deleted yet", self.name), nothing(), nothing())}
            <div class="card narrow stack">
                <p>"A team is deleted when nobody and no key belongs to it."</p>
                <ul>{members} {keys}</ul>
                <div class="form-actions">
                    <a class="button" href=path::team(&self.id)>"Back to the team"</a>
                </div>
            </div>
        }
        .into_any()
    }
}
