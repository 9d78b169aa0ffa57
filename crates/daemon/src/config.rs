//! Configuration: documented defaults, one TOML file over them, the environment over both.
//!
//! The defaults are a TOML text that the program carries: it documents every key, and it is what holds when nothing else
//! is said. A key that has no default stands in it as a comment. What the text, the file and the environment give
//! together is read into the program's own type, whole, before anything else happens; a key that the type does not know
//! is refused, whether or not the type denies unknown fields itself.

mod error;
mod node;
mod source;
mod tree;

pub use source::Source;

use node::Node;
use serde::de::DeserializeOwned;
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use tree::Tree;

/// The configuration cannot be used. The text names the key, where it came from and what to do, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ConfigError {
    /// A file cannot be read.
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What named the file.
        named_by: String,
        /// The system's reason.
        reason: String,
    },
    /// A text is not TOML.
    NotToml {
        /// Which text.
        source: Source,
        /// Where and why.
        reason: String,
    },
    /// Nothing knows this key.
    UnknownKey {
        /// The dotted key.
        key: String,
        /// Who set it.
        source: Source,
        /// The keys that are known in its place.
        known: Vec<String>,
    },
    /// A variable is a letter or two away from one that is known.
    UnknownVariable {
        /// The variable.
        name: String,
        /// What it was probably meant to be.
        similar: String,
    },
    /// A variable and its `_FILE` twin are both set.
    SetTwice {
        /// The variable.
        name: String,
    },
    /// A value does not fit.
    Invalid {
        /// The dotted key; empty for the whole.
        key: String,
        /// Who set it.
        source: Option<Source>,
        /// What is wrong with it.
        reason: String,
        /// The variables that set this key.
        variables: Vec<String>,
    },
}

impl std::error::Error for ConfigError {}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Unreadable {
                path,
                named_by,
                reason,
            } => write!(f, "cannot read {}, named by {named_by}: {reason}", path.display()),
            Self::NotToml { source, reason } => write!(f, "{source} is not valid TOML: {reason}"),
            Self::UnknownKey { key, source, known } => {
                write!(f, "unknown configuration key `{key}` in {source}: ")?;
                match closest(leaf(key), known.iter().map(String::as_str)) {
                    Some(similar) => write!(f, "did you mean `{}`?", sibling(key, similar)),
                    None if known.is_empty() => write!(f, "no key is known here; remove it"),
                    None => write!(f, "remove it, or use one of {}", known.join(", ")),
                }
            }
            Self::UnknownVariable { name, similar } => {
                write!(f, "unknown environment variable {name}: did you mean {similar}?")
            }
            Self::SetTwice { name } => {
                write!(f, "{name} and {name}_FILE are both set: unset one of them")
            }
            Self::Invalid {
                key,
                source,
                reason,
                variables,
            } => {
                if key.is_empty() {
                    f.write_str("configuration")?;
                } else {
                    write!(f, "configuration key `{key}`")?;
                }
                if let Some(source) = source {
                    write!(f, " from {source}")?;
                }
                write!(f, ": {reason}")?;
                if !variables.is_empty() && !matches!(source, Some(Source::Variable(_))) {
                    write!(f, " (set it in the file, or with {})", variables.join(" or "))?;
                }
                Ok(())
            }
        }
    }
}

/// A URL as it may be shown: what stands before the `@` of its authority is not.
#[must_use]
pub fn without_password(url: &str) -> String {
    let Some((scheme, rest)) = url.split_once("://") else {
        return if url.contains('@') { "(set)" } else { url }.to_owned();
    };
    let (authority, path) = rest
        .find(['/', '?', '#'])
        .map_or((rest, ""), |at| rest.split_at(at));
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://(set)@{host}{path}"),
        None => url.to_owned(),
    }
}

/// Reads the configuration from the defaults, the file and the process's environment.
///
/// `env` says which variable sets which dotted key. Where several variables set the same key, the first one that is set
/// counts, so aliases come last. An empty variable counts as unset. For each variable `NAME`, `NAME_FILE` may instead name
/// a file whose text, without line breaks at its end, is the value; this is how secrets come in. A list is given as
/// comma-separated values.
///
/// # Errors
/// [`ConfigError`], for the first thing that is wrong.
pub fn load<T: DeserializeOwned>(
    defaults_toml: &str,
    file: Option<&Path>,
    env: &[(&str, &str)],
) -> Result<T, ConfigError> {
    let vars = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.to_string_lossy().into_owned())))
        .collect();
    load_from(defaults_toml, file, env, &vars)
}

/// The same as [`load`] with the environment as an argument, for tests.
///
/// # Errors
/// As [`load`].
pub fn load_from<T: DeserializeOwned>(
    defaults_toml: &str,
    file: Option<&Path>,
    env: &[(&str, &str)],
    vars: &HashMap<String, String>,
) -> Result<T, ConfigError> {
    let mut root = Node::empty(Source::Defaults);
    root.merge(parse(defaults_toml, Source::Defaults)?);
    if let Some(path) = file {
        let text = read(path, "the command line")?;
        root.merge(parse(&text, Source::File(path.to_owned()))?);
    }
    refuse_misspelt(env, vars)?;
    // From the last to the first, so that the first of several variables for one key wins.
    for (name, key) in env.iter().rev() {
        if let Some((value, source)) = variable(name, vars)? {
            root.set(key, value, source);
        }
    }
    T::deserialize(Tree::root(&root)).map_err(|error| error.into_config_error(&root, env))
}

