//! Usage records that could not be stored.

use super::{PAGE_SIZE, Page, Section};
use crate::format::{ago, grouped};
use crate::part::block::{empty, nothing, page_head, text};
use crate::part::field::button_form;
use crate::part::list::{Column, cell, pagination, row_head, table};
use crate::{PageContext, path};
use ccag_domain::UnixMs;
use leptos::prelude::*;

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuarantinedRow {
    /// Its id.
    pub id: String,
    /// The data plane that sent it.
    pub replica_id: String,
    /// Why it could not be stored.
    pub reason: String,
    /// What it says.
    pub payload: String,
    /// When it was put aside.
    pub at_ms: UnixMs,
    /// Whether it can be tried again.
    pub retryable: bool,
}

/// One page of the records that could not be stored.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QuarantinePage {
    /// Which page, from 1.
    pub page: u64,
    /// The newest first.
    pub rows: Vec<QuarantinedRow>,
    /// How many there are on all pages.
    pub total: u64,
}

impl Page for QuarantinePage {
    fn title(&self) -> String {
        "Records put aside".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Home)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        let lead = match self.total {
            0 => "Usage records that could not be stored.".to_owned(),
            1 => "1 usage record could not be stored. It is in no sum and in no budget.".to_owned(),
            n => format!(
                "{} usage records could not be stored. They are in no sum and in no budget.",
                grouped(n)
            ),
        };
        view! {
            <nav class="trail" aria-label="Where you are">
                <a href=path::HOME>"Overview"</a>
            </nav>
            {page_head("Records put aside".to_owned(), text(lead), nothing())}
            {self.list(context)}
        }
        .into_any()
    }
}

impl QuarantinePage {
    /// The first row of a page, counted from 0.
    #[must_use]
    pub const fn offset(page: u64) -> u64 {
        page.saturating_sub(1).saturating_mul(PAGE_SIZE)
    }

    fn list(&self, context: &PageContext) -> AnyView {
        if self.total == 0 {
            let why = view! {
                <p>"Every usage record that has arrived is in the ledger. One that cannot be read or stored would wait here."</p>
            };
            return empty("Nothing was put aside", why.into_any(), nothing());
        }
        let columns = vec![
            Column::text("Record"),
            Column::text("Reason"),
            Column::text("Data plane"),
            Column::text("Put aside"),
            Column::text("Do"),
        ];
        let rows = self.rows.iter().map(|record| row(record, context)).collect();
        let pages = pagination("records", self.page, self.total, |page| {
            let page = if page == 1 {
                String::new()
            } else {
                page.to_string()
            };
            path::with_query(path::QUARANTINE, &[("page", &page)])
        });
        view! { {table("Records put aside", columns, rows)} {pages} }.into_any()
    }
}

fn row(record: &QuarantinedRow, context: &PageContext) -> AnyView {
    let content = view! {
        <details>
            <summary><code>{record.id.clone()}</code></summary>
            <pre class="code"><code>{record.payload.clone()}</code></pre>
        </details>
    };
    let retry = record.retryable.then(|| {
        button_form(
            context,
            path::retry_record(&record.id),
            &[],
            "Try again",
            &record.id,
            "quiet",
        )
    });
    let dismiss = button_form(
        context,
        path::dismiss_record(&record.id),
        &[],
        "Dismiss",
        &record.id,
        "quiet danger",
    );
    view! {
        <tr>
            {row_head(content.into_any())}
            {cell("Reason", text(record.reason.clone()))}
            {cell("Data plane", text(record.replica_id.clone()))}
            {cell("Put aside", ago(record.at_ms, context.now_ms))}
            {cell("Do", view! { {retry} {dismiss} }.into_any())}
        </tr>
    }
    .into_any()
}
