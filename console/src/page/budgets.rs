//! The list of budgets.

use super::{BudgetAccount, PAGE_SIZE, Page, Section};
use crate::form::Choice;
use crate::format::{grouped, money};
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::budget::{resets, state_badge, used};
use crate::part::field::{filter_bar, options, page_link};
use crate::part::list::{Column, cell, name_cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::{Area, BudgetMode, NanoUsd, Period, Permission, Reach};
use leptos::prelude::*;

/// One budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BudgetRow {
    /// Its id.
    pub id: String,
    /// What it is about, in words.
    pub about: String,
    /// How much, without raises.
    pub amount: NanoUsd,
    /// When it begins anew.
    pub period: Period,
    /// How closely it holds.
    pub mode: BudgetMode,
    /// What it holds; where everyone has an account of their own, the one that has spent most.
    pub account: Option<BudgetAccount>,
    /// How many have an account of their own; `None` where it is one for all.
    pub accounts: Option<u64>,
}

/// One page of the budgets.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BudgetsPage {
    /// Part of a team's, user's or key's name.
    pub search: String,
    /// Only this scope's; empty is all.
    pub scope: String,
    /// Which page, from 1.
    pub page: u64,
    /// One page of them, by scope.
    pub rows: Vec<BudgetRow>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The scopes by their names in the API.
pub(crate) const SCOPES: [(&str, &str); 7] = [
    ("organisation", "Everybody together"),
    ("each_user", "Each user"),
    ("team", "A team together"),
    ("each_member", "Each member of a team"),
    ("member", "One member of a team"),
    ("user", "One user"),
    ("key", "One key"),
];

/// The scope of a member's own budget in their team: the one that managers set.
pub(crate) const OF_MEMBER: &str = "member";

/// Whether the viewer sets budgets of any scope, and not only those of their team's members.
pub(crate) fn sets_wider(context: &PageContext) -> bool {
    context.reach(Permission::Change(Area::WiderBudgets)) == Reach::Everything
}

/// A mode in a word.
pub(crate) const fn mode_word(mode: BudgetMode) -> &'static str {
    match mode {
        BudgetMode::Balanced => "Balanced",
        BudgetMode::Hard => "Hard",
        BudgetMode::Fitting => "Fitting",
    }
}

/// A period in a word.
pub(crate) const fn period_word(period: Period) -> &'static str {
    match period {
        Period::Daily => "a day",
        Period::Weekly => "a week",
        Period::Monthly => "a month",
        Period::Total => "in all",
    }
}

impl Page for BudgetsPage {
    fn title(&self) -> String {
        "Budgets".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Budgets)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let filtered = !self.search.is_empty() || !self.scope.is_empty();
        let list = if self.rows.is_empty() {
            self.nothing_there(filtered, context)
        } else {
            self.list()
        };
        let new = (filtered || !self.rows.is_empty())
            .then(|| page_link(context, path::NEW_BUDGET, "Create a budget", "button primary"));
        let filters = (filtered || !self.rows.is_empty()).then(|| self.filters());
        let buttons = view! {
            {page_link(context, path::WHAT_IF, "Try a budget out", "button")}
            {new}
        };
        view! {
            {page_head("Budgets".to_owned(), text("How much may be spent, by whom, and what happens on the way there."), buttons.into_any())}
            {filters}
            {list}
        }
        .into_any()
    }
}

impl BudgetsPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn filters(&self) -> AnyView {
        let mut choices = vec![Choice::new("", "Everything")];
        choices.extend(SCOPES.map(|(value, label)| Choice::new(value, label)));
        let scope = view! {
            <div class="field">
                <label for="filter-scope">"About"</label>
                <select id="filter-scope" name="scope">{options(&choices, &self.scope)}</select>
            </div>
        };
        filter_bar(path::BUDGETS, "Team, user or key", &self.search, scope.into_any())
    }

    fn nothing_there(&self, filtered: bool, context: &PageContext) -> AnyView {
        if filtered {
            return empty(
                "No budget fits",
                view! { <p>"Nothing is about this and has these characters in its name."</p> }.into_any(),
                view! { <a class="button" href=path::BUDGETS>"Show all budgets"</a> }.into_any(),
            );
        }
        let for_scope = |scope, label, class| {
            page_link(
                context,
                path::with_query(path::NEW_BUDGET, &[("scope", scope)]),
                label,
                class,
            )
        };
        let (first, offers) = if sets_wider(context) {
            (
                "Most begin with one for each user and one for everybody together.",
                vec![
                    for_scope("each_user", "Create one for each user", "button primary"),
                    for_scope("organisation", "Create one for everybody together", "button"),
                ],
            )
        } else {
            (
                "An administrator bounds your team. Within that you bound its members.",
                vec![for_scope(OF_MEMBER, "Create one for a member", "button primary")],
            )
        };
        empty(
            "No budgets yet: nobody's spending is bounded",
            view! {
                <p>
                    "A budget says how much may be spent in a day, a week or a month: by everybody together, by a team, "
                    "or by each user for whom nothing else is set. On the way there it can tell people, slow requests "
                    "down, or leave only cheaper models; at its end it can refuse. What has been spent in the current "
                    "period counts from the start."
                </p>
                <p>{first}</p>
            }
            .into_any(),
            view! { <p class="actions">{offers}</p> }.into_any(),
        )
    }

    fn list(&self) -> AnyView {
        let columns = vec![
            Column::text("About"),
            Column::text("Amount"),
            Column::text("Spent"),
            Column::text("Status"),
            Column::text("Resets"),
            Column::text("Mode"),
        ];
        let rows = self.rows.iter().map(budget_row).collect();
        let pages = pagination("budgets", self.page, self.total, |page| {
            let page = page.to_string();
            let mut query = vec![];
            if !self.search.is_empty() {
                query.push(("q", self.search.as_str()));
            }
            if !self.scope.is_empty() {
                query.push(("scope", self.scope.as_str()));
            }
            query.push(("page", page.as_str()));
            path::with_query(path::BUDGETS, &query)
        });
        view! { {table("Budgets", columns, rows)} {pages} }.into_any()
    }
}

fn budget_row(row: &BudgetRow) -> AnyView {
    let amount = view! { <span>{money(row.amount)} " " {period_word(row.period)}</span> };
    let note = row.accounts.map(|n| {
        let text = match n {
            0 => "nobody has spent anything yet".to_owned(),
            1 => "the only account".to_owned(),
            n => format!("the highest of {} accounts", grouped(n)),
        };
        view! { <p class="used-note">{text}</p> }
    });
    let (spent, state, reset) = match &row.account {
        Some(account) => (used(account), state_badge(account.state), resets(account)),
        None => (nothing(), text("–"), text("–")),
    };
    view! {
        <tr>
            {row_head(view! { <a class="row-link" href=path::budget(&row.id)>{row.about.clone()}</a> }.into_any())}
            {cell("Amount", amount.into_any())}
            {name_cell("Spent", view! { <div class="used-cell">{spent} {note}</div> }.into_any())}
            {cell("Status", state)}
            {cell("Resets", reset)}
            {cell("Mode", text(mode_word(row.mode)))}
        </tr>
    }
    .into_any()
}
