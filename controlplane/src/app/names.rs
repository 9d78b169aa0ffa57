//! Names of things by their ids, for lists.

use super::App;
use ccag_domain::{Problem, TeamId, UserId};
use std::collections::HashMap;

/// The names of these users, for people. Those that are gone are left out.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub async fn users(app: &App, ids: &[UserId]) -> Result<HashMap<String, String>, Problem> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    Ok(app.store.list_user_names(&ids).await?.into_iter().collect())
}

/// The names of these teams. Those that are gone are left out.
///
/// # Errors
/// [`ccag_domain::Code::Unavailable`] without a database.
pub async fn teams(app: &App, ids: &[TeamId]) -> Result<HashMap<String, String>, Problem> {
    let ids: Vec<_> = ids.iter().map(ToString::to_string).collect();
    Ok(app.store.list_team_names(&ids).await?.into_iter().collect())
}
