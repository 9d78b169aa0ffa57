//! The audit log.

use super::form::{Posted, pairs};
use super::visitor::Visitor;
use crate::app::audit;
use crate::store::{AuditFilter, Place, Turn};
use axum::extract::RawQuery;
use axum::response::Response;
use ccag_admin_api::{AuditEntryView, VerifyAudit};
use ccag_console::page::{AuditPage, AuditRow, Ends, PAGE_SIZE};
use ccag_console::{Tone, path};
use ccag_domain::Problem;
use ccag_domain::changes::field_changes;

pub(super) async fn list(visitor: Visitor, RawQuery(query): RawQuery) -> Response {
    let mut page = AuditPage::default();
    for (name, value) in pairs(query.as_deref()) {
        match name.as_ref() {
            "q" => page.search = value.trim().to_owned(),
            name => drop(page.place.take(name, &value)),
        }
    }
    let page = gather(&visitor, page).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, asked: AuditPage) -> Result<AuditPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let filter = AuditFilter {
        search: Some(asked.search.clone()).filter(|text| !text.is_empty() && !text.contains('\0')),
        ..AuditFilter::default()
    };
    let turn = Turn::parse(&asked.place.after, &asked.place.before);
    let offset = asked.place.offset();
    let (rows, more, total) = audit::turn(app, &actor, &filter, (turn.as_ref(), offset), PAGE_SIZE).await?;
    let end = |entry: Option<&AuditEntryView>| {
        let place = |entry: &AuditEntryView| Place::new(entry.seq, &entry.id).to_string();
        entry.map(place).unwrap_or_default()
    };
    let ends = Ends {
        first: end(rows.first()),
        last: end(rows.last()),
        more,
    };
    Ok(AuditPage {
        rows: rows.into_iter().map(row).collect(),
        total,
        ends,
        ..asked
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
