//! What AWS lets an endpoint's account use, and what of it is used.

use crate::Timestamp;
use ccag_domain::{EndpointId, QuotaKind, QuotaScope};

/// The answer to `GET /admin/endpoints/{id}/quotas`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct EndpointQuotas {
    /// The endpoint.
    pub endpoint_id: EndpointId,
    /// When AWS said so last; `null` if it never has.
    pub asked_at: Option<Timestamp>,
    /// Why AWS did not say so the last time it was asked.
    pub error: Option<String>,
    /// The quotas that are about models, those of the catalogue first.
    pub quotas: Vec<QuotaView>,
    /// How many other quotas of Bedrock's AWS lists.
    pub others: u32,
}

/// A quota of the account's in the region.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuotaView {
    /// AWS's code of it.
    pub code: String,
    /// AWS's name of it.
    pub name: String,
    /// The model's canonical name; `null` if it is none of the catalogue's, or if all models share the quota.
    pub model: Option<String>,
    /// Which requests count.
    pub scope: QuotaScope,
    /// What is bounded.
    pub kind: QuotaKind,
    /// How many.
    pub limit: u64,
    /// How many were used in the last minute, or in the last day, through this gateway's endpoint; `null` where that cannot be
    /// told, since the model is not served. Of tokens it is what AWS counts when requests are over.
    pub used: Option<u64>,
    /// What that is made of.
    pub usage: Option<QuotaUsage>,
    /// What counts against it at the moment, by the data planes' account: what is set aside for requests that run, and what those
    /// of the last minute have used, through all endpoints of the account; some seconds old. `null` of quotas of a day.
    #[serde(default)]
    pub counted: Option<u64>,
}

/// What was used in a quota's time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct QuotaUsage {
    /// Requests that were over.
    pub requests: u64,
    /// Input that was neither read from a cache nor written to one: counts once.
    pub input_tokens: u64,
    /// Read from caches: counts nothing.
    pub cache_read_tokens: u64,
    /// Written to caches: counts once.
    pub cache_write_tokens: u64,
    /// Output: counts as many times as its model burns down.
    pub output_tokens: u64,
    /// What output counts.
    pub output_counted: u64,
}
