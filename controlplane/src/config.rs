//! Configuration: of the library, and of the process around it.

mod database;
mod file;
mod grpc;

use crate::app::bootstrap::Bootstrap;
use crate::app::identity::providers::Described;
use crate::database_secret::DatabaseSecret;
use crate::http::Network;
use crate::master_key::{KeySource, MasterKeys};
use crate::store::ConnectOptions;
use ccag_admin_api::Secret;
use ccag_aws::{AwsSettings, ControlConfig};
use ccag_daemon::TelemetryConfig;
use ccag_daemon::certificates::Followed;
use ccag_daemon::config::ConfigError;
use ccag_daemon::otlp::OtlpConfig;
use file::{File, LogFormat, OidcSection, dump, environment, networks, notification_url};
use secrecy::SecretString;
use std::collections::HashMap;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;
use url::Url;

/// The defaults, and the documentation of every key.
pub const DEFAULTS: &str = include_str!("../default.toml");

/// Which variable sets which key, beside those of OpenTelemetry.
const ENVIRONMENT: &[(&str, &str)] = &[
    ("CCAG_HTTP_LISTEN", "http_listen"),
    ("CCAG_GRPC_LISTEN", "grpc_listen"),
    ("CCAG_OPS_LISTEN", "ops_listen"),
    ("CCAG_PUBLIC_URL", "public_url"),
    ("CCAG_TRUSTED_PROXIES", "trusted_proxies"),
    ("CCAG_MASTER_KEY", "master_key"),
    ("CCAG_OTHER_MASTER_KEYS", "other_master_keys"),
    ("CCAG_SESSION_TTL_HOURS", "session_ttl_hours"),
    ("CCAG_EXPLANATION_DAYS", "explanation_days"),
    ("CCAG_DRAIN_S", "drain_s"),
    ("RUST_LOG", "log_filter"),
    ("LOG_FORMAT", "log_format"),
    ("DATABASE_URL", "database.url"),
    ("DATABASE_HOST", "database.host"),
    ("DATABASE_PORT", "database.port"),
    ("DATABASE_NAME", "database.name"),
    ("DATABASE_USER", "database.user"),
    ("DB_PASSWORD", "database.password"),
    ("DATABASE_SECRET_ARN", "database.secret_arn"),
    ("DATABASE_MAX_CONNECTIONS", "database.max_connections"),
    ("DATABASE_START_TIMEOUT_S", "database.start_timeout_s"),
    ("CCAG_JOIN_TOKEN", "grpc.join_token"),
    ("CCAG_GRPC_TLS_CERT", "grpc.tls_cert"),
    ("CCAG_GRPC_TLS_KEY", "grpc.tls_key"),
    ("CCAG_GRPC_CLIENT_CA", "grpc.client_ca"),
    ("ADMIN_USERNAME", "admin.username"),
    ("ADMIN_PASSWORD", "admin.password"),
    ("ADMIN_USERS", "admin.users"),
    ("ADMIN_PASSWORD_ENABLE", "admin.password_sign_in"),
    ("AWS_REGION", "aws.region"),
    ("AWS_DEFAULT_REGION", "aws.region"),
    ("AWS_BEARER_TOKEN_BEDROCK", "aws.bearer_token"),
    ("AWS_CA_BUNDLE", "aws.ca_bundle"),
    ("CCAG_DISCOVER_HOURS", "aws.discover_hours"),
    ("CCAG_CLIENT_TOKEN_MINUTES", "client_token_minutes"),
    ("CCAG_CLIENT_SESSION_DAYS", "client_session_days"),
    ("OIDC_ISSUER", "oidc.issuer"),
    ("OIDC_NAME", "oidc.name"),
    ("OIDC_AUDIENCE", "oidc.client_id"),
    ("OIDC_CLIENT_ID", "oidc.client_id"),
    ("OIDC_CLIENT_SECRET", "oidc.client_secret"),
    ("OIDC_JWKS_URL", "oidc.jwks_url"),
    ("OIDC_USER_CLAIM", "oidc.user_claim"),
    ("OIDC_SCOPES", "oidc.scopes"),
    ("BUDGET_NOTIFICATION_URL", "notification_url"),
];

