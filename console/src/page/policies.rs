//! Policies: the list, the form, and what they say to somebody.

use super::{FormPage, Page, Section};
use crate::form::{Choice, Field};
use crate::part::block::{card, copyable, empty, facts, nothing, page_head, text};
use crate::part::confirm::{Confirm, confirm};
use crate::part::field::{Ask, input, page_link, page_name, post_form, select, summary, textarea};
use crate::part::list::{Column, name_cell, number_cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// One policy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PolicyRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// The higher, the later its word.
    pub priority: i64,
    /// Whom it is about, in words.
    pub about: String,
    /// The models that may be used, in words.
    pub models: String,
    /// Whether it says anything of settings.
    pub settings: bool,
}

/// What the policies say to and of somebody.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToldPreview {
    /// Who.
    pub user: String,
    /// The policies about them, in the order in which they speak.
    pub policies: Vec<String>,
    /// The models that they may use, and the policy that says so, in words.
    pub models: String,
    /// The settings, as JSON; `None`: none.
    pub settings: Option<String>,
}

/// All policies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PoliciesPage {
    /// Those that have the last word first.
    pub rows: Vec<PolicyRow>,
    /// Whom the preview is for, as it was typed.
    pub user: Field,
    /// The preview.
    pub preview: Option<ToldPreview>,
}

const USER: Ask = Ask::line("user", "User", "The name of a user.", true, 0);

impl Page for PoliciesPage {
    fn title(&self) -> String {
        "Policies".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Policies)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let new = page_link(context, path::NEW_POLICY, "Create a policy", "button primary");
        if self.rows.is_empty() {
            let first = empty(
                "No policies yet",
                view! {
                    <p>
                        "A policy says which models some people may use, which holds on the server whatever their program asks for, "
                        "and what their Claude Code is told: its managed settings, such as permissions, hooks and variables. It is "
                        "about a team, a group, a role, a domain of e-mail addresses, or everybody."
                    </p>
                }
                .into_any(),
                new,
            );
            return view! {
                {page_head("Policies".to_owned(), text("Which models people may use, and what their Claude Code is told."), nothing())}
                {first}
            }
            .into_any();
        }
        let columns = vec![
            Column::text("Name"),
            Column::number("Priority"),
            Column::text("About"),
            Column::text("Models"),
            Column::text("Settings"),
        ];
        let row = |row: &PolicyRow| {
            view! {
                <tr>
                    {row_head(page_name(context, path::policy(&row.id), row.name.clone(), "row-link"))}
                    {number_cell("Priority", text(row.priority.to_string()))}
                    {name_cell("About", text(row.about.clone()))}
                    {name_cell("Models", text(row.models.clone()))}
                    {name_cell("Settings", text(if row.settings { "yes" } else { "says nothing" }))}
                </tr>
            }
            .into_any()
        };
        view! {
            {page_head("Policies".to_owned(), text("Which models people may use, and what their Claude Code is told. The highest priority has the last word."), new)}
            {table("Policies", columns, self.rows.iter().map(row).collect())}
            {self.preview()}
        }
        .into_any()
    }
}

impl PoliciesPage {
    fn preview(&self) -> AnyView {
        let told = self.preview.as_ref().map(|told| {
            let policies = match told.policies.as_slice() {
                [] => "none".to_owned(),
                names => names.join(", "),
            };
            let settings = match &told.settings {
                Some(json) => copyable("told", "settings", json.clone()),
                None => view! { <p>"Their Claude Code is told nothing."</p> }.into_any(),
            };
            view! {
                {facts(vec![
                    ("User", text(told.user.clone())),
                    ("Policies about them", text(policies)),
                    ("Models", text(told.models.clone())),
                ])}
                {settings}
            }
        });
        let body = view! {
            <form method="get" action=path::POLICIES class="stack narrow">
                {summary(&[(&USER, &self.user)], None)}
                {input(USER, &self.user, &[])}
                <button type="submit">"Show"</button>
            </form>
            {told}
        };
        card(
            "preview",
            "What somebody is told",
            text("All policies about them, put together."),
            body.into_any(),
        )
    }
}

/// What the form holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyForm {
    /// Its name.
    pub name: Field,
    /// The higher, the later its word.
    pub priority: Field,
    /// The teams, by name.
    pub teams: Field,
    /// The groups.
    pub groups: Field,
    /// The role; empty: any.
    pub role: Field,
    /// The domains of e-mail addresses.
    pub domains: Field,
    /// Whether it says anything of models, and what: `any`, `some` or `none`.
    pub allows: Field,
    /// The models.
    pub models: Field,
    /// The settings, as JSON.
    pub settings: Field,
}

