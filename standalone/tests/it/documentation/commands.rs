//! Commands in documents are those that there are; and those of the first steps are run.

use super::{documents, read};
use crate::command_line::Terminal;
use crate::harness::{binary, standalone};
use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;

/// Programs in documents that are not run by this test, and why.
const ELSEWHERE: &[(&str, &str)] = &[
    (
        "cargo",
        "builds and tests the project, which a test of the project cannot; the first command is what `first_start` starts",
    ),
    (
        "claude",
        "is run against the gateway by `claude_code` and `setup`",
    ),
    (
        "curl",
        "the addresses are examples; the routes are tested where they are, and the setup script by `setup`",
    ),
    (
        "ccag-controlplane",
        "is started with these variables by every test of two planes",
    ),
    (
        "ccag-dataplane",
        "is started with these variables by every test of two planes",
    ),
    (
        "ccag-standalone",
        "`--check-config` of all three servers is run by `doctor`",
    ),
    ("export", "sets variables for what follows"),
    ("cd", "leads to what follows"),
    ("for", "repeats what follows"),
    ("done", "ends it"),
    ("openssl", "is no part of the project"),
    (
        "install",
        "is run with the whole of `docs/two-planes.md` by `deploy/tests/two_planes.py`, as are the others of an operator's first steps",
    ),
    ("useradd", "is run there"),
    ("sh", "is run there"),
    ("chgrp", "is run there"),
    ("chmod", "is run there"),
    ("runuser", "is run there"),
    ("echo", "is run there"),
    ("until", "is run there"),
    ("nginx", "is run there"),
    (
        "systemctl",
        "is run there, as far as it starts and reloads what the page says",
    ),
    (
        "openapi-python-client",
        "is run by the tests of the control plane's OpenAPI document",
    ),
    (
        "helm",
        "needs a cluster; what it would install is tested by `helm/tests/chart.py`",
    ),
    ("kubectl", "needs a cluster"),
    ("aws", "needs an account of AWS"),
    ("docker", "needs a container engine"),
    ("npm", "is run by `cargo xtask infra`"),
    (
        "npx",
        "needs an account of AWS; what it would deploy is tested by `cargo xtask infra`",
    ),
    ("bin/plane-certificate.sh", "is run by `cargo xtask infra`"),
];

/// The commands in a document: in blocks of the shell, and in the text if they are `ccag`'s.
fn commands(text: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut block: Option<String> = None;
    for line in text.lines() {
        let fence = line.trim_start().strip_prefix("```");
        match (&mut block, fence) {
            (None, Some(kind)) => {
                block = Some(String::new());
                if !["sh", "bash", "console"].contains(&kind.trim()) {
                    // Not the shell's: it is left out.
                    block = Some("\0".to_owned());
                }
            }
            (Some(code), Some(_)) => {
                if !code.starts_with('\0') {
                    found.extend(of_a_shell(code));
                }
                block = None;
            }
            (Some(code), None) => {
                code.push_str(line.trim_start());
                code.push('\n');
            }
            (None, None) if line.starts_with("    ccag ") => found.extend(of_a_shell(line.trim())),
            (None, None) => {
                let spans = line.split('`').skip(1).step_by(2);
                found.extend(spans.filter(|code| code.starts_with("ccag ")).map(str::to_owned));
            }
        }
    }
    found
}

/// The commands of a script: each as far as its own words go, without comments, and without what it is given to read.
fn of_a_shell(code: &str) -> Vec<String> {
    let mut found = Vec::new();
    let mut command = String::new();
    let mut quote = None;
    let mut lines = code.lines();
    while let Some(line) = lines.next() {
        let mut before = ' ';
        for c in line.chars() {
            match quote {
                Some(open) if c == open => quote = None,
                None if c == '\'' || c == '"' => quote = Some(c),
                None if c == '#' && before.is_whitespace() => break,
                _ => {}
            }
            command.push(c);
            before = c;
        }
        if quote.is_none() && command.trim_end().ends_with('\\') {
            command = format!("{} ", command.trim_end().trim_end_matches('\\'));
            continue;
        }
        if quote.is_some() {
            command.push('\n');
            continue;
        }
        if let Some((_, end)) = command.split_once("<<") {
            let end = end.trim_matches(['\'', '"', '-', ' ']).to_owned();
            let _ = lines.find(|line| *line == end);
        }
        found.extend((!command.trim().is_empty()).then(|| command.trim().to_owned()));
        command.clear();
    }
    found
}

/// The words of a command, up to where another begins or its output goes somewhere; and without what is set for it.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut quote = None;
    for c in command.chars().chain([' ']) {
        match quote {
            Some(open) if c == open => quote = None,
            Some(_) => word.push(c),
            None if c == '\'' || c == '"' => quote = Some(c),
            None if c.is_whitespace() => {
                if !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
            }
            None => word.push(c),
        }
    }
    let is_set = |word: &String| {
        word.split_once('=')
            .is_some_and(|(name, _)| name.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
    };
    let ends = |word: &String| ["|", ">", "<", "&&", "||", ";"].contains(&word.as_str());
    words
        .into_iter()
        .skip_while(is_set)
        .take_while(|word| !ends(word))
        .collect()
}

