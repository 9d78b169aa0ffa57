//! `ccag-bench control-plane`: how a control plane does at the size of a large organisation. It is given users and keys, pushes
//! its configuration to many data planes, and takes in a million records.

mod intake;
mod planes;
mod population;

use crate::admin::Admin;
use crate::arena::{Control, PASSWORD, database};
use crate::report::{machine, mebibytes, spread};
use anyhow::{Context, Result};
use ccag_bench::cpu::Meter;
use population::Population;
use serde::Serialize;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;
use tempfile::TempDir;

/// What a control plane is given to do.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The database; by default a new one of SQLite. What is in it stays in it
    #[arg(long)]
    database: Option<String>,
    /// How many users there are to be
    #[arg(long, default_value_t = 10_000)]
    users: usize,
    /// How many keys there are to be, the users' in turn
    #[arg(long, default_value_t = 100_000)]
    keys: usize,
    /// How many data planes are connected
    #[arg(long, default_value_t = 50)]
    data_planes: usize,
    /// How many single changes are pushed
    #[arg(long, default_value_t = 20)]
    changes: usize,
    /// How many usage records are taken in
    #[arg(long, default_value_t = 1_000_000)]
    records: u64,
    /// How many data planes deliver records at the same time
    #[arg(long, default_value_t = 8)]
    reporters: usize,
    /// The process of PostgreSQL whose children's CPU time is counted as the database's
    #[arg(long)]
    database_pid: Option<u32>,
    /// The control plane's program; by default the one beside this
    #[arg(long)]
    program: Option<PathBuf>,
    /// The directory for the results
    #[arg(long)]
    out: PathBuf,
}

/// What was measured.
#[derive(Debug, Serialize)]
struct Measured {
    /// How long it took to make the users and keys through the API, in seconds.
    populated_s: f64,
    users: usize,
    keys: usize,
    snapshot: planes::Snapshot,
    /// Of each single change: milliseconds from the call to the answer, and to the last data plane; bytes for each of them.
    changes: Vec<planes::Change>,
    intake: intake::Intake,
}

/// How much CPU time the control plane and its database have used.
struct Meters {
    control: Meter,
    database: Option<u32>,
}

/// CPU seconds of the control plane, and of the database.
#[derive(Debug, Clone, Copy, Serialize)]
struct Used {
    control_s: f64,
    database_s: Option<f64>,
}

impl Meters {
    /// Runs something, and says what it took.
    async fn during<T>(&self, work: impl Future<Output = Result<T>>) -> Result<(T, Used)> {
        let (control, database) = (self.control.mark()?, self.database.map(of_children).transpose()?);
        let done = work.await?;
        let now = self.database.map(of_children).transpose()?;
        let used = Used {
            control_s: self.control.since(&control, "control")? as f64 / 1e9,
            database_s: now.zip(database).map(|(now, before)| now - before),
        };
        Ok((done, used))
    }
}

/// CPU seconds of a process's children: what those that have ended took is not among it.
fn of_children(parent: u32) -> Result<f64> {
    let children = format!("/proc/{parent}/task/{parent}/children");
    let children = std::fs::read_to_string(&children).context(children)?;
    let time = |pid: &str| {
        let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
        text.split_whitespace().next()?.parse::<u64>().ok()
    };
    let nanoseconds: u64 = children.split_whitespace().filter_map(time).sum();
    Ok(nanoseconds as f64 / 1e9)
}

/// Measures, prints, and writes it down.
pub(crate) async fn measure(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out)?;
    let files = TempDir::new()?;
    let database = database(options.database.as_deref(), files.path());
    let program = match &options.program {
        Some(path) => path.clone(),
        None => crate::programs::beside("ccag-controlplane")?,
    };
    let control = Control::of(&program, &database, &options.out).await?;
    let meter = || Meter::new(control.process.pid(), None);
    let meters = Meters {
        control: meter(),
        database: options.database_pid,
    };
    let admin = Admin::log_in(&control.http, PASSWORD).await?;
    let began = tokio::time::Instant::now();
    let population = Population::make(&admin, options.users, options.keys).await?;
    let populated_s = began.elapsed().as_secs_f64();
    let resident = meter().resident()?;
    println!(
        "{} users and {} keys were made through the API in {populated_s:.0} s; resident: {:.0} MiB",
        options.users,
        options.keys,
        mebibytes(resident)
    );

    let (mut planes, used) = meters
        .during(planes::Planes::connect(&control, options.data_planes))
        .await?;
    let snapshot = planes.snapshot(used, resident, meter().resident()?);
    snapshot.print();
    let mut changes = Vec::new();
    for n in 0..options.changes {
        changes.push(planes.change(&admin, &population, n).await?);
    }
    print_changes(&changes);
    drop(planes);

    let intake = intake::measure(&control, &admin, &population, &meters, options).await?;
    intake.print();
    let measured = Measured {
        populated_s,
        users: options.users,
        keys: options.keys,
        snapshot,
        changes,
        intake,
    };
    let path = options.out.join("control-plane.json");
    let all = json!({
        "machine": machine(),
        "database": database.split(':').next(),
        "measured": measured,
    });
    std::fs::write(&path, format!("{all:#}\n"))?;
    println!("written to {}", path.display());
    Ok(())
}

fn print_changes(changes: &[planes::Change]) {
    if changes.is_empty() {
        return;
    }
    let median = |of: fn(&planes::Change) -> f64| spread(changes.iter().map(of))[2];
    println!(
        "a new key, medians of {}: answered after {:.1} ms, with the last data plane after {:.1} ms; {:.0} bytes for each",
        changes.len(),
        median(|of| of.answered_ms),
        median(|of| of.with_all_ms),
        median(|of| of.bytes as f64)
    );
}

/// How long nothing may come before a measurement is given up.
const PATIENCE: Duration = Duration::from_secs(120);
