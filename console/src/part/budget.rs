//! How far budgets are used up.

use super::block::{Colour, badge, nothing};
use super::chart::share_bar;
use crate::format::{exact_usd, grouped, money};
use crate::page::Named;
use ccag_domain::NanoUsd;
use leptos::prelude::*;

/// How far a budget is used up, by the steps that were reached.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum BudgetState {
    /// No step was reached.
    #[default]
    Ok,
    /// Somebody was told.
    Warning,
    /// Requests are slowed down.
    Throttled,
    /// Only some models are served.
    Restricted,
    /// Nothing is served.
    Blocked,
}

impl BudgetState {
    const fn class(self) -> &'static str {
        match self {
            Self::Ok => "used",
            Self::Warning | Self::Throttled => "used warn",
            Self::Restricted | Self::Blocked => "used bad",
        }
    }
}

/// What a budget holds in the current period, for one subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetAccount {
    /// Whose it is, where everyone has one of their own.
    pub user: Option<Named>,
    /// What there is to spend, raises included.
    pub limit: NanoUsd,
    /// What is spent.
    pub spent: NanoUsd,
    /// What data planes have been granted and have not settled yet.
    pub held: NanoUsd,
    /// What is left of the limit.
    pub remaining: NanoUsd,
    /// From which amount on nothing is served, if ever.
    pub blocked_at: Option<NanoUsd>,
    /// How much of the limit is spent, in percent.
    pub percent: u64,
    /// How far it is used up.
    pub state: BudgetState,
    /// When it begins anew, in its time zone; `None` if it never does.
    pub resets: Option<String>,
}

/// The state in a word.
pub(crate) fn state_badge(state: BudgetState) -> AnyView {
    match state {
        BudgetState::Ok => badge(Colour::Good, "OK"),
        BudgetState::Warning => badge(Colour::Warn, "Warning"),
        BudgetState::Throttled => badge(Colour::Warn, "Throttled"),
        BudgetState::Restricted => badge(Colour::Bad, "Restricted"),
        BudgetState::Blocked => badge(Colour::Bad, "Blocked"),
    }
}

/// A bar with its words: what is spent of how much.
pub(crate) fn used(account: &BudgetAccount) -> AnyView {
    let whole = account.limit.0.max(1);
    let part = if account.limit <= NanoUsd::ZERO {
        whole
    } else {
        account.spent.0.min(whole)
    };
    let percent = format!("{} %", grouped(account.percent));
    view! {
        <div class=account.state.class()>
            <span class="used-text">
                <span>{money(account.spent)} " of " {money(account.limit)}</span>
                <span class="used-percent">{percent}</span>
            </span>
            {share_bar(part, whole)}
        </div>
    }
    .into_any()
}

/// When it begins anew, in words.
pub(crate) fn resets(account: &BudgetAccount) -> AnyView {
    match &account.resets {
        Some(when) => view! { <span>{when.clone()}</span> }.into_any(),
        None => view! { <span class="faint">"never"</span> }.into_any(),
    }
}

/// A note about what data planes hold, where they hold anything.
pub(crate) fn held(account: &BudgetAccount) -> AnyView {
    if account.held <= NanoUsd::ZERO {
        return nothing();
    }
    let text = format!("{} set aside for requests that run", exact_usd(account.held));
    view! { <span class="faint">{text}</span> }.into_any()
}
