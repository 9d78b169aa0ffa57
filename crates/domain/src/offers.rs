//! What an endpoint offers: inference profiles and foundation models, as AWS itself lists them for the account and region.

use crate::{BedrockModel, Endpoint, Geography, Model, ModelName, Quota, UnixMs};

/// An inference profile that an endpoint can invoke.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct OfferedProfile {
    /// What is invoked: the id of a profile of AWS's own, such as `us.anthropic.claude-opus-5-5`, or the ARN of an application
    /// inference profile.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// The foundation model behind it: `anthropic.claude-opus-5-5`.
    pub foundation_model: String,
    /// Where it runs, and what it costs.
    pub geography: Geography,
    /// Whether it is an application inference profile: one that the account's owner has made, usually to tell costs apart.
    pub application: bool,
}

/// What was found when AWS was asked last.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Discovery {
    /// When it was asked.
    pub at_ms: UnixMs,
    /// The profiles that are active.
    pub profiles: Vec<OfferedProfile>,
    /// The foundation models that can be invoked without a profile, by their ids.
    pub on_demand: Vec<String>,
}

/// An application inference profile that an admin has chosen for a model.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct PinnedProfile {
    /// The model.
    pub model: ModelName,
    /// The profile's ARN.
    pub arn: String,
    /// Where it runs, and what it costs.
    pub geography: Geography,
}

/// What an endpoint offers.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Offers {
    /// What AWS says; `None` while it has not been asked: the catalogue stands in.
    pub discovery: Option<Discovery>,
    /// The application inference profiles that are invoked instead of AWS's own.
    pub pinned: Vec<PinnedProfile>,
    /// What the account may use in a minute, as far as AWS has said; see [`Quota::is_of_a_minute`].
    pub quotas: Vec<Quota>,
}

impl Offers {
    /// The application inference profile with this ARN.
    #[must_use]
    pub fn application_profile(&self, arn: &str) -> Option<&OfferedProfile> {
        let found = self.discovery.as_ref()?;
        found.profiles.iter().find(|p| p.application && p.id == arn)
    }
}

impl Discovery {
    fn offer(&self, model: &Model, geography: Geography) -> Option<BedrockModel> {
        if geography == Geography::InRegion {
            return self
                .on_demand
                .iter()
                .find(|id| **id == model.bedrock_id)
                .map(|id| BedrockModel {
                    id: id.clone(),
                    geography,
                });
        }
        self.profiles
            .iter()
            .find(|p| !p.application && p.geography == geography && p.foundation_model == model.bedrock_id)
            .map(|p| BedrockModel {
                id: p.id.clone(),
                geography,
            })
    }
}

impl Endpoint {
    /// Which id to invoke for a model from here; `home_region` is the region of endpoints that name none. `None`: the model
    /// is not to be had here.
    ///
    /// An endpoint's geography is a promise about where requests run: where one is set, nothing else is used, not even a
    /// pinned profile. Otherwise a pinned profile comes first, then the closest geography in which the model is offered.
    #[must_use]
    pub fn invocable(&self, model: &Model, home_region: &str) -> Option<BedrockModel> {
        self.invocable_within(model, home_region, &[])
    }

