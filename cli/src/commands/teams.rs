//! Teams and their members.

use super::Context;
use super::guardrail::{GuardrailArgs, guardrail_text};
use super::users::table as user_table;
use crate::error::CliError;
use crate::human::{count, moment, or_none};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    AddMember, AssignedEndpoint, CreateTeam, ListTeams, SetTeamEndpoints, TeamEndpoints, TeamList, TeamView,
    UpdateTeam, UserList, paths,
};
use ccag_domain::AccountState;
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Teams and their members.
#[derive(Debug, Subcommand)]
pub(crate) enum Teams {
    /// Make a team
    Create {
        /// Its name; no other team may have it
        name: String,
    },
    /// List all teams
    List,
    /// Show one team
    Show {
        /// The team's id or name
        team: String,
    },
    /// Give a team another name
    Rename {
        /// The team's id or name
        team: String,
        /// The new name
        name: String,
    },
    /// Refuse all keys of a team until it is activated again
    Suspend {
        /// The team's id or name
        team: String,
    },
    /// Let the keys of a suspended team work again
    Activate {
        /// The team's id or name
        team: String,
    },
    /// Delete a team that has no members and no keys
    Delete {
        /// The team's id or name
        team: String,
    },
    /// List a team's members
    Members {
        /// The team's id or name
        team: String,
    },
    /// Put users into a team, out of the one they were in
    AddMember {
        /// The team's id or name
        team: String,
        /// The users' ids or names
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
    /// Take users out of a team
    RemoveMember {
        /// The team's id or name
        team: String,
        /// The users' ids or names
        #[arg(required = true, value_name = "USER")]
        users: Vec<String>,
    },
    /// Give a team a guardrail, which wins over those of its endpoints, or take it away
    SetGuardrail {
        /// The team's id or name
        team: String,
        #[command(flatten)]
        guardrail: GuardrailArgs,
        /// No guardrail of its own
        #[arg(long, conflicts_with = "guardrail", required_unless_present = "guardrail")]
        none: bool,
    },
    /// List the endpoints that a team may use
    Endpoints {
        /// The team's id or name
        team: String,
    },
    /// Say which endpoints a team may use, and that it may use no others
    ///
    /// For example: ccag teams set-endpoints platform --endpoint europe:1 --endpoint fallback:2
    SetEndpoints {
        /// The team's id or name
        team: String,
        /// An endpoint's id or name, and where it stands in lists after a colon; may be given several times
        #[arg(
            long = "endpoint",
            value_name = "ENDPOINT[:N]",
            required_unless_present = "default"
        )]
        endpoints: Vec<String>,
        /// Take all of them away: the team uses the default endpoints
        #[arg(long, conflicts_with = "endpoints")]
        default: bool,
    },
}

