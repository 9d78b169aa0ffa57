//! What the gateway itself knows of how it is, for those who may see it.

use super::fleet;
use crate::client::Client;
use crate::clock;
use crate::error::CliError;
use ccag_admin_api::{
    CheckResult, DeliveryList, EndpointList, EndpointModels, EndpointTest, EndpointView, KeyList, KeyState,
    ListDeliveries, ListKeys, ListQuarantine, Me, ProviderList, ProviderTest, QuarantineList, SecretsView,
    paths,
};
use ccag_doctor::checks::{
    ENDPOINT_RIGHTS, EXPIRY, IDENTITY_PROVIDER, MODEL_ACCESS, NOTIFICATIONS, QUARANTINE, SECRETS, SESSION,
};
use ccag_doctor::{Check, Finding, within};
use ccag_domain::{Availability, DeliveryState};
use serde::de::DeserializeOwned;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long one question may take. AWS is asked for some.
const LIMIT: Duration = Duration::from_secs(60);

/// Keys that end so soon are told, in milliseconds.
const SOON_MS: i64 = 14 * 86_400_000;

/// What only data planes do at an endpoint.
const INVOKES: [&str; 4] = [
    "bedrock:InvokeModel",
    "bedrock:InvokeModelWithResponseStream",
    "bedrock:CountTokens",
    "bedrock:ApplyGuardrail",
];

/// So many keys are looked at.
const KEYS: u32 = 500;

/// Nobody is signed in.
pub(super) fn nobody() -> Finding {
    SESSION.skipped(
        "this gateway",
        "you are not signed in, so that what the gateway itself knows is left out: ccag login",
    )
}

/// There is no control plane to ask.
pub(super) fn not_there() -> Finding {
    SESSION.skipped(
        "this gateway",
        "there is no control plane to ask what the gateway knows",
    )
}

/// Looks at everything that this person may see.
pub(super) async fn look(client: &Client) -> Result<Vec<Finding>, CliError> {
    let me: Me = match client.get(paths::ME).await {
        Ok(me) => me,
        Err(error) => {
            let advice = format!("sign in anew: ccag login --url {}", client.url());
            return Ok(vec![SESSION.warning(client.url(), first_line(&error), advice)]);
        }
    };
    let mut findings = vec![SESSION.ok(
        client.url(),
        format!("signed in as {}, {}", me.user.username, me.user.role.as_str()),
    )];
    let (fleet, endpoints, providers, secrets, expiry, told, aside) = tokio::join!(
        within(
            LIMIT,
            &ccag_doctor::checks::FLEET,
            "data planes",
            fleet::look(client)
        ),
        Box::pin(within(LIMIT, &ENDPOINT_RIGHTS, "endpoints", endpoints(client))),
        within(LIMIT, &IDENTITY_PROVIDER, "identity providers", providers(client)),
        within(LIMIT, &SECRETS, "secrets", secrets(client)),
        within(LIMIT, &EXPIRY, "keys", expiry(client)),
        within(LIMIT, &NOTIFICATIONS, "notifications", notifications(client)),
        within(LIMIT, &QUARANTINE, "usage records", quarantine(client)),
    );
    for more in [fleet, endpoints, providers, secrets, expiry, told, aside] {
        findings.extend(more);
    }
    Ok(findings)
}

/// Asks, or says why there is no answer: most often one may not see it.
pub(super) async fn ask<T: DeserializeOwned>(
    client: &Client,
    check: &'static Check,
    subject: &str,
    path: &str,
) -> Result<T, Vec<Finding>> {
    let asked = client.get(path).await;
    asked.map_err(|error| vec![check.skipped(subject, first_line(&error))])
}

fn first_line(error: &CliError) -> String {
    error.to_string().lines().next().unwrap_or_default().to_owned()
}

async fn endpoints(client: &Client) -> Vec<Finding> {
    let list: EndpointList = match ask(client, &ENDPOINT_RIGHTS, "endpoints", paths::ENDPOINTS).await {
        Ok(list) => list,
        Err(findings) => return findings,
    };
    let mut findings = Vec::new();
    for endpoint in list.endpoints.iter().filter(|endpoint| endpoint.enabled) {
        let (rights, access) = tokio::join!(rights(client, endpoint), access(client, endpoint));
        findings.extend(rights);
        findings.extend(access);
    }
    findings
}

