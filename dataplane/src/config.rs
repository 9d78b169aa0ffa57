//! Configuration: of the library, and of the process around it.

use crate::bedrock::{AwsCredentials, AwsSettings, ClientConfig};
use crate::http::{COUNT_COPIES, half_of_all};
use crate::sync::{ControlLink, LinkError, check_url};
use ccag_daemon::config::ConfigError;
use ccag_daemon::otlp::{self, OtlpConfig, OtlpSection};
use ccag_daemon::{ConnectionLimits, TelemetryConfig};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

mod connections;
mod control;
mod dump;

use connections::ConnectionsSection;
use control::{ControlSection, control_link};
use dump::dump;

/// The defaults, and the documentation of every key.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// Which variable sets which key, beside those of OpenTelemetry.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CCAG_HTTP_LISTEN", "http_listen"),
    ("CCAG_OPS_LISTEN", "ops_listen"),
    ("CCAG_DATA_DIR", "data_dir"),
    ("CCAG_REPLICA_NAME", "replica_name"),
    ("CCAG_FORWARD_CONTROL", "forward_control"),
    ("CCAG_METRICS_ALIASES", "metrics_aliases"),
    ("CCAG_TELEMETRY_COLLECTORS", "telemetry.collectors"),
    ("CCAG_TELEMETRY_HEADERS", "telemetry.headers"),
    ("CCAG_DRAIN_NOTICE_S", "drain_notice_s"),
    ("CCAG_DRAIN_S", "drain_s"),
    ("CCAG_BODY_MEMORY_BYTES", "limits.body_memory_bytes"),
    ("CCAG_MAX_CONNECTIONS", "connections.max"),
    ("CCAG_HEAD_TIMEOUT_S", "connections.head_s"),
    ("CCAG_IDLE_TIMEOUT_S", "connections.idle_s"),
    ("CCAG_BODY_PAUSE_S", "connections.body_pause_s"),
    ("CCAG_BODY_TIMEOUT_S", "connections.body_s"),
    ("CCAG_WRITE_TIMEOUT_S", "connections.write_s"),
    ("CCAG_HTTP2_STREAMS", "connections.http2_streams"),
    ("CCAG_HTTP2_PING_S", "connections.http2_ping_s"),
    ("RUST_LOG", "log_filter"),
    ("LOG_FORMAT", "log_format"),
    ("CCAG_CONTROL_PLANE", "control.urls"),
    ("CCAG_JOIN_TOKEN", "control.join_token"),
    ("CCAG_GRPC_CA", "control.ca_file"),
    ("CCAG_GRPC_CLIENT_CERT", "control.client_cert"),
    ("CCAG_GRPC_CLIENT_KEY", "control.client_key"),
    ("CCAG_TRUST_S", "control.trust_s"),
    ("AWS_REGION", "aws.region"),
    ("AWS_DEFAULT_REGION", "aws.region"),
    ("AWS_BEARER_TOKEN_BEDROCK", "aws.bearer_token"),
    ("AWS_CA_BUNDLE", "aws.ca_bundle"),
];

/// What a data plane needs to run, as a library takes it.
#[derive(Debug, Clone)]
pub struct DataPlaneConfig {
    /// Where spool, snapshot and replica id are kept.
    pub data_dir: PathBuf,
    /// How the control plane is reached.
    pub control: ControlLink,
    /// How this replica is called in the console.
    pub replica_name: String,
    /// How long the configuration is trusted without word from the control plane.
    pub trust: Duration,
    /// How AWS is reached.
    pub aws: AwsSettings,
    /// How connections to Bedrock are made.
    pub client: ClientConfig,
    /// The largest request body in bytes.
    pub body_bytes: usize,
    /// How much memory the bodies of requests may take together, in bytes.
    pub body_memory_bytes: usize,
    /// A ping goes to the client after this silence of Bedrock's.
    pub ping: Duration,
    /// A stream on which Bedrock is silent for so long is given up.
    pub idle: Duration,
    /// New requests are refused when so many bytes of usage records wait for delivery.
    pub spool_max_bytes: u64,
    /// What a power failure may cost in usage records; zero waits for the disk.
    pub spool_sync: Duration,
    /// Where requests that are not inference are passed on to.
    pub forward_control: Option<url::Url>,
    /// Whether metrics are exposed by the names of the existing gateway as well.
    pub metrics_aliases: bool,
    /// Where telemetry of the data plane itself is sent.
    pub otlp: OtlpConfig,
    /// Where what clients measure of themselves is passed on to.
    pub telemetry_collectors: Vec<url::Url>,
    /// What is sent along there.
    pub telemetry_headers: http::HeaderMap,
}

