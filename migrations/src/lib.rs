//! The database schema, one migration per file, for SQLite and Postgres alike.
//!
//! Only types that mean the same on both are used: text, 64-bit integers and booleans. Ids are text, money is nano-USD,
//! times are Unix milliseconds, lists and histograms are JSON in text columns that SQL never looks into. Migrations only go
//! forward; see `README.md` beside this crate.

#![expect(
    elided_lifetimes_in_paths,
    reason = "the trait's own signature leaves the lifetime out, and with it written out the two no longer agree"
)]

mod m20261124_000001_identity;
mod m20261124_000002_keys;
mod m20261124_000003_endpoints;
mod m20261124_000004_models_and_prices;
mod m20261124_000005_usage;
mod m20261124_000006_config;
mod m20261124_000007_audit;
mod m20261125_000008_capabilities;
mod m20261125_000008_lanes;
mod m20261125_000010_catalogue;
mod m20261125_000012_web_search;
mod m20261126_000013_budgets;
mod m20261126_000014_budget_recipients;
mod m20261126_000014_mantle;
mod m20261126_000014_quarantine;
mod m20261127_000015_limits;
mod m20261127_000016_paused_sessions;
mod m20261127_000017_explanations;
mod m20261127_000018_endpoint_access;
mod m20261127_000019_routing;
mod m20261127_000020_troubles;
mod m20261127_000021_audit_chain;
mod m20261128_000022_sign_on;
mod m20261128_000023_scim;
mod m20261128_000024_roles;
mod m20261129_000025_networks;
mod m20261129_000027_setup_tokens;
mod m20261129_000028_notifications;
mod m20261130_000030_quota_use;
mod m20261130_000031_usage_sums;
mod m20261130_000032_lists;
mod m20261130_000034_idempotency;
mod m20261130_000035_tools;
mod m20261130_000036_conversations;
mod m20261201_000037_sums_in_steps;
mod m20261201_000039_conditions;
mod m20261202_000040_usage_packs;
mod m20261203_000041_cubes_apart;
mod m20261204_000042_search;
mod table;

pub use sea_orm_migration::MigratorTrait;
use sea_orm_migration::prelude::*;

/// Brings a database to the current schema.
#[derive(Debug)]
pub struct Migrator;

#[async_trait::async_trait]
impl MigratorTrait for Migrator {
    fn migrations() -> Vec<Box<dyn MigrationTrait>> {
        vec![
            Box::new(m20261124_000001_identity::Migration),
            Box::new(m20261124_000002_keys::Migration),
            Box::new(m20261124_000003_endpoints::Migration),
            Box::new(m20261124_000004_models_and_prices::Migration),
            Box::new(m20261124_000005_usage::Migration),
            Box::new(m20261124_000006_config::Migration),
            Box::new(m20261124_000007_audit::Migration),
            Box::new(m20261125_000008_capabilities::Migration),
            Box::new(m20261125_000008_lanes::Migration),
            Box::new(m20261125_000010_catalogue::Migration),
            Box::new(m20261125_000012_web_search::Migration),
            Box::new(m20261126_000013_budgets::Migration),
            Box::new(m20261126_000014_budget_recipients::Migration),
            Box::new(m20261126_000014_mantle::Migration),
            Box::new(m20261126_000014_quarantine::Migration),
            Box::new(m20261127_000015_limits::Migration),
            Box::new(m20261127_000016_paused_sessions::Migration),
            Box::new(m20261127_000017_explanations::Migration),
            Box::new(m20261127_000018_endpoint_access::Migration),
            Box::new(m20261127_000019_routing::Migration),
            Box::new(m20261127_000020_troubles::Migration),
            Box::new(m20261127_000021_audit_chain::Migration),
            Box::new(m20261128_000022_sign_on::Migration),
            Box::new(m20261128_000023_scim::Migration),
            Box::new(m20261128_000024_roles::Migration),
            Box::new(m20261129_000025_networks::Migration),
            Box::new(m20261129_000027_setup_tokens::Migration),
            Box::new(m20261129_000028_notifications::Migration),
            Box::new(m20261130_000030_quota_use::Migration),
            Box::new(m20261130_000031_usage_sums::Migration),
            Box::new(m20261130_000032_lists::Migration),
            Box::new(m20261130_000034_idempotency::Migration),
            Box::new(m20261130_000035_tools::Migration),
            Box::new(m20261130_000036_conversations::Migration),
            Box::new(m20261201_000037_sums_in_steps::Migration),
            Box::new(m20261201_000039_conditions::Migration),
            Box::new(m20261202_000040_usage_packs::Migration),
            Box::new(m20261203_000041_cubes_apart::Migration),
            Box::new(m20261204_000042_search::Migration),
        ]
    }
}
