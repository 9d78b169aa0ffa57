//! The data planes, as the control plane sees them.

use super::view::ask;
use crate::client::Client;
use crate::clock;
use crate::human::ago;
use ccag_admin_api::{FleetView, ReplicaView, StatusView, paths};
use ccag_doctor::Finding;
use ccag_doctor::checks::{BACKLOG, ENDPOINTS, FLEET, VERSIONS};
use std::collections::BTreeSet;

/// So many undelivered records of a data plane are worth telling.
const MANY: u64 = 1_000;

pub(super) async fn look(client: &Client) -> Vec<Finding> {
    let fleet: FleetView = match ask(client, &FLEET, "data planes", paths::FLEET).await {
        Ok(fleet) => fleet,
        Err(findings) => return findings,
    };
    let connected: Vec<&ReplicaView> = fleet.replicas.iter().filter(|one| one.connected).collect();
    let mut findings = planes(&fleet, &connected);
    findings.extend(backlog(&fleet));
    findings.extend(troubles(&connected));
    if let Ok(status) = ask::<StatusView>(client, &VERSIONS, "data planes", paths::STATUS).await {
        findings.push(versions(&connected, &status.version));
    }
    findings
}

fn planes(fleet: &FleetView, connected: &[&ReplicaView]) -> Vec<Finding> {
    if connected.is_empty() {
        return vec![FLEET.fault(
            "data planes",
            "none is connected: nobody answers Claude Code, or does so by a configuration of before",
            "look at the data planes' logs, and run ccag-dataplane --check-config where they run",
        )];
    }
    let mut findings = Vec::new();
    for plane in connected {
        let subject = format!("data plane {}", plane.name);
        if plane.lag > 0 {
            findings.push(FLEET.warning(
                &subject,
                format!("it is {} revisions behind", plane.lag),
                "look again in a moment; if it stays so, look at its log and at the network between the planes",
            ));
        }
        findings.extend(plane.rejected.iter().map(|object| {
            FLEET.fault(
                &subject,
                format!(
                    "it could not apply {} {}: {}",
                    object.kind, object.id, object.reason
                ),
                "bring it to the version of the control plane, or correct the object",
            )
        }));
    }
    let gone = fleet
        .replicas
        .iter()
        .filter(|plane| !plane.connected && plane.spooled_records > 0);
    findings.extend(gone.map(|plane| {
        FLEET.warning(
            format!("data plane {}", plane.name),
            format!(
                "it has been gone since {}, with {} records that were not delivered",
                ago(plane.last_seen_at, clock::now()),
                plane.spooled_records
            ),
            "start it again on its data directory, so that it delivers them",
        )
    }));
    if findings.is_empty() {
        findings.push(FLEET.ok(
            "data planes",
            format!("{} are connected and up to date", connected.len()),
        ));
    }
    findings
}

fn backlog(fleet: &FleetView) -> Vec<Finding> {
    let advice = "look at the database, and at the way from the data plane to the control plane; when its spool is full, requests are refused";
    let full = fleet
        .replicas
        .iter()
        .filter(|plane| plane.connected && plane.spooled_records >= MANY);
    let findings: Vec<Finding> = full
        .map(|plane| {
            let found = format!("{} usage records wait for delivery", plane.spooled_records);
            BACKLOG.warning(format!("data plane {}", plane.name), found, advice)
        })
        .collect();
    match findings.is_empty() {
        true => vec![BACKLOG.ok("data planes", "usage records are delivered")],
        false => findings,
    }
}

fn troubles(connected: &[&ReplicaView]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for plane in connected {
        findings.extend(plane.troubles.iter().map(|trouble| {
            let what = trouble.model.as_deref().unwrap_or("all models");
            ENDPOINTS.fault(
                format!("endpoint {}, {what}", trouble.endpoint),
                format!(
                    "{} tries it last since {}: {}",
                    plane.name,
                    ago(trouble.since, clock::now()),
                    trouble.cause
                ),
                format!(
                    "{}; ccag endpoints test {} says what its credentials may do",
                    trouble.text.trim_end_matches('.'),
                    trouble.endpoint
                ),
            )
        }));
    }
    if findings.is_empty() {
        findings.push(ENDPOINTS.ok("endpoints", "no data plane is in trouble with one"));
    }
    findings
}

fn versions(connected: &[&ReplicaView], control: &str) -> Finding {
    let others: BTreeSet<&str> = connected
        .iter()
        .map(|plane| plane.version.as_str())
        .filter(|version| *version != control)
        .collect();
    let subject = "data planes and the control plane";
    if others.is_empty() {
        return VERSIONS.ok(subject, format!("all are of version {control}"));
    }
    let others: Vec<&str> = others.into_iter().collect();
    VERSIONS.warning(
        subject,
        format!(
            "there are data planes of {} beside the control plane of {control}",
            others.join(", ")
        ),
        "finish the upgrade: both versions work together meanwhile (docs/upgrade.md)",
    )
}
