//! The models that the gateway serves: for everybody to see, for admins to change without a release.

use super::{App, Changed, catalogue, duplicate, not_found, validate};
use crate::store::entity::model;
use crate::store::routing::REMOVED;
use crate::store::rows;
use ccag_admin_api::{ModelList, ModelSpec, ModelView, Timestamp};
use ccag_domain::model::OUTPUT_BURNDOWN;
use ccag_domain::{
    Actor, Area, Code, Model, ModelName, ObjectKind, Permission, Problem, catalogue as built_in,
};

/// The most aliases that a model can have.
const MAX_ALIASES: usize = 50;

/// The largest context window that is believed.
const MAX_TOKENS: u32 = 100_000_000;

/// The `source` of what an admin has made or changed.
const ADMIN: &str = "admin";

/// The models that the gateway serves, by name.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn list(app: &App, _actor: &Actor) -> Result<ModelList, Problem> {
    let priced = priced(app).await?;
    let rows = app.store.list_models().await?;
    let models = rows
        .iter()
        .map(|row| view(row, &priced))
        .collect::<Result<_, _>>()?;
    Ok(ModelList { models })
}

/// A model, however it is named.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn find(app: &App, _actor: &Actor, said: &str) -> Result<ModelView, Problem> {
    let rows = app.store.list_models().await?;
    let models = catalogue::models(&rows)?;
    let found = catalogue::find(&models, said).ok_or_else(|| not_found("model", said))?;
    let row = rows.iter().find(|row| row.name == found.name.as_str());
    view(row.ok_or_else(|| not_found("model", said))?, &priced(app).await?)
}

/// Adds a model. One that was taken out of the catalogue may be added again.
///
/// # Errors
/// [`Code::InvalidRequest`] names the field that is wrong; [`Code::Conflict`] if a name means another model.
pub async fn create(app: &App, actor: &Actor, spec: ModelSpec) -> Result<ModelView, Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let now = app.now_ms();
    let said = spec.name.clone().unwrap_or_default();
    let model = checked(catalogue::name("name", &said)?, spec, now)?;
    let row = rows::model_row(&model, ADMIN, now);
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let others = catalogue::models(&tx.list_models().await?)?;
    if others.iter().any(|o| o.name == model.name) {
        return Err(taken(&model.name));
    }
    catalogue::refuse_collisions(&model, &others)?;
    match tx.find_model(&row.name).await? {
        Some(_) => tx.update_model(row.clone()).await?,
        None => tx
            .insert_model(row.clone())
            .await
            .map_err(|e| duplicate(e, || taken(&model.name).message, "name"))?,
    }
    commit(app, actor, tx, "model.create", &row, Changed::created(&row)).await?;
    view(&row, &priced(app).await?)
}

/// Replaces a model: what the request does not name falls back to what a new one has.
///
/// # Errors
/// As [`create`], and [`Code::NotFound`].
pub async fn replace(app: &App, actor: &Actor, said: &str, spec: ModelSpec) -> Result<ModelView, Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let rows = tx.list_models().await?;
    let others = catalogue::models(&rows)?;
    let name = catalogue::find(&others, said).map(|m| m.name.clone());
    let name = name.ok_or_else(|| not_found("model", said))?;
    if spec
        .name
        .as_ref()
        .is_some_and(|n| ModelName::canonical(n) != name)
    {
        return Err(Problem::new(
            Code::InvalidRequest,
            "A model keeps its name: costs and records hang on it. Add another model, or an alias.",
        )
        .field("name"));
    }
    let before = rows.iter().find(|row| row.name == name.as_str());
    let before = before.ok_or_else(|| not_found("model", said))?;
    let model = checked(name, spec, before.released_at_s.saturating_mul(1_000))?;
    catalogue::refuse_collisions(&model, &others)?;
    let row = rows::model_row(&model, ADMIN, before.created_at_ms);
    tx.update_model(row.clone()).await?;
    commit(
        app,
        actor,
        tx,
        "model.update",
        &row,
        Changed::updated(before, &row),
    )
    .await?;
    view(&row, &priced(app).await?)
}

