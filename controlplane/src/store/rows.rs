//! Rows as the domain's own types, and back.

use super::StoreError;
use super::entity::{
    capability_book, endpoint, learnt_fact, model, price, signing_key, team, user, virtual_key,
};
use ccag_domain::price::LongContext;
use ccag_domain::{
    AccountState, CapabilityBook, DatedPrice, Endpoint, EndpointId, Geography, Guardrail, KeyDigest,
    KeyGrant, KeyId, LearntFact, Model, ModelName, NanoUsd, Price, PriceId, Rates, Role, RoutingPolicy,
    SearchProvider, SigningKey, Team, TeamId, UnixMs, User, UserId,
};
use std::sync::Arc;

/// Reads text with a domain type's own reader.
pub(crate) fn read<T>(table: &'static str, column: &str, parsed: Option<T>) -> Result<T, StoreError> {
    parsed.ok_or_else(|| StoreError::unreadable(table, format!("bad value in {column}")))
}

/// The key's grant; `None` if it is revoked.
pub(super) fn grant(row: &virtual_key::Model) -> Result<Option<KeyGrant>, StoreError> {
    const T: &str = "virtual_keys";
    if row.state != "active" {
        return Ok(None);
    }
    Ok(Some(KeyGrant {
        id: read(T, "id", KeyId::parse(&row.id).ok())?,
        digest: read(T, "digest", KeyDigest::from_hex(&row.digest))?,
        name: row.name.clone(),
        user_id: optional(T, "user_id", row.user_id.as_deref(), |t| UserId::parse(t).ok())?,
        team_id: optional(T, "team_id", row.team_id.as_deref(), |t| TeamId::parse(t).ok())?,
        expires_at_ms: row.expires_at_ms,
        rate_limit_rpm: row
            .rate_limit_rpm
            .map(|n| read(T, "rate_limit_rpm", u32::try_from(n).ok()))
            .transpose()?,
        session: row.kind == "session",
    }))
}

pub(crate) fn team(row: &team::Model, endpoint_ids: &[String]) -> Result<Team, StoreError> {
    const T: &str = "teams";
    Ok(Team {
        id: read(T, "id", TeamId::parse(&row.id).ok())?,
        name: row.name.clone(),
        state: read(T, "state", AccountState::parse(&row.state))?,
        endpoints: endpoint_ids
            .iter()
            .map(|id| read("team_endpoints", "endpoint_id", EndpointId::parse(id).ok()))
            .collect::<Result<_, _>>()?,
        guardrail: guardrail(T, row.guardrail.as_deref())?,
        routing: routing(row)?,
    })
}

/// What a team says about routes. Where that cannot be read the whole row is unreadable: nothing is served without it.
pub(crate) fn routing(row: &team::Model) -> Result<RoutingPolicy, StoreError> {
    let read = |t: &str| serde_json::from_str(t).ok();
    Ok(optional("teams", "routing", row.routing.as_deref(), read)?.unwrap_or_default())
}

/// The same as JSON; a policy that says nothing is nothing.
pub(crate) fn routing_json(policy: &RoutingPolicy) -> Option<String> {
    let said = Some(policy).filter(|policy| !policy.is_silent());
    said.and_then(|policy| serde_json::to_string(policy).ok())
}

/// A guardrail, from JSON. One that cannot be read makes the whole row unreadable: nothing is served without it.
fn guardrail(table: &'static str, json: Option<&str>) -> Result<Option<Guardrail>, StoreError> {
    optional(table, "guardrail", json, |t| serde_json::from_str(t).ok())
}

/// A guardrail as JSON.
pub(crate) fn guardrail_json(guardrail: Option<&Guardrail>) -> Option<String> {
    guardrail.and_then(|g| serde_json::to_string(g).ok())
}