impl DataPlaneConfig {
    /// The defaults, for a directory and a control plane.
    #[must_use]
    pub fn new(data_dir: PathBuf, control: ControlLink) -> Self {
        Self {
            data_dir,
            control,
            replica_name: host_name(),
            trust: Duration::from_secs(86_400),
            aws: AwsSettings::default(),
            client: ClientConfig {
                connect_timeout: Duration::from_millis(3_100),
                answer_timeout: Duration::from_secs(1_200),
                pool_idle_timeout: Duration::from_secs(55),
                http2: false,
                ca_bundle: None,
            },
            body_bytes: 33_554_432,
            body_memory_bytes: half_of_all(),
            ping: Duration::from_secs(10),
            idle: Duration::from_secs(600),
            spool_max_bytes: 1 << 30,
            spool_sync: Duration::from_secs(1),
            forward_control: None,
            metrics_aliases: false,
            otlp: OtlpConfig::default(),
            telemetry_collectors: Vec::new(),
            telemetry_headers: http::HeaderMap::new(),
        }
    }
}

/// What the process needs besides.
#[derive(Debug)]
pub struct ProcessConfig {
    /// The data plane itself.
    pub plane: DataPlaneConfig,
    /// Where clients connect.
    pub http_listen: SocketAddr,
    /// What their connections may take.
    pub connections: ConnectionLimits,
    /// Where operators do.
    pub ops_listen: SocketAddr,
    /// How long new requests are still served after a stop, so that load balancers can notice.
    pub drain_notice: Duration,
    /// How long open streams may go on after that.
    pub drain: Duration,
    /// What to log, and how.
    pub telemetry: TelemetryConfig,
    /// The effective values without secrets, for `/config_dump`.
    pub dump: serde_json::Value,
}

