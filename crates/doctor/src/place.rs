//! What more than one of the servers looks at: addresses to listen on, and collectors of telemetry.

use crate::checks::{COLLECTORS, LISTEN};
use crate::finding::Finding;
use crate::reach;
use futures_util::future::join_all;
use std::collections::BTreeSet;
use std::io;
use std::net::SocketAddr;
use tokio::net::TcpListener;

/// Whether an address can be listened on. `variable` is what sets it.
pub async fn listen(variable: &str, address: SocketAddr) -> Finding {
    let subject = format!("{variable}, {address}");
    match TcpListener::bind(address).await {
        Ok(_) => LISTEN.ok(subject, "it is free"),
        Err(error) if error.kind() == io::ErrorKind::AddrInUse => {
            LISTEN.ok(subject, "something listens there: the gateway itself, if it runs")
        }
        Err(error) => LISTEN.fault(
            subject,
            format!("it cannot be listened on: {error}"),
            "choose an address of this machine, or 0.0.0.0 for all of them, and a port from 1024 on",
        ),
    }
}

/// Whether collectors of telemetry can be reached: hosts and ports, each of which is looked at once.
pub async fn collectors(addresses: impl Iterator<Item = (&str, u16)>) -> Vec<Finding> {
    let each: BTreeSet<(&str, u16)> = addresses.collect();
    join_all(each.into_iter().map(|(host, port)| collector(host, port))).await
}

async fn collector(host: &str, port: u16) -> Finding {
    let subject = format!("{host}:{port}");
    match reach::connect(host, port).await {
        Ok(_) => COLLECTORS.ok(subject, "it can be reached"),
        Err(why) => COLLECTORS.warning(
            subject,
            why.found(),
            format!(
                "{}; telemetry is dropped meanwhile, and nothing waits for it",
                why.advice()
            ),
        ),
    }
}
