//! Models: what clients call them, and what Bedrock is asked for.

use crate::Geography;
use std::fmt;

/// The canonical name of a model, as Anthropic's API spells it without date: `claude-opus-5-5`.
///
/// Every other way to name the same model (alias, dated id, `[1m]`, Bedrock id, ARN) is reduced to it, so that all of them
/// meet the same price, budget and permission.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(transparent)]
pub struct ModelName(String);

impl ModelName {
    /// Reduces what a client says to the form that names are looked up by: no `[…]` suffix, no ARN, no geography, no
    /// `anthropic.`, no `-v1:0`, lower case. A date stays, since some models are known by it; see
    /// [`ModelName::without_date`]. An application inference profile's ARN says nothing of its model and stays as it is.
    #[must_use]
    pub fn canonical(text: &str) -> Self {
        let mut rest = text.trim();
        if let Some(open) = rest.rfind('[')
            && rest.ends_with(']')
        {
            rest = &rest[..open];
        }
        if rest.starts_with("arn:") {
            match BedrockArn::parse(rest) {
                Some(arn) if matches!(arn.kind, "foundation-model" | "inference-profile") => rest = arn.id,
                _ => return Self(rest.to_owned()),
            }
        }
        if let Some((before, after)) = rest.split_once("anthropic.") {
            let is_geography = Geography::WITH_PREFIX
                .iter()
                .any(|g| before.strip_suffix('.') == Some(g.as_str()));
            if before.is_empty() || is_geography {
                rest = after;
            }
        }
        Self(strip_version(rest).to_ascii_lowercase())
    }

    /// The same name without a trailing `-YYYYMMDD`, if it has one.
    #[must_use]
    pub fn without_date(&self) -> Option<Self> {
        let (name, date) = self.0.rsplit_once('-')?;
        let is_date = date.len() == 8 && date.starts_with("20") && date.bytes().all(|b| b.is_ascii_digit());
        is_date.then(|| Self(name.to_owned()))
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The family that the name belongs to (`opus`, `sonnet`, …), read from the name itself: for models that no
    /// catalogue knows.
    #[must_use]
    pub fn family(&self) -> Option<&'static str> {
        ["opus", "sonnet", "haiku", "fable", "mythos"]
            .into_iter()
            .find(|family| self.0.split('-').any(|part| part == *family))
    }
}

/// A Bedrock ARN in its parts: `arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-opus-5-5`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct BedrockArn<'a> {
    /// `aws`, `aws-us-gov`, `aws-cn`, …
    pub partition: &'a str,
    /// The region; empty for what is in all regions.
    pub region: &'a str,
    /// The account; empty for foundation models.
    pub account: &'a str,
    /// `foundation-model`, `inference-profile`, `application-inference-profile`, …
    pub kind: &'a str,
    /// The id within the kind.
    pub id: &'a str,
}

impl<'a> BedrockArn<'a> {
    /// Reads an ARN of Bedrock's; `None` if it is another service's or none at all.
    #[must_use]
    pub fn parse(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        let ("arn", partition, "bedrock", region, account, resource) =
            (next()?, next()?, next()?, next()?, next()?, next()?)
        else {
            return None;
        };
        let (kind, id) = resource.split_once('/')?;
        let is_aws = partition == "aws" || partition.starts_with("aws-");
        (is_aws && !kind.is_empty() && !id.is_empty()).then_some(Self {
            partition,
            region,
            account,
            kind,
            id,
        })
    }
}

/// Takes `-v1` or `-v1:0` off the end.
fn strip_version(id: &str) -> &str {
    let head = match id.rsplit_once(':') {
        Some((head, tail)) if !tail.is_empty() && tail.bytes().all(|b| b.is_ascii_digit()) => head,
        _ => id,
    };
    match head.rsplit_once("-v") {
        Some((name, n)) if !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()) => name,
        _ => id,
    }
}

impl fmt::Display for ModelName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A model that the gateway serves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Model {
    /// Its canonical name.
    pub name: ModelName,
    /// Other canonical forms that mean the same model, such as the dated one.
    pub aliases: Vec<ModelName>,
    /// Its name for people: `Claude Opus 5.5`.
    pub display_name: String,
    /// The family, within which an unpriced model is taken for the dearest: `opus`.
    pub family: String,
    /// The foundation model's id: `anthropic.claude-opus-5-5`.
    pub bedrock_id: String,
    /// For which geographies there is an inference profile.
    pub geographies: Vec<Geography>,
    /// Whether the foundation model's own id can be invoked, or only profiles.
    pub on_demand: bool,
    /// The context window in tokens.
    pub context_tokens: u32,
    /// The most output tokens that it can be asked for.
    pub max_output_tokens: u32,
    /// Whether Bedrock Runtime's `CountTokens` knows it.
    pub counts_tokens: bool,
    /// How many tokens of a quota one output token uses up when a request is over, on Bedrock Runtime.
    pub output_burndown: u32,
    /// When it was released, as Unix seconds: shown by `GET /v1/models`.
    pub released_at_s: i64,
}

