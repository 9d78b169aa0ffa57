//! Web search.

use super::InvalidMessage;
use crate::v1;
use ccag_domain::search::MAX_RESULTS;
use ccag_domain::{NanoUsd, SealKey, SearchKind, SearchProvider, ServiceSecret, WebSearch, WebSearchMode};

impl From<SearchProvider> for v1::SearchProvider {
    fn from(provider: SearchProvider) -> Self {
        Self {
            kind: provider.kind.as_str().to_owned(),
            url: provider.url,
            api_key: provider.api_key.map(|key| key.reveal().to_owned()),
            max_results: provider.max_results.into(),
            allow_private_address: provider.allow_private_address,
        }
    }
}

impl TryFrom<v1::SearchProvider> for SearchProvider {
    type Error = InvalidMessage;
    fn try_from(message: v1::SearchProvider) -> Result<Self, InvalidMessage> {
        let kind = SearchKind::parse(&message.kind)
            .ok_or_else(|| InvalidMessage::unusable("kind", &message.kind))?;
        let max_results = u8::try_from(message.max_results)
            .ok()
            .filter(|n| (1..=MAX_RESULTS).contains(n))
            .ok_or_else(|| InvalidMessage::unusable("max_results", message.max_results))?;
        Ok(Self {
            kind,
            url: message.url,
            api_key: message.api_key.map(ServiceSecret::new),
            max_results,
            allow_private_address: message.allow_private_address,
        })
    }
}

impl From<WebSearch> for v1::WebSearch {
    fn from(rules: WebSearch) -> Self {
        let mode = match rules.mode {
            WebSearchMode::Disabled => v1::WebSearchMode::Disabled,
            WebSearchMode::Global => v1::WebSearchMode::Global,
            WebSearchMode::PerUser => v1::WebSearchMode::PerUser,
        };
        Self {
            mode: mode.into(),
            provider: rules.provider.map(Into::into),
            price_nano_usd: rules.price.0,
            shortcut: rules.shortcut,
            sealing_key: rules
                .sealing_key
                .map(|key| key.reveal().to_vec())
                .unwrap_or_default()
                .into(),
        }
    }
}

impl TryFrom<v1::WebSearch> for WebSearch {
    type Error = InvalidMessage;
    fn try_from(message: v1::WebSearch) -> Result<Self, InvalidMessage> {
        let mode = match v1::WebSearchMode::try_from(message.mode) {
            Ok(v1::WebSearchMode::Disabled) => WebSearchMode::Disabled,
            Ok(v1::WebSearchMode::Global) => WebSearchMode::Global,
            Ok(v1::WebSearchMode::PerUser) => WebSearchMode::PerUser,
            _ => return Err(InvalidMessage::unusable("web_search.mode", message.mode)),
        };
        let sealing_key = match message.sealing_key.as_ref() {
            [] => None,
            bytes => Some(SealKey::new(<[u8; 32]>::try_from(bytes).map_err(|_| {
                InvalidMessage::unusable("web_search.sealing_key", format!("{} bytes", bytes.len()))
            })?)),
        };
        Ok(Self {
            mode,
            provider: message.provider.map(TryInto::try_into).transpose()?,
            price: NanoUsd(message.price_nano_usd),
            shortcut: message.shortcut,
            sealing_key,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rules_survive_the_wire() {
        let rules = WebSearch {
            mode: WebSearchMode::Global,
            provider: Some(SearchProvider {
                kind: SearchKind::Searxng,
                url: Some("https://s.example".into()),
                api_key: Some(ServiceSecret::new("hush")),
                max_results: 7,
                allow_private_address: true,
            }),
            price: NanoUsd(10_000_000),
            shortcut: true,
            sealing_key: Some(SealKey::new([3; 32])),
        };
        assert_eq!(WebSearch::try_from(v1::WebSearch::from(rules.clone())), Ok(rules));
    }

    #[test]
    fn a_service_that_nobody_knows_is_refused() {
        let mut wire = v1::SearchProvider::from(SearchProvider::duckduckgo());
        wire.kind = "oracle".into();
        assert_eq!(
            SearchProvider::try_from(wire).unwrap_err().to_string(),
            "kind cannot be `oracle`"
        );
        let mut wire = v1::SearchProvider::from(SearchProvider::duckduckgo());
        wire.max_results = 21;
        assert!(SearchProvider::try_from(wire).is_err());
    }
}
