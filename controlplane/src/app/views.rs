//! Rows as the admin API shows them.

use super::routing;
use crate::store::entity::{endpoint, team, usage_record, user, virtual_key};
use crate::store::rows::{self, read};
use crate::store::{Assignment, StoreError};
use crate::store::{access, network};
use ccag_admin_api::{
    CredentialView, EndpointTeam, EndpointView, KeyState, KeyView, LedgerRow, ProxyView, TeamView, Timestamp,
    UserView,
};
use ccag_domain::{
    AccountState, EndpointId, EndpointState, Geography, KeyId, Lane, NanoUsd, Outcome, PriceId, ProviderId,
    ReplicaId, RequestId, Role, TeamId, UnixMs, UsageId, UserId, UserKind,
};

fn id<T: std::str::FromStr>(table: &'static str, column: &str, text: &str) -> Result<T, StoreError> {
    read(table, column, text.parse().ok())
}

fn optional_id<T: std::str::FromStr>(
    table: &'static str,
    column: &str,
    text: Option<&str>,
) -> Result<Option<T>, StoreError> {
    text.map(|text| id(table, column, text)).transpose()
}

pub(super) fn key(row: &virtual_key::Model, now_ms: UnixMs) -> Result<KeyView, StoreError> {
    const T: &str = "virtual_keys";
    let state = match row.state.as_str() {
        "active" if row.expires_at_ms.is_some_and(|at| at <= now_ms) => KeyState::Expired,
        "active" => KeyState::Active,
        _ => KeyState::Revoked,
    };
    Ok(KeyView {
        id: id::<KeyId>(T, "id", &row.id)?,
        prefix: row.prefix.clone(),
        name: row.name.clone(),
        user_id: optional_id::<UserId>(T, "user_id", row.user_id.as_deref())?,
        team_id: optional_id::<TeamId>(T, "team_id", row.team_id.as_deref())?,
        state,
        is_active: state == KeyState::Active,
        rate_limit_rpm: row.rate_limit_rpm.and_then(|n| u32::try_from(n).ok()),
        created_at: Timestamp::from_ms(row.created_at_ms),
        expires_at: row.expires_at_ms.map(Timestamp::from_ms),
        revoked_at: row.revoked_at_ms.map(Timestamp::from_ms),
    })
}

pub(super) fn user(row: &user::Model) -> Result<UserView, StoreError> {
    const T: &str = "users";
    Ok(UserView {
        id: id::<UserId>(T, "id", &row.id)?,
        username: row.username.clone(),
        email: row.email.clone(),
        display_name: row.display_name.clone(),
        kind: read(T, "kind", UserKind::parse(&row.kind))?,
        role: read(T, "role", Role::parse(&row.role))?,
        state: read(T, "state", AccountState::parse(&row.state))?,
        team_id: optional_id::<TeamId>(T, "team_id", row.team_id.as_deref())?,
        provider_id: optional_id::<ProviderId>(T, "provider_id", row.provider_id.as_deref())?,
        groups: rows::groups(row)?,
        created_at: Timestamp::from_ms(row.created_at_ms),
    })
}

pub(super) fn team(row: &team::Model, member_count: u64) -> Result<TeamView, StoreError> {
    const T: &str = "teams";
    let team = rows::team(row, &[])?;
    Ok(TeamView {
        id: id::<TeamId>(T, "id", &row.id)?,
        name: row.name.clone(),
        state: read(T, "state", AccountState::parse(&row.state))?,
        member_count,
        guardrail: team.guardrail.map(Into::into),
        routing: routing::spec(&team.routing),
        created_at: Timestamp::from_ms(row.created_at_ms),
    })
}

