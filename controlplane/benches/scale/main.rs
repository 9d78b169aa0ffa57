//! How the console and analytics do with the history of a large organisation: `cargo xtask history` writes one, and
//! `cargo xtask bench console` looks at every page.

#![expect(
    clippy::unwrap_used,
    clippy::print_stdout,
    clippy::cast_precision_loss,
    reason = "a benchmark, built from what the tests are"
)]

mod beside;
mod history;
#[expect(dead_code, reason = "the tests need more of it")]
#[path = "../../tests/it/plans.rs"]
mod plans;
mod walk;

use anyhow::Result;
use ccag_admin_api::Secret;
use ccag_controlplane::{ControlPlane, ControlPlaneConfig, World};
use ccag_daemon::{Lifecycle, OsRng, SystemClock};
use clap::{Parser, Subcommand};
use std::sync::Arc;
use std::time::Duration;

/// Whoever looks at the pages.
const PASSWORD: &str = "as large as it gets";

#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    task: Task,
    /// Given by `cargo bench`
    #[arg(long, global = true, hide = true)]
    bench: bool,
}

#[derive(Subcommand)]
enum Task {
    /// Write the history into an empty database, or what is missing of one that was cut short after its hours
    History {
        #[command(flatten)]
        size: history::Size,
        /// `sqlite://path` or `postgres://…`
        #[arg(long)]
        database: String,
    },
    /// Look at every page of the console and ask every question of analytics
    Console {
        /// The database that the history was written into
        #[arg(long)]
        database: String,
        /// How often each page is looked at
        #[arg(long, default_value_t = 5)]
        rounds: usize,
        /// Only pages whose address holds this
        #[arg(long, default_value = "")]
        only: String,
        /// Show the statements that take longer than this, in milliseconds
        #[arg(long)]
        slow: Option<u128>,
    },
}

#[tokio::main]
async fn main() -> Result<()> {
    let task = Arguments::parse().task;
    let (Task::History { database, .. } | Task::Console { database, .. }) = &task;
    let mut config = ControlPlaneConfig::new(database, "ab".repeat(32).into());
    config.bootstrap.admin_password = Some(Secret::new(PASSWORD));
    config.database.statement_timeout = Duration::ZERO;
    let life = Lifecycle::new();
    let world = World {
        clock: Arc::new(SystemClock),
        rng: Arc::new(OsRng),
    };
    // Makes the tables and the first rows.
    let plane = Box::pin(ControlPlane::start_in(config, &life, world)).await?;
    let mut options = sea_orm::ConnectOptions::new(database);
    options.max_connections(1).sqlx_logging(false);
    let db = sea_orm::Database::connect(options).await?;
    match &task {
        Task::History { size, .. } => {
            let now = plane.app().now_ms();
            life.drain(Duration::from_secs(30)).await;
            history::fast(&db).await?;
            if !beside::is_all_that_is_missing(&db, now).await? {
                history::write(&db, size, now).await?;
            }
            beside::write(&db).await?;
        }
        Task::Console {
            rounds, only, slow, ..
        } => {
            walk::all(&plane, &db, *rounds, only, *slow).await?;
            life.drain(Duration::from_secs(30)).await;
        }
    }
    plane.finish().await;
    Ok(())
}
