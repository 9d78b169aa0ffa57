//! Usage records that could not be stored.

use super::Context;
use crate::error::CliError;
use crate::human::{moment, printable_line};
use crate::table::Table;
use ccag_admin_api::{ListQuarantine, QuarantineList, RetriedView, paths};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Usage records that could not be stored.
#[derive(Debug, Subcommand)]
pub(crate) enum Quarantine {
    /// List them, the newest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// The next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Take them in after all, as after an update that understands them
    Retry {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
    /// Forget them: what they say was used is never counted
    Dismiss {
        /// Their ids
        #[arg(required = true, value_name = "ID")]
        ids: Vec<String>,
    },
}

impl Quarantine {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List { limit, cursor } => {
                let query = ListQuarantine {
                    limit: Some(limit),
                    cursor,
                };
                let list: QuarantineList = client.get_with(paths::QUARANTINE, &query).await?;
                context.out.show(&list, table)
            }
            Self::Retry { ids } => {
                let mut retried: Vec<RetriedView> = Vec::new();
                for id in &ids {
                    retried.push(client.act(&paths::quarantined_retry(id)).await?);
                }
                context.out.show(&json!({ "records": retried }), |_| {
                    let line = |record: &RetriedView| {
                        let id = printable_line(&record.id);
                        if record.stored {
                            format!("{id} is in the ledger now.")
                        } else {
                            format!("{id} was in the ledger already.")
                        }
                    };
                    retried.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
            Self::Dismiss { ids } => {
                for id in &ids {
                    client.order(Method::DELETE, &paths::quarantined(id)).await?;
                }
                context.out.show(&json!({ "dismissed": ids }), |_| {
                    let line = |id: &String| format!("Dismissed {}.", printable_line(id));
                    ids.iter().map(line).collect::<Vec<_>>().join("\n")
                })
            }
        }
    }
}

fn table(list: &QuarantineList) -> String {
    let mut table = Table::new(&["ID", "PUT ASIDE", "DATA PLANE", "REASON"]);
    for record in &list.records {
        table.row([
            record.id.clone(),
            moment(Some(record.at)),
            record.replica_id.clone(),
            record.reason.clone(),
        ]);
    }
    let mut text = table.render("No record was put aside: the ledger is complete.");
    if let Some(cursor) = &list.next_cursor {
        text.push_str(&format!(
            "\n\n{} in all. More: ccag usage quarantine list --cursor {cursor}",
            list.total
        ));
    }
    text
}