/// What a control plane needs to run, as a library takes it.
#[derive(Debug, Clone)]
pub struct ControlPlaneConfig {
    /// The database.
    pub database: ConnectOptions,
    /// Where its user and its password are read, if they are not in its URL.
    pub database_secret: Option<DatabaseSecret>,
    /// How long to wait for it at the start.
    pub start_timeout: Duration,
    /// What the first start makes.
    pub bootstrap: Bootstrap,
    /// Where people reach the gateway.
    pub public_url: Option<Url>,
    /// What keys for cookies and stored secrets are derived from.
    pub master_keys: MasterKeys,
    /// What data planes have to show; `None` for a pipe inside one process.
    pub join_token: Option<SecretString>,
    /// Whose word on the client's address counts.
    pub trusted_proxies: Vec<Network>,
    /// How long a session lasts.
    pub session_ttl: Duration,
    /// Whether passwords are good for signing in whatever admins have set.
    pub passwords_always: bool,
    /// How long a token of a client is good.
    pub client_token_ttl: Duration,
    /// After what time a client has to sign in again.
    pub client_session_ttl: Duration,
    /// For how many days it is kept how requests were decided; 0 is not at all.
    pub explanation_days: u32,
    /// Who is told of budgets as long as there is no destination of notifications: a web address, or the ARN of a topic or an
    /// event bus.
    pub notification_url: Option<String>,
    /// Where telemetry of the control plane itself is sent.
    pub otlp: OtlpConfig,
    /// How AWS is reached to ask what endpoints offer.
    pub aws: AwsSettings,
    /// How connections to AWS are made.
    pub aws_client: ControlConfig,
    /// How often it is asked again; `None` is only when somebody wants it.
    pub discover_every: Option<Duration>,
}

impl ControlPlaneConfig {
    /// The defaults, for a database and a master key, with data planes in the same process.
    #[must_use]
    pub fn new(database_url: impl Into<String>, master_key: SecretString) -> Self {
        Self {
            database: ConnectOptions::new(database_url),
            database_secret: None,
            start_timeout: Duration::from_secs(60),
            bootstrap: Bootstrap {
                admin_username: "admin".to_owned(),
                admin_password: None,
                more_admins: Vec::new(),
                first_key: false,
                provider: None,
            },
            public_url: None,
            master_keys: master_key.into(),
            join_token: None,
            trusted_proxies: Vec::new(),
            session_ttl: Duration::from_secs(24 * 3_600),
            passwords_always: false,
            client_token_ttl: Duration::from_secs(3_600),
            client_session_ttl: Duration::from_secs(30 * 24 * 3_600),
            explanation_days: 30,
            notification_url: None,
            otlp: OtlpConfig::default(),
            aws: AwsSettings::default(),
            aws_client: ControlConfig::default(),
            discover_every: None,
        }
    }
}

/// What the process needs besides.
#[derive(Debug)]
pub struct ProcessConfig {
    /// The control plane itself.
    pub plane: ControlPlaneConfig,
    /// Where people and scripts connect.
    pub http_listen: SocketAddr,
    /// Where data planes connect.
    pub grpc_listen: SocketAddr,
    /// The certificate for them, and the authorities of theirs; `None` only on loopback.
    pub grpc_tls: Option<Followed>,
    /// Where operators connect.
    pub ops_listen: SocketAddr,
    /// How long open requests may go on after a stop.
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
    /// A value does not make sense.
    #[error("`{key}` {reason}")]
    Value {
        /// The key.
        key: &'static str,
        /// What is wrong with it and what to do.
        reason: String,
    },
}

