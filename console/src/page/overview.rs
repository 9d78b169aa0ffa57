//! What is spent, by whom, and whether all is well.

use super::{BudgetAccount, BudgetState, DayUsage, Page, PausedRow, Section};
use crate::format::{compact, count, grouped, money, percent};
use crate::part::block::{Colour, badge, card, figure, figures, link_or_text, nothing, page_head, text};
use crate::part::breaker::paused_card;
use crate::part::budget::{resets, state_badge, used};
use crate::part::chart::{daily_spend, share_bar};
use crate::part::connect;
use crate::part::field::page_link;
use crate::{PageContext, path};
use ccag_domain::{Area, NanoUsd, Permission, Reach, Tokens};
use leptos::prelude::*;

/// Sums of spend.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Spend {
    /// Since midnight UTC.
    pub today: NanoUsd,
    /// Since the first of the month, UTC.
    pub month: NanoUsd,
    /// The last 30 days, today included.
    pub last_30_days: NanoUsd,
}

/// One line of a ranking by spend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Share {
    /// The name of the team, user or model.
    pub name: String,
    /// Its page, if it has one.
    pub href: Option<String>,
    /// Requests in the last 30 days.
    pub requests: u64,
    /// Their cost.
    pub cost: NanoUsd,
}

/// The fleet in one line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FleetHealth {
    /// Data planes that are connected now.
    pub connected: u64,
    /// Data planes that are known but not connected.
    pub missing: u64,
    /// Connected ones that have not applied the newest revision.
    pub behind: u64,
    /// Objects that a data plane has refused.
    pub rejected: u64,
}

/// A budget that bounds one's own spending.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BoundBy {
    /// What it is about, in words.
    pub about: String,
    /// How much and how often, in words.
    pub terms: String,
    /// What it holds.
    pub account: BudgetAccount,
    /// Whether it is the one that binds.
    pub binds: bool,
}

/// The page that one lands on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OverviewPage {
    /// Sums of spend: everyone's for an admin, one's own for a member.
    pub spend: Spend,
    /// The last 30 days, oldest first, days without use included.
    pub days: Vec<DayUsage>,
    /// Requests of the last 30 days.
    pub requests: u64,
    /// How many of them failed.
    pub errors: u64,
    /// Tokens of the last 30 days.
    pub tokens: Tokens,
    /// The teams that spent most.
    pub teams: Vec<Share>,
    /// The users that spent most.
    pub users: Vec<Share>,
    /// The models that cost most.
    pub models: Vec<Share>,
    /// The fleet, for admins.
    pub fleet: Option<FleetHealth>,
    /// The budgets that bound one's own spending.
    pub budgets: Vec<BoundBy>,
    /// One's own sessions that are paused.
    pub paused: Vec<PausedRow>,
    /// How many usage records could not be stored, for admins.
    pub quarantined: Option<u64>,
    /// How many notifications could not be delivered and were given up, for those who see notifications.
    pub undelivered: u64,
    /// The gateway's address for clients.
    pub base_url: String,
}

impl Page for OverviewPage {
    fn title(&self) -> String {
        "Overview".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Home)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let reach = context.reach(Permission::Read(Area::Usage));
        let lead = match reach {
            Reach::Everything => "What your organisation uses, from the ledger.",
            Reach::Team => "What your team uses, from the ledger.",
            Reach::Own | Reach::Nothing => "What you use, from the ledger.",
        };
        let rankings = if self.requests == 0 {
            nothing()
        } else {
            let all_teams = reach == Reach::Everything;
            let others = reach > Reach::Own;
            let all = self.spend.last_30_days;
            view! {
                <div class="columns">
                    {all_teams.then(|| ranking("top-teams", "Teams", &self.teams, all))}
                    {others.then(|| ranking("top-users", "Users", &self.users, all))}
                    {ranking("top-models", "Models", &self.models, all)}
                </div>
            }
            .into_any()
        };
        view! {
            {page_head("Overview".to_owned(), text(lead), nothing())}
            {self.fleet.map(|fleet| fleet_line(fleet, context))}
            {self.quarantined.map(|it| ledger_line(it, context))}
            {undelivered_line(self.undelivered, context)}
            {paused_card(&self.paused, context)}
            {self.numbers()}
            {self.my_budget()}
            {self.chart()}
            {rankings}
            <div class="columns">
                {self.token_classes()}
                {self.connect()}
            </div>
        }
        .into_any()
    }
}

