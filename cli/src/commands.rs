//! What the commands do.

pub(crate) mod analytics;
pub(crate) mod audit;
pub(crate) mod auth;
pub(crate) mod budgets;
pub(crate) mod capabilities;
pub(crate) mod client_sessions;
pub(crate) mod completions;
pub(crate) mod declare;
pub(crate) mod doctor;
pub(crate) mod endpoints;
pub(crate) mod explain;
pub(crate) mod gateway;
pub(crate) mod guardrail;
pub(crate) mod idps;
pub(crate) mod keys;
pub(crate) mod limits;
pub(crate) mod manual;
pub(crate) mod master_keys;
pub(crate) mod models;
pub(crate) mod notifications;
pub(crate) mod policies;
pub(crate) mod pricing;
mod quarantine;
mod reprice;
pub(crate) mod routing;
pub(crate) mod scim;
pub(crate) mod sessions;
pub(crate) mod setup;
pub(crate) mod sign_in;
pub(crate) mod teams;
mod tokens;
pub(crate) mod usage;
pub(crate) mod users;
pub(crate) mod web_search;

use crate::args::{Cli, Command, Global};
use crate::client::{Client, parse_url};
use crate::error::CliError;
use crate::output::Output;
use crate::profile::Folder;
use ccag_admin_api::Secret;
use url::Url;

const DEFAULT_URL: &str = "http://127.0.0.1:8080";

/// What a command works with.
pub(crate) struct Context {
    pub(crate) client: Client,
    pub(crate) out: Output,
}

/// Does what the command line says.
pub(crate) async fn run(cli: Cli, out: &Output) -> Result<(), CliError> {
    let out = *out;
    let global = cli.global;
    match cli.command {
        Command::Completions(command) => command.run(out),
        Command::Doctor(command) => Box::pin(command.run(&global, out)).await,
        Command::Login(command) => command.run(&global, out).await,
        Command::Logout => auth::logout(&global, out).await,
        Command::Whoami => auth::whoami(&context(&global, out)?).await,
        Command::Keys(command) => command.run(&context(&global, out)?).await,
        Command::Teams(command) => command.run(&context(&global, out)?).await,
        Command::Users(command) => command.run(&context(&global, out)?).await,
        Command::Idps(command) => command.run(&context(&global, out)?).await,
        Command::SignIn(command) => command.run(&context(&global, out)?).await,
        Command::Setup(command) => command.run(&context(&global, out)?).await,
        Command::ClientSessions(command) => command.run(&context(&global, out)?).await,
        Command::Notifications(command) => command.run(&context(&global, out)?).await,
        Command::Policies(command) => command.run(&context(&global, out)?).await,
        Command::Endpoints(command) => command.run(&context(&global, out)?).await,
        Command::Budgets(command) => command.run(&context(&global, out)?).await,
        Command::Limits(command) => command.run(&context(&global, out)?).await,
        Command::Routing(command) => command.run(&context(&global, out)?).await,
        Command::Sessions(command) => command.run(&context(&global, out)?).await,
        Command::Analytics(command) => command.run(&context(&global, out)?).await,
        Command::Usage(command) => command.run(&context(&global, out)?).await,
        Command::Explain(command) => command.run(&context(&global, out)?).await,
        Command::Capabilities(command) => command.run(&context(&global, out)?).await,
        Command::WebSearch(command) => command.run(&context(&global, out)?).await,
        Command::Scim(command) => command.run(&context(&global, out)?).await,
        Command::Audit(command) => command.run(&context(&global, out)?).await,
        Command::Secrets(command) => command.run(&context(&global, out)?).await,
        Command::Apply(command) => command.run(&context(&global, out)?).await,
        Command::Diff(command) => command.run(&context(&global, out)?).await,
        Command::Export(command) => command.run(&context(&global, out)?).await,
        Command::Man(command) => command.run(out),
        Command::Fleet => gateway::fleet(&context(&global, out)?).await,
        Command::Models { command } => models::run(command, &context(&global, out)?).await,
        Command::Pricing { command } => pricing::run(command, &context(&global, out)?).await,
        Command::Status => gateway::status(&context(&global, out)?).await,
    }
}

/// The gateway that is meant: the one named, else the one signed in to last, else the usual one on this machine.
fn address(global: &Global) -> Result<Url, CliError> {
    match named(global) {
        Some(text) => parse_url(text),
        None => match Folder::of_user().and_then(|folder| folder.profile())?.url {
            Some(text) => parse_url(&text),
            None => parse_url(DEFAULT_URL),
        },
    }
}

/// An empty CCAG_URL is as good as none.
fn named(global: &Global) -> Option<&str> {
    global.url.as_deref().filter(|url| !url.is_empty())
}

/// An empty CCAG_TOKEN is as good as none.
fn given_token(global: &Global) -> Option<Secret> {
    global.token.clone().filter(|token| !token.reveal().is_empty())
}

/// The stored token, if it is for this gateway. It is never sent to another one.
fn stored_token(folder: &Folder, url: &Url) -> Result<Option<Secret>, CliError> {
    let Some(stored) = folder.profile()?.url else {
        return Ok(None);
    };
    if parse_url(&stored)? == *url {
        folder.stored_token()
    } else {
        Ok(None)
    }
}

/// What was given replaces what was held, if anything was given.
fn replace<T>(held: &mut Vec<T>, given: Vec<T>) {
    if !given.is_empty() {
        *held = given;
    }
}

/// The path of something that has an id: these hold nothing that needs escaping.
fn at(template: &str, id: &impl std::fmt::Display) -> String {
    template.replacen("{id}", &id.to_string(), 1)
}

fn context(global: &Global, out: Output) -> Result<Context, CliError> {
    let url = address(global)?;
    let token = match given_token(global) {
        Some(token) => Some(token),
        None => stored_token(&Folder::of_user()?, &url)?,
    };
    match token {
        Some(token) => Ok(Context {
            client: Client::new(url, Some(token))?,
            out,
        }),
        None => Err(CliError::SignedOut {
            url: url.as_str().trim_end_matches('/').to_owned(),
            reason: "you are not signed in there",
        }),
    }
}