/// Takes a model out of the catalogue: requests for it are refused. What it cost stays on record, and so does its price.
///
/// # Errors
/// [`Code::NotFound`].
pub async fn delete(app: &App, actor: &Actor, said: &str) -> Result<(), Problem> {
    actor.require_all(Permission::Change(Area::Models))?;
    let mut tx = app.store.change().await?;
    tx.serialize().await?;
    let rows = tx.list_models().await?;
    let models = catalogue::models(&rows)?;
    let name = catalogue::find(&models, said).map(|m| m.name.to_string());
    let row = rows.into_iter().find(|row| Some(&row.name) == name.as_ref());
    let row = row.ok_or_else(|| not_found("model", said))?;
    let is_built_in = built_in::models().iter().any(|m| m.name.as_str() == row.name);
    if is_built_in {
        let removed = model::Model {
            source: REMOVED.to_owned(),
            ..row.clone()
        };
        tx.update_model(removed).await?;
    } else {
        tx.delete_model(&row.name).await?;
    }
    commit(app, actor, tx, "model.delete", &row, Changed::deleted(&row)).await
}

fn taken(name: &ModelName) -> Problem {
    Problem::new(Code::Conflict, format!("There is a model `{name}` already.")).field("name")
}

async fn commit(
    app: &App,
    actor: &Actor,
    tx: crate::store::Tx,
    action: &'static str,
    row: &model::Model,
    changed: Changed,
) -> Result<(), Problem> {
    let entry = app.audit(actor, action, ObjectKind::Model, &row.name, changed);
    tx.commit(app.now_ms(), entry).await?;
    Ok(())
}

/// The names of the models that have a price.
async fn priced(app: &App) -> Result<Vec<String>, Problem> {
    let rows = app.store.held_prices().await?;
    Ok(rows.iter().map(|row| row.model.clone()).collect())
}

fn view(row: &model::Model, priced: &[String]) -> Result<ModelView, Problem> {
    let model = rows::model(row)?;
    Ok(ModelView::new(&model, &row.source, priced.contains(&row.name)))
}

/// How fast output uses up a quota: from once to a hundred times.
fn burndown(asked: Option<u32>) -> Result<u32, Problem> {
    match asked.unwrap_or(OUTPUT_BURNDOWN) {
        factor @ 1..=100 => Ok(factor),
        _ => Err(Problem::new(
            Code::InvalidRequest,
            "`output_burndown` says how many tokens of a quota one output token uses up: a whole number from 1 to 100.",
        )
        .field("output_burndown")),
    }
}

/// The model that a description describes, or what is wrong with it.
fn checked(name: ModelName, spec: ModelSpec, released_at_ms: i64) -> Result<Model, Problem> {
    let invalid = |field: &str, message: &str| Problem::new(Code::InvalidRequest, message).field(field);
    let bedrock_id = catalogue::bedrock_id(&spec.bedrock_id)?;
    if spec.aliases.len() > MAX_ALIASES {
        return Err(invalid("aliases", "A model has at most 50 aliases."));
    }
    let mut aliases = Vec::new();
    for alias in &spec.aliases {
        let alias = catalogue::name("aliases", alias)?;
        if alias != name && !aliases.contains(&alias) {
            aliases.push(alias);
        }
    }
    let mut geographies = spec.geographies;
    geographies.sort_unstable();
    geographies.dedup();
    let on_demand = spec.on_demand.unwrap_or(false);
    if geographies.contains(&ccag_domain::Geography::InRegion) {
        return Err(invalid(
            "geographies",
            "`in-region` is no profile; set `on_demand` if the foundation model can be invoked without one.",
        ));
    }
    if geographies.is_empty() && !on_demand {
        return Err(invalid(
            "geographies",
            "Name at least one geography that has an inference profile, or set `on_demand`.",
        ));
    }
    let tokens = |field: &str, asked: Option<u32>, otherwise: u32| match asked.unwrap_or(otherwise) {
        0 => Err(invalid(field, "This must be at least 1.")),
        n if n > MAX_TOKENS => Err(invalid(field, "This is more than 100,000,000 tokens.")),
        n => Ok(n),
    };
    let display_name = spec.display_name.unwrap_or_else(|| name.to_string());
    Ok(Model {
        display_name: validate::name("display_name", &display_name)?,
        family: name.family().unwrap_or("other").to_owned(),
        aliases,
        bedrock_id,
        geographies,
        on_demand,
        context_tokens: tokens("context_tokens", spec.context_tokens, 200_000)?,
        max_output_tokens: tokens("max_output_tokens", spec.max_output_tokens, 64_000)?,
        counts_tokens: spec.counts_tokens.unwrap_or(false),
        output_burndown: burndown(spec.output_burndown)?,
        released_at_s: spec
            .released_at
            .map_or(released_at_ms, Timestamp::ms)
            .div_euclid(1_000),
        name,
    })
}
