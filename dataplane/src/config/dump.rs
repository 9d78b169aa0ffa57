//! The configuration as it may be shown.

use super::{File, Secret};
use ccag_daemon::config::without_password;
use secrecy::ExposeSecret;

/// What may be shown: secrets only as set or not.
pub(super) fn dump(file: &File) -> serde_json::Value {
    let set = |secret: &Secret| {
        if secret.0.expose_secret().is_empty() {
            ""
        } else {
            "(set)"
        }
    };
    let shown = |urls: &[String]| urls.iter().map(|url| without_password(url)).collect::<Vec<_>>();
    serde_json::json!({
        "http_listen": file.http_listen,
        "ops_listen": file.ops_listen,
        "data_dir": file.data_dir,
        "replica_name": file.replica_name,
        "forward_control": without_password(&file.forward_control),
        "metrics_aliases": file.metrics_aliases,
        "telemetry": {
            "collectors": shown(&file.telemetry.collectors),
            "headers": set(&file.telemetry.headers),
        },
        "otlp": file.otlp.dump(),
        "drain_notice_s": file.drain_notice_s,
        "drain_s": file.drain_s,
        "log_filter": file.log_filter,
        "control": {
            "urls": shown(&file.control.urls),
            "join_token": set(&file.control.join_token),
            "ca_file": file.control.ca_file,
            "client_cert": file.control.client_cert,
            "client_key": file.control.client_key,
            "trust_s": file.control.trust_s,
        },
        "limits": {
            "body_bytes": file.limits.body_bytes,
            "body_memory_bytes": file.limits.body_memory_bytes,
            "ping_s": file.limits.ping_s,
            "idle_s": file.limits.idle_s,
        },
        "connections": file.connections,
        "spool": { "max_bytes": file.spool.max_bytes, "sync_ms": file.spool.sync_ms },
        "aws": {
            "region": file.aws.region,
            "bearer_token": set(&file.aws.bearer_token),
            "connect_timeout_ms": file.aws.connect_timeout_ms,
            "answer_timeout_s": file.aws.answer_timeout_s,
            "http2": file.aws.http2,
            "ca_bundle": file.aws.ca_bundle,
        },
    })
}
