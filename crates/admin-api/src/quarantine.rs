//! Usage records that were put aside.

use crate::Timestamp;

/// The query of `GET /admin/usage/quarantine`.
#[derive(Debug, Clone, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct ListQuarantine {
    /// How many at most: 1 to 1000, by default 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next_cursor` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cursor: Option<String>,
}

/// The answer to `GET /admin/usage/quarantine`, the newest first.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuarantineList {
    /// The records of this page.
    pub records: Vec<QuarantinedView>,
    /// How many there are in all.
    pub total: u64,
    /// Asks for the next page; `null` on the last.
    pub next_cursor: Option<String>,
}

/// A usage record that could not be stored: it is in no sum.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuarantinedView {
    /// Its id, or, if it has none that can be used, one that was made from its content.
    pub id: String,
    /// The data plane that sent it.
    pub replica_id: String,
    /// Why it could not be stored.
    pub reason: String,
    /// What it says, for people; at most 8,192 characters.
    pub payload: String,
    /// When it was put aside.
    pub at: Timestamp,
    /// Whether it is kept as it came, so that it can be tried again.
    pub retryable: bool,
}

/// The answer to `POST /admin/usage/quarantine/{id}/retry`: the record is in the ledger.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RetriedView {
    /// The id under which it was put aside.
    pub id: String,
    /// False if it was in the ledger already.
    pub stored: bool,
}
