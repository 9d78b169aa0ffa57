//! What admins say about SCIM: whether a provider may use it, with which tokens, and whose members are admins.

use super::TOKEN_PREFIX;
use crate::app::identity::providers::{reapply, require_over};
use crate::app::identity::rules;
use crate::app::{App, Changed, not_found, validate};
use crate::store::entity::{identity_provider, scim_token};
use crate::store::{AuditEntry, Tx};
use ccag_admin_api::{
    CreateScimToken, CreatedScimToken, EnableScim, GroupMapping, ProviderRules, ScimAdminGroups, ScimStatus,
    ScimTokenList, ScimTokenView, Secret, Timestamp, paths,
};
use ccag_domain::ids::ulid;
use ccag_domain::{Actor, Area, Code, KeyDigest, ObjectKind, Permission, Problem, ProviderId, Role, UserId};
use serde_json::json;

/// The most tokens of one provider.
const MAX_TOKENS: u64 = 20;

/// The most groups whose members are admins.
const MAX_ADMIN_GROUPS: usize = 200;

async fn provider(app: &App, id: &ProviderId) -> Result<identity_provider::Model, Problem> {
    let row = app.store.find_provider(id.as_str()).await?;
    row.ok_or_else(|| not_found("identity provider", id.as_str()))
}

async fn provider_in(tx: &Tx, id: &ProviderId) -> Result<identity_provider::Model, Problem> {
    let row = tx.find_provider(id.as_str()).await?;
    row.ok_or_else(|| not_found("identity provider", id.as_str()))
}

/// An entry of the audit log about a provider.
fn entry(app: &App, actor: &Actor, action: &'static str, id: &str, details: Changed) -> AuditEntry {
    AuditEntry {
        kind: "identity_provider",
        ..app.audit(actor, action, ObjectKind::Settings, id, details)
    }
}

fn view(row: &scim_token::Model) -> Result<ScimTokenView, Problem> {
    let unreadable = || crate::store::StoreError::unreadable("scim_tokens", "bad id");
    Ok(ScimTokenView {
        id: row.id.clone(),
        idp_id: ProviderId::parse(&row.provider_id).map_err(|_| unreadable())?,
        name: row.name.clone(),
        token_prefix: row.prefix.clone(),
        created_at: Timestamp::from_ms(row.created_at_ms),
        created_by: row.created_by.as_deref().and_then(|id| UserId::parse(id).ok()),
        expires_at: row.expires_at_ms.map(Timestamp::from_ms),
        last_used_at: row.last_used_at_ms.map(Timestamp::from_ms),
    })
}

/// Makes a token for a provider.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`], or [`Code::Conflict`] if there are too many.
pub async fn create_token(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    request: CreateScimToken,
) -> Result<CreatedScimToken, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let now = app.now_ms();
    let name = validate::optional_name("name", request.name.as_deref().unwrap_or_default())?;
    let expires_at_ms = validate::expiry(request.expires_at.map(Timestamp::ms), now)?;
    let mut bytes = zeroize::Zeroizing::new([0u8; 32]);
    app.rng.fill(bytes.as_mut());
    let token = Secret::new(format!("{TOKEN_PREFIX}{}", hex::encode(*bytes)));
    let tx = app.store.change().await?;
    let provider = provider_in(&tx, id).await?;
    require_over(&tx, actor, &provider).await?;
    if tx.count_scim_tokens(&provider.id).await? >= MAX_TOKENS {
        return Err(Problem::new(
            Code::Conflict,
            format!("This provider has {MAX_TOKENS} tokens already. Revoke one that is not used."),
        ));
    }
    let row = scim_token::Model {
        id: format!("sct_{}", ulid(&*app.clock, &*app.rng)),
        provider_id: provider.id,
        name,
        prefix: token.reveal().chars().take(TOKEN_PREFIX.len() + 6).collect(),
        digest: KeyDigest::of(token.reveal()).to_hex(),
        created_at_ms: now,
        created_by: actor.user_id().map(ToString::to_string),
        expires_at_ms,
        last_used_at_ms: None,
    };
    tx.insert_scim_token(row.clone()).await?;
    let details = Changed::created(&row);
    tx.commit(now, entry(app, actor, "scim.create_token", id.as_str(), details))
        .await?;
    Ok(CreatedScimToken {
        token,
        record: view(&row)?,
    })
}

/// The tokens of a provider.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn list_tokens(app: &App, actor: &Actor, id: &ProviderId) -> Result<ScimTokenList, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    let provider = provider(app, id).await?;
    let rows = app.store.list_scim_tokens(&provider.id).await?;
    let tokens = rows.iter().map(view).collect::<Result<_, _>>()?;
    Ok(ScimTokenList { tokens })
}

/// Revokes a token: the next request with it is refused.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn revoke_token(app: &App, actor: &Actor, id: &ProviderId, token_id: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let tx = app.store.change().await?;
    let provider = provider_in(&tx, id).await?;
    let row = tx.find_scim_token(&provider.id, token_id).await?;
    let row = row.ok_or_else(|| not_found("SCIM token", token_id))?;
    tx.delete_scim_token(&row.id).await?;
    let details = Changed::deleted(&row);
    tx.commit(
        app.now_ms(),
        entry(app, actor, "scim.revoke_token", id.as_str(), details),
    )
    .await?;
    Ok(())
}

