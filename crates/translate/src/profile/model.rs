//! For which models a row holds.

use ccag_domain::ModelName;
use serde::Deserialize;

/// The number in a model's name: 4.7 of `claude-opus-4-7`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(try_from = "String")]
pub struct ModelVersion {
    /// The generation.
    pub major: u32,
    /// The step within it.
    pub minor: u32,
}

impl ModelVersion {
    /// Above every known one: what a model without a number in its name is taken for.
    pub const NEWEST: Self = Self {
        major: u32::MAX,
        minor: u32::MAX,
    };

    /// Reads the number off a canonical name; [`ModelVersion::NEWEST`] if there is none.
    #[must_use]
    pub fn of(model: &ModelName) -> Self {
        let mut numbers = model
            .as_str()
            .split('-')
            .filter(|part| part.len() <= 2)
            .filter_map(|part| part.parse::<u32>().ok());
        match numbers.next() {
            Some(major) => Self {
                major,
                minor: numbers.next().unwrap_or(0),
            },
            None => Self::NEWEST,
        }
    }
}

impl TryFrom<String> for ModelVersion {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parsed = text.split_once('.').and_then(|(major, minor)| {
            Some(Self {
                major: major.parse().ok()?,
                minor: minor.parse().ok()?,
            })
        });
        parsed.ok_or_else(|| format!("`{text}` is not a model version such as 4.7"))
    }
}

/// A condition on the model. An empty one holds for all.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct ModelFilter {
    /// This version or a later one.
    pub from: Option<ModelVersion>,
    /// This version or an earlier one.
    pub until: Option<ModelVersion>,
    /// One of these names, without date; a `*` at the end stands for any rest.
    pub only: Option<Vec<String>>,
    /// None of these names.
    pub except: Vec<String>,
}

/// A model as filters look at it.
#[derive(Debug, Clone)]
pub struct FilteredModel {
    name: ModelName,
    version: ModelVersion,
}

impl FilteredModel {
    /// Reads a canonical name.
    #[must_use]
    pub fn new(model: &ModelName) -> Self {
        let name = model.without_date().unwrap_or_else(|| model.clone());
        Self {
            version: ModelVersion::of(&name),
            name,
        }
    }
}

impl ModelFilter {
    /// Whether it holds for a model.
    #[must_use]
    pub fn admits(&self, model: &FilteredModel) -> bool {
        let named = |patterns: &[String]| patterns.iter().any(|p| matches(p, model.name.as_str()));
        self.from.is_none_or(|from| model.version >= from)
            && self.until.is_none_or(|until| model.version <= until)
            && self.only.as_deref().is_none_or(named)
            && !named(&self.except)
    }
}

/// Whether `text` is `pattern`, or begins with what stands before a `*` at its end.
pub(crate) fn matches(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(prefix) => text.starts_with(prefix),
        None => text == pattern,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_in_a_name_is_its_version() {
        for (name, major, minor) in [
            ("claude-opus-4-7", 4, 7),
            ("claude-sonnet-4-20250514", 4, 0),
            ("claude-haiku-4-5-20251001", 4, 5),
            ("claude-3-7-sonnet", 3, 7),
            ("claude-opus-6", 6, 0),
        ] {
            assert_eq!(
                ModelVersion::of(&ModelName::canonical(name)),
                ModelVersion { major, minor },
                "{name}"
            );
        }
        assert_eq!(
            ModelVersion::of(&ModelName::canonical("my-model")),
            ModelVersion::NEWEST
        );
    }
}
