//! One user: who they are, what they may do, and how they get in.

use super::teams::{account_badge, state_switch};
use super::users::{EMAIL, ROLE, TEAM, offered};
use super::{FormPage, Named, Page, Section};
use crate::form::{Choice, Field};
use crate::format::{date, moment, money};
use crate::part::block::{card, copyable, facts, figure, figures, nothing, page_head, text};
use crate::part::confirm::{Confirm, confirm};
use crate::part::field::{Ask, button_form, csrf, input, page_link, post_form, select, summary};
use crate::{PageContext, path};
use ccag_domain::{AccountState, NanoUsd, Role, UnixMs, UserKind};
use leptos::prelude::*;

/// What the form for a user holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct UserForm {
    /// Their name, for people.
    pub display_name: Field,
    /// Their mail address.
    pub email: Field,
    /// The name of a role.
    pub role: Field,
    /// The id of their team.
    pub team: Field,
    /// Another password. Its value is never shown again.
    pub password: Field,
}

/// A token with which a service account uses the admin API.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRow {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// Until when it is good.
    pub expires_at_ms: UnixMs,
}

/// The tokens of a service account.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AccessTokens {
    /// Those that are good, the newest first.
    pub rows: Vec<TokenRow>,
    /// One that has just been made: shown here and never again.
    pub fresh: Option<String>,
    /// What is wrong with the form for another one.
    pub trouble: Option<String>,
}

/// One user.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UserPage {
    /// Their id.
    pub id: String,
    /// The name they sign in with.
    pub username: String,
    /// Whether it is a person or a program.
    pub kind: UserKind,
    /// What they may do.
    pub role: Role,
    /// Whether their keys and sign-in work.
    pub state: AccountState,
    /// Their team.
    pub team: Option<Named>,
    /// The identity provider that they come from.
    pub provider: Option<Named>,
    /// Their groups there.
    pub groups: Vec<String>,
    /// Since when they are known.
    pub created_at_ms: UnixMs,
    /// What they spent in 30 days.
    pub spend: NanoUsd,
    /// How many requests that were.
    pub requests: u64,
    /// Where their Claude Code is signed in.
    pub devices: u64,
    /// The tokens of a service account, for those who may see them.
    pub tokens: Option<AccessTokens>,
    /// Teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// What the form holds.
    pub form: UserForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const DISPLAY_NAME: Ask = Ask::line("display_name", "Name", "As people know them.", false, 200);

const PASSWORD: Ask = Ask {
    kind: "password",
    autocomplete: "new-password",
    ..Ask::line(
        "password",
        "New password",
        "Left empty, it stays as it is. A new one signs them out everywhere.",
        false,
        1_000,
    )
};

const TOKEN_NAME: Ask = Ask::line(
    "token_name",
    "Name of a new token",
    "What it is for, such as “nightly build”.",
    true,
    0,
);

impl Page for UserPage {
    fn title(&self) -> String {
        self.username.clone()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Users)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = view! { {account_badge(self.state)} " " {self.role.title()} };
        let spent = text(format!("{} requests", crate::format::grouped(self.requests)));
        let mut shown = vec![figure("Spend in 30 days", money(self.spend), spent)];
        if self.kind == UserKind::Person {
            let how = text("with /login, or with a helper");
            shown.push(figure("Signed-in devices", text(self.devices.to_string()), how));
        }
        view! {
            <nav class="trail" aria-label="Where you are">{page_link(context, path::USERS, "Users", "")}</nav>
            {page_head(self.username.clone(), lead.into_any(), self.actions(context))}
            {figures(shown)}
            <div class="columns">
                {card("about", "About", nothing(), self.about(context))}
                {card("change", "Change", nothing(), self.edit(context))}
            </div>
            {self.tokens.as_ref().map(|tokens| self.token_card(tokens, context))}
        }
        .into_any()
    }
}

impl UserPage {
    fn actions(&self, context: &PageContext) -> AnyView {
        let sign_out = path::sign_out_user(&self.id);
        let out = (self.kind == UserKind::Person && context.posts(&path::user(&self.id))).then(|| {
            button_form(
                context,
                sign_out,
                &[],
                "Sign out everywhere",
                &self.username,
                "quiet",
            )
        });
        let state = context
            .posts(&path::user_state(&self.id))
            .then(|| state_switch(context, path::user_state(&self.id), &self.username, self.state));
        let delete = page_link(context, path::delete_user(&self.id), "Delete…", "button danger");
        let delete = context.opens(&path::delete_user(&self.id)).then_some(delete);
        view! { <div class="form-actions">{out}{state}{delete}</div> }.into_any()
    }

