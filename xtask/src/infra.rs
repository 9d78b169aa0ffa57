//! The tests of `infra/`: what is deployed on AWS, made as it would be, and looked at.

use crate::postgres::Postgres;
use crate::tools::{run, target_dir};
use anyhow::{Context, Result};
use std::path::Path;
use std::process::Command;

/// What is copied beside the build products, so that no packages come into the tree.
const COPIED: [&str; 8] = [
    "package.json",
    "package-lock.json",
    "tsconfig.json",
    "cdk.json",
    "bin",
    "lib",
    "assets",
    "test",
];

/// Installs the packages that the lockfile names, if they are not there, and runs the tests with the Node.js in `node_dir`.
pub(crate) fn test(root: &Path, node_dir: &Path) -> Result<()> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let node = [node_dir.join("node_modules/node/bin")];
    let path = std::env::join_paths(node.into_iter().chain(std::env::split_paths(&path)))?;
    let home = target_dir(root).join("test-tools/infra");
    std::fs::create_dir_all(&home)?;
    for name in COPIED {
        let (from, to) = (root.join("infra").join(name), home.join(name));
        if to.is_dir() {
            std::fs::remove_dir_all(&to)?;
        }
        copy(&from, &to).with_context(|| format!("cannot copy {}", from.display()))?;
    }
    let stamp = home.join("installed");
    let wanted = std::fs::read_to_string(home.join("package-lock.json"))?;
    if !std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        println!("installing the packages of infra");
        run(Command::new("npm")
            .args(["ci", "--silent", "--no-audit", "--no-fund"])
            .env("PATH", &path)
            .current_dir(&home))?;
        std::fs::write(&stamp, wanted)?;
    }
    let postgres = Postgres::start()?;
    run(Command::new("npm")
        .args(["test", "--silent"])
        .current_dir(&home)
        .env("PATH", path)
        .env("CCAG_ROOT", root)
        .env("CCAG_TEST_POSTGRES_URL", postgres.url()))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    if !from.is_dir() {
        std::fs::copy(from, to)?;
        return Ok(());
    }
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        copy(&entry.path(), &to.join(entry.file_name()))?;
    }
    Ok(())
}
