//! What AWS lets an account use of a model in a region, and how use is counted against it.

use crate::named::named;
use crate::{CredentialSource, Endpoint, Geography, Model, Tokens};

named! {
    /// What is bounded.
    QuotaKind {
        /// Tokens in a minute.
        TokensPerMinute = "tokens_per_minute",
        /// Requests in a minute.
        RequestsPerMinute = "requests_per_minute",
        /// Tokens in a day.
        TokensPerDay = "tokens_per_day",
    }
}

named! {
    /// Which requests count.
    QuotaScope {
        /// Those through the profile of a geography.
        CrossRegion = "cross_region",
        /// Those through the global profile.
        Global = "global",
        /// Those to the foundation model in the region.
        OnDemand = "on_demand",
        /// All but those through the global profile.
        Regional = "regional",
        /// All of them.
        All = "all",
    }
}

impl QuotaScope {
    /// Whether a request that runs there counts.
    #[must_use]
    pub const fn counts(self, geography: Geography) -> bool {
        match self {
            Self::All => true,
            Self::Global => matches!(geography, Geography::Global),
            Self::OnDemand => matches!(geography, Geography::InRegion),
            Self::Regional => !matches!(geography, Geography::Global),
            Self::CrossRegion => !matches!(geography, Geography::Global | Geography::InRegion),
        }
    }
}

/// A quota of an account's in a region, as Service Quotas lists it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Quota {
    /// AWS's code of it: `L-12345678`.
    pub code: String,
    /// AWS's name of it.
    pub name: String,
    /// The model, in AWS's words without the vendor: `Claude Sonnet 4.5`; `None` if all models share it.
    pub model: Option<String>,
    /// Which requests count.
    pub scope: QuotaScope,
    /// What is bounded.
    pub kind: QuotaKind,
    /// How many.
    pub limit: u64,
}

impl Quota {
    /// Understands a quota by its name; `None` if it is about something else, or worded in a way that this version does not know.
    ///
    /// Sources of the names: AWS general reference, "Amazon Bedrock endpoints and quotas"; Amazon Bedrock user guide, "Quotas
    /// for the bedrock-runtime endpoint".
    #[must_use]
    pub fn read(code: &str, name: &str, limit: f64) -> Option<Self> {
        let lower = name.trim().to_ascii_lowercase();
        let (scope, kind, model) = if lower.starts_with("cross-model max tokens per day") {
            (QuotaScope::All, QuotaKind::TokensPerDay, None)
        } else {
            let (scope, kind, label) = understood(&lower)?;
            (scope, kind, Some(model_name(&label)?))
        };
        let is_number = limit.is_finite() && (0.0..=9.0e15).contains(&limit);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "AWS's numbers are JSON's; this one is a whole number in range"
        )]
        let limit = is_number.then_some(limit as u64)?;
        Some(Self {
            code: code.to_owned(),
            name: name.to_owned(),
            model,
            scope,
            kind,
            limit,
        })
    }

    /// Whether it bounds what a model may use in a minute: what data planes go by when they let requests in. What was used in a
    /// day no single run of a data plane knows.
    #[must_use]
    pub const fn is_of_a_minute(&self) -> bool {
        let is_minute = matches!(
            self.kind,
            QuotaKind::TokensPerMinute | QuotaKind::RequestsPerMinute
        );
        is_minute && self.model.is_some()
    }

    /// Whether it is about this model.
    #[must_use]
    pub fn is_of(&self, model: &Model) -> bool {
        let named = |name: &str| {
            self.model
                .as_deref()
                .is_some_and(|of| of.eq_ignore_ascii_case(name))
        };
        let spelt = model.name.as_str().replace('-', " ");
        named(&model.display_name)
            || named(&spelt)
            || self
                .model
                .as_deref()
                .is_some_and(|of| of.replace('.', " ").eq_ignore_ascii_case(&spelt))
    }
}

/// Scope, kind, and what follows the last `for`.
fn understood(name: &str) -> Option<(QuotaScope, QuotaKind, String)> {
    let (what, label) = name.split_once(" for ")?;
    let (what, kind) = if let Some(rest) = what.strip_suffix(" tokens per minute") {
        (rest, QuotaKind::TokensPerMinute)
    } else if let Some(rest) = what.strip_suffix(" requests per minute") {
        (rest, QuotaKind::RequestsPerMinute)
    } else {
        (what.strip_suffix(" tokens per day")?, QuotaKind::TokensPerDay)
    };
    let scope = match what {
        "cross-region model inference" | "cross-region invokemodel" => QuotaScope::CrossRegion,
        "global cross-region model inference" | "global cross-region invokemodel" => QuotaScope::Global,
        "on-demand model inference" | "on-demand invokemodel" => QuotaScope::OnDemand,
        "model invocation max" => QuotaScope::Regional,
        _ => return None,
    };
    Some((scope, kind, label.to_owned()))
}

