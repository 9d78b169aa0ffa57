//! Sessions of Claude Code that run away.

use super::Context;
use crate::error::CliError;
use crate::human::{moment, printable_line};
use crate::names;
use crate::table::{Table, card};
use ccag_admin_api::{
    BreakerSource, ListPausedSessions, PauseState, PausedSessionList, PausedSessionView, SessionBreakerView,
    SetSessionBreaker, Usd, paths,
};
use ccag_domain::PauseId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

/// Sessions of Claude Code that run away.
#[derive(Debug, Subcommand)]
pub(crate) enum Sessions {
    /// List the sessions that are paused: your own, or, as an admin, everybody's
    Paused(Paused),
    /// Let paused sessions go on
    ///
    /// What they did before counts no more: the minute begins anew. You can resume your own sessions, and an admin any.
    Resume {
        /// Their ids (`pau_…`), as `ccag sessions paused` and the refusal in Claude Code show them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<PauseId>,
    },
    /// Show what a session may do within a minute before it is paused
    Breaker {
        /// What counts for the sessions of this team; by default for everybody whose team says nothing of its own
        #[arg(long)]
        team: Option<String>,
    },
    /// Say what a session may do within a minute before it is paused
    ///
    /// What is not given has no limit: the command says all of it. A team's word replaces the organisation's.
    ///
    /// For example: ccag sessions set-breaker --usd-per-minute 5 --agents-per-minute 30
    SetBreaker(SetBreaker),
    /// Take back what a team says of its own, so that the organisation's word counts for it again
    ClearBreaker {
        /// The team's id or name
        team: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Paused {
    /// Show those that were resumed as well, as long as they are remembered
    #[arg(long)]
    all: bool,
    /// Only this user's: an id or a name
    #[arg(long)]
    user: Option<String>,
    /// Only those of this team: an id or a name
    #[arg(long)]
    team: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// The next_cursor of the page before
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct SetBreaker {
    /// For the sessions of this team (an id or a name) instead of everybody's
    #[arg(long)]
    team: Option<String>,
    /// What the requests of a session that end within a minute may cost together, in dollars
    #[arg(long, group = "limit", value_name = "USD")]
    usd_per_minute: Option<Usd>,
    /// How many agents of a session, the main one included, may work within a minute
    #[arg(long, group = "limit", value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100_000))]
    agents_per_minute: Option<u32>,
    /// No limits: nothing is paused
    #[arg(long, conflicts_with = "limit", required_unless_present = "limit")]
    none: bool,
}

impl Sessions {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::Paused(paused) => paused.run(context).await,
            Self::Resume { ids } => {
                let mut resumed: Vec<PausedSessionView> = Vec::new();
                for id in &ids {
                    resumed.push(client.act(&paths::paused_session_resume(id)).await?);
                }
                context.out.show(&json!({ "paused_sessions": resumed }), |_| {
                    let line = |session: &PausedSessionView| {
                        let (id, owner) = (
                            printable_line(&session.session_id),
                            printable_line(&session.owner),
                        );
                        format!("Session {id} of {owner} goes on.")
                    };
                    resumed.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
            Self::Breaker { team } => {
                let path = breaker_path(context, team.as_deref()).await?;
                let view: SessionBreakerView = client.get(&path).await?;
                context.out.show(&view, breaker)
            }
            Self::SetBreaker(set) => {
                let path = breaker_path(context, set.team.as_deref()).await?;
                let request = SetSessionBreaker {
                    usd_per_minute: set.usd_per_minute,
                    agents_per_minute: set.agents_per_minute,
                };
                let view: SessionBreakerView = client.send(Method::PUT, &path, &request).await?;
                context.out.show(&view, breaker)
            }
            Self::ClearBreaker { team } => {
                let path = breaker_path(context, Some(&team)).await?;
                client.order(Method::DELETE, &path).await?;
                let view: SessionBreakerView = client.get(&path).await?;
                context.out.show(&view, breaker)
            }
        }
    }
}

impl Paused {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let query = ListPausedSessions {
            state: if self.all {
                PauseState::All
            } else {
                PauseState::Paused
            },
            user_id: names::maybe_user(client, self.user.as_deref()).await?,
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            limit: Some(self.limit),
            cursor: self.cursor,
        };
        let list: PausedSessionList = client.get_with(paths::PAUSED_SESSIONS, &query).await?;
        context.out.show(&list, table)
    }
}

async fn breaker_path(context: &Context, team: Option<&str>) -> Result<String, CliError> {
    Ok(match names::maybe_team(&context.client, team).await? {
        Some(id) => paths::team_session_breaker(&id),
        None => paths::SESSION_BREAKER.to_owned(),
    })
}

fn table(list: &PausedSessionList) -> String {
    let mut table = Table::new(&["ID", "WHOSE", "SESSION", "PAUSED", "RESUMED", "WHY"]);
    for session in &list.paused_sessions {
        table.row([
            session.id.to_string(),
            session.owner.clone(),
            session.session_id.clone(),
            moment(Some(session.paused_at)),
            moment(session.resumed_at),
            session.message.clone(),
        ]);
    }
    let mut text = table.render("No session is paused.");
    if let Some(cursor) = &list.next_cursor {
        text.push_str(&format!(
            "\n\n{} in all. More: ccag sessions paused --cursor {cursor}",
            list.total
        ));
    }
    text
}

fn breaker(view: &SessionBreakerView) -> String {
    let none = || "no limit".to_owned();
    let usd = view.usd_per_minute.map(|usd| format!("${usd}"));
    let agents = view.agents_per_minute.map(|n| n.to_string());
    let source = match view.source {
        BreakerSource::Team => "the team's own word",
        BreakerSource::Organisation => "the organisation's word",
        BreakerSource::None => "nobody has set anything",
    };
    card(&[
        ("Dollars within a minute", usd.unwrap_or_else(none)),
        ("Agents within a minute", agents.unwrap_or_else(none)),
        ("From", source.to_owned()),
    ])
}
