//! How an identity provider manages its users: a part of its page.

use crate::format::{grouped, past};
use crate::part::block::{card, copyable, facts, nothing, text};
use crate::part::field::{Ask, button_form, csrf, input};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// A token that a provider manages its users with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ScimTokenRow {
    /// Its id.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// When it was last used.
    pub last_used_at_ms: Option<UnixMs>,
}

/// What is known of a provider's SCIM.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProviderScim {
    /// What the provider has to be told to send its requests to.
    pub base_url: String,
    /// How many users it manages.
    pub users: u64,
    /// How many groups it manages.
    pub groups: u64,
    /// Its tokens, the oldest first.
    pub tokens: Vec<ScimTokenRow>,
    /// One that has just been made: shown here and never again.
    pub new_token: Option<String>,
}

const NAME: Ask = Ask::line("token_name", "Name of a new token", "", false, 0);

impl ProviderScim {
    pub(super) fn view(&self, provider: &str, context: &PageContext) -> AnyView {
        let row = |token: &ScimTokenRow| {
            let used = match token.last_used_at_ms {
                Some(at) => format!("last used {}", past(at, context.now_ms)),
                None => "never used".to_owned(),
            };
            let name = if token.name.is_empty() {
                "unnamed".to_owned()
            } else {
                token.name.clone()
            };
            let revoke = button_form(
                context,
                path::revoke_scim_token(provider),
                &[("token_id", token.id.clone())],
                "Revoke",
                &name,
                "quiet",
            );
            view! { <li><strong>{name}</strong> " " <code>{token.prefix.clone()} "…"</code> <p>{used}</p> {revoke}</li> }
        };
        let rows = self.tokens.iter().map(row).collect_view();
        let tokens = (!self.tokens.is_empty())
            .then(|| view! { <ul class="checks stack" aria-label="Tokens">{rows}</ul> });
        let fresh = self.new_token.clone().map(|token| {
            view! {
                <p>"The new token. It is shown this once: give it to the provider now."</p>
                {copyable("scim-token", "token", token)}
            }
        });
        let action = path::scim_tokens(provider);
        let make = context.posts(&action).then(|| {
            view! {
                <form method="post" action=action class="stack">
                    {csrf(context)}
                    {input(NAME, &crate::form::Field::default(), &[])}
                    <button type="submit">"Make a token"</button>
                </form>
            }
        });
        let body = view! {
            <p>"The provider tells who its users are, and who is not any more, at this address, with a token of these:"</p>
            {copyable("scim-url", "SCIM address", self.base_url.clone())}
            {facts(vec![
                ("Users", text(grouped(self.users))),
                ("Groups", text(grouped(self.groups))),
            ])}
            {fresh}
            {tokens}
            {make}
        };
        card("scim", "SCIM", nothing(), body.into_any())
    }
}
