//! The audit log.

use super::form::{Posted, pairs};
use super::visitor::Visitor;
use crate::app::audit;
use crate::store::AuditFilter;
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{AuditEntryView, VerifyAudit};
use ccag_console::page::{AuditPage, AuditRow, PAGE_SIZE};
use ccag_console::{Tone, path};
use ccag_domain::Problem;
use ccag_domain::changes::field_changes;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let asked = pairs(query.as_deref());
    let value = |wanted: &str| {
        asked
            .iter()
            .find(|(name, _)| name == wanted)
            .map(|(_, value)| value)
    };
    let page = value("page").and_then(|value| value.parse().ok()).unwrap_or(1);
    let search = value("q").map(|text| text.trim().to_owned()).unwrap_or_default();
    let page = gather(&visitor, u64::clamp(page, 1, 1_000_000), search).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, page: u64, search: String) -> Result<AuditPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let filter = AuditFilter {
        search: Some(search.clone()).filter(|text| !text.is_empty() && !text.contains('\0')),
        ..AuditFilter::default()
    };
    let total = audit::count(app, &actor, &filter).await?;
    let asked = audit::Page {
        filter,
        after: None,
        offset: AuditPage::offset(page),
        limit: PAGE_SIZE,
    };
    let rows = audit::list(app, &actor, asked).await?;
    Ok(AuditPage {
        search,
        page,
        rows: rows.into_iter().map(row).collect(),
        total,
    })
}

fn row(entry: AuditEntryView) -> AuditRow {
    AuditRow {
        seq: entry.seq,
        at_ms: entry.at.ms(),
        actor: entry.actor_name.unwrap_or(entry.actor),
        action: entry.action,
        object: entry.object_id,
        changes: field_changes(&entry.details),
        details: format!("{:#}", entry.details),
    }
}

pub(super) async fn verify(Posted { visitor, .. }: Posted) -> Response {
    let verified = audit::verify(&visitor.state().app, &visitor.actor(), VerifyAudit::default()).await;
    match verified {
        Ok(done) => {
            let (tone, text) = match done.problem {
                Some(problem) => (Tone::Bad, problem),
                None => (
                    Tone::Good,
                    format!(
                        "All {} entries are as they were written. Keep the last number and hash elsewhere to be able to show it later: `{}:{}`",
                        done.sound, done.seq, done.hash
                    ),
                ),
            };
            visitor.go_saying(path::AUDIT, tone, &text)
        }
        Err(problem) => visitor.refuse(problem),
    }
}