pub(super) fn user(row: &user::Model, search: Option<SearchProvider>) -> Result<User, StoreError> {
    const T: &str = "users";
    Ok(User {
        id: read(T, "id", UserId::parse(&row.id).ok())?,
        state: read(T, "state", AccountState::parse(&row.state))?,
        team_id: optional(T, "team_id", row.team_id.as_deref(), |t| TeamId::parse(t).ok())?,
        search,
        role: Some(read(T, "role", Role::parse(&row.role))?),
        groups: groups(row)?,
        email_domain: row
            .email
            .as_deref()
            .and_then(|email| email.rsplit_once('@'))
            .map(|(_, domain)| domain.to_lowercase()),
    })
}

/// The groups of a user at the identity provider.
pub(crate) fn groups(row: &user::Model) -> Result<Vec<String>, StoreError> {
    read("users", "groups", serde_json::from_str(&row.groups).ok())
}

/// What tokens are verified with.
pub(super) fn signing_key(row: &signing_key::Model) -> Result<SigningKey, StoreError> {
    let public = hex::decode(&row.public_key).ok();
    let public = public.and_then(|bytes| bytes.try_into().ok());
    Ok(SigningKey {
        id: row.id.clone(),
        public: read("signing_keys", "public_key", public)?,
        expires_at_ms: row.expires_at_ms,
    })
}

/// An endpoint, without its secrets, and without what it offers: see [`super::offers`].
pub(crate) fn endpoint(row: &endpoint::Model) -> Result<Endpoint, StoreError> {
    const T: &str = "endpoints";
    Ok(Endpoint {
        id: read(T, "id", EndpointId::parse(&row.id).ok())?,
        name: row.name.clone(),
        region: row.region.clone(),
        role_arn: row.role_arn.clone(),
        external_id: row.external_id.clone(),
        geography: optional(T, "geography", row.geography.as_deref(), Geography::parse)?,
        runtime_url: row.runtime_url.clone(),
        weight: read(T, "weight", u32::try_from(row.weight).ok())?,
        enabled: row.enabled,
        is_default: row.is_default,
        lanes: optional(T, "lanes", row.lanes.as_deref(), |t| serde_json::from_str(t).ok())?
            .unwrap_or_default(),
        mantle_url: row.mantle_url.clone(),
        guardrail: guardrail(T, row.guardrail.as_deref())?,
        access: Arc::new(super::access::without_secrets(row)?),
        draining: row.draining,
        offers: Arc::default(),
    })
}

/// The row of an endpoint that is made now, with the process's own credentials.
pub(crate) fn endpoint_row(endpoint: &Endpoint, created_at_ms: UnixMs) -> endpoint::Model {
    endpoint::Model {
        id: endpoint.id.to_string(),
        name: endpoint.name.clone(),
        name_key: endpoint.name.to_lowercase(),
        region: endpoint.region.clone(),
        role_arn: endpoint.role_arn.clone(),
        external_id: endpoint.external_id.clone(),
        geography: endpoint.geography.map(|g| g.as_str().to_owned()),
        runtime_url: endpoint.runtime_url.clone(),
        weight: i64::from(endpoint.weight),
        enabled: endpoint.enabled,
        is_default: endpoint.is_default,
        created_at_ms,
        lanes: serde_json::to_string(&endpoint.lanes).ok(),
        mantle_url: endpoint.mantle_url.clone(),
        guardrail: guardrail_json(endpoint.guardrail.as_ref()),
        access: None,
        access_secrets: None,
        draining: endpoint.draining,
        network: None,
        network_secrets: None,
    }
}

pub(crate) fn model(row: &model::Model) -> Result<Model, StoreError> {
    const T: &str = "models";
    let list = |column: &str, text: &str| -> Result<Vec<String>, StoreError> {
        read(T, column, serde_json::from_str(text).ok())
    };
    Ok(Model {
        name: ModelName::canonical(&row.name),
        aliases: list("aliases", &row.aliases)?
            .iter()
            .map(|a| ModelName::canonical(a))
            .collect(),
        display_name: row.display_name.clone(),
        family: row.family.clone(),
        bedrock_id: row.bedrock_id.clone(),
        geographies: list("geographies", &row.geographies)?
            .iter()
            .map(|g| read(T, "geographies", Geography::parse(g)))
            .collect::<Result<_, _>>()?,
        on_demand: row.on_demand,
        context_tokens: read(T, "context_tokens", u32::try_from(row.context_tokens).ok())?,
        max_output_tokens: read(T, "max_output_tokens", u32::try_from(row.max_output_tokens).ok())?,
        counts_tokens: row.counts_tokens,
        output_burndown: read(T, "output_burndown", u32::try_from(row.output_burndown).ok())?,
        released_at_s: row.released_at_s,
    })
}