impl OverviewPage {
    fn numbers(&self) -> AnyView {
        let failed = if self.errors == 0 {
            "none failed".to_owned()
        } else {
            format!(
                "{} failed ({})",
                grouped(self.errors),
                percent(self.errors, self.requests)
            )
        };
        figures(vec![
            figure("Spend today", money(self.spend.today), text("since midnight UTC")),
            figure(
                "Spend this month",
                money(self.spend.month),
                text("since the first, UTC"),
            ),
            figure(
                "Spend in 30 days",
                money(self.spend.last_30_days),
                text("today included"),
            ),
            figure("Requests in 30 days", count(self.requests), text(failed)),
        ])
    }

    fn my_budget(&self) -> AnyView {
        if self.budgets.is_empty() {
            return nothing();
        }
        let several = self.budgets.len() > 1;
        let items = self
            .budgets
            .iter()
            .map(|bound| {
                let binds = (several && bound.binds).then(|| view! { <span class="faint">" · binds first"</span> });
                view! {
                    <li class="stack">
                        <p class="health">
                            <strong>{bound.about.clone()}</strong>
                            {state_badge(bound.account.state)}
                            <span class="faint">{bound.terms.clone()} " · resets: " {resets(&bound.account)} {binds}</span>
                        </p>
                        {used(&bound.account)}
                        {consequence(bound.account.state)}
                    </li>
                }
            })
            .collect_view();
        let note = if several { "all of them must hold" } else { "" };
        card(
            "my-budget",
            "My budget",
            text(note),
            view! { <ul class="bounds">{items}</ul> }.into_any(),
        )
    }

    fn chart(&self) -> AnyView {
        let body = if self.requests == 0 {
            view! {
                <p class="quiet-note">
                    "Nothing yet. The first answer that passes through the gateway shows up here within seconds."
                </p>
            }
            .into_any()
        } else {
            daily_spend(&self.days)
        };
        card("spend-by-day", "Spend by day", text("last 30 days, UTC"), body)
    }

    fn token_classes(&self) -> AnyView {
        let t = &self.tokens;
        let all = t.total();
        let rows = [
            ("Input", t.input),
            ("Output", t.output),
            ("Read from cache", t.cache_read),
            ("Written to cache, 5 min", t.cache_write_5m),
            ("Written to cache, 1 h", t.cache_write_1h),
        ]
        .into_iter()
        .map(|(name, n)| {
            view! {
                <tr>
                    <th scope="row">{name}</th>
                    <td class="number">{count(n)}</td>
                    <td class="number share-text">{percent(n, all)}</td>
                </tr>
            }
        })
        .collect_view();
        let note = format!(
            "{} in 30 days, {} of the prompts from cache",
            compact(all),
            percent(t.cache_read, t.prompt())
        );
        let table = view! {
            <table class="plain">
                <thead class="visually-hidden">
                    <tr>
                        <th scope="col">"Class"</th>
                        <th scope="col">"Tokens"</th>
                        <th scope="col">"Share"</th>
                    </tr>
                </thead>
                <tbody>{rows}</tbody>
            </table>
        };
        card("tokens", "Tokens", text(note), table.into_any())
    }

    fn connect(&self) -> AnyView {
        let body = view! {
            {connect::recipe(&self.base_url, connect::YOUR_KEY)}
            <p>
                "Put a key of yours in place of "
                <code>{connect::YOUR_KEY}</code>
                ". No key at hand? "
                <a href=path::NEW_KEY>"Create one"</a>
                ", and this line comes filled in."
            </p>
        };
        card("connect", "Connect Claude Code", nothing(), body.into_any())
    }
}

