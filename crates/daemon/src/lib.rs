//! What every long-running process of ours needs: lifecycle, readiness, telemetry, ops port, configuration.
//!
//! A process is put together in this order:
//!
//! 1. [`config::load`] and [`init_telemetry`];
//! 2. a [`Lifecycle`], with [`Lifecycle::install_signals`], and a [`ReadyGuard`] for everything that has to happen before
//!    traffic may come;
//! 3. background work through [`Lifecycle::spawn`], listeners through [`bind`] and [`Server`], the [`Ops`] port;
//! 4. when [`Lifecycle::shutdown`] is cancelled, [`Lifecycle::drain`].

pub mod certificates;
pub mod config;
mod lifecycle;
pub mod metric;
mod ops;
pub mod otlp;
mod serve;
mod system;
mod telemetry;

pub use lifecycle::{Lifecycle, ReadyGuard};
pub use ops::{METRICS, Ops, SharedRegistry};
pub use serve::{Answers, ConnectionLimits, Server, Shards, bind, serve};
pub use system::{OsRng, SystemClock};
pub use telemetry::{Logs, TelemetryConfig, init_telemetry};
pub use tokio_util::sync::CancellationToken;
