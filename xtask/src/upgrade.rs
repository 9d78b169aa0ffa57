//! `cargo xtask upgrade`: a fleet of an older version, upgraded under load to this one, and back.

use crate::chaos;
use crate::tools::{run, target_dir};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// What is needed of the older version.
const PROGRAMS: [&str; 2] = ["ccag-controlplane", "ccag-dataplane"];

/// Builds the programs of another commit and lets the test of upgrades run with both. They are built among the products of this
/// version, so that what has not changed between them is not built again, and taken aside before this version's come in their place.
pub(crate) fn run_from(root: &Path, reference: &str) -> Result<()> {
    let target = target_dir(root);
    let place = target.join("upgrade");
    let (tree, programs) = (place.join("tree"), place.join("programs"));
    std::fs::create_dir_all(&programs)?;
    let git = |words: &[&str]| {
        let mut command = Command::new("git");
        command.args(words).current_dir(root);
        command
    };
    // The tree of a run that was broken off; and git's memory of one whose folder somebody has removed.
    if tree.exists() {
        run(git(&["worktree", "remove", "--force"]).arg(&tree))?;
    }
    run(&mut git(&["worktree", "prune"]))?;
    run(git(&["worktree", "add", "--detach"]).arg(&tree).arg(reference))?;
    let mut build = Command::new(env!("CARGO"));
    build
        .args(["build", "--locked", "--bins"])
        .current_dir(&tree)
        .env("CARGO_TARGET_DIR", &target);
    for program in PROGRAMS {
        build.args(["-p", program]);
    }
    let built = run(&mut build);
    run(git(&["worktree", "remove", "--force"]).arg(&tree))?;
    built.with_context(|| format!("{reference} does not build"))?;
    for program in PROGRAMS {
        let from = target.join("debug").join(program);
        // Not a second name of the same file: cargo writes the next program over it.
        std::fs::copy(&from, programs.join(program))
            .with_context(|| format!("{} cannot be taken aside", from.display()))?;
    }
    let programs = programs.display().to_string();
    chaos::alone(root, "upgrade::", &[("CCAG_OLDER_PROGRAMS", programs)])
}
