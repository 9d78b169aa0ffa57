//! From what people call things to their ids, and back.

use crate::client::Client;
use crate::error::CliError;
use crate::human::NONE;
use crate::output::Output;
use ccag_admin_api::{
    BudgetList, BudgetView, DestinationList, EndpointList, KeyList, KeyView, LimitList, LimitView,
    ListBudgets, ListKeys, ListLimits, ListTeams, ListUsers, MAX_PAGE, PolicyList, ProviderList, TeamList,
    TeamView, UserList, UserView, paths,
};
use ccag_domain::key::KEY_PREFIX;
use ccag_domain::{DestinationId, EndpointId, KeyId, PolicyId, ProviderId, TeamId, UserId};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::HashMap;

/// All keys that the query selects, whatever the number of pages.
pub(crate) async fn all_keys(client: &Client, query: ListKeys) -> Result<Vec<KeyView>, CliError> {
    pages(client, paths::KEYS, query, |page: KeyList| {
        (page.keys, page.next_cursor)
    })
    .await
}

/// All teams that the query selects, whatever the number of pages.
pub(crate) async fn all_teams(client: &Client, query: ListTeams) -> Result<Vec<TeamView>, CliError> {
    pages(client, paths::TEAMS, query, |page: TeamList| {
        (page.teams, page.next_cursor)
    })
    .await
}

/// All users that the query selects, whatever the number of pages.
pub(crate) async fn all_users(client: &Client, query: ListUsers) -> Result<Vec<UserView>, CliError> {
    pages(client, paths::USERS, query, |page: UserList| {
        (page.users, page.next_cursor)
    })
    .await
}

/// All budgets that the query selects, whatever the number of pages.
pub(crate) async fn all_budgets(client: &Client, query: ListBudgets) -> Result<Vec<BudgetView>, CliError> {
    pages(client, paths::BUDGETS, query, |page: BudgetList| {
        (page.budgets, page.next_cursor)
    })
    .await
}

/// All limits that the query selects, whatever the number of pages.
pub(crate) async fn all_limits(client: &Client, query: ListLimits) -> Result<Vec<LimitView>, CliError> {
    pages(client, paths::LIMITS, query, |page: LimitList| {
        (page.limits, page.next_cursor)
    })
    .await
}

/// The query of a list that comes in pages.
trait Paged: Serialize {
    fn page(&mut self, limit: u32, cursor: Option<String>);
}

macro_rules! paged {
    ($($query:ty),*) => {$(
        impl Paged for $query {
            fn page(&mut self, limit: u32, cursor: Option<String>) {
                self.limit = Some(limit);
                self.cursor = cursor;
            }
        }
    )*};
}

paged!(ListBudgets, ListKeys, ListLimits, ListTeams, ListUsers);

async fn pages<P: DeserializeOwned, T>(
    client: &Client,
    path: &str,
    mut query: impl Paged,
    split: impl Fn(P) -> (Vec<T>, Option<String>),
) -> Result<Vec<T>, CliError> {
    let mut all = Vec::new();
    let mut cursor = None;
    loop {
        query.page(MAX_PAGE, cursor.clone());
        let (items, next) = split(client.get_with(path, &query).await?);
        all.extend(items);
        match next {
            None => return Ok(all),
            Some(next) if cursor.as_ref() == Some(&next) => {
                return Err(CliError::Server {
                    url: client.url(),
                    reason: format!("the server's pages of {path} do not end"),
                });
            }
            next => cursor = next,
        }
    }
}

/// The key with this id, name, prefix or secret. A secret is compared here and not sent.
pub(crate) async fn key(client: &Client, text: &str) -> Result<KeyId, CliError> {
    if let Ok(id) = KeyId::parse(text) {
        return Ok(id);
    }
    let found = if text.starts_with(KEY_PREFIX) {
        let shown: String = text.chars().take(KEY_PREFIX.len() + 6).collect();
        let mut keys = all_keys(client, ListKeys::default()).await?;
        keys.retain(|key| key.prefix == text || text.starts_with(&key.prefix));
        return one(
            "key",
            &shown,
            keys.into_iter().map(|key| (key.id, key.state.as_str())).collect(),
        );
    } else {
        let query = ListKeys {
            name: Some(text.to_owned()),
            ..ListKeys::default()
        };
        all_keys(client, query).await?
    };
    one(
        "key",
        text,
        found
            .into_iter()
            .map(|key| (key.id, key.state.as_str()))
            .collect(),
    )
}

/// The team with this id or name.
pub(crate) async fn team(client: &Client, text: &str) -> Result<TeamId, CliError> {
    if let Ok(id) = TeamId::parse(text) {
        return Ok(id);
    }
    let query = ListTeams {
        name: Some(text.to_owned()),
        ..ListTeams::default()
    };
    let found = all_teams(client, query).await?;
    one(
        "team",
        text,
        found
            .into_iter()
            .map(|team| (team.id, team.state.as_str()))
            .collect(),
    )
}

/// The user with this id or user name.
pub(crate) async fn user(client: &Client, text: &str) -> Result<UserId, CliError> {
    if let Ok(id) = UserId::parse(text) {
        return Ok(id);
    }
    let query = ListUsers {
        username: Some(text.to_owned()),
        ..ListUsers::default()
    };
    let found = all_users(client, query).await?;
    one(
        "user",
        text,
        found
            .into_iter()
            .map(|user| (user.id, user.state.as_str()))
            .collect(),
    )
}

