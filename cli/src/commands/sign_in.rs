//! How people sign in, and the keys that the tokens of clients are signed with.

use super::Context;
use crate::error::CliError;
use crate::human::or_none;
use crate::table::card;
use ccag_admin_api::{SignInSettings, paths};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;
use serde_json::json;

/// How people sign in.
#[derive(Debug, Subcommand)]
pub(crate) enum SignIn {
    /// Show how people sign in
    Show,
    /// Say how people sign in; what is not given stays as it is
    ///
    /// Passwords can be turned off by an admin who signed in with an identity provider, so that nobody is locked out.
    ///
    /// For example: ccag sign-in set --password off --notice 'Company use only.'
    Set(Set),
    /// Let another key take over that the tokens of Claude Code are signed with
    ///
    /// Nobody has to sign in again: tokens of the old key stay good until they are over. Keys take over from each other on their
    /// own, too; this is for when one may have become known.
    RotateKeys,
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// Whether users of the gateway's own may sign in with their password
    #[arg(long, value_enum, value_name = "on|off")]
    password: Option<Switch>,
    /// What Claude Code and `ccag login` show beside the code when somebody signs in: at most 500 characters
    #[arg(long, value_name = "TEXT", conflicts_with = "no_notice")]
    notice: Option<String>,
    /// Show nothing beside the code
    #[arg(long)]
    no_notice: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// They may
    On,
    /// They may not
    Off,
}

impl SignIn {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::Show => show(context, &client.get(paths::SIGN_IN).await?),
            Self::Set(command) => command.run(context).await,
            Self::RotateKeys => {
                client.order(Method::POST, paths::SIGNING_KEYS_ROTATE).await?;
                context.out.show(&json!({ "rotated": true }), |_| {
                    "Another key takes over; tokens of the old one stay good until they are over.".to_owned()
                })
            }
        }
    }
}

impl Set {
    async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let held: SignInSettings = client.get(paths::SIGN_IN).await?;
        let request = SignInSettings {
            password_sign_in: self
                .password
                .map_or(held.password_sign_in, |password| password == Switch::On),
            login_notice: match self.no_notice {
                true => None,
                false => self.notice.or(held.login_notice),
            },
        };
        let set: SignInSettings = client.send(Method::PUT, paths::SIGN_IN, &request).await?;
        show(context, &set)
    }
}

fn show(context: &Context, settings: &SignInSettings) -> Result<(), CliError> {
    context.out.show(settings, |settings| {
        let passwords = match settings.password_sign_in {
            true => "users of the gateway's own may sign in with their password",
            false => "nobody may sign in with a password",
        };
        card(&[
            ("Passwords", passwords.to_owned()),
            ("Notice", or_none(settings.login_notice.as_ref())),
        ])
    })
}
