//! `--check-config`: opens what a start would open, says everything that is wrong with it, and starts nothing.

mod control;
mod folder;

use crate::config::{DataPlaneConfig, InvalidConfig, ProcessConfig};
use crate::sync::{ControlLink, Disk};
use ccag_aws::permissions::Needs;
use ccag_aws::tls::direct;
use ccag_aws::{ControlClient, ControlConfig};
use ccag_daemon::SystemClock;
use ccag_doctor::checks::{AWS_REACH, CONFIGURATION, FORWARD_CONTROL};
use ccag_doctor::place::{self, listen};
use ccag_doctor::{Finding, Report, within};
use ccag_domain::{Clock, Endpoint, EndpointId, Model, catalogue};
use futures_util::FutureExt;
use futures_util::future::{BoxFuture, join_all};
use http_body_util::{BodyExt, Empty, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;
use url::Url;

/// How long one thing may take that is looked at over the network.
const LIMIT: Duration = Duration::from_secs(20);

/// How long all of AWS may take.
const AWS: Duration = Duration::from_secs(75);

/// Looks at everything.
pub async fn run(config: Result<ProcessConfig, Vec<InvalidConfig>>) -> Report {
    let config = match config {
        Ok(config) => config,
        Err(faults) => return Report::new(faults.iter().map(not_valid).collect()),
    };
    let mut findings = vec![CONFIGURATION.ok("the data plane's configuration", "it is valid")];
    for (variable, address) in [
        ("CCAG_HTTP_LISTEN", config.http_listen),
        ("CCAG_OPS_LISTEN", config.ops_listen),
    ] {
        findings.push(listen(variable, address).await);
    }
    findings.extend(look(&config.plane).await);
    Report::new(findings)
}

/// What is wrong with a configuration that cannot be read.
#[must_use]
pub fn not_valid(error: &InvalidConfig) -> Finding {
    CONFIGURATION.fault(
        "the data plane's configuration",
        error.to_string(),
        "correct it; dataplane/default.toml and docs/configuration.md have every key and every variable",
    )
}

/// Looks at what a data plane needs, side by side.
pub async fn look(config: &DataPlaneConfig) -> Vec<Finding> {
    let mut looks: Vec<BoxFuture<'_, Vec<Finding>>> =
        vec![async { folder::look(config) }.boxed(), aws(config).boxed()];
    if let ControlLink::Url { urls, .. } = &config.control {
        looks.extend(urls.iter().map(|url| control::look(&config.control, url).boxed()));
    }
    if let Some(url) = &config.forward_control {
        let subject = url.as_str();
        looks.push(within(LIMIT, &FORWARD_CONTROL, subject, forward(url)).boxed());
    }
    let collectors = config
        .telemetry_collectors
        .iter()
        .chain(config.otlp.collectors())
        .filter_map(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    looks.push(place::collectors(collectors).boxed());
    let mut findings: Vec<Finding> = control::own_certificate(&config.control).into_iter().collect();
    findings.extend(join_all(looks).await.into_iter().flatten());
    findings
}

async fn aws(config: &DataPlaneConfig) -> Vec<Finding> {
    let control = ControlConfig {
        connect_timeout: config.client.connect_timeout,
        ca_bundle: config.client.ca_bundle.clone(),
        session_name: "ccag-dataplane",
        ..ControlConfig::default()
    };
    let look = async {
        let client = ControlClient::new(config.aws.clone(), control, Arc::new(SystemClock));
        let client = Box::pin(client).await;
        match client {
            Ok(client) => {
                let (endpoints, models) = known(config);
                Box::pin(ccag_aws::check::look(
                    &client,
                    &endpoints,
                    &models,
                    Needs::Requests,
                ))
                .await
            }
            Err(error) => vec![AWS_REACH.fault(
                "AWS_CA_BUNDLE",
                error.to_string(),
                "name a PEM file with at least one certificate",
            )],
        }
    };
    Box::pin(within(AWS, &AWS_REACH, "AWS", look)).await
}

/// The endpoints and the models of the last configuration that was received; without one, what a new gateway has.
fn known(config: &DataPlaneConfig) -> (Vec<Endpoint>, Vec<Model>) {
    let held = match config.data_dir.is_dir() {
        true => Disk::new(&config.data_dir, config.control.snapshot_key()).load(),
        false => None,
    };
    let (mut endpoints, mut models): (Vec<Endpoint>, Vec<Model>) =
        held.map_or_else(Default::default, |view| {
            let endpoints = view.endpoints().filter(|one| one.enabled).map(Endpoint::clone);
            (
                endpoints.collect(),
                view.models().map(|one| Model::clone(one)).collect(),
            )
        });
    if endpoints.is_empty() {
        endpoints.extend(
            EndpointId::parse("end_default")
                .ok()
                .map(|id| Endpoint::new(id, "default")),
        );
    }
    if models.is_empty() {
        models = catalogue::models();
    }
    (endpoints, models)
}

/// Whether a control plane answers where other requests are passed on to.
async fn forward(url: &Url) -> Vec<Finding> {
    let subject = url.as_str();
    let advice = "set CCAG_FORWARD_CONTROL to the control plane's HTTP address (CCAG_HTTP_LISTEN there), not that of gRPC";
    let asked = async {
        let connector = direct(Duration::from_secs(5)).map_err(|e| e.to_string())?;
        let client: Client<_, Empty<bytes::Bytes>> = Client::builder(TokioExecutor::new()).build(connector);
        let health = format!("{}/health", subject.trim_end_matches('/'));
        let health = health.parse().map_err(|e: http::uri::InvalidUri| e.to_string())?;
        let answer = client.get(health).await.map_err(|e| ccag_aws::causes(&e))?;
        let status = answer.status();
        let body = Limited::new(answer.into_body(), 64 << 10).collect().await;
        let body = body.map_err(|e| e.to_string())?.to_bytes();
        let told: Option<serde_json::Value> = serde_json::from_slice(&body).ok();
        told.filter(|told| told["db"].is_boolean())
            .ok_or_else(|| format!("what answers there ({status}) is no control plane"))
    };
    vec![match asked.await {
        Ok(_) => FORWARD_CONTROL.ok(subject, "a control plane answers"),
        Err(reason) => FORWARD_CONTROL.fault(subject, reason, advice),
    }]
}

/// The time now.
fn now_ms() -> i64 {
    SystemClock.now_ms()
}
