//! Which attributes a client wants to see (RFC 7644, §3.9).

use crate::path::{AttrPath, Target};
use crate::schema::{self, Attribute};
use crate::{Kind, Object};
use serde_json::Value;

/// What to show of resources.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Projection {
    /// Only these; empty: all.
    only: Vec<AttrPath>,
    /// All but these.
    without: Vec<AttrPath>,
}

/// What a path selects of an attribute.
enum Pick {
    Nothing,
    Parts(Vec<&'static str>),
    All,
}

impl Projection {
    /// From the names of attributes. Those that cannot be read name nothing.
    pub fn new<'a>(
        only: impl IntoIterator<Item = &'a str>,
        without: impl IntoIterator<Item = &'a str>,
    ) -> Self {
        let read = |name: &'a str| AttrPath::parse(name.trim());
        Self {
            only: only.into_iter().filter_map(read).collect(),
            without: without.into_iter().filter_map(read).collect(),
        }
    }

    /// Whether the client has said anything.
    #[must_use]
    pub fn is_some(&self) -> bool {
        !self.only.is_empty() || !self.without.is_empty()
    }

    /// Whether an attribute of the core is shown at all, so that it has to be looked up.
    #[must_use]
    pub fn shows(&self, kind: Kind, name: &str) -> bool {
        let named = |paths: &[AttrPath]| paths.iter().any(|path| path.is_about(kind, name));
        let left_out = self
            .without
            .iter()
            .any(|path| path.sub.is_none() && path.is_about(kind, name));
        (self.only.is_empty() || named(&self.only)) && !left_out
    }

    /// Leaves of a resource what the client wants to see, and what is always shown.
    #[must_use]
    pub fn apply(&self, kind: Kind, resource: Object) -> Object {
        if !self.is_some() {
            return resource;
        }
        let mut shown = Object::new();
        for (name, value) in resource {
            if let Some(extension) = kind.extension(&name) {
                let Value::Object(parts) = value else { continue };
                let kept = self.attributes(kind, Some(extension), extension.attributes, parts);
                if !kept.is_empty() {
                    shown.insert(name, kept.into());
                }
            } else if let Some(attribute) =
                schema::find(schema::COMMON, &name).or_else(|| schema::find(kind.schema().attributes, &name))
                && let Some(value) = self.attribute(kind, None, attribute, value)
            {
                shown.insert(name, value);
            }
        }
        shown
    }

    fn attributes(
        &self,
        kind: Kind,
        extension: Option<&'static schema::Schema>,
        attributes: &'static [Attribute],
        parts: Object,
    ) -> Object {
        let kept = parts.into_iter().filter_map(|(name, value)| {
            let attribute = schema::find(attributes, &name)?;
            self.attribute(kind, extension, attribute, value)
                .map(|value| (name, value))
        });
        kept.collect()
    }

    fn attribute(
        &self,
        kind: Kind,
        extension: Option<&'static schema::Schema>,
        attribute: &'static Attribute,
        value: Value,
    ) -> Option<Value> {
        if attribute.always {
            return Some(value);
        }
        let value = if self.only.is_empty() {
            value
        } else {
            match pick(&self.only, kind, extension, attribute) {
                Pick::Nothing => return None,
                Pick::All => value,
                Pick::Parts(parts) => keep(value, |name| parts.contains(&name))?,
            }
        };
        match pick(&self.without, kind, extension, attribute) {
            Pick::Nothing => Some(value),
            Pick::All => None,
            Pick::Parts(parts) => keep(value, |name| !parts.contains(&name)),
        }
    }
}

fn pick(
    paths: &[AttrPath],
    kind: Kind,
    extension: Option<&'static schema::Schema>,
    attribute: &'static Attribute,
) -> Pick {
    let mut parts = Vec::new();
    for path in paths {
        match path.target(kind) {
            Some(Target::Extension(schema)) if extension.is_some_and(|e| e.urn == schema.urn) => {
                return Pick::All;
            }
            Some(Target::Attribute {
                extension: found,
                attribute: named,
                sub,
            }) if named.name == attribute.name && found.map(|e| e.urn) == extension.map(|e| e.urn) => {
                match sub {
                    None => return Pick::All,
                    Some(sub) => parts.push(sub.name),
                }
            }
            _ => {}
        }
    }
    if parts.is_empty() {
        Pick::Nothing
    } else {
        Pick::Parts(parts)
    }
}

/// The value with some of its parts; `None` if nothing is left.
fn keep(value: Value, wanted: impl Fn(&str) -> bool + Copy) -> Option<Value> {
    match value {
        Value::Object(mut parts) => {
            parts.retain(|name, _| wanted(name));
            (!parts.is_empty()).then(|| parts.into())
        }
        Value::Array(values) => {
            let kept: Vec<_> = values
                .into_iter()
                .filter_map(|value| keep(value, wanted))
                .collect();
            (!kept.is_empty()).then(|| kept.into())
        }
        other => Some(other),
    }
}
