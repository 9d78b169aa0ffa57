//! The fleet.

use super::visitor::Visitor;
use crate::app::{fleet, secrets};
use axum::response::Response;
use ccag_admin_api::{ReplicaView, SecretsView};
use ccag_console::page::{FleetPage, Rejected, ReplicaRow, SecretsAtRest, TroubleRow};

pub(super) async fn show(visitor: Visitor) -> Response {
    let (app, actor) = (&visitor.state().app, visitor.actor());
    let (fleet, secrets) = tokio::join!(fleet::view(app, &actor), secrets::view(app, &actor));
    let secrets = secrets.ok();
    let at_rest = |held: SecretsView| SecretsAtRest {
        keys: held.keys.into_iter().map(|key| (key.id, key.secrets)).collect(),
        unreadable: held.unreadable,
    };
    visitor.answer(fleet.map(|fleet| FleetPage {
        current_revision: fleet.revision,
        replicas: fleet.replicas.into_iter().map(row).collect(),
        secrets: secrets.map(at_rest),
    }))
}

fn row(replica: ReplicaView) -> ReplicaRow {
    let rejected = replica
        .rejected
        .into_iter()
        .map(|object| Rejected {
            object: format!("{} {}", object.kind, object.id),
            reason: object.reason,
        })
        .collect();
    let troubles = replica.troubles.into_iter().map(|trouble| TroubleRow {
        endpoint: match trouble.endpoint.is_empty() {
            true => trouble.endpoint_id,
            false => trouble.endpoint,
        },
        model: trouble.model,
        cause: trouble.cause,
        text: trouble.text,
        since_ms: trouble.since.ms(),
    });
    let troubles = troubles.collect();
    ReplicaRow {
        id: replica.id.to_string(),
        name: replica.name,
        version: replica.version,
        connected: replica.connected,
        draining: replica.draining,
        applied_revision: replica.applied_revision,
        apply_p99_ms: replica.apply_p99_ms.and_then(|ms| i64::try_from(ms).ok()),
        last_contact_ms: replica.last_seen_at.ms(),
        in_flight: u64::from(replica.in_flight),
        spooled_records: replica.spooled_records,
        rejected,
        troubles,
    }
}
