//! Teams and their members.

use super::Context;
use super::budgets::{self, Mode, Notify, Period};
use super::guardrail::{GuardrailArgs, guardrail_text};
use super::routing::{self, RoutingArgs};
use super::users::table as user_table;
use crate::error::CliError;
use crate::human::{count, moment, or_none};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    AddMember, AssignedEndpoint, BudgetRuleSpec, CreateTeam, ListMembers, ListTeams, MAX_PAGE, SetTeamBudget,
    SetTeamEndpoints, TeamBudgetView, TeamEndpoints, TeamList, TeamView, UpdateTeam, Usd, UserList, paths,
};
use ccag_domain::AccountState;
use clap::{Args, Subcommand};
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
    /// List teams
    List {
        /// Only teams with this in their name
        #[arg(long, value_name = "TEXT")]
        search: Option<String>,
    },
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
    /// Show a team's budget and that of each of its members
    Budget {
        /// The team's id or name
        team: String,
    },
    /// Say how much a team may spend together, and how much each of its members
    ///
    /// Both begin anew together and follow the same policy. What is not given is taken away: the command says all of it.
    /// Budgets of other kinds are made with `ccag budgets create`.
    ///
    /// For example: ccag teams set-budget platform --amount 800 --user-budget 100 --policy soft --time-zone Europe/Berlin
    SetBudget(Box<SetBudget>),
    /// List the endpoints that a team may use
    Endpoints {
        /// The team's id or name
        team: String,
    },
    /// Show where the requests of a team may go, and in which order endpoints are tried
    Routing {
        /// The team's id or name
        team: String,
    },
    /// Say where the requests of a team may go, and in which order endpoints are tried; what is not given stays as it is
    ///
    /// For example: ccag teams set-routing platform --strategy primary_fallback --geography eu --region eu-
    SetRouting {
        /// The team's id or name
        team: String,
        #[command(flatten)]
        rules: Box<RoutingArgs>,
    },
    /// Show where a request of a team for a model would go now, and why not elsewhere
    PreviewRoute {
        /// The team's id or name
        team: String,
        /// The model, however it is named
        model: String,
    },
    /// Say which endpoints a team may use, in which order, and that it may use no others
    ///
    /// For example: ccag teams set-endpoints platform --endpoint europe:1 --endpoint fallback:2
    SetEndpoints {
        /// The team's id or name
        team: String,
        /// An endpoint's id or name; may be given several times, in the team's order. A number after a colon says the place
        /// instead
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

#[derive(Debug, Args)]
pub(crate) struct SetBudget {
    /// The team's id or name
    team: String,
    /// How much the team may spend together, in dollars
    #[arg(long, value_name = "USD", required_unless_present_any = ["user_budget", "none"])]
    amount: Option<Usd>,
    /// How much each member may spend for whom nothing else is set, in dollars
    #[arg(long, value_name = "USD")]
    user_budget: Option<Usd>,
    /// When both begin anew
    #[arg(long, value_enum, default_value = "monthly")]
    period: Period,
    /// In whose midnight that is, such as Europe/Berlin [default: UTC]
    #[arg(long, value_name = "ZONE")]
    time_zone: Option<String>,
    /// What happens on the way: standard, soft or shaped [default: standard]
    #[arg(long, value_name = "PRESET", conflicts_with = "rules")]
    policy: Option<String>,
    /// A step on the way, from low to high: 80:notify, 100:throttle=5 (requests a minute), 120:restrict=MODEL,MODEL or
    /// 150:block; may be given several times
    #[arg(long = "rule", value_name = "PERCENT:ACTION", value_parser = budgets::rule)]
    rules: Vec<BudgetRuleSpec>,
    /// How closely both hold
    #[arg(long, value_enum, default_value = "balanced")]
    mode: Mode,
    /// Who is told when a step is reached
    #[arg(long, value_enum, default_value = "both")]
    notify: Notify,
    /// Take both away
    #[arg(long, conflicts_with_all = ["amount", "user_budget"])]
    none: bool,
}

impl SetBudget {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let id = names::team(&context.client, &self.team).await?;
        let request = SetTeamBudget {
            budget_amount_usd: self.amount,
            budget_period: Some(self.period.into()),
            budget_policy: budgets::policy(self.policy, self.rules),
            default_user_budget_usd: self.user_budget,
            notify_recipients: Some(self.notify.into()),
            mode: Some(self.mode.into()),
            time_zone: self.time_zone,
        };
        let path = paths::team_budget(&id);
        let view: TeamBudgetView = context.client.send(Method::PUT, &path, &request).await?;
        context.out.show(&view, budget_text)
    }
}

fn budget_text(view: &TeamBudgetView) -> String {
    let budgets: Vec<String> = [&view.budget, &view.member_budget]
        .into_iter()
        .flatten()
        .map(budgets::card_of)
        .collect();
    if budgets.is_empty() {
        return "This team has no budget, and neither has each of its members.".to_owned();
    }
    budgets.join("\n\n")
}

impl Teams {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Create { name } => {
                let request = CreateTeam { name };
                let team: TeamView = context.client.send(Method::POST, paths::TEAMS, &request).await?;
                show(context, &team)
            }
            Self::List { search } => list(context, search).await,
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
            Self::Budget { team } => {
                let id = names::team(&context.client, &team).await?;
                let view: TeamBudgetView = context.client.get(&paths::team_budget(&id)).await?;
                context.out.show(&view, budget_text)
            }
            Self::SetBudget(set) => set.run(context).await,
            Self::Endpoints { team } => {
                let id = names::team(&context.client, &team).await?;
                let found: TeamEndpoints = context.client.get(&paths::team_endpoints(&id)).await?;
                show_endpoints(context, &found)
            }
            Self::Routing { team } => routing::show(context, Some(&team)).await,
            Self::SetRouting { team, rules } => routing::set(context, Some(&team), *rules).await,
            Self::PreviewRoute { team, model } => routing::preview(context, Some(&team), model).await,
            Self::SetEndpoints { team, endpoints, .. } => set_endpoints(context, &team, &endpoints).await,
        }
    }
}

async fn list(context: &Context, search: Option<String>) -> Result<(), CliError> {
    let query = ListTeams {
        search,
        ..ListTeams::default()
    };
    let list = TeamList {
        teams: names::all_teams(&context.client, query).await?,
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
    let mut list = UserList {
        users: Vec::new(),
        next_cursor: None,
    };
    loop {
        let query = ListMembers {
            limit: Some(MAX_PAGE),
            cursor: list.next_cursor.take(),
        };
        let page: UserList = context.client.get_with(&paths::team_members(&id), &query).await?;
        list.users.extend(page.users);
        list.next_cursor = page.next_cursor;
        if list.next_cursor.is_none() {
            break;
        }
    }
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
    let request = SetTeamEndpoints {
        endpoints: assigned,
        routing_strategy: None,
    };
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