fn wrong(key: &'static str, reason: impl Into<String>) -> InvalidConfig {
    InvalidConfig::Value {
        key,
        reason: reason.into(),
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
        InvalidConfig::Value { key, .. } => {
            let environment = environment();
            let of_key = environment.iter().filter(|(_, set)| set == key);
            of_key.map(|(name, _)| (*name).to_owned()).collect()
        }
    };
    // Whoever lacks one of these is told so, and of what else is wrong.
    let instead = |fault: &InvalidConfig| match fault {
        InvalidConfig::Value { key, .. } => match *key {
            "master_key" => Some(("CCAG_MASTER_KEY", NO_KEY)),
            "grpc.join_token" => Some(("CCAG_JOIN_TOKEN", NO_KEY)),
            "database.url" => Some(("DATABASE_URL", "sqlite::memory:")),
            _ => None,
        },
        InvalidConfig::Values(_) => None,
    };
    let vars = std::env::vars().collect();
    ccag_daemon::config::load_faults(&vars, |vars| load_from(file, vars), blamed, instead)
}

/// Stands in for a key while the rest of a configuration is read.
const NO_KEY: &str = "0000000000000000000000000000000000000000000000000000000000000000";

fn check(file: File) -> Result<ProcessConfig, InvalidConfig> {
    let grpc_tls = grpc::tls(&file)?;
    let dump = dump(&file);
    let plane = ControlPlaneConfig {
        database: database::connection(&file.database)?,
        database_secret: database::secret(&file.database)?,
        start_timeout: Duration::from_secs(file.database.start_timeout_s),
        bootstrap: Bootstrap {
            admin_username: admin_name(&file.admin.username)?,
            admin_password: file.admin.password.get().map(Secret::new),
            more_admins: file
                .admin
                .users
                .iter()
                .map(|u| u.trim().to_owned())
                .filter(|u| !u.is_empty())
                .collect(),
            first_key: false,
            provider: described(&file.oidc)?,
        },
        public_url: public_url(&file.public_url)?,
        master_keys: master_keys(&file)?,
        join_token: Some(join_token(file.grpc.join_token.text())?),
        trusted_proxies: networks(&file.trusted_proxies)?,
        aws: AwsSettings {
            region: Some(file.aws.region.clone()).filter(|region| !region.is_empty()),
            bearer_token: file.aws.bearer_token.get().map(|token| token.to_owned().into()),
            ..AwsSettings::default()
        },
        aws_client: ControlConfig {
            ca_bundle: Some(file.aws.ca_bundle.as_str())
                .filter(|path| !path.is_empty())
                .map(Into::into),
            ..ControlConfig::default()
        },
        discover_every: match file.aws.discover_hours {
            0 => None,
            hours => Some(Duration::from_secs(hours.min(8_760) * 3_600)),
        },
        passwords_always: file.admin.password_sign_in,
        client_token_ttl: match file.client_token_minutes {
            minutes @ 1..=1_440 => Duration::from_secs(minutes * 60),
            minutes => {
                let reason = format!("is {minutes}; it must be between 1 and 1440");
                return Err(wrong("client_token_minutes", reason));
            }
        },
        client_session_ttl: match file.client_session_days {
            days @ 1..=3_650 => Duration::from_secs(days * 24 * 3_600),
            days => {
                let reason = format!("is {days}; it must be between 1 and 3650");
                return Err(wrong("client_session_days", reason));
            }
        },
        session_ttl: match file.session_ttl_hours {
            hours @ 1..=8_760 => Duration::from_secs(hours * 3_600),
            hours => {
                let reason = format!("is {hours}; it must be between 1 and 8760");
                return Err(wrong("session_ttl_hours", reason));
            }
        },
        explanation_days: match file.explanation_days {
            days @ 0..=3_650 => days,
            days => {
                let reason = format!("is {days}; it must be between 0 and 3650");
                return Err(wrong("explanation_days", reason));
            }
        },
        notification_url: notification_url(&file)?,
        otlp: file.otlp.check().map_err(|(key, reason)| wrong(key, reason))?,
    };
    Ok(ProcessConfig {
        dump,
        plane,
        http_listen: file.http_listen,
        grpc_listen: file.grpc_listen,
        grpc_tls,
        ops_listen: file.ops_listen,
        drain: Duration::from_secs(file.drain_s.min(7_200)),
        telemetry: TelemetryConfig {
            filter: file.log_filter,
            json: file.log_format == LogFormat::Json,
        },
    })
}

