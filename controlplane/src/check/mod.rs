//! `--check-config`: opens what a start would open, says everything that is wrong with it, and starts and changes nothing.

mod certificate;
mod database;

use crate::app::{catalogue, identity};
use crate::config::{ControlPlaneConfig, InvalidConfig, ProcessConfig};
use crate::master_key::{MasterKeys, OpenKeys, new_plain};
use crate::store::Store;
use ccag_aws::ControlClient;
use ccag_aws::permissions::Needs;
use ccag_daemon::{OsRng, SystemClock};
use ccag_doctor::checks::{AWS_REACH, CONFIGURATION, DATABASE, MASTER_KEY, PUBLIC_URL};
use ccag_doctor::place::{self, listen};
use ccag_doctor::{Finding, Report, within};
use ccag_domain::{Clock, Endpoint, EndpointId, Model};
use secrecy::SecretString;
use std::sync::Arc;
use std::time::Duration;
use url::{Host, Url};

/// How long the master key and the database may take.
const LIMIT: Duration = Duration::from_secs(40);

/// How long all of AWS may take.
const AWS: Duration = Duration::from_secs(75);

/// Looks at everything.
pub async fn run(config: Result<ProcessConfig, Vec<InvalidConfig>>) -> Report {
    let config = match config {
        Ok(config) => config,
        Err(faults) => return Report::new(faults.iter().map(not_valid).collect()),
    };
    let mut findings = vec![CONFIGURATION.ok("the control plane's configuration", "it is valid")];
    for (variable, address) in [
        ("CCAG_HTTP_LISTEN", config.http_listen),
        ("CCAG_GRPC_LISTEN", config.grpc_listen),
        ("CCAG_OPS_LISTEN", config.ops_listen),
    ] {
        findings.push(listen(variable, address).await);
    }
    if let Some(tls) = &config.grpc_tls {
        findings.extend(certificate::look(&tls.current(), SystemClock.now_ms()));
    }
    findings.extend(Box::pin(look(&config.plane)).await);
    Report::new(findings)
}

/// What is wrong with a configuration that cannot be read.
#[must_use]
pub fn not_valid(error: &InvalidConfig) -> Finding {
    CONFIGURATION.fault(
        "the control plane's configuration",
        error.to_string(),
        "correct it; `ccag-controlplane --print-defaults` and docs/configuration.md have every key and every variable",
    )
}

/// Looks at what a control plane needs.
pub async fn look(config: &ControlPlaneConfig) -> Vec<Finding> {
    let mut findings = vec![public_url(config.public_url.as_ref())];
    let keys = match tokio::time::timeout(LIMIT, Box::pin(open(config))).await {
        Ok(Ok(keys)) => {
            findings.push(MASTER_KEY.ok("the master key", keys.ids().join(", ")));
            Some(keys)
        }
        Ok(Err(reason)) => {
            findings.push(no_key(reason));
            None
        }
        Err(_) => {
            findings.push(no_key(format!("nothing came of it within {} s", LIMIT.as_secs())));
            None
        }
    };
    let store = match tokio::time::timeout(LIMIT, Box::pin(database::look(config, keys.as_ref()))).await {
        Ok((of_database, store)) => {
            findings.extend(of_database);
            store
        }
        Err(_) => {
            findings.push(DATABASE.fault(
                database::shown(&config.database.url),
                format!("nothing came of it within {} s", LIMIT.as_secs()),
                "look whether another process holds a lock on it, and whether the server has too much to do",
            ));
            None
        }
    };
    let described = config.bootstrap.provider.as_ref();
    let collectors = config
        .otlp
        .collectors()
        .filter_map(|url| Some((url.host_str()?, url.port_or_known_default()?)));
    let (of_aws, of_providers, of_collectors) = tokio::join!(
        Box::pin(within(AWS, &AWS_REACH, "AWS", aws(config, store.as_ref()))),
        Box::pin(identity::check::look(store.as_ref(), described)),
        place::collectors(collectors),
    );
    findings.extend(of_aws);
    findings.extend(of_providers);
    findings.extend(of_collectors);
    if let Some(store) = store {
        store.close().await;
    }
    findings
}

async fn open(config: &ControlPlaneConfig) -> Result<OpenKeys, String> {
    let opening = config
        .master_keys
        .open(&config.aws, &config.aws_client, Arc::new(SystemClock));
    Box::pin(opening).await.map_err(|error| error.to_string())
}

fn no_key(reason: String) -> Finding {
    MASTER_KEY.fault(
        "the master key",
        reason,
        "a key in KMS needs kms:Decrypt on it with the credentials of the control plane, in its region; without KMS set CCAG_MASTER_KEY \
         to the key itself",
    )
}

/// Keys that open nothing, to look at a database whose own keys cannot be had.
async fn no_keys(config: &ControlPlaneConfig) -> Result<OpenKeys, String> {
    let key: SecretString = new_plain(&OsRng).to_string().into();
    let opening = MasterKeys::from(key);
    let opening = opening.open(&config.aws, &config.aws_client, Arc::new(SystemClock));
    Box::pin(opening).await.map_err(|error| error.to_string())
}

fn public_url(url: Option<&Url>) -> Finding {
    let advice = "set CCAG_PUBLIC_URL to the address that people and Claude Code reach the gateway at, such as https://claude.example.com";
    let Some(url) = url else {
        let found = "it is not set: sign-in with identity providers, notifications and the setup command lead to this machine's own address";
        return PUBLIC_URL.warning("CCAG_PUBLIC_URL", found, advice);
    };
    let is_local = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(ip)) => ip.is_loopback(),
        Some(Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    };
    if url.scheme() == "https" || is_local {
        return PUBLIC_URL.ok("CCAG_PUBLIC_URL", url.as_str());
    }
    let found = format!(
        "{url} is not https: keys and prompts would pass unencrypted, and identity providers send nobody there"
    );
    PUBLIC_URL.warning("CCAG_PUBLIC_URL", found, advice)
}

async fn aws(config: &ControlPlaneConfig, store: Option<&Store>) -> Vec<Finding> {
    let client = ControlClient::new(
        config.aws.clone(),
        config.aws_client.clone(),
        Arc::new(SystemClock),
    );
    let client = match Box::pin(client).await {
        Ok(client) => client,
        Err(error) => {
            let advice = "name a PEM file with at least one certificate";
            return vec![AWS_REACH.fault("AWS_CA_BUNDLE", error.to_string(), advice)];
        }
    };
    let (endpoints, models) = match store {
        Some(store) => held(store).await,
        None => (Vec::new(), Vec::new()),
    };
    let default = || {
        EndpointId::parse("end_default")
            .ok()
            .map(|id| Endpoint::new(id, "default"))
    };
    let endpoints = match endpoints.is_empty() {
        true => default().into_iter().collect(),
        false => endpoints,
    };
    let models = match models.is_empty() {
        true => ccag_domain::catalogue::models(),
        false => models,
    };
    Box::pin(ccag_aws::check::look(&client, &endpoints, &models, Needs::Lists)).await
}

/// The endpoints that are used, and the models, as far as they can be read.
async fn held(store: &Store) -> (Vec<Endpoint>, Vec<Model>) {
    let endpoints = store.load_endpoints().await.unwrap_or_default();
    let models = match store.list_models().await {
        Ok(rows) => catalogue::models(&rows).unwrap_or_default(),
        Err(_) => Vec::new(),
    };
    (endpoints.into_iter().filter(|one| one.enabled).collect(), models)
}
