//! Secrets: the file names where they are, and never has to hold them.

use super::document::Item;
use crate::error::CliError;
use serde_json::Value;

/// Fields whose values are secrets, wherever they stand.
const SECRETS: &[&str] = &[
    "access_key_id",
    "secret_access_key",
    "session_token",
    "api_key",
    "password",
    "client_secret",
];

/// Whether a field holds a secret: the gateway never shows it, so it cannot be compared.
pub(super) fn is_secret(field: &str) -> bool {
    SECRETS.contains(&field)
}

/// Puts the values of environment variables where secrets are named by them, as in `{env: NAME}`.
pub(super) fn resolve(item: &mut Item) -> Result<(), CliError> {
    for (field, value) in item.iter_mut() {
        match value {
            Value::Object(inner) if is_secret(field) => {
                let name = match inner.get("env").and_then(Value::as_str) {
                    Some(name) if inner.len() == 1 => name.to_owned(),
                    _ => {
                        return Err(CliError::Usage(format!(
                            "`{field}` is a text, or names an environment variable as {{env: NAME}}"
                        )));
                    }
                };
                let found = std::env::var(&name).map_err(|_| {
                    CliError::Usage(format!(
                        "`{field}` is to be taken from the environment variable {name}, which is not set"
                    ))
                })?;
                *value = Value::String(found);
            }
            Value::Object(inner) => resolve(inner)?,
            _ => {}
        }
    }
    Ok(())
}

/// Takes secrets away, for comparing and for showing.
pub(super) fn without(value: &mut Value) {
    if let Value::Object(map) = value {
        map.retain(|field, _| !is_secret(field));
        map.values_mut().for_each(without);
    }
}