async fn rights(client: &Client, endpoint: &EndpointView) -> Vec<Finding> {
    let subject = format!("endpoint {}", endpoint.name);
    let test: EndpointTest = match client.act(&paths::endpoint_test(&endpoint.id)).await {
        Ok(test) => test,
        Err(error) => return vec![ENDPOINT_RIGHTS.skipped(subject, first_line(&error))],
    };
    let mut denied: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut others: BTreeSet<&str> = BTreeSet::new();
    for check in test
        .checks
        .iter()
        .filter(|check| check.result != CheckResult::Allowed)
    {
        match (&check.resource, &check.message) {
            (Some(resource), _) => {
                denied.entry(&check.action).or_default().insert(resource);
            }
            (None, Some(message)) => {
                others.insert(message);
            }
            (None, None) => {}
        }
    }
    let whose = match test.own_credentials {
        true => "the control plane's credentials",
        false => "the endpoint's credentials",
    };
    let mut findings: Vec<Finding> = denied
        .iter()
        .map(|(action, on)| {
            let on: Vec<&str> = on.iter().copied().take(3).collect();
            let found = format!("{action} is not allowed on {}", on.join(", "));
            let name = &endpoint.name;
            // Data planes have credentials of their own, and invoke models with those.
            match test.own_credentials && INVOKES.contains(action) {
                true => ENDPOINT_RIGHTS.warning(
                    &subject,
                    format!("{found}, with the control plane's own credentials"),
                    format!(
                        "if data planes use the same credentials, add {action} to their policy; ccag-dataplane --check-config says what theirs \
                         may do"
                    ),
                ),
                false => ENDPOINT_RIGHTS.fault(
                    &subject,
                    found,
                    format!(
                        "add {action} to the policy of {whose}; ccag endpoints test {name} prints the statements that are missing"
                    ),
                ),
            }
        })
        .collect();
    findings.extend(others.iter().map(|message| {
        ENDPOINT_RIGHTS.fault(
            &subject,
            *message,
            format!("look at the region, the role and the network of the endpoint, and at {whose}"),
        )
    }));
    if findings.is_empty() {
        findings.push(ENDPOINT_RIGHTS.ok(subject, format!("{} operations are allowed", test.checks.len())));
    }
    findings
}

async fn access(client: &Client, endpoint: &EndpointView) -> Vec<Finding> {
    let subject = format!("endpoint {}", endpoint.name);
    let path = paths::endpoint_models(&endpoint.id);
    let models: EndpointModels = match ask(client, &MODEL_ACCESS, &subject, &path).await {
        Ok(models) => models,
        Err(findings) => return findings,
    };
    let mut findings = Vec::new();
    if let Some(error) = &models.error {
        let advice = format!(
            "correct it, and ask again: ccag endpoints discover {}",
            endpoint.name
        );
        findings.push(MODEL_ACCESS.fault(
            &subject,
            format!("AWS could not be asked what there is: {error}"),
            advice,
        ));
    }
    if models.discovered_at.is_none() {
        findings.push(MODEL_ACCESS.skipped(
            &subject,
            format!("AWS was not asked yet: ccag endpoints discover {}", endpoint.name),
        ));
        return findings;
    }
    for model in &models.models {
        let (Some(name), Some(view)) = (&model.model, &model.availability) else {
            continue;
        };
        if matches!(view.known, Availability::Hindered { .. }) {
            findings.push(MODEL_ACCESS.warning(
                format!("{subject}, {name}"),
                &view.text,
                "make the agreement or the authorisation in the Bedrock console of that account, or take the model away from the teams",
            ));
        }
    }
    if !models
        .models
        .iter()
        .any(|model| model.model.is_some() && model.invoked.is_some())
    {
        findings.push(MODEL_ACCESS.fault(
            &subject,
            "it offers no model that the gateway serves",
            "look whether the region is one in which Claude is offered, and at the endpoint's geography",
        ));
    }
    if findings.is_empty() {
        findings.push(MODEL_ACCESS.ok(
            subject,
            format!("{} models, and nothing stands in the way", models.models.len()),
        ));
    }
    findings
}

