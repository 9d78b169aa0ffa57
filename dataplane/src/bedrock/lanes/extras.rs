//! What an endpoint has requests ask for beside the client's own wishes: a service tier, and metadata that says whose request
//! it is. Bedrock may refuse either for a model; the request then goes out once more without it, and later ones begin so.

use super::super::fault::Fault;
use super::LaneTable;
use ccag_domain::routing::Candidate;
use ccag_domain::{Lane, ServiceTier, Subject};
use http::{HeaderName, HeaderValue};

/// The headers (Amazon Bedrock API reference, "InvokeModel").
const TIER: HeaderName = HeaderName::from_static("x-amzn-bedrock-service-tier");
const METADATA: HeaderName = HeaderName::from_static("x-amzn-bedrock-request-metadata");

/// Something that a request can do without.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Extra {
    /// The service tier: a header of `InvokeModel`, a field on bedrock-mantle.
    ServiceTier,
    /// Whose request it is: a header of `InvokeModel`.
    Metadata,
}

impl Extra {
    /// Its name in logs and explanations.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            Self::ServiceTier => "service_tier",
            Self::Metadata => "request_metadata",
        }
    }

    /// What a refusal is about, by Bedrock's words for it.
    fn in_words(message: &str) -> Option<Self> {
        let words: String = message
            .chars()
            .filter(|c| c.is_ascii_alphanumeric())
            .map(|c| c.to_ascii_lowercase())
            .collect();
        if words.contains("servicetier") {
            Some(Self::ServiceTier)
        } else if words.contains("requestmetadata") {
            Some(Self::Metadata)
        } else {
            None
        }
    }
}

/// A thing that an endpoint does not take with a model.
pub(super) type Refused = (ccag_domain::EndpointId, String, Extra);

impl LaneTable {
    fn takes(&self, candidate: &Candidate, extra: Extra) -> bool {
        let key = || (candidate.endpoint.id.clone(), candidate.model.id.clone(), extra);
        self.refused_extras.entry_count() == 0 || !self.refused_extras.contains_key(&key())
    }

    /// The service tier to ask a candidate for.
    pub(crate) fn tier(&self, candidate: &Candidate) -> Option<ServiceTier> {
        let tier = candidate.endpoint.access.service_tier?;
        let has = matches!(candidate.lane, Lane::InvokeModel | Lane::Mantle);
        (has && self.takes(candidate, Extra::ServiceTier)).then_some(tier)
    }

    fn tells(&self, candidate: &Candidate) -> bool {
        candidate.endpoint.access.request_metadata
            && candidate.lane == Lane::InvokeModel
            && self.takes(candidate, Extra::Metadata)
    }

    /// The headers by which `InvokeModel` is asked for the rest.
    pub(crate) fn extra_headers(
        &self,
        candidate: &Candidate,
        subject: Option<&Subject>,
        headers: &mut Vec<(HeaderName, HeaderValue)>,
    ) {
        if candidate.lane != Lane::InvokeModel {
            return;
        }
        if let Some(tier) = self.tier(candidate) {
            headers.push((TIER, HeaderValue::from_static(tier.as_str())));
        }
        if let Some(subject) = subject.filter(|_| self.tells(candidate))
            && let Ok(value) = HeaderValue::from_str(&subject.metadata())
        {
            headers.push((METADATA, value));
        }
    }

    /// Whether a refusal is about something that the endpoint's configuration, not the client, has asked for: it is then left
    /// out, for ten minutes, and the request may go out again.
    pub(crate) fn leave_out(&self, candidate: &Candidate, fault: &Fault) -> Option<Extra> {
        if fault.status != Some(400) {
            return None;
        }
        let extra = Extra::in_words(&fault.detail)?;
        let was_sent = match extra {
            Extra::ServiceTier => self.tier(candidate).is_some(),
            Extra::Metadata => self.tells(candidate),
        };
        if !was_sent {
            return None;
        }
        let key = (candidate.endpoint.id.clone(), candidate.model.id.clone(), extra);
        self.refused_extras.insert(key, ());
        // The count of entries is what requests look at first.
        self.refused_extras.run_pending_tasks();
        tracing::warn!(
            endpoint = candidate.endpoint.name,
            model = candidate.model.id,
            what = extra.as_str(),
            "Bedrock refuses what the endpoint is configured to ask for; it is left out for ten minutes"
        );
        Some(extra)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_apart_by_awss_words() {
        for (message, extra) in [
            (
                "400: The provided serviceTier is not supported for this model",
                Some(Extra::ServiceTier),
            ),
            (
                "400: Service tier 'flex' is not available",
                Some(Extra::ServiceTier),
            ),
            (
                "400: Request metadata contains a value that violates the regular expression",
                Some(Extra::Metadata),
            ),
            ("400: messages: at least one message is required", None),
        ] {
            assert_eq!(Extra::in_words(message), extra, "{message}");
        }
    }
}
