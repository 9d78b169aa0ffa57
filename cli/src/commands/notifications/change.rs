//! Adding a destination, and changing it.

use super::super::Context;
use super::{category, kind, show, shown};
use crate::error::CliError;
use crate::names::{self, Names};
use crate::secrets;
use ccag_admin_api::{
    CreateDestination, CreatedDestination, DestinationSpec, DestinationView, Secret, UpdateDestination, paths,
};
use ccag_domain::{Category, DestinationKind, MailSecurity};
use clap::Args;
use reqwest::Method;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name; no other destination may have it
    name: String,
    /// The team whose events it gets, by id or name; those of the whole organisation if left out, or, for a manager, of their own team
    #[arg(long)]
    team: Option<String>,
    /// What it is told of: budget, session, endpoint, fleet, drift or expiry; may be given several times, everything if left out
    #[arg(long = "category", value_name = "CATEGORY", value_parser = category)]
    categories: Vec<Category>,
    #[command(flatten)]
    way: Way,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The destination's id or name
    destination: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    /// The team whose events it gets, by id or name
    #[arg(long, conflicts_with = "no_team")]
    team: Option<String>,
    /// Get the events of the whole organisation (of a manager: of their own team)
    #[arg(long)]
    no_team: bool,
    /// What it is told of: budget, session, endpoint, fleet, drift or expiry; may be given several times, and says all of it
    #[arg(long = "category", value_name = "CATEGORY", value_parser = category)]
    categories: Vec<Category>,
    /// Tell it what happens
    #[arg(long, conflicts_with = "disable")]
    enable: bool,
    /// Tell it nothing more; what it was still to be told is given up
    #[arg(long)]
    disable: bool,
}

#[derive(Debug, Args)]
pub(crate) struct Draft {
    /// The destination's id or name
    destination: String,
    #[command(flatten)]
    way: Way,
}

/// How a destination is to be reached.
#[derive(Debug, Args)]
struct Way {
    /// What it is: webhook, slack, sns, eventbridge or smtp
    #[arg(long, value_parser = kind)]
    kind: DestinationKind,
    /// Of a webhook: where it is posted to
    #[arg(long)]
    url: Option<String>,
    /// Of sns and eventbridge: the topic or the event bus
    #[arg(long)]
    arn: Option<String>,
    /// Of sns and eventbridge: a role to assume
    #[arg(long, value_name = "ARN")]
    role_arn: Option<String>,
    /// Of sns and eventbridge: what the role's trust policy asks for
    #[arg(long, value_name = "ID")]
    external_id: Option<String>,
    /// Of sns and eventbridge: an access key, instead of what the gateway finds for itself; its secret comes from --secret-file
    #[arg(long, value_name = "ID")]
    access_key_id: Option<String>,
    /// Of smtp: the mail server
    #[arg(long)]
    host: Option<String>,
    /// Of smtp: its port; the usual one if left out
    #[arg(long)]
    port: Option<u16>,
    /// Of smtp: how the connection is protected: starttls (the default), tls or none
    #[arg(long, value_parser = security)]
    security: Option<MailSecurity>,
    /// Of smtp: as whom to sign in; the password comes from --secret-file
    #[arg(long)]
    username: Option<String>,
    /// Of smtp: from whom the mails are
    #[arg(long, value_name = "ADDRESS")]
    from: Option<String>,
    /// Of smtp: to whom they go; may be given several times
    #[arg(long, value_name = "ADDRESS")]
    to: Vec<String>,
    /// Of smtp: a file of certificates in PEM, whom to trust besides those that the gateway's machine trusts
    #[arg(long, value_name = "FILE")]
    ca_certificates: Option<PathBuf>,
    /// Of webhook, slack and smtp: it may be in a private network
    #[arg(long)]
    allow_private_address: bool,
    /// A file whose first line is the secret, - is standard input: of webhook the signing secret (one is made if none is given), of
    /// slack the address, of smtp the password, of sns and eventbridge the secret access key
    #[arg(long, value_name = "FILE")]
    secret_file: Option<PathBuf>,
}

fn security(text: &str) -> Result<MailSecurity, String> {
    let all: Vec<&str> = MailSecurity::ALL.iter().map(|one| one.as_str()).collect();
    super::one_of(text, MailSecurity::parse(text), &all)
}

impl Way {
    fn spec(self) -> Result<DestinationSpec, CliError> {
        let secret = match self.secret_file.as_deref() {
            None => None,
            Some(path) if path.as_os_str() == "-" => Some(secrets::line(None)?),
            Some(path) => Some(secrets::line(Some(path))?),
        };
        let ca_certificates = match &self.ca_certificates {
            None => None,
            Some(path) => {
                let text = std::fs::read_to_string(path);
                Some(text.map_err(|error| CliError::file("read", path, error))?)
            }
        };
        let mut spec = DestinationSpec {
            kind: Some(self.kind),
            url: self.url,
            arn: self.arn,
            role_arn: self.role_arn,
            external_id: self.external_id,
            access_key_id: self.access_key_id.map(Secret::new),
            host: self.host,
            port: self.port,
            security: self.security,
            username: self.username,
            from: self.from,
            to: (!self.to.is_empty()).then_some(self.to),
            ca_certificates,
            allow_private_address: self.allow_private_address.then_some(true),
            ..DestinationSpec::default()
        };
        match self.kind {
            DestinationKind::Webhook => spec.signing_secret = secret,
            DestinationKind::Slack => spec.slack_url = secret,
            DestinationKind::Smtp => spec.password = secret,
            DestinationKind::Sns | DestinationKind::EventBridge => spec.secret_access_key = secret,
        }
        Ok(spec)
    }
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let body = CreateDestination {
            name: self.name,
            team_id: names::maybe_team(client, self.team.as_deref()).await?,
            categories: (!self.categories.is_empty()).then_some(self.categories),
            settings: self.way.spec()?,
        };
        let made: CreatedDestination = client.send(Method::POST, paths::DESTINATIONS, &body).await?;
        drafted(context, &made).await
    }
}

impl Draft {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let id = names::destination(client, &self.destination).await?;
        let spec = self.way.spec()?;
        let path = paths::destination_draft(&id);
        let made: CreatedDestination = client.send(Method::PUT, &path, &spec).await?;
        drafted(context, &made).await
    }
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let id = names::destination(client, &self.destination).await?;
        let path = paths::destination(&id);
        let before: DestinationView = client.get(&path).await?;
        let team_id = match (self.no_team, self.team) {
            (true, _) => None,
            (false, Some(team)) => Some(names::team(client, &team).await?),
            (false, None) => before.team_id,
        };
        let body = UpdateDestination {
            name: self.name.unwrap_or(before.name),
            team_id,
            categories: match self.categories.is_empty() {
                true => before.categories,
                false => self.categories,
            },
            enabled: self.enable || (before.enabled && !self.disable),
        };
        let changed: DestinationView = client.send(Method::PUT, &path, &body).await?;
        show(context, &changed).await
    }
}

/// The destination, with the secret that was made for it, and what comes next.
async fn drafted(context: &Context, made: &CreatedDestination) -> Result<(), CliError> {
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(made, |made| {
        let mut text = shown(&made.destination, &names);
        if let Some(secret) = &made.signing_secret {
            text.push_str(&format!(
                "\n\nSigning secret, shown only now:\n  {}",
                secret.reveal()
            ));
        }
        let id = &made.destination.id;
        text.push_str(&format!(
            "\n\nIt is a draft. Next:\n  ccag notifications test {id}\n  ccag notifications activate {id}"
        ));
        text
    })
}
