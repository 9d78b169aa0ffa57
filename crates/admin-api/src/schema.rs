//! What the shapes that are read and written by hand look like as JSON Schema.

use crate::{Patch, PolicySpec, Rate, Timestamp, Usd};
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use std::borrow::Cow;

/// What is kept if it is left out, and cleared by `null`.
impl<T: JsonSchema> JsonSchema for Patch<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        <Option<T>>::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        <Option<T>>::json_schema(generator)
    }
}

impl JsonSchema for Timestamp {
    fn schema_name() -> Cow<'static, str> {
        "Timestamp".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        if generator.contract().is_serialize() {
            json_schema!({
                "type": "string",
                "format": "date-time",
                "description": "A moment: RFC 3339 in UTC with milliseconds.",
                "examples": ["2026-11-24T09:30:00.000Z"]
            })
        } else {
            json_schema!({
                "type": "string",
                "description": "A moment: RFC 3339, or a bare date, which means its first moment in UTC.",
                "examples": ["2026-11-24T09:30:00Z", "2026-11-24"]
            })
        }
    }
}

fn decimal(generator: &SchemaGenerator, pattern: &str, description: &str, examples: [&str; 2]) -> Schema {
    if generator.contract().is_serialize() {
        json_schema!({
            "type": "string", "pattern": pattern, "description": description, "examples": examples
        })
    } else {
        json_schema!({
            "type": ["string", "number"],
            "description": format!("{description} Best sent as text; of a number the digits are taken as they stand."),
            "examples": examples
        })
    }
}

impl JsonSchema for Usd {
    fn schema_name() -> Cow<'static, str> {
        "Usd".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        decimal(
            generator,
            r"^-?[0-9]+(\.[0-9]{1,9})?$",
            "An exact amount of US dollars: a plain decimal with at most nine digits after the point.",
            ["250", "0.50"],
        )
    }
}

impl JsonSchema for Rate {
    fn schema_name() -> Cow<'static, str> {
        "Rate".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        decimal(
            generator,
            r"^[0-9]+(\.[0-9]{1,9})?$",
            "A price in US dollars per million tokens: a plain decimal with at most nine digits after the point.",
            ["5", "0.25"],
        )
    }
}

impl JsonSchema for PolicySpec {
    fn schema_name() -> Cow<'static, str> {
        "PolicySpec".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let rules = generator.subschema_for::<Vec<crate::BudgetRuleSpec>>();
        json_schema!({
            "description": "What happens on the way to a budget's end: a ready-made policy, or rules.",
            "anyOf": [
                {"type": "string", "examples": ["standard", "soft", "shaped"]},
                rules
            ]
        })
    }
}
