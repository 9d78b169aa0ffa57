//! The ops port: what orchestrators, scrapers and operators ask a process. It belongs on an address that clients do not
//! reach.

use crate::Lifecycle;
use crate::metric::{Label, Metric};
use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use prometheus_client::encoding::text::{encode_eof, encode_registry};
use prometheus_client::registry::Registry;
use std::sync::{Arc, Mutex, PoisonError};

const OPEN_CONNECTIONS: Metric = Metric::gauge(
    "ccag_open_connections",
    "connections",
    "Client connections that are open now",
);

const CONNECTIONS_CLOSED: Metric = Metric::counter(
    "ccag_connections_closed",
    "connections and requests",
    "Client connections, and requests on them, that were ended for taking too much: `slow_head` said nothing in time, \
     `idle` had no request for too long, `made_room` had none when another needed the room, `no_room` was refused, \
     `slow_body` did not finish its request, `not_reading` did not take its answer",
)
.by(&[Label::one_of(
    "reason",
    &["slow_head", "idle", "made_room", "no_room", "slow_body", "not_reading"],
)]);

/// What every process counts.
pub const METRICS: &[Metric] = &[OPEN_CONNECTIONS, CONNECTIONS_CLOSED];

/// A registry of metrics that several parts of a process write to.
pub type SharedRegistry = Arc<Mutex<Registry>>;

type Dump = Arc<dyn Fn() -> serde_json::Value + Send + Sync>;

/// Builds the ops port: `/livez`, `/readyz`, `/metrics` and `/config_dump`.
#[derive(Clone)]
pub struct Ops {
    life: Lifecycle,
    registries: Vec<SharedRegistry>,
    dump: Option<Dump>,
}

impl std::fmt::Debug for Ops {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ops")
            .field("registries", &self.registries.len())
            .field("config_dump", &self.dump.is_some())
            .finish_non_exhaustive()
    }
}

impl Ops {
    /// An ops port that tells how `life` is going, with what there is to say of connections as its metrics.
    #[must_use]
    pub fn new(life: &Lifecycle) -> Self {
        let mut own = Registry::default();
        OPEN_CONNECTIONS.register(&mut own, life.connections().clone());
        CONNECTIONS_CLOSED.register(&mut own, life.closed_connections().clone());
        Self {
            life: life.clone(),
            registries: vec![Arc::new(Mutex::new(own))],
            dump: None,
        }
    }

    /// Adds the metrics of `registry`. It may be called once for each part; two parts must not use the same metric names.
    #[must_use]
    pub fn registry(mut self, registry: SharedRegistry) -> Self {
        self.registries.push(registry);
        self
    }

    /// Adds the metrics of these registries, as [`Ops::registry`] does.
    #[must_use]
    pub fn registries(mut self, registries: impl IntoIterator<Item = SharedRegistry>) -> Self {
        self.registries.extend(registries);
        self
    }

    /// Serves what `dump` returns at `/config_dump`. It has to leave secrets out itself.
    #[must_use]
    pub fn config_dump(mut self, dump: impl Fn() -> serde_json::Value + Send + Sync + 'static) -> Self {
        self.dump = Some(Arc::new(dump));
        self
    }

    /// The routes.
    pub fn router(self) -> Router {
        Router::new()
            .route("/livez", get(|| async { "ok\n" }))
            .route("/readyz", get(readyz))
            .route("/metrics", get(metrics))
            .route("/config_dump", get(config_dump))
            .with_state(self)
    }
}

async fn readyz(State(ops): State<Ops>) -> Response {
    if ops.life.is_ready() {
        return "ready\n".into_response();
    }
    let waiting_for = ops.life.waiting_for();
    let reason = if ops.life.shutdown().is_cancelled() {
        "shutting down".to_owned()
    } else if waiting_for.is_empty() {
        // The last guard was dropped between the two look-ups.
        return "ready\n".into_response();
    } else {
        format!("waiting for {}", waiting_for.join(", "))
    };
    (StatusCode::SERVICE_UNAVAILABLE, format!("not ready: {reason}\n")).into_response()
}

/// In OpenMetrics for who asks for it, as Prometheus does; else in the older text format, which everything reads.
async fn metrics(State(ops): State<Ops>, headers: HeaderMap) -> Response {
    let mut text = String::with_capacity(16 * 1024);
    let encoded = ops
        .registries
        .iter()
        .try_for_each(|registry| {
            let registry = registry.lock().unwrap_or_else(PoisonError::into_inner);
            encode_registry(&mut text, &registry)
        })
        .and_then(|()| encode_eof(&mut text));
    if let Err(error) = encoded {
        tracing::error!(%error, "cannot write the metrics");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let wants_openmetrics = headers.get_all(header::ACCEPT).iter().any(|accept| {
        accept
            .to_str()
            .is_ok_and(|types| types.contains("application/openmetrics-text"))
    });
    let kind = if wants_openmetrics {
        "application/openmetrics-text; version=1.0.0; charset=utf-8"
    } else {
        text = older(&text);
        "text/plain; version=0.0.4; charset=utf-8"
    };
    ([(header::CONTENT_TYPE, kind)], text).into_response()
}

/// The same in the text format 0.0.4, which knows a counter by the name of its series.
///
/// <https://prometheus.io/docs/instrumenting/exposition_formats/#text-based-format>
fn older(openmetrics: &str) -> String {
    let mut text = String::with_capacity(openmetrics.len());
    let mut help: Option<(&str, &str)> = None;
    for line in openmetrics.lines() {
        if let Some(words) = line.strip_prefix("# HELP ") {
            help = words.split_once(' ');
        } else if let Some((name, kind)) = line
            .strip_prefix("# TYPE ")
            .and_then(|words| words.split_once(' '))
        {
            let end = if kind == "counter" { "_total" } else { "" };
            if let Some((_, meaning)) = help.take().filter(|(of, _)| *of == name) {
                text.extend(["# HELP ", name, end, " ", meaning, "\n"]);
            }
            text.extend(["# TYPE ", name, end, " ", kind, "\n"]);
        } else if !line.starts_with('#') {
            text.extend([line, "\n"]);
        }
    }
    text
}

async fn config_dump(State(ops): State<Ops>) -> Response {
    match &ops.dump {
        Some(dump) => axum::Json(dump()).into_response(),
        None => StatusCode::NOT_FOUND.into_response(),
    }
}