impl Teams {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Create { name } => {
                let request = CreateTeam { name };
                let team: TeamView = context.client.send(Method::POST, paths::TEAMS, &request).await?;
                show(context, &team)
            }
            Self::List => list(context).await,
            Self::Show { team } => {
                let id = names::team(&context.client, &team).await?;
                let team: TeamView = context.client.get(&paths::team(&id)).await?;
                show(context, &team)
            }
            Self::Rename { team, name } => {
                let update = UpdateTeam {
                    name: Some(name),
                    ..UpdateTeam::default()
                };
                change(context, &team, &update).await
            }
            Self::Suspend { team } => set_state(context, &team, AccountState::Suspended).await,
            Self::Activate { team } => set_state(context, &team, AccountState::Active).await,
            Self::Delete { team } => {
                let id = names::team(&context.client, &team).await?;
                context.client.order(Method::DELETE, &paths::team(&id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
            Self::Members { team } => members(context, &team).await,
            Self::AddMember { team, users } => add(context, &team, &users).await,
            Self::RemoveMember { team, users } => remove(context, &team, &users).await,
            Self::SetGuardrail { team, guardrail, .. } => {
                let update = UpdateTeam {
                    guardrail: guardrail.read()?.into(),
                    ..UpdateTeam::default()
                };
                change(context, &team, &update).await
            }
            Self::Endpoints { team } => {
                let id = names::team(&context.client, &team).await?;
                let found: TeamEndpoints = context.client.get(&paths::team_endpoints(&id)).await?;
                show_endpoints(context, &found)
            }
            Self::SetEndpoints { team, endpoints, .. } => set_endpoints(context, &team, &endpoints).await,
        }
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list = TeamList {
        teams: names::all_teams(&context.client, ListTeams::default()).await?,
        next_cursor: None,
    };
    context.out.show(&list, |list| {
        let mut table = Table::new(&["ID", "NAME", "STATE", ">MEMBERS", "CREATED"]);
        for team in &list.teams {
            table.row([
                team.id.to_string(),
                team.name.clone(),
                team.state.as_str().to_owned(),
                count(team.member_count),
                moment(Some(team.created_at)),
            ]);
        }
        table.render("No teams. Make one with `ccag teams create NAME`.")
    })
}

async fn set_state(context: &Context, team: &str, state: AccountState) -> Result<(), CliError> {
    let update = UpdateTeam {
        state: Some(state),
        ..UpdateTeam::default()
    };
    change(context, team, &update).await
}

async fn change(context: &Context, team: &str, update: &UpdateTeam) -> Result<(), CliError> {
    let id = names::team(&context.client, team).await?;
    let team: TeamView = context
        .client
        .send(Method::PATCH, &paths::team(&id), update)
        .await?;
    show(context, &team)
}

fn show(context: &Context, team: &TeamView) -> Result<(), CliError> {
    context.out.show(team, |team| {
        card(&[
            ("Id", team.id.to_string()),
            ("Name", team.name.clone()),
            ("State", team.state.as_str().to_owned()),
            ("Members", count(team.member_count)),
            (
                "Guardrail",
                or_none(team.guardrail.as_ref().map(guardrail_text).as_ref()),
            ),
            ("Created", moment(Some(team.created_at))),
        ])
    })
}

async fn members(context: &Context, team: &str) -> Result<(), CliError> {
    let id = names::team(&context.client, team).await?;
    let list: UserList = context.client.get(&paths::team_members(&id)).await?;
    context.out.show(&list, |list| {
        user_table(&list.users, &names::Names::default(), "This team has no members.")
    })
}

async fn add(context: &Context, team: &str, users: &[String]) -> Result<(), CliError> {
    let client = &context.client;
    let id = names::team(client, team).await?;
    let mut added = Vec::new();
    for user in users {
        added.push(names::user(client, user).await?);
    }
    for user_id in &added {
        let body = AddMember {
            user_id: user_id.clone(),
        };
        client
            .tell(Method::POST, &paths::team_members(&id), &body)
            .await?;
    }
    context.out.show(&json!({ "team_id": id, "added": added }), |_| {
        let lines: Vec<String> = added
            .iter()
            .map(|user| format!("Put {user} into {id}."))
            .collect();
        lines.join("\n")
    })
}

async fn remove(context: &Context, team: &str, users: &[String]) -> Result<(), CliError> {
    let client = &context.client;
    let id = names::team(client, team).await?;
    let mut removed = Vec::new();
    for user in users {
        removed.push(names::user(client, user).await?);
    }
    for user in &removed {
        client
            .order(Method::DELETE, &paths::team_member(&id, user))
            .await?;
    }
    context
        .out
        .show(&json!({ "team_id": id, "removed": removed }), |_| {
            let lines: Vec<String> = removed
                .iter()
                .map(|user| format!("Took {user} out of {id}."))
                .collect();
            lines.join("\n")
        })
}

async fn set_endpoints(context: &Context, team: &str, endpoints: &[String]) -> Result<(), CliError> {
    let client = &context.client;
    let id = names::team(client, team).await?;
    let mut assigned = Vec::with_capacity(endpoints.len());
    for text in endpoints {
        // A name may hold a colon; what follows the last one is a place only if it is a number.
        let (name, priority) = match text.rsplit_once(':') {
            Some((name, place)) if place.parse::<u32>().is_ok() => (name, place.parse().ok()),
            _ => (text.as_str(), None),
        };
        assigned.push(AssignedEndpoint {
            endpoint_id: names::endpoint(client, name).await?,
            priority,
        });
    }
    let request = SetTeamEndpoints { endpoints: assigned };
    let found: TeamEndpoints = client
        .send(Method::PUT, &paths::team_endpoints(&id), &request)
        .await?;
    show_endpoints(context, &found)
}

fn show_endpoints(context: &Context, found: &TeamEndpoints) -> Result<(), CliError> {
    context.out.show(found, |found| {
        let mut table = Table::new(&["ID", "NAME", ">PLACE", "STATE"]);
        for endpoint in &found.endpoints {
            table.row([
                endpoint.endpoint_id.to_string(),
                endpoint.name.clone(),
                endpoint.priority.to_string(),
                if endpoint.enabled { "enabled" } else { "disabled" }.to_owned(),
            ]);
        }
        table.render("No endpoints of its own: the team uses the default ones.")
    })
}
