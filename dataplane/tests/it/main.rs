//! A data plane against a Bedrock and a control plane that do what the tests say.
#![expect(
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod access;
mod admission;
mod bodies;
mod budgets;
mod client_sessions;
mod cold_start;
#[path = "../../../crates/aws/tests/it/connect_proxy.rs"]
mod connect_proxy;
mod connections;
mod control;
mod error_table;
mod exchanges;
mod explain;
mod failures;
mod fake;
mod guardrails;
mod lanes;
mod limits;
mod paused;
mod process;
mod profiles;
mod quotas;
mod recording;
mod routing;
mod search;
mod search_lanes;
mod sim;
mod streaming;
mod tools;
mod treasury;
mod usage_shown;
mod world;
