//! Project tasks: `cargo xtask test | chaos | affinity | upgrade | bench | arrows | dependencies | infra | files |
//! instructions | namespaces | gen`.
#![expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "a command-line tool talks to its user"
)]

mod arrows;
mod bench;
mod chaos;
mod contract;
mod generate;
mod infra;
mod instructions;
mod namespaces;
mod postgres;
mod steps;
mod supply;
mod tools;
mod upgrade;

use anyhow::{Context, Result};
use clap::{Parser, Subcommand};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Project tasks")]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Subcommand)]
enum Task {
    /// Install what the tests need, then check and test everything
    Test {
        /// Only one part
        #[arg(long, value_enum)]
        only: Option<steps::Part>,
        /// Without the end-to-end tests
        #[arg(long)]
        fast: bool,
        /// Passed to the test runner, for example a part of a test's name; then only tests run
        #[arg(last = true)]
        runner_args: Vec<String>,
    },
    /// Install what the tests need and print where it is, for running tests by hand
    Tools,
    /// Measure the programs as they are released
    Bench {
        #[arg(value_enum)]
        subject: bench::Subject,
        /// Passed to the benchmark; `-- --help` lists what it understands
        #[arg(last = true)]
        args: Vec<String>,
    },
    /// Write the history of a large organisation into an empty database, for `bench console`
    History {
        /// `--database URL`, and how large: `--help` lists the rest
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        args: Vec<String>,
    },
    /// Kill, stop and cut off data planes, control planes and the database under load, and check that nothing is lost
    Chaos {
        /// For how long things go wrong
        #[arg(long, default_value_t = 300)]
        seconds: u64,
        /// What goes wrong when is drawn from this
        #[arg(long, default_value_t = 7)]
        seed: u64,
        /// Where the configuration and the ledger are kept
        #[arg(long, value_enum, default_value = "postgres")]
        database: chaos::Database,
    },
    /// Let conversations find their prompts in caches over four data planes and six endpoints, and while one is out
    Affinity {
        /// How many conversations, each of twenty turns
        #[arg(long, default_value_t = 500)]
        conversations: usize,
    },
    /// Upgrade a fleet of an older version under load, and check that nothing is lost
    Upgrade {
        /// The commit, branch or tag that is upgraded from
        #[arg(long)]
        from: String,
    },
    /// Check which crate may depend on which
    Arrows,
    /// Check the licences and the sources of all crates against deny.toml
    Dependencies,
    /// Test the CDK app in infra
    Infra,
    /// Count what a request and an answer take of a data plane, and fail where it has grown
    Instructions {
        /// Take what is counted now for what is to be expected
        #[arg(long)]
        accept: bool,
    },
    /// Run both planes, as the chart sets them up, in networks of their own
    Namespaces,
    /// Check the workflows, the Dockerfile and the Compose file
    Files,
    /// Regenerate committed code from the .proto files
    Gen {
        /// Change nothing; fail if the committed code is stale
        #[arg(long)]
        check: bool,
        /// For a release: write down what planes say to each other as what later versions have to understand
        #[arg(long, conflicts_with = "check")]
        release: bool,
    },
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run() -> Result<()> {
    let root = workspace_root()?;
    match Cli::parse().task {
        Task::Test {
            only,
            fast,
            runner_args,
        } => steps::run_all(
            &root,
            &steps::Plan {
                only,
                fast,
                runner_args: &runner_args,
            },
        ),
        Task::Tools => {
            let tools = tools::ensure(&root)?;
            println!("export CCAG_TEST_PYTHON={}", tools.python.display());
            println!("export CCAG_TEST_NODE_DIR={}", tools.node_dir.display());
            Ok(())
        }
        Task::Bench { subject, args } => bench::run_one(&root, subject, &args),
        Task::History { args } => bench::at_size(&root, "history", &args),
        Task::Chaos {
            seconds,
            seed,
            database,
        } => chaos::run_one(&root, seconds, seed, database),
        Task::Affinity { conversations } => chaos::run_affinity(&root, conversations),
        Task::Arrows => arrows::run(&root),
        Task::Upgrade { from } => upgrade::run_from(&root, &from),
        Task::Gen { check, release } => {
            if release {
                contract::release(&root)?;
            }
            contract::check(&root)?;
            generate::run(&root, check)
        }
        Task::Dependencies => supply::dependencies(&root),
        Task::Infra => infra::test(&root, &tools::ensure(&root)?.node_dir),
        Task::Instructions { accept } => {
            tools::ensure(&root)?;
            instructions::run(&root, accept)
        }
        Task::Namespaces => {
            let tools = tools::ensure(&root)?;
            steps::build(&root)?;
            namespaces::test(&root, &tools)
        }
        Task::Files => supply::files(&root),
    }
}

fn workspace_root() -> Result<PathBuf> {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    Ok(here.parent().context("xtask stands alone")?.to_owned())
}