    fn about(&self, context: &PageContext) -> AnyView {
        let link = |named: &Option<Named>, href: fn(&str) -> String, none: &'static str| match named {
            Some(named) => page_link(context, href(&named.id), named.name.clone(), ""),
            None => text(none),
        };
        let kind = match self.kind {
            UserKind::Person => "person",
            UserKind::Service => "service account",
        };
        let mut rows = vec![
            ("Kind", text(kind)),
            ("Team", link(&self.team, path::team, "none")),
            ("Comes from", link(&self.provider, path::provider, "this gateway")),
        ];
        if !self.groups.is_empty() {
            rows.push(("Groups there", text(self.groups.join(", "))));
        }
        rows.push(("Created", moment(self.created_at_ms)));
        rows.push(("Id", view! { <code>{self.id.clone()}</code> }.into_any()));
        facts(rows)
    }

    fn edit(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let roles: Vec<Choice> = offered(context, Some(self.role))
            .map(|role| Choice::new(role.as_str(), format!("{}: {}", role.title(), role.summary())))
            .collect();
        let mut teams = vec![Choice::new("", "None")];
        teams.extend(self.teams.iter().cloned());
        let has_password = self.kind == UserKind::Person && self.provider.is_none();
        let password = has_password.then(|| input(PASSWORD, &form.password, &[]));
        let inputs = view! {
            {input(DISPLAY_NAME, &form.display_name, &[])}
            {input(EMAIL, &form.email, &[])}
            {select(ROLE, &form.role, &roles)}
            {select(TEAM, &form.team, &teams)}
            {password}
        };
        let fields = [
            (&DISPLAY_NAME, &form.display_name),
            (&EMAIL, &form.email),
            (&ROLE, &form.role),
            (&TEAM, &form.team),
            (&PASSWORD, &form.password),
        ];
        post_form(
            context,
            path::user(&self.id),
            "stack",
            summary(&fields, self.trouble.as_deref()),
            inputs.into_any(),
            view! { <button type="submit" class="primary">"Save"</button> }.into_any(),
        )
    }

    fn token_card(&self, tokens: &AccessTokens, context: &PageContext) -> AnyView {
        let row = |token: &TokenRow| {
            let revoke = button_form(
                context,
                path::revoke_user_token(&self.id),
                &[("token_id", token.id.clone())],
                "Revoke",
                &token.name,
                "quiet",
            );
            let until = format!("good until {}", date(token.expires_at_ms));
            view! { <li><strong>{token.name.clone()}</strong> <p>{until}</p> {revoke}</li> }
        };
        let rows = tokens.rows.iter().map(row).collect_view();
        let list = if tokens.rows.is_empty() {
            view! { <p class="quiet-note">"It has no token."</p> }.into_any()
        } else {
            view! { <ul class="checks stack" aria-label="Tokens">{rows}</ul> }.into_any()
        };
        let fresh = tokens.fresh.clone().map(|token| {
            view! {
                <p>"The new token. It is shown this once: copy it now."</p>
                {copyable("token", "token", token)}
            }
        });
        let action = path::user_tokens(&self.id);
        let name = Field {
            error: tokens.trouble.clone(),
            ..Field::default()
        };
        let make = context.posts(&action).then(|| {
            view! {
                <form method="post" action=action class="stack">
                    {csrf(context)}
                    {summary(&[(&TOKEN_NAME, &name)], None)}
                    {input(TOKEN_NAME, &name, &[])}
                    <button type="submit">"Make a token for a year"</button>
                </form>
            }
        });
        let body = view! {
            <div class="stack">
            <p>"With a token a program uses the admin API and the CLI (CCAG_TOKEN), in the role of this account."</p>
            {fresh}
            {list}
            {make}
            </div>
        };
        card("tokens", "Tokens", nothing(), body.into_any())
    }
}

impl FormPage for UserPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        let form = &mut self.form;
        match name {
            "display_name" => Some(&mut form.display_name),
            "email" => Some(&mut form.email),
            "role" => Some(&mut form.role),
            "team_id" => Some(&mut form.team),
            "password" => Some(&mut form.password),
            _ => None,
        }
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

/// The page that asks before a user is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteUserPage {
    /// Their id.
    pub id: String,
    /// The name they sign in with.
    pub username: String,
}

impl Page for DeleteUserPage {
    fn title(&self) -> String {
        "Delete a user".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Users)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        confirm(
            context,
            Confirm {
                list: (path::USERS, "Users"),
                page: (path::user(&self.id), self.username.clone()),
                question: format!("Delete “{}”?", self.username),
                what: text(
                    "They are signed out, and their keys are revoked for good, within a second. Budgets and limits that are about them go. \
                     What they have used stays in the ledger. To keep them out for a while, suspend them instead.",
                ),
                action: path::delete_user(&self.id),
                button: "Delete the user",
            },
        )
    }
}
