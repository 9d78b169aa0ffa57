//! Does what a plan says.

use super::document::Item;
use super::kinds::{Kind, Setting};
use super::plan::{Action, Change, Of, Plan, Step};
use super::show;
use super::words::api_field;
use super::world::World;
use crate::client::Client;
use crate::commands::{Context, at};
use crate::error::CliError;
use reqwest::Method;
use serde_json::Value;

/// Takes all steps, one after the other; returns how many. The first that fails ends it, and what was done is said.
pub(super) async fn all(context: &Context, plan: &Plan, mut world: World) -> Result<usize, CliError> {
    let client = &context.client;
    for (done, step) in plan.steps.iter().enumerate() {
        let taken = match step.of {
            Of::Setting(setting) => set(client, setting, &step.item).await,
            Of::Object(kind) => take(client, kind, step, &mut world).await,
        };
        if let Err(error) = taken {
            context.out.tell(&format!(
                "Stopped at `{}`: {done} of {} were done. Mend it and apply again: what is done is not done twice.",
                show::line(step),
                show::things(plan.steps.len()),
            ));
            return Err(error);
        }
        context.out.note(&show::line(step));
    }
    Ok(plan.steps.len())
}

async fn set(client: &Client, setting: &Setting, item: &Item) -> Result<(), CliError> {
    let _: Value = client.send(Method::PUT, setting.path, item).await?;
    Ok(())
}

async fn take(client: &Client, kind: &'static Kind, step: &Step, world: &mut World) -> Result<(), CliError> {
    match &step.action {
        Action::Delete { id } => client.order(Method::DELETE, &at(kind.at, id)).await,
        Action::Create => create(client, kind, &step.item, world).await,
        Action::Update { id, anew: true, .. } => {
            let mut whole = step.current.clone();
            whole.extend(step.item.clone());
            // What could not be made again is not taken away.
            meant(kind, &whole, world)?;
            client.order(Method::DELETE, &at(kind.at, id)).await?;
            create(client, kind, &whole, world).await
        }
        Action::Update { id, changes, .. } => update(client, kind, step, id, changes, world).await,
    }
}

fn meant(kind: &Kind, item: &Item, world: &World) -> Result<Item, CliError> {
    kind.to_api(item, world)
        .map_err(|error| CliError::Usage(format!("{}: {error}", kind.section)))
}

async fn create(client: &Client, kind: &Kind, item: &Item, world: &mut World) -> Result<(), CliError> {
    let mut api = meant(kind, item, world)?;
    let mut extras = Item::new();
    for extra in kind.extras {
        if let Some(value) = api.remove(extra.field) {
            extras.insert(extra.field.to_owned(), value);
        }
    }
    let mut later = Item::new();
    if !kind.made_with.is_empty() {
        for (field, value) in std::mem::take(&mut api) {
            let map = if kind.made_with.contains(&field.as_str()) {
                &mut api
            } else {
                &mut later
            };
            map.insert(field, value);
        }
    }
    let made: Value = client.send(Method::POST, kind.all, &api).await?;
    let id = made["id"].as_str().ok_or_else(|| CliError::Server {
        url: client.url(),
        reason: format!("the answer to a new {} names no id", kind.one),
    })?;
    if !later.is_empty() {
        let _: Value = client
            .send(kind.method.clone(), &at(kind.at, &id), &later)
            .await?;
    }
    for (field, value) in &extras {
        // Whoever is made is active.
        if field != "state" || value == "suspended" {
            set_extra(client, kind, id, field, value).await?;
        }
    }
    world.refresh(client, kind.section).await
}

async fn update(
    client: &Client,
    kind: &Kind,
    step: &Step,
    id: &str,
    changes: &[Change],
    world: &World,
) -> Result<(), CliError> {
    let mut whole = step.current.clone();
    whole.extend(step.item.clone());
    let mut api = meant(kind, if kind.in_parts { &step.item } else { &whole }, world)?;
    let mut body = Item::new();
    let mut extras = Vec::new();
    for change in changes {
        let value = api.remove(api_field(&change.field)).unwrap_or(Value::Null);
        match kind.extra(&change.field) {
            Some(_) => extras.push((change.field.as_str(), value)),
            None => {
                body.insert(api_field(&change.field).to_owned(), value);
            }
        }
    }
    if !kind.in_parts {
        body.append(&mut api);
        body.retain(|_, value| !value.is_null());
    }
    if !body.is_empty() {
        let _: Value = client.send(kind.method.clone(), &at(kind.at, &id), &body).await?;
    }
    for (field, value) in extras {
        set_extra(client, kind, id, field, &value).await?;
    }
    Ok(())
}

async fn set_extra(
    client: &Client,
    kind: &Kind,
    id: &str,
    field: &str,
    value: &Value,
) -> Result<(), CliError> {
    let Some(extra) = kind.extra(field) else {
        return Ok(());
    };
    let path = at((extra.path)(value), &id);
    match (&extra.cleared_by, (extra.body)(value)) {
        (Some(method), _) if value.is_null() => client.order(method.clone(), &path).await,
        // Nothing of its own.
        (None, Some(Value::Null)) => {
            client
                .tell(extra.method.clone(), &path, &serde_json::json!({}))
                .await
        }
        (_, Some(body)) => client.tell(extra.method.clone(), &path, &body).await,
        (_, None) => client.order(extra.method.clone(), &path).await,
    }
}
