//! The existing gateway's database, brought into this one.
//!
//! Everything is planned first: what will be made, what is here already, and what cannot be carried over. Ids follow from those
//! there, so that nothing is ever brought in twice and a second import brings what is new. What is here is never changed.

mod history;
mod keys;
mod money;
mod people;
mod report;
mod routes;
mod settings;
mod world;

pub use report::{Note, Part, Report};
pub(super) use world::id;

use self::people::People;
use self::routes::Routes;
use self::settings::Settings;
use self::world::World;
use super::{App, notifications, search};
use crate::store::StoreError;
use crate::store::ccag::Ccag;
use crate::store::entity::{budget, virtual_key};
use ccag_domain::key::random_token;
use ccag_domain::{Actor, KeyDigest, ObjectKind, Problem};
use serde_json::json;

/// What is to be imported.
#[derive(Debug, Clone)]
pub struct Options {
    /// The database of the existing gateway.
    pub from: String,
    /// Only say what would be done.
    pub dry_run: bool,
    /// Whether what was spent comes along.
    pub history: bool,
}

/// An import cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The database of the existing gateway cannot be read.
    #[error("cannot read the database of the existing gateway: {0}")]
    Source(StoreError),
    /// It is of a version that is not known.
    #[error(
        "this is no database of the existing gateway, or of a version before 1.9: it has no {}. Bring the existing gateway up \
         to date first; starting version 1.9.3 once is enough",
        .0.join(", ")
    )]
    OtherVersion(Vec<String>),
    /// This gateway's own database does not take it.
    #[error("cannot write: {}", .0.message)]
    Target(#[from] Problem),
}

impl From<StoreError> for ImportError {
    fn from(error: StoreError) -> Self {
        Self::Target(error.into())
    }
}

