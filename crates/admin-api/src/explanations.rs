//! How a request was decided.

use crate::{LedgerRow, Timestamp};
use ccag_domain::{CostLines, Explanation, RequestId};

/// Where an answer comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum ExplanationSource {
    /// The data plane wrote it down while it decided.
    DataPlane,
    /// Nothing was written down, or it is no longer kept: it is put together from the ledger.
    Ledger,
}

/// The answer to `GET /admin/requests/{id}/explanation`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ExplanationView {
    /// The request.
    pub request_id: RequestId,
    /// Where this comes from.
    pub source: ExplanationSource,
    /// What there is to say about that, for people.
    pub note: Option<String>,
    /// Until when it is kept; `null` for what the ledger knows.
    pub kept_until: Option<Timestamp>,
    /// What the key is called now.
    pub key_name: Option<String>,
    /// What the user is called now.
    pub user_name: Option<String>,
    /// What the team is called now.
    pub team_name: Option<String>,
    /// How it was decided.
    pub explanation: Explanation,
    /// What it cost, line by line; `null` for what was refused.
    pub cost: Option<CostLines>,
    /// Its row of the ledger; `null` for what was refused.
    pub ledger: Option<LedgerRow>,
}