/// The endpoint with this id or name, whatever the case.
pub(crate) async fn endpoint(client: &Client, text: &str) -> Result<EndpointId, CliError> {
    if let Ok(id) = EndpointId::parse(text) {
        return Ok(id);
    }
    let list: EndpointList = client.get(paths::ENDPOINTS).await?;
    let found = list
        .endpoints
        .into_iter()
        .filter(|endpoint| endpoint.name.to_lowercase() == text.to_lowercase())
        .map(|endpoint| (endpoint.id, if endpoint.enabled { "enabled" } else { "disabled" }))
        .collect();
    one("endpoint", text, found)
}

/// The identity provider with this id or name, whatever the case.
pub(crate) async fn provider(client: &Client, text: &str) -> Result<ProviderId, CliError> {
    if let Ok(id) = ProviderId::parse(text) {
        return Ok(id);
    }
    let list: ProviderList = client.get(paths::PROVIDERS).await?;
    let found = list
        .idps
        .into_iter()
        .filter(|idp| idp.name.to_lowercase() == text.to_lowercase())
        .map(|idp| (idp.id, if idp.enabled { "enabled" } else { "disabled" }))
        .collect();
    one("idp", text, found)
}

/// The policy with this id or name, whatever the case.
pub(crate) async fn policy(client: &Client, text: &str) -> Result<PolicyId, CliError> {
    if let Ok(id) = PolicyId::parse(text) {
        return Ok(id);
    }
    let list: PolicyList = client.get(paths::POLICIES).await?;
    let found = list
        .policies
        .into_iter()
        .filter(|policy| policy.name.to_lowercase() == text.to_lowercase())
        .map(|policy| (policy.id, "in force"))
        .collect();
    one("policy", text, found)
}

/// The destination of notifications with this id or name.
pub(crate) async fn destination(client: &Client, text: &str) -> Result<DestinationId, CliError> {
    if let Ok(id) = DestinationId::parse(text) {
        return Ok(id);
    }
    let list: DestinationList = client.get(paths::DESTINATIONS).await?;
    let found = list
        .destinations
        .into_iter()
        .filter(|destination| destination.name.to_lowercase() == text.to_lowercase())
        .map(|destination| (destination.id, "known"))
        .collect();
    one("destination", text, found)
}

/// The teams with these ids or names.
pub(crate) async fn teams(client: &Client, texts: &[String]) -> Result<Vec<TeamId>, CliError> {
    let mut ids = Vec::new();
    for text in texts {
        ids.push(team(client, text).await?);
    }
    Ok(ids)
}

/// The same for something that may be left out.
pub(crate) async fn maybe_team(client: &Client, text: Option<&str>) -> Result<Option<TeamId>, CliError> {
    match text {
        Some(text) => team(client, text).await.map(Some),
        None => Ok(None),
    }
}

/// The same for something that may be left out.
pub(crate) async fn maybe_user(client: &Client, text: Option<&str>) -> Result<Option<UserId>, CliError> {
    match text {
        Some(text) => user(client, text).await.map(Some),
        None => Ok(None),
    }
}

/// The same for something that may be left out.
pub(crate) async fn maybe_key(client: &Client, text: Option<&str>) -> Result<Option<KeyId>, CliError> {
    match text {
        Some(text) => key(client, text).await.map(Some),
        None => Ok(None),
    }
}

fn one<I: std::fmt::Display>(what: &str, text: &str, mut found: Vec<(I, &str)>) -> Result<I, CliError> {
    let all = match what {
        "policy" => "policies".to_owned(),
        "destination" => "notifications".to_owned(),
        what => format!("{what}s"),
    };
    match (found.pop(), found.is_empty()) {
        (Some((id, _)), true) => Ok(id),
        (None, _) => Err(CliError::NotFound(format!(
            "no {what} is called `{text}`; `ccag {all} list` shows those there are"
        ))),
        (Some(last), false) => {
            found.push(last);
            let ids: Vec<String> = found
                .iter()
                .map(|(id, state)| format!("{id} ({state})"))
                .collect();
            Err(CliError::Usage(format!(
                "several {all} are called `{text}`; give the id of one: {}",
                ids.join(", ")
            )))
        }
    }
}

/// Names for the ids in a list. Members may not see all of them; what has no name here is shown by its id.
#[derive(Debug, Default)]
pub(crate) struct Names {
    teams: HashMap<TeamId, String>,
    users: HashMap<UserId, String>,
}

impl Names {
    /// Asks for all names that the caller may see.
    pub(crate) async fn load(client: &Client) -> Result<Self, CliError> {
        let teams = allowed(all_teams(client, ListTeams::default()).await)?;
        let users = allowed(all_users(client, ListUsers::default()).await)?;
        Ok(Self {
            teams: teams.into_iter().map(|team| (team.id, team.name)).collect(),
            users: users.into_iter().map(|user| (user.id, user.username)).collect(),
        })
    }

    /// The same where people read them; JSON has ids, and needs none.
    pub(crate) async fn for_people(client: &Client, out: Output) -> Result<Self, CliError> {
        if out.is_json() {
            Ok(Self::default())
        } else {
            Self::load(client).await
        }
    }

    pub(crate) fn team(&self, id: Option<&TeamId>) -> String {
        id.map_or_else(
            || NONE.to_owned(),
            |id| self.teams.get(id).cloned().unwrap_or_else(|| id.to_string()),
        )
    }

    pub(crate) fn user(&self, id: Option<&UserId>) -> String {
        id.map_or_else(
            || NONE.to_owned(),
            |id| self.users.get(id).cloned().unwrap_or_else(|| id.to_string()),
        )
    }
}

fn allowed<T>(list: Result<Vec<T>, CliError>) -> Result<Vec<T>, CliError> {
    match list {
        Err(CliError::Refused(problem)) if problem.status == 403 => Ok(Vec::new()),
        list => list,
    }
}
