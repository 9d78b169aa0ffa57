//! What an operator does with the program besides starting it.

use anyhow::Result;
use ccag_aws::{AwsSettings, ControlConfig};
use ccag_controlplane::{config, master_key};
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
        let Self::MasterKey(command) = self;
        let text = match command {
            MasterKey::New { kms_key_id: None, .. } => master_key::new_plain(&OsRng).to_string(),
            MasterKey::New {
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
            MasterKey::Ids => {
                let config = config::load(file)?.plane;
                let clock = Arc::new(SystemClock);
                let opening = config.master_keys.open(&config.aws, &config.aws_client, clock);
                let keys = Box::pin(opening).await?;
                keys.ids().join("\n")
            }
        };
        Ok(writeln!(std::io::stdout(), "{text}")?)
    }
}