/// The row of a model that is made now.
pub(crate) fn model_row(model: &Model, source: &str, created_at_ms: UnixMs) -> model::Model {
    let aliases: Vec<_> = model.aliases.iter().map(ModelName::as_str).collect();
    let geographies: Vec<_> = model.geographies.iter().map(|g| g.as_str()).collect();
    model::Model {
        name: model.name.to_string(),
        aliases: serde_json::json!(aliases).to_string(),
        display_name: model.display_name.clone(),
        family: model.family.clone(),
        bedrock_id: model.bedrock_id.clone(),
        geographies: serde_json::json!(geographies).to_string(),
        on_demand: model.on_demand,
        context_tokens: i64::from(model.context_tokens),
        max_output_tokens: i64::from(model.max_output_tokens),
        counts_tokens: model.counts_tokens,
        output_burndown: i64::from(model.output_burndown),
        released_at_s: model.released_at_s,
        source: source.to_owned(),
        created_at_ms,
    }
}

pub(crate) fn price(row: &price::Model) -> Result<Price, StoreError> {
    const T: &str = "prices";
    let long_context = match (
        row.long_above_tokens,
        row.long_input,
        row.long_output,
        row.long_cache_read,
        row.long_cache_write_5m,
        row.long_cache_write_1h,
    ) {
        (Some(above), Some(input), Some(output), Some(cache_read), Some(write_5m), Some(write_1h)) => {
            Some(LongContext {
                above_prompt_tokens: read(T, "long_above_tokens", u64::try_from(above).ok())?,
                rates: rates([input, output, cache_read, write_5m, write_1h]),
            })
        }
        _ => None,
    };
    Ok(Price {
        id: read(T, "id", PriceId::parse(&row.id).ok())?,
        model: ModelName::canonical(&row.model),
        rates: rates([
            row.input,
            row.output,
            row.cache_read,
            row.cache_write_5m,
            row.cache_write_1h,
        ]),
        long_context,
        regional_permille: read(T, "regional_permille", u32::try_from(row.regional_permille).ok())?,
        in_region_permille: read(
            T,
            "in_region_permille",
            u32::try_from(row.in_region_permille).ok(),
        )?,
        gov_permille: read(T, "gov_permille", u32::try_from(row.gov_permille).ok())?,
        mantle_permille: read(T, "mantle_permille", u32::try_from(row.mantle_permille).ok())?,
        source: row.source.clone(),
    })
}

/// A price, and when it was in force.
pub(crate) fn dated_price(row: &price::Model) -> Result<DatedPrice, StoreError> {
    Ok(DatedPrice {
        price: price(row)?,
        valid_from_ms: row.effective_from_ms,
        valid_until_ms: row.replaced_at_ms,
    })
}

/// The row of a price that comes into force now.
pub(crate) fn price_row(price: &Price, effective_from_ms: UnixMs) -> price::Model {
    let long = price.long_context.as_ref();
    price::Model {
        id: price.id.to_string(),
        model: price.model.to_string(),
        current_for: Some(price.model.to_string()),
        input: price.rates.input.0,
        output: price.rates.output.0,
        cache_read: price.rates.cache_read.0,
        cache_write_5m: price.rates.cache_write_5m.0,
        cache_write_1h: price.rates.cache_write_1h.0,
        long_above_tokens: long.map(|l| i64::try_from(l.above_prompt_tokens).unwrap_or(i64::MAX)),
        long_input: long.map(|l| l.rates.input.0),
        long_output: long.map(|l| l.rates.output.0),
        long_cache_read: long.map(|l| l.rates.cache_read.0),
        long_cache_write_5m: long.map(|l| l.rates.cache_write_5m.0),
        long_cache_write_1h: long.map(|l| l.rates.cache_write_1h.0),
        regional_permille: i64::from(price.regional_permille),
        gov_permille: i64::from(price.gov_permille),
        in_region_permille: i64::from(price.in_region_permille),
        mantle_permille: i64::from(price.mantle_permille),
        aws_sku: None,
        source: price.source.clone(),
        effective_from_ms,
        replaced_at_ms: None,
    }
}