/// The manual of `ccag`: for each command the options that it names.
fn manual() -> BTreeMap<String, BTreeSet<String>> {
    let folder = tempfile::tempdir().unwrap();
    let done = Command::new(binary("ccag"))
        .arg("man")
        .arg(folder.path())
        .output()
        .unwrap();
    assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr));
    let pages = std::fs::read_dir(folder.path()).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let text = std::fs::read_to_string(&path)
            .unwrap()
            .replace("\\-", "-")
            .replace("\\fB", " ")
            .replace("\\fR", " ");
        let options = text
            .split(|c: char| c.is_whitespace() || ",=[]".contains(c))
            .filter(|word| word.starts_with('-'))
            .map(str::to_owned);
        let name = path.file_stem().unwrap().to_str().unwrap().replace('-', " ");
        (name, options.collect())
    });
    pages.collect()
}

/// What is wrong with a command of `ccag`. A command may have a dash in its name, which the manual's file names do not tell from
/// the one between commands: so all names are compared without.
fn fault(words: &[String], manual: &BTreeMap<String, BTreeSet<String>>) -> Option<String> {
    let mut at = "ccag".to_owned();
    for word in &words[1..] {
        if word == "…" || word == "..." {
            return None;
        }
        if word.starts_with('-') {
            let option = word.split('=').next().unwrap();
            if !["--json", "--url", "--token", "--help", "-h", "--"].contains(&option)
                && !manual[&at].contains(option)
            {
                return Some(format!("`{at}` has no option {option}"));
            }
            continue;
        }
        let next = format!("{at} {}", word.replace('-', " "));
        if manual.contains_key(&next) {
            at = next;
        } else if manual.keys().any(|name| name.starts_with(&format!("{at} ")))
            && !["ccag models", "ccag pricing"].contains(&at.as_str())
        {
            return Some(format!("`{at}` has no command {word}"));
        }
    }
    None
}

#[test]
fn commands_in_documents_exist_with_their_options_and_the_others_have_a_reason() {
    let manual = manual();
    assert!(manual.len() > 100, "{} pages", manual.len());
    let mut faults = Vec::new();
    let mut ours = 0;
    let mut others = BTreeSet::new();
    for document in documents() {
        // What changed once is not what there is.
        if document == "CHANGELOG.md" || document.starts_with("docs/adr/") {
            continue;
        }
        for command in commands(&read(&document)) {
            let words = words(&command);
            match words.first().map(String::as_str) {
                None => {}
                Some("ccag") => {
                    ours += 1;
                    faults.extend(
                        fault(&words, &manual).map(|fault| format!("{document}: {command}: {fault}")),
                    );
                }
                // A variable that is set to what a command says.
                Some(word) if word.contains("=$(") => {}
                Some(program) => match ELSEWHERE.iter().find(|(name, _)| *name == program) {
                    Some((name, _)) => {
                        others.insert(*name);
                    }
                    None => faults.push(format!(
                        "{document}: {command}: neither known nor in ELSEWHERE with a reason"
                    )),
                },
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
    assert!(ours > 150, "{ours}");
    let unused: Vec<_> = ELSEWHERE
        .iter()
        .filter(|(name, _)| !others.contains(name))
        .collect();
    assert!(unused.is_empty(), "no document has these any more: {unused:?}");
}

#[test]
fn what_is_wrong_with_a_command_is_found() {
    let manual = manual();
    let of = |command: &str| fault(&words(command), &manual);
    assert_eq!(of("ccag keys revoke laptop"), None);
    assert_eq!(of("CCAG_URL=x ccag --json keys list | jq --unknown"), None);
    assert!(of("ccag keys revok laptop").is_some());
    assert!(of("ccag keys create --nam laptop").is_some());
    assert!(of("ccag key list").is_some());
    let block = "```sh\nccag teams create A # a comment\nccag apply - <<EOF\nccag nonsense\nEOF\nccag \\\n  status\n```";
    assert_eq!(
        commands(block),
        ["ccag teams create A", "ccag apply - <<EOF", "ccag  status"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_steps_work_as_they_are_written() {
    let it = standalone().await;
    let terminal = Terminal::signed_in(&it);
    let document = read("docs/getting-started.md");
    let (steps, _) = document.split_once("## On AWS").unwrap();
    let mut done = 0;
    for command in commands(steps) {
        let words = words(&command);
        // Somebody has signed in already; and what stands in the text alone is no step.
        if words[0] != "ccag" || words.len() < 2 || words[1] == "login" {
            continue;
        }
        let arguments: Vec<&str> = words[1..].iter().map(String::as_str).collect();
        terminal.ok(&arguments);
        done += 1;
    }
    assert!(done >= 10, "{done} commands were run");
}
