//! What budgets and limits cost: the CPU time that a data plane needs for a request of somebody whom three budgets and two
//! limits bound, as a ratio to what it needs for the same request of somebody whom none does. Run it with
//! `cargo xtask bench governance`; `docs/performance.md` says how to read it.
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
mod load;
mod report;

use arena::Arena;
use clap::Parser;
use load::Shape;
use report::Results;
use std::path::PathBuf;
use std::time::Duration;

/// How the benchmark is run.
#[derive(Debug, Parser)]
#[command(about = "What budgets and limits cost")]
pub(crate) struct Options {
    /// Blocks for each shape of request
    #[arg(long, default_value_t = 20)]
    blocks: usize,
    /// How long a block is, in seconds; by default 2, or 8 where instructions are counted
    #[arg(long)]
    seconds: Option<u64>,
    /// Only one shape
    #[arg(long, value_enum)]
    shape: Option<Shape>,
    /// Count instructions with valgrind's callgrind rather than time
    #[arg(long)]
    instructions: bool,
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
    let callgrind = options.instructions.then(|| options.out.join("callgrind"));
    let arena = Arena::start(callgrind.as_deref()).await;
    let mut results = Results::new(&options);
    let seconds = options
        .seconds
        .unwrap_or(if options.instructions { 8 } else { 2 });
    for shape in [Shape::Message, Shape::Stream] {
        if options.shape.is_some_and(|only| only != shape) {
            continue;
        }
        // Each data plane has each user as often as the other, so that what differs between the two favours neither.
        for swapped in [false, true] {
            let blocks = options.blocks.div_ceil(2);
            let pairs = arena
                .run(shape, swapped, blocks, Duration::from_secs(seconds))
                .await;
            results.pairs.extend(pairs);
        }
    }
    results.print();
    results.write(&options.out);
}
