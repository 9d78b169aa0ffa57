//! Taking in AWS's price list.

use super::{Page, Section};
use crate::part::block::{card, nothing, page_head, text};
use crate::part::field::{checkbox, csrf, summary};
use crate::part::list::{Column, cell, number_cell, row_head, table};
use crate::{PageContext, path};
use leptos::prelude::*;

/// A price that is different, or new; amounts are dollars per million tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportedPrice {
    /// The model.
    pub model: String,
    /// Input and output before; `None` if there was no price.
    pub before: Option<(String, String)>,
    /// Input and output after.
    pub after: (String, String),
    /// What was assumed, or chosen among contradictions.
    pub notes: Vec<String>,
}

/// What an import did, or would do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ImportOutcome {
    /// Whether nothing was changed because that was asked for.
    pub dry_run: bool,
    /// What was read, in a sentence.
    pub summary: String,
    /// The prices that are different.
    pub changed: Vec<ImportedPrice>,
    /// The models whose price is the same.
    pub unchanged: Vec<String>,
    /// What was left out and why, in sentences.
    pub skipped: Vec<String>,
}

/// The page with the form that takes in AWS's price list, and what came of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ImportPage {
    /// What the last import did.
    pub outcome: Option<ImportOutcome>,
    /// What is wrong with the file.
    pub trouble: Option<String>,
}

impl Page for ImportPage {
    fn title(&self) -> String {
        "Import AWS's price list".to_owned()
    }

    fn section(&self) -> Option<Section> {
        Some(Section::Models)
    }

    fn body(&self, context: &PageContext) -> AnyView {
        view! {
            <nav class="trail" aria-label="Where you are"><a href=path::MODELS>"Models and prices"</a></nav>
            {page_head(
                "Import AWS's price list".to_owned(),
                text("The file of the offer AmazonBedrockFoundationModels, as CSV or JSON. Only standard prices of Claude models are read."),
                nothing(),
            )}
            <form method="post" action=path::IMPORT_PRICES enctype="multipart/form-data" class="stack card narrow">
                {csrf(context)}
                {summary(&[], self.trouble.as_deref())}
                <div class="field">
                    <label for="file">"Price list"</label>
                    <input type="file" id="file" name="file" accept=".csv,.json,text/csv,application/json" required=true />
                </div>
                {checkbox(
                    "dry_run".to_owned(),
                    "dry_run",
                    "yes".to_owned(),
                    "Only show what would change".to_owned(),
                    String::new(),
                    self.outcome.is_none(),
                )}
                {checkbox(
                    "overwrite".to_owned(),
                    "overwrite",
                    "yes".to_owned(),
                    "Replace prices that an admin has set, too".to_owned(),
                    String::new(),
                    false,
                )}
                <div class="form-actions">
                    <button type="submit" class="primary">"Import"</button>
                    <a class="button quiet" href=path::MODELS>"Cancel"</a>
                </div>
            </form>
            {self.outcome.as_ref().map(outcome)}
        }
        .into_any()
    }
}

fn outcome(outcome: &ImportOutcome) -> AnyView {
    let title = if outcome.dry_run {
        "What would change"
    } else {
        "What has changed"
    };
    let changed = if outcome.changed.is_empty() {
        view! { <p class="quiet-note">"No price is different."</p> }.into_any()
    } else {
        let columns = vec![
            Column::text("Model"),
            Column::number("Input before"),
            Column::number("Input after"),
            Column::number("Output before"),
            Column::number("Output after"),
            Column::text("Notes"),
        ];
        let rows = outcome
            .changed
            .iter()
            .map(|price| {
                let (input, output) = price.before.clone().unwrap_or_default();
                view! {
                    <tr>
                        {row_head(text(price.model.clone()))}
                        {number_cell("Input before", text(input))}
                        {number_cell("Input after", text(price.after.0.clone()))}
                        {number_cell("Output before", text(output))}
                        {number_cell("Output after", text(price.after.1.clone()))}
                        {cell("Notes", text(price.notes.join("; ")))}
                    </tr>
                }
                .into_any()
            })
            .collect();
        table("Changed prices", columns, rows)
    };
    let same = (!outcome.unchanged.is_empty())
        .then(|| view! { <p>{format!("The same as before: {}.", outcome.unchanged.join(", "))}</p> });
    let items = outcome
        .skipped
        .iter()
        .map(|line| view! { <li>{line.clone()}</li> })
        .collect_view();
    let skipped = (!outcome.skipped.is_empty()).then(|| {
        view! {
            <details>
                <summary>"Left out"</summary>
                <ul class="prose">{items}</ul>
            </details>
        }
    });
    card(
        "outcome",
        title,
        text(outcome.summary.clone()),
        view! { {changed} {same} {skipped} }.into_any(),
    )
}
