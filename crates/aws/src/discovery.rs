//! What an endpoint offers: profiles and foundation models, from AWS's own lists.

use crate::control::{ControlClient, ControlError, ModelSummary, ProfileSummary};
use crate::quotas::{self, FoundQuotas};
use ccag_domain::model::BedrockArn;
use ccag_domain::{Availability, Discovery, Endpoint, Geography, OfferedProfile, UnixMs};
use std::collections::{BTreeMap, BTreeSet};

/// A foundation model that AWS lists, and whether it is still offered.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListedModel {
    /// Its id.
    pub id: String,
    /// Its name, for people.
    pub name: String,
    /// Whether AWS calls it `LEGACY`: it will end.
    pub legacy: bool,
}

/// What was found, and what was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// What the endpoint offers.
    pub discovery: Discovery,
    /// The foundation models that AWS lists.
    pub models: Vec<ListedModel>,
    /// Whether the account may use the foundation models that can be invoked, by their ids.
    pub availability: BTreeMap<String, Availability>,
    /// How much the account may use, or why AWS does not say.
    pub quotas: Result<FoundQuotas, String>,
    /// Profiles that cannot be used, and why.
    pub left_out: Vec<(String, &'static str)>,
}

/// Asks AWS what an endpoint offers: its profiles, then the account's own, then the foundation models, then whether the
/// account may use them, and how much.
///
/// # Errors
/// [`ControlError`] if any of the three lists cannot be had: half of the truth is not kept. What AWS does not say about a
/// single model, or about quotas, fails nothing.
pub async fn discover(
    client: &ControlClient,
    endpoint: &Endpoint,
    at_ms: UnixMs,
) -> Result<Found, ControlError> {
    let system = client.list_profiles(endpoint, "SYSTEM_DEFINED").await?;
    let own = client.list_profiles(endpoint, "APPLICATION").await?;
    let models = client.list_models(endpoint).await?;
    let mut found = found(&system, &own, &models, at_ms);
    let ids = invocable(&found.discovery, &models);
    found.availability = client.availability(endpoint, ids).await;
    let quotas = client.list_quotas(endpoint).await;
    found.quotas = quotas.map_err(|error| quotas::reason(&error));
    Ok(found)
}

/// The foundation models that can be invoked, with or without a profile. AWS also lists variants that only buyers of
/// provisioned throughput can use.
fn invocable(discovery: &Discovery, models: &[ModelSummary]) -> BTreeSet<String> {
    let by_request = |m: &&ModelSummary| m.inference_types_supported.iter().any(|t| t != "PROVISIONED");
    let listed = models.iter().filter(by_request).map(|m| &m.model_id);
    let behind = discovery.profiles.iter().map(|p| &p.foundation_model);
    listed.chain(behind).cloned().collect()
}

fn found(system: &[ProfileSummary], own: &[ProfileSummary], models: &[ModelSummary], at_ms: UnixMs) -> Found {
    let mut profiles = Vec::new();
    let mut left_out = Vec::new();
    for (summary, application) in system
        .iter()
        .map(|s| (s, false))
        .chain(own.iter().map(|s| (s, true)))
    {
        let offered = if application {
            application_profile(summary, system)
        } else {
            system_profile(summary)
        };
        match offered {
            Ok(Some(profile)) => profiles.push(profile),
            // Another vendor's model.
            Ok(None) => {}
            Err(reason) => left_out.push((summary.inference_profile_id.clone(), reason)),
        }
    }
    profiles.sort_by(|a, b| (a.application, &a.id).cmp(&(b.application, &b.id)));
    let mut on_demand: Vec<_> = models
        .iter()
        .filter(|m| m.inference_types_supported.iter().any(|t| t == "ON_DEMAND"))
        .map(|m| m.model_id.clone())
        .collect();
    on_demand.sort();
    let legacy = |m: &ModelSummary| m.model_lifecycle.as_ref().is_some_and(|l| l.status == "LEGACY");
    Found {
        discovery: Discovery {
            at_ms,
            profiles,
            on_demand,
        },
        models: models
            .iter()
            .map(|m| ListedModel {
                id: m.model_id.clone(),
                name: m.model_name.clone(),
                legacy: legacy(m),
            })
            .collect(),
        availability: BTreeMap::new(),
        quotas: Ok(FoundQuotas::default()),
        left_out,
    }
}

/// The one foundation model of a profile, if it is Anthropic's.
fn foundation_model(summary: &ProfileSummary) -> Result<Option<String>, &'static str> {
    let mut ids = BTreeSet::new();
    for model in &summary.models {
        match BedrockArn::parse(&model.model_arn) {
            Some(arn) if arn.kind == "foundation-model" => ids.insert(arn.id),
            _ => return Err("it names something that is no foundation model"),
        };
    }
    let mut ids = ids.into_iter();
    match (ids.next(), ids.next()) {
        (Some(id), None) if id.starts_with("anthropic.") => Ok(Some(id.to_owned())),
        (Some(_), None) => Ok(None),
        (None, _) => Err("it names no model"),
        (Some(_), Some(_)) => Err("it names several models"),
    }
}

