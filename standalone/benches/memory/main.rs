//! How much memory a data plane takes: for large bodies, as a ratio to their bytes, and for streams that are open for long.
//! Run it with `cargo xtask bench memory`; `docs/performance.md` says how to read it.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a benchmark, built from what the tests are"
)]

#[expect(dead_code, unused_imports, reason = "the tests need more of it")]
#[path = "../../tests/it/harness/mod.rs"]
mod harness;

mod arena;
mod bodies;
mod streams;

use arena::Arena;
use clap::Parser;
use serde_json::json;
use std::path::PathBuf;
use std::time::Duration;

/// How the benchmark is run.
#[derive(Debug, Parser)]
#[command(about = "How much memory a data plane takes")]
pub(crate) struct Options {
    /// How many large bodies are there at once; 0 leaves them out
    #[arg(long, default_value_t = 100)]
    bodies: usize,
    /// How large each of them is, in millions of bytes
    #[arg(long, default_value_t = 10)]
    megabytes: usize,
    /// How often they are sent
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// How many streams are open at once; 0 leaves them out
    #[arg(long, default_value_t = 1_000)]
    streams: usize,
    /// How long they are watched, in seconds
    #[arg(long, default_value_t = 120)]
    seconds: u64,
    /// The directory for the results
    #[arg(long)]
    out: PathBuf,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

#[tokio::main]
async fn main() {
    let options = Options::parse();
    std::fs::create_dir_all(&options.out).unwrap();
    let mut results = json!({});
    if options.bodies > 0 {
        let arena = Arena::start().await;
        let rounds = bodies::run(
            &arena,
            options.bodies,
            options.megabytes * 1_000_000,
            options.rounds,
        )
        .await;
        bodies::print(&rounds);
        results["bodies"] = rounds.iter().map(bodies::Round::json).collect();
    }
    if options.streams > 0 {
        let arena = Arena::start().await;
        let watched = streams::run(&arena, options.streams, Duration::from_secs(options.seconds)).await;
        watched.print();
        results["streams"] = watched.json();
    }
    let path = options.out.join("memory.json");
    std::fs::write(&path, format!("{results:#}\n")).unwrap();
    println!("written to {}", path.display());
}
