//! `cargo xtask namespaces`: both planes as the chart sets them up, each in a network of its own; and as an operator does who follows
//! `docs/two-planes.md`.

use crate::postgres;
use crate::tools::{Tools, run, target_dir};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Runs the programs that were built, where network namespaces can be made: that takes root, and a kernel that lets it.
///
/// # Errors
/// If something does not hold.
pub(crate) fn test(root: &Path, tools: &Tools) -> Result<()> {
    if !can_make_them() {
        println!("left out: it takes root, and the right to make network namespaces");
        return Ok(());
    }
    let binaries = postgres::bin_dir().context("PostgreSQL is not installed")?;
    for script in ["helm/tests/namespaces.py", "deploy/tests/two_planes.py"] {
        run(Command::new(&tools.python)
            .arg(root.join(script))
            .arg("--programs")
            .arg(target_dir(root).join("debug"))
            .arg("--postgres")
            .arg(&binaries)
            .env("PYTHONPATH", &tools.helm)
            .env("PYTHONDONTWRITEBYTECODE", "1"))?;
    }
    Ok(())
}

fn can_make_them() -> bool {
    let probe = format!("ccag-probe-{}", std::process::id());
    let ip = |verb: &str| Command::new("ip").args(["netns", verb, &probe]).output();
    let is_made = ip("add").is_ok_and(|output| output.status.success());
    is_made && ip("del").is_ok()
}