/// Switches SCIM on or off for a provider. Its users stay as they are.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn enable(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    request: EnableScim,
    base_url: &str,
) -> Result<ScimStatus, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let tx = app.store.change().await?;
    tx.serialize().await?;
    let mut row = provider_in(&tx, id).await?;
    require_over(&tx, actor, &row).await?;
    let mut rules = rules(&row)?;
    if rules.scim_enabled != request.enabled {
        rules.scim_enabled = request.enabled;
        write_rules(app, &tx, &mut row, &rules).await?;
        let action = if request.enabled {
            "scim.enable"
        } else {
            "scim.disable"
        };
        let on = |enabled: bool| json!({ "scim_enabled": enabled });
        let details = Changed::updated(&on(!request.enabled), &on(request.enabled)).with("name", &row.name);
        let entry = entry(app, actor, action, id.as_str(), details);
        tx.commit(app.now_ms(), entry).await?;
    }
    status(app, actor, id, base_url).await
}

async fn write_rules(
    app: &App,
    tx: &Tx,
    row: &mut identity_provider::Model,
    rules: &ProviderRules,
) -> Result<(), Problem> {
    row.settings = json!(rules).to_string();
    row.updated_at_ms = app.now_ms().max(row.updated_at_ms + 1);
    Ok(tx.update_provider(row.clone()).await?)
}

/// How it stands with SCIM of a provider. The gateway is reached at `base_url`.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn status(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    base_url: &str,
) -> Result<ScimStatus, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    let provider = provider(app, id).await?;
    let tokens = app.store.list_scim_tokens(&provider.id).await?;
    let last = tokens.iter().filter_map(|token| token.last_used_at_ms).max();
    Ok(ScimStatus {
        enabled: rules(&provider)?.scim_enabled,
        base_url: format!("{}{}", base_url.trim_end_matches('/'), paths::SCIM),
        users: app.store.scim().count_people(&provider.id).await?,
        groups: app.store.scim().count_groups(&provider.id).await?,
        tokens: tokens.len() as u64,
        last_request_at: last.map(Timestamp::from_ms),
    })
}

/// The groups whose members are admins.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn admin_groups(app: &App, actor: &Actor, id: &ProviderId) -> Result<ScimAdminGroups, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    Ok(admins_of(&rules(&provider(app, id).await?)?))
}

fn admins_of(rules: &ProviderRules) -> ScimAdminGroups {
    let admins = rules.group_mappings.iter();
    let admins = admins.filter(|mapping| mapping.role == Some(Role::Admin));
    ScimAdminGroups {
        groups: admins.map(|mapping| mapping.group.clone()).collect(),
    }
}

/// Says of which groups the members are admins. What other mappings say stays; everybody's role follows at once.
///
/// # Errors
/// [`Code::NotFound`], [`Code::InvalidRequest`], or [`Code::Conflict`] if nobody would be left to manage the gateway.
pub async fn set_admin_groups(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    request: ScimAdminGroups,
) -> Result<ScimAdminGroups, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    if request.groups.len() > MAX_ADMIN_GROUPS {
        let message = format!("There may be {MAX_ADMIN_GROUPS} groups at most.");
        return Err(Problem::new(Code::InvalidRequest, message).field("groups"));
    }
    let names = request.groups.iter().map(|name| validate::name("groups", name));
    let names: Vec<String> = names.collect::<Result<_, _>>()?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let mut row = provider_in(&tx, id).await?;
    require_over(&tx, actor, &row).await?;
    let before = rules(&row)?;
    let rules = ProviderRules {
        group_mappings: with_admins(before.group_mappings.clone(), &names),
        ..before.clone()
    };
    write_rules(app, &tx, &mut row, &rules).await?;
    reapply(&mut tx, &row, &before).await?;
    let details = Changed::updated(&admins_of(&before), &admins_of(&rules));
    tx.commit(
        app.now_ms(),
        entry(app, actor, "scim.set_admin_groups", id.as_str(), details),
    )
    .await?;
    Ok(admins_of(&rules))
}

/// The mappings, with these groups as those of admins. A mapping that gave nothing else is gone.
fn with_admins(mappings: Vec<GroupMapping>, names: &[String]) -> Vec<GroupMapping> {
    let mut left: Vec<&String> = Vec::new();
    for name in names {
        if !left
            .iter()
            .any(|other| other.to_lowercase() == name.to_lowercase())
        {
            left.push(name);
        }
    }
    let mut kept = Vec::new();
    for mut mapping in mappings {
        let at = left
            .iter()
            .position(|name| name.to_lowercase() == mapping.group.to_lowercase());
        match at {
            Some(at) => {
                left.remove(at);
                mapping.role = Some(Role::Admin);
            }
            None if mapping.role == Some(Role::Admin) => mapping.role = None,
            None => {}
        }
        if mapping.role.is_some() || mapping.team_id.is_some() {
            kept.push(mapping);
        }
    }
    kept.extend(left.into_iter().map(|name| GroupMapping {
        group: name.clone(),
        role: Some(Role::Admin),
        team_id: None,
    }));
    kept
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::TeamId;

    #[test]
    fn other_mappings_stay() {
        let mapping = |group: &str, role, team: Option<&str>| GroupMapping {
            group: group.to_owned(),
            role,
            team_id: team.map(|id| TeamId::parse(id).unwrap()),
        };
        let before = vec![
            mapping("Old", Some(Role::Admin), None),
            mapping("Both", Some(Role::Admin), Some("team_1")),
            mapping("Team", None, Some("team_2")),
            mapping("Plain", Some(Role::Member), None),
        ];
        let names = ["new".to_owned(), "team".to_owned(), "NEW".to_owned()];
        let after = with_admins(before, &names);
        assert_eq!(
            after,
            [
                mapping("Both", None, Some("team_1")),
                mapping("Team", Some(Role::Admin), Some("team_2")),
                mapping("Plain", Some(Role::Member), None),
                mapping("new", Some(Role::Admin), None),
            ]
        );
    }
}