/// The provider that the configuration describes, if it does.
fn described(section: &OidcSection) -> Result<Option<Described>, InvalidConfig> {
    let said = |text: &String| Some(text.trim().to_owned()).filter(|text| !text.is_empty());
    let Some(issuer) = said(&section.issuer) else {
        return Ok(None);
    };
    let Some(client_id) = said(&section.client_id) else {
        let reason =
            "is not set though an issuer is; set OIDC_CLIENT_ID to this gateway's name at the provider";
        return Err(wrong("oidc.client_id", reason));
    };
    let between = |c: char| c == ',' || c.is_whitespace();
    let scopes = section.scopes.split(between).filter(|scope| !scope.is_empty());
    Ok(Some(Described {
        name: said(&section.name).unwrap_or_else(|| "Single sign-on".to_owned()),
        issuer,
        client_id,
        client_secret: section.client_secret.get().map(Secret::new),
        user_claim: said(&section.user_claim),
        scopes: scopes.map(str::to_owned).collect(),
        jwks_url: said(&section.jwks_url),
    }))
}

fn admin_name(text: &str) -> Result<String, InvalidConfig> {
    match text.trim() {
        "" => Err(wrong("admin.username", "must not be empty; check ADMIN_USERNAME")),
        name => Ok(name.to_owned()),
    }
}

fn master_keys(file: &File) -> Result<MasterKeys, InvalidConfig> {
    let current = KeySource::parse(file.master_key.text()).map_err(|state| {
        wrong(
            "master_key",
            format!(
                "{state}: make a key with `openssl rand -hex 32`, keep it safe, and set CCAG_MASTER_KEY or CCAG_MASTER_KEY_FILE"
            ),
        )
    })?;
    let between = |c: char| c == ',' || c.is_whitespace();
    let others = file
        .other_master_keys
        .text()
        .split(between)
        .filter(|text| !text.is_empty());
    let others = others.enumerate().map(|(at, text)| {
        KeySource::parse(text).map_err(|state| {
            let reason = format!(
                "holds a key, number {}, that {state}; set CCAG_OTHER_MASTER_KEYS to whole master keys, separated by commas",
                at + 1
            );
            wrong("other_master_keys", reason)
        })
    });
    Ok(MasterKeys {
        current,
        others: others.collect::<Result<_, _>>()?,
    })
}

fn join_token(text: &str) -> Result<SecretString, InvalidConfig> {
    let state = match text.len() {
        0 => "is not set",
        1..16 => "is shorter than 16 characters",
        _ if !text.bytes().all(|b| b.is_ascii_graphic()) => "holds characters other than visible ASCII",
        _ => return Ok(text.to_owned().into()),
    };
    Err(wrong(
        "grpc.join_token",
        format!(
            "{state}: make one with `openssl rand -hex 32` and set CCAG_JOIN_TOKEN or CCAG_JOIN_TOKEN_FILE here and on the data planes"
        ),
    ))
}

fn public_url(text: &str) -> Result<Option<Url>, InvalidConfig> {
    if text.is_empty() {
        return Ok(None);
    }
    let url = Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host());
    url.map(Some).ok_or_else(|| {
        wrong(
            "public_url",
            "is not an http(s) URL; set CCAG_PUBLIC_URL to something like https://claude.example.com",
        )
    })
}

#[cfg(test)]
mod tests;
