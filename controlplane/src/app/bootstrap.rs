//! The first start, and every start: schema, catalogue, first admin. Safe to run on several control planes at once.

use super::identity::providers;
use super::{App, Changed, capabilities, clients, keys, users, validate};
use crate::store::{Store, rows};
use ccag_admin_api::{CreateKey, CreateUser, Secret};
use ccag_domain::ids::ulid;
use ccag_domain::{Actor, Code, Endpoint, EndpointId, ObjectKind, Problem, Role, SealKey, UserId, catalogue};
use serde_json::json;

/// What the first start should make.
#[derive(Debug, Clone)]
pub struct Bootstrap {
    /// The name of the first admin.
    pub admin_username: String,
    /// Their password; without one a random one is made.
    pub admin_password: Option<Secret>,
    /// Further admins, who get no password.
    pub more_admins: Vec<String>,
    /// Whether to make a virtual key for the first admin.
    pub first_key: bool,
    /// An identity provider.
    pub provider: Option<providers::Described>,
}

/// What the start has made.
#[derive(Debug, Clone)]
pub struct BootstrapReport {
    /// The name of the first admin.
    pub admin_username: String,
    /// Their password, if it was made now: to be shown once.
    pub generated_password: Option<Secret>,
    /// A key of theirs, if one was made now: to be shown once.
    pub first_key: Option<Secret>,
    /// Whether this start found an empty database.
    pub first_start: bool,
}

/// Brings the database up to date. `migrator` is a handle on the same database whose statements never time out.
///
/// # Errors
/// [`Code::Unavailable`] while there is no database: trying again helps.
pub async fn run(app: &App, migrator: &Store, wanted: &Bootstrap) -> Result<BootstrapReport, Problem> {
    let lock = migrator.lock_bootstrap().await?;
    migrator.migrate().await?;
    app.store.insert_epoch(&ulid(&*app.clock, &*app.rng)).await?;
    seed_catalogue(app).await?;
    capabilities::seed(app).await?;
    seed_sealing_key(app).await?;
    clients::keys::keep(app).await?;
    let report = seed_admin(app, wanted).await?;
    for username in &wanted.more_admins {
        add_admin(app, username, Role::Admin, None).await?;
    }
    crown(app).await?;
    if let Some(described) = &wanted.provider {
        providers::seed(app, described).await?;
    }
    drop(lock);
    Ok(report)
}

/// Adds what is missing of the built-in models and prices, and the default endpoint to a database without any. What is
/// there is left alone: it may have been changed by an admin.
async fn seed_catalogue(app: &App) -> Result<(), Problem> {
    let now = app.now_ms();
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let known = tx.list_model_names().await?;
    let mut added = Vec::new();
    for model in catalogue::models() {
        if !known.contains(&model.name.to_string()) {
            tx.insert_model(rows::model_row(&model, "built-in", now)).await?;
            added.push(model.name.to_string());
        }
    }
    let priced = tx.list_priced_models().await?;
    for price in catalogue::prices() {
        if !priced.contains(&price.model.to_string()) {
            tx.insert_price(rows::price_row(&price, now)).await?;
            added.push(price.id.to_string());
        }
    }
    if tx.count_endpoints().await? == 0 {
        let endpoint = Endpoint::new(EndpointId::generate(&*app.clock, &*app.rng), "default");
        tx.insert_endpoint(rows::endpoint_row(&endpoint, now)).await?;
        added.push(endpoint.id.to_string());
    }
    if !added.is_empty() {
        let details = json!({ "added": added });
        let entry = app.audit(
            &Actor::System,
            "catalogue.seed",
            ObjectKind::Settings,
            "settings",
            details,
        );
        tx.commit(now, entry).await?;
    }
    Ok(())
}

/// Makes the key that search results are sealed with, once.
async fn seed_sealing_key(app: &App) -> Result<(), Problem> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    if tx.has_sealing_key().await? {
        return Ok(());
    }
    let key = SealKey::generate(&*app.rng);
    tx.insert_sealing_key(app.store.secrets(), &key).await?;
    let entry = app.audit(
        &Actor::System,
        "web_search.seal",
        ObjectKind::Settings,
        "settings",
        json!({}),
    );
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// Makes the owner of a database without users.
async fn seed_admin(app: &App, wanted: &Bootstrap) -> Result<BootstrapReport, Problem> {
    let mut report = BootstrapReport {
        admin_username: wanted.admin_username.clone(),
        generated_password: None,
        first_key: None,
        first_start: false,
    };
    if app.store.count_users().await? > 0 {
        return Ok(report);
    }
    let password = match &wanted.admin_password {
        Some(password) => {
            if validate::password("ADMIN_PASSWORD", password.reveal()).is_err() {
                tracing::warn!("ADMIN_PASSWORD has fewer than 8 characters: change it soon");
            }
            password.clone()
        }
        None => {
            // 24 characters of base64url: 144 random bits.
            let token = ccag_domain::key::random_token(&*app.rng);
            let password = Secret::new(token.get(..24).unwrap_or(&token));
            report.generated_password = Some(password.clone());
            password
        }
    };
    let hash = app.passwords.hash(password.reveal()).await?;
    let Some(admin) = add_admin(app, &wanted.admin_username, Role::Owner, Some(hash)).await? else {
        report.generated_password = None;
        return Ok(report);
    };
    report.first_start = true;
    if wanted.first_key {
        let request = CreateKey {
            name: Some("first key".to_owned()),
            user_id: Some(admin),
            ..CreateKey::default()
        };
        report.first_key = Some(keys::issue(app, &Actor::System, request).await?.key);
    }
    Ok(report)
}

/// Makes the admin who has been there for longest an owner, where no active user is one: databases of before there were
/// owners have none.
async fn crown(app: &App) -> Result<(), Problem> {
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let Some(mut heir) = tx.find_heir().await? else {
        return Ok(());
    };
    let before = heir.clone();
    heir.role = Role::Owner.as_str().to_owned();
    tx.update_user(heir.clone()).await?;
    let details = Changed::updated(&before, &heir).with("reason", &"no active user was an owner");
    let entry = app.audit(&Actor::System, "user.update", ObjectKind::User, &heir.id, details);
    tx.commit(app.now_ms(), entry).await?;
    tracing::info!(user = heir.id, "the first admin is now an owner");
    Ok(())
}

/// Adds an admin or an owner, unless there is somebody of that name.
async fn add_admin(
    app: &App,
    username: &str,
    role: Role,
    hash: Option<String>,
) -> Result<Option<UserId>, Problem> {
    let request = CreateUser {
        username: Some(username.to_owned()),
        role: Some(role),
        ..CreateUser::default()
    };
    match users::create_with_hash(app, &Actor::System, request, hash).await {
        Ok(user) => Ok(Some(user.id)),
        Err(problem) if problem.code == Code::Conflict => Ok(None),
        Err(problem) => Err(problem),
    }
}
