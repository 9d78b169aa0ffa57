//! A command that sets up a machine with a key, once.

use super::{KeySummary, Page, Section};
use crate::format::moment;
use crate::part::block::{card, copyable, nothing, page_head};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// The command, with its token.
#[derive(Clone, PartialEq, Eq)]
pub struct SetupCommandPage {
    /// The key that the machine gets.
    pub key: KeySummary,
    /// The gateway's address for clients.
    pub base_url: String,
    /// The token.
    pub token: String,
    /// Until when it is good.
    pub expires_at_ms: UnixMs,
}

impl std::fmt::Debug for SetupCommandPage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SetupCommandPage")
            .field("key", &self.key.id)
            .finish_non_exhaustive()
    }
}

impl Page for SetupCommandPage {
    fn title(&self) -> String {
        format!("Set up a machine with “{}”", self.key.shown_name())
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, _context: &PageContext) -> AnyView {
        let (base, token) = (&self.base_url, &self.token);
        let command = view! {
            <p>"On the machine, in a terminal of macOS or Linux, or in WSL:"</p>
            {copyable("command", "the command", format!("curl -fsSL {base}/setup | sh -s -- --token {token}"))}
            <details>
                <summary>"Windows PowerShell"</summary>
                {copyable(
                    "command-windows",
                    "the PowerShell line",
                    format!("& ([scriptblock]::Create((irm {base}/setup/windows))) -Token {token}"),
                )}
            </details>
            <p>
                "It is good once, until "{moment(self.expires_at_ms)}". The machine gets a new secret of the key then, and the "
                "secret of before is refused from that moment on."
            </p>
        };
        let lead = view! { "Nobody has to pass a secret around." }.into_any();
        view! {
            {page_head(self.title(), lead, nothing())}
            <div class="stack narrow-wide">
                {card("the-command", "One command", nothing(), command.into_any())}
                <div class="form-actions">
                    <a class="button primary" href=path::key(&self.key.id)>"I have copied it"</a>
                </div>
            </div>
        }
        .into_any()
    }
}
