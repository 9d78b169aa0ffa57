//! Who changed what.

use crate::Timestamp;

/// The query of `GET /admin/audit`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListAudit {
    /// Only entries whose actor, action or object's id holds this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub q: Option<String>,
    /// Only from this moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Only before this moment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Timestamp>,
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/audit`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditList {
    /// The entries of this page.
    pub entries: Vec<AuditEntryView>,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// One change.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditEntryView {
    /// Its id.
    pub id: String,
    /// Its number in the chain; `null` if it is from before there was one.
    pub seq: Option<i64>,
    /// When.
    pub at: Timestamp,
    /// Who: the id of a user, or `system`.
    pub actor: String,
    /// The user's name, if the user is still there.
    pub actor_name: Option<String>,
    /// What was done: `key.revoke`.
    pub action: String,
    /// What it was done to: `key`.
    pub object_kind: String,
    /// The object's id.
    pub object_id: String,
    /// What there is to say about it. No secret is in it.
    pub details: serde_json::Value,
    /// The seal on this entry and all before it: SHA-256, in hexadecimal digits.
    pub hash: Option<String>,
}

/// The query of `GET /admin/audit/verify`: an entry that was written down elsewhere, or none.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct VerifyAudit {
    /// Its number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<i64>,
    /// Its hash.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<String>,
}

/// The answer to `GET /admin/audit/verify`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct AuditVerification {
    /// Whether every entry is as it was written, and none is missing, and the one that was asked for is among them.
    pub intact: bool,
    /// How many entries are sound, counted from the first.
    pub sound: u64,
    /// How many entries are from before there was a chain: nothing is known of them.
    pub before_chain: u64,
    /// The number of the last entry; 0 if there is none.
    pub seq: i64,
    /// The hash of the last entry. Kept elsewhere, together with the number, it shows later that nothing before was changed.
    pub hash: String,
    /// The number of the first entry that is not sound.
    pub broken_at: Option<i64>,
    /// What is wrong, for people.
    pub problem: Option<String>,
}
