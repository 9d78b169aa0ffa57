//! Variables and metrics that documents name exist.

use super::{documents, read, root};
use std::collections::BTreeSet;
use std::path::Path;

/// All that is written in the folders, of files with these endings.
fn written(folders: &[&str], endings: &[&str]) -> String {
    fn add(path: &Path, endings: &[&str], text: &mut String) {
        if path.is_dir() {
            for entry in std::fs::read_dir(path).unwrap() {
                let path = entry.unwrap().path();
                let hidden = ["node_modules", "target", "cdk.out"]
                    .iter()
                    .any(|name| path.ends_with(name));
                if !hidden {
                    add(&path, endings, text);
                }
            }
        } else if endings.iter().any(|end| path.to_string_lossy().ends_with(end)) {
            text.push_str(&std::fs::read_to_string(path).unwrap());
        }
    }
    let mut text = String::new();
    for folder in folders {
        add(&root().join(folder), endings, &mut text);
    }
    text
}

/// The words of a text that begin so.
fn words<'t>(text: &'t str, start: &'t str) -> impl Iterator<Item = &'t str> {
    text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_')
        .filter(move |word| word.starts_with(start))
}

#[test]
fn every_variable_that_a_document_names_is_read_somewhere() {
    let source = written(
        &[
            "crates",
            "dataplane",
            "controlplane",
            "cli",
            "standalone",
            "bedrock-sim",
            "xtask",
            "deploy",
            "docker-compose.yml",
            ".ci",
        ],
        &[".rs", ".toml", ".yml", ".env", ".ps1", ".sh", "run", "sbom"],
    );
    let known: BTreeSet<&str> = words(&source, "CCAG_").collect();
    assert!(known.len() > 40, "{known:?}");
    let mut looked_at = 0;
    for document in documents() {
        for variable in words(&read(&document), "CCAG_") {
            let base = variable.strip_suffix("_FILE").unwrap_or(variable);
            let is_prefix = base.ends_with('_');
            let is_known =
                known.contains(base) || is_prefix && known.iter().any(|name| name.starts_with(base));
            assert!(is_known, "{document} names {variable}, which nothing reads");
            looked_at += 1;
        }
    }
    assert!(looked_at > 100, "{looked_at}");
}

#[test]
fn every_metric_that_a_document_names_is_there() {
    // That page is held against what the processes expose.
    let page = read("docs/metrics.md");
    let rows = page
        .lines()
        .filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    let exposed: BTreeSet<&str> = rows.collect();
    let is_registered = |metric: &str| {
        let bare = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| metric.strip_suffix(end));
        // `ccag_dataplane_quota_*`
        let begins = metric.ends_with('_') && exposed.iter().any(|name| name.starts_with(metric));
        begins || exposed.contains(metric) || bare.is_some_and(|bare| exposed.contains(bare))
    };
    let mut looked_at = BTreeSet::new();
    for document in documents() {
        let text = read(&document);
        for start in [
            "ccag_dataplane_",
            "ccag_control_",
            "ccag_certificate_",
            "ccag_open_",
            "ccag_connections_",
        ] {
            for metric in words(&text, start) {
                assert!(
                    is_registered(metric),
                    "{document} names {metric}, which there is not"
                );
                looked_at.insert(metric.to_owned());
            }
        }
    }
    assert!(looked_at.len() > 20, "{looked_at:?}");
}
