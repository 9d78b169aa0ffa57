//! What the gateway has now, and what things are called there.

use super::super::at;
use super::document::{Document, Item};
use crate::client::Client;
use crate::error::CliError;
use crate::names;
use ccag_admin_api::{
    EndpointList, EndpointView, KeyView, ListBudgets, ListKeys, ListLimits, ListTeams, ListUsers, PolicyList,
    ProviderList, TeamView, UserView, paths,
};
use serde_json::{Value, json};
use std::collections::{BTreeMap, HashMap};

/// The id that stands for something that the same file makes, until it is made.
const COMING: &str = "to-be-made-";

/// What there is.
#[derive(Debug, Default)]
pub(super) struct World {
    pub(super) teams: Vec<TeamView>,
    pub(super) users: Vec<UserView>,
    pub(super) endpoints: Vec<EndpointView>,
    keys: Vec<KeyView>,
    /// The views of the sections that are managed, as they came.
    pub(super) views: HashMap<&'static str, Vec<Value>>,
    /// What the file makes: `team`, `user` and `endpoint`, and the names.
    coming: BTreeMap<&'static str, Vec<String>>,
}

impl World {
    /// Asks for what the document is about; for everything if there is none.
    pub(super) async fn load(client: &Client, document: Option<&Document>) -> Result<Self, CliError> {
        let wants = |section: &str| document.is_none_or(|file| file.section(section).is_some());
        let speaks_of = |field: &str| document.is_none_or(|file| mentions(file, field));
        let mut world = Self {
            teams: names::all_teams(client, ListTeams::default()).await?,
            ..Self::default()
        };
        if wants("users") || speaks_of("user") {
            world.users = names::all_users(client, ListUsers::default()).await?;
        }
        if speaks_of("key") {
            world.keys = names::all_keys(client, ListKeys::default()).await?;
        }
        if wants("endpoints") || wants("teams") {
            let list: EndpointList = client.get(paths::ENDPOINTS).await?;
            world.endpoints = list.endpoints;
        }
        if wants("teams") {
            let views = values(&world.teams)?;
            world
                .views
                .insert("teams", whole_teams(client, views, document).await?);
        }
        world.views.insert("users", values(&world.users)?);
        world.views.insert("endpoints", values(&world.endpoints)?);
        if wants("budgets") {
            let all = names::all_budgets(client, ListBudgets::default()).await?;
            world.views.insert("budgets", values(&all)?);
        }
        if wants("limits") {
            let all = names::all_limits(client, ListLimits::default()).await?;
            world.views.insert("limits", values(&all)?);
        }
        if wants("policies") {
            let list: PolicyList = client.get(paths::POLICIES).await?;
            world.views.insert("policies", values(&list.policies)?);
        }
        if wants("identity_providers") {
            let list: ProviderList = client.get(paths::PROVIDERS).await?;
            world.views.insert("identity_providers", values(&list.idps)?);
        }
        if let Some(file) = document {
            for (kind, section, field) in [
                ("team", "teams", "name"),
                ("user", "users", "username"),
                ("endpoint", "endpoints", "name"),
            ] {
                let items = file.section(section).unwrap_or_default();
                let names = items.iter().filter_map(|item| item.get(field)?.as_str());
                world.coming.insert(kind, names.map(str::to_owned).collect());
            }
        }
        Ok(world)
    }

    /// Asks again for what has names, after something was made.
    pub(super) async fn refresh(&mut self, client: &Client, section: &str) -> Result<(), CliError> {
        match section {
            "teams" => self.teams = names::all_teams(client, ListTeams::default()).await?,
            "users" => self.users = names::all_users(client, ListUsers::default()).await?,
            "endpoints" => {
                let list: EndpointList = client.get(paths::ENDPOINTS).await?;
                self.endpoints = list.endpoints;
            }
            _ => {}
        }
        Ok(())
    }

    /// The id of the team of that name.
    pub(super) fn team(&self, text: &str) -> Result<String, String> {
        let found = self
            .teams
            .iter()
            .filter(|team| team.name == text || team.id.as_str() == text);
        self.one("team", text, found.map(|team| team.id.to_string()).collect())
    }

    /// The id of the user of that name or e-mail address.
    pub(super) fn user(&self, text: &str) -> Result<String, String> {
        let is_meant = |user: &&UserView| {
            user.username == text || user.id.as_str() == text || user.email.as_deref() == Some(text)
        };
        let found = self.users.iter().filter(is_meant);
        self.one("user", text, found.map(|user| user.id.to_string()).collect())
    }

    /// The id of the endpoint of that name.
    pub(super) fn endpoint(&self, text: &str) -> Result<String, String> {
        let is_meant = |one: &&EndpointView| one.name == text || one.id.as_str() == text;
        let found = self.endpoints.iter().filter(is_meant);
        self.one("endpoint", text, found.map(|one| one.id.to_string()).collect())
    }

