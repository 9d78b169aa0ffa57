//! The documents say what the code does.

mod commands;
mod names;

use ccag_domain::Code;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every document: those at the top, and all below `docs` and `infra`.
fn documents() -> Vec<String> {
    let mut documents: Vec<String> = [
        "README.md",
        "CONTRIBUTING.md",
        "CHANGELOG.md",
        "SECURITY.md",
        "infra/README.md",
    ]
    .map(str::to_owned)
    .to_vec();
    for folder in ["docs", "docs/adr"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                documents.push(format!("{folder}/{name}"));
            }
        }
    }
    documents.sort();
    documents
}

/// Where the links of a text lead.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .map(|rest| rest.split(')').next().unwrap())
}

/// What can be named after the `#` of a link: headings, as GitHub writes them, and anchors.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut anchors = BTreeSet::new();
    let mut is_code = false;
    for line in text.lines() {
        is_code ^= line.trim_start().starts_with("```");
        if is_code || !line.starts_with('#') {
            continue;
        }
        let heading = line.trim_start_matches('#').trim().to_lowercase();
        let kept = heading
            .chars()
            .filter(|&c| c.is_alphanumeric() || "-_ ".contains(c));
        anchors.insert(kept.map(|c| if c == ' ' { '-' } else { c }).collect());
    }
    let ids = text.split("<a id=\"").skip(1);
    anchors.extend(ids.map(|rest| rest.split('"').next().unwrap().to_owned()));
    anchors
}

fn read(path: &str) -> String {
    std::fs::read_to_string(root().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

#[test]
fn every_refusal_is_documented_with_its_status_and_type() {
    let document = read("docs/errors.md");
    for code in Code::ALL {
        let anchor = format!("<a id=\"{0}\"></a>`{0}`", code.slug());
        let row = document
            .lines()
            .find(|line| line.contains(&anchor))
            .unwrap_or_else(|| panic!("{} is not in docs/errors.md", code.slug()));
        let facts = format!("| {} | `{}` |", code.status(), code.anthropic_type());
        assert!(row.contains(&facts), "{row} does not say {facts}");
    }
}

#[test]
fn every_variable_of_the_default_files_is_documented() {
    let document = read("docs/configuration.md");
    for file in ["dataplane/default.toml", "controlplane/default.toml"] {
        let text = read(file);
        let words = text.split(|c: char| !c.is_ascii_uppercase() && !c.is_ascii_digit() && c != '_');
        let ours = [
            "CCAG_",
            "DATABASE_",
            "DB_",
            "ADMIN_",
            "AWS_",
            "OTEL_",
            "RUST_LOG",
            "LOG_FORMAT",
        ];
        let variables: BTreeSet<&str> = words
            .filter(|word| ours.iter().any(|prefix| word.starts_with(prefix)))
            .filter(|word| !word.ends_with("_FILE"))
            .collect();
        assert!(variables.len() > 5, "{file}");
        for variable in variables {
            assert!(
                document.contains(&format!("`{variable}`")),
                "{variable} of {file} is not in docs/configuration.md"
            );
        }
    }
}

#[test]
fn what_the_documents_name_exists() {
    for document in documents() {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        for link in links(&text) {
            let (target, anchor) = link.split_once('#').unwrap_or((link, ""));
            if target.contains("://") {
                continue;
            }
            let path = if target.is_empty() {
                root().join(&document)
            } else {
                folder.join(target)
            };
            assert!(path.exists(), "{document} links to {target}");
            if !anchor.is_empty() && path.extension().is_some_and(|end| end == "md") {
                let there = anchors(&std::fs::read_to_string(&path).unwrap());
                assert!(
                    there.contains(anchor),
                    "{document} links to {link}: there is no such heading"
                );
            }
        }
        for code in text.split('`').skip(1).step_by(2) {
            let path = code.split("::").next().unwrap();
            let is_path = path.contains('/')
                && [
                    "crates/",
                    "controlplane/",
                    "dataplane/",
                    "cli/",
                    "standalone/",
                    "proto/",
                    "xtask/",
                    "docs/",
                    "infra/",
                    "helm/",
                    "deploy/",
                    ".github/",
                    ".ci/",
                ]
                .iter()
                .any(|top| path.starts_with(top));
            if is_path && !path.contains(' ') {
                assert!(root().join(path).exists(), "{document} names {path}");
            }
        }
    }
}

#[test]
fn every_document_is_in_the_index() {
    let index = read("docs/README.md");
    let named: BTreeSet<&str> = links(&index)
        .map(|link| link.split('#').next().unwrap())
        .collect();
    for document in documents() {
        let Some(name) = document.strip_prefix("docs/") else {
            continue;
        };
        // Decisions are listed by their folder.
        let named = name == "README.md" || name.starts_with("adr/") || named.contains(name);
        assert!(named, "{document} is not in docs/README.md");
    }
}
