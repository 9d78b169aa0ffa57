//! Who changed what.

use super::{COUNTED, Ends, Page, Place, Section};
use crate::format::{grouped, moment};
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::field::{button_form, filter_bar};
use crate::part::list::{Column, cell, name_cell, row_head, table, turning};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use ccag_domain::changes::FieldChange;
use leptos::prelude::*;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AuditRow {
    /// Its number in the chain; `None` if it is from before there was one.
    pub seq: Option<i64>,
    /// When.
    pub at_ms: UnixMs,
    /// Who, by name where that is known.
    pub actor: String,
    /// What was done.
    pub action: String,
    /// The id of what it was done to.
    pub object: String,
    /// What it was before and is after, where that differs.
    pub changes: Vec<FieldChange>,
    /// What there is to say about it, as JSON.
    pub details: String,
}

/// One page of the audit log.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AuditPage {
    /// What is looked for.
    pub search: String,
    /// Which page.
    pub place: Place,
    /// The newest first.
    pub rows: Vec<AuditRow>,
    /// How many there are on all pages, up to [`COUNTED`].
    pub total: u64,
    /// Where the page begins and ends.
    pub ends: Ends,
}

impl Page for AuditPage {
    fn title(&self) -> String {
        "Audit log".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Audit)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = match self.total {
            1 => "1 entry".to_owned(),
            n if n > COUNTED => format!("More than {} entries", grouped(COUNTED)),
            n => format!("{} entries", grouped(n)),
        };
        let check = button_form(
            context,
            path::VERIFY_AUDIT.to_owned(),
            &[],
            "Check the log",
            "",
            "",
        );
        view! {
            {page_head("Audit log".to_owned(), text(lead), check)}
            {filter_bar(path::AUDIT, "Who, what, or an id", &self.search, nothing())}
            {self.list()}
        }
        .into_any()
    }
}

impl AuditPage {
    fn list(&self) -> AnyView {
        if self.total == 0 {
            let why = if self.search.is_empty() {
                "Every change that an administrator makes will stand here."
            } else {
                "No entry has this in who did it, in what was done, or in the id of what it was done to."
            };
            return empty(
                "Nothing is written down",
                view! { <p>{why}</p> }.into_any(),
                nothing(),
            );
        }
        let columns = vec![
            Column::text("What"),
            Column::text("On"),
            Column::text("Who"),
            Column::text("When"),
            Column::number("Number"),
        ];
        let rows = self.rows.iter().map(row).collect();
        let href = |place: &Place| {
            let [page, after, before] = place.query();
            let query = [
                ("q", self.search.as_str()),
                (page.0, &page.1),
                (after.0, &after.1),
                (before.0, &before.1),
            ];
            path::with_query(path::AUDIT, &query)
        };
        let pages = turning(
            "entries",
            &self.place,
            self.rows.len(),
            self.total,
            &self.ends,
            href,
        );
        view! { {table("Changes", columns, rows)} {pages} }.into_any()
    }
}

fn row(entry: &AuditRow) -> AnyView {
    let what = view! {
        <details>
            <summary><code>{entry.action.clone()}</code></summary>
            {changes(&entry.changes)}
            <pre class="code"><code>{entry.details.clone()}</code></pre>
        </details>
    };
    let number = entry.seq.map_or_else(String::new, |seq| seq.to_string());
    view! {
        <tr>
            {row_head(what.into_any())}
            {name_cell("On", view! { <code>{entry.object.clone()}</code> }.into_any())}
            {name_cell("Who", text(entry.actor.clone()))}
            {cell("When", moment(entry.at_ms).into_any())}
            {crate::part::list::number_cell("Number", text(number))}
        </tr>
    }
    .into_any()
}

/// What a change made of each field: a list, of which a reader need not open the rest.
fn changes(changes: &[FieldChange]) -> AnyView {
    if changes.is_empty() {
        return nothing();
    }
    let side = |value: &Option<String>| match value {
        Some(text) => view! { <code>{text.clone()}</code> }.into_any(),
        None => text("–"),
    };
    let rows = changes.iter().map(|change| {
        view! {
            <div>
                <dt>{change.field.clone()}</dt>
                <dd>{side(&change.before)} " → " {side(&change.after)}</dd>
            </div>
        }
    });
    view! { <dl class="facts">{rows.collect_view()}</dl> }.into_any()
}
