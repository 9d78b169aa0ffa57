//! Shapes as schemas. What is sent and what is answered may differ in shape: then the one that is sent has another name.

use super::operation::Shape;
use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

const COMPONENTS: &str = "#/components/schemas/";

/// Collects the schemas of both directions.
pub(super) struct Schemas {
    sent: SchemaGenerator,
    answered: SchemaGenerator,
}

impl Schemas {
    pub(super) fn new() -> Self {
        let settings = || {
            SchemaSettings::draft2020_12().with(|settings| {
                settings.definitions_path = "/components/schemas".into();
                settings.meta_schema = None;
            })
        };
        Self {
            sent: settings().for_deserialize().into_generator(),
            answered: settings().for_serialize().into_generator(),
        }
    }

    /// The schema of what clients send.
    pub(super) fn sent(&mut self, shape: Shape) -> Value {
        let mut schema = shape(&mut self.sent).to_value();
        tidy(&mut schema);
        mark(&mut schema);
        schema
    }

    /// The schema of what is answered.
    pub(super) fn answered(&mut self, shape: Shape) -> Value {
        let mut schema = shape(&mut self.answered).to_value();
        tidy(&mut schema);
        schema
    }

    /// All that has a name, after all references in `document` have been made to name what they mean.
    pub(super) fn finish(mut self, document: &mut Value) -> Map<String, Value> {
        let mut all = self.answered.take_definitions(true);
        all.values_mut().for_each(tidy);
        let mut sent = self.sent.take_definitions(true);
        sent.values_mut().for_each(tidy);
        let differing = differing(&sent, &all);
        let named = |name: &str| match differing.contains(name) {
            true => format!("{name}Input"),
            false => name.to_owned(),
        };
        for (name, mut schema) in sent {
            mark(&mut schema);
            rename(&mut schema, &named);
            all.insert(named(&name), schema);
        }
        rename(document, &named);
        all.sort_keys();
        all
    }
}

/// The names of what is sent in another shape than it is answered in, or is made of such.
fn differing(sent: &Map<String, Value>, answered: &Map<String, Value>) -> BTreeSet<String> {
    let mut differing: BTreeSet<String> = sent
        .iter()
        .filter(|(name, schema)| answered.get(*name).is_some_and(|other| other != *schema))
        .map(|(name, _)| name.clone())
        .collect();
    loop {
        let more: Vec<String> = sent
            .iter()
            .filter(|(name, _)| answered.contains_key(*name) && !differing.contains(*name))
            .filter(|(_, schema)| refers(schema, &differing))
            .map(|(name, _)| name.clone())
            .collect();
        if more.is_empty() {
            return differing;
        }
        differing.extend(more);
    }
}

fn refers(schema: &Value, names: &BTreeSet<String>) -> bool {
    match schema {
        Value::Object(map) => map.iter().any(|(key, value)| match value.as_str() {
            Some(to) if key == "$ref" => to.strip_prefix(COMPONENTS).is_some_and(|to| names.contains(to)),
            _ => refers(value, names),
        }),
        Value::Array(items) => items.iter().any(|item| refers(item, names)),
        _ => false,
    }
}

const SENT: &str = "#sent/";

/// Marks references as those of what is sent, until it is known how it is called.
fn mark(schema: &mut Value) {
    each_reference(schema, &|to| {
        to.strip_prefix(COMPONENTS).map(|name| format!("{SENT}{name}"))
    });
}

fn rename(schema: &mut Value, named: &dyn Fn(&str) -> String) {
    each_reference(schema, &|to| {
        to.strip_prefix(SENT)
            .map(|name| format!("{COMPONENTS}{}", named(name)))
    });
}

fn each_reference(schema: &mut Value, change: &dyn Fn(&str) -> Option<String>) {
    match schema {
        Value::Object(map) => {
            for (key, value) in map.iter_mut() {
                match value.as_str().filter(|_| key == "$ref").and_then(change) {
                    Some(changed) => *value = Value::String(changed),
                    None => each_reference(value, change),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| each_reference(item, change)),
        _ => {}
    }
}

/// Takes out what is for readers of the source only: links between its items, line breaks, and absent defaults.
pub(in crate::http) fn tidy(schema: &mut Value) {
    match schema {
        Value::Object(map) => {
            if map.get("default").is_some_and(Value::is_null) {
                map.shift_remove("default");
            }
            for (key, value) in map.iter_mut() {
                match value {
                    Value::String(text) if key == "description" => *text = plain(text),
                    value => tidy(value),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(tidy),
        _ => {}
    }
}

/// A doc comment without links and without breaks inside paragraphs.
fn plain(text: &str) -> String {
    let paragraphs: Vec<String> = text
        .split("\n\n")
        .map(|paragraph| paragraph.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    let text = paragraphs.join("\n\n");
    let text = text.replace("[`", "`").replace("`]", "`");
    text.replace("`Self::", "`")
}

/// A schema without the `null` that stands for what is left out: a query has no such thing.
pub(in crate::http) fn without_null(mut schema: Value) -> Value {
    let Some(map) = schema.as_object_mut() else {
        return schema;
    };
    if let Some(Value::Array(kinds)) = map.get_mut("type") {
        kinds.retain(|kind| kind != "null");
        if let [one] = kinds.as_slice() {
            let one = one.clone();
            map.insert("type".to_owned(), one);
        }
    }
    if let Some(Value::Array(of)) = map.get_mut("anyOf") {
        of.retain(|one| *one != json!({"type": "null"}));
        if let [one] = of.as_slice() {
            let mut one = one.clone();
            map.shift_remove("anyOf");
            if let (Some(one), false) = (one.as_object_mut(), map.is_empty()) {
                one.append(map);
            }
            return one;
        }
    }
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_for_readers_of_the_source_become_words_for_everybody() {
        let text = "What a [`Thing`] is,\nas [`Self::other`] says.\n\nMore.";
        assert_eq!(plain(text), "What a `Thing` is, as `other` says.\n\nMore.");
    }

    #[test]
    fn what_may_be_left_out_of_a_query_is_not_null() {
        for (with, without) in [
            (json!({"type": ["string", "null"]}), json!({"type": "string"})),
            (
                json!({"description": "d", "anyOf": [{"$ref": "#/x"}, {"type": "null"}]}),
                json!({"$ref": "#/x", "description": "d"}),
            ),
            (json!({"type": "string"}), json!({"type": "string"})),
        ] {
            assert_eq!(without_null(with), without);
        }
    }

    #[test]
    fn what_is_made_of_differing_shapes_differs() {
        let shapes = |kind: &str| -> Map<String, Value> {
            let json = json!({
                "Inner": {"type": kind},
                "Outer": {"properties": {"inner": {"$ref": "#/components/schemas/Inner"}}},
                "Other": {"type": "boolean"},
            });
            json.as_object().unwrap().clone()
        };
        let found = differing(&shapes("string"), &shapes("number"));
        assert_eq!(found.into_iter().collect::<Vec<_>>(), ["Inner", "Outer"]);
    }
}