/// Everything that is wrong with the variables of a configuration, one after another: `load` reads it, `blamed` says which variables a
/// fault is about, which are then left out, and `instead` what may stand in for one that is missing. What was read in the end is there
/// if nothing was wrong.
///
/// # Errors
/// The faults, at least one.
pub fn load_faults<T, E>(
    vars: &HashMap<String, String>,
    mut load: impl FnMut(&HashMap<String, String>) -> Result<T, E>,
    blamed: impl Fn(&E) -> Vec<String>,
    instead: impl Fn(&E) -> Option<(&'static str, &'static str)>,
) -> Result<T, Vec<E>> {
    let mut vars = vars.clone();
    let mut faults = Vec::new();
    loop {
        let fault = match load(&vars) {
            Ok(read) if faults.is_empty() => return Ok(read),
            Ok(_) => return Err(faults),
            Err(fault) => fault,
        };
        let before = vars.clone();
        for name in blamed(&fault) {
            vars.remove(&format!("{name}_FILE"));
            vars.remove(&name);
        }
        if let Some((name, value)) = instead(&fault) {
            vars.insert(name.to_owned(), value.to_owned());
        }
        faults.push(fault);
        if vars == before {
            return Err(faults);
        }
    }
}

impl ConfigError {
    /// The variables that it is about.
    #[must_use]
    pub fn blamed(&self) -> Vec<String> {
        let of = |name: &str| vec![name.trim_end_matches("_FILE").to_owned()];
        match self {
            Self::Unreadable { named_by, .. } => of(named_by),
            Self::UnknownVariable { name, .. } => vec![name.clone()],
            Self::SetTwice { name } => of(name),
            Self::UnknownKey {
                source: Source::Variable(name),
                ..
            }
            | Self::Invalid {
                source: Some(Source::Variable(name)),
                ..
            } => of(name),
            Self::NotToml { .. } | Self::UnknownKey { .. } | Self::Invalid { .. } => Vec::new(),
        }
    }
}

fn parse(text: &str, source: Source) -> Result<Node, ConfigError> {
    match text.parse::<toml::Table>() {
        Ok(table) => Ok(Node::from_table(table, &source)),
        Err(error) => Err(ConfigError::NotToml {
            reason: describe(text, &error),
            source,
        }),
    }
}

/// The parser's own display quotes the line, which may hold a secret.
fn describe(text: &str, error: &toml::de::Error) -> String {
    let message = error.message().lines().next().unwrap_or_default();
    match error.span() {
        Some(span) => {
            let line = text
                .get(..span.start)
                .map_or(1, |before| before.matches('\n').count() + 1);
            format!("line {line}: {message}")
        }
        None => message.to_owned(),
    }
}

fn read(path: &Path, named_by: &str) -> Result<String, ConfigError> {
    std::fs::read_to_string(path).map_err(|error| ConfigError::Unreadable {
        path: path.to_owned(),
        named_by: named_by.to_owned(),
        reason: error.to_string(),
    })
}

/// The value of `name` or the text of the file that `name_FILE` names.
fn variable(name: &str, vars: &HashMap<String, String>) -> Result<Option<(String, Source)>, ConfigError> {
    let set = |name: &str| vars.get(name).filter(|value| !value.is_empty());
    let by_file = format!("{name}_FILE");
    match (set(name), set(&by_file)) {
        (Some(_), Some(_)) => Err(ConfigError::SetTwice {
            name: name.to_owned(),
        }),
        (Some(value), None) => Ok(Some((value.clone(), Source::Variable(name.to_owned())))),
        (None, Some(path)) => {
            let text = read(Path::new(path), &by_file)?;
            let value = text.trim_end_matches(['\r', '\n']).to_owned();
            Ok(Some((value, Source::Variable(by_file))))
        }
        (None, None) => Ok(None),
    }
}

/// A variable that begins with `CCAG_` may belong to another program of ours, or to an orchestrator that names variables
/// after a service called `ccag`: only one that is nearly one of `env` is refused.
fn refuse_misspelt(env: &[(&str, &str)], vars: &HashMap<String, String>) -> Result<(), ConfigError> {
    let known = |name: &str| {
        let base = name.strip_suffix("_FILE").unwrap_or(name);
        env.iter().any(|(known, _)| *known == name || *known == base)
    };
    let mut names: Vec<_> = vars.keys().filter(|name| name.starts_with("CCAG_")).collect();
    names.sort();
    for name in names.into_iter().filter(|name| !known(name)) {
        if let Some(similar) = closest(name, env.iter().map(|(known, _)| *known)) {
            return Err(ConfigError::UnknownVariable {
                name: name.clone(),
                similar: similar.to_owned(),
            });
        }
    }
    Ok(())
}

fn leaf(key: &str) -> &str {
    key.rsplit('.').next().unwrap_or(key)
}

fn sibling(key: &str, name: &str) -> String {
    match key.rsplit_once('.') {
        Some((parent, _)) => format!("{parent}.{name}"),
        None => name.to_owned(),
    }
}

/// The candidate that is at most two edits away, the closest first.
fn closest<'a>(name: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    candidates
        .map(|candidate| (edits(name, candidate), candidate))
        .filter(|(edits, candidate)| *edits <= 2 && *edits < candidate.len() / 2)
        .min()
        .map(|(_, candidate)| candidate)
}

/// Levenshtein's distance.
fn edits(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.bytes().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.bytes().enumerate() {
            let substituted = diagonal + usize::from(from != to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(diagonal + 1).min(row[j] + 1);
        }
    }
    row[b.len()]
}
