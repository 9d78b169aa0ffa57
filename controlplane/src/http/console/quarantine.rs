//! Usage records that could not be stored.

use super::form::{Posted, is_about_input, pairs};
use super::visitor::Visitor;
use crate::app::quarantine;
use crate::store::QuarantineQuery;
use axum::extract::{Path, RawQuery};
use axum::response::Response;
use ccag_admin_api::QuarantinedView;
use ccag_console::page::{PAGE_SIZE, QuarantinePage, QuarantinedRow};
use ccag_console::{Tone, path};
use ccag_domain::{Code, Problem};

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.as_deref())
        .into_iter()
        .find(|(name, _)| name == "page");
    let page = asked.and_then(|(_, value)| value.parse().ok()).unwrap_or(1);
    let page = gather(&visitor, u64::clamp(page, 1, 1_000_000)).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, page: u64) -> Result<QuarantinePage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let query = QuarantineQuery {
        after: None,
        offset: QuarantinePage::offset(page),
        limit: PAGE_SIZE,
    };
    let rows = quarantine::list(app, &actor, &query).await?;
    Ok(QuarantinePage {
        page,
        rows: rows.into_iter().map(row).collect(),
        total: quarantine::count(app, &actor).await?,
    })
}

fn row(record: QuarantinedView) -> QuarantinedRow {
    QuarantinedRow {
        id: record.id,
        replica_id: record.replica_id,
        reason: record.reason,
        payload: record.payload,
        at_ms: record.at.ms(),
        retryable: record.retryable,
    }
}

pub(super) async fn retry(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match quarantine::retry(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(done) if done.stored => {
            visitor.go_saying(path::QUARANTINE, Tone::Good, "The record is in the ledger now.")
        }
        Ok(_) => visitor.go_saying(
            path::QUARANTINE,
            Tone::Good,
            "The record was in the ledger already; it is no longer listed here.",
        ),
        Err(problem) => say(visitor, problem),
    }
}

pub(super) async fn dismiss(Path(id): Path<String>, Posted { visitor, .. }: Posted) -> Response {
    match quarantine::dismiss(&visitor.state().app, &visitor.actor(), &id).await {
        Ok(()) => visitor.go_saying(
            path::QUARANTINE,
            Tone::Good,
            "The record is dismissed: what it says was used is not counted.",
        ),
        Err(problem) => say(visitor, problem),
    }
}

/// Back to the list, with what is wrong.
fn say(visitor: Visitor, problem: Problem) -> Response {
    if is_about_input(&problem) || matches!(problem.code, Code::NotFound | Code::Conflict) {
        visitor.go_saying(path::QUARANTINE, Tone::Bad, &problem.message)
    } else {
        visitor.refuse(problem)
    }
}
