//! `bedrock-sim`: the simulator as a process of its own.

use bedrock_sim::Sim;
use clap::Parser;
use std::net::SocketAddr;
use std::process::ExitCode;

/// A stand-in for Amazon Bedrock Runtime, Bedrock and STS, for tests, demos and benchmarks.
#[derive(Debug, Parser)]
#[command(name = "bedrock-sim", version)]
struct Args {
    /// The address to listen on; port 0 takes a free one
    #[arg(long, value_name = "ADDRESS:PORT", default_value = "127.0.0.1:4566")]
    listen: SocketAddr,

    /// Demand signatures made with this key pair, written ID:SECRET; may be given several times
    #[arg(long, value_name = "ID:SECRET")]
    credential: Vec<String>,

    /// Accept this Bedrock API key; may be given several times
    #[arg(long, value_name = "KEY")]
    bearer_key: Vec<String>,

    /// How many requests the log keeps
    #[arg(long, value_name = "N", default_value_t = 1_000)]
    log_capacity: usize,

    /// Refuse bodies of more bytes
    #[arg(long, value_name = "BYTES", default_value_t = 33 << 20)]
    max_body: usize,
}

#[tokio::main]
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]
async fn main() -> ExitCode {
    let args = Args::parse();
    let mut builder = Sim::builder()
        .listen(args.listen)
        .log_capacity(args.log_capacity)
        .max_body(args.max_body);
    for pair in &args.credential {
        let Some((id, secret)) = pair.split_once(':') else {
            eprintln!("--credential wants ID:SECRET, an access key id and its secret");
            return ExitCode::from(2);
        };
        builder = builder.credential(id, secret);
    }
    for key in args.bearer_key {
        builder = builder.bearer_key(key);
    }
    let sim = match builder.start().await {
        Ok(sim) => sim,
        Err(error) => {
            eprintln!("cannot listen on {}: {error}", args.listen);
            return ExitCode::FAILURE;
        }
    };
    println!("bedrock-sim listens on {}", sim.base_url());
    println!(
        "set AWS_ENDPOINT_URL_BEDROCK_RUNTIME, AWS_ENDPOINT_URL_BEDROCK and AWS_ENDPOINT_URL_STS to it,"
    );
    println!("and AWS_ENDPOINT_URL_BEDROCK_MANTLE to {}", sim.mantle_url());
    stop_signal().await;
    sim.shutdown().await;
    ExitCode::SUCCESS
}

#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    match signal(SignalKind::terminate()) {
        Ok(mut terminate) => tokio::select! {
            _ = terminate.recv() => {}
            _ = tokio::signal::ctrl_c() => {}
        },
        Err(_) => drop(tokio::signal::ctrl_c().await),
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    drop(tokio::signal::ctrl_c().await);
}
