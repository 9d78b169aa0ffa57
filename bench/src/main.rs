//! `ccag-bench`: measures a data plane beside the thinnest proxy, on one machine, in one run. `cargo xtask bench speed` builds
//! everything as it is released and runs it.
#![expect(clippy::print_stdout, reason = "a command-line tool talks to its user")]

mod admin;
mod arena;
mod control;
mod load;
mod measure;
mod programs;
mod report;

use anyhow::{Result, bail};
use arena::Arena;
use clap::{Parser, Subcommand, ValueEnum};
use load::{AT_ONCE, BODIES, PACED, SMALL};
use report::Report;
use std::net::SocketAddr;
use std::path::PathBuf;
use tokio::signal::unix::{SignalKind, signal};

/// Measures how fast a data plane is.
#[derive(Debug, Parser)]
#[command(name = "ccag-bench", version)]
struct Args {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    /// Measure a data plane beside the thinnest proxy
    Speed(Options),
    /// Measure a control plane at the size of a large organisation
    ControlPlane(control::Options),
    /// Be Bedrock, with every answer ready
    Upstream {
        /// The address to listen on
        #[arg(long)]
        listen: SocketAddr,
    },
}

/// A part of the measurements.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Part {
    /// CPU time for each request
    Cpu,
    /// What budgets and limits cost
    Governance,
    /// How much later the first token comes
    FirstToken,
    /// CPU time for each request with bodies of 1, 10 and 30 MB
    Bodies,
    /// Memory for each open stream
    Memory,
    /// Memory over a long time under load; only if it is asked for
    Hours,
    /// Start, size of the program, and what it takes when nobody asks
    Idle,
}

/// What is measured, and how long.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Blocks for each shape of request, of each of the two
    #[arg(long, default_value_t = 10)]
    blocks: usize,
    /// How long a block is, in seconds
    #[arg(long, default_value_t = 2)]
    seconds: u64,
    /// How many streams are held open for memory
    #[arg(long, default_value_t = 400)]
    streams: usize,
    /// Only these parts
    #[arg(long, value_enum)]
    part: Vec<Part>,
    /// The database of the control plane; by default a new one of SQLite. What is in it stays in it
    #[arg(long)]
    database: Option<String>,
    /// How many endpoints there are
    #[arg(long, default_value_t = 1)]
    endpoints: usize,
    /// How long the part `hours` takes, in minutes
    #[arg(long, default_value_t = 60)]
    minutes: u64,
    /// Only shapes of this name
    #[arg(long)]
    shape: Option<String>,
    /// Count instructions of this process with valgrind's callgrind, in the parts `cpu` and `governance`
    #[arg(long)]
    instructions: bool,
    /// Where the programs are; by default beside this one
    #[arg(long)]
    programs: Option<PathBuf>,
    /// The control plane's program, which is not measured
    #[arg(long)]
    control_plane: Option<PathBuf>,
    /// The directory for the results
    #[arg(long)]
    out: PathBuf,
}

impl Options {
    fn wants(&self, part: Part) -> bool {
        self.part.contains(&part) || self.part.is_empty() && part != Part::Hours
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let measured = async {
        match Args::parse().task {
            Task::Upstream { listen } => {
                let listener = tokio::net::TcpListener::bind(listen).await?;
                ccag_bench::upstream::Upstream::default().serve(listener).await;
                Ok(())
            }
            Task::Speed(options) => speed(&options).await,
            Task::ControlPlane(options) => control::measure(&options).await,
        }
    };
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    // What is dropped ends the programs that it has started.
    tokio::select! {
        done = Box::pin(measured) => done,
        _ = interrupt.recv() => bail!("interrupted: nothing was written"),
        _ = terminate.recv() => bail!("ended: nothing was written"),
    }
}

async fn speed(options: &Options) -> Result<()> {
    std::fs::create_dir_all(&options.out)?;
    let mut report = Report::new(options);
    if options.wants(Part::Idle) {
        report.idle = Some(measure::idle(options).await?);
    }
    // Each part has processes of its own: what one leaves behind in memory is not the next one's.
    if options.wants(Part::Cpu) {
        let arena = Arena::start(options).await?;
        report.cpu = measure::cpu(&arena, options, &[SMALL, AT_ONCE, PACED]).await?;
    }
    if options.wants(Part::Governance) {
        let arena = Arena::start(options).await?;
        report.governance = Some(measure::governance(&arena, options).await?);
    }
    if options.wants(Part::Bodies) {
        let arena = Arena::start(options).await?;
        let bodies = measure::cpu(&arena, options, &BODIES).await?;
        report.cpu.extend(bodies);
    }
    if options.wants(Part::FirstToken) {
        let arena = Arena::start(options).await?;
        arena.stand_back()?;
        report.first_token = measure::first_token(&arena, options).await?;
    }
    if options.wants(Part::Memory) {
        let arena = Arena::start(options).await?;
        report.memory = measure::memory(&arena, options).await?;
    }
    if options.wants(Part::Hours) {
        let arena = Arena::start(options).await?;
        report.hours = measure::hours(&arena, options).await?;
    }
    report.print();
    report.write()
}
