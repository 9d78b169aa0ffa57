//! The audit log.

use super::Context;
use crate::error::CliError;
use crate::human::{moment, printable_line};
use crate::table::Table;
use ccag_admin_api::{
    AuditEntryView, AuditList, AuditVerification, ListAudit, Timestamp, VerifyAudit, paths,
};
use ccag_domain::changes::field_changes;
use clap::{Args, Subcommand};
use std::fs::File;
use std::io::{self, Write};
use std::path::PathBuf;

/// Who changed what.
#[derive(Debug, Subcommand)]
pub(crate) enum Audit {
    /// List changes, the newest first, with what each made of which field
    ///
    /// What is long is cut; --json shows the whole.
    List {
        #[command(flatten)]
        of: Selection,
        /// How many at most
        #[arg(long, default_value_t = 100, value_parser = clap::value_parser!(u32).range(1..=1000))]
        limit: u32,
        /// The next_cursor of the page before
        #[arg(long)]
        cursor: Option<String>,
    },
    /// Write all of them as JSON Lines, the newest first
    Export {
        #[command(flatten)]
        of: Selection,
        /// Write to this file instead of standard output; it must not exist yet
        #[arg(long, short, value_name = "FILE")]
        output: Option<PathBuf>,
    },
    /// Check that no entry was changed or removed
    ///
    /// Each entry is sealed together with the one before it. The exit code is 1 if the log is not as it was written. Keep
    /// what is printed elsewhere: with --anchor it shows later that nothing up to that entry was changed, even by somebody
    /// who may write to the database.
    Verify {
        /// An entry that was kept elsewhere: its number and its hash
        #[arg(long, value_name = "NUMBER:HASH", value_parser = anchor)]
        anchor: Option<(i64, String)>,
    },
}

#[derive(Debug, Args)]
pub(crate) struct Selection {
    /// Only entries with this in who did it, in what was done, or in the id of what it was done to
    #[arg(long, short, value_name = "TEXT")]
    search: Option<String>,
    /// From this day or time on, in UTC: 2026-11-01 or 2026-11-01T06:00:00Z
    #[arg(long, value_name = "WHEN")]
    from: Option<Timestamp>,
    /// Up to this day or time, itself not included
    #[arg(long, value_name = "WHEN")]
    to: Option<Timestamp>,
}

impl Selection {
    fn query(&self, limit: u32, cursor: Option<String>) -> ListAudit {
        ListAudit {
            q: self.search.clone(),
            from: self.from,
            to: self.to,
            limit: Some(limit),
            cursor,
        }
    }
}

fn anchor(text: &str) -> Result<(i64, String), String> {
    text.split_once(':')
        .and_then(|(seq, hash)| Some((seq.parse().ok()?, hash.to_owned())))
        .ok_or_else(|| "write it as it was printed, as NUMBER:HASH".to_owned())
}

impl Audit {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        match self {
            Self::List { of, limit, cursor } => {
                let list: AuditList = client.get_with(paths::AUDIT, &of.query(limit, cursor)).await?;
                context.out.show(&list, table)
            }
            Self::Export { of, output } => export(context, &of, output).await,
            Self::Verify { anchor } => {
                let query = match anchor {
                    Some((seq, hash)) => VerifyAudit {
                        seq: Some(seq),
                        hash: Some(hash),
                    },
                    None => VerifyAudit::default(),
                };
                let done: AuditVerification = client.get_with(paths::AUDIT_VERIFY, &query).await?;
                context.out.show(&done, verified)?;
                match done.problem {
                    None => Ok(()),
                    Some(problem) => Err(CliError::Failed(problem)),
                }
            }
        }
    }
}

async fn export(context: &Context, of: &Selection, output: Option<PathBuf>) -> Result<(), CliError> {
    let mut to: Box<dyn Write> = match &output {
        Some(path) => {
            let made = File::create_new(path).map_err(|error| CliError::file("write", path, error))?;
            Box::new(io::BufWriter::new(made))
        }
        None => Box::new(io::stdout().lock()),
    };
    let failed = |error: io::Error| CliError::Local {
        what: "the entries cannot be written".to_owned(),
        error,
    };
    let mut cursor = None;
    loop {
        let list: AuditList = context
            .client
            .get_with(paths::AUDIT, &of.query(1_000, cursor))
            .await?;
        for entry in &list.entries {
            serde_json::to_writer(&mut to, entry).map_err(|error| failed(error.into()))?;
            to.write_all(b"\n").map_err(failed)?;
        }
        cursor = list.next_cursor;
        if cursor.is_none() {
            return to.flush().map_err(failed);
        }
    }
}

fn table(list: &AuditList) -> String {
    let mut table = Table::new(&[">NUMBER", "WHEN", "WHO", "WHAT", "ON", "CHANGED"]);
    for entry in &list.entries {
        table.row([
            entry.seq.map_or_else(String::new, |seq| seq.to_string()),
            moment(Some(entry.at)),
            who(entry),
            entry.action.clone(),
            entry.object_id.clone(),
            changed(entry),
        ]);
    }
    let mut text = table.render("There is no such entry.");
    if let Some(cursor) = &list.next_cursor {
        text.push_str(&format!("\n\nMore: ccag audit list --cursor {cursor}"));
    }
    text
}

/// The longest line of changes, in characters.
const CHANGES: usize = 100;

/// What the change made of each field, as far as a line holds it.
fn changed(entry: &AuditEntryView) -> String {
    let changes = field_changes(&entry.details);
    let all: Vec<String> = changes.iter().map(ToString::to_string).collect();
    let line = printable_line(&all.join("; "));
    match line.char_indices().nth(CHANGES) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line,
    }
}

fn who(entry: &AuditEntryView) -> String {
    let name = entry.actor_name.as_ref().unwrap_or(&entry.actor);
    printable_line(name)
}

fn verified(done: &AuditVerification) -> String {
    let mut text = format!("{} entries are as they were written.", done.sound);
    if done.before_chain > 0 {
        text.push_str(&format!(
            " {} are older than the chain, and nothing is known of them.",
            done.before_chain
        ));
    }
    if done.intact && done.seq > 0 {
        text.push_str(&format!("\nThe last one: {}:{}", done.seq, done.hash));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_anchor_is_a_number_and_a_hash() {
        assert_eq!(anchor("7:ab").unwrap(), (7, "ab".to_owned()));
        assert!(anchor("7").is_err() && anchor("x:ab").is_err());
    }
}
