//! The documents say what the code does.

use ccag_domain::Code;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
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
    let mut documents = vec![
        "README.md".into(),
        "CONTRIBUTING.md".into(),
        "CHANGELOG.md".into(),
    ];
    for folder in ["docs", "docs/adr"] {
        for entry in std::fs::read_dir(root().join(folder)).unwrap() {
            let name = entry.unwrap().file_name().into_string().unwrap();
            if name.ends_with(".md") {
                documents.push(format!("{folder}/{name}"));
            }
        }
    }
    for document in documents {
        let text = read(&document);
        let folder = root().join(&document).parent().unwrap().to_owned();
        for link in text
            .split("](")
            .skip(1)
            .map(|rest| rest.split(')').next().unwrap())
        {
            let target = link.split('#').next().unwrap();
            if !target.is_empty() && !target.contains("://") {
                assert!(folder.join(target).exists(), "{document} links to {target}");
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
                ]
                .iter()
                .any(|top| path.starts_with(top));
            if is_path && !path.contains(' ') {
                assert!(root().join(path).exists(), "{document} names {path}");
            }
        }
    }
}
