//! Holds events against the JSON Schema that `docs/notifications.md` gives.

use serde_json::Value;
use std::sync::LazyLock;

static SCHEMA: LazyLock<Value> = LazyLock::new(|| {
    let page = include_str!("../../../../docs/notifications.md");
    let block = page
        .split("```json\n")
        .skip(1)
        .filter_map(|rest| rest.split("\n```").next())
        .find(|block| block.contains("\"$schema\""))
        .expect("the page has a schema");
    serde_json::from_str(block).expect("the schema is JSON")
});

/// Panics with what does not fit.
pub(crate) fn check(event: &Value) {
    let mut faults = Vec::new();
    hold(&SCHEMA, event, "", &mut faults);
    assert!(faults.is_empty(), "{faults:?} of {event}");
}

/// The parts of JSON Schema that the page uses. What is not known here is a fault, so that nothing passes unseen.
fn hold(schema: &Value, value: &Value, at: &str, faults: &mut Vec<String>) {
    let mut fault = |what: String| faults.push(format!("{at}: {what}"));
    let rules = schema.as_object().expect("a schema is an object");
    for (rule, said) in rules {
        match rule.as_str() {
            "$schema" | "$defs" | "then" => {}
            "format" => {
                let is_time = value
                    .as_str()
                    .is_none_or(|text| text.parse::<ccag_admin_api::Timestamp>().is_ok());
                if !is_time {
                    fault(format!("{value} is no time"));
                }
            }
            "type" => {
                let is = |name: &str| match name {
                    "object" => value.is_object(),
                    "array" => value.is_array(),
                    "string" => value.is_string(),
                    "integer" => value.is_i64() || value.is_u64(),
                    "null" => value.is_null(),
                    other => panic!("type {other}"),
                };
                let fits = match said {
                    Value::Array(names) => names.iter().any(|name| is(name.as_str().unwrap())),
                    name => is(name.as_str().unwrap()),
                };
                if !fits {
                    fault(format!("{value} is not {said}"));
                }
            }
            "const" if value != said => fault(format!("{value} is not {said}")),
            "enum" if !said.as_array().unwrap().contains(value) => {
                fault(format!("{value} is none of {said}"))
            }
            "const" | "enum" => {}
            "pattern" => {
                let text = value.as_str().unwrap_or_default();
                if !matches(said.as_str().unwrap(), text) {
                    fault(format!("{text} does not match {said}"));
                }
            }
            "required" => {
                for name in said.as_array().unwrap() {
                    if value.is_object() && value.get(name.as_str().unwrap()).is_none() {
                        fault(format!("{name} is missing"));
                    }
                }
            }
            "properties" | "items" | "allOf" | "if" | "$ref" => {}
            other => panic!("the test does not know the keyword {other}"),
        }
    }
    for (name, of) in rules
        .get("properties")
        .and_then(Value::as_object)
        .into_iter()
        .flatten()
    {
        if let Some(value) = value.get(name) {
            hold(of, value, &format!("{at}/{name}"), faults);
        }
    }
    if let (Some(of), Some(items)) = (rules.get("items"), value.as_array()) {
        for item in items {
            hold(of, item, &format!("{at}/-"), faults);
        }
    }
    for one in rules.get("allOf").and_then(Value::as_array).into_iter().flatten() {
        hold(one, value, at, faults);
    }
    if let Some(condition) = rules.get("if") {
        let mut unfit = Vec::new();
        hold(condition, value, at, &mut unfit);
        if unfit.is_empty() {
            hold(&rules["then"], value, at, faults);
        }
    }
    if let Some(name) = rules.get("$ref").and_then(Value::as_str) {
        let pointer = name.strip_prefix('#').expect("a reference into the page");
        hold(
            SCHEMA.pointer(pointer).expect("what is referred to"),
            value,
            at,
            faults,
        );
    }
}

/// `^begins`, with escaped dots, and `(this|or that)$`.
fn matches(pattern: &str, text: &str) -> bool {
    if let Some(begins) = pattern.strip_prefix('^') {
        return text.starts_with(&begins.replace('\\', ""));
    }
    let ends = pattern.strip_prefix('(').and_then(|rest| rest.strip_suffix(")$"));
    let ends = ends.unwrap_or_else(|| panic!("the test does not know the pattern {pattern}"));
    ends.split('|').any(|end| text.ends_with(end))
}
