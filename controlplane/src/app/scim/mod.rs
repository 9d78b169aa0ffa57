//! What providers do through SCIM: their users and groups become ours, and nobody else's (RFC 7644).
//!
//! A provider's user is a row of `users` like any other, with what the provider says of them beside it. Every verb takes
//! the [`Client`] who shows a token, sees only what belongs to that token's provider, and changes everything in one
//! transaction: the user, their groups, the role and the team that follow, what is pushed to data planes, and the audit log.

mod admin;
pub(crate) mod former;
mod groups;
mod people;
mod search;
mod users;
mod views;

pub use admin::{admin_groups, create_token, enable, list_tokens, revoke_token, set_admin_groups, status};
pub(crate) use groups::{create_group, delete_group, find_group, patch_group, replace_group};
pub(crate) use search::search;
pub(crate) use users::{create_user, delete_user, find_user, patch_user, replace_user};

use super::identity::rules;
use super::{App, Changed};
use crate::store::entity::identity_provider;
use crate::store::{AuditEntry, StoreError};
use ccag_admin_api::ProviderRules;
use ccag_domain::{Actor, Code, KeyDigest, ObjectKind, Problem, UnixMs};
use ccag_scim::{Object, ScimError, ScimType};
use time::OffsetDateTime;
use time::macros::format_description;

/// What every token begins with.
pub(crate) const TOKEN_PREFIX: &str = "scim-ccag-";

/// How exactly it is known when a token was last used, in milliseconds.
const USED_WITHIN_MS: i64 = 60_000;

/// The longest name and id that a provider may give, in characters.
const MAX_NAME: usize = 500;

/// The most bytes of what a provider may say of one user or group.
const MAX_ATTRIBUTES: usize = 256 << 10;

/// Who shows a token.
#[derive(Debug, Clone)]
pub(crate) struct Client {
    /// Names the token.
    token_id: String,
    provider: identity_provider::Model,
    rules: ProviderRules,
    /// Where SCIM is, for the places of resources.
    base: String,
}

/// A resource on its way out.
#[derive(Debug, Clone)]
pub(crate) struct Shown {
    pub(crate) resource: Object,
    pub(crate) location: String,
    /// The version, as it stands in `ETag`.
    pub(crate) version: String,
}

/// Which versions of a resource the client wants to change, or knows already (RFC 7232).
#[derive(Debug, Clone)]
pub(crate) struct Versions(String);

impl Versions {
    pub(crate) fn new(header: impl Into<String>) -> Self {
        Self(header.into())
    }

    /// Whether a version is among them. All versions are weak, and some clients forget to say so.
    pub(crate) fn include(&self, version: &str) -> bool {
        let bare = |text: &str| {
            let text = text.trim();
            let text = text
                .strip_prefix("W/")
                .or(text.strip_prefix("w/"))
                .unwrap_or(text);
            text.trim_matches('"').to_owned()
        };
        let version = bare(version);
        self.0
            .split(',')
            .any(|one| one.trim() == "*" || bare(one) == version)
    }
}

/// Finds out who shows a token.
pub(crate) async fn authenticate(app: &App, token: Option<&str>, base: String) -> Result<Client, ScimError> {
    let Some(token) = token else {
        return Err(ScimError::new(
            401,
            "Send the token of your provider as `Authorization: Bearer scim-ccag-…`.",
        ));
    };
    let unknown = || ScimError::new(401, "This token is unknown, was revoked or has expired.");
    if !token.starts_with(TOKEN_PREFIX) || token.len() > 200 {
        return Err(unknown());
    }
    let now = app.now_ms();
    let digest = KeyDigest::of(token).to_hex();
    let (row, provider) = app.store.find_scim_token(&digest).await?.ok_or_else(unknown)?;
    if row.expires_at_ms.is_some_and(|at| at <= now) {
        return Err(unknown());
    }
    let rules = rules(&provider)?;
    if !rules.scim_enabled {
        return Err(ScimError::new(
            403,
            "SCIM is switched off for this provider. An admin of the gateway switches it on.",
        ));
    }
    let since = now - USED_WITHIN_MS;
    if row.last_used_at_ms.is_none_or(|at| at <= since)
        && let Err(error) = app.store.note_scim_token(&row.id, now, since).await
    {
        tracing::warn!(%error, token = row.id, "it cannot be noted that a SCIM token was used");
    }
    Ok(Client {
        token_id: row.id,
        provider,
        rules,
        base,
    })
}

