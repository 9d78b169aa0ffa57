//! The merged configuration as something serde can read from.
//!
//! Environment values are text that becomes a number, a boolean or a list only when the program's type asks for one, so
//! that a password of digits stays text.

use super::error::Error;
use super::node::{Node, Value};
use serde::de::value::StringDeserializer;
use serde::de::{self, DeserializeSeed, EnumAccess, IntoDeserializer, MapAccess, VariantAccess, Visitor};
use std::collections::BTreeMap;

/// A node on its way into the program's type.
#[derive(Clone, Copy)]
pub(super) struct Tree<'a>(&'a Node);

impl<'a> Tree<'a> {
    pub(super) fn root(node: &'a Node) -> Self {
        Self(node)
    }

    /// Reads environment text as something else.
    fn parsed<T: std::str::FromStr>(text: &str, expected: &str) -> Result<T, Error> {
        text.trim()
            .parse()
            .map_err(|_| Error::invalid(format!("expected {expected}")))
    }

    fn fields<'de, V: Visitor<'de>>(
        self,
        table: &'a BTreeMap<String, Node>,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_map(Fields {
            rest: table.iter(),
            value: None,
        })
    }
}

impl IntoDeserializer<'_, Error> for Tree<'_> {
    type Deserializer = Self;
    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! from_text {
    ($($method:ident $visit:ident $type:ty, $expected:literal;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            match &self.0.value {
                Value::Variable(text) => visitor.$visit(Self::parsed::<$type>(text, $expected)?),
                _ => self.deserialize_any(visitor),
            }
        }
    )*};
}

impl<'de> de::Deserializer<'de> for Tree<'_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Table(table) => self.fields(table, visitor),
            Value::Array(items) => visitor.visit_seq(Items {
                rest: items.iter().enumerate(),
            }),
            Value::Text(text) | Value::Variable(text) => visitor.visit_str(text),
            Value::Integer(number) => visitor.visit_i64(*number),
            Value::Float(number) => visitor.visit_f64(*number),
            Value::Boolean(truth) => visitor.visit_bool(*truth),
        }
    }

    from_text! {
        deserialize_i8 visit_i64 i64, "a whole number";
        deserialize_i16 visit_i64 i64, "a whole number";
        deserialize_i32 visit_i64 i64, "a whole number";
        deserialize_i64 visit_i64 i64, "a whole number";
        deserialize_u8 visit_u64 u64, "a whole number from 0";
        deserialize_u16 visit_u64 u64, "a whole number from 0";
        deserialize_u32 visit_u64 u64, "a whole number from 0";
        deserialize_u64 visit_u64 u64, "a whole number from 0";
        deserialize_f32 visit_f64 f64, "a number";
        deserialize_f64 visit_f64 f64, "a number";
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Variable(text) => match text.trim().to_ascii_lowercase().as_str() {
                "true" | "1" | "yes" | "on" => visitor.visit_bool(true),
                "false" | "0" | "no" | "off" => visitor.visit_bool(false),
                _ => Err(Error::invalid("expected true or false")),
            },
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Variable(text) => {
                let items = text.split(',').map(str::trim).filter(|item| !item.is_empty());
                let nodes: Vec<_> = items
                    .map(|item| Node {
                        value: Value::Variable(item.to_owned()),
                        source: self.0.source.clone(),
                    })
                    .collect();
                visitor.visit_seq(Items {
                    rest: nodes.iter().enumerate(),
                })
            }
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        if let Value::Table(table) = &self.0.value
            && let Some(unknown) = table.keys().find(|key| !fields.contains(&key.as_str()))
        {
            return Err(<Error as de::Error>::unknown_field(unknown, fields));
        }
        self.deserialize_any(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match &self.0.value {
            Value::Text(text) | Value::Variable(text) => {
                let name: StringDeserializer<Error> = text.clone().into_deserializer();
                visitor.visit_enum(name)
            }
            Value::Table(table) => match table.iter().next() {
                Some((name, node)) if table.len() == 1 => visitor.visit_enum(Variant { name, node }),
                _ => Err(Error::invalid("expected a table with one key")),
            },
            _ => Err(Error::invalid("expected text")),
        }
    }

    serde::forward_to_deserialize_any! {
        i128 u128 char str string bytes byte_buf unit unit_struct tuple tuple_struct map identifier ignored_any
    }
}

struct Fields<'a> {
    rest: std::collections::btree_map::Iter<'a, String, Node>,
    value: Option<(&'a str, &'a Node)>,
}

impl<'de> MapAccess<'de> for Fields<'_> {
    type Error = Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, Error> {
        let Some((key, node)) = self.rest.next() else {
            return Ok(None);
        };
        self.value = Some((key, node));
        let name: StringDeserializer<Error> = key.clone().into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, Error> {
        let Some((key, node)) = self.value.take() else {
            return Err(Error::invalid("a value was asked for before its key"));
        };
        seed.deserialize(Tree(node)).map_err(|error| error.under(key))
    }
}

struct Items<'a> {
    rest: std::iter::Enumerate<std::slice::Iter<'a, Node>>,
}

impl<'de> de::SeqAccess<'de> for Items<'_> {
    type Error = Error;

    fn next_element_seed<T: DeserializeSeed<'de>>(&mut self, seed: T) -> Result<Option<T::Value>, Error> {
        let Some((index, node)) = self.rest.next() else {
            return Ok(None);
        };
        seed.deserialize(Tree(node))
            .map(Some)
            .map_err(|error| error.under(&index.to_string()))
    }
}

struct Variant<'a> {
    name: &'a str,
    node: &'a Node,
}

impl<'de, 'a> EnumAccess<'de> for Variant<'a> {
    type Error = Error;
    type Variant = Content<'a>;

    fn variant_seed<V: DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Content<'a>), Error> {
        let name: StringDeserializer<Error> = self.name.to_owned().into_deserializer();
        let content = Content {
            name: self.name,
            node: self.node,
        };
        Ok((seed.deserialize(name)?, content))
    }
}

struct Content<'a> {
    name: &'a str,
    node: &'a Node,
}

impl<'de> VariantAccess<'de> for Content<'_> {
    type Error = Error;

    fn unit_variant(self) -> Result<(), Error> {
        Err(Error::invalid("takes no content").under(self.name))
    }

    fn newtype_variant_seed<T: DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, Error> {
        seed.deserialize(Tree(self.node))
            .map_err(|error| error.under(self.name))
    }

    fn tuple_variant<V: Visitor<'de>>(self, _len: usize, visitor: V) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_seq(Tree(self.node), visitor).map_err(|error| error.under(self.name))
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        de::Deserializer::deserialize_struct(Tree(self.node), "", fields, visitor)
            .map_err(|error| error.under(self.name))
    }
}
