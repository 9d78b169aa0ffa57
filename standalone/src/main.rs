//! `ccag-standalone`: both planes in one process, on one port.

mod args;
mod banner;
mod check;
mod pipe;
mod settings;

use anyhow::{Context, Result};
use args::Args;
use bedrock_sim::Sim;
use ccag_controlplane::ControlPlane;
use ccag_daemon::{Lifecycle, Ops, Server, TelemetryConfig, bind, init_telemetry, serve};
use ccag_dataplane::DataPlane;
use clap::Parser;
use settings::Touch;
use std::io::Write;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::time::Duration;

/// Chosen by measurement (`docs/performance.md`): streams that are open for long hold half as much memory as with the C library's.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Result<ExitCode> {
    let args = Args::parse();
    if args.check_config {
        let report = Box::pin(check::run(&args)).await?;
        report.write(&mut std::io::stdout(), args.json)?;
        return Ok(ExitCode::from(report.exit_code()));
    }
    let _logs = init_telemetry(TelemetryConfig {
        filter: args.log.clone(),
        json: args.log_format == "json",
    });
    let (life, ops_life) = (Lifecycle::new(), Lifecycle::new());
    life.install_signals();
    let listener = bind(SocketAddr::new(args.host, args.port))
        .await
        .context("choose another with PROXY_HOST and PROXY_PORT")?;
    let settings = settings::Settings::load(&args, listener.local_addr()?, Touch::Disk)?;
    let sim = match args.simulate {
        true => Some(Sim::builder().log_capacity(0).start().await?),
        false => None,
    };
    let control = ControlPlane::start(settings.control_plane(sim.as_ref()), &life).await?;
    let pipe = pipe::open(&life, control.grpc());
    let data = DataPlane::start(settings.data_plane(pipe.channel, sim.as_ref()), &life).await?;
    if let Some(address) = settings.ops_listen {
        let dump = settings.dump.clone();
        let ops = Ops::new(&life)
            .registry(control.registry())
            .registry(data.registry())
            .registries(settings.otlp_registry())
            .config_dump(move || dump.clone());
        let (listener, life) = (bind(address).await.context("CCAG_OPS_LISTEN")?, ops_life.clone());
        let serving = async move { drop(serve(&life, listener, ops.router(), Duration::from_secs(1)).await) };
        ops_life.spawn("ops port", serving);
    }
    let welcome = banner::text(&settings.url, control.report(), args.simulate, &args.data_dir());
    let ready = async {
        while !life.is_ready() && !life.shutdown().is_cancelled() {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        std::io::stdout().write_all(welcome.as_bytes())
    };
    let router = control.router_beside_data_plane().merge(data.router());
    let server = Server::new(router)
        .limits(settings.connections)
        .refusal(data.refusal())
        .deadline(settings.drain);
    tokio::try_join!(server.run(&life, listener), ready)?;
    data.finish().await;
    pipe.close.cancel();
    life.drain(Duration::from_secs(5)).await;
    control.finish().await;
    ops_life.drain(Duration::from_secs(1)).await;
    Ok(ExitCode::SUCCESS)
}
