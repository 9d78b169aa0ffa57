//! Sessions of clients: where people are signed in with Claude Code.

use super::{Context, at};
use crate::error::CliError;
use crate::human::{moment, or_none};
use crate::names::{self, Names};
use crate::table::Table;
use ccag_admin_api::{ClientSessionList, ListClientSessions, SignedOut, paths};
use ccag_domain::KeyId;
use clap::{Args, Subcommand};
use reqwest::Method;
use serde_json::json;

/// Sessions of clients: where people are signed in with Claude Code.
#[derive(Debug, Subcommand)]
pub(crate) enum ClientSessions {
    /// List the open sessions, the newest first: your own, or, as an admin, everybody's
    List(List),
    /// End sessions: Claude Code there has to sign in again
    ///
    /// You can end your own sessions, and an admin any. To end all sessions of a user, see `ccag users sign-out`.
    Revoke {
        /// Their ids (`key_…`), as `ccag client-sessions list` shows them
        #[arg(required = true, value_name = "ID")]
        ids: Vec<KeyId>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct List {
    /// Only this user's: an id or a name
    #[arg(long)]
    user: Option<String>,
    /// How many at most
    #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
    limit: u32,
    /// The next_cursor of the page before
    #[arg(long)]
    cursor: Option<String>,
}

impl ClientSessions {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::List(command) => command.run(context).await,
            Self::Revoke { ids } => {
                for id in &ids {
                    let path = at(paths::CLIENT_SESSION, id);
                    context.client.order(Method::DELETE, &path).await?;
                }
                context.out.show(&json!({ "revoked": ids }), |_| {
                    let line = |id: &KeyId| format!("Ended {id}.");
                    ids.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
        }
    }
}

impl List {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let query = ListClientSessions {
            user_id: names::maybe_user(client, self.user.as_deref()).await?,
            limit: Some(self.limit),
            cursor: self.cursor,
        };
        let list: ClientSessionList = client.get_with(paths::CLIENT_SESSIONS, &query).await?;
        let names = Names::for_people(&context.client, context.out).await?;
        context.out.show(&list, |list| table(list, &names))
    }
}

fn table(list: &ClientSessionList, names: &Names) -> String {
    let mut table = Table::new(&["ID", "USER", "CLIENT", "FROM", "SIGNED IN", "REFRESHED", "ENDS"]);
    for session in &list.sessions {
        table.row([
            session.id.to_string(),
            names.user(Some(&session.user_id)),
            or_none(session.client.as_ref()),
            or_none(session.address.as_ref()),
            moment(Some(session.created_at)),
            moment(Some(session.refreshed_at)),
            moment(Some(session.expires_at)),
        ]);
    }
    let mut text = table.render("Nobody is signed in with Claude Code.");
    if let Some(cursor) = &list.next_cursor {
        text.push_str(&format!("\n\nMore: ccag client-sessions list --cursor {cursor}"));
    }
    text
}

/// Ends all sessions of a user.
pub(super) async fn sign_out(context: &Context, user: &str) -> Result<(), CliError> {
    let id = names::user(&context.client, user).await?;
    let ended: SignedOut = context.client.act(&at(paths::USER_SIGN_OUT, &id)).await?;
    context.out.show(&ended, |ended| match ended.client_sessions {
        0 => format!("{id} is signed out; no Claude Code was signed in."),
        1 => format!("{id} is signed out, also of one Claude Code."),
        n => format!("{id} is signed out, also of {n} Claude Codes."),
    })
}
