//! `cargo xtask chaos` and `cargo xtask affinity`: tests that are run in a small way with all others, as large as one wants.

use crate::postgres::Postgres;
use crate::tools::{self, run, target_dir};
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
    let database = match database {
        Database::Sqlite => "sqlite",
        Database::Postgres => "postgres",
    };
    let variables = [
        ("CCAG_CHAOS_SECONDS", seconds.to_string()),
        ("CCAG_CHAOS_SEED", seed.to_string()),
        ("CCAG_CHAOS_DATABASE", database.to_owned()),
    ];
    alone(root, "chaos::", &variables)
}

/// Builds the programs and lets so many conversations find their caches.
pub(crate) fn run_affinity(root: &Path, conversations: usize) -> Result<()> {
    let variables = [("CCAG_TEST_CONVERSATIONS", conversations.to_string())];
    alone(root, "affinity::", &variables)
}

/// Runs end-to-end tests by themselves.
pub(crate) fn alone(root: &Path, tests: &str, variables: &[(&str, String)]) -> Result<()> {
    let tools = tools::ensure(root)?;
    let postgres = Postgres::start()?;
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
    test.args(["--", "--nocapture", "--test-threads", "1", tests])
        .env("CCAG_TEST_PYTHON", &tools.python)
        .env("CCAG_TEST_NODE_DIR", &tools.node_dir)
        .env("CCAG_TEST_POSTGRES_URL", postgres.url())
        .envs(variables.iter().map(|(name, value)| (name, value)));
    run(&mut test)
}