/// `Claude Sonnet 4.5` of `anthropic claude sonnet 4.5 v1 (doubled for cross-region calls)`. Variants, such as those of a long
/// context, have quotas of their own and are not taken for the model.
fn model_name(label: &str) -> Option<String> {
    let rest = label.strip_prefix("anthropic ")?;
    let rest = rest.split(" (").next().unwrap_or(rest).trim();
    let is_version = |word: &str| {
        word.strip_prefix('v')
            .is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    };
    let words: Vec<&str> = rest.split(' ').filter(|word| !word.is_empty()).collect();
    let words = match words.split_last() {
        Some((last, before)) if is_version(last) && !before.is_empty() => before,
        _ => words.as_slice(),
    };
    let is_plain = |word: &&str| {
        matches!(
            *word,
            "claude" | "opus" | "sonnet" | "haiku" | "fable" | "mythos" | "preview" | "instant"
        ) || word.bytes().all(|b| b.is_ascii_digit() || b == b'.')
    };
    let fits = words.first() == Some(&"claude") && words.len() > 1 && words.iter().all(is_plain);
    fits.then(|| {
        let capital = |word: &&str| {
            let mut letters = word.chars();
            let first = letters.next().map(|c| c.to_ascii_uppercase());
            first.into_iter().chain(letters).collect::<String>()
        };
        words.iter().map(capital).collect::<Vec<_>>().join(" ")
    })
}

/// What is set aside of a quota of tokens while a request runs: its whole prompt, cached or not, and the most output that it may
/// have (AWS, "How tokens are counted in Amazon Bedrock").
#[must_use]
pub const fn reserved(prompt: u64, max_output: u64) -> u64 {
    prompt.saturating_add(max_output)
}

/// What a request counts against a quota of tokens when it is over: what was read from a cache nothing, and output as many times
/// as the model burns down (AWS, "How tokens are counted in Amazon Bedrock").
#[must_use]
pub fn settled(tokens: &Tokens, output_burndown: u32) -> u64 {
    tokens
        .input
        .saturating_add(tokens.cache_write_5m)
        .saturating_add(tokens.cache_write_1h)
        .saturating_add(tokens.output.saturating_mul(u64::from(output_burndown)))
}

/// A name for what data planes tell each other about, the same everywhere: FNV-1a, 64 bits.
#[must_use]
pub fn digest(parts: &[&str]) -> u64 {
    let bytes = parts.iter().flat_map(|part| part.bytes().chain([0]));
    bytes.fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    })
}

/// Which account and region an endpoint's requests count in, as far as its configuration says: two endpoints of one role's
/// account share quotas, and so do two with the same credentials. Those with URLs of their own are taken for accounts of
/// their own.
#[must_use]
pub fn pool(endpoint: &Endpoint) -> u64 {
    let region = endpoint.region.as_deref().unwrap_or_default();
    // arn:aws:iam::111122223333:role/name
    let account = endpoint.role_arn.as_deref().and_then(|arn| arn.split(':').nth(4));
    let (kind, of) = match (account, &endpoint.access.credentials) {
        (Some(account), _) => ("account", account),
        (None, CredentialSource::Process) => ("process", ""),
        (None, CredentialSource::Keys(Some(keys))) => ("key", keys.id.reveal()),
        (None, CredentialSource::Profile(name)) => ("profile", name.as_str()),
        (None, CredentialSource::Keys(None) | CredentialSource::ApiKey(_)) => {
            ("endpoint", endpoint.id.as_str())
        }
    };
    let url = endpoint.runtime_url.as_deref().unwrap_or_default();
    digest(&[kind, of, region, url])
}

