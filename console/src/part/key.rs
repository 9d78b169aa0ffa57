//! Keys as several pages show them.

use super::block::{Colour, badge, link_or_text, nothing};
use crate::format::{date_time, past};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// A user or a team that something belongs to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Named {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
}

/// Whether a key works.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyState {
    /// It works.
    Active,
    /// Its time is over.
    Expired,
    /// It was taken back.
    Revoked,
}

impl KeyState {
    /// The state of a key at a time.
    #[must_use]
    pub fn at(now_ms: UnixMs, revoked: bool, expires_at_ms: Option<UnixMs>) -> Self {
        if revoked {
            Self::Revoked
        } else if expires_at_ms.is_some_and(|at| at <= now_ms) {
            Self::Expired
        } else {
            Self::Active
        }
    }
}

/// What a page says about a key; never its secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeySummary {
    /// Its id.
    pub id: String,
    /// The name that somebody gave it.
    pub name: String,
    /// The beginning of its secret.
    pub prefix: String,
    /// Whether it works.
    pub state: KeyState,
    /// Whose use it is.
    pub user: Option<Named>,
    /// The team that pays.
    pub team: Option<Named>,
    /// When it was made.
    pub created_at_ms: UnixMs,
    /// When it ends; `None` is never.
    pub expires_at_ms: Option<UnixMs>,
}

impl KeySummary {
    /// Its name, or what stands for a missing one.
    pub(crate) fn shown_name(&self) -> String {
        if self.name.trim().is_empty() {
            "unnamed key".to_owned()
        } else {
            self.name.clone()
        }
    }
}

const SOON_MS: i64 = 7 * ccag_domain::time::DAY_MS;

/// The state in a word.
pub(crate) fn state_badge(key: &KeySummary, now_ms: UnixMs) -> AnyView {
    match key.state {
        KeyState::Active if key.expires_at_ms.is_some_and(|at| at - now_ms < SOON_MS) => {
            badge(Colour::Warn, "Expires soon")
        }
        KeyState::Active => badge(Colour::Good, "Active"),
        KeyState::Expired => badge(Colour::Muted, "Expired"),
        KeyState::Revoked => badge(Colour::Muted, "Revoked"),
    }
}

/// When a key ends.
pub(crate) fn expiry(key: &KeySummary, now_ms: UnixMs) -> AnyView {
    let Some(at) = key.expires_at_ms else {
        return view! { <span class="faint">"never"</span> }.into_any();
    };
    let shown = if at <= now_ms {
        past(at, now_ms)
    } else {
        format!("in {}", crate::format::duration_ms(at - now_ms))
    };
    view! { <time datetime=crate::format::iso(at) title=date_time(at)>{shown}</time> }.into_any()
}

/// A user or a team by name, or a dash.
pub(crate) fn named(who: Option<&Named>, href: impl Fn(&Named) -> Option<String>) -> AnyView {
    match who {
        Some(who) => link_or_text(&who.name, href(who).as_deref()),
        None => view! { <span class="faint">"–"</span> }.into_any(),
    }
}

/// The beginning of the secret, marked as cut off.
pub(crate) fn prefix(key: &KeySummary) -> AnyView {
    if key.prefix.is_empty() {
        return nothing();
    }
    view! { <code class="prefix">{format!("{}…", key.prefix)}</code> }.into_any()
}
