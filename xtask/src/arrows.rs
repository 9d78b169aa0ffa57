//! `cargo xtask arrows`: which crate may depend on which, held against `cargo metadata`.

use anyhow::{Context, Result, bail};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::path::Path;
use std::process::Command;

/// Every crate of ours and the ones of ours that it may name.
const ALLOWED: &[(&str, &[&str])] = &[
    ("bedrock-sim", &[]),
    (
        "ccag-bench",
        &[
            "bedrock-sim",
            "ccag-domain",
            "ccag-free-port",
            "ccag-proto",
            "ccag-translate",
        ],
    ),
    ("ccag", &["ccag-admin-api", "ccag-doctor", "ccag-domain"]),
    ("ccag-admin-api", &["ccag-domain"]),
    ("ccag-allowance", &[]),
    ("ccag-aws", &["ccag-doctor", "ccag-domain"]),
    ("ccag-console", &["ccag-domain"]),
    (
        "ccag-controlplane",
        &[
            "ccag-admin-api",
            "ccag-allowance",
            "ccag-aws",
            "ccag-console",
            "ccag-daemon",
            "ccag-doctor",
            "ccag-domain",
            "ccag-free-port",
            "ccag-migrations",
            "ccag-proto",
            "ccag-scim",
            "ccag-search",
            "ccag-session-token",
            "ccag-translate",
        ],
    ),
    ("ccag-certificate", &[]),
    ("ccag-daemon", &["ccag-certificate", "ccag-domain"]),
    (
        "ccag-dataplane",
        &[
            "ccag-allowance",
            "ccag-aws",
            "ccag-daemon",
            "ccag-doctor",
            "ccag-domain",
            "ccag-free-port",
            "ccag-proto",
            "ccag-search",
            "ccag-session-token",
            "ccag-translate",
        ],
    ),
    ("ccag-doctor", &["ccag-certificate"]),
    ("ccag-domain", &[]),
    ("ccag-free-port", &[]),
    ("ccag-migrations", &[]),
    ("ccag-proto", &["ccag-domain"]),
    ("ccag-replay", &["ccag-domain", "ccag-translate"]),
    ("ccag-scim", &[]),
    ("ccag-search", &["ccag-domain"]),
    ("ccag-session-token", &["ccag-domain"]),
    (
        "ccag-standalone",
        &[
            "bedrock-sim",
            "ccag-aws",
            "ccag-bench",
            "ccag-controlplane",
            "ccag-daemon",
            "ccag-dataplane",
            "ccag-doctor",
            "ccag-domain",
            "ccag-free-port",
            "ccag-proto",
        ],
    ),
    ("ccag-translate", &["ccag-domain"]),
    ("xtask", &[]),
];

/// What a crate must not link, however far down, and why.
const FORBIDDEN: &[(&str, &[&str], &str)] = &[
    (
        "ccag-dataplane",
        &["sea-orm", "sqlx", "sqlx-core", "leptos", "openidconnect"],
        "a data plane has no database, no pages and no identity provider",
    ),
    (
        "ccag-translate",
        &["tokio", "hyper", "axum", "reqwest", "tonic"],
        "translation is pure: no I/O, no async",
    ),
    (
        "ccag-scim",
        &["tokio", "axum", "sea-orm"],
        "SCIM without a server is pure: no I/O, no async",
    ),
    (
        "ccag-search",
        &["sea-orm", "sqlx", "axum", "tonic"],
        "both planes search with it",
    ),
    (
        "ccag-domain",
        &["tokio", "hyper", "axum", "tonic", "prost", "sea-orm"],
        "the domain is pure: no I/O, no async",
    ),
    (
        "ccag-console",
        &["axum", "sea-orm", "sqlx", "tonic"],
        "the console turns values into HTML",
    ),
    (
        "ccag",
        &["sea-orm", "sqlx", "sqlx-core"],
        "the CLI speaks to the admin API alone",
    ),
    (
        "ccag-proto",
        &["sea-orm", "axum-extra", "leptos"],
        "the contract is messages and conversions alone",
    ),
    (
        "ccag-aws",
        &["axum", "sea-orm", "tonic", "leptos"],
        "what both planes need of AWS, and nothing else",
    ),
    (
        "ccag-migrations",
        &["leptos", "tonic"],
        "migrations are schema alone",
    ),
];

