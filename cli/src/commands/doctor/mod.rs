//! `ccag doctor`: what is wrong with a gateway, seen from here.

mod fleet;
mod inference;
mod key;
mod local;
mod network;
mod stream;
mod view;

use super::{address, given_token, stored_token};
use crate::args::Global;
use crate::client::{Client, is_loopback};
use crate::error::CliError;
use crate::output::Output;
use crate::profile::Folder;
use ccag_admin_api::Secret;
use ccag_doctor::{Finding, Report};
use clap::Args;
use std::time::Duration;
use url::Url;

/// How long an answer may take. What takes longer is told.
const ANSWER: Duration = Duration::from_secs(20);

#[derive(Debug, Args)]
pub(crate) struct Doctor {
    /// The key to try the way of Claude Code's requests with; by default the one that Claude Code uses here. Better given as
    /// CCAG_KEY, since other users of the machine can see command lines
    #[arg(long, env = "CCAG_KEY", hide_env_values = true, value_name = "KEY")]
    key: Option<Secret>,

    /// Do not look at Claude Code's settings and the variables of this machine, and do not take a key from them
    #[arg(long)]
    no_local: bool,
}

/// What all parts look at.
struct Patient {
    /// The gateway's address.
    url: Url,
    http: reqwest::Client,
}

impl Patient {
    /// An address below the gateway's.
    fn at(&self, path: &str) -> String {
        format!("{}{path}", self.url.as_str().trim_end_matches('/'))
    }
}

impl Doctor {
    pub(crate) async fn run(self, global: &Global, out: Output) -> Result<(), CliError> {
        let url = address(global)?;
        let token = match given_token(global) {
            Some(token) => Some(token),
            None => stored_token(&Folder::of_user()?, &url)?,
        };
        let report = Report::new(Box::pin(self.look(url, token)).await?);
        out.show(&report, ToString::to_string)?;
        match report.ok {
            true => Ok(()),
            false => Err(CliError::Faults),
        }
    }

    async fn look(self, url: Url, token: Option<Secret>) -> Result<Vec<Finding>, CliError> {
        let mut findings = vec![network::address(&url)];
        let mut key = self.key.clone().filter(|key| !key.reveal().is_empty());
        if !self.no_local {
            let machine = local::Machine::read();
            findings.extend(machine.look(&url));
            if key.is_none() {
                key = key::of_machine(&machine, &url).await;
            }
        }
        let (reached, on_the_way) = network::way(&url).await;
        findings.extend(on_the_way);
        if !reached {
            return Ok(findings);
        }
        let patient = Patient {
            http: client(&url)?,
            url: url.clone(),
        };
        let (health, version) = network::health(&patient).await;
        let healthy = version.is_some();
        findings.extend(health);
        let admin = async {
            match token {
                Some(token) if healthy => {
                    let client = Client::new(url, Some(token))?;
                    Box::pin(view::look(&client)).await
                }
                Some(_) => Ok(vec![view::not_there()]),
                None => Ok(vec![view::nobody()]),
            }
        };
        let (of_inference, of_admin) = tokio::join!(
            Box::pin(inference::look(&patient, key.as_ref(), version.as_deref())),
            Box::pin(admin),
        );
        findings.extend(of_inference);
        findings.extend(of_admin?);
        Ok(findings)
    }
}

fn client(url: &Url) -> Result<reqwest::Client, CliError> {
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("ccag-doctor/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(Duration::from_secs(5))
        .redirect(reqwest::redirect::Policy::none());
    if is_loopback(url) {
        builder = builder.no_proxy();
    }
    builder.build().map_err(|error| CliError::Local {
        what: "cannot set up HTTPS".to_owned(),
        error: std::io::Error::other(error.to_string()),
    })
}

/// An error of a request and its causes.
fn why(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("no answer within {} s", ANSWER.as_secs());
    }
    crate::client::chain(error)
}