async fn providers(client: &Client) -> Vec<Finding> {
    let list: ProviderList =
        match ask(client, &IDENTITY_PROVIDER, "identity providers", paths::PROVIDERS).await {
            Ok(list) => list,
            Err(findings) => return findings,
        };
    let mut findings = Vec::new();
    for provider in list.idps.iter().filter(|provider| provider.enabled) {
        let subject = format!("{}, {}", provider.name, provider.issuer_url);
        let path = super::super::at(paths::PROVIDER_TEST, &provider.id);
        let test: ProviderTest = match client.act(&path).await {
            Ok(test) => test,
            Err(error) => {
                findings.push(IDENTITY_PROVIDER.skipped(subject, first_line(&error)));
                continue;
            }
        };
        let failed = test.checks.iter().filter(|check| !check.ok);
        let advice = "look at the issuer's address and at the way there from the control plane: firewall, HTTPS_PROXY, certificates";
        findings.extend(failed.map(|check| {
            IDENTITY_PROVIDER.fault(&subject, format!("{}: {}", check.name, check.detail), advice)
        }));
        if test.ok {
            findings.push(IDENTITY_PROVIDER.ok(subject, "the control plane can ask it"));
        }
    }
    findings
}

async fn secrets(client: &Client) -> Vec<Finding> {
    let view: SecretsView = match ask(client, &SECRETS, "secrets", paths::SECRETS).await {
        Ok(view) => view,
        Err(findings) => return findings,
    };
    if view.unreadable > 0 {
        let kinds: BTreeSet<&str> = view
            .unreadable_secrets
            .iter()
            .map(|secret| secret.kind.as_str())
            .collect();
        let kinds: Vec<&str> = kinds.into_iter().collect();
        return vec![SECRETS.fault(
            "secrets",
            format!("the control plane cannot open {} of them ({})", view.unreadable, kinds.join(", ")),
            "give it the master key that they were sealed under: CCAG_MASTER_KEY, or CCAG_OTHER_MASTER_KEYS; ccag secrets status names them",
        )];
    }
    vec![match view.to_reseal {
        0 => SECRETS.ok("secrets", "the control plane opens all of them"),
        n => SECRETS.warning(
            "secrets",
            format!("{n} are under an older master key"),
            "ccag secrets reseal",
        ),
    }]
}

async fn expiry(client: &Client) -> Vec<Finding> {
    let query = ListKeys {
        state: Some(KeyState::Active),
        limit: Some(KEYS),
        ..ListKeys::default()
    };
    let list: KeyList = match client.get_with(paths::KEYS, &query).await {
        Ok(list) => list,
        Err(error) => return vec![EXPIRY.skipped("keys", first_line(&error))],
    };
    let now = clock::now().ms();
    let soon: Vec<&str> = list
        .keys
        .iter()
        .filter(|key| key.expires_at.is_some_and(|at| at.ms() - now < SOON_MS))
        .map(|key| key.name.as_str())
        .collect();
    if soon.is_empty() {
        return vec![EXPIRY.ok("keys", "none of them ends within a fortnight")];
    }
    let names: Vec<&str> = soon.iter().copied().take(5).collect();
    vec![EXPIRY.warning(
        "keys",
        format!(
            "{} end within a fortnight, such as {}",
            soon.len(),
            names.join(", ")
        ),
        "give those that are still wanted more time (ccag keys update --expires), or make new ones",
    )]
}

async fn notifications(client: &Client) -> Vec<Finding> {
    let query = ListDeliveries {
        state: Some(DeliveryState::Dead),
        limit: Some(5),
        ..ListDeliveries::default()
    };
    let list: DeliveryList = match client.get_with(paths::DELIVERIES, &query).await {
        Ok(list) => list,
        Err(error) => return vec![NOTIFICATIONS.skipped("notifications", first_line(&error))],
    };
    let Some(last) = list.deliveries.first() else {
        return vec![NOTIFICATIONS.ok("notifications", "none has failed")];
    };
    let answer = last.answer.as_deref().unwrap_or("without an answer");
    vec![NOTIFICATIONS.fault(
        "notifications",
        format!(
            "{} have failed, the last one to {}: {answer}",
            list.total, last.destination
        ),
        "correct the destination, test it, and send them again: ccag notifications",
    )]
}

async fn quarantine(client: &Client) -> Vec<Finding> {
    let query = ListQuarantine {
        limit: Some(1),
        cursor: None,
    };
    let list: QuarantineList = match client.get_with(paths::QUARANTINE, &query).await {
        Ok(list) => list,
        Err(error) => return vec![QUARANTINE.skipped("usage records", first_line(&error))],
    };
    vec![match list.records.first() {
        None => QUARANTINE.ok("usage records", "all could be stored"),
        Some(first) => QUARANTINE.fault(
            "usage records",
            format!(
                "{} could not be stored, the last for this reason: {}",
                list.total, first.reason
            ),
            "look at the reason, and try them again: ccag usage quarantine",
        ),
    }]
}