#[derive(Deserialize)]
struct Metadata {
    packages: Vec<Package>,
    workspace_members: Vec<String>,
    resolve: Resolve,
}

#[derive(Deserialize)]
struct Package {
    id: String,
    name: String,
}

#[derive(Deserialize)]
struct Resolve {
    nodes: Vec<Node>,
}

#[derive(Deserialize)]
struct Node {
    id: String,
    deps: Vec<Dep>,
}

#[derive(Deserialize)]
struct Dep {
    pkg: String,
    dep_kinds: Vec<DepKind>,
}

#[derive(Deserialize)]
struct DepKind {
    kind: Option<String>,
}

/// Fails with every arrow that should not be.
pub(crate) fn run(root: &Path) -> Result<()> {
    let output = Command::new(env!("CARGO"))
        .args(["metadata", "--format-version=1", "--locked"])
        .current_dir(root)
        .output()
        .context("cannot run cargo metadata")?;
    if !output.status.success() {
        bail!(
            "cargo metadata failed:\n{}",
            String::from_utf8_lossy(&output.stderr)
        );
    }
    let metadata: Metadata = serde_json::from_slice(&output.stdout)?;
    let faults = faults(&metadata);
    if !faults.is_empty() {
        bail!("these arrows should not be:\n  {}", faults.join("\n  "));
    }
    println!("arrows: {} crates as drawn", metadata.workspace_members.len());
    Ok(())
}

fn faults(metadata: &Metadata) -> Vec<String> {
    let names: BTreeMap<&str, &str> = metadata
        .packages
        .iter()
        .map(|p| (p.id.as_str(), p.name.as_str()))
        .collect();
    let ours: BTreeSet<&str> = metadata
        .workspace_members
        .iter()
        .map(|id| names[id.as_str()])
        .collect();
    let mut graph: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for node in &metadata.resolve.nodes {
        let linked = node
            .deps
            .iter()
            .filter(|d| d.dep_kinds.iter().any(|k| k.kind.is_none()));
        graph
            .entry(names[node.id.as_str()])
            .or_default()
            .extend(linked.map(|d| names[d.pkg.as_str()]));
    }
    let mut faults = Vec::new();
    for &name in &ours {
        let Some((_, allowed)) = ALLOWED.iter().find(|(n, _)| *n == name) else {
            faults.push(format!(
                "{name} is not in the drawing: add it to xtask/src/arrows.rs"
            ));
            continue;
        };
        for dependency in graph[name].iter().filter(|d| ours.contains(*d)) {
            if !allowed.contains(dependency) {
                faults.push(format!("{name} -> {dependency}"));
            }
        }
    }
    for (name, forbidden, reason) in FORBIDDEN {
        for target in *forbidden {
            if let Some(path) = path(&graph, name, target) {
                faults.push(format!("{} ({reason})", path.join(" -> ")));
            }
        }
    }
    faults
}

/// The shortest way from one package to another, if there is one.
fn path<'a>(graph: &BTreeMap<&'a str, BTreeSet<&'a str>>, from: &'a str, to: &str) -> Option<Vec<&'a str>> {
    let mut queue = VecDeque::from([vec![from]]);
    let mut seen = BTreeSet::from([from]);
    while let Some(way) = queue.pop_front() {
        let last = *way.last()?;
        if last == to {
            return Some(way);
        }
        for &next in graph.get(last).into_iter().flatten() {
            if seen.insert(next) {
                let mut longer = way.clone();
                longer.push(next);
                queue.push_back(longer);
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_crate_is_found_however_far_down() {
        let graph = BTreeMap::from([
            ("ccag-dataplane", BTreeSet::from(["a"])),
            ("a", BTreeSet::from(["b"])),
            ("b", BTreeSet::from(["sqlx"])),
        ]);
        assert_eq!(
            path(&graph, "ccag-dataplane", "sqlx").unwrap(),
            ["ccag-dataplane", "a", "b", "sqlx"]
        );
        assert_eq!(path(&graph, "a", "ccag-dataplane"), None);
    }
}