/// What the account of a quota is called among data planes: the same for all endpoints that share it.
#[must_use]
pub fn account(endpoint: &Endpoint, code: &str) -> u64 {
    digest(&[&format!("{:016x}", pool(endpoint)), code])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Access, EndpointId, catalogue};
    use std::sync::Arc;

    fn read(name: &str) -> Option<(QuotaScope, QuotaKind, Option<String>)> {
        let quota = Quota::read("L-1", name, 1_000.0)?;
        Some((quota.scope, quota.kind, quota.model))
    }

    #[test]
    fn both_of_awss_wordings_are_understood() {
        use QuotaKind::{RequestsPerMinute, TokensPerDay, TokensPerMinute};
        use QuotaScope::{All, CrossRegion, Global, OnDemand, Regional};
        for (name, scope, kind, model) in [
            (
                "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4.5 V1",
                CrossRegion,
                TokensPerMinute,
                "Claude Sonnet 4.5",
            ),
            (
                "Cross-Region InvokeModel tokens per minute for Anthropic Claude Opus 5.5",
                CrossRegion,
                TokensPerMinute,
                "Claude Opus 5.5",
            ),
            (
                "Global cross-region model inference tokens per day for Anthropic Claude Haiku 4.5 V1",
                Global,
                TokensPerDay,
                "Claude Haiku 4.5",
            ),
            (
                "On-demand model inference requests per minute for Anthropic Claude 3.5 Sonnet V2",
                OnDemand,
                RequestsPerMinute,
                "Claude 3.5 Sonnet",
            ),
            (
                "Model invocation max tokens per day for Anthropic Claude Sonnet 4 V1 (doubled for cross-region calls)",
                Regional,
                TokensPerDay,
                "Claude Sonnet 4",
            ),
        ] {
            assert_eq!(read(name), Some((scope, kind, Some(model.to_owned()))), "{name}");
        }
        assert_eq!(
            read("Cross-Model Max Tokens Per Day"),
            Some((All, TokensPerDay, None))
        );
    }

    #[test]
    fn what_is_about_something_else_is_not_taken_for_a_models_quota() {
        for name in [
            "Cross-region model inference tokens per minute for Amazon Nova Pro",
            "Cross-region model inference tokens per minute for Anthropic Claude Sonnet 4 V1 1M Context Length",
            "On-demand latency-optimized model inference tokens per minute for Anthropic Claude 3.5 Haiku V1",
            "Minimum number of records per batch inference job for Claude 3 Haiku",
            "Guardrails per account",
            "",
        ] {
            assert_eq!(read(name), None, "{name}");
        }
        assert_eq!(
            Quota::read("L-1", "Cross-Model Max Tokens Per Day", f64::NAN),
            None
        );
    }

    #[test]
    fn every_model_of_the_catalogue_is_found_by_its_name() {
        // AWS has other words for a preview.
        for model in catalogue::models()
            .into_iter()
            .filter(|m| !m.display_name.contains('('))
        {
            let name = format!(
                "Cross-Region InvokeModel tokens per minute for Anthropic {}",
                model.display_name
            );
            let quota = Quota::read("L-1", &name, 1.0).unwrap();
            let hits: Vec<_> = catalogue::models()
                .into_iter()
                .filter(|m| quota.is_of(m))
                .collect();
            assert_eq!(hits.len(), 1, "{name}");
            assert_eq!(hits[0].name, model.name);
        }
    }

    #[test]
    fn endpoints_of_one_account_and_region_share_its_quotas() {
        let endpoint = |id: &str, region: &str, role: Option<&str>| Endpoint {
            region: Some(region.to_owned()),
            role_arn: role.map(|account| format!("arn:aws:iam::{account}:role/{id}")),
            ..Endpoint::new(EndpointId::parse(id).unwrap(), id)
        };
        let one = pool(&endpoint("end_1", "eu-west-1", Some("111122223333")));
        assert_eq!(one, pool(&endpoint("end_2", "eu-west-1", Some("111122223333"))));
        assert_ne!(one, pool(&endpoint("end_2", "eu-west-2", Some("111122223333"))));
        assert_ne!(one, pool(&endpoint("end_2", "eu-west-1", Some("444455556666"))));
        let process = pool(&endpoint("end_1", "eu-west-1", None));
        assert_eq!(process, pool(&endpoint("end_2", "eu-west-1", None)));
        assert_ne!(one, process);
        let keyless = |id: &str| Endpoint {
            access: Arc::new(Access {
                credentials: CredentialSource::Keys(None),
                ..Access::default()
            }),
            ..endpoint(id, "eu-west-1", None)
        };
        assert_ne!(pool(&keyless("end_1")), pool(&keyless("end_2")));
    }

    #[test]
    fn scopes_do_not_overlap_where_aws_counts_apart() {
        for geography in [Geography::Global, Geography::Eu, Geography::InRegion] {
            let apart = [QuotaScope::CrossRegion, QuotaScope::Global, QuotaScope::OnDemand];
            assert_eq!(apart.iter().filter(|scope| scope.counts(geography)).count(), 1);
            assert!(QuotaScope::All.counts(geography));
        }
        assert!(!QuotaScope::Regional.counts(Geography::Global));
    }

    #[test]
    fn a_cached_prompt_counts_little_when_the_request_is_over() {
        // A turn on Opus 5.5 with 60,000 cached tokens.
        let tokens = Tokens {
            input: 1_500,
            output: 1_000,
            cache_read: 60_000,
            cache_write_5m: 500,
            ..Tokens::default()
        };
        assert_eq!(settled(&tokens, 10), 12_000);
        assert_eq!(reserved(62_000, 128_000), 190_000, "while it runs");
    }
}
