//! Policies: which models people may use, and what their Claude Code is told.

mod change;

use self::change::{Create, Update};
use super::{Context, at};
use crate::error::CliError;
use crate::human::{moment, printable};
use crate::names::{self, Names};
use crate::table::{Table, card};
use ccag_admin_api::{ManagedSettings, PolicyList, PolicyPreview, PolicyView, paths};
use ccag_domain::PolicyMatch;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Map, Value, json};

/// Policies: which models people may use, and what their Claude Code is told.
#[derive(Debug, Subcommand)]
pub(crate) enum Policies {
    /// List all policies, those that have the last word first
    List,
    /// Show one policy, with its settings
    Show {
        /// The policy's id or name
        policy: String,
    },
    /// Add a policy
    ///
    /// Of the policies about the same person the one with the highest priority that names models says which they may use; the
    /// settings of all of them are merged, the highest priority having the last word. A policy of which nothing says whom it is
    /// about is about everybody.
    ///
    /// For example: ccag policies create --name 'No web' --priority 10 --group contractors --model claude-sonnet-5
    /// --settings settings.json
    Create(Create),
    /// Change a policy; what is not named stays as it is
    ///
    /// For example: ccag policies update 'No web' --priority 20 --no-settings
    Update(Update),
    /// Delete a policy
    Delete {
        /// The policy's id or name
        policy: String,
    },
    /// Show what a user's Claude Code is told, and which models they may use
    Preview {
        /// The user's id or name
        user: String,
    },
}

impl Policies {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List => list(context).await,
            Self::Show { policy } => {
                let id = names::policy(client, &policy).await?;
                let policy: PolicyView = client.get(&at(paths::POLICY, &id)).await?;
                show(context, &policy).await
            }
            Self::Create(command) => command.run(context).await,
            Self::Update(command) => command.run(context).await,
            Self::Delete { policy } => {
                let id = names::policy(client, &policy).await?;
                client.order(Method::DELETE, &at(paths::POLICY, &id)).await?;
                context
                    .out
                    .show(&json!({ "deleted": [id] }), |_| format!("Deleted {id}."))
            }
            Self::Preview { user } => {
                let id = names::user(client, &user).await?;
                let found: PolicyPreview = client.get(&at(paths::USER_POLICY, &id)).await?;
                context.out.show(&found, previewed)
            }
        }
    }
}

async fn list(context: &Context) -> Result<(), CliError> {
    let list: PolicyList = context.client.get(paths::POLICIES).await?;
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(&list, |list| {
        let mut table = Table::new(&["ID", "NAME", ">PRIORITY", "ABOUT", "MODELS", "SETTINGS"]);
        for policy in &list.policies {
            table.row([
                policy.id.to_string(),
                policy.name.clone(),
                policy.priority.to_string(),
                about(&policy.subject, &names),
                models(policy.models.as_deref()),
                settings(policy.settings.as_ref()),
            ]);
        }
        table.render(
            "No policies: everybody may use all models of their team, and Claude Code is told nothing.",
        )
    })
}

async fn show(context: &Context, policy: &PolicyView) -> Result<(), CliError> {
    let names = Names::for_people(&context.client, context.out).await?;
    context.out.show(policy, |policy| {
        let mut text = card(&[
            ("Id", policy.id.to_string()),
            ("Name", policy.name.clone()),
            ("Priority", policy.priority.to_string()),
            ("About", about(&policy.subject, &names)),
            ("Models", models(policy.models.as_deref())),
            ("Settings", settings(policy.settings.as_ref())),
            ("Version", policy.version.to_string()),
            ("Created", moment(Some(policy.created_at))),
            ("Changed", moment(Some(policy.updated_at))),
        ]);
        if let Some(settings) = &policy.settings {
            text.push_str(&format!("\n\n{}", document(&Value::Object(settings.clone()))));
        }
        text
    })
}

fn about(subject: &PolicyMatch, names: &Names) -> String {
    let part = |what: &str, entries: Vec<String>| {
        (!entries.is_empty()).then(|| format!("{what} {}", entries.join(" or ")))
    };
    let teams = subject.team_ids.iter().map(|id| names.team(Some(id))).collect();
    let roles = subject.roles.iter().map(ToString::to_string).collect();
    let parts: Vec<String> = [
        part("team", teams),
        part("group", subject.groups.clone()),
        part("role", roles),
        part("e-mail at", subject.email_domains.clone()),
    ]
    .into_iter()
    .flatten()
    .collect();
    match parts.as_slice() {
        [] => "everybody".to_owned(),
        parts => parts.join(", "),
    }
}

fn models(models: Option<&[String]>) -> String {
    match models {
        None => "says nothing".to_owned(),
        Some([]) => "none may be used".to_owned(),
        Some(models) => models.join(", "),
    }
}

fn settings(settings: Option<&Map<String, Value>>) -> String {
    settings.map_or_else(
        || "says nothing".to_owned(),
        |settings| settings.keys().cloned().collect::<Vec<_>>().join(", "),
    )
}

fn document(settings: &Value) -> String {
    printable(&format!("{settings:#}"))
}

fn previewed(found: &PolicyPreview) -> String {
    let policies = match found.policies.as_slice() {
        [] => "none".to_owned(),
        policies => policies.join(", then "),
    };
    let models = match (&found.models, &found.models_by) {
        (None, _) => "all that their team may use".to_owned(),
        (Some(models), Some(by)) => format!("{} (says {by})", self::models(Some(models))),
        (Some(models), None) => self::models(Some(models)),
    };
    let told = |settings: &ManagedSettings| format!("what stands below ({})", settings.checksum);
    let settings = found.settings.as_ref();
    let mut text = card(&[
        ("Policies", policies),
        ("Models", models),
        (
            "Claude Code is told",
            settings.map_or_else(|| "nothing".to_owned(), told),
        ),
    ]);
    if let Some(settings) = settings {
        text.push_str(&format!("\n\n{}", document(&settings.settings)));
    }
    text
}
