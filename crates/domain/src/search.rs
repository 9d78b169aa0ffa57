//! Web search: who is asked, on whose behalf, and what it costs.

use crate::NanoUsd;
use crate::seal::SealKey;
use std::fmt;
use zeroize::Zeroizing;

/// How many results a search gives at most, whatever is configured.
pub const MAX_RESULTS: u8 = 20;

/// How many results a search gives unless configured otherwise.
pub const DEFAULT_RESULTS: u8 = 5;

/// A kind of search service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum SearchKind {
    /// DuckDuckGo's page for browsers without scripts: no key, and it stops answering when asked often.
    DuckDuckGo,
    /// Tavily's API.
    Tavily,
    /// Serper's API (Google's results).
    Serper,
    /// Brave's API.
    Brave,
    /// A SearXNG server of one's own.
    Searxng,
    /// A server of one's own that answers `POST {"query", "count"}`.
    Custom,
}

impl SearchKind {
    /// All of them, in the order in which they are offered.
    pub const ALL: [Self; 6] = [
        Self::DuckDuckGo,
        Self::Tavily,
        Self::Serper,
        Self::Brave,
        Self::Searxng,
        Self::Custom,
    ];

    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::DuckDuckGo => "duckduckgo",
            Self::Tavily => "tavily",
            Self::Serper => "serper",
            Self::Brave => "brave",
            Self::Searxng => "searxng",
            Self::Custom => "custom",
        }
    }

    /// The name for people.
    #[must_use]
    pub const fn title(self) -> &'static str {
        match self {
            Self::DuckDuckGo => "DuckDuckGo",
            Self::Tavily => "Tavily",
            Self::Serper => "Serper",
            Self::Brave => "Brave Search",
            Self::Searxng => "SearXNG",
            Self::Custom => "Custom",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text)
    }

    /// Whether it answers nobody without an API key.
    #[must_use]
    pub const fn needs_key(self) -> bool {
        matches!(self, Self::Tavily | Self::Serper | Self::Brave)
    }

    /// Whether its address has to be configured.
    #[must_use]
    pub const fn needs_url(self) -> bool {
        matches!(self, Self::Searxng | Self::Custom)
    }
}

/// A secret of a service that we are a client of. Wiped from memory when dropped and never printed by `Debug`.
#[derive(Clone, PartialEq, Eq)]
pub struct ServiceSecret(Zeroizing<String>);

impl ServiceSecret {
    /// Takes a secret as it was entered.
    #[must_use]
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The secret itself, to show it to its service.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for ServiceSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ServiceSecret(…)")
    }
}

/// A search service with what is needed to ask it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchProvider {
    /// Which.
    pub kind: SearchKind,
    /// Where, for the kinds that have no address of their own.
    pub url: Option<String>,
    /// What it is shown.
    pub api_key: Option<ServiceSecret>,
    /// How many results are asked for: 1 to [`MAX_RESULTS`].
    pub max_results: u8,
    /// Whether its address may be a private one. Only an admin's word makes it so.
    pub allow_private_address: bool,
}

impl SearchProvider {
    /// What a user who has chosen nothing is served by.
    #[must_use]
    pub fn duckduckgo() -> Self {
        Self {
            kind: SearchKind::DuckDuckGo,
            url: None,
            api_key: None,
            max_results: DEFAULT_RESULTS,
            allow_private_address: false,
        }
    }
}

/// One result of a search.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchHit {
    /// Where it is.
    pub url: String,
    /// What it is called; never empty.
    pub title: String,
    /// What it says, as far as the service tells; may be empty.
    pub text: String,
    /// How old it is or when it was published, in the service's words.
    pub age: Option<String>,
}

/// Who decides which service is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum WebSearchMode {
    /// Nobody: requests with a web search tool are refused.
    #[default]
    Disabled,
    /// The admin, for everybody.
    Global,
    /// Each user; who has chosen nothing is served by DuckDuckGo.
    #[serde(rename = "enabled")]
    PerUser,
}

impl WebSearchMode {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Disabled => "disabled",
            Self::Global => "global",
            Self::PerUser => "enabled",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Disabled, Self::Global, Self::PerUser]
            .into_iter()
            .find(|m| m.as_str() == text)
    }
}

/// The rules of web search for the whole installation.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct WebSearch {
    /// Who decides.
    pub mode: WebSearchMode,
    /// The service for everybody, in [`WebSearchMode::Global`].
    pub provider: Option<SearchProvider>,
    /// What one search costs.
    pub price: NanoUsd,
    /// Whether the request that Claude Code makes for its own web search tool is answered from the search alone, without
    /// asking the model.
    pub shortcut: bool,
    /// What search results are sealed with that clients carry from turn to turn.
    pub sealing_key: Option<SealKey>,
}

impl WebSearch {
    /// The service to ask for a user; `None` where searching is off, or where the admin's service is not configured: it is
    /// never replaced by another.
    #[must_use]
    pub fn provider_for(&self, own: Option<&SearchProvider>) -> Option<SearchProvider> {
        match self.mode {
            WebSearchMode::Disabled => None,
            WebSearchMode::Global => self.provider.clone(),
            WebSearchMode::PerUser => Some(own.cloned().unwrap_or_else(SearchProvider::duckduckgo)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_provider_of_the_admin_is_not_replaced() {
        let own = SearchProvider {
            kind: SearchKind::Tavily,
            ..SearchProvider::duckduckgo()
        };
        let rules = |mode| WebSearch {
            mode,
            ..WebSearch::default()
        };
        assert_eq!(rules(WebSearchMode::Global).provider_for(Some(&own)), None);
        assert_eq!(rules(WebSearchMode::Disabled).provider_for(Some(&own)), None);
        assert_eq!(rules(WebSearchMode::PerUser).provider_for(Some(&own)), Some(own));
        assert_eq!(
            rules(WebSearchMode::PerUser).provider_for(None).unwrap().kind,
            SearchKind::DuckDuckGo
        );
    }

    #[test]
    fn names_are_read_back_and_secrets_are_not_printed() {
        for kind in SearchKind::ALL {
            assert_eq!(SearchKind::parse(kind.as_str()), Some(kind));
        }
        assert_eq!(WebSearchMode::parse("enabled"), Some(WebSearchMode::PerUser));
        assert_eq!(format!("{:?}", ServiceSecret::new("hush")), "ServiceSecret(…)");
    }
}
