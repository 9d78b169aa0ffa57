//! The quotas of an endpoint's account.

use super::endpoints::id_of;
use super::visitor::Visitor;
use crate::app::{discovery, endpoints};
use axum::extract::Path;
use axum::response::Response;
use ccag_admin_api::QuotaView;
use ccag_console::format::grouped;
use ccag_console::page::{EndpointQuotasPage, QuotaRow};
use ccag_domain::{Problem, QuotaKind, QuotaScope};

pub(super) async fn show(visitor: Visitor, Path(id): Path<String>) -> Response {
    let page = gather(&visitor, &id).await;
    visitor.answer(page)
}

async fn gather(visitor: &Visitor, id: &str) -> Result<EndpointQuotasPage, Problem> {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let id = id_of(id)?;
    let (endpoint, found) = tokio::try_join!(
        endpoints::find(app, &actor, &id),
        discovery::quotas(app, &actor, &id)
    )?;
    Ok(EndpointQuotasPage {
        id: endpoint.id.to_string(),
        name: endpoint.name,
        asked_at_ms: found.asked_at.map(|at| at.ms()),
        error: found.error,
        others: found.others,
        rows: found.quotas.into_iter().map(row).collect(),
    })
}

fn row(quota: QuotaView) -> QuotaRow {
    QuotaRow {
        made_of: made_of(&quota),
        shared: quota.scope == QuotaScope::All,
        name: quota.name,
        model: quota.model,
        scope: quota.scope,
        kind: quota.kind,
        limit: quota.limit,
        used: quota.used,
        counted: quota.counted,
    }
}

/// What was used, in words.
fn made_of(quota: &QuotaView) -> String {
    let Some(usage) = quota.usage.filter(|usage| usage.requests > 0) else {
        return String::new();
    };
    let requests = format!("{} requests", grouped(usage.requests));
    if quota.kind == QuotaKind::RequestsPerMinute {
        return requests;
    }
    format!(
        "{requests}: {} input, {} cache writes, {} output that counts {}; {} cache reads",
        grouped(usage.input_tokens),
        grouped(usage.cache_write_tokens),
        grouped(usage.output_tokens),
        grouped(usage.output_counted),
        grouped(usage.cache_read_tokens),
    )
}
