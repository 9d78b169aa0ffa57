//! What sessions may do within a minute, and those that are paused.

use super::block::{Colour, badge, card, nothing};
use super::field::{Ask, button_form, input};
use crate::form::Field;
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// A session that is or was paused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PausedRow {
    /// The id of the pause.
    pub id: String,
    /// The session, as Claude Code names it.
    pub session: String,
    /// Whose it is: the name of the user, or of the key.
    pub owner: String,
    /// Why, as a sentence about the session without the full stop.
    pub why: String,
    /// Since when.
    pub paused_at_ms: UnixMs,
    /// Until when, once it goes on.
    pub resumed_at_ms: Option<UnixMs>,
}

/// The limits as they stand in a form; empty is no limit.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BreakerForm {
    /// Dollars within a minute.
    pub usd: Field,
    /// Agents within a minute.
    pub agents: Field,
}

pub(crate) const USD: Ask = Ask::line(
    "usd_per_minute",
    "Dollars within a minute",
    "What the requests of one session that end within a minute may cost together. Empty is no limit.",
    false,
    24,
);

pub(crate) const AGENTS: Ask = Ask::line(
    "agents_per_minute",
    "Agents within a minute",
    "How many agents of one session, the main one included, may work within a minute. Empty is no limit.",
    false,
    7,
);

impl BreakerForm {
    /// The field with this name in the admin API.
    pub fn field_mut(&mut self, name: &str) -> Option<&mut Field> {
        match name {
            "usd_per_minute" => Some(&mut self.usd),
            "agents_per_minute" => Some(&mut self.agents),
            _ => None,
        }
    }

    pub(crate) fn fields(&self) -> [(&'static Ask, &Field); 2] {
        [(&USD, &self.usd), (&AGENTS, &self.agents)]
    }

    pub(crate) fn inputs(&self) -> AnyView {
        view! { {input(USD, &self.usd, &[])} {input(AGENTS, &self.agents, &[])} }.into_any()
    }
}

/// The button that lets a session go on. `from` says which page it stands on.
pub(crate) fn resume_button(context: &PageContext, paused: &PausedRow, from: &'static str) -> AnyView {
    button_form(
        context,
        path::resume_session(&paused.id),
        &[("from", from.to_owned())],
        "Resume",
        &format!("session {}", paused.session),
        "small",
    )
}

/// Whether it is paused, in a word.
pub(crate) fn pause_badge(paused: &PausedRow) -> AnyView {
    match paused.resumed_at_ms {
        None => badge(Colour::Bad, "Paused"),
        Some(_) => badge(Colour::Muted, "Resumed"),
    }
}

/// What one sees on the first page of one's own paused sessions; nothing while there are none.
pub(crate) fn paused_card(rows: &[PausedRow], context: &PageContext) -> AnyView {
    if rows.is_empty() {
        return nothing();
    }
    let items = rows
        .iter()
        .map(|paused| {
            view! {
                <li class="health">
                    {pause_badge(paused)}
                    <code>{paused.session.clone()}</code>
                    <span>{paused.why.clone()}</span>
                    {resume_button(context, paused, "home")}
                </li>
            }
        })
        .collect_view();
    let body = view! {
        <div class="stack">
            <ul class="bounds">{items}</ul>
            <p>
                "Nothing of them is served until you resume them. "
                <a href=path::SESSIONS>"See all paused sessions"</a>
            </p>
        </div>
    };
    card(
        "my-paused",
        "Sessions of mine that ran away",
        nothing(),
        body.into_any(),
    )
}
