//! What Bedrock takes.

use super::Context;
use crate::clock;
use crate::error::CliError;
use crate::human::{ago, count, moment, or_none};
use crate::table::Table;
use ccag_admin_api::{CapabilitiesView, RuleView, WriteRule, paths};
use ccag_domain::RuleId;
use clap::Subcommand;
use reqwest::Method;
use serde_json::{Value, json};

/// What Bedrock takes: the rules, what was learnt from refusals, and what was left out or is unknown.
#[derive(Debug, Subcommand)]
pub(crate) enum Capabilities {
    /// Show the versions of the rules, your own rules, and what was learnt
    Show,
    /// Show what was left out of requests and answers, and what no rule names
    Seen,
    /// Write the rules of a surface that are in force, whole, as JSON
    Book {
        /// The surface of Bedrock
        #[arg(default_value = "invoke-model")]
        surface: String,
        /// Another version than the one in force
        #[arg(long)]
        version: Option<String>,
    },
    /// Add a rule, which counts before the shipped ones for conversations that begin from then on
    ///
    /// For example: ccag capabilities add betas
    /// '{"name": "new-thing-2030-01-01", "do": "keep", "models": {"from": "5.0"}, "source": "ticket 7"}'
    Add {
        /// The table: betas, fields, tools, tool_fields, blocks, and so on
        table: String,
        /// The rule as JSON, in the form of the table's rows (see `ccag capabilities book`)
        rule: String,
        /// The surface of Bedrock
        #[arg(long, default_value = "invoke-model")]
        surface: String,
    },
    /// Put another rule in the place of one of your own
    Replace {
        /// The rule's id
        id: RuleId,
        /// The table
        table: String,
        /// The rule as JSON
        rule: String,
        /// The surface of Bedrock
        #[arg(long, default_value = "invoke-model")]
        surface: String,
    },
    /// Take away rules of your own
    Delete {
        /// The rules' ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<RuleId>,
    },
    /// Forget something that was learnt, so that the next conversation tries it again
    Forget {
        /// The ids of what was learnt
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

impl Capabilities {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        match self {
            Self::Show => show(context).await,
            Self::Seen => seen(context).await,
            Self::Book { surface, version } => {
                let path = paths::capability_book(&surface);
                let book: Value = context
                    .client
                    .get_with(&path, &json!({ "version": version }))
                    .await?;
                context.out.show(&book, |book| format!("{book:#}"))
            }
            Self::Add { table, rule, surface } => {
                let request = write(surface, table, &rule)?;
                let rule: RuleView = context
                    .client
                    .send(Method::POST, paths::CAPABILITY_RULES, &request)
                    .await?;
                written(context, &rule)
            }
            Self::Replace {
                id,
                table,
                rule,
                surface,
            } => {
                let request = write(surface, table, &rule)?;
                let path = paths::capability_rule(&id);
                let rule: RuleView = context.client.send(Method::PUT, &path, &request).await?;
                written(context, &rule)
            }
            Self::Delete { ids } => {
                for id in &ids {
                    context
                        .client
                        .order(Method::DELETE, &paths::capability_rule(id))
                        .await?;
                }
                let all: Vec<String> = ids.iter().map(ToString::to_string).collect();
                gone(context, &all)
            }
            Self::Forget { ids } => {
                for id in &ids {
                    context
                        .client
                        .order(Method::DELETE, &paths::learnt_fact(id))
                        .await?;
                }
                gone(context, &ids)
            }
        }
    }
}

fn write(surface: String, table: String, rule: &str) -> Result<WriteRule, CliError> {
    let rule = serde_json::from_str(rule).map_err(|error| {
        CliError::Usage(format!(
            "the rule is not JSON ({error}); write it like '{{\"name\": \"…\", \"do\": \"drop\", \"source\": \"…\"}}'"
        ))
    })?;
    Ok(WriteRule { surface, table, rule })
}

fn written(context: &Context, rule: &RuleView) -> Result<(), CliError> {
    context.out.show(rule, |rule| {
        format!(
            "{} is in force for conversations that begin from now on: {} {}",
            rule.id, rule.table, rule.rule
        )
    })
}

fn gone(context: &Context, ids: &[String]) -> Result<(), CliError> {
    context.out.show(&json!({ "deleted": ids }), |_| {
        format!("Deleted {}.", ids.join(", "))
    })
}

async fn show(context: &Context) -> Result<(), CliError> {
    let view: CapabilitiesView = context.client.get(paths::CAPABILITIES).await?;
    let now = clock::now();
    context.out.show(&view, |view| {
        let mut versions = Table::new(&["SURFACE", "VERSION", "STATE", "MADE", "WHY"]);
        for surface in &view.surfaces {
            for version in &surface.versions {
                let in_force = version.version == surface.version;
                versions.row([
                    surface.surface.clone(),
                    version.version.clone(),
                    if in_force { "in force" } else { "kept" }.to_owned(),
                    moment(Some(version.made_at)),
                    version.reason.clone(),
                ]);
            }
        }
        let mut own = Table::new(&["ID", "SURFACE", "TABLE", "RULE", "CHANGED"]);
        for rule in &view.rules {
            own.row([
                rule.id.to_string(),
                rule.surface.clone(),
                rule.table.clone(),
                rule.rule.to_string(),
                moment(Some(rule.changed_at)),
            ]);
        }
        let mut learnt = Table::new(&["ID", "LEFT OUT", "ENDPOINT", "MODEL", "RULES", "LEARNT"]);
        for fact in &view.learnt {
            learnt.row([
                fact.id.clone(),
                format!("{} {}", fact.kind, fact.value).trim_end().to_owned(),
                or_none(fact.endpoint_name.as_ref()),
                fact.bedrock_model.clone(),
                fact.version.clone(),
                ago(fact.learnt_at, now),
            ]);
        }
        format!(
            "Versions of the rules\n\n{}\n\nYour own rules, the newest first\n\n{}\n\nLearnt from Bedrock's refusals\n\n{}",
            versions.render("None."),
            own.render("None. Add one with `ccag capabilities add TABLE RULE`."),
            learnt.render("Nothing.")
        )
    })
}

async fn seen(context: &Context) -> Result<(), CliError> {
    let view: CapabilitiesView = context.client.get(paths::CAPABILITIES).await?;
    let now = clock::now();
    context.out.show(&view.seen, |seen| {
        let mut table = Table::new(&["KIND", "NAME", "RULES", ">TIMES", "LAST"]);
        for one in seen {
            table.row([
                one.kind.clone(),
                one.name.clone(),
                if one.known { "known" } else { "unknown" }.to_owned(),
                count(one.count),
                ago(one.last_seen_at, now),
            ]);
        }
        table.render("Nothing: everything that clients have sent went to Bedrock.")
    })
}
