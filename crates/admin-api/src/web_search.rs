//! Web search: the rules for everybody, and everybody's own services.

use crate::Secret;
use ccag_domain::{NanoUsd, SearchKind, WebSearchMode};

/// A search service, without its key.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchProviderView {
    /// Which service.
    pub provider_type: SearchKind,
    /// Its address, for the kinds that have none of their own.
    pub api_url: Option<String>,
    /// How many results are asked for.
    pub max_results: u8,
    /// Whether a key is stored; it is never shown.
    pub has_api_key: bool,
    /// Whether its address may be a private one.
    pub allow_private_address: bool,
    /// Whether searches go to it.
    pub active: bool,
}

/// A search service as it is entered.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct PutSearchProvider {
    /// Which service.
    pub provider_type: SearchKind,
    /// Its key; absent keeps the one that is stored.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_key: Option<Secret>,
    /// Its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_url: Option<String>,
    /// How many results are asked for: 1 to 20, by default 5.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_results: Option<u8>,
    /// Whether its address may be a private one; for the service for everybody alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allow_private_address: Option<bool>,
}

/// The answer to `GET /admin/websearch-mode`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct WebSearchView {
    /// `disabled`; `global`: one service for everybody; `enabled`: each user's own, else DuckDuckGo.
    pub mode: WebSearchMode,
    /// The service for everybody; shown to admins alone.
    pub provider: Option<SearchProviderView>,
    /// What one search costs, in nano-USD.
    pub price_nano_usd: NanoUsd,
    /// Whether Claude Code's own search requests are answered without asking the model.
    pub shortcut: bool,
}

/// The body of `PUT /admin/websearch-mode`; absent fields are kept.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct SetWebSearch {
    /// Who decides which service is asked.
    pub mode: WebSearchMode,
    /// The service for everybody.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<PutSearchProvider>,
    /// What one search costs, in nano-USD.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub price_nano_usd: Option<NanoUsd>,
    /// Whether Claude Code's own search requests are answered without asking the model.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shortcut: Option<bool>,
}

/// The answer to `GET /admin/search-providers`: one's own.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchProviderList {
    /// Those that are configured.
    pub providers: Vec<SearchProviderView>,
}

/// The body of `POST /admin/search-providers/activate` and `/test`.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct NameSearchProvider {
    /// Which of one's services.
    pub provider_type: SearchKind,
}

/// What a test search gave.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SearchTest {
    /// Whether the service answered with results that can be read.
    pub success: bool,
    /// In words.
    pub message: String,
    /// How many results came.
    pub result_count: u32,
}