const NAME: Ask = Ask::line("name", "Name", "People see it when it refuses a model.", true, 0);
const PRIORITY: Ask = Ask::line(
    "priority",
    "Priority",
    "A whole number. Of policies about the same person the one with the higher number has the last word.",
    false,
    20,
);
const TEAMS: Ask = Ask::line(
    "teams",
    "Teams",
    "Names with commas between them. Empty: any or none.",
    false,
    4_000,
);
const GROUPS: Ask = Ask::line(
    "groups",
    "Groups",
    "At the identity provider, with commas between them. Empty: any or none.",
    false,
    4_000,
);
const ROLE: Ask = Ask::line("role", "Role", "", false, 0);
const DOMAINS: Ask = Ask::line(
    "email_domains",
    "Domains of e-mail addresses",
    "With commas between them. Empty: any or none.",
    false,
    4_000,
);
const ALLOWS: Ask = Ask::line("allows", "Models", "", false, 0);
const MODELS: Ask = Ask::line(
    "models",
    "Which ones",
    "Names with commas between them, such as claude-haiku-4-5.",
    false,
    4_000,
);
const SETTINGS: Ask = Ask::line(
    "settings",
    "Managed settings of Claude Code",
    "A JSON object, as in managed-settings.json. Empty: the policy says nothing of settings.",
    false,
    262_144,
);

/// The page with the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct PolicyEditPage {
    /// The policy that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Roles to choose from.
    pub roles: Vec<Choice>,
    /// What the form holds.
    pub form: PolicyForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

impl FormPage for PolicyEditPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        let form = &mut self.form;
        Some(match name {
            "name" => &mut form.name,
            "priority" => &mut form.priority,
            "match.team_ids" => &mut form.teams,
            "match.groups" => &mut form.groups,
            "match.roles" => &mut form.role,
            "match.email_domains" => &mut form.domains,
            "models" => &mut form.models,
            "settings" => &mut form.settings,
            _ => return None,
        })
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for PolicyEditPage {
    fn title(&self) -> String {
        match &self.id {
            Some(_) => format!("Policy {}", self.form.name.value),
            None => "Create a policy".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Policies)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let fields = [
            (&NAME, &form.name),
            (&PRIORITY, &form.priority),
            (&TEAMS, &form.teams),
            (&GROUPS, &form.groups),
            (&ROLE, &form.role),
            (&DOMAINS, &form.domains),
            (&ALLOWS, &form.allows),
            (&MODELS, &form.models),
            (&SETTINGS, &form.settings),
        ];
        let (action, button) = match &self.id {
            Some(id) => (path::policy(id), "Save"),
            None => (path::POLICIES.to_owned(), "Create the policy"),
        };
        let delete = self
            .id
            .as_ref()
            .map(|id| page_link(context, path::delete_policy(id), "Delete…", "button danger"));
        let buttons = view! {
            <button type="submit" class="primary">{button}</button>
            <a class="button quiet" href=path::POLICIES>"Cancel"</a>
            {delete}
        };
        let mut roles = vec![Choice::new("", "any")];
        roles.extend(self.roles.iter().cloned());
        let allows = [
            Choice::new("any", "says nothing: all that the team may use"),
            Choice::new("some", "only some"),
            Choice::new("none", "none at all"),
        ];
        let inputs = view! {
                {input(NAME, &form.name, &[])}
                {input(PRIORITY, &form.priority, &[])}
                <h2>"Whom it is about"</h2>
                <p class="field-help">"Everything that is filled in has to be true. With nothing filled in it is about everybody."</p>
                {input(TEAMS, &form.teams, &[])}
                {input(GROUPS, &form.groups, &[])}
                {select(ROLE, &form.role, &roles)}
                {input(DOMAINS, &form.domains, &[])}
                <h2>"What it says"</h2>
                {select(ALLOWS, &form.allows, &allows)}
                {input(MODELS, &form.models, &[])}
                {textarea(SETTINGS, &form.settings, 12)}
        };
        let form = post_form(
            context,
            action,
            "stack card",
            summary(&fields, self.trouble.as_deref()),
            inputs.into_any(),
            buttons.into_any(),
        );
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::POLICIES>"Policies"</a></nav>
            {page_head(self.title(), text("Models are enforced within a second. Claude Code asks for its settings when it starts, and every hour."), nothing())}
            {form}
        }
        .into_any()
    }
}

/// The page that asks before a policy is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeletePolicyPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Page for DeletePolicyPage {
    fn title(&self) -> String {
        "Delete a policy".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Policies)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        confirm(
            context,
            Confirm {
                list: (path::POLICIES, "Policies"),
                page: (path::policy(&self.id), self.name.clone()),
                question: format!("Delete the policy “{}”?", self.name),
                what: text(
                    "Models that it kept back can be used again within a second, as far as other policies allow. Claude Code forgets its \
                     settings within an hour.",
                ),
                action: path::delete_policy(&self.id),
                button: "Delete the policy",
            },
        )
    }
}