/// Brings everything in, or only says what it would. `say` is told how far it has come.
///
/// # Errors
/// [`ImportError`]. What was brought in before stays; another import goes on from there.
pub async fn run(
    app: &App,
    options: &Options,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Report, ImportError> {
    let from = Ccag::open(&options.from).await.map_err(ImportError::Source)?;
    let missing = from.missing().await.map_err(ImportError::Source)?;
    if !missing.is_empty() {
        return Err(ImportError::OtherVersion(missing));
    }
    let mut world = World::new(app, app.store.find_present().await?, options.dry_run);
    let settings = from.settings().await.map_err(ImportError::Source)?;
    let people = people::plan(&mut world, &from)
        .await
        .map_err(ImportError::Source)?;
    let routes = routes::plan(&mut world, &from)
        .await
        .map_err(ImportError::Source)?;
    let own = settings::plan(&mut world, &from, &settings)
        .await
        .map_err(ImportError::Source)?;
    let budgets = money::plan(&mut world, &people.their_teams, &people.their_users, &settings);
    let mut keys = keys::plan(&mut world, &from, &settings)
        .await
        .map_err(ImportError::Source)?;
    if options.history {
        keys.extend(signed_in(&world));
    }
    let geographies = routes.geographies.clone();
    if !options.dry_run {
        make_people(app, people).await?;
        make_routes(app, routes).await?;
        make_settings(app, own).await?;
    }
    // Before budgets are there, so that they count it, and before keys are, so that nobody spends meanwhile.
    if options.history {
        Box::pin(history::carry(&mut world, &from, &geographies, say)).await?;
    }
    if !options.dry_run {
        make_budgets(app, budgets).await?;
        make_keys(app, keys, &world.report).await?;
    }
    from.close().await.map_err(ImportError::Source)?;
    Ok(world.report)
}

/// The key that stands for requests without one. Nobody has its secret.
fn signed_in(world: &World<'_>) -> Option<virtual_key::Model> {
    const NAME: &str = "Signed in to the former gateway";
    if world.present.keys.iter().any(|(id, _)| id == history::SIGNED_IN) {
        return None;
    }
    Some(virtual_key::Model {
        id: history::SIGNED_IN.to_owned(),
        digest: KeyDigest::of(&random_token(&*world.app.rng)).to_hex(),
        prefix: String::new(),
        name: NAME.to_owned(),
        name_key: NAME.to_lowercase(),
        user_id: None,
        team_id: None,
        state: "revoked".to_owned(),
        rate_limit_rpm: None,
        expires_at_ms: None,
        created_at_ms: world.now,
        created_by: None,
        revoked_at_ms: Some(world.now),
        revoked_by: None,
        kind: "key".to_owned(),
    })
}

/// So many ids are named in an entry of the audit log.
const NAMED: usize = 1_000;

/// The ids of rows, or of many how many and which first.
fn ids<'r, T: 'r>(rows: impl IntoIterator<Item = &'r T>, id: impl Fn(&T) -> &String) -> serde_json::Value {
    let mut all: Vec<String> = rows.into_iter().map(|row| id(row).clone()).collect();
    if all.len() <= NAMED {
        return json!(all);
    }
    let count = all.len();
    all.truncate(NAMED);
    json!({ "count": count, "first": all })
}

async fn make_people(app: &App, people: People) -> Result<(), Problem> {
    let made = json!({
        "identity_providers": ids(&people.providers, |row| &row.id),
        "teams": ids(&people.teams, |row| &row.id),
        "users": ids(&people.users, |row| &row.id),
        "scim_tokens": ids(&people.scim_tokens, |row| &row.id),
        "scim_groups": ids(people.scim_groups.iter().map(|(row, _)| row), |row| &row.id),
    });
    let nothing = people.providers.len() + people.teams.len() + people.users.len() == 0
        && people.scim_tokens.len() + people.scim_groups.len() == 0;
    if nothing {
        return Ok(());
    }
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    for row in people.providers {
        tx.insert_provider(row).await?;
    }
    for row in people.teams {
        tx.insert_team(row).await?;
    }
    for row in people.users {
        tx.insert_user(row).await?;
    }
    for row in people.scim_users {
        tx.insert_scim_user(row).await?;
    }
    for row in people.scim_tokens {
        tx.insert_scim_token(row).await?;
    }
    for (row, members) in people.scim_groups {
        let id = row.id.clone();
        tx.insert_scim_group(row).await?;
        tx.insert_scim_members(&id, &members).await?;
    }
    commit(app, tx, "import.people", json!({ "made": made })).await
}

async fn make_routes(app: &App, routes: Routes) -> Result<(), Problem> {
    if routes.endpoints.is_empty() && routes.assigned.is_empty() && routes.profiles.is_empty() {
        return Ok(());
    }
    let details = json!({
        "made": ids(&routes.endpoints, |row| &row.id),
        "no_default": routes.replaced.as_ref().map(|row| &row.id),
        "teams": routes.assigned.keys().collect::<Vec<_>>(),
        "profiles": routes.profiles.iter().map(|row| (&row.endpoint_id, &row.model)).collect::<Vec<_>>(),
    });
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    for row in routes.endpoints {
        tx.insert_endpoint(row).await?;
    }
    // After the new default one: at no revision is there none.
    if let Some(row) = routes.replaced {
        tx.update_endpoint(row).await?;
    }
    for (team, places) in routes.assigned {
        tx.set_team_endpoints(&team, &places).await?;
    }
    for row in routes.profiles {
        tx.insert_pinned(row).await?;
    }
    commit(app, tx, "import.endpoints", details).await
}

async fn make_settings(app: &App, settings: Settings) -> Result<(), Problem> {
    if !settings.services.is_empty() {
        let made: Vec<_> = settings
            .services
            .iter()
            .map(|row| (&row.owner, &row.kind))
            .collect();
        let details = json!({ "made": made });
        let mut tx = app.store.change().await?;
        for row in settings.services {
            tx.put_search_provider(row).await?;
        }
        commit(app, tx, "import.search_services", details).await?;
    }
    if let Some(wanted) = settings.web_search {
        search::set_rules(app, &Actor::System, wanted).await?;
    }
    if let Some(wanted) = settings.destination {
        notifications::create(app, &Actor::System, wanted).await?;
    }
    Ok(())
}

async fn make_budgets(app: &App, budgets: Vec<budget::Model>) -> Result<(), Problem> {
    if budgets.is_empty() {
        return Ok(());
    }
    let details = json!({ "made": ids(&budgets, |row| &row.scope_key) });
    let mut tx = app.store.change().await?;
    for row in budgets {
        tx.insert_budget(row).await?;
    }
    commit(app, tx, "import.budgets", details).await
}

/// The last step, whose entry in the audit log says what it all came to.
async fn make_keys(app: &App, keys: Vec<virtual_key::Model>, report: &Report) -> Result<(), Problem> {
    if report.parts.iter().all(|part| part.made == 0) && keys.is_empty() {
        return Ok(());
    }
    let parts = report.parts.iter().map(|part| {
        let counts = json!({"found": part.found, "made": part.made, "there": part.there});
        (part.what.to_owned(), counts)
    });
    let details = json!({
        "made": ids(&keys, |row| &row.id),
        "all": parts.collect::<serde_json::Map<_, _>>(),
    });
    let mut tx = app.store.change().await?;
    for row in keys {
        tx.insert_key(row).await?;
    }
    commit(app, tx, "import.keys", details).await
}

async fn commit(
    app: &App,
    tx: crate::store::Tx,
    action: &'static str,
    details: serde_json::Value,
) -> Result<(), Problem> {
    let entry = app.audit(&Actor::System, action, ObjectKind::Settings, "import", details);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}
