//! What the setup script does on people's machines.

use super::Context;
use crate::error::CliError;
use crate::table::card;
use ccag_admin_api::{ConnectMode, SetupSettings, paths};
use clap::{Args, Subcommand, ValueEnum};
use reqwest::Method;

/// What the setup script does.
#[derive(Debug, Subcommand)]
pub(crate) enum Setup {
    /// Show what the script does, and the command that people run
    Show,
    /// Say what the script does; what is not given stays as it is
    ///
    /// Machines that are set up stay as they are until the script is run there again.
    ///
    /// For example: ccag setup set --mode sso --one-hour-cache on
    Set(Set),
}

#[derive(Debug, Args)]
#[group(required = true, multiple = true)]
pub(crate) struct Set {
    /// How Claude Code connects, unless the script is told otherwise
    #[arg(long, value_enum)]
    mode: Option<Mode>,
    /// Whether Claude Code is told to keep prompts cached for an hour
    #[arg(long, value_enum, value_name = "on|off")]
    one_hour_cache: Option<Switch>,
    /// Whether Claude Code is told to offer the gateway's models in /model
    #[arg(long, value_enum, value_name = "on|off")]
    model_discovery: Option<Switch>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Mode {
    /// Through the browser if there is an identity provider, otherwise with a key
    Auto,
    /// With a browser sign-in that renews itself
    Sso,
    /// With Claude Code's own /login, which needs root on each machine
    Login,
    /// With an API key
    Key,
    /// With an API key, in Claude Code's gateway mode
    Gateway,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Switch {
    /// It is
    On,
    /// It is not
    Off,
}

impl Setup {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let held: SetupSettings = client.get(paths::SETUP_SETTINGS).await?;
        match self {
            Self::Show => show(context, &held),
            Self::Set(set) => {
                let request = SetupSettings {
                    mode: set.mode.map_or(held.mode, |mode| match mode {
                        Mode::Auto => None,
                        Mode::Sso => Some(ConnectMode::Sso),
                        Mode::Login => Some(ConnectMode::Login),
                        Mode::Key => Some(ConnectMode::Key),
                        Mode::Gateway => Some(ConnectMode::Gateway),
                    }),
                    one_hour_cache: set.one_hour_cache.map_or(held.one_hour_cache, Switch::is_on),
                    model_discovery: set.model_discovery.map_or(held.model_discovery, Switch::is_on),
                };
                let set: SetupSettings = client.send(Method::PUT, paths::SETUP_SETTINGS, &request).await?;
                show(context, &set)
            }
        }
    }
}

impl Switch {
    fn is_on(self) -> bool {
        self == Self::On
    }
}

fn show(context: &Context, settings: &SetupSettings) -> Result<(), CliError> {
    let url = context.client.url();
    context.out.show(settings, |settings| {
        let mode = match settings.mode {
            None => "through the browser if there is an identity provider, otherwise with a key",
            Some(ConnectMode::Sso) => "with a browser sign-in that renews itself",
            Some(ConnectMode::Login) => "with Claude Code's own /login",
            Some(ConnectMode::Key) => "with an API key",
            Some(ConnectMode::Gateway) => "with an API key, in Claude Code's gateway mode",
        };
        let said = |on: bool| if on { "yes" } else { "no" };
        card(&[
            ("Command", format!("curl -fsSL {url}/setup | sh")),
            ("Claude Code connects", mode.to_owned()),
            ("One-hour cache", said(settings.one_hour_cache).to_owned()),
            (
                "Offers the gateway's models",
                said(settings.model_discovery).to_owned(),
            ),
        ])
    })
}