/// The factor by which all of Anthropic's current models use quotas up with output (AWS, "How tokens are counted in Amazon
/// Bedrock", and AWS's traffic shaper for Claude Code, November 2026).
pub const OUTPUT_BURNDOWN: u32 = 10;

/// What Bedrock is asked for: an inference profile or a foundation model.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct BedrockModel {
    /// The id or ARN that goes into the URL, not yet percent-encoded.
    pub id: String,
    /// The geography it is priced and run in.
    pub geography: Geography,
}

impl Model {
    /// Which id to invoke from an endpoint: the first geography in `preferred` for which there is a profile, else the
    /// foundation model itself if it can be invoked. `None`: this model is not to be had there.
    #[must_use]
    pub fn invocable(&self, preferred: &[Geography]) -> Option<BedrockModel> {
        preferred.iter().find_map(|&geography| match geography {
            Geography::InRegion => self.on_demand.then(|| BedrockModel {
                id: self.bedrock_id.clone(),
                geography,
            }),
            _ => self.geographies.contains(&geography).then(|| BedrockModel {
                id: format!("{geography}.{}", self.bedrock_id),
                geography,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn canonical(text: &str) -> String {
        ModelName::canonical(text).to_string()
    }

    #[test]
    fn every_way_to_name_a_model_meets_in_one_name() {
        for same in [
            "claude-opus-5-5",
            "claude-opus-5-5[1m]",
            "Claude-Opus-5-5",
            "anthropic.claude-opus-5-5",
            "us.anthropic.claude-opus-5-5",
            "us-gov.anthropic.claude-opus-5-5",
            "global.anthropic.claude-opus-5-5-v1:0",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1:111122223333:inference-profile/us.anthropic.claude-opus-5-5",
        ] {
            assert_eq!(canonical(same), "claude-opus-5-5", "{same}");
        }
        for arn in [
            "arn:aws-us-gov:bedrock:us-gov-west-1:111122223333:inference-profile/us-gov.anthropic.claude-opus-5-5",
            "arn:aws:bedrock:::foundation-model/anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5-v1:0",
            "arn:aws:bedrock:us-east-1:111122223333:inference-profile/global.anthropic.claude-opus-5-5[1m]",
            "in.anthropic.claude-opus-5-5",
        ] {
            assert_eq!(canonical(arn), "claude-opus-5-5", "{arn}");
        }
        assert_eq!(canonical("anthropic.claude-opus-4-6-v1"), "claude-opus-4-6");
        let dated = ModelName::canonical("eu.anthropic.claude-haiku-4-5-20251001-v1:0");
        assert_eq!(dated.as_str(), "claude-haiku-4-5-20251001");
        assert_eq!(dated.without_date().unwrap().as_str(), "claude-haiku-4-5");
    }

    #[test]
    fn names_that_only_look_alike_stay_apart() {
        assert_eq!(
            canonical("mars.anthropic.claude-opus-5-5"),
            "mars.anthropic.claude-opus-5-5"
        );
        assert_eq!(canonical("my-team-model"), "my-team-model");
        let profile = "arn:aws:bedrock:us-east-1:111122223333:application-inference-profile/abc";
        assert_eq!(canonical(profile), profile);
        // What only contains an ARN's words is none.
        for not_bedrock in [
            "arn:aws:s3:::bucket/foundation-model/anthropic.claude-opus-5-5",
            "arn:aws:bedrock:us-east-1:111122223333:custom-model/foundation-model/anthropic.claude-opus-5-5",
            "arn:evil:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5-5",
            "arn:aws:bedrock:foundation-model/anthropic.claude-opus-5-5",
        ] {
            assert_eq!(canonical(not_bedrock), not_bedrock);
        }
        assert_eq!(
            ModelName::canonical("claude-sonnet-4-12345678").without_date(),
            None
        );
        assert_eq!(ModelName::canonical("claude-opus-9").family(), Some("opus"));
        assert_eq!(ModelName::canonical("opusculum").family(), None);
    }
}
