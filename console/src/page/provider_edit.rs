//! The pages that add, change, try and delete an identity provider.

use super::{FormPage, Page, ProviderScim, Section};
use crate::form::{Choice, Field};
use crate::part::block::{Colour, badge, card, copyable, nothing, page_head, text};
use crate::part::confirm::{Confirm, confirm};
use crate::part::field::{Ask, button_form, input, page_link, post_form, select, summary, textarea, yes_box};
use crate::{PageContext, path};
use leptos::prelude::*;

/// How many lines of text the form asks for.
pub const PROVIDER_LINES: usize = 11;

/// What the form holds.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderForm {
    /// The lines of text, in the order of [`PROVIDER_NAMES`].
    pub lines: [Field; PROVIDER_LINES],
    /// What groups make of their members, one to a line.
    pub mappings: Field,
    /// What others are.
    pub default_role: Field,
    /// The team of others, by id.
    pub default_team: Field,
    /// Whether people can sign in with it.
    pub enabled: bool,
    /// Whether somebody who is not known becomes a user by signing in.
    pub auto_provision: bool,
    /// Whether an address of which nothing is said counts as not verified.
    pub require_verified_email: bool,
    /// Whether it manages its users through SCIM.
    pub scim: bool,
}

const LINES: [Ask; PROVIDER_LINES] = [
    Ask::line(
        "name",
        "Name",
        "On the button to sign in with, such as Okta.",
        true,
        0,
    ),
    Ask::line(
        "issuer_url",
        "Issuer",
        "The address that its tokens name, such as https://corp.okta.com. Its discovery document is below.",
        true,
        1_000,
    ),
    Ask::line(
        "client_id",
        "Client id",
        "This gateway's name at the provider.",
        true,
        0,
    ),
    Ask {
        kind: "password",
        autocomplete: "off",
        ..Ask::line(
            "client_secret",
            "Client secret",
            "Empty keeps the one that is stored. Without any the gateway is a public client, kept safe by PKCE.",
            false,
            1_000,
        )
    },
    Ask::line(
        "scopes",
        "Scopes",
        "Separated by blanks. Empty: openid, profile and email, and groups where the rules need them.",
        false,
        500,
    ),
    Ask::line(
        "user_claim",
        "Claim with the name",
        "What a new user is called. Empty: the first of email, preferred_username, upn, name and sub that is there.",
        false,
        0,
    ),
    Ask::line(
        "email_claim",
        "Claim with the e-mail address",
        "Empty: email.",
        false,
        0,
    ),
    Ask::line(
        "groups_claim",
        "Claim with the groups",
        "A name, or a path such as realm_access.roles. Empty: groups.",
        false,
        0,
    ),
    Ask::line(
        "jwks_url",
        "Address of the keys",
        "Only where the discovery document does not name them.",
        false,
        1_000,
    ),
    Ask::line(
        "allowed_domains",
        "Domains that may come in",
        "Of e-mail addresses, with commas between them. Empty: all.",
        false,
        2_000,
    ),
    Ask::line(
        "allowed_groups",
        "Groups that may come in",
        "With commas between them; being in one suffices. Empty: everybody.",
        false,
        2_000,
    ),
];

/// The names of the lines of text in the form.
pub const PROVIDER_NAMES: [&str; PROVIDER_LINES] = [
    LINES[0].name,
    LINES[1].name,
    LINES[2].name,
    LINES[3].name,
    LINES[4].name,
    LINES[5].name,
    LINES[6].name,
    LINES[7].name,
    LINES[8].name,
    LINES[9].name,
    LINES[10].name,
];

const MAPPINGS: Ask = Ask::line(
    "mappings",
    "What groups make of their members",
    "One to a line: ops = admin, or platform = team Platform. The highest role counts, and the first team.",
    false,
    20_000,
);
const ROLE: Ask = Ask::line("default_role", "Role of everybody else", "", false, 0);
const TEAM: Ask = Ask::line("default_team", "Team of everybody else", "", false, 0);

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderCheckRow {
    /// What.
    pub name: String,
    /// Whether it is as it must be.
    pub ok: bool,
    /// What was found, or what to do.
    pub detail: String,
}

/// The page with the form.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderEditPage {
    /// The provider that is changed; `None` for a new one.
    pub id: Option<String>,
    /// Its name as it is stored.
    pub name: String,
    /// Where it has to be told to send people back to.
    pub redirect_uri: String,
    /// Roles to choose from.
    pub roles: Vec<Choice>,
    /// Teams to choose from, by id.
    pub teams: Vec<Choice>,
    /// What the form holds.
    pub form: ProviderForm,
    /// What is wrong with the form as a whole.
    pub trouble: Option<String>,
    /// What was found when the provider was asked; `None` before.
    pub checks: Option<Vec<ProviderCheckRow>>,
    /// How it manages its users, if it does.
    pub scim: Option<ProviderScim>,
}

impl FormPage for ProviderEditPage {
    fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        let name = name.strip_prefix("rules.").unwrap_or(name);
        if let Some(at) = PROVIDER_NAMES.iter().position(|known| *known == name) {
            return self.form.lines.get_mut(at);
        }
        match name {
            "mappings" | "group_mappings" => Some(&mut self.form.mappings),
            "default_role" => Some(&mut self.form.default_role),
            "default_team" | "default_team_id" => Some(&mut self.form.default_team),
            _ => None,
        }
    }

    fn trouble_mut(&mut self) -> &mut Option<String> {
        &mut self.trouble
    }
}

