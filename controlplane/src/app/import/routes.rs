//! Endpoints, which teams use them, and the profiles that are chosen for models.

use super::world::{World, id, name, unique};
use crate::app::catalogue;
use crate::store::StoreError;
use crate::store::ccag::{Ccag, EndpointRow, ProfileRow};
use crate::store::entity::{endpoint, endpoint_profile};
use crate::store::rows;
use ccag_domain::model::BedrockArn;
use ccag_domain::{Endpoint, EndpointId, Geography};
use std::collections::{BTreeMap, HashMap, HashSet};

/// Routes to be made.
#[derive(Debug, Default)]
pub(super) struct Routes {
    pub(super) endpoints: Vec<endpoint::Model>,
    /// The untouched endpoint of the first start, which stops being the default one.
    pub(super) replaced: Option<endpoint::Model>,
    /// Teams, with places and endpoints.
    pub(super) assigned: BTreeMap<String, Vec<(i64, String)>>,
    pub(super) profiles: Vec<endpoint_profile::Model>,
    /// Where endpoints' requests run, by our ids.
    pub(super) geographies: HashMap<String, Geography>,
}

/// Plans them, and remembers what stands for what.
pub(super) async fn plan(world: &mut World<'_>, from: &Ccag) -> Result<Routes, StoreError> {
    let mut routes = Routes::default();
    let theirs = from.endpoints().await?;
    let profiles = from.profiles().await?;
    endpoints(world, &mut routes, &theirs, &profiles);
    let assigned = from.assigned().await?;
    let (found, mut there) = (assigned.len(), 0);
    for row in assigned {
        let team = world.teams.get(&row.team_id).cloned();
        let endpoint = world.endpoints.get(&row.endpoint_id).cloned();
        let (Some(team), Some(endpoint)) = (team, endpoint) else {
            continue;
        };
        if world.present.routed.contains(&team) {
            there += 1;
            continue;
        }
        let places = routes.assigned.entry(team).or_default();
        if !places.iter().any(|(_, id)| *id == endpoint) {
            places.push((row.priority, endpoint));
        }
    }
    for places in routes.assigned.values_mut() {
        places.sort();
    }
    let made = routes.assigned.values().map(Vec::len).sum();
    world.report.part("endpoints of teams", found, made, there);
    self::profiles(world, &mut routes, profiles).await?;
    for beta in from.betas().await? {
        let text = format!(
            "the rule about `{}` is not carried over: what Bedrock takes is learnt from its answers, and an admin's own rules stand under Capabilities",
            beta.b
        );
        world.report.note("beta_overrides", beta.a, text);
    }
    Ok(routes)
}

/// The endpoint that the first start has made, if nobody has touched it.
fn untouched(world: &World<'_>) -> Option<endpoint::Model> {
    let [only] = world.present.endpoints.as_slice() else {
        return None;
    };
    let id = EndpointId::parse(&only.id).ok()?;
    let fresh = rows::endpoint_row(&Endpoint::new(id, "default"), only.created_at_ms);
    (fresh == *only && world.present.routed.is_empty()).then_some(fresh)
}

