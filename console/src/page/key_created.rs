//! The only page that shows a key's secret.

use super::{KeySummary, Page, Section};
use crate::part::block::{card, copyable, nothing, page_head, text};
use crate::part::connect;
use crate::{PageContext, path};
use leptos::prelude::*;

/// A key that has just been made, with its secret.
#[derive(Clone, PartialEq, Eq)]
pub struct KeyCreatedPage {
    /// The key's id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// Its secret.
    pub secret: String,
    /// The gateway's address for clients.
    pub base_url: String,
}

impl std::fmt::Debug for KeyCreatedPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyCreatedPage")
            .field("id", &self.id)
            .finish_non_exhaustive()
    }
}

impl KeyCreatedPage {
    /// The page for a key that was just made.
    #[must_use]
    pub fn new(key: &KeySummary, secret: String, base_url: String) -> Self {
        Self {
            id: key.id.clone(),
            name: key.shown_name(),
            secret,
            base_url,
        }
    }
}

impl Page for KeyCreatedPage {
    fn title(&self) -> String {
        "Your new key".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, _context: &PageContext) -> AnyView {
        let secret = view! {
            <p>
                <strong>"Copy it now. "</strong>
                "It is not stored and cannot be shown again; if it gets lost, revoke it and make another."
            </p>
            {copyable("secret", "the key", self.secret.clone())}
        };
        view! {
            {page_head(
                format!("“{}” is ready", self.name),
                text("Every data plane has it within a second."),
                nothing(),
            )}
            <div class="stack narrow-wide">
                {card("the-secret", "The key", nothing(), secret.into_any())}
                {card(
                    "connect",
                    "Connect Claude Code",
                    nothing(),
                    connect::recipe(&self.base_url, &self.secret),
                )}
                <div class="form-actions">
                    <a class="button primary" href=path::key(&self.id)>"I have copied it"</a>
                    <a class="button quiet" href=path::KEYS>"All keys"</a>
                </div>
            </div>
        }
        .into_any()
    }
}