impl Page for ProviderEditPage {
    fn title(&self) -> String {
        match &self.id {
            Some(_) => self.name.clone(),
            None => "Add an identity provider".to_owned(),
        }
    }

    fn section(&self) -> Option<Section> {
        Some(Section::SignIn)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let there = card(
            "there",
            "At the provider",
            nothing(),
            view! {
                <p>"Register a web application there that uses the authorization code flow, and let it send people back to:"</p>
                {copyable("redirect", "redirect URI", self.redirect_uri.clone())}
            }
            .into_any(),
        );
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::SIGN_IN>"Sign-in"</a></nav>
            {page_head(self.title(), text("Who comes in with it, and as what."), nothing())}
            <div class="columns form-columns">
                {self.form(context)}
                <div class="stack">{there}{self.tried(context)}{self.scim(context)}</div>
            </div>
        }
        .into_any()
    }
}

impl ProviderEditPage {
    fn form(&self, context: &PageContext) -> AnyView {
        let form = &self.form;
        let mut fields: Vec<(&Ask, &Field)> = LINES.iter().zip(&form.lines).collect();
        fields.extend([
            (&MAPPINGS, &form.mappings),
            (&ROLE, &form.default_role),
            (&TEAM, &form.default_team),
        ]);
        let lines = |from: usize, to: usize| {
            let pairs = LINES.into_iter().zip(&form.lines).take(to).skip(from);
            pairs.map(|(ask, field)| input(ask, field, &[])).collect_view()
        };
        let (action, button) = match &self.id {
            Some(id) => (path::provider(id), "Save"),
            None => (path::SIGN_IN_PROVIDERS.to_owned(), "Add the provider"),
        };
        let delete = self
            .id
            .as_ref()
            .map(|id| page_link(context, path::delete_provider(id), "Delete…", "button danger"));
        let buttons = view! {
            <button type="submit" class="primary">{button}</button>
            <a class="button quiet" href=path::SIGN_IN>"Cancel"</a>
            {delete}
        };
        let mut teams = vec![Choice::new("", "none")];
        teams.extend(self.teams.iter().cloned());
        let inputs = view! {
                {lines(0, 4)}
                {yes_box("enabled", "People can sign in with it", "", form.enabled)}
                <h2>"Who comes in"</h2>
                {yes_box(
                    "auto_provision",
                    "Somebody who is not known becomes a user by signing in",
                    "Otherwise only those come in who are users already.",
                    form.auto_provision,
                )}
                {yes_box(
                    "scim_enabled",
                    "The provider manages its users through SCIM",
                    "Then nobody becomes a user by signing in, and groups count as SCIM tells them.",
                    form.scim,
                )}
                {yes_box(
                    "require_verified_email",
                    "An e-mail address counts only if the provider says that it is verified",
                    "For providers with which anybody can make an account. Those of one organisation often say nothing of it.",
                    form.require_verified_email,
                )}
                {lines(9, 11)}
                <h2>"As what"</h2>
                {textarea(MAPPINGS, &form.mappings, 5)}
                {select(ROLE, &form.default_role, &self.roles)}
                {select(TEAM, &form.default_team, &teams)}
                <details class="steps-form" open=form.lines[4..9].iter().any(|f| f.error.is_some() || !f.value.is_empty())>
                    <summary>"Scopes and claims"</summary>
                    {lines(4, 9)}
                </details>
        };
        post_form(
            context,
            action,
            "stack card",
            summary(&fields, self.trouble.as_deref()),
            inputs.into_any(),
            buttons.into_any(),
        )
    }

    fn scim(&self, context: &PageContext) -> Option<AnyView> {
        let scim = self.scim.as_ref()?;
        Some(scim.view(self.id.as_deref()?, context))
    }

    fn tried(&self, context: &PageContext) -> AnyView {
        let Some(id) = &self.id else { return nothing() };
        let ask = button_form(context, path::test_provider(id), &[], "Test", &self.name, "");
        let found = self.checks.as_ref().map(|checks| {
            let row = |check: &ProviderCheckRow| {
                let word = if check.ok {
                    badge(Colour::Good, "good")
                } else {
                    badge(Colour::Bad, "not good")
                };
                view! { <li><strong>{check.name.clone()}</strong> " " {word} <p>{check.detail.clone()}</p></li> }
            };
            let rows = checks.iter().map(row).collect_view();
            view! { <ul class="checks stack" aria-label="What was found">{rows}</ul> }
        });
        let body = view! {
            <p>"The provider is asked for its discovery document and its keys. Nobody is signed in."</p>
            {found}
            {ask}
        };
        card("test", "Test", nothing(), body.into_any())
    }
}

/// The page that asks before a provider is deleted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DeleteProviderPage {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

impl Page for DeleteProviderPage {
    fn title(&self) -> String {
        "Delete an identity provider".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::SignIn)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        confirm(
            context,
            Confirm {
                list: (path::SIGN_IN, "Sign-in"),
                page: (path::provider(&self.id), self.name.clone()),
                question: format!("Delete “{}”?", self.name),
                what: text(
                    "Nobody can sign in with it any more. Its users stay, with their keys and what they have used, and whoever is signed in \
                     stays so until the session ends. To keep them out, suspend them.",
                ),
                action: path::delete_provider(&self.id),
                button: "Delete the provider",
            },
        )
    }
}