/// What a state means for the one whose budget it is.
fn consequence(state: BudgetState) -> Option<AnyView> {
    let text = match state {
        BudgetState::Ok | BudgetState::Warning => return None,
        BudgetState::Throttled => {
            "Your requests are slowed down until it resets, or an administrator raises it."
        }
        BudgetState::Restricted => {
            "Only some models are served until it resets, or an administrator raises it."
        }
        BudgetState::Blocked => "Your requests are refused until it resets, or an administrator raises it.",
    };
    Some(view! { <p>{text}</p> }.into_any())
}

fn fleet_line(fleet: FleetHealth, context: &PageContext) -> AnyView {
    let (colour, word, more) = match fleet {
        FleetHealth { connected: 0, .. } => (
            Colour::Bad,
            "No data plane",
            "No data plane is connected, so changes reach nobody.".to_owned(),
        ),
        FleetHealth { rejected: 1.., .. } => (
            Colour::Bad,
            "Changes refused",
            format!(
                "{} objects were refused by a data plane.",
                grouped(fleet.rejected)
            ),
        ),
        FleetHealth { missing: 1.., .. } | FleetHealth { behind: 1.., .. } => (
            Colour::Warn,
            "Needs a look",
            format!(
                "{} connected, {} out of contact, {} behind the newest revision.",
                grouped(fleet.connected),
                grouped(fleet.missing),
                grouped(fleet.behind)
            ),
        ),
        FleetHealth { connected: 1, .. } => (
            Colour::Good,
            "Fleet healthy",
            "The data plane is connected and up to date.".to_owned(),
        ),
        FleetHealth { connected, .. } => (
            Colour::Good,
            "Fleet healthy",
            format!(
                "All {} data planes are connected and up to date.",
                grouped(connected)
            ),
        ),
    };
    view! {
        <p class="health">
            {badge(colour, word)}
            <span>{more}</span>
            {page_link(context, path::FLEET, "See the fleet", "")}
        </p>
    }
    .into_any()
}

/// Nothing, or what was given up, with the way to where it is sent again.
fn undelivered_line(undelivered: u64, context: &PageContext) -> AnyView {
    let more = match undelivered {
        0 => return nothing(),
        1 => "1 notification could not be delivered and was given up.".to_owned(),
        n => format!(
            "{} notifications could not be delivered and were given up.",
            grouped(n)
        ),
    };
    view! {
        <p class="health">
            {badge(Colour::Bad, "Notifications given up")}
            <span>{more}</span>
            {page_link(context, path::deliveries("dead", "", 1), "See why, and send them again", "")}
        </p>
    }
    .into_any()
}

fn ledger_line(quarantined: u64, context: &PageContext) -> AnyView {
    let (colour, word, more) = match quarantined {
        0 => (
            Colour::Good,
            "Ledger complete",
            "Every usage record that has arrived is in it.".to_owned(),
        ),
        1 => (
            Colour::Bad,
            "Record put aside",
            "1 usage record could not be stored and is in no sum.".to_owned(),
        ),
        n => (
            Colour::Bad,
            "Records put aside",
            format!(
                "{} usage records could not be stored and are in no sum.",
                grouped(n)
            ),
        ),
    };
    view! {
        <p class="health">
            {badge(colour, word)}
            <span>{more}</span>
            {page_link(context, path::QUARANTINE, "See what was put aside", "")}
        </p>
    }
    .into_any()
}

fn ranking(id: &'static str, what: &'static str, shares: &[Share], all: NanoUsd) -> AnyView {
    let rows = shares
        .iter()
        .map(|share| {
            let requests = format!("{} requests", grouped(share.requests));
            view! {
                <li>
                    <span class="rank-name">{link_or_text(&share.name, share.href.as_deref())}</span>
                    <span class="rank-cost">{money(share.cost)}</span>
                    {share_bar(share.cost.0, all.0)}
                    <span class="rank-note">{requests}</span>
                </li>
            }
        })
        .collect_view();
    let list = if shares.is_empty() {
        view! { <p class="quiet-note">"Nothing is attributed here yet."</p> }.into_any()
    } else {
        view! { <ol class="ranking">{rows}</ol> }.into_any()
    };
    card(id, format!("{what} by spend"), text("30 days"), list)
}
