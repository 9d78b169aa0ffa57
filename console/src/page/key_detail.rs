//! One key: what it is, whose it is, what it spent.

use super::{DayUsage, KeyState, KeySummary, Named, Page, Section, Share};
use crate::format::{count, moment, money, percent};
use crate::part::block::{card, facts, figure, figures, link_or_text, nothing, page_head, text};
use crate::part::chart::daily_spend;
use crate::part::field::button_form;
use crate::part::key::{named, prefix, state_badge};
use crate::{PageContext, path};
use ccag_domain::{NanoUsd, Tokens, UnixMs};
use leptos::prelude::*;

/// One key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyPage {
    /// The key.
    pub key: KeySummary,
    /// Whether the viewer may revoke it.
    pub revocable: bool,
    /// When it was revoked.
    pub revoked_at_ms: Option<UnixMs>,
    /// Requests per minute that it may send.
    pub rate_limit_rpm: Option<u32>,
    /// The last 30 days, oldest first.
    pub days: Vec<DayUsage>,
    /// Their cost.
    pub spend: NanoUsd,
    /// Their requests.
    pub requests: u64,
    /// Their failures.
    pub errors: u64,
    /// Their tokens.
    pub tokens: Tokens,
    /// Their models.
    pub models: Vec<Share>,
}

impl Page for KeyPage {
    fn title(&self) -> String {
        format!("Key {}", self.key.shown_name())
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Keys)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let actions = if self.key.state == KeyState::Revoked || !self.revocable {
            nothing()
        } else {
            view! { <a class="button danger" href=path::revoke_key(&self.key.id)>"Revoke…"</a> }.into_any()
        };
        let lead = view! { {state_badge(&self.key, context.now_ms)} " " {prefix(&self.key)} };
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::KEYS>"Keys"</a></nav>
            {page_head(self.key.shown_name(), lead.into_any(), actions)}
            {figures(vec![
                figure("Spend in 30 days", money(self.spend), text("from the ledger")),
                figure("Requests", count(self.requests), text(format!("{} failed", percent(self.errors, self.requests)))),
                figure("Tokens", count(self.tokens.total()), text(format!("{} of the prompts from cache", percent(self.tokens.cache_read, self.tokens.prompt())))),
            ])}
            <div class="columns">
                {card("about", "About this key", nothing(), self.about())}
                {card("models", "Models", text("30 days"), self.model_list())}
            </div>
            {self.set_up(context)}
            {card("spend-by-day", "Spend by day", text("last 30 days, UTC"), self.chart())}
        }
        .into_any()
    }
}

impl KeyPage {
    fn about(&self) -> AnyView {
        let key = &self.key;
        let no_link = |_: &Named| None;
        let expires = match key.expires_at_ms {
            Some(at) => moment(at),
            None => text("never"),
        };
        let rate = match self.rate_limit_rpm {
            Some(rpm) => text(format!("{rpm} requests a minute")),
            None => text("unlimited"),
        };
        let mut rows = vec![
            ("User", named(key.user.as_ref(), no_link)),
            ("Team", named(key.team.as_ref(), no_link)),
            ("Rate limit", rate),
            ("Created", moment(key.created_at_ms)),
            ("Expires", expires),
        ];
        if let Some(at) = self.revoked_at_ms {
            rows.push(("Revoked", moment(at)));
        }
        rows.push(("Id", view! { <code>{key.id.clone()}</code> }.into_any()));
        facts(rows)
    }

    /// For whoever may change the key, while it is good.
    fn set_up(&self, context: &PageContext) -> AnyView {
        if !self.revocable || self.key.state != KeyState::Active {
            return nothing();
        }
        let body = view! {
            <p>
                "A command that sets up Claude Code on one machine with this key. It is good once, for a quarter of an hour. The "
                "machine gets a new secret of the key, and the one of before is refused from then on."
            </p>
            {button_form(context, path::setup_command(&self.key.id), &[], "Make a setup command", &self.key.shown_name(), "")}
        };
        card("set-up", "Set up a machine", nothing(), body.into_any())
    }

    fn model_list(&self) -> AnyView {
        if self.models.is_empty() {
            return view! { <p class="quiet-note">"It has not been used in the last 30 days."</p> }
                .into_any();
        }
        let rows = self
            .models
            .iter()
            .map(|m| {
                view! {
                    <tr>
                        <th scope="row">{link_or_text(&m.name, m.href.as_deref())}</th>
                        <td class="number">{count(m.requests)}</td>
                        <td class="number">{money(m.cost)}</td>
                    </tr>
                }
            })
            .collect_view();
        view! {
            <table class="plain">
                <thead>
                    <tr>
                        <th scope="col">"Model"</th>
                        <th scope="col" class="number">"Requests"</th>
                        <th scope="col" class="number">"Spend"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        }
        .into_any()
    }

    fn chart(&self) -> AnyView {
        if self.requests == 0 {
            view! { <p class="quiet-note">"No requests in the last 30 days."</p> }.into_any()
        } else {
            daily_spend(&self.days)
        }
    }
}
