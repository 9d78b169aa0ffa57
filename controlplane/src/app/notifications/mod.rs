//! Notifications: what happened goes to whoever wants to know.
//!
//! An event is written into the outbox in the transaction that makes it so ([`events`]); a worker in every control plane sends what is
//! due ([`worker`]). What nobody does, such as that time passes, is looked for now and then ([`mod@watch`]). A destination is changed by way of a draft, which is tested before it is in force.

pub(in crate::app) mod events;
mod history;
mod reach;
mod send;
mod settings;
mod watch;
pub(crate) mod worker;

pub use history::forget_old;
pub(crate) use history::{count, list as deliveries, resend};
pub(crate) use send::Clients;
pub(crate) use settings::of_environment;
pub use watch::look;
pub(in crate::app) use watch::{listed_differently, misfit};

use self::settings::{Way, complete, invalid, make_signing_secret};
use super::{App, Changed, duplicate, not_found, validate};
use crate::store::entity::notification_destination as row;
use crate::store::rows::read;
use crate::store::{AuditEntry, StoreError, Tx};
use ccag_admin_api::{
    CreateDestination, CreatedDestination, DestinationList, DestinationSpec, DestinationTest,
    DestinationView, Secret, Timestamp, UpdateDestination,
};
use ccag_domain::{Actor, Category, Code, DestinationId, DestinationKind, ObjectKind, Problem, TeamId};
use serde_json::Value;

const T: &str = "notification_destinations";

/// What is kept of the last test.
#[derive(serde::Serialize, serde::Deserialize)]
struct Tested {
    success: bool,
    message: String,
    at_ms: i64,
    of_draft: bool,
}

fn view(row: &row::Model) -> Result<DestinationView, StoreError> {
    let team = row.team_id.as_deref().map(TeamId::parse).transpose();
    let tested: Option<Tested> = row
        .test
        .as_deref()
        .and_then(|text| serde_json::from_str(text).ok());
    Ok(DestinationView {
        id: read(T, "id", DestinationId::parse(&row.id).ok())?,
        name: row.name.clone(),
        team_id: read(T, "team_id", team.ok())?,
        categories: categories(row),
        enabled: row.enabled,
        active: settings::settings(row.active.as_deref())?,
        draft: settings::settings(row.draft.as_deref())?,
        test: tested.map(|test| DestinationTest {
            success: test.success,
            message: test.message,
            at: Timestamp::from_ms(test.at_ms),
            of_draft: test.of_draft,
        }),
        created_at: Timestamp::from_ms(row.created_at_ms),
        updated_at: Timestamp::from_ms(row.updated_at_ms),
    })
}

/// What a destination wants to be told of. Those that only a later version knows are left out.
fn categories(row: &row::Model) -> Vec<Category> {
    let names: Vec<String> = serde_json::from_str(&row.categories).unwrap_or_default();
    names.iter().filter_map(|name| Category::parse(name)).collect()
}

/// All destinations that the actor may see, by name: a manager's are those of their team.
///
/// # Errors
/// [`Code::Forbidden`] for members.
pub async fn list(app: &App, actor: &Actor) -> Result<DestinationList, Problem> {
    actor.require_some(reach::SEE)?;
    let rows = app.store.list_destinations().await?;
    let environment = app.terms.notification_url.is_some()
        && actor.may_all(reach::SEE)
        && rows.iter().all(|row| row.team_id.is_some());
    let seen = rows.iter().filter(|row| reach::may(actor, reach::SEE, row));
    Ok(DestinationList {
        environment,
        destinations: seen.map(view).collect::<Result<_, _>>()?,
    })
}

/// Finds a destination.
///
/// # Errors
/// [`Code::NotFound`], [`Code::Forbidden`] for members.
pub async fn find(app: &App, actor: &Actor, id: &DestinationId) -> Result<DestinationView, Problem> {
    let row = app.store.find_destination(id.as_str()).await?;
    Ok(view(&reach::reached(actor, reach::SEE, id, row)?)?)
}

