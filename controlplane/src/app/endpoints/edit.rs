//! What a request makes of an endpoint's row.

use super::super::{App, validate, validate_aws};
use super::access::{self, Wish};
use super::network;
use crate::store::access::open;
use crate::store::entity::endpoint;
use crate::store::rows;
use ccag_admin_api::{CreateEndpoint, UpdateEndpoint};
use ccag_domain::{EndpointState, Geography, Lane, Lanes, Problem};

/// A row with everything that a full description says; the rest of it is what `blank` holds.
pub(super) fn replaced(
    app: &App,
    blank: endpoint::Model,
    request: CreateEndpoint,
) -> Result<endpoint::Model, Problem> {
    let guardrail = validate_aws::guardrail(request.guardrail)?;
    let wish = Wish {
        credentials: request.credentials.into(),
        session_tags: request.session_tags.unwrap_or_default(),
        service_tier: request.service_tier,
        request_metadata: request.request_metadata.unwrap_or_default(),
        network: network::Wish {
            proxy: request.proxy.into(),
            ca_certificates: request.ca_certificates.into(),
            use_fips: request.use_fips.unwrap_or_default(),
        },
    };
    let (enabled, draining) = state(request.state, request.enabled, &blank);
    let urls = (blank.runtime_url.clone(), blank.mantle_url.clone());
    let row = endpoint::Model {
        name: request.name,
        region: request.region,
        role_arn: request.role_arn,
        external_id: request.external_id,
        geography: request.geography.map(geography),
        runtime_url: request.runtime_url,
        lanes: lanes(request.lanes),
        mantle_url: request.mantle_url,
        guardrail: rows::guardrail_json(guardrail.as_ref()),
        weight: request.weight.map_or(blank.weight, i64::from),
        enabled,
        draining,
        is_default: request.is_default.unwrap_or(blank.is_default),
        ..blank
    };
    access::edit(app, row, wish, urls)
}

/// Whether an endpoint is enabled, and drained. Who says only whether it is enabled leaves it drained if it was.
fn state(state: Option<EndpointState>, enabled: Option<bool>, row: &endpoint::Model) -> (bool, bool) {
    match state {
        Some(state) => (state != EndpointState::Disabled, state == EndpointState::Draining),
        None => (enabled.unwrap_or(row.enabled), row.draining),
    }
}

/// Lanes as they are stored; the default ones are nothing.
fn lanes(lanes: Option<Vec<Lane>>) -> Option<String> {
    lanes.and_then(|lanes| serde_json::to_string(&Lanes::new(lanes)).ok())
}

/// A row with what a PATCH says.
pub(super) fn changed(
    app: &App,
    row: endpoint::Model,
    request: UpdateEndpoint,
) -> Result<endpoint::Model, Problem> {
    let held = rows::endpoint(&row)?;
    let guardrail = validate_aws::guardrail(request.guardrail.apply(held.guardrail.map(Into::into)))?;
    let open = open(&row)?;
    let wish = Wish {
        credentials: request.credentials,
        session_tags: request.session_tags.unwrap_or(open.session_tags),
        service_tier: request.service_tier.apply(open.service_tier),
        request_metadata: request.request_metadata.unwrap_or(open.request_metadata),
        network: network::Wish {
            proxy: request.proxy,
            ca_certificates: request.ca_certificates,
            use_fips: request.use_fips.unwrap_or(held.access.network.use_fips),
        },
    };
    let (enabled, draining) = state(request.state, request.enabled, &row);
    let urls = (row.runtime_url.clone(), row.mantle_url.clone());
    let role_arn = request.role_arn.apply(row.role_arn);
    // An external id belongs to a role and goes with it.
    let kept = row.external_id.filter(|_| role_arn.is_some());
    let row = endpoint::Model {
        name: request.name.unwrap_or(row.name),
        region: request.region.apply(row.region),
        external_id: request.external_id.apply(kept),
        role_arn,
        geography: request.geography.apply(held.geography).map(geography),
        runtime_url: request.runtime_url.apply(row.runtime_url),
        lanes: lanes(request.lanes.apply(Some(held.lanes.into()))),
        mantle_url: request.mantle_url.apply(row.mantle_url),
        guardrail: rows::guardrail_json(guardrail.as_ref()),
        weight: request.weight.map_or(row.weight, i64::from),
        enabled,
        draining,
        is_default: request.is_default.unwrap_or(row.is_default),
        ..row
    };
    access::edit(app, row, wish, urls)
}

fn geography(geography: Geography) -> String {
    geography.as_str().to_owned()
}

/// The row, cleaned, or what is wrong with it.
pub(super) fn checked(mut row: endpoint::Model) -> Result<endpoint::Model, Problem> {
    row.name = validate::name("name", &row.name)?;
    row.name_key = row.name.to_lowercase();
    row.region = validate_aws::filled(row.region);
    row.role_arn = validate_aws::filled(row.role_arn);
    row.external_id = validate_aws::filled(row.external_id);
    row.runtime_url = validate_aws::filled(row.runtime_url);
    if let Some(region) = &row.region {
        validate_aws::region(region)?;
    }
    if let Some(arn) = &row.role_arn {
        validate_aws::role_arn(arn, row.region.as_deref())?;
    }
    if let Some(id) = &row.external_id {
        validate_aws::external_id(id, row.role_arn.as_deref())?;
    }
    row.mantle_url = validate_aws::filled(row.mantle_url);
    for (field, url) in [("runtime_url", &row.runtime_url), ("mantle_url", &row.mantle_url)] {
        if let Some(url) = url {
            validate_aws::base_url(field, url)?;
        }
    }
    validate_aws::weight(u32::try_from(row.weight).unwrap_or(u32::MAX))?;
    Ok(row)
}
