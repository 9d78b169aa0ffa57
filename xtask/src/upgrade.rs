//! `cargo xtask upgrade`: a fleet of an older version, upgraded under load to this one, and back.

use crate::chaos;
use crate::tools::{run, target_dir};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// Builds the programs of another commit and lets the test of upgrades run with both.
pub(crate) fn run_from(root: &Path, reference: &str) -> Result<()> {
    let place = target_dir(root).join("upgrade");
    let (tree, target) = (place.join("tree"), place.join("target"));
    std::fs::create_dir_all(&place)?;
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words).current_dir(root);
        command
    };
    // The tree of an earlier run.
    if tree.exists() {
        run(git(&["worktree", "remove", "--force"]).arg(&tree))?;
    }
    run(git(&["worktree", "add", "--detach", "--force"])
        .arg(&tree)
        .arg(reference))?;
    let built = run(Command::new(env!("CARGO"))
        .args([
            "build",
            "--locked",
            "-p",
            "ccag-controlplane",
            "-p",
            "ccag-dataplane",
            "--bins",
        ])
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", &target));
    run(git(&["worktree", "remove", "--force"]).arg(&tree))?;
    built.with_context(|| format!("{reference} does not build"))?;
    let programs = target.join("debug").display().to_string();
    chaos::alone(root, "upgrade::", &[("CCAG_OLDER_PROGRAMS", programs)])
}
