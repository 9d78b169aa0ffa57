//! `ccag-dataplane`: load, start, serve, drain.

use anyhow::Context;
use ccag_daemon::{Lifecycle, Ops, Server, Shards, bind, init_telemetry, serve};
use ccag_dataplane::{DataPlane, check, config};
use clap::Parser;
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// Chosen by measurement (`docs/performance.md`): streams that are open for long hold half as much memory as with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// The data plane of the Claude Code AWS Gateway. Its configuration comes from the environment and, if given, a file;
/// `default.toml` beside its source documents every key and variable.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// A TOML file with what differs from the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Check the configuration and what it leads to, say everything that is wrong, and exit: with 0, or with 7 for a fault. Nothing
    /// is started or changed (docs/doctor.md).
    #[arg(long)]
    check_config: bool,
    /// Write what --check-config finds as JSON.
    #[arg(long, requires = "check_config")]
    json: bool,
}

/// Of so many processors one thread is for what is beside requests, which have threads of their own.
const BESIDE: usize = 4;

fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    let processors = std::thread::available_parallelism().map_or(1, NonZeroUsize::get);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(processors.div_ceil(BESIDE))
        .enable_all()
        .build()
        .context("the runtime cannot be started")?;
    runtime.block_on(run(args))
}

async fn run(args: Args) -> anyhow::Result<ExitCode> {
    if args.check_config {
        let report = Box::pin(check::run(config::load_faults(args.config.as_deref()))).await;
        report.write(&mut std::io::stdout(), args.json)?;
        return Ok(ExitCode::from(report.exit_code()));
    }
    let config = config::load(args.config.as_deref())?;
    let _logs = init_telemetry(config.telemetry);
    let life = Lifecycle::new();
    life.install_signals();
    let ops_listener = bind(config.ops_listen).await.context("CCAG_OPS_LISTEN")?;
    let listener = bind(config.http_listen).await.context("CCAG_HTTP_LISTEN")?;
    let otlp = config.plane.otlp.registry();
    let plane = DataPlane::start(config.plane, &life).await?;
    tracing::info!(
        replica_id = %plane.replica_id(),
        http = %listener.local_addr()?,
        ops = %ops_listener.local_addr()?,
        "data plane started"
    );
    let shards = Shards::start().context("threads for requests cannot be started")?;
    let dump = config.dump;
    let ops = Ops::new(&life)
        .registry(plane.registry())
        .registries(otlp)
        .config_dump(move || dump.clone())
        .router();
    let ops_life = Lifecycle::new();
    let ops_server = serve(&ops_life, ops_listener, ops, Duration::from_secs(1));
    let inference = async {
        let server = Server::new(plane.front())
            .limits(config.connections)
            .shards(shards.clone())
            .refusal(plane.refusal())
            .notice(config.drain_notice)
            .deadline(config.drain);
        server.run(&life, listener).await?;
        plane.finish().await;
        life.drain(Duration::from_secs(5)).await;
        ops_life.begin_shutdown();
        Ok::<(), std::io::Error>(())
    };
    tokio::try_join!(ops_server, inference)?;
    drop(shards);
    tracing::info!("data plane ended");
    Ok(ExitCode::SUCCESS)
}
