//! The way to the gateway: address, name, connection, certificate, and whether a control plane answers.

use super::{ANSWER, Patient, local, why};
use crate::client::is_loopback;
use crate::clock;
use ccag_doctor::certificate::Facts;
use ccag_doctor::checks::{ADDRESS, CERTIFICATE, CLOCK, HEALTH, REACH, VERSIONS};
use ccag_doctor::reach::{self, Distrust, Shaken};
use ccag_doctor::{Finding, certificate, clock as clocks};
use serde_json::Value;
use url::Url;

const RENEW: &str = "renew it where TLS ends: at the load balancer, or the proxy before the gateway";

/// Whether what is sent there can be read by others.
pub(super) fn address(url: &Url) -> Finding {
    let text = url.as_str().trim_end_matches('/');
    if url.scheme() == "https" || is_loopback(url) {
        return ADDRESS.ok(text, "it is the gateway that is looked at");
    }
    ADDRESS.warning(
        text,
        "plain http: keys, prompts and answers can be read on the way",
        "put TLS before the gateway, and use an https address",
    )
}

/// Name, connection and TLS; whether it makes sense to go on.
pub(super) async fn way(url: &Url) -> (bool, Vec<Finding>) {
    let text = url.as_str().trim_end_matches('/');
    let host = url.host_str().unwrap_or_default();
    if let Some(proxy) = local::proxy_for(url, |name| std::env::var(name).ok()) {
        let found = format!(
            "it is reached through the proxy {proxy}, which looks up the name and makes the connection"
        );
        return (
            true,
            vec![
                REACH.skipped(text, found.clone()),
                CERTIFICATE.skipped(text, found),
            ],
        );
    }
    let stream = match reach::connect(host, url.port_or_known_default().unwrap_or(443)).await {
        Ok(stream) => stream,
        Err(why) => return (false, vec![REACH.fault(text, why.found(), why.advice())]),
    };
    let reached = REACH.ok(text, "a connection can be made");
    if url.scheme() != "https" {
        return (true, vec![reached]);
    }
    match reach::shake(stream, host, reach::machine_roots(), None).await {
        Ok(shaken) => {
            let seen = certificate_of(text, host, &shaken);
            (shaken.distrust.is_none(), vec![reached, seen])
        }
        Err(reason) => {
            let found = format!("it does not speak TLS: {reason}");
            let advice = "use http:// if TLS is not wanted there, or set up TLS at the load balancer";
            (false, vec![reached, CERTIFICATE.fault(text, found, advice)])
        }
    }
}

fn certificate_of(text: &str, host: &str, shaken: &Shaken) -> Finding {
    let Some(facts) = shaken.chain.first().and_then(|own| Facts::read(own)) else {
        return CERTIFICATE.skipped(text, "its certificate cannot be read");
    };
    match &shaken.distrust {
        Some(Distrust::Issuer) => CERTIFICATE.fault(
            text,
            "nobody whom this machine trusts has issued the certificate, or an intermediate one is not sent along",
            "have the server send the whole chain; for an authority of your own add its certificate to this machine's, and for Claude Code \
             set NODE_EXTRA_CA_CERTS",
        ),
        Some(Distrust::Name) => CERTIFICATE.fault(
            text,
            format!("the certificate is for {}, and not for {host}", facts.names.join(", ")),
            "use a name that is in it, or have one issued with this name",
        ),
        Some(Distrust::Other(reason)) => {
            CERTIFICATE.fault(text, format!("the certificate is not taken: {reason}"), RENEW)
        }
        Some(Distrust::Time) | None => {
            certificate::judge(&CERTIFICATE, text, &facts, clock::now().ms(), RENEW)
        }
    }
}

/// Whether a control plane answers, has its database, and what time it is there; and its version.
pub(super) async fn health(patient: &Patient) -> (Vec<Finding>, Option<String>) {
    let subject = patient.at("/health");
    let asked = clock::now().ms();
    let advice = "look whether control planes run, and whether the load balancer leads everything but /v1/messages*, /v1/models*, /api/hello \
                  and /api/oauth/usage to them";
    let answer = match patient.http.get(&subject).timeout(ANSWER).send().await {
        Ok(answer) => answer,
        Err(error) => return (vec![HEALTH.fault(subject, why(&error), advice)], None),
    };
    let answered = clock::now().ms();
    let status = answer.status();
    let date = answer.headers().get("date").and_then(|value| value.to_str().ok());
    let theirs = date.and_then(clocks::read_date);
    let mut findings: Vec<Finding> = theirs
        .map(|theirs| clocks::compare(&CLOCK, "the gateway", theirs, asked, answered))
        .into_iter()
        .collect();
    let from_data_plane = answer.headers().contains_key("request-id");
    let told: Option<Value> = answer.json().await.ok();
    let Some(told) = told.filter(|told| told["db"].is_boolean()) else {
        let who = match from_data_plane {
            true => "a data plane, which does not know it (CCAG_FORWARD_CONTROL is not set there)",
            false => "something that is no control plane",
        };
        findings.push(HEALTH.fault(subject, format!("{who} answers, with {status}"), advice));
        return (findings, None);
    };
    findings.push(match told["db"].as_bool() {
        Some(true) => HEALTH.ok(subject, "a control plane answers, and has its database"),
        _ => HEALTH.fault(
            subject,
            "a control plane answers, and has no database: nobody can sign in, and nothing can be changed",
            "look at the database and the way to it: docs/runbooks.md#the-database-is-down; on the control plane's machine run \
             ccag-controlplane --check-config",
        ),
    });
    let version = told["version"].as_str().unwrap_or_default().to_owned();
    findings.push(versions(&version));
    (findings, Some(version))
}

fn versions(theirs: &str) -> Finding {
    const MINE: &str = env!("CARGO_PKG_VERSION");
    let subject = "this program and the control plane";
    if theirs == MINE {
        return VERSIONS.ok(subject, format!("both are of version {MINE}"));
    }
    VERSIONS.warning(
        subject,
        format!("this program is of version {MINE}, and the control plane of {theirs}"),
        "install the ccag of the gateway's version: commands may be missing, or say things that are not there",
    )
}
