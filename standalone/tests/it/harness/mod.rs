//! Starts, watches and stops the processes that the tests talk to.

mod admin;
mod balancer;
mod claude;
mod client;
mod clock;
mod collector;
mod gateway;
mod identity;
mod link;
mod load;
mod person;
mod pki;
mod postgres;
mod process;
mod resident;
mod sim;
mod skewed;
mod terminal;

pub(crate) use admin::Admin;
pub(crate) use balancer::Balancer;
pub(crate) use claude::{Machine, Session};
pub(crate) use client::{Client, Reply, message};
pub(crate) use clock::SteppedClock;
pub(crate) use collector::{Collector, text};
pub(crate) use gateway::{
    ControlPlane, DataPlane, JOIN_TOKEN, MASTER_KEY, MODEL, PASSWORD, Standalone, Started, standalone,
    standalone_logging,
};
pub(crate) use identity::IdentityProvider;
pub(crate) use link::{Link, Way};
pub(crate) use load::{Load, Tally};
pub(crate) use person::Person;
pub(crate) use pki::Authority;
pub(crate) use postgres::{Cluster, database, execute, postgres_tool};
pub(crate) use process::{Process, binary, free_port, wait_until};
pub(crate) use resident::Resident;
pub(crate) use sim::{Answer, Sim};
pub(crate) use skewed::SkewedPlane;
pub(crate) use terminal::Terminal;

/// An environment variable that `cargo xtask test` sets.
pub(crate) fn provided(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: run through `cargo xtask test`"))
}
