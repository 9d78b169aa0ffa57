//! Asking before a key is taken back.

use super::{KeySummary, Page, Section};
use crate::format::{grouped, money};
use crate::part::block::{nothing, page_head, text};
use crate::part::field::csrf;
use crate::part::key::prefix;
use crate::{PageContext, path};
use ccag_domain::NanoUsd;
use leptos::prelude::*;

/// The page that asks before a key is revoked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokeKeyPage {
    /// The key.
    pub key: KeySummary,
    /// Requests that it sent in the last 30 days.
    pub requests_30_days: u64,
    /// Their cost.
    pub spend_30_days: NanoUsd,
}

impl Page for RevokeKeyPage {
    fn title(&self) -> String {
        format!("Revoke {}", self.key.shown_name())
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let owner = match (&self.key.user, &self.key.team) {
            (Some(user), _) => format!("used by {}", user.name),
            (None, Some(team)) => format!("used in team {}", team.name),
            (None, None) => "without a user or a team".to_owned(),
        };
        let use_of_it = if self.requests_30_days == 0 {
            view! { <li>"It has not been used in the last 30 days."</li> }.into_any()
        } else {
            let requests = format!(
                "It sent {} requests in the last 30 days, for ",
                grouped(self.requests_30_days)
            );
            view! { <li>{requests} {money(self.spend_30_days)} ". Whoever uses it has to switch to another key."</li> }
                .into_any()
        };
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::KEYS>"Keys"</a>
                <a href=path::key(&self.key.id)>{self.key.shown_name()}</a>
            </nav>
            {page_head(format!("Revoke “{}”?", self.key.shown_name()), text(owner), nothing())}
            <form method="post" action=path::revoke_key(&self.key.id) class="card narrow stack">
                {csrf(context)}
                <p>"The key " {prefix(&self.key)} " stops working:"</p>
                <ul class="prose">
                    <li>"Every connected data plane refuses it within a second."</li>
                    <li>"Answers that are streaming now run to their end."</li>
                    {use_of_it}
                    <li>"What it spent stays in the ledger."</li>
                </ul>
                <p><strong>"This cannot be undone."</strong></p>
                <div class="form-actions">
                    <button type="submit" class="danger">"Revoke the key"</button>
                    <a class="button quiet" href=path::key(&self.key.id)>"Keep it"</a>
                </div>
            </form>
        }
        .into_any()
    }
}
