//! The list of limits.

use super::budgets::SCOPES;
use super::{PAGE_SIZE, Page, Section};
use crate::form::Choice;
use crate::format::grouped;
use crate::part::block::{empty, page_head, text};
use crate::part::field::{options, page_link, page_name};
use crate::part::list::{Column, cell, name_cell, pagination, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// One limit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LimitRow {
    /// Its id.
    pub id: String,
    /// Whom it is about, in words.
    pub about: String,
    /// How many of what: "60 requests per minute".
    pub amount: String,
    /// The models whose requests count; all if there are none.
    pub models: Vec<String>,
    /// How many are in use, and of how many.
    pub in_use: u64,
    /// How many there are.
    pub limit: u64,
    /// Whether everyone has their own, and what is in use is the most of one.
    pub each: bool,
}

/// One page of the limits.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct LimitsPage {
    /// Only this scope's; empty is all.
    pub scope: String,
    /// Only this kind; empty is all.
    pub kind: String,
    /// Which page, from 1.
    pub page: u64,
    /// One page of them, by scope.
    pub rows: Vec<LimitRow>,
    /// How many there are on all pages.
    pub total: u64,
}

/// The kinds by their names in the API.
pub(crate) const KINDS: [(&str, &str); 3] = [
    ("requests_per_minute", "Requests per minute"),
    ("tokens_per_minute", "Tokens per minute"),
    ("concurrent_requests", "Requests at a time"),
];

impl Page for LimitsPage {
    fn title(&self) -> String {
        "Limits".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Limits)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let filtered = !self.scope.is_empty() || !self.kind.is_empty();
        let shown = filtered || !self.rows.is_empty();
        let list = if self.rows.is_empty() {
            nothing_there(filtered, context)
        } else {
            self.list(context)
        };
        let new = shown.then(|| page_link(context, path::NEW_LIMIT, "Create a limit", "button primary"));
        let filters = shown.then(|| self.filters());
        view! {
            {page_head("Limits".to_owned(), text("How much may be asked for at a time, by whom, over all data planes together."), new.into_any())}
            {filters}
            {list}
        }
        .into_any()
    }
}

fn nothing_there(filtered: bool, context: &PageContext) -> AnyView {
    if filtered {
        return empty(
            "No limit fits",
            view! { <p>"There is none of this kind for this."</p> }.into_any(),
            view! { <a class="button" href=path::LIMITS>"Show all limits"</a> }.into_any(),
        );
    }
    empty(
        "No limits yet",
        view! {
            <p>
                "A limit says how many requests, or how many tokens, are let through in a minute, or how many requests run "
                "at a time: of everybody together, of a team, or of each user. It keeps a program that runs wild from "
                "taking the quota of the AWS account away from everybody else. Whoever reaches it is told how long to wait."
            </p>
        }
        .into_any(),
        view! {
            <p class="actions">
                {page_link(context, path::with_query(path::NEW_LIMIT, &[("scope", "each_user")]), "Create one for each user", "button primary")}
                {page_link(context, path::with_query(path::NEW_LIMIT, &[("scope", "organisation")]), "Create one for everybody together", "button")}
            </p>
        }
        .into_any(),
    )
}

impl LimitsPage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn filters(&self) -> AnyView {
        let all = |choices: &[(&'static str, &'static str)]| {
            let mut all = vec![Choice::new("", "Everything")];
            all.extend(choices.iter().map(|(value, label)| Choice::new(*value, *label)));
            all
        };
        view! {
            <form method="get" action=path::LIMITS class="filters">
                <div class="field">
                    <label for="filter-scope">"About"</label>
                    <select id="filter-scope" name="scope">{options(&all(&SCOPES), &self.scope)}</select>
                </div>
                <div class="field">
                    <label for="filter-kind">"Counts"</label>
                    <select id="filter-kind" name="kind">{options(&all(&KINDS), &self.kind)}</select>
                </div>
                <button type="submit">"Show"</button>
            </form>
        }
        .into_any()
    }

    fn list(&self, context: &PageContext) -> AnyView {
        let columns = vec![
            Column::text("About"),
            Column::text("Limit"),
            Column::text("Models"),
            Column::text("In use now"),
        ];
        let rows = self.rows.iter().map(|row| limit_row(row, context)).collect();
        let pages = pagination("limits", self.page, self.total, |page| {
            let page = page.to_string();
            let given = [("scope", &self.scope), ("kind", &self.kind), ("page", &page)];
            let query: Vec<_> = given
                .iter()
                .filter(|(_, value)| !value.is_empty())
                .map(|(name, value)| (*name, value.as_str()))
                .collect();
            path::with_query(path::LIMITS, &query)
        });
        view! { {table("Limits", columns, rows)} {pages} }.into_any()
    }
}

fn limit_row(row: &LimitRow, context: &PageContext) -> AnyView {
    let models = match row.models.as_slice() {
        [] => "all".to_owned(),
        models => models.join(", "),
    };
    let percent = match row.limit {
        0 => 100,
        limit => (u128::from(row.in_use) * 100 / u128::from(limit)).min(100),
    };
    let note = row
        .each
        .then(|| view! { <p class="used-note">"of the one who has most"</p> });
    view! {
        <tr>
            {row_head(page_name(context, path::edit_limit(&row.id), row.about.clone(), "row-link"))}
            {cell("Limit", text(row.amount.clone()))}
            {cell("Models", text(models))}
            {name_cell("In use now", view! { <div class="used-cell"><span>{grouped(row.in_use)} " (" {percent.to_string()} " %)"</span> {note}</div> }.into_any())}
        </tr>
    }
    .into_any()
}