    /// The same where only some geographies are allowed; empty means all. What is invoked is then what would be invoked if
    /// there were no others, so a pinned profile elsewhere gives way to one of AWS's own.
    #[must_use]
    pub fn invocable_within(
        &self,
        model: &Model,
        home_region: &str,
        allowed: &[Geography],
    ) -> Option<BedrockModel> {
        let is_allowed = |geography: Geography| allowed.is_empty() || allowed.contains(&geography);
        let fits = |geography| is_allowed(geography) && self.geography.is_none_or(|only| only == geography);
        let pinned = self.offers.pinned.iter().find(|p| p.model == model.name);
        if let Some(pinned) = pinned
            && fits(pinned.geography)
        {
            return Some(BedrockModel {
                id: pinned.arn.clone(),
                geography: pinned.geography,
            });
        }
        let region = self.region.as_deref().unwrap_or(home_region);
        let mut preferred = match self.geography {
            Some(only) => vec![only],
            None => Geography::callable_from(region),
        };
        if self.geography.is_none() && self.offers.discovery.is_some() {
            // What AWS lists can be called, wherever we would have looked for it.
            let others = Geography::WITH_PREFIX
                .into_iter()
                .filter(|g| !preferred.contains(g));
            let others: Vec<_> = others.collect();
            preferred.extend(others);
        }
        preferred.retain(|geography| is_allowed(*geography));
        let Some(found) = &self.offers.discovery else {
            return model.invocable(&preferred);
        };
        preferred
            .into_iter()
            .find_map(|geography| found.offer(model, geography))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{EndpointId, catalogue};

    fn endpoint(region: &str) -> Endpoint {
        Endpoint {
            region: Some(region.into()),
            ..Endpoint::new(EndpointId::parse("end_1").unwrap(), "e")
        }
    }

    fn model(name: &str) -> Model {
        let name = ModelName::canonical(name);
        catalogue::models().into_iter().find(|m| m.name == name).unwrap()
    }

    fn profile(geography: Geography, foundation_model: &str) -> OfferedProfile {
        OfferedProfile {
            id: format!("{geography}.{foundation_model}"),
            name: String::new(),
            foundation_model: foundation_model.into(),
            geography,
            application: false,
        }
    }

    fn discovered(region: &str, profiles: Vec<OfferedProfile>, on_demand: &[&str]) -> Endpoint {
        let mut endpoint = endpoint(region);
        endpoint.offers = std::sync::Arc::new(Offers {
            discovery: Some(Discovery {
                at_ms: 1,
                profiles,
                on_demand: on_demand.iter().map(ToString::to_string).collect(),
            }),
            ..Offers::default()
        });
        endpoint
    }

    fn asked(endpoint: &Endpoint, name: &str) -> Option<String> {
        endpoint.invocable(&model(name), "").map(|m| m.id)
    }

    #[test]
    fn what_was_discovered_counts_and_not_what_the_catalogue_says() {
        // Tokyo has Opus 5.5 as `jp.` and `global.` only; the catalogue knows `apac.` too.
        let opus = "anthropic.claude-opus-5-5";
        let tokyo = discovered("ap-northeast-1", vec![profile(Geography::Global, opus)], &[]);
        assert_eq!(
            asked(&tokyo, "claude-opus-5-5").unwrap(),
            format!("global.{opus}")
        );
        let both = vec![profile(Geography::Global, opus), profile(Geography::Jp, opus)];
        let tokyo = discovered("ap-northeast-1", both, &[]);
        assert_eq!(asked(&tokyo, "claude-opus-5-5").unwrap(), format!("jp.{opus}"));
        assert_eq!(asked(&tokyo, "claude-opus-5"), None);
        assert!(asked(&endpoint("ap-northeast-1"), "claude-opus-5").is_some());
    }

    #[test]
    fn similar_ids_are_not_confused() {
        let near = discovered(
            "us-east-1",
            vec![profile(Geography::Us, "anthropic.claude-opus-5-5")],
            &[],
        );
        assert_eq!(asked(&near, "claude-opus-5"), None);
    }

    #[test]
    fn a_profile_that_we_would_not_have_looked_for_is_used() {
        let opus = "anthropic.claude-opus-5-5";
        let mexico = discovered("mx-central-1", vec![profile(Geography::Us, opus)], &[]);
        assert_eq!(asked(&mexico, "claude-opus-5-5").unwrap(), format!("us.{opus}"));
    }

    #[test]
    fn a_set_geography_is_kept_whatever_is_pinned_or_found() {
        let haiku = "anthropic.claude-haiku-4-5-20251001-v1:0";
        let mut endpoint = discovered("eu-west-1", vec![profile(Geography::Eu, haiku)], &[haiku]);
        let mut offers = Offers::clone(&endpoint.offers);
        offers.pinned.push(PinnedProfile {
            model: ModelName::canonical("claude-haiku-4-5"),
            arn: "arn:aws:bedrock:eu-west-1:111122223333:application-inference-profile/abc".into(),
            geography: Geography::Global,
        });
        endpoint.offers = std::sync::Arc::new(offers);
        let id = asked(&endpoint, "claude-haiku-4-5").unwrap();
        assert!(id.ends_with("application-inference-profile/abc"), "{id}");
        endpoint.geography = Some(Geography::Eu);
        assert_eq!(
            asked(&endpoint, "claude-haiku-4-5").unwrap(),
            format!("eu.{haiku}")
        );
        endpoint.geography = Some(Geography::InRegion);
        assert_eq!(asked(&endpoint, "claude-haiku-4-5").unwrap(), haiku);
        endpoint.geography = Some(Geography::Us);
        assert_eq!(asked(&endpoint, "claude-haiku-4-5"), None);
    }
}
