//! What a change made of an object, field by field, for people: read from the details of an entry of the audit log.

use serde_json::Value;
use std::collections::BTreeSet;

/// The longest value that is shown, in characters.
const SHOWN: usize = 200;

/// One field of an object that was made, changed or deleted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FieldChange {
    /// Its name; fields of fields are named `outer.inner`.
    pub field: String,
    /// What it was; `None` if there was nothing.
    pub before: Option<String>,
    /// What it is; `None` if there is nothing.
    pub after: Option<String>,
}

impl std::fmt::Display for FieldChange {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => write!(f, "{}: {before} → {after}", self.field),
            (None, Some(after)) => write!(f, "{}: {after}", self.field),
            (Some(before), None) => write!(f, "{}: {before} → –", self.field),
            (None, None) => f.write_str(&self.field),
        }
    }
}

/// The fields that differ between `before` and `after` of an entry's details. Entries about no change have neither.
#[must_use]
pub fn field_changes(details: &Value) -> Vec<FieldChange> {
    let mut found = Vec::new();
    compare("", details.get("before"), details.get("after"), &mut found);
    found
}

fn compare(name: &str, before: Option<&Value>, after: Option<&Value>, found: &mut Vec<FieldChange>) {
    if before == after {
        return;
    }
    let fields = |value: Option<&Value>| {
        value
            .and_then(Value::as_object)
            .filter(|map| !map.is_empty())
            .cloned()
    };
    let (inner_before, inner_after) = (fields(before), fields(after));
    // Where one side is no object, the other is taken apart all the same, unless the field is another kind of thing.
    let apart = |value: Option<&Value>| value.is_none_or(|value| value.is_object() || value.is_null());
    if (inner_before.is_some() || inner_after.is_some()) && apart(before) && apart(after) {
        let (before, after) = (inner_before.unwrap_or_default(), inner_after.unwrap_or_default());
        let names: BTreeSet<&String> = before.keys().chain(after.keys()).collect();
        for inner in names {
            let full = match name {
                "" => inner.clone(),
                outer => format!("{outer}.{inner}"),
            };
            compare(&full, before.get(inner), after.get(inner), found);
        }
        return;
    }
    let (before, after) = (before.and_then(shown), after.and_then(shown));
    if before != after && !name.is_empty() {
        found.push(FieldChange {
            field: name.to_owned(),
            before,
            after,
        });
    }
}

/// A value in a line; nothing for what is not there.
fn shown(value: &Value) -> Option<String> {
    let text = match value {
        Value::Null => return None,
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let mut short: String = text.chars().take(SHOWN).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    Some(short)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn lines(details: &Value) -> Vec<String> {
        field_changes(details).iter().map(ToString::to_string).collect()
    }

    #[test]
    fn only_what_differs_is_shown() {
        let details = json!({
            "before": {"role": "member", "team_id": null, "name": "ada", "guardrail": {"id": "g", "version": "1"}, "old": [1]},
            "after": {"role": "admin", "team_id": "team_1", "name": "ada", "guardrail": {"id": "g", "version": "2"}},
            "new_password": true,
        });
        assert_eq!(
            lines(&details),
            [
                "guardrail.version: 1 → 2",
                "old: [1] → –",
                "role: member → admin",
                "team_id: team_1"
            ]
        );
    }

    #[test]
    fn what_was_made_or_deleted_is_shown_whole_and_what_was_neither_not_at_all() {
        assert_eq!(
            lines(&json!({"after": {"name": "a", "routing": null, "limits": {"x": 1}}})),
            ["limits.x: 1", "name: a"]
        );
        assert_eq!(lines(&json!({"before": {"name": "a"}})), ["name: a → –"]);
        assert_eq!(lines(&json!({"address": "192.0.2.1"})), [""; 0]);
        assert_eq!(lines(&json!("no object")), [""; 0]);
    }

    #[test]
    fn what_is_long_is_cut() {
        let long = "é".repeat(500);
        let shown = field_changes(&json!({"after": {"text": long}}))
            .remove(0)
            .after
            .unwrap();
        assert_eq!(shown.chars().count(), SHOWN + 1);
    }
}
