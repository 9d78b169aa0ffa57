//! The merged configuration, with the source of every value.

use super::Source;
use std::collections::BTreeMap;

/// A value and where it came from.
#[derive(Debug, Clone)]
pub(super) struct Node {
    pub(super) value: Value,
    pub(super) source: Source,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Table(BTreeMap<String, Node>),
    Array(Vec<Node>),
    Text(String),
    /// Text from the environment, which may stand for something else.
    Variable(String),
    Integer(i64),
    Float(f64),
    Boolean(bool),
}

impl Node {
    pub(super) fn empty(source: Source) -> Self {
        Self {
            value: Value::Table(BTreeMap::new()),
            source,
        }
    }

    pub(super) fn from_table(table: toml::Table, source: &Source) -> Self {
        Self::from_toml(toml::Value::Table(table), source)
    }

    fn from_toml(value: toml::Value, source: &Source) -> Self {
        let value = match value {
            toml::Value::String(text) => Value::Text(text),
            toml::Value::Integer(number) => Value::Integer(number),
            toml::Value::Float(number) => Value::Float(number),
            toml::Value::Boolean(truth) => Value::Boolean(truth),
            toml::Value::Datetime(at) => Value::Text(at.to_string()),
            toml::Value::Array(items) => Value::Array(
                items
                    .into_iter()
                    .map(|item| Self::from_toml(item, source))
                    .collect(),
            ),
            toml::Value::Table(table) => Value::Table(
                table
                    .into_iter()
                    .map(|(key, value)| (key, Self::from_toml(value, source)))
                    .collect(),
            ),
        };
        Self {
            value,
            source: source.clone(),
        }
    }

    /// Lays `over` on top: tables are merged key by key, everything else is replaced.
    pub(super) fn merge(&mut self, over: Self) {
        match (&mut self.value, over) {
            (
                Value::Table(below),
                Self {
                    value: Value::Table(above),
                    ..
                },
            ) => {
                for (key, node) in above {
                    match below.get_mut(&key) {
                        Some(existing) => existing.merge(node),
                        None => {
                            below.insert(key, node);
                        }
                    }
                }
            }
            (_, over) => *self = over,
        }
    }

    /// Sets a dotted key from the environment.
    pub(super) fn set(&mut self, key: &str, value: String, source: Source) {
        let mut node = Self {
            value: Value::Variable(value),
            source: source.clone(),
        };
        for part in key.rsplit('.') {
            node = Self {
                value: Value::Table(BTreeMap::from([(part.to_owned(), node)])),
                source: source.clone(),
            };
        }
        self.merge(node);
    }

    /// The source of the value at this path, or of the closest table around it.
    pub(super) fn source_of(&self, path: &[String]) -> &Source {
        let next = match (&self.value, path.first()) {
            (Value::Table(table), Some(key)) => table.get(key),
            (Value::Array(items), Some(index)) => index.parse::<usize>().ok().and_then(|i| items.get(i)),
            _ => None,
        };
        next.map_or(&self.source, |node| node.source_of(&path[1..]))
    }

    pub(super) fn holds(&self, path: &[String]) -> bool {
        match (&self.value, path.first()) {
            (_, None) => true,
            (Value::Table(table), Some(key)) => table.get(key).is_some_and(|node| node.holds(&path[1..])),
            (Value::Array(items), Some(index)) => index
                .parse::<usize>()
                .ok()
                .and_then(|i| items.get(i))
                .is_some_and(|node| node.holds(&path[1..])),
            _ => false,
        }
    }
}
