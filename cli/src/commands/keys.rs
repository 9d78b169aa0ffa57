//! Virtual keys.

use super::Context;
use crate::error::CliError;
use crate::human::{NONE, moment, or_none, parse_when};
use crate::names::{self, Names};
use crate::table::{Table, card};
use crate::{clock, human};
use ccag_admin_api::{
    CreateKey, CreateSetupToken, CreatedKey, CreatedSetupToken, KeyList, KeyState, KeyView, ListKeys, Patch,
    Timestamp, UpdateKey, paths,
};
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

/// Virtual keys: what Claude Code authenticates with.
#[derive(Debug, Subcommand)]
pub(crate) enum Keys {
    /// Make a key and show its secret, which is shown only this once
    ///
    /// For example: ccag keys create --name laptop --user dev@example.com --expires 90d
    Create(Create),
    /// List keys, the newest first; members see their own
    List(List),
    /// Show one key
    Show {
        /// The key's id, name, or prefix
        key: String,
    },
    /// Change a key's name, owner, team, rate limit or expiry; what is not mentioned stays
    Update(Update),
    /// Make a command that sets up Claude Code on one machine with a key
    ///
    /// It is good once. The machine gets a new secret of the key, and the one of before is refused from then on: nobody has to
    /// pass a secret around.
    ///
    /// For example: ccag keys setup-token laptop --minutes 60
    SetupToken {
        /// The key's id, name, or prefix
        key: String,
        /// For how long it is good; seven days at most
        #[arg(long, default_value_t = 15, value_parser = clap::value_parser!(u32).range(1..=10_080))]
        minutes: u32,
    },
    /// Revoke keys: they are refused everywhere within a second, for good; what they used stays on record
    Revoke {
        /// The keys' ids, names, prefixes or secrets
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
    /// Delete keys: as revoke, and they are no longer listed
    Delete {
        /// The keys' ids, names, prefixes or secrets
        #[arg(required = true, value_name = "KEY")]
        keys: Vec<String>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// A name to know the key by, such as `laptop` or `ci`
    #[arg(long)]
    name: Option<String>,
    /// Whose use it is; you, if you are a member
    #[arg(long)]
    user: Option<String>,
    /// The team that pays; by default the user's
    #[arg(long)]
    team: Option<String>,
    /// Requests per minute that it may send; unlimited if not given
    #[arg(long, value_name = "RPM", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// When it stops working: 90d, 12h, 2027-01-31 or a full time; never if not given
    #[arg(long, value_name = "WHEN", value_parser = end)]
    expires: Option<Timestamp>,
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this user's keys
    #[arg(long)]
    user: Option<String>,
    /// Only this team's keys
    #[arg(long)]
    team: Option<String>,
    /// Only keys in this state
    #[arg(long, value_enum)]
    state: Option<State>,
    /// Only keys with this in their name or prefix
    #[arg(long, value_name = "TEXT")]
    search: Option<String>,
}

#[derive(Debug, Args)]
#[command(group = ArgGroup::new("change").required(true).multiple(true))]
pub(crate) struct Update {
    /// The key's id, name or prefix
    key: String,
    /// Another name
    #[arg(long, group = "change")]
    name: Option<String>,
    /// Another owner
    #[arg(long, group = "change")]
    user: Option<String>,
    /// No owner
    #[arg(long, group = "change", conflicts_with = "user")]
    no_user: bool,
    /// Another team
    #[arg(long, group = "change")]
    team: Option<String>,
    /// No team
    #[arg(long, group = "change", conflicts_with = "team")]
    no_team: bool,
    /// Another number of requests per minute
    #[arg(long, group = "change", value_name = "RPM", value_parser = clap::value_parser!(u32).range(1..))]
    rate_limit: Option<u32>,
    /// No rate limit
    #[arg(long, group = "change", conflicts_with = "rate_limit")]
    no_rate_limit: bool,
    /// Another end: 90d, 12h, 2027-01-31 or a full time
    #[arg(long, group = "change", value_name = "WHEN", value_parser = end)]
    expires: Option<Timestamp>,
    /// No end
    #[arg(long, group = "change", conflicts_with = "expires")]
    no_expires: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum State {
    /// Works
    Active,
    /// Was revoked
    Revoked,
    /// Its date has passed
    Expired,
}

fn end(text: &str) -> Result<Timestamp, String> {
    parse_when(text, clock::now())
}

fn patch<T>(value: Option<T>, clear: bool) -> Patch<T> {
    match value {
        Some(value) => Patch::Set(value),
        None if clear => Patch::Clear,
        None => Patch::Keep,
    }
}

impl Keys {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Create(command) => command.run(context).await,
            Self::List(command) => command.run(context).await,
            Self::Show { key } => {
                let id = names::key(&context.client, &key).await?;
                let key: KeyView = context.client.get(&paths::key(&id)).await?;
                show(context, &key).await
            }
            Self::Update(command) => command.run(context).await,
            Self::SetupToken { key, minutes } => setup_token(context, &key, minutes).await,
            Self::Revoke { keys } => revoke(context, &keys).await,
            Self::Delete { keys } => delete(context, &keys).await,
        }
    }
}

async fn setup_token(context: &Context, key: &str, minutes: u32) -> Result<(), CliError> {
    let client = &context.client;
    let id = names::key(client, key).await?;
    let minutes = Some(minutes);
    let made: CreatedSetupToken = client
        .send(
            Method::POST,
            &paths::key_setup_token(&id),
            &CreateSetupToken { minutes },
        )
        .await?;
    context.out.show(&made, |made| {
        let (url, token) = (client.url(), made.token.reveal());
        format!(
            "On the machine, until {}, once:\n\n  curl -fsSL {url}/setup | sh -s -- --token {token}\n\nor in PowerShell:\n\n  \
             & ([scriptblock]::Create((irm {url}/setup/windows))) -Token {token}\n\nThe secret that the key has now is refused from \
             then on.",
            moment(Some(made.expires_at)),
        )
    })
}

impl Create {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let request = CreateKey {
            name: self.name,
            user_id: names::maybe_user(client, self.user.as_deref()).await?,
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            rate_limit_rpm: self.rate_limit,
            expires_at: self.expires,
        };
        let created: CreatedKey = client.send(Method::POST, paths::KEYS, &request).await?;
        context.out.show(&created, |created| {
            format!(
                "{}\n\nThis is the only time that the secret is shown. To use it with Claude Code:\n\n  \
                 export ANTHROPIC_BASE_URL={}\n  export ANTHROPIC_AUTH_TOKEN={}\n",
                card(&[
                    ("Key", created.key.reveal().to_owned()),
                    ("Id", created.record.id.to_string()),
                    ("Name", named(&created.record)),
                    ("Expires", moment(created.record.expires_at)),
                ]),
                client.url(),
                created.key.reveal(),
            )
        })
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let query = ListKeys {
            user_id: names::maybe_user(client, self.user.as_deref()).await?,
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            state: self.state.map(|state| match state {
                State::Active => KeyState::Active,
                State::Revoked => KeyState::Revoked,
                State::Expired => KeyState::Expired,
            }),
            search: self.search,
            ..ListKeys::default()
        };
        let list = KeyList {
            keys: names::all_keys(client, query).await?,
            next_cursor: None,
        };
        let names = names_for_people(context).await?;
        context.out.show(&list, |list| {
            let mut table = Table::new(&[
                "ID", "NAME", "PREFIX", "USER", "TEAM", "STATE", ">RPM", "CREATED", "EXPIRES",
            ]);
            for key in &list.keys {
                table.row([
                    key.id.to_string(),
                    named(key),
                    key.prefix.clone(),
                    names.user(key.user_id.as_ref()),
                    names.team(key.team_id.as_ref()),
                    key.state.as_str().to_owned(),
                    or_none(key.rate_limit_rpm.as_ref()),
                    moment(Some(key.created_at)),
                    moment(key.expires_at),
                ]);
            }
            table.render("No keys. Make one with `ccag keys create --name laptop`.")
        })
    }
}

