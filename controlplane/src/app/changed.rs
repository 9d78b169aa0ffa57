//! What a change made of an object, for the audit log: what it was before, and what it is after.

use serde::Serialize;
use serde_json::{Map, Value};

/// The details of an entry about a change: `before`, `after`, or both, and what there is to say besides. Rows of the database
/// say by themselves which of their fields are shown (`store/entity/`); of secrets only whether they are set.
#[derive(Debug, Clone, Default)]
pub(crate) struct Changed(Map<String, Value>);

impl Changed {
    /// Something was made.
    pub(crate) fn created(after: &impl Serialize) -> Self {
        Self::default().with("after", after)
    }

    /// Something was changed.
    pub(crate) fn updated(before: &impl Serialize, after: &impl Serialize) -> Self {
        Self::default().with("before", before).with("after", after)
    }

    /// Something was deleted.
    pub(crate) fn deleted(before: &impl Serialize) -> Self {
        Self::default().with("before", before)
    }

    /// What there is to say besides.
    pub(crate) fn with(mut self, name: &str, value: &impl Serialize) -> Self {
        // Rows and what they hold can always be written as JSON.
        let value = serde_json::to_value(value).unwrap_or_default();
        self.0.insert(name.to_owned(), unfolded(value));
        self
    }
}

impl From<Changed> for Value {
    fn from(changed: Changed) -> Self {
        Self::Object(changed.0)
    }
}

/// The same with the JSON that stands as text in a column as what it says.
fn unfolded(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, field)| match field {
                Value::String(text) if text.starts_with(['{', '[']) => {
                    (name, serde_json::from_str(&text).unwrap_or(Value::String(text)))
                }
                field => (name, field),
            })
            .collect(),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::entity::{team, user};
    use serde_json::json;

    fn user(password_hash: Option<&str>) -> user::Model {
        user::Model {
            id: "user_1".into(),
            username: "ada".into(),
            username_key: "ada".into(),
            email: None,
            display_name: None,
            role: "member".into(),
            state: "active".into(),
            team_id: None,
            search_key: "ada".into(),
            password_hash: password_hash.map(Into::into),
            created_at_ms: 1,
            provider_id: None,
            groups: r#"["a"]"#.into(),
            kind: "human".into(),
        }
    }

    #[test]
    fn a_secret_is_set_or_not_and_nothing_more() {
        let details = Value::from(Changed::updated(&user(None), &user(Some("$argon2id$hush"))));
        assert_eq!(details["before"]["has_password"], false);
        assert_eq!(details["after"]["has_password"], true);
        assert_eq!(details["after"]["groups"], json!(["a"]));
        assert!(!details.to_string().contains("hush"), "{details}");
    }

    #[test]
    fn what_is_made_has_no_before_and_what_is_gone_no_after() {
        let team = team::Model {
            id: "team_1".into(),
            name: "[Platform".into(),
            name_key: String::new(),
            state: "active".into(),
            created_at_ms: 1,
            guardrail: None,
            routing: Some(r#"{"strategy":"spread"}"#.into()),
        };
        let shown = json!({"name": "[Platform", "state": "active", "guardrail": null, "routing": {"strategy": "spread"}});
        assert_eq!(Value::from(Changed::created(&team)), json!({ "after": shown }));
        let gone = Changed::deleted(&team).with("limits", &["lim_1"]);
        assert_eq!(Value::from(gone), json!({ "before": shown, "limits": ["lim_1"] }));
    }
}
