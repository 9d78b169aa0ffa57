//! Between the words of the file (names) and those of the API (ids).

use super::document::Item;
use super::world::World;
use ccag_domain::ModelName;
use serde_json::Value;

/// Fields of the file that name something, and what the API calls them.
const NAMES: &[(&str, &str)] = &[
    ("team", "team_id"),
    ("user", "user_id"),
    ("key", "key_id"),
    ("default_team", "default_team_id"),
];

/// Fields whose insides have words of their own.
const CLOSED: &[&str] = &["settings", "proxy", "credentials", "session_tags"];

/// The field's name in the API.
pub(super) fn api_field(field: &str) -> &str {
    NAMES
        .iter()
        .find(|(file, _)| *file == field)
        .map_or(field, |(_, api)| api)
}

/// The same with ids where the file has names.
pub(super) fn to_ids(item: &Item, world: &World) -> Result<Item, String> {
    let mut api = Item::new();
    for (field, value) in item {
        let (name, value) = match (field.as_str(), value) {
            (_, Value::Null) => (api_field(field), Value::Null),
            ("team" | "default_team", Value::String(text)) => (api_field(field), world.team(text)?.into()),
            ("user", Value::String(text)) => (api_field(field), world.user(text)?.into()),
            ("key", Value::String(text)) => (api_field(field), world.key(text)?.into()),
            ("teams", Value::Array(list)) => {
                let ids = list.iter().map(|one| match one {
                    Value::String(text) => Ok(Value::String(world.team(text)?)),
                    _ => Err("`teams` is a list of names".to_owned()),
                });
                ("team_ids", Value::Array(ids.collect::<Result<_, String>>()?))
            }
            // The endpoints of a team.
            ("endpoints", Value::Array(list)) => (
                "endpoints",
                Value::Array(
                    list.iter()
                        .map(|one| assigned(one, world))
                        .collect::<Result<_, String>>()?,
                ),
            ),
            (closed, value) if CLOSED.contains(&closed) => (closed, value.clone()),
            (_, Value::Object(inner)) => (field.as_str(), Value::Object(to_ids(inner, world)?)),
            (_, Value::Array(list)) => {
                let inner = list.iter().map(|one| match one {
                    Value::Object(inner) => Ok(Value::Object(to_ids(inner, world)?)),
                    other => Ok(other.clone()),
                });
                (
                    field.as_str(),
                    Value::Array(inner.collect::<Result<_, String>>()?),
                )
            }
            // Amounts are text, so that nothing is rounded on the way.
            (_, Value::Number(amount)) if field.ends_with("_usd") || field == "usd_per_minute" => {
                (field.as_str(), Value::String(amount.to_string()))
            }
            _ => (field.as_str(), value.clone()),
        };
        api.insert(name.to_owned(), value);
    }
    Ok(api)
}

fn assigned(one: &Value, world: &World) -> Result<Value, String> {
    let (name, priority) = match one {
        Value::String(name) => (Some(name.as_str()), None),
        other => (other["name"].as_str(), other.get("priority")),
    };
    let name = name.ok_or("an endpoint of a team is its name, or `name` and `priority`")?;
    let mut api = Item::from_iter([("endpoint_id".to_owned(), Value::String(world.endpoint(name)?))]);
    if let Some(priority) = priority {
        api.insert("priority".to_owned(), priority.clone());
    }
    Ok(Value::Object(api))
}

/// The same with names where the API has ids.
pub(super) fn to_names(item: &Item, world: &World) -> Item {
    let mut file = Item::new();
    for (field, value) in item {
        let (name, value) = match (field.as_str(), value) {
            ("team_id", Value::String(id)) => ("team", world.team_name(id).into()),
            ("default_team_id", Value::String(id)) => ("default_team", world.team_name(id).into()),
            ("user_id", Value::String(id)) => ("user", world.user_name(id).into()),
            ("key_id", Value::String(id)) => ("key", world.key_name(id).into()),
            ("team_ids", Value::Array(list)) => {
                let names = list
                    .iter()
                    .filter_map(Value::as_str)
                    .map(|id| Value::String(world.team_name(id)));
                ("teams", Value::Array(names.collect()))
            }
            ("endpoint_id", Value::String(id)) => ("name", world.endpoint_name(id).into()),
            (closed, value) if CLOSED.contains(&closed) => (closed, value.clone()),
            (_, Value::Object(inner)) => (field.as_str(), Value::Object(to_names(inner, world))),
            (_, Value::Array(list)) => {
                let inner = list.iter().map(|one| match one {
                    Value::Object(inner) => Value::Object(to_names(inner, world)),
                    other => other.clone(),
                });
                (field.as_str(), Value::Array(inner.collect()))
            }
            _ => (field.as_str(), value.clone()),
        };
        file.insert(name.to_owned(), value);
    }
    file
}

/// Takes nulls away, except those in settings that are passed on.
pub(super) fn nulls_gone(item: &mut Item) {
    item.retain(|_, value| !value.is_null());
    for (field, value) in item.iter_mut() {
        if field != "settings" {
            inner_nulls_gone(value);
        }
    }
}

fn inner_nulls_gone(value: &mut Value) {
    match value {
        Value::Object(inner) => nulls_gone(inner),
        Value::Array(list) => list.iter_mut().for_each(inner_nulls_gone),
        _ => {}
    }
}

/// The same in one spelling and order, for comparing: lists of words have no order, and models have many names.
pub(super) fn comparable(field: &str, value: &Value) -> Value {
    match value {
        Value::Array(list) if list.iter().all(Value::is_string) && field != "settings" => {
            let mut words: Vec<String> = list
                .iter()
                .filter_map(Value::as_str)
                .map(|word| match field {
                    "models" => ModelName::canonical(word).to_string(),
                    _ => word.to_owned(),
                })
                .collect();
            words.sort_unstable();
            words.dedup();
            words.into()
        }
        Value::Array(list) if field != "settings" => list.iter().map(|one| comparable("", one)).collect(),
        Value::Object(inner) if field != "settings" => {
            let inner = inner.iter().filter(|(_, value)| !value.is_null());
            let inner: Item = inner
                .map(|(name, value)| (name.clone(), comparable(name, value)))
                .collect();
            if inner.is_empty() {
                Value::Null
            } else {
                Value::Object(inner)
            }
        }
        other => other.clone(),
    }
}
