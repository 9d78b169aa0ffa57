//! The data planes, and the gateway as a whole.

use super::{App, VERSION};
use crate::store::Backend;
use crate::store::entity::replica;
use ccag_admin_api::{
    EndpointTrouble, FleetView, RejectedObject, ReplicaCounts, ReplicaView, StatusView, Timestamp,
};
use ccag_domain::{Actor, Area, Permission, Problem, ReplicaId, Trouble, UnixMs};
use std::collections::HashMap;

/// A data plane that has not been heard of for so long is not connected, whatever its row says: the control plane that
/// held its stream may have died.
pub const SILENT_MS: i64 = 45_000;

/// How long a data plane that is gone is remembered.
pub const FORGET_AFTER_MS: i64 = 7 * ccag_domain::time::DAY_MS;

/// All data planes with what they have applied.
///
/// # Errors
/// [`ccag_domain::Code::Forbidden`] for members.
pub async fn view(app: &App, actor: &Actor) -> Result<FleetView, Problem> {
    actor.require_all(Permission::Read(Area::Fleet))?;
    let now = app.now_ms();
    let (position, rows) = tokio::try_join!(app.store.find_position(), app.store.list_replicas())?;
    let revision = position.revision.0;
    let mut replicas: Vec<_> = rows
        .iter()
        .filter_map(|row| replica_view(row, revision, now))
        .collect();
    if replicas.iter().any(|replica| !replica.troubles.is_empty()) {
        let names: HashMap<_, _> = (app.store.list_endpoints().await?.into_iter())
            .map(|row| (row.id, row.name))
            .collect();
        for trouble in replicas.iter_mut().flat_map(|replica| &mut replica.troubles) {
            trouble.endpoint = names.get(&trouble.endpoint_id).cloned().unwrap_or_default();
            trouble.text = Trouble::parse(&trouble.cause)
                .map_or("", Trouble::told)
                .to_owned();
        }
    }
    Ok(FleetView { revision, replicas })
}

/// How the gateway is doing.
///
/// # Errors
/// [`ccag_domain::Code::Forbidden`] for members.
pub async fn status(app: &App, actor: &Actor) -> Result<StatusView, Problem> {
    let fleet = view(app, actor).await?;
    let connected = || fleet.replicas.iter().filter(|r| r.connected);
    Ok(StatusView {
        version: VERSION.to_owned(),
        revision: fleet.revision,
        database: match app.store.backend() {
            Backend::Sqlite => "sqlite".to_owned(),
            Backend::Postgres => "postgres".to_owned(),
        },
        started_at: Timestamp::from_ms(app.started_at_ms),
        uptime_s: u64::try_from((app.now_ms() - app.started_at_ms) / 1_000).unwrap_or(0),
        replicas: ReplicaCounts {
            connected: connected().count() as u64,
            up_to_date: connected().filter(|r| r.lag == 0).count() as u64,
            known: fleet.replicas.len() as u64,
        },
    })
}

fn replica_view(row: &replica::Model, revision: u64, now_ms: UnixMs) -> Option<ReplicaView> {
    let applied_revision = u64::try_from(row.applied_revision).unwrap_or(0);
    let connected = row.connected && now_ms - row.last_seen_ms < SILENT_MS;
    Some(ReplicaView {
        id: ReplicaId::parse(&row.id).ok()?,
        name: row.name.clone(),
        version: row.version.clone(),
        connected,
        draining: row.draining,
        started_at: Timestamp::from_ms(row.started_at_ms),
        last_seen_at: Timestamp::from_ms(row.last_seen_ms),
        applied_revision,
        lag: revision.saturating_sub(applied_revision),
        apply_p99_ms: row.apply_p99_ms.and_then(|ms| u64::try_from(ms).ok()),
        spooled_records: u64::try_from(row.spooled_records).unwrap_or(0),
        in_flight: u32::try_from(row.in_flight).unwrap_or(0),
        rejected: serde_json::from_str::<Vec<RejectedObject>>(&row.rejected).unwrap_or_default(),
        // What a data plane saw that is gone says nothing of how things are.
        troubles: match connected {
            true => serde_json::from_str::<Vec<EndpointTrouble>>(&row.troubles).unwrap_or_default(),
            false => Vec::new(),
        },
    })
}
