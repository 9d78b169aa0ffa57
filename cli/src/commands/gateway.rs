//! The gateway itself: data planes, status.

use super::Context;
use crate::clock;
use crate::error::CliError;
use crate::human::{ago, count, duration, moment, or_none};
use crate::table::{Table, card};
use ccag_admin_api::{FleetView, ReplicaView, StatusView, paths};

/// Shows the data planes.
pub(crate) async fn fleet(context: &Context) -> Result<(), CliError> {
    let fleet: FleetView = context.client.get(paths::FLEET).await?;
    let now = clock::now();
    context.out.show(&fleet, |fleet| {
        let mut table = Table::new(&[
            "NAME",
            "STATE",
            ">APPLIED",
            ">BEHIND",
            ">P99 MS",
            ">IN FLIGHT",
            ">SPOOLED",
            "LAST SEEN",
            "VERSION",
            "ID",
        ]);
        for replica in &fleet.replicas {
            table.row([
                replica.name.clone(),
                state(replica).to_owned(),
                replica.applied_revision.to_string(),
                count(replica.lag),
                or_none(replica.apply_p99_ms.as_ref()),
                count(replica.in_flight.into()),
                count(replica.spooled_records),
                ago(replica.last_seen_at, now),
                replica.version.clone(),
                replica.id.to_string(),
            ]);
        }
        let mut text = format!(
            "Newest revision: {}\n\n{}",
            fleet.revision,
            table.render("No data planes have been seen.")
        );
        for replica in &fleet.replicas {
            for trouble in &replica.troubles {
                let what = trouble.model.as_deref().unwrap_or("all models");
                let line = format!(
                    "{} tries {} ({what}) last: {}. {}",
                    replica.name, trouble.endpoint, trouble.cause, trouble.text
                );
                text.push_str(&format!("\n\nwarning: {}", crate::human::printable_line(&line)));
            }
            for object in &replica.rejected {
                let line = format!(
                    "{} could not apply {} {}: {}",
                    replica.name, object.kind, object.id, object.reason
                );
                text.push_str(&format!("\n\nwarning: {}", crate::human::printable_line(&line)));
            }
        }
        text
    })
}

fn state(replica: &ReplicaView) -> &'static str {
    match (replica.connected, replica.draining) {
        (true, false) => "connected",
        (true, true) => "draining",
        (false, _) => "gone",
    }
}

/// Shows the gateway as a whole.
pub(crate) async fn status(context: &Context) -> Result<(), CliError> {
    let status: StatusView = context.client.get(paths::STATUS).await?;
    context.out.show(&status, |status| {
        card(&[
            ("Gateway", context.client.url()),
            ("Version", status.version.clone()),
            ("Revision", status.revision.to_string()),
            ("Database", status.database.clone()),
            (
                "Up for",
                format!(
                    "{}, since {} UTC",
                    duration(status.uptime_s),
                    moment(Some(status.started_at))
                ),
            ),
            (
                "Data planes",
                format!(
                    "{} connected, {} of them up to date, {} known",
                    status.replicas.connected, status.replicas.up_to_date, status.replicas.known
                ),
            ),
        ])
    })
}
