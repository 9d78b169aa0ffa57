//! Whether identity providers can be asked, for `--check-config`.

use super::providers::Described;
use super::{Known, Provider};
use crate::store::Store;
use ccag_admin_api::ProviderRules;
use ccag_daemon::{OsRng, SystemClock};
use ccag_doctor::checks::IDENTITY_PROVIDER;
use ccag_doctor::{Finding, within};
use ccag_domain::ProviderId;
use futures_util::future::join_all;
use std::time::Duration;

/// How long a provider may take.
const LIMIT: Duration = Duration::from_secs(25);

/// Asks every enabled provider in the database, and the one that the configuration describes if that is not among them.
pub(crate) async fn look(store: Option<&Store>, described: Option<&Described>) -> Vec<Finding> {
    let mut findings = Vec::new();
    let mut providers = Vec::new();
    if let Some(store) = store {
        match store.list_providers().await {
            Ok(rows) => {
                for row in rows.iter().filter(|row| row.enabled) {
                    match Provider::read(store.secrets(), row) {
                        Ok(provider) => providers.push(provider),
                        Err(_) => findings.push(IDENTITY_PROVIDER.fault(
                            &row.name,
                            "its client secret cannot be opened with the configured master keys",
                            "configure the master key that it was sealed under (CCAG_OTHER_MASTER_KEYS), or enter the secret anew",
                        )),
                    }
                }
            }
            Err(error) => findings.push(IDENTITY_PROVIDER.skipped("identity providers", error.to_string())),
        }
    }
    if let Some(described) = described
        && !providers.iter().any(|known| known.issuer == described.issuer)
    {
        providers.push(of(described));
    }
    let known = match Known::new() {
        Ok(known) => known,
        Err(error) => {
            findings.push(IDENTITY_PROVIDER.skipped("identity providers", error.to_string()));
            return findings;
        }
    };
    let asked = providers.iter().map(|provider| {
        let subject = format!("{}, {}", provider.name, provider.issuer);
        let known = &known;
        async move {
            Box::pin(within(
                LIMIT,
                &IDENTITY_PROVIDER,
                &subject,
                ask(known, provider, &subject),
            ))
            .await
        }
    });
    findings.extend(join_all(asked).await.into_iter().flatten());
    findings
}

fn of(described: &Described) -> Provider {
    Provider {
        id: ProviderId::generate(&SystemClock, &OsRng),
        name: described.name.clone(),
        issuer: described.issuer.clone(),
        client_id: described.client_id.clone(),
        client_secret: described.client_secret.clone(),
        rules: ProviderRules {
            jwks_url: described.jwks_url.clone(),
            ..ProviderRules::default()
        },
        updated_at_ms: 0,
    }
}

async fn ask(known: &Known, provider: &Provider, subject: &str) -> Vec<Finding> {
    vec![match Box::pin(known.fetch(provider)).await {
        Ok(metadata) if metadata.jwks().keys().is_empty() => IDENTITY_PROVIDER.fault(
            subject,
            "it answers, and has no keys to sign with",
            "look at the provider's key set, or at the address of keys that is configured for it",
        ),
        Ok(metadata) => {
            let keys = metadata.jwks().keys().len();
            IDENTITY_PROVIDER.ok(subject, format!("it answers, and has {keys} key(s)"))
        }
        Err(problem) => {
            let advice = if problem.message.contains("unexpected issuer") {
                "write the issuer exactly as the provider's discovery document says it, with or without a slash at its end"
            } else {
                "look at the issuer's address, at the way there from the control plane (firewall, HTTPS_PROXY), and at the certificates \
                 that this machine trusts; people who are signed in stay so"
            };
            IDENTITY_PROVIDER.fault(subject, problem.message, advice)
        }
    }]
}
