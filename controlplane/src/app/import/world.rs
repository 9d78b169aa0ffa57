//! What an import knows while it plans: what is here, and what stands for what.

use super::report::Report;
use crate::app::App;
use crate::store::present::Present;
use ccag_domain::UnixMs;
use ccag_domain::ids::ulid_of;
use std::collections::{HashMap, HashSet};

/// The longest name, in characters.
const MAX_NAME: usize = 200;

/// What an import knows while it plans.
pub(super) struct World<'a> {
    pub(super) app: &'a App,
    pub(super) now: UnixMs,
    pub(super) present: Present,
    pub(super) report: Report,
    /// Ours by theirs.
    pub(super) teams: HashMap<String, String>,
    pub(super) users: HashMap<String, String>,
    pub(super) endpoints: HashMap<String, String>,
    pub(super) providers: HashMap<String, String>,
    pub(super) keys: HashMap<String, Owner>,
    /// Our users by their e-mail address, in lower case.
    pub(super) emails: HashMap<String, String>,
    /// The teams of our users.
    pub(super) team_of: HashMap<String, String>,
    /// Those of their users who have become one with another.
    pub(super) merged: HashSet<String>,
}

/// A key, and whose it is.
#[derive(Debug, Clone)]
pub(super) struct Owner {
    pub(super) key_id: String,
    pub(super) user_id: Option<String>,
    pub(super) team_id: Option<String>,
}

impl<'a> World<'a> {
    pub(super) fn new(app: &'a App, present: Present, dry_run: bool) -> Self {
        Self {
            app,
            now: app.now_ms(),
            present,
            report: Report {
                dry_run,
                ..Report::default()
            },
            teams: HashMap::new(),
            users: HashMap::new(),
            endpoints: HashMap::new(),
            providers: HashMap::new(),
            keys: HashMap::new(),
            emails: HashMap::new(),
            team_of: HashMap::new(),
            merged: HashSet::new(),
        }
    }

    /// Our team for theirs.
    pub(super) fn team(&self, theirs: Option<&String>) -> Option<String> {
        theirs.and_then(|id| self.teams.get(id)).cloned()
    }
}

/// Our id for a thing with this UUID: always the same, so that nothing is ever brought in twice.
pub(in crate::app) fn id(prefix: &str, uuid: &str) -> Option<String> {
    let digits: String = uuid.chars().filter(|c| *c != '-').collect();
    let bits = u128::from_str_radix(&digits, 16)
        .ok()
        .filter(|_| digits.len() == 32)?;
    Some(format!("{prefix}{}", ulid_of(bits)))
}

/// A name as it may be here: without control characters, not too long, and not empty.
pub(super) fn name(text: &str, otherwise: &str) -> String {
    let kept: String = text.chars().filter(|c| !c.is_control()).collect();
    let kept: String = kept.trim().chars().take(MAX_NAME).collect();
    let kept = kept.trim();
    if kept.is_empty() { otherwise } else { kept }.to_owned()
}

/// A name that nothing else has, whatever the case; notes that it is taken.
pub(super) fn unique(wanted: &str, taken: &mut HashSet<String>) -> String {
    let short: String = wanted.chars().take(MAX_NAME - 8).collect();
    let mut found = wanted.to_owned();
    let mut n = 1_u32;
    while !taken.insert(found.to_lowercase()) {
        n += 1;
        found = format!("{short} ({n})");
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_uuid_always_becomes_the_same_id() {
        let one = id("key_", "00000000-0000-0000-0000-0000000000ff").unwrap();
        assert_eq!(one, "key_0000000000000000000000007Z");
        assert_eq!(
            id("key_", "ffffffff-ffff-ffff-ffff-ffffffffffff").unwrap(),
            "key_7ZZZZZZZZZZZZZZZZZZZZZZZZZ"
        );
        assert_eq!(id("key_", "ff"), None);
        assert_eq!(id("key_", "zz"), None);
    }

    #[test]
    fn names_differ_whatever_the_case() {
        let mut taken = HashSet::new();
        assert_eq!(unique("Größe", &mut taken), "Größe");
        assert_eq!(unique("größe", &mut taken), "größe (2)");
        assert_eq!(unique("GRÖSSE", &mut taken), "GRÖSSE");
        assert_eq!(name("a\nb ", "x"), "ab");
        assert_eq!(name("\u{1}", "x"), "x");
        let long = "ü".repeat(300);
        assert_eq!(name(&long, "x").chars().count(), 200);
        let first = unique(&name(&long, "x"), &mut taken);
        let second = unique(&name(&long, "x"), &mut taken);
        assert!(first != second && second.chars().count() <= 200);
    }
}
