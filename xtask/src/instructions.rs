//! `cargo xtask instructions`: how many instructions a recorded request and a whole answer take, by valgrind's callgrind, against
//! what they took when it was last accepted. Time differs from one machine and minute to the next; this does not.

use crate::tools::target_dir;
use anyhow::{Context, Result, bail, ensure};
use serde::{Deserialize, Serialize};
use std::path::Path;
use std::process::Command;

/// Where it is written what is expected.
const EXPECTED: &str = "bench/replay/expected.json";

/// By how much it may grow.
const MOST: f64 = 1.05;

/// Each is done so often, once and once more, and the difference counts: what the start takes does not.
const TIMES: [u64; 2] = [10, 60];

#[derive(Debug, Serialize, Deserialize)]
struct Expected {
    /// The compiler that it was counted with: another one makes other instructions.
    compiler: String,
    /// The processor that it was counted on, as far as libraries choose their ways by it.
    processor: String,
    /// Instructions for a request.
    request: u64,
    /// Instructions for an answer of two hundred events.
    answer: u64,
}

/// Counts, and compares with what is expected or, if that is wanted, expects it from now on.
///
/// # Errors
/// If it has grown by more than a twentieth, or cannot be counted.
pub(crate) fn run(root: &Path, accept: bool) -> Result<()> {
    let target = target_dir(root);
    let mut build = Command::new(env!("CARGO"));
    build.args(["build", "--release", "--locked", "-p", "ccag-replay"]);
    crate::tools::run(build.current_dir(root).env("CARGO_TARGET_DIR", &target))?;
    let program = target.join("release").join("ccag-replay");
    let now = Expected {
        compiler: compiler(root)?,
        processor: processor(),
        request: each(&program, "request")?,
        answer: each(&program, "answer")?,
    };
    let path = root.join(EXPECTED);
    if accept {
        std::fs::write(&path, serde_json::to_string_pretty(&now)? + "\n")?;
        println!("{EXPECTED}: {now:?}");
        return Ok(());
    }
    let expected = std::fs::read_to_string(&path).context(EXPECTED)?;
    let expected: Expected = serde_json::from_str(&expected).context(EXPECTED)?;
    let mut grown = Vec::new();
    for (what, now, then) in [
        ("a request", now.request, expected.request),
        ("an answer", now.answer, expected.answer),
    ] {
        let ratio = now as f64 / then as f64;
        println!("{what}: {now} instructions, {ratio:.3} of what is expected");
        if ratio > MOST {
            grown.push(format!(
                "{what} takes {now} instructions where {then} are expected"
            ));
        }
    }
    if grown.is_empty() {
        return Ok(());
    }
    if (&now.compiler, &now.processor) != (&expected.compiler, &expected.processor) {
        println!(
            "not compared: counted with {} on {}, expected with {} on {}",
            now.compiler, now.processor, expected.compiler, expected.processor
        );
        return Ok(());
    }
    bail!(
        "{}; if that is how it has to be, `cargo xtask instructions --accept`",
        grown.join(", ")
    )
}

fn compiler(root: &Path) -> Result<String> {
    let output = Command::new("rustc")
        .arg("--version")
        .current_dir(root)
        .output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// The maker of the processor, and what it can do of that by which libraries choose: copying, searching, checksums, base 64.
fn processor() -> String {
    const FEATURES: [&str; 6] = ["sse4_2", "pclmulqdq", "avx2", "erms", "fsrm", "asimd"];
    let info = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": "))
            .map_or("", |(_, value)| value)
    };
    let flags: Vec<&str> = field("flags")
        .split(' ')
        .chain(field("Features").split(' '))
        .collect();
    let maker = std::iter::once(field("vendor_id")).filter(|maker| !maker.is_empty());
    let known = FEATURES.into_iter().filter(|feature| flags.contains(feature));
    maker.chain(known).collect::<Vec<_>>().join(" ")
}

/// Instructions for one of so many.
fn each(program: &Path, what: &str) -> Result<u64> {
    let [few, many] = TIMES;
    let (less, more) = (counted(program, what, few)?, counted(program, what, many)?);
    Ok(more.saturating_sub(less) / (many - few))
}

fn counted(program: &Path, what: &str, times: u64) -> Result<u64> {
    let output = Command::new("valgrind")
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(program)
        .args([what, &times.to_string()])
        .output()
        .context("valgrind")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ccag-replay {what} failed:\n{said}");
    // "==1== Collected : 123456"
    let count = said.lines().find_map(|line| line.split("Collected :").nth(1));
    Ok(count.context("valgrind has counted nothing")?.trim().parse()?)
}
