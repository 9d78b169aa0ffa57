//! What an operator does with the program besides starting it.

use anyhow::Result;
use ccag_aws::{AwsSettings, ControlConfig};
use ccag_controlplane::app::{import, upkeep};
use ccag_controlplane::store::moving;
use ccag_controlplane::{World, config, master_key, offline};
use ccag_daemon::{OsRng, SystemClock};
use clap::Subcommand;
use std::io::Write;
use std::path::Path;
use std::sync::Arc;

/// Commands that do something and end.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Master keys: what secrets in the database, and cookies, are protected with
    #[command(subcommand)]
    MasterKey(MasterKey),
    /// Bring the data of the existing gateway (Claude Code AWS Gateway 1.9) into this one
    ///
    /// Teams, users, keys, which go on working, budgets, endpoints, identity providers and what was spent. What is here
    /// already is not changed. It can be done again, to bring in what is new since.
    ImportCcag {
        /// The PostgreSQL database of the existing gateway, which is only read
        #[arg(long, value_name = "URL", env = "CCAG_IMPORT_FROM", hide_env_values = true)]
        from: String,
        /// Only say what would be done
        #[arg(long)]
        dry_run: bool,
        /// Leave out what was spent
        #[arg(long)]
        no_history: bool,
    },
    /// Move everything from the configured SQLite database to an empty PostgreSQL database
    ///
    /// No gateway may be running on it. The SQLite database stays as it is.
    Move {
        /// The PostgreSQL database
        #[arg(long, value_name = "URL", env = "CCAG_MOVE_TO", hide_env_values = true)]
        to: String,
    },
    /// Write the configured SQLite database into a file, while the gateway goes on
    Backup {
        /// A file that does not exist yet
        #[arg(long, value_name = "FILE")]
        to: String,
    },
    /// After a backup was restored, before the first start: let data planes take everything anew
    Restored,
}

#[derive(Subcommand)]
pub(crate) enum MasterKey {
    /// Make a new key and print it, as CCAG_MASTER_KEY is to be set
    ///
    /// Without an option the key itself is printed: keep it safe. With --kms-key-id a data key is made under a key of AWS KMS
    /// that opens it again, and what is printed is worth nothing without that: it needs kms:GenerateDataKeyWithoutPlaintext
    /// now, and kms:Decrypt whenever a control plane starts.
    New {
        /// A key of AWS KMS: its id, its ARN, or alias/NAME
        #[arg(long, value_name = "KEY")]
        kms_key_id: Option<String>,
        /// The region of that key, where it is not the usual one and KEY is no ARN
        #[arg(long, requires = "kms_key_id")]
        region: Option<String>,
    },
    /// Print the ids of the configured keys, the current one first
    ///
    /// They are the ids that `ccag secrets status` shows. Keys in AWS KMS are opened for it, so this also shows whether that
    /// works here.
    Ids,
}

impl Command {
    /// Does it, and prints what comes of it to standard output.
    pub(crate) async fn run(self, file: Option<&Path>) -> Result<()> {
        let text = match self {
            Self::MasterKey(command) => Box::pin(command.run(file)).await?,
            Self::ImportCcag {
                from,
                dry_run,
                no_history,
            } => {
                let config = config::load(file)?.plane;
                let (app, report) = Box::pin(offline(&config, World::default())).await?;
                crate::announce(&report)?;
                let options = import::Options {
                    from,
                    dry_run,
                    history: !no_history,
                };
                let report = Box::pin(import::run(&app, &options, &progress)).await?;
                report.to_string().trim_end().to_owned()
            }
            Self::Move { to } => {
                let config = config::load(file)?.plane;
                let copied = Box::pin(moving::copy(&config.database.url, &to, &progress)).await?;
                let rows: u64 = copied.iter().map(|table| table.rows).sum();
                format!(
                    "{} tables with {rows} rows have arrived as they were sent. Set DATABASE_URL to the new database, and keep \
                     the master key.",
                    copied.len()
                )
            }
            Self::Backup { to } => {
                let config = config::load(file)?.plane;
                Box::pin(moving::back_up(&config.database.url, &to)).await?;
                format!(
                    "{to} holds the database. It is worth nothing without the master key: keep that too, elsewhere."
                )
            }
            Self::Restored => {
                let config = config::load(file)?.plane;
                let (app, _) = Box::pin(offline(&config, World::default())).await?;
                upkeep::restored(&app).await?;
                "Data planes will take everything anew.".to_owned()
            }
        };
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }
}

/// Tells how far something has come, beside its result.
fn progress(text: String) {
    // Nobody may be listening any more.
    let _ = writeln!(std::io::stderr(), "{text}");
}

impl MasterKey {
    async fn run(self, file: Option<&Path>) -> Result<String> {
        Ok(match self {
            Self::New { kms_key_id: None, .. } => master_key::new_plain(&OsRng).to_string(),
            Self::New {
                kms_key_id: Some(key),
                region,
            } => {
                let client = ControlConfig {
                    ca_bundle: std::env::var_os("AWS_CA_BUNDLE")
                        .filter(|path| !path.is_empty())
                        .map(Into::into),
                    ..ControlConfig::default()
                };
                let (aws, clock) = (AwsSettings::default(), Arc::new(SystemClock));
                Box::pin(master_key::new_in_kms(
                    aws,
                    client,
                    clock,
                    &key,
                    region.as_deref(),
                ))
                .await?
            }
            Self::Ids => {
                let config = config::load(file)?.plane;
                let clock = Arc::new(SystemClock);
                let opening = config.master_keys.open(&config.aws, &config.aws_client, clock);
                let keys = Box::pin(opening).await?;
                keys.ids().join("\n")
            }
        })
    }
}
