//! Users.

use super::Context;
use super::budgets::{Mode, Period};
use crate::error::CliError;
use crate::human::{moment, or_none};
use crate::names::{self, Names};
use crate::secrets;
use crate::table::{Table, card};
use ccag_admin_api::{
    CreateUser, ListUsers, Patch, PolicySpec, SetSpendLimit, SetTeam, SpendLimitView, UpdateUser, Usd,
    UserList, UserView, paths,
};
use ccag_domain::{Role as ApiRole, UserKind};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

/// Users: who may sign in, and whose keys work.
#[derive(Debug, Subcommand)]
pub(crate) enum Users {
    /// Add a user
    Create(Create),
    /// List users
    List(List),
    /// Show one user
    Show {
        /// The user's id or name
        user: String,
    },
    /// Give a user another role
    SetRole {
        /// The user's id or name
        user: String,
        /// What they may do
        #[arg(value_enum)]
        role: Role,
    },
    /// Put a user into a team, or into none
    SetTeam {
        /// The user's id or name
        user: String,
        /// The team's id or name
        #[arg(required_unless_present = "none")]
        team: Option<String>,
        /// No team
        #[arg(long, conflicts_with = "team")]
        none: bool,
    },
    /// Say how much a user may spend, whichever team pays
    ///
    /// What is not named stays as it was; at first the limit is monthly, in UTC, balanced, and follows the policy `standard`.
    ///
    /// For example: ccag users set-spend-limit ada@example.com 150
    SetSpendLimit {
        /// The user's id or name
        user: String,
        /// How much, in dollars; 0 means that nothing may be spent
        #[arg(value_name = "USD", required_unless_present = "none")]
        limit: Option<Usd>,
        /// When it begins anew
        #[arg(long, value_enum)]
        period: Option<Period>,
        /// What happens on the way: standard, soft or shaped
        #[arg(long, value_name = "PRESET")]
        policy: Option<String>,
        /// How closely it holds
        #[arg(long, value_enum)]
        mode: Option<Mode>,
        /// No limit of their own
        #[arg(long, conflicts_with = "limit")]
        none: bool,
    },
    /// Tokens with which a service account uses the admin API
    #[command(subcommand)]
    Tokens(super::tokens::Tokens),
    /// Set a user's password; their sessions end
    SetPassword {
        /// The user's id or name
        user: String,
        /// Read the password from the first line of standard input instead of asking for it
        #[arg(long)]
        password_stdin: bool,
    },
    /// Refuse a user and all their keys everywhere within a second, until they are activated again
    Suspend {
        /// The user's id or name
        user: String,
    },
    /// Let a suspended user and their keys in again
    Activate {
        /// The user's id or name
        user: String,
    },
    /// Sign a user out everywhere: of the console, of `ccag` and of Claude Code
    ///
    /// Their keys still work, and they can sign in again; `ccag users suspend` refuses them.
    SignOut {
        /// The user's id or name
        user: String,
    },
    /// Delete a user; what they used stays on record
    Delete {
        /// The user's id or name
        user: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// The name to sign in with, for example the e-mail address; no other user may have it
    #[arg(value_name = "NAME")]
    username: String,
    /// Their e-mail address, if it is not the name
    #[arg(long)]
    email: Option<String>,
    /// Their name, for people
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
    /// A service account: a program, which has keys and tokens and does not sign in
    #[arg(long, conflicts_with_all = ["password", "password_stdin"])]
    service: bool,
    /// What they may do
    #[arg(long, value_enum, default_value = "member")]
    role: Role,
    /// Their team's id or name
    #[arg(long)]
    team: Option<String>,
    /// Ask for a password to sign in with; without one they cannot sign in by password
    #[arg(long)]
    password: bool,
    /// Read that password from the first line of standard input
    #[arg(long, conflicts_with = "password")]
    password_stdin: bool,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only members of this team
    #[arg(long)]
    team: Option<String>,
    /// Only people, or only service accounts
    #[arg(long, value_enum)]
    kind: Option<Kind>,
    /// Only users with this role
    #[arg(long, value_enum)]
    role: Option<Role>,
    /// Only users in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only users with this in their name or address
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum Role {
    /// Everything, and alone makes and unmakes owners
    Owner,
    /// Everything except what is done to owners
    Admin,
    /// The members, keys and spending of their team
    #[value(name = "team_manager", alias = "team-manager")]
    TeamManager,
    /// Sees everything and changes nothing
    Auditor,
    /// Their own keys and usage
    Member,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Kind {
    /// Somebody who can sign in
    Person,
    /// A program, which has keys and tokens
    Service,
}

impl From<Kind> for UserKind {
    fn from(kind: Kind) -> Self {
        match kind {
            Kind::Person => Self::Person,
            Kind::Service => Self::Service,
        }
    }
}

impl From<Role> for ApiRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::TeamManager => Self::TeamManager,
            Role::Auditor => Self::Auditor,
            Role::Member => Self::Member,
        }
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Let in
    Active,
    /// Refused everywhere
    Suspended,
}

impl Users {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::Create(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Show { user } => {
                let id = names::user(client, &user).await?;
                show(context, &client.get(&paths::user(&id)).await?).await
            }
            Self::SetRole { user, role } => {
                let update = UpdateUser {
                    role: Some(role.into()),
                    ..UpdateUser::default()
                };
                change(context, &user, &update).await
            }
            Self::SetTeam { user, team, none: _ } => {
                let id = names::user(client, &user).await?;
                let body = SetTeam {
                    team_id: names::maybe_team(client, team.as_deref()).await?,
                };
                let user = client.send(Method::PUT, &paths::user_team(&id), &body).await?;
                show(context, &user).await
            }
            Self::SetSpendLimit {
                user,
                limit,
                period,
                policy,
                mode,
                none: _,
            } => {
                let id = names::user(client, &user).await?;
                let body = SetSpendLimit {
                    limit_usd: limit,
                    period: period.map(Into::into),
                    policy: policy.map(PolicySpec::Preset),
                    mode: mode.map(Into::into),
                    time_zone: None,
                };
                let path = paths::user_spend_limit(&id);
                let view: SpendLimitView = client.send(Method::PUT, &path, &body).await?;
                context.out.show(&view, |view| match &view.budget {
                    Some(budget) => super::budgets::card_of(budget),
                    None => format!("{id} has no limit of their own; `ccag budgets status --user {id}` shows what bounds them."),
                })
            }
            Self::Tokens(command) => command.run(context).await,
            Self::SetPassword { user, password_stdin } => {
                let password = secrets::password(&format!("New password of {user}: "), password_stdin)?;
                let update = UpdateUser {
                    password: Patch::Set(password),
                    ..UpdateUser::default()
                };
                change(context, &user, &update).await
            }
            Self::Suspend { user } => {
                let id = names::user(client, &user).await?;
                show(context, &client.act(&paths::user_suspend(&id)).await?).await
            }
            Self::Activate { user } => {
                let id = names::user(client, &user).await?;
                show(context, &client.act(&paths::user_activate(&id)).await?).await
            }
            Self::SignOut { user } => super::client_sessions::sign_out(context, &user).await,
            Self::Delete { user } => {
                let id = names::user(client, &user).await?;
                client.order(Method::DELETE, &paths::user(&id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
        }
    }
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let password = if self.password || self.password_stdin {
            let prompt = format!("Password of {}: ", self.username);
            Some(secrets::password(&prompt, self.password_stdin)?)
        } else {
            None
        };
        let request = CreateUser {
            email: self
                .email
                .or_else(|| self.username.contains('@').then(|| self.username.clone())),
            username: Some(self.username),
            display_name: self.display_name,
            kind: self.service.then_some(UserKind::Service),
            role: Some(self.role.into()),
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            password,
        };
        show(context, &client.send(Method::POST, paths::USERS, &request).await?).await
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let query = ListUsers {
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            kind: self.kind.map(UserKind::from),
            role: self.role.map(ApiRole::from),
            state: self.state.map(|state| match state {
                State::Active => ccag_domain::AccountState::Active,
                State::Suspended => ccag_domain::AccountState::Suspended,
            }),
            search: self.search,
            ..ListUsers::default()
        };
        let list = UserList {
            users: names::all_users(client, query).await?,
            next_cursor: None,
        };
        let names = names_for_people(context).await?;
        context
            .out
            .show(&list, |list| table(&list.users, &names, "No such users."))
    }
}

async fn change(context: &Context, user: &str, update: &UpdateUser) -> Result<(), CliError> {
    let id = names::user(&context.client, user).await?;
    let user = context
        .client
        .send(Method::PATCH, &paths::user(&id), update)
        .await?;
    show(context, &user).await
}

async fn show(context: &Context, user: &UserView) -> Result<(), CliError> {
    let names = names_for_people(context).await?;
    context.out.show(user, |user| {
        card(&[
            ("Id", user.id.to_string()),
            ("User name", user.username.clone()),
            ("E-mail", or_none(user.email.as_ref())),
            ("Name", or_none(user.display_name.as_ref())),
            ("Kind", user.kind.as_str().to_owned()),
            ("Role", user.role.to_string()),
            ("State", user.state.as_str().to_owned()),
            ("Team", names.team(user.team_id.as_ref())),
            ("Created", moment(Some(user.created_at))),
        ])
    })
}

async fn names_for_people(context: &Context) -> Result<Names, CliError> {
    if context.out.is_json() {
        Ok(Names::default())
    } else {
        Names::load(&context.client).await
    }
}

/// A table of users.
pub(crate) fn table(users: &[UserView], names: &Names, empty: &str) -> String {
    let mut table = Table::new(&["ID", "USER NAME", "NAME", "ROLE", "STATE", "TEAM", "CREATED"]);
    for user in users {
        table.row([
            user.id.to_string(),
            user.username.clone(),
            or_none(user.display_name.as_ref()),
            user.role.to_string(),
            user.state.as_str().to_owned(),
            names.team(user.team_id.as_ref()),
            moment(Some(user.created_at)),
        ]);
    }
    table.render(empty)
}
