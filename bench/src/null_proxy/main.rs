//! `ccag-null-proxy`: the least that a correct proxy from Anthropic's Messages API to Bedrock has to do, to measure a gateway
//! against. It reads the body, puts what Bedrock wants in place of `model` and `stream`, signs, asks, and turns frames into
//! server-sent events. It knows nobody, counts nothing, bounds nothing and writes nothing down.

use anyhow::Context;
use ccag_bench::null_proxy::Proxy;
use clap::Parser;
use std::net::SocketAddr;

/// The thinnest proxy to Bedrock, for benchmarks: it lets everybody in.
#[derive(Debug, Parser)]
#[command(name = "ccag-null-proxy", version)]
struct Args {
    /// The address to listen on
    #[arg(long, value_name = "ADDRESS:PORT")]
    listen: SocketAddr,
    /// Where Bedrock Runtime is, such as http://127.0.0.1:4566
    #[arg(long, value_name = "URL")]
    bedrock: String,
    /// The region of the signature
    #[arg(long, env = "AWS_REGION", default_value = "us-east-1")]
    region: String,
    /// The id of the key to sign with
    #[arg(long, env = "AWS_ACCESS_KEY_ID")]
    access_key_id: String,
    /// The key to sign with
    #[arg(long, env = "AWS_SECRET_ACCESS_KEY", hide_env_values = true)]
    secret_access_key: String,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let args = Args::parse();
    let listener = tokio::net::TcpListener::bind(args.listen)
        .await
        .with_context(|| format!("cannot listen on {}", args.listen))?;
    let proxy = Proxy::new(
        &args.bedrock,
        &args.region,
        &args.access_key_id,
        &args.secret_access_key,
    )?;
    proxy.serve(listener).await;
    Ok(())
}
