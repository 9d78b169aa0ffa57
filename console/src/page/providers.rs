//! Identity providers, and how people sign in.

use super::{Page, Section};
use crate::form::Field;
use crate::part::block::{Colour, badge, card, empty, nothing, page_head, text};
use crate::part::field::{Ask, page_link, page_name, post_form, summary, textarea, yes_box};
use crate::part::list::{Column, cell, name_cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// One provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderRow {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Whether people can sign in with it.
    pub enabled: bool,
    /// Whether somebody who is not known becomes a user by signing in.
    pub open: bool,
    /// Whether it manages its users through SCIM.
    pub scim: bool,
}

/// All providers, and how people sign in.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProvidersPage {
    /// The providers, by name.
    pub rows: Vec<ProviderRow>,
    /// Whether passwords are a way in.
    pub passwords: bool,
    /// What Claude Code shows beside the code.
    pub notice: Field,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
}

const NOTICE: Ask = Ask::line(
    "login_notice",
    "Notice in Claude Code",
    "Shown in the terminal beside the code when somebody signs in with /login: at most 500 characters.",
    false,
    500,
);

impl Page for ProvidersPage {
    fn title(&self) -> String {
        "Sign-in".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::SignIn)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let new = page_link(
            context,
            path::NEW_PROVIDER,
            "Add an identity provider",
            "button primary",
        );
        let (list, new) = if self.rows.is_empty() {
            let first = empty(
                "No identity provider yet",
                view! {
                    <p>
                        "With one, people sign in with the account that they have at work: to this console, and with /login in "
                        "Claude Code, so that nobody has to carry a key about. Any provider that speaks OpenID Connect will do: "
                        "Okta, Entra ID, Google, Keycloak, Auth0, authentik and others."
                    </p>
                }
                .into_any(),
                new,
            );
            (first, nothing())
        } else {
            (self.list(context), new)
        };
        view! {
            {page_head("Sign-in".to_owned(), text("How people come in: to this console, and in Claude Code."), new)}
            {list}
            {self.settings(context)}
        }
        .into_any()
    }
}

impl ProvidersPage {
    fn list(&self, context: &PageContext) -> AnyView {
        let columns = ["Name", "Issuer", "State", "New people"].map(Column::text);
        let row = |row: &ProviderRow| {
            let state = if row.enabled {
                badge(Colour::Good, "enabled")
            } else {
                badge(Colour::Muted, "disabled")
            };
            let people = match (row.scim, row.open) {
                (true, _) => "come through SCIM",
                (false, true) => "become users by signing in",
                (false, false) => "are not let in",
            };
            view! {
                <tr>
                    {row_head(page_name(context, path::provider(&row.id), row.name.clone(), "row-link"))}
                    {name_cell("Issuer", text(row.issuer.clone()))}
                    {cell("State", state)}
                    {cell("New people", text(people))}
                </tr>
            }
            .into_any()
        };
        table(
            "Identity providers",
            columns.into(),
            self.rows.iter().map(row).collect(),
        )
    }

    fn settings(&self, context: &PageContext) -> AnyView {
        let inputs = view! {
            {yes_box(
                "password_sign_in",
                "Users of the gateway's own may sign in with their password",
                "Only an owner who has signed in with an identity provider can turn this off, so that nobody is locked out. The operator can open it again with ADMIN_PASSWORD_ENABLE=true.",
                self.passwords,
            )}
            {textarea(NOTICE, &self.notice, 3)}
        };
        let form = post_form(
            context,
            path::SIGN_IN.to_owned(),
            "stack",
            summary(&[(&NOTICE, &self.notice)], self.trouble.as_deref()),
            inputs.into_any(),
            view! { <button type="submit" class="primary">"Save"</button> }.into_any(),
        );
        card("settings", "For everybody", nothing(), form)
    }
}