fn endpoints(world: &mut World<'_>, routes: &mut Routes, theirs: &[EndpointRow], profiles: &[ProfileRow]) {
    const TABLE: &str = "endpoints";
    let mut there = 0;
    let untouched = untouched(world);
    let mut names: HashSet<String> = world
        .present
        .endpoints
        .iter()
        .map(|e| e.name_key.clone())
        .collect();
    for row in theirs {
        let Some(ours) = id("end_", &row.id) else { continue };
        world.endpoints.insert(row.id.clone(), ours.clone());
        let geography = Geography::parse(&row.routing_prefix);
        if let Some(geography) = geography {
            routes.geographies.insert(ours.clone(), geography);
        }
        if world.present.endpoints.iter().any(|e| e.id == ours) {
            there += 1;
            continue;
        }
        if geography.is_none() {
            let text = format!(
                "the prefix `{}` is not known; the region `{}` decides which profiles are invoked",
                row.routing_prefix, row.region
            );
            world.report.note(TABLE, &row.id, text);
        }
        let shown = unique(&name(&row.name, "endpoint"), &mut names);
        if shown != row.name {
            world
                .report
                .note(TABLE, &row.id, format!("`{}` is called `{shown}` here", row.name));
        }
        let chosen = profiles.iter().any(|profile| profile.endpoint_id == row.id);
        if let (Some(arn), false) = (&row.inference_profile_arn, chosen) {
            let text = format!(
                "of the profile `{arn}` it is not known which model it is of: choose it with `ccag endpoints` once the endpoint has been asked what it offers"
            );
            world.report.note(TABLE, &row.id, text);
        }
        let filled = |text: &Option<String>| {
            text.as_ref()
                .map(|t| t.trim().to_owned())
                .filter(|t| !t.is_empty())
        };
        let is_default = row.is_default && row.enabled && untouched.is_some();
        if row.is_default && !is_default {
            let text = "it was the default endpoint; there are endpoints here already, so say `ccag endpoints set-default` where it is to be that again";
            world.report.note(TABLE, &row.id, text);
        }
        let Ok(parsed) = EndpointId::parse(&ours) else {
            continue;
        };
        let new = Endpoint {
            region: Some(row.region.trim().to_owned()).filter(|text| !text.is_empty()),
            role_arn: filled(&row.role_arn),
            external_id: filled(&row.external_id),
            geography,
            enabled: row.enabled,
            is_default,
            ..Endpoint::new(parsed, shown)
        };
        if is_default {
            routes.replaced = untouched.clone().map(|row| endpoint::Model {
                is_default: false,
                ..row
            });
        }
        routes.endpoints.push(rows::endpoint_row(&new, row.created_at_ms));
    }
    if routes.replaced.is_some() {
        let text = "teams without endpoints of their own use the default endpoint of the existing gateway; the one named `default` here stays, but is not a default one any more";
        world.report.note(TABLE, "*", text);
    }
    world
        .report
        .part("endpoints", theirs.len(), routes.endpoints.len(), there);
}

async fn profiles(
    world: &mut World<'_>,
    routes: &mut Routes,
    theirs: Vec<ProfileRow>,
) -> Result<(), StoreError> {
    const TABLE: &str = "endpoint_aip_overrides";
    let (found, mut there) = (theirs.len(), 0);
    let models = catalogue::models(&world.app.store.list_models().await?)?;
    for row in theirs {
        let shown = format!("{} {}", row.endpoint_id, row.model_id);
        let Some(endpoint) = world.endpoints.get(&row.endpoint_id).cloned() else {
            continue;
        };
        let Some(model) = catalogue::find(&models, &row.model_id) else {
            world.report.note(
                TABLE,
                shown,
                "there is no such model here; add it, and choose the profile then",
            );
            continue;
        };
        let model = model.name.to_string();
        let mine = |e: &String, m: &String| *e == endpoint && *m == model;
        if world.present.profiles.iter().any(|(e, m)| mine(e, m)) {
            there += 1;
            continue;
        }
        let arn = row.aip_arn.trim();
        let is_arn = BedrockArn::parse(arn).is_some_and(|arn| arn.kind == "application-inference-profile");
        let geography = routes.geographies.get(&endpoint).copied();
        let twice = routes.profiles.iter().any(|p| mine(&p.endpoint_id, &p.model));
        let (true, Some(geography), false) = (is_arn, geography, twice) else {
            let text = format!(
                "`{arn}` is not carried over: it is no application inference profile, the model has one here already, or it is not known where it runs"
            );
            world.report.note(TABLE, shown, text);
            continue;
        };
        routes.profiles.push(endpoint_profile::Model {
            endpoint_id: endpoint,
            model,
            arn: arn.to_owned(),
            geography: geography.as_str().to_owned(),
            reason: row.reason.map(|text| name(&text, "imported")),
            created_at_ms: world.now,
        });
    }
    world
        .report
        .part("chosen profiles", found, routes.profiles.len(), there);
    Ok(())
}
