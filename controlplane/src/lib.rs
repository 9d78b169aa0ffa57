//! The control plane: owner of the database, of what data planes are told, and of the ledger.
//!
//! * [`store`]: all SQL, on SQLite and Postgres alike;
//! * [`app`]: what the control plane does, with its rules and permissions;
//! * `grpc`: `Config.Watch` and `Usage.Report`, for data planes;
//! * [`http`]: sign-in, the admin API and the console;
//! * [`master_key`]: what secrets and cookies are protected with;
//! * [`check`]: what `--check-config` looks at;
//! * [`config`], [`ControlPlane`]: put together, started, drained.

pub mod app;
pub mod check;
pub mod config;
pub mod database_secret;
mod grpc;
pub mod http;
pub mod latency;
pub mod master_key;
pub mod metrics;
mod plane;
mod secrets;
pub mod store;
mod traces;

pub use app::bootstrap::{Bootstrap, BootstrapReport};
pub use config::ControlPlaneConfig;
pub use database_secret::DatabaseSecret;
pub use metrics::METRICS;
pub use plane::{ControlPlane, StartError, World, offline};
