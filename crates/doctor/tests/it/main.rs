//! What the document says is what is looked at.
#![expect(clippy::unwrap_used, reason = "tests")]

use ccag_doctor::checks::ALL;
use ccag_doctor::{Check, Program};
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

const BEGIN: &str = "<!-- checks -->\n";
const END: &str = "<!-- /checks -->";

fn docs() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn row(check: &Check) -> String {
    let by = |program: &Program| match program {
        Program::ControlPlane => "control plane",
        Program::DataPlane => "data plane",
        Program::Doctor => "`ccag doctor`",
    };
    let by: Vec<&str> = check.by.iter().map(by).collect();
    let page = match check.page.split_once('#') {
        Some(("doctor.md", anchor)) => format!("[above](#{anchor})"),
        _ => format!("[{}]({})", check.page.split('#').next().unwrap(), check.page),
    };
    format!(
        "| <a id=\"{0}\"></a>`{0}` | {1} | {2} | {3} | {page} |\n",
        check.id,
        by.join(", "),
        check.looks_at,
        check.finds
    )
}

#[test]
fn the_document_lists_every_check() {
    let rows: String = ALL.iter().map(|check| row(check)).collect();
    let table = format!("| check | by | looks at | finds | more |\n|---|---|---|---|---|\n{rows}");
    let path = docs().join("doctor.md");
    let text = std::fs::read_to_string(&path).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (there, after) = rest.split_once(END).unwrap();
    if std::env::var_os("CCAG_UPDATE_DOCS").is_some() {
        std::fs::write(&path, format!("{before}{BEGIN}{table}{END}{after}")).unwrap();
        return;
    }
    assert!(
        there == table,
        "docs/doctor.md is not what the code says; CCAG_UPDATE_DOCS=1 writes it anew"
    );
}

/// A heading as it is linked to.
fn anchor(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let kept = kept
        .chars()
        .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[test]
fn every_page_that_a_finding_leads_to_is_there() {
    for check in ALL {
        let (page, wanted) = check.page.split_once('#').unwrap_or((check.page, ""));
        let text =
            std::fs::read_to_string(docs().join(page)).unwrap_or_else(|_| panic!("{page} of {}", check.id));
        let headings = text.lines().filter_map(|line| line.strip_prefix('#'));
        let anchors: BTreeSet<String> = headings
            .map(|line| anchor(line.trim_start_matches('#')))
            .collect();
        assert!(
            wanted.is_empty() || anchors.contains(wanted),
            "{} leads to {}, and there is {anchors:?}",
            check.id,
            check.page
        );
    }
}

#[test]
fn checks_have_names_of_their_own() {
    let ids: BTreeSet<&str> = ALL.iter().map(|check| check.id).collect();
    assert_eq!(ids.len(), ALL.len());
    assert!(ids.len() >= 40, "{}", ids.len());
}