    /// The id of the key of that name.
    pub(super) fn key(&self, text: &str) -> Result<String, String> {
        let is_meant = |key: &&KeyView| key.name == text || key.id.as_str() == text;
        let found = self.keys.iter().filter(is_meant);
        self.one("key", text, found.map(|key| key.id.to_string()).collect())
    }

    fn one(&self, kind: &'static str, text: &str, found: Vec<String>) -> Result<String, String> {
        let coming = self.coming.get(kind).map(Vec::as_slice).unwrap_or_default();
        let coming = coming.iter().position(|name| name == text);
        match (found.as_slice(), coming) {
            ([id], _) => Ok(id.clone()),
            ([], Some(place)) => Ok(format!("{}{COMING}{place}", prefix(kind))),
            ([], None) => Err(format!(
                "there is no {kind} `{text}`, neither at the gateway nor in the file"
            )),
            (several, _) => Err(format!(
                "{} {kind}s are called `{text}`: name one by its id",
                several.len()
            )),
        }
    }

    /// The name of what the same file makes.
    fn coming(&self, kind: &str, id: &str) -> Option<String> {
        let place = id.strip_prefix(prefix(kind))?.strip_prefix(COMING)?;
        self.coming.get(kind)?.get(place.parse::<usize>().ok()?).cloned()
    }

    /// What a team is called in the file.
    pub(super) fn team_name(&self, id: &str) -> String {
        let same = |name: &str| self.teams.iter().filter(|team| team.name == name).count() == 1;
        let found = self.teams.iter().find(|team| team.id.as_str() == id);
        found
            .map(|team| team.name.clone())
            .filter(|name| same(name))
            .or_else(|| self.coming("team", id))
            .unwrap_or_else(|| id.to_owned())
    }

    /// What a user is called in the file.
    pub(super) fn user_name(&self, id: &str) -> String {
        let found = self.users.iter().find(|user| user.id.as_str() == id);
        found
            .map(|user| user.username.clone())
            .or_else(|| self.coming("user", id))
            .unwrap_or_else(|| id.to_owned())
    }

    /// What an endpoint is called in the file.
    pub(super) fn endpoint_name(&self, id: &str) -> String {
        let found = self.endpoints.iter().find(|one| one.id.as_str() == id);
        found
            .map(|one| one.name.clone())
            .or_else(|| self.coming("endpoint", id))
            .unwrap_or_else(|| id.to_owned())
    }

    /// What a key is called in the file.
    pub(super) fn key_name(&self, id: &str) -> String {
        let same = |name: &str| self.keys.iter().filter(|key| key.name == name).count() == 1;
        let found = self.keys.iter().find(|key| key.id.as_str() == id);
        found
            .map(|key| key.name.clone())
            .filter(|name| !name.is_empty() && same(name))
            .unwrap_or_else(|| id.to_owned())
    }
}

fn prefix(kind: &str) -> &'static str {
    match kind {
        "team" => "team_",
        "user" => "user_",
        _ => "end_",
    }
}

/// Teams with what has an address of its own, as far as the file speaks of it.
async fn whole_teams(
    client: &Client,
    views: Vec<Value>,
    document: Option<&Document>,
) -> Result<Vec<Value>, CliError> {
    let mut whole = Vec::with_capacity(views.len());
    for mut view in views {
        let items = document.map(|file| file.section("teams").unwrap_or_default());
        let wants = |field: &str| {
            items.is_none_or(|items| {
                items
                    .iter()
                    .any(|item| item.get("name") == view.get("name") && item.contains_key(field))
            })
        };
        let (endpoints, breaker) = (wants("endpoints"), wants("session_breaker"));
        let id = view["id"].as_str().unwrap_or_default().to_owned();
        if endpoints {
            let found: Value = client.get(&at(paths::TEAM_ENDPOINTS, &id)).await?;
            let list = found["endpoints"].as_array().cloned().unwrap_or_default();
            let list = list
                .iter()
                .map(|one| json!({"endpoint_id": one["endpoint_id"], "priority": one["priority"]}));
            view["endpoints"] = list.collect();
        }
        if breaker {
            let found: Value = client.get(&at(paths::TEAM_SESSION_BREAKER, &id)).await?;
            if found["source"] == "team" {
                view["session_breaker"] = json!({
                    "usd_per_minute": found["usd_per_minute"], "agents_per_minute": found["agents_per_minute"],
                });
            }
        }
        whole.push(view);
    }
    Ok(whole)
}

fn values<T: serde::Serialize>(list: &[T]) -> Result<Vec<Value>, CliError> {
    let value = |one| {
        serde_json::to_value(one).map_err(|error| CliError::Local {
            what: "cannot hold what the gateway answered".to_owned(),
            error: error.into(),
        })
    };
    list.iter().map(value).collect()
}

/// Whether a budget or limit of the file is about somebody by that field.
fn mentions(file: &Document, field: &str) -> bool {
    let items = ["budgets", "limits"]
        .iter()
        .filter_map(|section| file.section(section))
        .flatten();
    let mut subjects = items.filter_map(|item: &Item| item.get(field));
    subjects.any(|value| !value.is_null())
}
