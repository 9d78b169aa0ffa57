//! What Claude Code measures of itself: OTLP over HTTP at `/v1/metrics`, `/v1/logs` and `/v1/traces`.
//!
//! A client that has signed in sends it here once its settings turn telemetry on, and complains about every answer but 200. So
//! that is the answer, whatever becomes of it: what callers of ours send is passed on to the collectors that the operator has
//! named, as far as they keep up; the rest is dropped, and counted.

use super::Gateway;
use super::body::drain;
use crate::auth::authenticate;
use axum::body::Body;
use axum::response::Response;
use bytes::Bytes;
use ccag_aws::tls::{BadBundle, Connector, direct};
use ccag_daemon::Lifecycle;
use ccag_domain::Caller;
use http::{HeaderMap, HeaderName, HeaderValue, Request, StatusCode, header};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Semaphore;

/// The largest message that is passed on, in bytes.
const MAX_MESSAGE: usize = 4 << 20;

/// How many messages are on their way to collectors at a time.
const AT_ONCE: usize = 32;

/// How long a collector may take, and how long to be connected to.
const PATIENCE: Duration = Duration::from_secs(10);
const CONNECT: Duration = Duration::from_secs(5);

/// Who it is from, for collectors that take headers along.
const CALLER: [&str; 3] = ["x-ccag-key-id", "x-ccag-user-id", "x-ccag-team-id"];

/// The way to the collectors.
pub(crate) struct Relay {
    client: Client<Connector, http_body_util::Full<Bytes>>,
    collectors: Vec<url::Url>,
    headers: HeaderMap,
    room: Arc<Semaphore>,
    life: Lifecycle,
}

impl Relay {
    /// # Errors
    /// None at present: only a bundle of certificates could be at fault.
    pub(crate) fn new(
        collectors: Vec<url::Url>,
        headers: HeaderMap,
        life: Lifecycle,
    ) -> Result<Self, BadBundle> {
        let connector = direct(CONNECT)?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            collectors,
            headers,
            room: Arc::new(Semaphore::new(AT_ONCE)),
            life,
        })
    }

    /// Passes a message on, without anybody's waiting for it; false if there is no room.
    fn pass(&self, path: &str, sent: &HeaderMap, body: &Bytes, caller: &Caller) -> bool {
        for collector in &self.collectors {
            let Ok(place) = Arc::clone(&self.room).try_acquire_owned() else {
                return false;
            };
            let target = format!("{}{path}", collector.as_str().trim_end_matches('/'));
            let Ok(mut request) = Request::post(target).body(http_body_util::Full::new(body.clone())) else {
                return false;
            };
            let headers = request.headers_mut();
            headers.extend(self.headers.clone());
            for name in [header::CONTENT_TYPE, header::CONTENT_ENCODING] {
                if let Some(value) = sent.get(&name) {
                    headers.insert(name, value.clone());
                }
            }
            mark(headers, caller);
            let asked = self.client.request(request);
            self.life.spawn("telemetry relay", async move {
                let _place = place;
                match tokio::time::timeout(PATIENCE, asked).await {
                    Ok(Ok(answer)) if answer.status().is_success() => {}
                    Ok(Ok(answer)) => {
                        tracing::debug!(status = answer.status().as_u16(), "a collector refuses telemetry");
                    }
                    Ok(Err(error)) => tracing::debug!(%error, "a collector cannot be reached"),
                    Err(_) => tracing::debug!("a collector does not answer"),
                }
            });
        }
        true
    }
}

fn mark(headers: &mut HeaderMap, caller: &Caller) {
    let ids = [
        Some(caller.key_id.as_str()),
        caller.user_id.as_ref().map(ccag_domain::UserId::as_str),
        caller.team_id.as_ref().map(ccag_domain::TeamId::as_str),
    ];
    for (name, id) in CALLER.into_iter().zip(ids) {
        if let Some(value) = id.and_then(|id| HeaderValue::from_str(id).ok()) {
            headers.insert(HeaderName::from_static(name), value);
        }
    }
}

/// Takes a message in.
pub(super) async fn handle(gateway: &Gateway, request: axum::extract::Request) -> Response {
    let (head, body) = request.into_parts();
    gateway.caught_up(&head.headers).await;
    let caller = gateway.view().ok().and_then(|view| {
        let now = gateway.clock.now_ms();
        authenticate(&head.headers, &view, &gateway.tokens, now).ok()
    });
    match (caller, &gateway.relay) {
        (Some(who), Some(relay)) => {
            let read = Limited::new(body, MAX_MESSAGE).collect();
            let whole = tokio::time::timeout(PATIENCE, read).await;
            let passed = match whole {
                Ok(Ok(whole)) => relay.pass(head.uri.path(), &head.headers, &whole.to_bytes(), &who.caller),
                _ => false,
            };
            if passed {
                gateway.metrics.telemetry_relayed.inc();
            } else {
                gateway.metrics.telemetry_dropped.inc();
            }
        }
        _ => drain(&head.headers, body).await,
    }
    taken(&head.headers)
}

/// That everything was taken: an empty message in the encoding of the request (OTLP/HTTP, "Success").
fn taken(sent: &HeaderMap) -> Response {
    let json = sent
        .get(header::CONTENT_TYPE)
        .is_some_and(|value| value.as_bytes().starts_with(b"application/json"));
    let (kind, body) = if json {
        ("application/json", "{}")
    } else {
        ("application/x-protobuf", "")
    };
    let mut response = Response::new(Body::from(body));
    *response.status_mut() = StatusCode::OK;
    response
        .headers_mut()
        .insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    response
}