fn system_profile(summary: &ProfileSummary) -> Result<Option<OfferedProfile>, &'static str> {
    let Some(model) = foundation_model(summary)? else {
        return Ok(None);
    };
    let id = &summary.inference_profile_id;
    let prefix = id
        .strip_suffix(model.as_str())
        .and_then(|p| p.strip_suffix('.'))
        .ok_or("its id is not a geography and the model's id")?;
    let geography = Geography::parse(prefix)
        .filter(|g| *g != Geography::InRegion)
        .ok_or("its geography is not known to this version, so it cannot be priced")?;
    if summary.status != "ACTIVE" {
        return Err("it is not active");
    }
    Ok(Some(OfferedProfile {
        id: id.clone(),
        name: summary.inference_profile_name.clone(),
        foundation_model: model,
        geography,
        application: false,
    }))
}

fn application_profile(
    summary: &ProfileSummary,
    system: &[ProfileSummary],
) -> Result<Option<OfferedProfile>, &'static str> {
    let Some(model) = foundation_model(summary)? else {
        return Ok(None);
    };
    if summary.status != "ACTIVE" {
        return Err("it is not active");
    }
    Ok(Some(OfferedProfile {
        id: summary.inference_profile_arn.clone(),
        name: summary.inference_profile_name.clone(),
        geography: geography_of(summary, system)
            .ok_or("where it runs cannot be told, so it cannot be priced")?,
        foundation_model: model,
        application: true,
    }))
}

/// The places that a profile runs requests in.
fn places(summary: &ProfileSummary) -> BTreeSet<&str> {
    summary.models.iter().map(|m| m.model_arn.as_str()).collect()
}

/// Where an application inference profile runs. AWS does not say what it was made of, but it runs in the same regions: those
/// of a profile of AWS's own for the same model, or one region.
#[must_use]
pub fn geography_of(summary: &ProfileSummary, system: &[ProfileSummary]) -> Option<Geography> {
    let wanted = places(summary);
    let same = system.iter().find(|s| places(s) == wanted);
    if let Some(Ok(Some(profile))) = same.map(system_profile) {
        // A profile of one region looks like the region itself, and costs more: the dearer reading counts.
        return Some(profile.geography);
    }
    let arns: Vec<_> = wanted.iter().filter_map(|arn| BedrockArn::parse(arn)).collect();
    match arns.as_slice() {
        [] => None,
        all if all.iter().any(|arn| arn.region.is_empty()) => Some(Geography::Global),
        [_] => Some(Geography::InRegion),
        // Several regions that are no profile of AWS's any more: all of them in one geography, or the whole world.
        [first, rest @ ..] => {
            let of = |region: &str| Geography::callable_from(region).into_iter().next();
            let geography = of(first.region)?;
            Some(if rest.iter().all(|arn| of(arn.region) == Some(geography)) {
                geography
            } else {
                Geography::Global
            })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::ProfileModel;

    fn summary(id: &str, kind: &str, regions: &[&str], model: &str) -> ProfileSummary {
        ProfileSummary {
            inference_profile_id: id.into(),
            inference_profile_name: id.into(),
            inference_profile_arn: format!(
                "arn:aws:bedrock:us-east-1:111122223333:{kind}inference-profile/{id}"
            ),
            models: regions
                .iter()
                .map(|region| ProfileModel {
                    model_arn: format!("arn:aws:bedrock:{region}::foundation-model/{model}"),
                })
                .collect(),
            status: "ACTIVE".into(),
            kind: String::new(),
        }
    }

    const OPUS: &str = "anthropic.claude-opus-5-5";
    const US: &[&str] = &["us-east-1", "us-east-2", "us-west-2"];

    #[test]
    fn profiles_are_read_by_their_parts() {
        let system = [
            summary("us.anthropic.claude-opus-5-5", "", US, OPUS),
            summary("global.anthropic.claude-opus-5-5", "", &[""], OPUS),
            summary("mars.anthropic.claude-opus-5-5", "", &["mars-1"], OPUS),
            summary("us.amazon.nova-pro-v1:0", "", US, "amazon.nova-pro-v1:0"),
        ];
        let own = [
            summary("abc", "application-", US, OPUS),
            summary("def", "application-", &["us-east-1"], OPUS),
            summary("ghi", "application-", &[""], OPUS),
        ];
        let found = found(&system, &own, &[], 7);
        let shown: Vec<_> = found
            .discovery
            .profiles
            .iter()
            .map(|p| (p.id.rsplit('/').next().unwrap(), p.geography, p.application))
            .collect();
        assert_eq!(
            shown,
            [
                ("global.anthropic.claude-opus-5-5", Geography::Global, false),
                ("us.anthropic.claude-opus-5-5", Geography::Us, false),
                ("abc", Geography::Us, true),
                ("def", Geography::InRegion, true),
                ("ghi", Geography::Global, true),
            ]
        );
        assert!(
            found
                .discovery
                .profiles
                .iter()
                .all(|p| p.foundation_model == OPUS)
        );
        assert_eq!(found.left_out.len(), 1);
        assert_eq!(found.left_out[0].0, "mars.anthropic.claude-opus-5-5");
    }

    #[test]
    fn what_does_not_run_is_left_out() {
        let mut gone = summary("us.anthropic.claude-opus-5-5", "", US, OPUS);
        gone.status = "INACTIVE".into();
        let mut mixed = summary("abc", "application-", US, OPUS);
        mixed.models[0].model_arn =
            "arn:aws:bedrock:us-east-1::foundation-model/anthropic.claude-opus-5".into();
        let found = found(&[gone], &[mixed], &[], 7);
        assert!(found.discovery.profiles.is_empty());
        assert_eq!(found.left_out.len(), 2);
    }
}
