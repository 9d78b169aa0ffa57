//! Identity providers: adding, changing and trying them.

use super::checks::{checked, invalid, is_local, issuer};
use super::{Provider, groups, rules};
use crate::app::{App, Changed, duplicate, not_found, validate};
use crate::secrets::name;
use crate::store::Tx;
use crate::store::entity::identity_provider;
use ccag_admin_api::{
    Patch, ProviderCheck, ProviderRules, ProviderTest, ProviderView, Secret, Timestamp, WriteProvider,
};
use ccag_domain::authority::refusal;
use ccag_domain::{Actor, Area, Code, ObjectKind, Permission, Problem, ProviderId, Role};
use serde_json::json;

/// Where providers send people back to, below the gateway's own address.
pub const CALLBACK: &str = "/auth/oidc/callback";

/// A provider that the environment describes.
#[derive(Debug, Clone)]
pub struct Described {
    /// Its name.
    pub name: String,
    /// Its issuer.
    pub issuer: String,
    /// Our name there.
    pub client_id: String,
    /// Our secret there.
    pub client_secret: Option<Secret>,
    /// The claim that users are named after.
    pub user_claim: Option<String>,
    /// The scopes that are asked for.
    pub scopes: Vec<String>,
    /// Its keys, where its discovery document does not name them.
    pub jwks_url: Option<String>,
}

/// Where a provider has to be told to send people back to.
#[must_use]
pub fn redirect_uri(base_url: &str) -> String {
    format!("{}{CALLBACK}", base_url.trim_end_matches('/'))
}

fn view(row: &identity_provider::Model, base_url: &str) -> Result<ProviderView, Problem> {
    let read = ProviderId::parse(&row.id);
    Ok(ProviderView {
        id: read.map_err(|_| not_found("identity provider", &row.id))?,
        name: row.name.clone(),
        issuer_url: row.issuer.clone(),
        client_id: row.client_id.clone(),
        has_client_secret: row.client_secret.is_some(),
        enabled: row.enabled,
        rules: rules(row)?,
        redirect_uri: redirect_uri(base_url),
        created_at: Timestamp::from_ms(row.created_at_ms),
        updated_at: Timestamp::from_ms(row.updated_at_ms),
    })
}

/// All providers, by name.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor, base_url: &str) -> Result<Vec<ProviderView>, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    let rows = app.store.list_providers().await?;
    rows.iter().map(|row| view(row, base_url)).collect()
}

/// The ids and names of the providers that people can sign in with, by name. For everybody.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn offered(app: &App) -> Result<Vec<(String, String)>, Problem> {
    let rows = app.store.list_providers().await?;
    let enabled = rows.into_iter().filter(|row| row.enabled);
    Ok(enabled.map(|row| (row.id, row.name)).collect())
}

/// Finds a provider.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn find(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    base_url: &str,
) -> Result<ProviderView, Problem> {
    actor.require_all(Permission::Read(Area::SignOn))?;
    let row = app.store.find_provider(id.as_str()).await?;
    view(&row.ok_or_else(|| missing(id))?, base_url)
}

/// Adds a provider.
///
/// # Errors
/// [`Code::InvalidRequest`] if a field is no good, [`Code::Conflict`] if the name is taken.
pub async fn create(
    app: &App,
    actor: &Actor,
    request: WriteProvider,
    base_url: &str,
) -> Result<ProviderView, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let now = app.now_ms();
    let tx = app.store.change().await?;
    let row = written(app, &tx, blank(app, now), request).await?;
    require_over(&tx, actor, &row).await?;
    tx.insert_provider(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    let entry = app.audit(
        actor,
        "idp.create",
        ObjectKind::Settings,
        &row.id,
        Changed::created(&details(&row)),
    );
    tx.commit(now, entry).await?;
    view(&row, base_url)
}

/// Changes a provider; what its groups make of its users holds at once.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`].
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    request: WriteProvider,
    base_url: &str,
) -> Result<ProviderView, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let before = tx.find_provider(id.as_str()).await?.ok_or_else(|| missing(id))?;
    require_over(&tx, actor, &before).await?;
    let mut row = written(app, &tx, before.clone(), request).await?;
    require_over(&tx, actor, &row).await?;
    row.updated_at_ms = now.max(before.updated_at_ms + 1);
    tx.update_provider(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    if row.settings != before.settings {
        reapply(&mut tx, &row, &rules(&before)?).await?;
    }
    let changed = Changed::updated(&details(&before), &details(&row))
        .with("new_client_secret", &(row.client_secret != before.client_secret));
    let entry = app.audit(actor, "idp.update", ObjectKind::Settings, &row.id, changed);
    tx.commit(now, entry).await?;
    view(&row, base_url)
}

