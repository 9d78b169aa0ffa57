//! Names for ids, looked up once for a whole page.

use crate::app::App;
use ccag_console::page::Named;
use ccag_domain::Problem;
use std::collections::{BTreeSet, HashMap};
use std::fmt::Display;

/// Names by id.
#[derive(Debug, Default)]
pub(super) struct Names(HashMap<String, String>);

impl Names {
    /// The names of users.
    pub(super) async fn of_users<'a, I: Display + 'a>(
        app: &App,
        ids: impl Iterator<Item = Option<&'a I>>,
    ) -> Result<Self, Problem> {
        let ids = distinct(ids);
        if ids.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self(app.store.list_user_names(&ids).await?.into_iter().collect()))
    }

    /// The names of teams.
    pub(super) async fn of_teams<'a, I: Display + 'a>(
        app: &App,
        ids: impl Iterator<Item = Option<&'a I>>,
    ) -> Result<Self, Problem> {
        let ids = distinct(ids);
        if ids.is_empty() {
            return Ok(Self::default());
        }
        Ok(Self(app.store.list_team_names(&ids).await?.into_iter().collect()))
    }

    /// An id with its name, or with itself where the name is gone.
    pub(super) fn named(&self, id: Option<&impl Display>) -> Option<Named> {
        let id = id?.to_string();
        let name = self.0.get(&id).cloned().unwrap_or_else(|| id.clone());
        Some(Named { id, name })
    }
}

fn distinct<'a, I: Display + 'a>(ids: impl Iterator<Item = Option<&'a I>>) -> Vec<String> {
    let ids: BTreeSet<_> = ids.flatten().map(ToString::to_string).collect();
    ids.into_iter().collect()
}