impl Update {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let id = names::key(client, &self.key).await?;
        let update = UpdateKey {
            name: self.name,
            user_id: patch(
                names::maybe_user(client, self.user.as_deref()).await?,
                self.no_user,
            ),
            team_id: patch(
                names::maybe_team(client, self.team.as_deref()).await?,
                self.no_team,
            ),
            rate_limit_rpm: patch(self.rate_limit, self.no_rate_limit),
            expires_at: patch(self.expires, self.no_expires),
        };
        let key: KeyView = client.send(Method::PATCH, &paths::key(&id), &update).await?;
        show(context, &key).await
    }
}

async fn show(context: &Context, key: &KeyView) -> Result<(), CliError> {
    let names = names_for_people(context).await?;
    context.out.show(key, |key| {
        card(&[
            ("Id", key.id.to_string()),
            ("Name", named(key)),
            ("Prefix", key.prefix.clone()),
            ("State", key.state.as_str().to_owned()),
            ("User", names.user(key.user_id.as_ref())),
            ("Team", names.team(key.team_id.as_ref())),
            (
                "Requests per minute",
                key.rate_limit_rpm
                    .map_or("unlimited".to_owned(), |rpm| human::count(rpm.into())),
            ),
            ("Created", moment(Some(key.created_at))),
            ("Expires", moment(key.expires_at)),
            ("Revoked", moment(key.revoked_at)),
        ])
    })
}

/// All names are looked up before anything is done: a typing error in the last one does not leave half of it done.
async fn revoke(context: &Context, keys: &[String]) -> Result<(), CliError> {
    let client = &context.client;
    let mut ids = Vec::new();
    for key in keys {
        ids.push(names::key(client, key).await?);
    }
    let mut revoked = Vec::new();
    for id in &ids {
        let key: KeyView = client.act(&paths::key_revoke(id)).await?;
        revoked.push(key);
    }
    context.out.show(&json!({ "keys": revoked }), |_| {
        let lines: Vec<String> = revoked
            .iter()
            .map(|key| human::printable_line(&format!("Revoked {} ({}).", key.id, named(key))))
            .collect();
        lines.join("\n")
    })
}

async fn delete(context: &Context, keys: &[String]) -> Result<(), CliError> {
    let client = &context.client;
    let mut ids = Vec::new();
    for key in keys {
        ids.push(names::key(client, key).await?);
    }
    for id in &ids {
        client.order(Method::DELETE, &paths::key(id)).await?;
    }
    context.out.show(&json!({ "deleted": ids }), |_| {
        let lines: Vec<String> = ids.iter().map(|id| format!("Deleted {id}.")).collect();
        lines.join("\n")
    })
}

/// JSON holds ids and needs no names.
async fn names_for_people(context: &Context) -> Result<Names, CliError> {
    if context.out.is_json() {
        Ok(Names::default())
    } else {
        Names::load(&context.client).await
    }
}

fn named(key: &KeyView) -> String {
    if key.name.is_empty() {
        NONE.to_owned()
    } else {
        key.name.clone()
    }
}
