//! `cargo xtask bench`: benchmarks of whole programs, built as they are released.

use crate::tools::{on_path, run, target_dir};
use anyhow::{Result, bail};
use std::path::Path;
use std::process::Command;

/// What is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Subject {
    /// How much memory large bodies and open streams take in a data plane
    Memory,
    /// What a request costs a data plane, beside the thinnest proxy that could do its work, and with and without budgets
    Speed,
    /// How a control plane does with 100,000 keys, 50 data planes and a million records
    ControlPlane,
    /// How long the pages of the console take, and what they read, with the history that `cargo xtask history` wrote
    Console,
}

/// Builds the programs and the benchmark, and runs it.
pub(crate) fn run_one(root: &Path, subject: Subject, args: &[String]) -> Result<()> {
    if args.iter().any(|arg| arg == "--instructions") && !on_path("callgrind_control") {
        bail!("to count instructions takes valgrind:\n  apt-get install valgrind");
    }
    let name = match subject {
        Subject::Memory => "memory",
        Subject::Console => return at_size(root, "console", args),
        Subject::Speed => return whole(root, "speed", args),
        Subject::ControlPlane => return whole(root, "control-plane", args),
    };
    let target = target_dir(root);
    let cargo = |words: &[&str]| {
        let mut command = Command::new(env!("CARGO"));
        command
            .args(words)
            .current_dir(root)
            .env("CARGO_TARGET_DIR", &target);
        command
    };
    let mut build = cargo(&["build", "--release", "--locked", "--bins"]);
    for program in ["ccag-controlplane", "ccag-dataplane"] {
        build.args(["-p", program]);
    }
    run(&mut build)?;
    // The benchmark finds the programs beside its own.
    let mut bench = cargo(&["bench", "--locked", "-p", "ccag-standalone", "--bench", name]);
    bench.arg("--").arg("--out").arg(target.join("bench").join(name));
    run(bench.args(args))
}

/// Builds the programs as images have them, and measures.
fn whole(root: &Path, task: &str, args: &[String]) -> Result<()> {
    let target = target_dir(root);
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--profile", "dist", "--locked", "--bins"]);
    for package in ["ccag-bench", "ccag-controlplane", "ccag-dataplane"] {
        build.args(["-p", package]);
    }
    if args.iter().any(|arg| arg == "--instructions") {
        // A profile without names says little.
        build.env("CARGO_PROFILE_DIST_STRIP", "debuginfo");
    }
    run(build.current_dir(root).env("CARGO_TARGET_DIR", &target))?;
    let mut bench = Command::new(target.join("dist").join("ccag-bench"));
    run(bench
        .arg(task)
        .arg("--out")
        .arg(target.join("bench").join(task))
        .args(args)
        .current_dir(root))
}

/// Writes a history (`history`), or looks at the pages of the console with it (`console`).
pub(crate) fn at_size(root: &Path, task: &str, args: &[String]) -> Result<()> {
    let mut bench = Command::new(env!("CARGO"));
    bench
        .args([
            "bench",
            "--locked",
            "-p",
            "ccag-controlplane",
            "--bench",
            "scale",
            "--",
            task,
        ])
        .current_dir(root)
        .env("CARGO_TARGET_DIR", target_dir(root));
    run(bench.args(args))
}