impl Client {
    /// An entry of the audit log about something that the provider has done.
    fn entry(&self, app: &App, action: &'static str, id: &str, details: Changed) -> AuditEntry {
        AuditEntry {
            actor: format!("scim:{}", self.token_id),
            ..app.audit(&Actor::System, action, ObjectKind::User, id, details)
        }
    }

    /// The same about a group, which is not pushed to data planes.
    fn group_entry(&self, app: &App, action: &'static str, id: &str, details: Changed) -> AuditEntry {
        AuditEntry {
            kind: "scim_group",
            ..self.entry(app, action, id, details)
        }
    }
}

impl From<StoreError> for ScimError {
    fn from(error: StoreError) -> Self {
        if matches!(error, StoreError::Duplicate(_)) {
            return taken("Something with the same name or id was made at the same moment.");
        }
        refused(error.into())
    }
}

/// A refusal of ours in SCIM's words.
fn refused(problem: Problem) -> ScimError {
    match problem.code {
        Code::InvalidRequest => ScimError::of(ScimType::InvalidValue, problem.message),
        Code::Overloaded => ScimError::new(503, problem.message),
        code => ScimError::new(code.status(), problem.message),
    }
}

fn taken(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::Uniqueness, detail)
}

fn missing(what: &str, id: &str) -> ScimError {
    let shown: String = id.chars().filter(|c| !c.is_control()).take(80).collect();
    ScimError::new(404, format!("There is no {what} `{shown}`."))
}

fn check_version(wanted: Option<&Versions>, version: i64) -> Result<(), ScimError> {
    match wanted {
        Some(wanted) if !wanted.include(&views::version(version)) => Err(ScimError::new(
            412,
            "The resource has changed since the version that `If-Match` names. Read it again.",
        )),
        _ => Ok(()),
    }
}

/// A name or id that a provider has given, as far as it can be kept.
fn checked(attribute: &str, text: &str) -> Result<String, ScimError> {
    let text = text.trim();
    if text.chars().count() > MAX_NAME || text.chars().any(char::is_control) {
        return Err(ScimError::of(
            ScimType::InvalidValue,
            format!("`{attribute}` may have {MAX_NAME} characters at most, and no control characters."),
        ));
    }
    Ok(text.to_owned())
}

/// What a provider has given, as text for the database.
fn stored(attributes: &Object) -> Result<String, ScimError> {
    let text = serde_json::Value::Object(attributes.clone()).to_string();
    if text.len() > MAX_ATTRIBUTES {
        return Err(ScimError::new(
            413,
            format!("The attributes of one resource may have {MAX_ATTRIBUTES} bytes at most."),
        ));
    }
    Ok(text)
}

fn attributes(table: &'static str, text: &str) -> Result<Object, StoreError> {
    serde_json::from_str(text).map_err(|_| StoreError::unreadable(table, "bad value in attributes"))
}

fn text(attributes: &Object, name: &str) -> Option<String> {
    attributes
        .get(name)
        .and_then(serde_json::Value::as_str)
        .map(str::to_owned)
}

/// A moment as it is written in JSON (RFC 7643, §2.3.5).
fn moment(ms: UnixMs) -> String {
    let format = format_description!("[year]-[month]-[day]T[hour]:[minute]:[second].[subsecond digits:3]Z");
    OffsetDateTime::from_unix_timestamp_nanos(i128::from(ms) * 1_000_000)
        .ok()
        .and_then(|at| at.format(&format).ok())
        .unwrap_or_default()
}
