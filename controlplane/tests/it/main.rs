//! The control plane from the outside: its verbs, its HTTP surface and its gRPC services, on SQLite and Postgres.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "tests"
)]

mod allowances;
mod analytics;
mod audit;
mod audit_walk;
mod authorisation;
mod backlog;
mod breaker;
mod breaker_forms;
mod breaking;
mod budget_forms;
mod budgets;
mod cache_misses;
mod capabilities;
mod catalogue;
mod clients;
#[path = "../../../crates/aws/tests/it/connect_proxy.rs"]
#[expect(unreachable_pub, reason = "shared with other tests")]
mod connect_proxy;
mod console;
mod database_secret;
mod database_tls;
mod discovery;
mod endpoint_access;
mod endpoints;
mod explanations;
mod focus;
mod http;
mod idempotency;
mod idp;
mod import;
mod intake;
mod limits;
mod mcp;
mod moving;
mod notifications;
mod openapi;
mod packs;
mod pages;
mod people_pages;
mod plans;
mod quarantine;
mod quotas;
mod replicas;
mod reprice;
mod routing;
mod schema;
mod scim;
mod secrets;
mod seen;
mod service_accounts;
mod setup;
mod sign_on;
mod suite;
mod sums;
mod support;
mod turning;
mod watch;
mod web_search;
