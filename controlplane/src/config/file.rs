//! The configuration as it is written: in the file, with variables laid over it.

use super::{ENVIRONMENT, InvalidConfig, wrong};
use crate::http::Network;
use ccag_daemon::otlp::{self, OtlpSection};
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;
use std::net::SocketAddr;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct File {
    pub(super) http_listen: SocketAddr,
    pub(super) grpc_listen: SocketAddr,
    pub(super) ops_listen: SocketAddr,
    pub(super) public_url: String,
    pub(super) trusted_proxies: Vec<String>,
    pub(super) master_key: Hidden,
    pub(super) other_master_keys: Hidden,
    pub(super) session_ttl_hours: u64,
    pub(super) client_token_minutes: u64,
    pub(super) client_session_days: u64,
    pub(super) explanation_days: u32,
    pub(super) notification_url: Hidden,
    pub(super) drain_s: u64,
    pub(super) log_filter: String,
    pub(super) log_format: LogFormat,
    pub(super) database: DatabaseSection,
    pub(super) grpc: GrpcSection,
    pub(super) admin: AdminSection,
    pub(super) oidc: OidcSection,
    pub(super) aws: AwsSection,
    pub(super) otlp: OtlpSection,
}

#[derive(Deserialize, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
pub(super) enum LogFormat {
    Text,
    Json,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct DatabaseSection {
    pub(super) url: Hidden,
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) name: String,
    pub(super) user: String,
    pub(super) password: Hidden,
    pub(super) secret_arn: String,
    pub(super) max_connections: u32,
    pub(super) acquire_timeout_ms: u64,
    pub(super) statement_timeout_ms: u64,
    pub(super) start_timeout_s: u64,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct GrpcSection {
    pub(super) join_token: Hidden,
    pub(super) tls_cert: String,
    pub(super) tls_key: String,
    pub(super) client_ca: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AdminSection {
    pub(super) username: String,
    pub(super) password: Hidden,
    pub(super) users: Vec<String>,
    pub(super) password_sign_in: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct OidcSection {
    pub(super) issuer: String,
    pub(super) name: String,
    pub(super) client_id: String,
    pub(super) client_secret: Hidden,
    pub(super) user_claim: String,
    pub(super) scopes: String,
    pub(super) jwks_url: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct AwsSection {
    pub(super) region: String,
    pub(super) bearer_token: Hidden,
    pub(super) ca_bundle: String,
    pub(super) discover_hours: u64,
}

/// A secret that is empty where none is set.
pub(super) struct Hidden(SecretString);

impl<'de> Deserialize<'de> for Hidden {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer).map(|text| Self(text.trim().to_owned().into()))
    }
}

impl Hidden {
    pub(super) fn text(&self) -> &str {
        self.0.expose_secret()
    }

    pub(super) fn get(&self) -> Option<&str> {
        Some(self.text()).filter(|text| !text.is_empty())
    }
}

/// Which variable sets which key.
pub(super) fn environment() -> Vec<(&'static str, &'static str)> {
    [ENVIRONMENT, otlp::ENVIRONMENT].concat()
}

/// What may be shown: secrets only as set or not.
pub(super) fn dump(file: &File) -> serde_json::Value {
    let set = |secret: &Hidden| if secret.get().is_some() { "(set)" } else { "" };
    serde_json::json!({
        "http_listen": file.http_listen,
        "grpc_listen": file.grpc_listen,
        "ops_listen": file.ops_listen,
        "public_url": file.public_url,
        "trusted_proxies": file.trusted_proxies,
        "master_key": set(&file.master_key),
        "other_master_keys": set(&file.other_master_keys),
        "session_ttl_hours": file.session_ttl_hours,
        "client_token_minutes": file.client_token_minutes,
        "client_session_days": file.client_session_days,
        "explanation_days": file.explanation_days,
        "notification_url": set(&file.notification_url),
        "drain_s": file.drain_s,
        "log_filter": file.log_filter,
        "database": {
            "url": set(&file.database.url),
            "host": file.database.host,
            "port": file.database.port,
            "name": file.database.name,
            "user": file.database.user,
            "password": set(&file.database.password),
            "secret_arn": file.database.secret_arn,
            "max_connections": file.database.max_connections,
        },
        "grpc": {
            "join_token": set(&file.grpc.join_token),
            "tls_cert": file.grpc.tls_cert,
            "tls_key": file.grpc.tls_key,
            "client_ca": file.grpc.client_ca,
        },
        "admin": {
            "username": file.admin.username,
            "password": set(&file.admin.password),
            "users": file.admin.users,
            "password_sign_in": file.admin.password_sign_in,
        },
        "oidc": {
            "issuer": file.oidc.issuer,
            "name": file.oidc.name,
            "client_id": file.oidc.client_id,
            "client_secret": set(&file.oidc.client_secret),
            "user_claim": file.oidc.user_claim,
            "scopes": file.oidc.scopes,
            "jwks_url": file.oidc.jwks_url,
        },
        "aws": {
            "region": file.aws.region,
            "bearer_token": set(&file.aws.bearer_token),
            "ca_bundle": file.aws.ca_bundle,
            "discover_hours": file.aws.discover_hours,
        },
        "otlp": file.otlp.dump(),
    })
}

/// Who is told of budgets, as far as it makes sense.
pub(super) fn notification_url(file: &File) -> Result<Option<String>, InvalidConfig> {
    let Some(url) = file.notification_url.get() else {
        return Ok(None);
    };
    crate::app::notifications::of_environment(url).map_err(|problem| {
        let reason = format!(
            "cannot be used: {} Check BUDGET_NOTIFICATION_URL.",
            problem.message
        );
        wrong("notification_url", reason)
    })?;
    Ok(Some(url.to_owned()))
}

/// The load balancers whose word counts.
pub(super) fn networks(texts: &[String]) -> Result<Vec<Network>, InvalidConfig> {
    let parse = |text: &String| {
        Network::parse(text).ok_or_else(|| {
            wrong(
                "trusted_proxies",
                format!("holds `{text}`, which is neither an address nor a range"),
            )
        })
    };
    texts.iter().map(parse).collect()
}
