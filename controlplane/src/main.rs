//! `ccag-controlplane`: load, start, serve, drain.

mod operator;

use anyhow::Context;
use ccag_controlplane::{BootstrapReport, ControlPlane, check, config};
use ccag_daemon::{Lifecycle, Ops, bind, init_telemetry, serve};
use clap::Parser;
use std::io::Write;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

/// The control plane of the Claude Code AWS Gateway. Its configuration comes from the environment and, if given, a file; the
/// documented defaults are printed by --print-defaults.
#[derive(Parser)]
#[command(version)]
struct Args {
    /// A TOML file with what differs from the defaults.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Print the default configuration file and exit.
    #[arg(long)]
    print_defaults: bool,
    /// Check the configuration and what it leads to, say everything that is wrong, and exit: with 0, or with 7 for a fault. Nothing
    /// is started or changed (docs/doctor.md).
    #[arg(long)]
    check_config: bool,
    /// Write what --check-config finds as JSON.
    #[arg(long, requires = "check_config")]
    json: bool,
    #[command(subcommand)]
    command: Option<operator::Command>,
}

#[tokio::main]
async fn main() -> anyhow::Result<ExitCode> {
    let args = Args::parse();
    if args.print_defaults {
        std::io::stdout().write_all(config::DEFAULTS.as_bytes())?;
        return Ok(ExitCode::SUCCESS);
    }
    if args.check_config {
        let report = Box::pin(check::run(config::load_faults(args.config.as_deref()))).await;
        report.write(&mut std::io::stdout(), args.json)?;
        return Ok(ExitCode::from(report.exit_code()));
    }
    if let Some(command) = args.command {
        command.run(args.config.as_deref()).await?;
        return Ok(ExitCode::SUCCESS);
    }
    let config = config::load(args.config.as_deref())?;
    let _logs = init_telemetry(config.telemetry);
    let (life, ops_life) = (Lifecycle::new(), Lifecycle::new());
    life.install_signals();
    let ops_listener = bind(config.ops_listen).await.context("CCAG_OPS_LISTEN")?;
    let http = bind(config.http_listen).await.context("CCAG_HTTP_LISTEN")?;
    let grpc = bind(config.grpc_listen).await.context("CCAG_GRPC_LISTEN")?;
    let otlp = config.plane.otlp.registry();
    let plane = ControlPlane::start(config.plane, &life).await?;
    announce(plane.report())?;
    let dump = config.dump;
    let ops = Ops::new(&life)
        .registry(plane.registry())
        .registries(otlp)
        .config_dump(move || dump.clone());
    let ops_server = serve(&ops_life, ops_listener, ops.router(), Duration::from_secs(1));
    let planes = async {
        let people = async { Ok(serve(&life, http, plane.router(), config.drain).await?) };
        let data_planes = async { Ok(plane.serve_grpc(&life, grpc, config.grpc_tls.as_ref()).await?) };
        let served: anyhow::Result<((), ())> = tokio::try_join!(people, data_planes);
        life.drain(Duration::from_secs(5)).await;
        plane.finish().await;
        ops_life.begin_shutdown();
        served
    };
    tokio::try_join!(async { Ok(ops_server.await?) }, planes)?;
    Ok(ExitCode::SUCCESS)
}

/// Shows the first admin's password, this once. It goes to standard error, beside the log.
fn announce(report: &BootstrapReport) -> std::io::Result<()> {
    let Some(password) = &report.generated_password else {
        return Ok(());
    };
    let (name, password) = (&report.admin_username, password.reveal());
    writeln!(
        std::io::stderr(),
        "\n  First admin: {name}\n  Password:    {password}\n  It is shown only now.\n"
    )
}
