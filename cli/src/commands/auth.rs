//! Signing in and out.

mod browser;
mod device;

use super::{Context, address, given_token, stored_token};
use crate::args::Global;
use crate::client::{Client, is_loopback};
use crate::error::CliError;
use crate::human::{or_none, printable_line};
use crate::output::Output;
use crate::profile::{Folder, Profile};
use crate::secrets;
use crate::table::card;
use ccag_admin_api::{LoginRequest, LoginResponse, Me, Secret, Timestamp, UserView, paths};
use reqwest::Method;
use serde_json::json;
use std::io::IsTerminal;
use url::Url;

/// The flags of `ccag login`; its help text stands at the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Sign in with a password, under this user name
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,

    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long, requires = "username")]
    password_stdin: bool,

    /// Sign in with a browser; needs to be said only where there is no terminal
    #[arg(long, conflicts_with = "username")]
    sso: bool,

    /// Only print the address to sign in at, and do not open it
    #[arg(long, conflicts_with = "username")]
    no_browser: bool,
}

/// A session that has begun.
struct Begun {
    token: Secret,
    user: UserView,
    expires_at: Timestamp,
}

impl Login {
    pub(crate) async fn run(self, global: &Global, out: Output) -> Result<(), CliError> {
        let url = address(global)?;
        let client = Client::new(url.clone(), None)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            out.warn("this address is not encrypted: your password and session can be read on the way");
        }
        let begun = match self.username {
            Some(username) => by_password(&client, username, self.password_stdin).await?,
            None if self.sso || std::io::stdin().is_terminal() => {
                let token = device::sign_in(&client, out, !self.no_browser).await?;
                by_token(url, token).await?
            }
            None => {
                return Err(CliError::Usage(
                    "there is no terminal to ask on: give --username, or --sso to sign in with a browser"
                        .to_owned(),
                ));
            }
        };
        let profile = Profile {
            url: Some(client.url()),
            username: Some(begun.user.username.clone()),
        };
        Folder::of_user()?.remember(&profile, &begun.token)?;
        if given_token(global).is_some() {
            out.warn("CCAG_TOKEN or --token is set: it goes before the session that has just been stored");
        }
        let shown =
            json!({ "url": client.url(), "user": begun.user, "session_expires_at": begun.expires_at });
        out.show(&shown, |_| {
            format!(
                "Signed in at {} as {} ({}) until {} UTC.",
                client.url(),
                printable_line(&begun.user.username),
                begun.user.role,
                begun.expires_at.to_the_minute()
            )
        })
    }
}

async fn by_password(client: &Client, username: String, from_stdin: bool) -> Result<Begun, CliError> {
    let prompt = format!("Password of {username} at {}: ", client.url());
    let request = LoginRequest {
        password: secrets::password(&prompt, from_stdin)?,
        username,
    };
    let answer: LoginResponse = client.send(Method::POST, paths::LOGIN, &request).await?;
    Ok(Begun {
        token: answer.token,
        user: answer.user,
        expires_at: Timestamp::from_ms(answer.expires_at_ms),
    })
}

/// The session that a token is for.
async fn by_token(url: Url, token: Secret) -> Result<Begun, CliError> {
    let me: Me = Client::new(url, Some(token.clone()))?.get(paths::ME).await?;
    Ok(Begun {
        token,
        user: me.user,
        expires_at: me.session_expires_at,
    })
}

/// Ends the session at the gateway and forgets it here. What is stored here is forgotten even if the gateway cannot be
/// reached.
pub(crate) async fn logout(global: &Global, out: Output) -> Result<(), CliError> {
    let url = address(global)?;
    let folder = Folder::of_user()?;
    let stored = stored_token(&folder, &url)?;
    let token = given_token(global).or_else(|| stored.clone());
    let Some(token) = token else {
        return out.show(&json!({ "signed_out": false }), |_| {
            "You were not signed in.".to_owned()
        });
    };
    if stored.is_some_and(|stored| stored == token) {
        folder.forget_token()?;
    }
    let client = Client::new(url, Some(token))?;
    match client.order(Method::POST, paths::LOGOUT).await {
        Ok(()) | Err(CliError::SignedOut { .. }) => out.show(&json!({ "signed_out": true }), |_| {
            format!("Signed out of {}.", client.url())
        }),
        Err(error) => {
            out.note("The session is forgotten here, but the gateway could not be told to end it.");
            Err(error)
        }
    }
}

/// Shows who is signed in.
pub(crate) async fn whoami(context: &Context) -> Result<(), CliError> {
    let me: Me = context.client.get(paths::ME).await?;
    context.out.show(&me, |me| {
        card(&[
            ("User", me.user.username.clone()),
            ("Id", me.user.id.to_string()),
            ("Role", me.user.role.to_string()),
            ("Team", or_none(me.user.team_id.as_ref())),
            ("Gateway", context.client.url()),
            (
                "Session ends",
                format!("{} UTC", me.session_expires_at.to_the_minute()),
            ),
        ])
    })
}