/// Adds a destination, as a draft. One that a manager makes is their team's.
///
/// # Errors
/// [`Code::InvalidRequest`] if a field is no good, [`Code::Conflict`] if the name is taken, [`Code::Forbidden`] where only
/// admins may.
pub async fn create(
    app: &App,
    actor: &Actor,
    request: CreateDestination,
) -> Result<CreatedDestination, Problem> {
    let team = reach::team(actor, request.team_id)?;
    let now = app.now_ms();
    let wanted = request.categories.unwrap_or_else(|| Category::ALL.to_vec());
    let way = complete(request.settings, None)?;
    reach::require_way(actor, &way)?;
    let (way, made) = signed(app, way);
    let tx = app.store.change().await?;
    let mut row = row::Model {
        id: DestinationId::generate(&*app.clock, &*app.rng).to_string(),
        name: String::new(),
        name_key: String::new(),
        team_id: None,
        categories: String::new(),
        enabled: true,
        active: None,
        active_secrets: None,
        draft: None,
        draft_secrets: None,
        draft_version: 1,
        test: None,
        created_at_ms: now,
        updated_at_ms: now,
    };
    describe(&tx, &mut row, &request.name, team.as_ref(), &wanted).await?;
    settings::put_draft(app.store.secrets(), &mut row, &way);
    tx.insert_destination(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    let entry = entry(app, actor, "destination.create", &row.id, Changed::created(&row));
    tx.commit(now, entry).await?;
    Ok(CreatedDestination {
        destination: view(&row)?,
        signing_secret: made,
    })
}

/// Changes what a destination is called and told of, at once.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`].
pub async fn update(
    app: &App,
    actor: &Actor,
    id: &DestinationId,
    request: UpdateDestination,
) -> Result<DestinationView, Problem> {
    let now = app.now_ms();
    let team = reach::team(actor, request.team_id)?;
    let (tx, before) = begin(app, actor, id).await?;
    let mut row = before.clone();
    describe(&tx, &mut row, &request.name, team.as_ref(), &request.categories).await?;
    row.enabled = request.enabled;
    row.updated_at_ms = now;
    tx.update_destination(row.clone())
        .await
        .map_err(|error| taken(error, &row.name))?;
    if before.enabled && !row.enabled {
        let why = "The destination was switched off before it could be told.";
        tx.give_up_deliveries(&row.id, why, now).await?;
    } else if before.team_id != row.team_id {
        // What it was to be told is about others than those whom it is for now.
        let why = "The destination was given to others before it could be told.";
        tx.give_up_deliveries(&row.id, why, now).await?;
    }
    let changed = Changed::updated(&before, &row);
    tx.commit(now, entry(app, actor, "destination.update", &row.id, changed))
        .await?;
    Ok(view(&row)?)
}

/// Says how a destination is to be reached. What is in force stays so until this is tested and activated.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`].
pub async fn put_draft(
    app: &App,
    actor: &Actor,
    id: &DestinationId,
    spec: DestinationSpec,
) -> Result<CreatedDestination, Problem> {
    let (tx, before) = begin(app, actor, id).await?;
    let secrets = app.store.secrets();
    let stored = match settings::draft(secrets, &before) {
        Ok(Some(draft)) => Some(draft),
        // What cannot be opened any more is entered anew.
        Ok(None) | Err(_) => settings::active(secrets, &before).unwrap_or_default(),
    };
    // A secret that was entered for what only admins set up is not taken along by others.
    let stored = stored.filter(|stored| reach::require_way(actor, stored).is_ok());
    let way = complete(spec, stored)?;
    reach::require_way(actor, &way)?;
    let (way, made) = signed(app, way);
    let mut row = before.clone();
    settings::put_draft(secrets, &mut row, &way);
    let row = redrafted(app, &tx, row).await?;
    let changed = Changed::updated(&before, &row).with("new_signing_secret", &made.is_some());
    tx.commit(
        app.now_ms(),
        entry(app, actor, "destination.draft", &row.id, changed),
    )
    .await?;
    Ok(CreatedDestination {
        destination: view(&row)?,
        signing_secret: made,
    })
}

/// Forgets a draft.
///
/// # Errors
/// [`Code::NotFound`] if there is none; [`Code::Conflict`] if nothing else is in force.
pub async fn discard_draft(app: &App, actor: &Actor, id: &DestinationId) -> Result<DestinationView, Problem> {
    let (tx, before) = begin(app, actor, id).await?;
    if before.draft.is_none() {
        return Err(Problem::new(Code::NotFound, "There is no draft."));
    }
    if before.active.is_none() {
        return Err(Problem::new(
            Code::Conflict,
            "The draft is all there is of this destination: delete the destination instead.",
        ));
    }
    let mut row = before.clone();
    (row.draft, row.draft_secrets) = (None, None);
    let row = redrafted(app, &tx, row).await?;
    let changed = Changed::updated(&before, &row);
    tx.commit(
        app.now_ms(),
        entry(app, actor, "destination.discard_draft", &row.id, changed),
    )
    .await?;
    Ok(view(&row)?)
}

/// Sends a destination something, by its draft, or as it is reached now where there is none. That it fails is no error but the answer.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] if the draft was changed meanwhile.
pub async fn test(app: &App, actor: &Actor, id: &DestinationId) -> Result<DestinationTest, Problem> {
    let row = app.store.find_destination(id.as_str()).await?;
    let row = reach::reached(actor, reach::CHANGE, id, row)?;
    let secrets = app.store.secrets();
    let (way, of_draft) = match settings::draft(secrets, &row)? {
        Some(draft) => (Some(draft), true),
        None => (settings::active(secrets, &row)?, false),
    };
    let way = way.ok_or_else(|| missing(id))?;
    let event = events::test(app, &row.name);
    let text = serde_json::to_string(&event).unwrap_or_default();
    let (success, message) = match send::send(app, &way, &event, &text).await {
        Ok(message) => (true, message),
        Err(refused) => (false, refused.message),
    };
    let tested = Tested {
        success,
        message,
        at_ms: app.now_ms(),
        of_draft,
    };
    let tx = app.store.change().await?;
    let noted = serde_json::to_string(&tested).unwrap_or_default();
    if !tx.note_test(&row.id, row.draft_version, noted).await? {
        return Err(Problem::new(
            Code::Conflict,
            "The draft was changed while it was tested. Test it again.",
        ));
    }
    let details = Changed::default().with("test", &tested);
    tx.commit(
        tested.at_ms,
        entry(app, actor, "destination.test", &row.id, details),
    )
    .await?;
    Ok(DestinationTest {
        success: tested.success,
        message: tested.message,
        at: Timestamp::from_ms(tested.at_ms),
        of_draft,
    })
}

/// Puts a draft into force that has passed a test.
///
/// # Errors
/// [`Code::NotFound`]; [`Code::Conflict`] if there is no draft, or it has passed none.
pub async fn activate(app: &App, actor: &Actor, id: &DestinationId) -> Result<DestinationView, Problem> {
    let (tx, before) = begin(app, actor, id).await?;
    let secrets = app.store.secrets();
    let draft = settings::draft(secrets, &before)?
        .ok_or_else(|| Problem::new(Code::Conflict, "There is no draft that could be put into force."))?;
    let passed = view(&before)?
        .test
        .is_some_and(|test| test.success && test.of_draft);
    if !passed {
        return Err(Problem::new(
            Code::Conflict,
            "This draft has not passed a test since it was last changed. Test it first.",
        ));
    }
    let mut row = before.clone();
    settings::put_active(secrets, &mut row, &draft);
    row.updated_at_ms = app.now_ms();
    tx.update_destination(row.clone()).await?;
    let changed = Changed::updated(&before, &row);
    tx.commit(
        app.now_ms(),
        entry(app, actor, "destination.activate", &row.id, changed),
    )
    .await?;
    Ok(view(&row)?)
}

/// Deletes a destination, with what became of telling it.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, id: &DestinationId) -> Result<(), Problem> {
    let (tx, row) = begin(app, actor, id).await?;
    tx.delete_destination(&row.id).await?;
    let entry = entry(app, actor, "destination.delete", &row.id, Changed::deleted(&row));
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

async fn begin(app: &App, actor: &Actor, id: &DestinationId) -> Result<(Tx, row::Model), Problem> {
    actor.require_some(reach::CHANGE)?;
    let tx = app.store.change().await?;
    let row = tx.find_destination(id.as_str()).await?;
    let row = reach::reached(actor, reach::CHANGE, id, row)?;
    Ok((tx, row))
}

/// Writes a row with another draft, of which there is no test.
async fn redrafted(app: &App, tx: &Tx, mut row: row::Model) -> Result<row::Model, Problem> {
    row.draft_version += 1;
    row.test = None;
    row.updated_at_ms = app.now_ms();
    tx.update_destination(row.clone()).await?;
    Ok(row)
}

/// Gives a webhook that has no secret a new one.
fn signed(app: &App, mut way: Way) -> (Way, Option<Secret>) {
    if way.settings.kind != DestinationKind::Webhook || way.hidden.signing_secret.is_some() {
        return (way, None);
    }
    let made = make_signing_secret(&*app.rng);
    way.hidden.signing_secret = Some(made.clone());
    (way, Some(made))
}

/// Writes name, team and categories into a row.
async fn describe(
    tx: &Tx,
    row: &mut row::Model,
    name: &str,
    team: Option<&TeamId>,
    wanted: &[Category],
) -> Result<(), Problem> {
    row.name = validate::name("name", name)?;
    row.name_key = row.name.to_lowercase();
    if let Some(team) = team
        && tx.find_team(team.as_str()).await?.is_none()
    {
        return Err(invalid("team_id", format!("There is no team `{team}`.")));
    }
    row.team_id = team.map(ToString::to_string);
    let names: Vec<&str> = Category::ALL
        .iter()
        .filter(|category| wanted.contains(category))
        .map(|category| category.as_str())
        .collect();
    if names.is_empty() {
        return Err(invalid(
            "categories",
            "Choose at least one category, or disable the destination.",
        ));
    }
    row.categories = Value::from(names).to_string();
    Ok(())
}

fn entry(app: &App, actor: &Actor, action: &'static str, id: &str, details: impl Into<Value>) -> AuditEntry {
    AuditEntry {
        kind: "notification",
        ..app.audit(actor, action, ObjectKind::Settings, id, details)
    }
}

fn missing(id: &DestinationId) -> Problem {
    not_found("destination", id.as_str())
}

fn taken(error: StoreError, name: &str) -> Problem {
    duplicate(
        error,
        || format!("There is a destination `{name}` already. Choose another name."),
        "name",
    )
}
