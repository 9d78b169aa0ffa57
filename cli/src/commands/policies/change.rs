//! Adding a policy, and changing it.

use super::super::users::Role;
use super::super::{Context, at, replace};
use super::show;
use crate::error::CliError;
use crate::names;
use ccag_admin_api::{PolicyView, WritePolicy, paths};
use ccag_domain::Role as ApiRole;
use clap::{Args, ValueEnum};
use reqwest::Method;
use serde_json::{Map, Value};
use std::path::{Path, PathBuf};

#[derive(Debug, Args)]
pub(crate) struct Create {
    /// Its name, which people see when it refuses a model; no other policy may have it
    #[arg(long)]
    name: String,
    #[command(flatten)]
    says: Says,
}

#[derive(Debug, Args)]
pub(crate) struct Update {
    /// The policy's id or name
    policy: String,
    /// A new name
    #[arg(long)]
    name: Option<String>,
    #[command(flatten)]
    says: Says,
    /// What no longer matters for whom the policy is about; may be given several times
    #[arg(long, value_enum, value_name = "WHOM")]
    clear: Vec<Clear>,
}

/// Whom a policy is about, and what it says.
#[derive(Debug, Args)]
struct Says {
    /// Of policies about the same person the one with the higher number has the last word; at first 0
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    priority: Option<i64>,
    /// A team, by id or name, that it is about; may be given several times, and says which all of them are
    #[arg(long = "team", value_name = "TEAM")]
    teams: Vec<String>,
    /// A group at the identity provider that it is about; may be given several times, and says which all of them are
    #[arg(long = "group", value_name = "GROUP")]
    groups: Vec<String>,
    /// A role that it is about; may be given several times, and says which all of them are
    #[arg(long = "role", value_enum, value_name = "ROLE")]
    roles: Vec<Role>,
    /// A domain of e-mail addresses that it is about; may be given several times, and says which all of them are
    #[arg(long = "email-domain", value_name = "DOMAIN")]
    email_domains: Vec<String>,
    /// A model that may be used; may be given several times, and says which all of them are
    #[arg(long = "model", value_name = "MODEL", conflicts_with_all = ["no_models", "deny_all_models"])]
    models: Vec<String>,
    /// Say nothing of models
    #[arg(long, conflicts_with = "deny_all_models")]
    no_models: bool,
    /// No model may be used
    #[arg(long)]
    deny_all_models: bool,
    /// A file with the managed settings of Claude Code, a JSON object, which replaces what was said before; - is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "no_settings")]
    settings: Option<PathBuf>,
    /// Say nothing of settings
    #[arg(long)]
    no_settings: bool,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Clear {
    /// Teams
    Teams,
    /// Groups at the identity provider
    Groups,
    /// Roles
    Roles,
    /// Domains of e-mail addresses
    EmailDomains,
}

impl Says {
    /// What the policy said before, with what is said now.
    async fn apply(self, context: &Context, mut policy: WritePolicy) -> Result<WritePolicy, CliError> {
        let teams = names::teams(&context.client, &self.teams).await?;
        let subject = &mut policy.subject;
        replace(&mut subject.team_ids, teams);
        replace(&mut subject.groups, self.groups);
        replace(
            &mut subject.roles,
            self.roles.into_iter().map(ApiRole::from).collect(),
        );
        replace(&mut subject.email_domains, self.email_domains);
        policy.priority = self.priority.or(policy.priority);
        if self.no_models {
            policy.models = None;
        } else if self.deny_all_models || !self.models.is_empty() {
            policy.models = Some(self.models);
        }
        if self.no_settings {
            policy.settings = None;
        } else if let Some(file) = &self.settings {
            policy.settings = Some(read_settings(file)?);
        }
        Ok(policy)
    }
}

fn read_settings(file: &Path) -> Result<Map<String, Value>, CliError> {
    let text = if file == Path::new("-") {
        std::io::read_to_string(std::io::stdin())?
    } else {
        std::fs::read_to_string(file).map_err(|error| CliError::file("read", file, error))?
    };
    let wrong = |why: String| CliError::Usage(format!("the settings in {} are {why}", file.display()));
    match serde_json::from_str(&text) {
        Ok(Value::Object(settings)) => Ok(settings),
        Ok(_) => Err(wrong(
            "no JSON object, such as {\"cleanupPeriodDays\": 30}".to_owned(),
        )),
        Err(error) => Err(wrong(format!("no JSON: {error}"))),
    }
}

impl Create {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let blank = WritePolicy {
            name: self.name,
            ..WritePolicy::default()
        };
        let request = self.says.apply(context, blank).await?;
        let client = &context.client;
        let made: PolicyView = client.send(Method::POST, paths::POLICIES, &request).await?;
        show(context, &made).await
    }
}

impl Update {
    pub(super) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let id = names::policy(client, &self.policy).await?;
        let path = at(paths::POLICY, &id);
        let held: PolicyView = client.get(&path).await?;
        // The PUT replaces everything: what is not named goes along as it is held.
        let mut policy = WritePolicy {
            name: self.name.unwrap_or(held.name),
            priority: Some(held.priority),
            subject: held.subject,
            models: held.models,
            settings: held.settings,
        };
        for whom in self.clear {
            match whom {
                Clear::Teams => policy.subject.team_ids.clear(),
                Clear::Groups => policy.subject.groups.clear(),
                Clear::Roles => policy.subject.roles.clear(),
                Clear::EmailDomains => policy.subject.email_domains.clear(),
            }
        }
        let request = self.says.apply(context, policy).await?;
        let changed: PolicyView = client.send(Method::PUT, &path, &request).await?;
        show(context, &changed).await
    }
}
