//! Users and keys, made as an administrator's script would make them.

use crate::admin::{Admin, unused};
use anyhow::{Context, Result};
use futures_util::{StreamExt, TryStreamExt, stream};
use reqwest::Method;
use serde_json::{Value, json};

/// How many calls are under way at a time.
const AT_A_TIME: usize = 8;

/// Who there is.
#[derive(Debug)]
pub(crate) struct Population {
    pub(crate) team: String,
    /// An endpoint, there from the first start on.
    pub(crate) endpoint: String,
    /// A key's id and its user's.
    pub(crate) keys: Vec<(String, String)>,
}

impl Population {
    /// Makes users of one team, and keys, the users' in turn.
    pub(crate) async fn make(admin: &Admin, users: usize, keys: usize) -> Result<Self> {
        let team = id(&admin
            .send(Method::POST, "/admin/teams", &json!({"name": unused("team", 0)}))
            .await?)?;
        let of_team = &team;
        let users: Vec<String> = stream::iter(0..users.max(1))
            .map(|n| async move {
                let user = json!({"username": unused("user", n), "team_id": of_team});
                id(&admin.send(Method::POST, "/admin/users", &user).await?)
            })
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        let owners = &users;
        let keys = stream::iter(0..keys.max(1))
            .map(|n| async move {
                let user = &owners[n % owners.len()];
                let key = json!({"name": unused("key", n), "user_id": user});
                let key = admin.send(Method::POST, "/admin/keys", &key).await?;
                anyhow::Ok((id(&key)?, user.clone()))
            })
            .buffered(AT_A_TIME)
            .try_collect()
            .await?;
        let endpoints = admin.get("/admin/endpoints").await?;
        let endpoint = endpoints["endpoints"].as_array().and_then(|all| all.first());
        Ok(Self {
            team,
            endpoint: id(endpoint.context("no endpoint")?)?,
            keys,
        })
    }
}

fn id(of: &Value) -> Result<String> {
    Ok(of["id"].as_str().context("no id")?.to_owned())
}
