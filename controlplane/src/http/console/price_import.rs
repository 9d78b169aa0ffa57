//! Taking in AWS's price list.

use super::form::is_about_input;
use super::models::only_admins;
use super::prices::amounts;
use super::upload::Uploaded;
use super::visitor::Visitor;
use crate::app::pricing;
use axum::http::StatusCode;
use axum::response::Response;
use ccag_admin_api::{ImportQuery, ImportReport, PriceView};
use ccag_console::page::{ImportOutcome, ImportPage, ImportedPrice};
use ccag_domain::{Code, Problem};

pub(super) async fn ask(visitor: Visitor) -> Response {
    let page = only_admins(&visitor).map(|()| ImportPage::default());
    visitor.answer(page)
}

pub(super) async fn import(Uploaded { visitor, form, file }: Uploaded) -> Response {
    let query = ImportQuery {
        dry_run: Some(form.ticked("dry_run")),
        overwrite: Some(form.ticked("overwrite")),
    };
    let done = match file {
        Some(file) => pricing::import(&visitor.state().app, &visitor.actor(), query, &file).await,
        None => Err(Problem::new(
            Code::InvalidRequest,
            "Choose the file with the price list; it is text, CSV or JSON.",
        )),
    };
    match done {
        Ok(report) => {
            let page = ImportPage {
                outcome: Some(outcome(report)),
                trouble: None,
            };
            visitor.show(StatusCode::OK, &page)
        }
        Err(problem) if is_about_input(&problem) => {
            let page = ImportPage {
                outcome: None,
                trouble: Some(problem.message),
            };
            visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
        }
        Err(problem) => visitor.refuse(problem),
    }
}

fn outcome(report: ImportReport) -> ImportOutcome {
    let in_out = |price: &PriceView| {
        let [input, output, ..] = amounts(&price.rates);
        (input, output)
    };
    let published = report
        .published
        .map(|at| format!(", published {at}"))
        .unwrap_or_default();
    ImportOutcome {
        dry_run: report.dry_run,
        summary: format!(
            "{} of {} prices used{published}",
            report.rows_used, report.rows_read
        ),
        changed: report
            .changed
            .iter()
            .map(|change| ImportedPrice {
                model: change.model.clone(),
                before: change.before.as_ref().map(in_out),
                after: in_out(&change.after),
                notes: change.notes.clone(),
            })
            .collect(),
        unchanged: report.unchanged,
        skipped: report
            .skipped
            .into_iter()
            .map(|skipped| match skipped.model {
                Some(model) => format!("{model}, {} rows: {}", skipped.rows, skipped.reason),
                None => format!("{} rows: {}", skipped.rows, skipped.reason),
            })
            .collect(),
    }
}
