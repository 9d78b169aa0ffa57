//! Policies.

use crate::Timestamp;
use ccag_domain::{PolicyId, PolicyMatch};
use serde_json::{Map, Value};

/// The body of `POST /admin/policies`, and of `PUT /admin/policies/{id}`, which replaces everything.
#[derive(Debug, Clone, Default, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WritePolicy {
    /// Its name, which people see when it refuses a model.
    pub name: String,
    /// Of policies about the same person the one with the higher number has the last word; by default 0.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<i64>,
    /// Whom it is about; by default everybody.
    #[serde(default, rename = "match")]
    pub subject: PolicyMatch,
    /// The models that may be used; absent: the policy says nothing of models.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub models: Option<Vec<String>>,
    /// What Claude Code is given as managed settings; absent: the policy says nothing of settings.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<Map<String, Value>>,
}

/// A policy.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyView {
    /// Its id.
    pub id: PolicyId,
    /// Its name.
    pub name: String,
    /// The higher, the later its word.
    pub priority: i64,
    /// Whom it is about.
    #[serde(rename = "match")]
    pub subject: PolicyMatch,
    /// The models that may be used; `null`: it says nothing of models.
    pub models: Option<Vec<String>>,
    /// The managed settings; `null`: it says nothing of settings.
    pub settings: Option<Map<String, Value>>,
    /// How often it has been written.
    pub version: i64,
    /// When it was added.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

/// The answer to `GET /admin/policies`, those that have the last word first.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyList {
    /// All of them.
    pub policies: Vec<PolicyView>,
}

/// What Claude Code gets at `GET /managed/settings`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ManagedSettings {
    /// Names these settings.
    pub uuid: String,
    /// `sha256:` and the digest of the settings, as the client computes it.
    pub checksum: String,
    /// The settings.
    pub settings: Value,
}

/// The answer to `GET /admin/users/{id}/policy`: what the policies say to and of a user.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct PolicyPreview {
    /// The policies about them, that with the last word last.
    pub policies: Vec<String>,
    /// The models that they may use; `null`: all that their team may.
    pub models: Option<Vec<String>>,
    /// The policy that says so.
    pub models_by: Option<String>,
    /// What their Claude Code is given; `null`: nothing.
    pub settings: Option<ManagedSettings>,
}

/// The body of `PUT /admin/sign-in`, and the answer to it and to `GET`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SignInSettings {
    /// Whether users of the gateway's own may sign in with their password.
    pub password_sign_in: bool,
    /// What Claude Code shows beside the code when somebody signs in: at most 500 characters.
    #[serde(default)]
    pub login_notice: Option<String>,
}
