//! `cargo xtask chaos`: the test in which everything goes wrong, for as long and with the seed that one wants.

use crate::tools::{run, target_dir};
use anyhow::Result;
use std::path::Path;
use std::process::Command;

/// Where the configuration and the ledger are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Database {
    /// One control plane, on a file
    Sqlite,
    /// Two control planes, on a server of their own that is stopped, too
    Postgres,
}

/// Builds the programs and lets things go wrong with them for so many seconds.
pub(crate) fn run_one(root: &Path, seconds: u64, seed: u64, database: Database) -> Result<()> {
    let target = target_dir(root);
    let cargo = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(words)
            .current_dir(root)
            .env("CARGO_TARGET_DIR", &target);
        command
    };
    // The test finds the programs beside its own.
    run(&mut cargo(&["build", "--workspace", "--bins", "--locked"]))?;
    // Not nextest, which ends a test that takes longer than five minutes.
    let mut test = cargo(&["test", "--locked", "-p", "ccag-standalone", "--test", "it"]);
    test.args(["--", "--nocapture", "--test-threads", "1", "chaos::"])
        .env("CCAG_CHAOS_SECONDS", seconds.to_string())
        .env("CCAG_CHAOS_SEED", seed.to_string())
        .env(
            "CCAG_CHAOS_DATABASE",
            match database {
                Database::Sqlite => "sqlite",
                Database::Postgres => "postgres",
            },
        );
    run(&mut test)
}
