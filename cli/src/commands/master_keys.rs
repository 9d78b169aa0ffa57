//! Secrets at rest, and the master keys that they are kept under.

use super::Context;
use crate::error::CliError;
use crate::human::{count, printable_line};
use crate::table::Table;
use ccag_admin_api::{ResealReport, SecretsView, paths};
use clap::Subcommand;
use reqwest::Method;
use serde_json::json;

/// Secrets at rest.
#[derive(Debug, Subcommand)]
pub(crate) enum Secrets {
    /// Show how many secrets are kept under which master key, and which no key opens
    ///
    /// The exit code is 1 if there are secrets that no key opens. A key under which there are none may be taken out of
    /// CCAG_OTHER_MASTER_KEYS.
    Status,
    /// Keep all secrets under the current master key
    ///
    /// Do it when every control plane has the new key as CCAG_MASTER_KEY and the old one in CCAG_OTHER_MASTER_KEYS. It can be
    /// repeated. The exit code is 1 if there are secrets that no key opens: they stay as they are.
    Reseal,
}

impl Secrets {
    pub(crate) async fn run(self, context: &Context) -> Result<(), CliError> {
        let client = &context.client;
        let unreadable = match self {
            Self::Status => {
                let view: SecretsView = client.get(paths::SECRETS).await?;
                context.out.show(&view, status)?;
                view.unreadable
            }
            Self::Reseal => {
                let done: ResealReport = client
                    .send(Method::POST, paths::SECRETS_RESEAL, &json!({}))
                    .await?;
                context.out.show(&done, resealed)?;
                done.unreadable
            }
        };
        match unreadable {
            0 => Ok(()),
            lost => Err(CliError::Failed(format!(
                "{} cannot be opened with any key that the gateway knows: list the key of before in CCAG_OTHER_MASTER_KEYS, or enter them again",
                secrets(lost)
            ))),
        }
    }
}

fn secrets(n: u64) -> String {
    match n {
        1 => "1 secret".to_owned(),
        n => format!("{} secrets", count(n)),
    }
}

fn status(view: &SecretsView) -> String {
    let mut keys = Table::new(&["KEY", "USE", ">SECRETS"]);
    for key in &view.keys {
        let used = match (key.current, key.secrets) {
            (true, _) => "current",
            (false, 0) => "may go",
            (false, _) => "needed",
        };
        keys.row([key.id.clone(), used.to_owned(), count(key.secrets)]);
    }
    let mut text = keys.render("No key is known.");
    let mut kinds = Table::new(&["KIND", "KEY", ">SECRETS"]);
    for kind in &view.kinds {
        for (key, n) in &kind.under {
            kinds.row([kind.kind.clone(), key.clone(), count(*n)]);
        }
    }
    text.push_str("\n\n");
    text.push_str(&kinds.render("No secrets are kept."));
    if view.unreadable > 0 {
        let mut lost = Table::new(&["CANNOT BE OPENED", "OF", "NEEDS KEY"]);
        for secret in &view.unreadable_secrets {
            let key = secret.key.clone().unwrap_or_else(|| "unknown".to_owned());
            lost.row([
                secret.kind.clone(),
                printable_line(&secret.id),
                printable_line(&key),
            ]);
        }
        text.push_str("\n\n");
        text.push_str(&lost.render(""));
    }
    if view.to_reseal > 0 {
        text.push_str(&format!(
            "\n\n{} to be brought under the current key: ccag secrets reseal",
            match view.to_reseal {
                1 => "1 secret is".to_owned(),
                n => format!("{} secrets are", count(n)),
            }
        ));
    }
    text
}

fn resealed(done: &ResealReport) -> String {
    let mut table = Table::new(&["KIND", ">RESEALED"]);
    for (kind, n) in &done.resealed {
        table.row([kind.clone(), count(*n)]);
    }
    format!(
        "Key: {}\n\n{}",
        done.key,
        table.render("All secrets were kept under it already.")
    )
}
