//! `cargo xtask test`: everything that has to hold on every commit.

use crate::postgres::Postgres;
use crate::tools::{self, Tools, run, target_dir};
use crate::{arrows, contract, generate, infra, instructions, namespaces, supply};
use anyhow::{Context, Result, bail};
use std::path::Path;
use std::process::Command;

/// Which part of `cargo xtask test` to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Part {
    /// Formatting, arrows, generated code, lints
    Checks,
    /// The tests
    Tests,
}

/// What to run.
pub(crate) struct Plan<'a> {
    /// One part alone.
    pub(crate) only: Option<Part>,
    /// Leave out the end-to-end tests.
    pub(crate) fast: bool,
    /// For the test runner.
    pub(crate) runner_args: &'a [String],
}

/// Runs the plan's parts in order and stops at the first that fails.
pub(crate) fn run_all(root: &Path, plan: &Plan<'_>) -> Result<()> {
    // `-- some_name` asks for some tests, not for everything around them.
    let only = plan
        .only
        .or((!plan.runner_args.is_empty()).then_some(Part::Tests));
    let mut report = Report::default();
    let outcome = parts(root, plan, only, &mut report);
    println!("\n{}", report.summary(outcome.is_ok()));
    outcome
}

fn parts(root: &Path, plan: &Plan<'_>, only: Option<Part>, report: &mut Report) -> Result<()> {
    if only != Some(Part::Tests) {
        report.step(
            "formatting",
            || run(cargo(root).args(["fmt", "--all", "--check"])),
        )?;
        report.step("arrows", || arrows::run(root))?;
        report.step("dependencies", || supply::dependencies(root))?;
        report.step("generated code", || generate::run(root, true))?;
        report.step("contract between the planes", || contract::check(root))?;
        report.step("lints", || {
            run(cargo(root)
                .args(["clippy", "--workspace", "--all-targets", "--locked"])
                .args(["--", "-D", "warnings"]))
        })?;
    }
    if only != Some(Part::Checks) {
        let tools = report.step("tools", || tools::ensure(root))?;
        if plan.runner_args.is_empty() {
            report.step("chart", || {
                run(Command::new(&tools.python)
                    .arg(root.join("helm/tests/chart.py"))
                    .env("PYTHONPATH", &tools.helm)
                    .env("PYTHONDONTWRITEBYTECODE", "1"))
            })?;
            report.step("infra", || infra::test(root, &tools.node_dir))?;
            report.step("workflows and images", || supply::files(root))?;
            report.step("instructions", || instructions::run(root, false))?;
        }
        report.step("build", || build(root))?;
        if plan.runner_args.is_empty() && !plan.fast {
            report.step("planes in networks of their own", || {
                namespaces::test(root, &tools)
            })?;
        }
        report.step("tests", || tests(root, plan, &tools))?;
    }
    Ok(())
}

/// Builds the programs.
pub(crate) fn build(root: &Path) -> Result<()> {
    run(cargo(root).args(["build", "--workspace", "--bins", "--locked"]))
}

fn tests(root: &Path, plan: &Plan<'_>, tools: &Tools) -> Result<()> {
    let postgres = Postgres::start()?;
    let nextest = cargo(root)
        .args(["nextest", "--version"])
        .output()
        .is_ok_and(|output| output.status.success());
    let mut failures = Vec::new();
    for mut command in commands(root, plan, nextest) {
        command
            .env("CCAG_TEST_POSTGRES_URL", postgres.url())
            .env("CCAG_TEST_PYTHON", &tools.python)
            .env("CCAG_TEST_NODE_DIR", &tools.node_dir);
        if let Err(error) = run(&mut command) {
            failures.push(error.to_string());
        }
    }
    if !failures.is_empty() {
        bail!("{}", failures.join("; "));
    }
    Ok(())
}

/// nextest where it is installed, since it isolates and times out each test; cargo's own runner otherwise. The examples
/// in the documentation only the latter can run.
fn commands(root: &Path, plan: &Plan<'_>, nextest: bool) -> Vec<Command> {
    let base = |args: &[&str]| {
        let mut command = cargo(root);
        command
            .args(args)
            .args(["--workspace", "--locked", "--no-fail-fast"]);
        if plan.fast {
            command.args(["--exclude", "ccag-standalone"]);
        }
        command
    };
    let mut main = base(if nextest { &["nextest", "run"] } else { &["test"] });
    if !nextest {
        main.arg("--").args(["--test-threads", "2"]);
    } else if !plan.runner_args.is_empty() {
        main.arg("--no-tests=warn");
    }
    main.args(plan.runner_args);
    let mut all = vec![main];
    if nextest && plan.runner_args.is_empty() {
        all.push(base(&["test", "--doc"]));
    }
    all
}

fn cargo(root: &Path) -> Command {
    let mut command = Command::new(env!("CARGO"));
    // The tests find the built programs in the directory that this process builds into.
    command
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target_dir(root));
    command
}

/// What was done and how long it took.
#[derive(Default)]
struct Report {
    steps: Vec<(&'static str, u64)>,
}

impl Report {
    fn step<T>(&mut self, name: &'static str, work: impl FnOnce() -> Result<T>) -> Result<T> {
        println!("==> {name}");
        let clock = Stopwatch::start();
        let result = work();
        self.steps.push((name, clock.seconds()));
        result.with_context(|| format!("{name} failed"))
    }

    fn summary(&self, success: bool) -> String {
        let total: u64 = self.steps.iter().map(|(_, seconds)| seconds).sum();
        let steps: Vec<String> = self
            .steps
            .iter()
            .map(|(name, seconds)| format!("{name} {seconds} s"))
            .collect();
        let verdict = if success { "PASSED" } else { "FAILED" };
        format!(
            "{verdict} in {}:{:02} ({})",
            total / 60,
            total % 60,
            steps.join(", ")
        )
    }
}

/// How long something took, for people to read.
struct Stopwatch(std::time::Instant);

impl Stopwatch {
    #[expect(clippy::disallowed_methods, reason = "a build tool has no clock to be given")]
    fn start() -> Self {
        Self(std::time::Instant::now())
    }

    fn seconds(&self) -> u64 {
        self.0.elapsed().as_secs()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(command: &Command) -> String {
        command
            .get_args()
            .map(|a| a.to_string_lossy())
            .collect::<Vec<_>>()
            .join(" ")
    }

    #[test]
    fn documentation_examples_run_beside_nextest() {
        let plan = Plan {
            only: None,
            fast: false,
            runner_args: &[],
        };
        let all: Vec<String> = commands(Path::new("/"), &plan, true).iter().map(words).collect();
        assert_eq!(
            all,
            [
                "nextest run --workspace --locked --no-fail-fast",
                "test --doc --workspace --locked --no-fail-fast"
            ]
        );
    }

    #[test]
    fn a_filter_reaches_both_runners() {
        let filter = ["revoked".to_owned()];
        let plan = Plan {
            only: None,
            fast: true,
            runner_args: &filter,
        };
        for nextest in [true, false] {
            let all = commands(Path::new("/"), &plan, nextest);
            assert_eq!(all.len(), 1);
            assert!(words(&all[0]).ends_with("revoked"));
            assert!(words(&all[0]).contains("--exclude ccag-standalone"));
        }
    }
}
