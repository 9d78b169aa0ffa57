//! Costs of the ledger, worked out anew.

use crate::Timestamp;
use ccag_domain::NanoUsd;

/// The query of `GET /admin/usage/reprice`: what the requests of a range would cost at the prices that are in the history now.
/// Each costs what was in force when it began; web searches cost what is set for them now.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct RepriceQuery {
    /// Requests that began at this moment or later.
    pub from: Timestamp,
    /// Requests that began before this moment.
    pub to: Timestamp,
    /// Only this model's, by any of its names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
}

/// The body of `POST /admin/usage/reprice`: gives them those costs.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct Reprice {
    /// Requests that began at this moment or later.
    pub from: Timestamp,
    /// Requests that began before this moment.
    pub to: Timestamp,
    /// Only this model's, by any of its names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Why; it stands in the audit log.
    pub reason: String,
}

/// The answer to both.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepriceReport {
    /// The first moment of the range.
    pub from: Timestamp,
    /// The first moment after it.
    pub to: Timestamp,
    /// Whether the costs were changed.
    pub applied: bool,
    /// How many requests there are in the range.
    pub rows: u64,
    /// How many of them cost something else, or come from another price.
    pub changed_rows: u64,
    /// What the ledger said they cost.
    pub stored_nano_usd: NanoUsd,
    /// What they cost by the prices now in the history.
    pub recomputed_nano_usd: NanoUsd,
    /// The latter less the former.
    pub difference_nano_usd: NanoUsd,
    /// The same by model.
    pub models: Vec<RepricedModel>,
}

/// One model's part of a [`RepriceReport`].
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RepricedModel {
    /// The model, as it stands in the ledger.
    pub model: String,
    /// How many requests.
    pub rows: u64,
    /// How many of them cost something else, or come from another price.
    pub changed_rows: u64,
    /// What the ledger said they cost.
    pub stored_nano_usd: NanoUsd,
    /// What they cost by the prices now in the history.
    pub recomputed_nano_usd: NanoUsd,
    /// The latter less the former.
    pub difference_nano_usd: NanoUsd,
}