/// The configuration is not usable.
#[derive(Debug, thiserror::Error)]
pub enum InvalidConfig {
    /// A key or a variable is wrong.
    #[error(transparent)]
    Values(#[from] ConfigError),
    /// The way to the control plane is wrong.
    #[error(transparent)]
    Control(#[from] LinkError),
    /// A value does not make sense.
    #[error("`{key}` {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it and what to do.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    http_listen: SocketAddr,
    ops_listen: SocketAddr,
    data_dir: PathBuf,
    replica_name: String,
    forward_control: String,
    metrics_aliases: bool,
    telemetry: TelemetrySection,
    drain_notice_s: u64,
    drain_s: u64,
    log_filter: String,
    log_format: LogFormat,
    control: ControlSection,
    limits: LimitsSection,
    connections: ConnectionsSection,
    spool: SpoolSection,
    aws: AwsSection,
    otlp: OtlpSection,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum LogFormat {
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TelemetrySection {
    collectors: Vec<String>,
    headers: Secret,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LimitsSection {
    body_bytes: usize,
    body_memory_bytes: usize,
    ping_s: u64,
    idle_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct SpoolSection {
    max_bytes: u64,
    sync_ms: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AwsSection {
    region: String,
    bearer_token: Secret,
    connect_timeout_ms: u64,
    answer_timeout_s: u64,
    http2: bool,
    ca_bundle: String,
}

/// A secret that is empty where none is set.
struct Secret(SecretString);

impl<'de> Deserialize<'de> for Secret {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.trim().to_owned().into()))
    }
}

impl Secret {
    fn into_option(self) -> Option<SecretString> {
        (!self.0.expose_secret().is_empty()).then_some(self.0)
    }
}

/// Reads and checks the whole configuration; nothing is opened or connected.
///
/// # Errors
/// [`InvalidConfig`] for the first thing that is wrong, with its source and what to do.
pub fn load(file: Option<&Path>) -> Result<ProcessConfig, InvalidConfig> {
    check(ccag_daemon::config::load(DEFAULTS, file, &environment())?)
}

/// The same with these variables instead of the process's own.
///
/// # Errors
/// As [`load`].
pub fn load_from(
    file: Option<&Path>,
    vars: &HashMap<String, String>,
) -> Result<ProcessConfig, InvalidConfig> {
    check(ccag_daemon::config::load_from(
        DEFAULTS,
        file,
        &environment(),
        vars,
    )?)
}

/// The same as [`load`] with everything that is wrong, as far as one fault does not hide another.
///
/// # Errors
/// The faults, at least one.
pub fn load_faults(file: Option<&Path>) -> Result<ProcessConfig, Vec<InvalidConfig>> {
    let blamed = |fault: &InvalidConfig| match fault {
        InvalidConfig::Values(error) => error.blamed(),
        InvalidConfig::Control(_) => vec!["CCAG_CONTROL_PLANE".to_owned()],
        InvalidConfig::Value { key, .. } => {
            let environment = environment();
            let of_key = environment.iter().filter(|(_, set)| set == key);
            of_key.map(|(name, _)| (*name).to_owned()).collect()
        }
    };
    // Whoever names no control plane is told so, and of what else is wrong.
    let instead = |fault: &InvalidConfig| match fault {
        InvalidConfig::Control(_) => Some(("CCAG_CONTROL_PLANE", "http://127.0.0.1")),
        _ => None,
    };
    let vars = std::env::vars().collect();
    ccag_daemon::config::load_faults(&vars, |vars| load_from(file, vars), blamed, instead)
}

fn environment() -> Vec<(&'static str, &'static str)> {
    [ENVIRONMENT, otlp::ENVIRONMENT].concat()
}

fn check(file: File) -> Result<ProcessConfig, InvalidConfig> {
    let dump = dump(&file);
    let in_range = |key: &'static str, value: u64, min: u64, max: u64| {
        if (min..=max).contains(&value) {
            return Ok(value);
        }
        Err(InvalidConfig::Value {
            key,
            reason: format!("is {value}; it must be between {min} and {max}"),
        })
    };
    let least_memory = file.limits.body_bytes.saturating_mul(COUNT_COPIES);
    let body_memory_bytes = match file.limits.body_memory_bytes {
        0 => half_of_all().max(least_memory),
        // One of the largest bodies must find room.
        bytes => {
            let least = u64::try_from(least_memory).unwrap_or(u64::MAX);
            let given = u64::try_from(bytes).unwrap_or(u64::MAX);
            in_range("limits.body_memory_bytes", given, least, u64::MAX)?;
            bytes
        }
    };
    let plane = DataPlaneConfig {
        replica_name: if file.replica_name.is_empty() {
            host_name()
        } else {
            file.replica_name
        },
        trust: Duration::from_secs(in_range(
            "control.trust_s",
            file.control.trust_s,
            10,
            30 * 86_400,
        )?),
        aws: AwsSettings {
            region: non_empty(file.aws.region),
            bearer_token: file.aws.bearer_token.into_option(),
            credentials: AwsCredentials::Chain,
            ..AwsSettings::default()
        },
        client: ClientConfig {
            connect_timeout: Duration::from_millis(in_range(
                "aws.connect_timeout_ms",
                file.aws.connect_timeout_ms,
                100,
                60_000,
            )?),
            answer_timeout: Duration::from_secs(in_range(
                "aws.answer_timeout_s",
                file.aws.answer_timeout_s,
                1,
                7_200,
            )?),
            pool_idle_timeout: Duration::from_secs(55),
            http2: file.aws.http2,
            ca_bundle: non_empty(file.aws.ca_bundle).map(PathBuf::from),
        },
        body_bytes: file.limits.body_bytes,
        body_memory_bytes,
        ping: Duration::from_secs(in_range("limits.ping_s", file.limits.ping_s, 1, 60)?),
        idle: Duration::from_secs(in_range("limits.idle_s", file.limits.idle_s, 10, 7_200)?),
        spool_max_bytes: in_range("spool.max_bytes", file.spool.max_bytes, 1 << 20, u64::MAX)?,
        spool_sync: Duration::from_millis(in_range("spool.sync_ms", file.spool.sync_ms, 0, 60_000)?),
        forward_control: forward_url(&file.forward_control)?,
        metrics_aliases: file.metrics_aliases,
        otlp: file
            .otlp
            .check()
            .map_err(|(key, reason)| InvalidConfig::Value { key, reason })?,
        telemetry_collectors: collectors(&file.telemetry.collectors)?,
        telemetry_headers: collector_headers(file.telemetry.headers)?,
        ..DataPlaneConfig::new(file.data_dir, control_link(file.control)?)
    };
    Ok(ProcessConfig {
        connections: file.connections.limits()?,
        plane,
        http_listen: file.http_listen,
        ops_listen: file.ops_listen,
        drain_notice: Duration::from_secs(in_range("drain_notice_s", file.drain_notice_s, 0, 300)?),
        drain: Duration::from_secs(in_range("drain_s", file.drain_s, 0, 7_200)?),
        telemetry: TelemetryConfig {
            filter: file.log_filter,
            json: file.log_format == LogFormat::Json,
        },
        dump,
    })
}

fn non_empty(text: String) -> Option<String> {
    (!text.is_empty()).then_some(text)
}

fn forward_url(text: &str) -> Result<Option<url::Url>, InvalidConfig> {
    if text.is_empty() {
        return Ok(None);
    }
    check_url(text).map(Some).map_err(|error| InvalidConfig::Value {
        key: "forward_control",
        reason: format!("cannot be used: {error}"),
    })
}

fn collectors(texts: &[String]) -> Result<Vec<url::Url>, InvalidConfig> {
    let one = |text: &String| {
        url::Url::parse(text.trim())
            .ok()
            .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
            .ok_or_else(|| InvalidConfig::Value {
                key: "telemetry.collectors",
                reason: format!("holds `{text}`, which is not an http(s) URL such as http://collector:4318"),
            })
    };
    texts
        .iter()
        .filter(|text| !text.trim().is_empty())
        .map(one)
        .collect()
}

fn collector_headers(text: Secret) -> Result<http::HeaderMap, InvalidConfig> {
    let mut headers = http::HeaderMap::new();
    let text = text
        .into_option()
        .map(|text| text.expose_secret().to_owned())
        .unwrap_or_default();
    for pair in text.split(',').map(str::trim).filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or_default();
        let name = name.trim().parse::<http::HeaderName>().ok();
        let value = http::HeaderValue::from_str(value.trim()).ok();
        let (Some(name), Some(mut value)) = (name, value) else {
            return Err(InvalidConfig::Value {
                key: "telemetry.headers",
                reason: "is not a list such as api-key=SECRET,tenant=one".to_owned(),
            });
        };
        value.set_sensitive(true);
        headers.insert(name, value);
    }
    Ok(headers)
}

fn host_name() -> String {
    let from_file = || std::fs::read_to_string("/proc/sys/kernel/hostname").ok();
    std::env::var("HOSTNAME")
        .ok()
        .or_else(from_file)
        .map(|name| name.trim().to_owned())
        .filter(|name| !name.is_empty())
        .unwrap_or_else(|| "dataplane".to_owned())
}

#[cfg(test)]
mod tests;