/// Deletes a provider. Its users stay and keep their keys; they cannot sign in with it any more.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, id: &ProviderId) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let tx = app.store.change().await?;
    let row = tx.find_provider(id.as_str()).await?.ok_or_else(|| missing(id))?;
    require_over(&tx, actor, &row).await?;
    tx.delete_provider(id.as_str()).await?;
    let entry = app.audit(
        actor,
        "idp.delete",
        ObjectKind::Settings,
        &row.id,
        Changed::deleted(&details(&row)),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Asks a provider what can be asked without anybody's signing in.
///
/// # Errors
/// [`Code::NotFound`]. A provider that does not answer is no error but the answer.
pub async fn test(
    app: &App,
    actor: &Actor,
    id: &ProviderId,
    base_url: &str,
) -> Result<ProviderTest, Problem> {
    actor.require_all(Permission::Change(Area::SignOn))?;
    let row = app.store.find_provider(id.as_str()).await?;
    let row = row.ok_or_else(|| missing(id))?;
    let provider = Provider::read(app.store.secrets(), &row)?;
    let mut checks = Vec::new();
    let mut note = |name: &str, ok: bool, detail: String| {
        checks.push(ProviderCheck {
            name: name.to_owned(),
            ok,
            detail,
        });
    };
    let address = redirect_uri(base_url);
    let reachable = address.starts_with("https://") || is_local(&address);
    note(
        "our address",
        reachable,
        if reachable {
            format!("Tell the provider to allow the redirect URI {address}")
        } else {
            format!("{address} is not https: providers will not send people there. Set CCAG_PUBLIC_URL.")
        },
    );
    match Box::pin(app.known.fetch(&provider)).await {
        Err(problem) => note("discovery and keys", false, problem.message),
        Ok(metadata) => {
            let keys = metadata.jwks().keys().len();
            note(
                "discovery and keys",
                keys > 0,
                format!("The provider answers, and has {keys} key(s) to sign with"),
            );
            let token = metadata.token_endpoint().is_some();
            let said = if token {
                "is named"
            } else {
                "is missing from the discovery document"
            };
            note("token endpoint", token, format!("The token endpoint {said}"));
        }
    }
    Ok(ProviderTest {
        ok: checks.iter().all(|check| check.ok),
        checks,
    })
}

/// Adds the provider that the environment describes, unless there is one of its issuer or there was one before: what an admin
/// has done to it since stays.
///
/// # Errors
/// As [`create`].
pub(crate) async fn seed(app: &App, described: &Described) -> Result<(), Problem> {
    const SEEDED: &str = "oidc_seeded";
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let seeded = tx.find_setting(SEEDED).await?;
    if seeded.as_deref() == Some(described.issuer.as_str()) || tx.has_issuer(&described.issuer).await? {
        tracing::info!(
            issuer = described.issuer,
            "the identity provider of OIDC_ISSUER was added before; it is changed in the console, not by the environment"
        );
        return Ok(());
    }
    let now = app.now_ms();
    let request = WriteProvider {
        name: described.name.clone(),
        issuer_url: described.issuer.clone(),
        client_id: described.client_id.clone(),
        client_secret: described.client_secret.clone().map_or(Patch::Keep, Patch::Set),
        enabled: Some(true),
        rules: ProviderRules {
            user_claim: described.user_claim.clone(),
            scopes: described.scopes.clone(),
            jwks_url: described.jwks_url.clone(),
            ..ProviderRules::default()
        },
    };
    let row = written(app, &tx, blank(app, now), request).await?;
    tx.insert_provider(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    tx.put_setting(SEEDED, described.issuer.clone()).await?;
    let entry = app.audit(
        &Actor::System,
        "idp.create",
        ObjectKind::Settings,
        &row.id,
        Changed::created(&details(&row)),
    );
    tx.commit(now, entry).await?;
    tracing::info!(
        issuer = described.issuer,
        "the identity provider of OIDC_ISSUER has been added; from now on it is changed in the console"
    );
    Ok(())
}

/// Leaves to owners what makes owners, and what owners sign in with: whoever says where they sign in could sign in as them.
pub(crate) async fn require_over(
    tx: &Tx,
    actor: &Actor,
    row: &identity_provider::Model,
) -> Result<(), Problem> {
    let permission = Permission::Change(Area::Owners);
    if actor.may_all(permission) {
        return Ok(());
    }
    let rules = rules(row)?;
    let mapped = rules.group_mappings.iter().filter_map(|mapping| mapping.role);
    let makes = mapped.chain([rules.default_role]).any(|role| role == Role::Owner);
    let users = tx.list_users_of_provider(&row.id).await?;
    if makes || users.iter().any(|user| user.role == Role::Owner.as_str()) {
        return Err(refusal(permission));
    }
    Ok(())
}

/// Does to all users of a provider what its rules now make of their groups. `before` are the rules that held until now.
pub(crate) async fn reapply(
    tx: &mut Tx,
    row: &identity_provider::Model,
    before: &ProviderRules,
) -> Result<(), Problem> {
    let rules = rules(row)?;
    if speaks_of_roles(before) && !speaks_of_roles(&rules) {
        take_roles(tx, &row.id, before).await?;
    }
    for before in tx.list_users_of_provider(&row.id).await? {
        let mut user = before.clone();
        let names: Vec<String> = serde_json::from_str(&before.groups).unwrap_or_default();
        groups::apply(&rules, &names, &mut user);
        let last = user.role != before.role && crate::app::users::keep_somebody(tx, &before).await.is_err();
        if last {
            return Err(Problem::new(
                Code::Conflict,
                "With these rules nobody would be an owner any more. Let one group give the role, or make a local user an owner \
                 first.",
            )
            .field("rules.group_mappings"));
        }
        if user != before {
            tx.update_user(user).await?;
        }
    }
    Ok(())
}

fn speaks_of_roles(rules: &ProviderRules) -> bool {
    rules.group_mappings.iter().any(|mapping| mapping.role.is_some())
}

/// Takes the roles that groups have given, where from now on none gives any: nobody else would.
async fn take_roles(tx: &mut Tx, provider_id: &str, before: &ProviderRules) -> Result<(), Problem> {
    for held in tx.list_users_of_provider(provider_id).await? {
        let names: Vec<String> = serde_json::from_str(&held.groups).unwrap_or_default();
        let mut given = held.clone();
        groups::apply(before, &names, &mut given);
        let mut row = held.clone();
        before.default_role.as_str().clone_into(&mut row.role);
        if given.role == held.role && row.role != held.role {
            crate::app::users::keep_somebody(tx, &held)
                .await
                .map_err(|problem| problem.field("rules.group_mappings"))?;
            tx.update_user(row).await?;
        }
    }
    Ok(())
}

/// The row of a provider that is made now.
fn blank(app: &App, now: i64) -> identity_provider::Model {
    identity_provider::Model {
        id: ProviderId::generate(&*app.clock, &*app.rng).to_string(),
        name: String::new(),
        name_key: String::new(),
        issuer: String::new(),
        client_id: String::new(),
        client_secret: None,
        settings: String::new(),
        enabled: true,
        created_at_ms: now,
        updated_at_ms: now,
    }
}

/// The row with what a request says; everything is looked at.
async fn written(
    app: &App,
    tx: &Tx,
    mut row: identity_provider::Model,
    request: WriteProvider,
) -> Result<identity_provider::Model, Problem> {
    let name = validate::name("name", &request.name)?;
    row.issuer = issuer(&request.issuer_url)?;
    row.client_id = validate::name("client_id", &request.client_id)?;
    row.name_key = name.to_lowercase();
    row.name = name;
    row.client_secret = match request.client_secret {
        Patch::Keep => row.client_secret,
        Patch::Clear => None,
        Patch::Set(secret) if secret.reveal().is_empty() => None,
        Patch::Set(secret) => Some(
            app.store
                .secrets()
                .seal(&name::provider(&row.id), secret.reveal().as_bytes()),
        ),
    };
    row.enabled = request.enabled.unwrap_or(row.enabled);
    let rules = checked(tx, request.rules).await?;
    row.settings = serde_json::to_string(&rules).map_err(|error| invalid("rules", error.to_string()))?;
    Ok(row)
}

fn details(row: &identity_provider::Model) -> serde_json::Value {
    json!({
        "name": row.name,
        "issuer": row.issuer,
        "client_id": row.client_id,
        "has_client_secret": row.client_secret.is_some(),
        "enabled": row.enabled,
        "rules": serde_json::from_str::<serde_json::Value>(&row.settings).unwrap_or_default(),
    })
}

fn taken(error: crate::store::StoreError, name: &str) -> Problem {
    duplicate(
        error,
        || format!("There is an identity provider named `{name}` already. Choose another name."),
        "name",
    )
}

fn missing(id: &ProviderId) -> Problem {
    not_found("identity provider", id.as_str())
}