/// An endpoint, with the teams among `assigned` that may use it.
pub(super) fn endpoint(row: &endpoint::Model, assigned: &[Assignment]) -> Result<EndpointView, StoreError> {
    let endpoint = rows::endpoint(row)?;
    let open = access::open(row)?;
    let network = network::without_secrets(row)?;
    let teams = assigned
        .iter()
        .filter(|a| a.endpoint_id == row.id)
        .map(|a| {
            Ok(EndpointTeam {
                id: id::<TeamId>("team_endpoints", "team_id", &a.team_id)?,
                name: a.team_name.clone(),
            })
        })
        .collect::<Result<_, StoreError>>()?;
    Ok(EndpointView {
        id: endpoint.id,
        name: endpoint.name,
        region: endpoint.region,
        role_arn: endpoint.role_arn,
        external_id: endpoint.external_id,
        geography: endpoint.geography,
        runtime_url: endpoint.runtime_url,
        lanes: endpoint.lanes.into(),
        mantle_url: endpoint.mantle_url,
        guardrail: endpoint.guardrail.map(Into::into),
        credentials: CredentialView {
            kind: open.kind,
            access_key_id_ends: open.access_key_id_ends,
            profile: open.profile,
            set_at: open.set_at_ms.map(Timestamp::from_ms),
        },
        session_tags: open.session_tags,
        service_tier: open.service_tier,
        request_metadata: open.request_metadata,
        proxy: network.proxy.map(|proxy| ProxyView {
            url: proxy.url,
            user: proxy.login.map(|login| login.user),
        }),
        ca_certificates: network.ca_certificates,
        use_fips: network.use_fips,
        state: EndpointState::of(endpoint.enabled, endpoint.draining),
        weight: endpoint.weight,
        enabled: endpoint.enabled,
        is_default: endpoint.is_default,
        teams,
        created_at: Timestamp::from_ms(row.created_at_ms),
    })
}

/// A row of the ledger; `show_bedrock` is false for those who may not see what can be an ARN.
pub(super) fn ledger(row: usage_record::Model, show_bedrock: bool) -> Result<LedgerRow, StoreError> {
    const T: &str = "usage_records";
    let count = |n: i64| u64::try_from(n).unwrap_or(0);
    let small = |n: i64| u32::try_from(n).unwrap_or(u32::MAX);
    Ok(LedgerRow {
        id: id::<UsageId>(T, "id", &row.id)?,
        request_id: id::<RequestId>(T, "request_id", &row.request_id)?,
        aws_request_id: row.aws_request_id,
        started_at: Timestamp::from_ms(row.started_at_ms),
        key_id: id::<KeyId>(T, "key_id", &row.key_id)?,
        user_id: optional_id::<UserId>(T, "user_id", row.user_id.as_deref())?,
        team_id: optional_id::<TeamId>(T, "team_id", row.team_id.as_deref())?,
        model: row.model,
        bedrock_model: show_bedrock.then_some(row.bedrock_model),
        geography: read(T, "geography", Geography::parse(&row.geography))?,
        endpoint_id: id::<EndpointId>(T, "endpoint_id", &row.endpoint_id)?,
        replica_id: id::<ReplicaId>(T, "replica_id", &row.replica_id)?,
        session_id: row.session_id,
        streaming: row.streaming,
        outcome: read(T, "outcome", Outcome::parse(&row.outcome))?,
        status: u16::try_from(row.status).unwrap_or(0),
        error: row.error,
        attempts: small(row.attempts),
        input_tokens: count(row.input_tokens),
        output_tokens: count(row.output_tokens),
        cache_read_tokens: count(row.cache_read_tokens),
        cache_write_5m_tokens: count(row.cache_write_5m_tokens),
        cache_write_1h_tokens: count(row.cache_write_1h_tokens),
        estimated: row.estimated,
        cost_nano_usd: NanoUsd(row.cost_nano_usd),
        price_id: id::<PriceId>(T, "price_id", &row.price_id)?,
        price_assumed: row.price_assumed,
        first_token_ms: row.first_token_ms.map(small),
        duration_ms: small(row.duration_ms),
        surface: read(T, "surface", Lane::parse(&row.surface))?,
        web_searches: small(row.web_searches),
    })
}
