//! Signing in and out.

use super::{Context, address, given_token, stored_token};
use crate::args::Global;
use crate::client::{Client, is_loopback};
use crate::error::CliError;
use crate::human::or_none;
use crate::output::Output;
use crate::profile::{Folder, Profile};
use crate::secrets;
use crate::table::card;
use ccag_admin_api::{LoginRequest, LoginResponse, Me, Timestamp, paths};
use reqwest::Method;
use serde_json::json;

/// The flags of `ccag login`; its help text stands at the subcommand.
#[derive(Debug, clap::Args)]
pub(crate) struct Login {
    /// Your user name; asked for if it is not given
    #[arg(long, short, value_name = "NAME")]
    username: Option<String>,

    /// Read the password from the first line of standard input instead of asking for it
    #[arg(long)]
    password_stdin: bool,
}

impl Login {
    pub(crate) async fn run(self, global: &Global, out: Output) -> Result<(), CliError> {
        let url = address(global)?;
        let client = Client::new(url.clone(), None)?;
        if url.scheme() == "http" && !is_loopback(&url) {
            out.warn("this address is not encrypted: your password and session can be read on the way");
        }
        let username = match self.username {
            Some(name) => name,
            None => secrets::ask("User name: ", "--username")?,
        };
        let prompt = format!("Password of {username} at {}: ", client.url());
        let request = LoginRequest {
            password: secrets::password(&prompt, self.password_stdin)?,
            username,
        };
        let answer: LoginResponse = client.send(Method::POST, paths::LOGIN, &request).await?;
        let profile = Profile {
            url: Some(client.url()),
            username: Some(answer.user.username.clone()),
        };
        Folder::of_user()?.remember(&profile, &answer.token)?;
        if given_token(global).is_some() {
            out.warn("CCAG_TOKEN or --token is set: it goes before the session that has just been stored");
        }
        let expires_at = Timestamp::from_ms(answer.expires_at_ms);
        let shown = json!({ "url": client.url(), "user": answer.user, "session_expires_at": expires_at });
        out.show(&shown, |_| {
            format!(
                "Signed in at {} as {} ({}) until {} UTC.",
                client.url(),
                answer.user.username,
                answer.user.role,
                expires_at.to_the_minute()
            )
        })
    }
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