fn rates([input, output, cache_read, cache_write_5m, cache_write_1h]: [i64; 5]) -> Rates {
    Rates {
        input: NanoUsd(input),
        output: NanoUsd(output),
        cache_read: NanoUsd(cache_read),
        cache_write_5m: NanoUsd(cache_write_5m),
        cache_write_1h: NanoUsd(cache_write_1h),
    }
}

fn optional<T>(
    table: &'static str,
    column: &str,
    text: Option<&str>,
    parse: impl Fn(&str) -> Option<T>,
) -> Result<Option<T>, StoreError> {
    text.map(|t| read(table, column, parse(t))).transpose()
}

pub(crate) fn book(row: &capability_book::Model) -> Result<CapabilityBook, StoreError> {
    const T: &str = "capability_books";
    Ok(CapabilityBook {
        surface: row.surface.clone(),
        version: row.version.clone(),
        sequence: read(T, "sequence", u64::try_from(row.sequence).ok())?,
        made_at_ms: row.made_at_ms,
        rules: row.rules.as_str().into(),
    })
}

pub(crate) fn fact(row: &learnt_fact::Model) -> Result<LearntFact, StoreError> {
    const T: &str = "learnt_facts";
    Ok(LearntFact {
        endpoint_id: read(T, "endpoint_id", EndpointId::parse(&row.endpoint_id).ok())?,
        bedrock_model: row.bedrock_model.clone(),
        surface: row.surface.clone(),
        version: row.version.clone(),
        kind: row.kind.clone(),
        value: row.value.clone(),
        learnt_at_ms: row.learnt_at_ms,
    })
}

/// The row of a fact.
pub(super) fn fact_row(fact: &LearntFact) -> learnt_fact::Model {
    learnt_fact::Model {
        id: fact.id(),
        endpoint_id: fact.endpoint_id.to_string(),
        bedrock_model: fact.bedrock_model.clone(),
        surface: fact.surface.clone(),
        version: fact.version.clone(),
        kind: fact.kind.clone(),
        value: fact.value.clone(),
        learnt_at_ms: fact.learnt_at_ms,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{GuardrailTrace, Lane, Lanes, catalogue};

    #[test]
    fn an_endpoint_with_lanes_and_a_guardrail_survives_the_database() {
        let mut one = Endpoint {
            lanes: Lanes::new([Lane::Mantle]),
            mantle_url: Some("https://mantle.example".into()),
            guardrail: Some(Guardrail {
                id: "gr1".into(),
                version: "3".into(),
                trace: GuardrailTrace::Enabled,
                tag_input: true,
            }),
            ..Endpoint::new(EndpointId::parse("end_1").unwrap(), "Prod")
        };
        assert_eq!(endpoint(&endpoint_row(&one, 1)).unwrap(), one);
        // A row of before there were lanes.
        let mut row = endpoint_row(&one, 1);
        (row.lanes, row.guardrail) = (None, None);
        (one.lanes, one.guardrail) = (Lanes::default(), None);
        assert_eq!(endpoint(&row).unwrap(), one);
        row.guardrail = Some("{}".into());
        assert!(endpoint(&row).is_err());
    }

    #[test]
    fn the_built_in_catalogue_survives_the_database() {
        for one in catalogue::models() {
            assert_eq!(model(&model_row(&one, "built-in", 1)).unwrap(), one);
        }
        for one in catalogue::prices() {
            assert_eq!(price(&price_row(&one, 1)).unwrap(), one);
        }
    }
}
