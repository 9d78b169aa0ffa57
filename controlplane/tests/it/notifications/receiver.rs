//! A web server that takes webhooks, and checks their signatures by itself.

use super::schema;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::Value;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// One request.
#[derive(Debug, Clone)]
pub(crate) struct Received {
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Received {
    pub(crate) fn id(&self) -> String {
        self.headers["webhook-id"].to_str().unwrap().to_owned()
    }

    /// The event, which is as its schema says.
    pub(crate) fn json(&self) -> Value {
        let event = serde_json::from_str(&self.body).unwrap();
        schema::check(&event);
        event
    }

    /// As Standard Webhooks says, with another library for cryptography than the sender's.
    pub(crate) fn is_signed_with(&self, secret: &str) -> bool {
        let key = STANDARD.decode(secret.strip_prefix("whsec_").unwrap()).unwrap();
        let key = aws_lc_rs::hmac::Key::new(aws_lc_rs::hmac::HMAC_SHA256, &key);
        let timestamp = self.headers["webhook-timestamp"].to_str().unwrap();
        let signed = format!("{}.{timestamp}.{}", self.id(), self.body);
        let signature = self.headers["webhook-signature"].to_str().unwrap();
        let signature = STANDARD.decode(signature.strip_prefix("v1,").unwrap()).unwrap();
        aws_lc_rs::hmac::verify(&key, signed.as_bytes(), &signature).is_ok()
    }
}

#[derive(Default)]
struct Inner {
    received: Mutex<Vec<Received>>,
    status: AtomicU16,
}

/// The server. It answers 204, or whatever the test says.
#[derive(Clone)]
pub(crate) struct Receiver {
    pub(crate) url: String,
    inner: Arc<Inner>,
}

impl Receiver {
    pub(crate) async fn start() -> Self {
        let inner = Arc::new(Inner::default());
        inner.status.store(204, Ordering::Relaxed);
        let app = axum::Router::new().fallback(take).with_state(Arc::clone(&inner));
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}/hook", listener.local_addr().unwrap());
        tokio::spawn(async move { axum::serve(listener, app).await });
        Self { url, inner }
    }

    /// Answers with this status from now on.
    pub(crate) fn answer(&self, status: u16) {
        self.inner.status.store(status, Ordering::Relaxed);
    }

    pub(crate) fn received(&self) -> Vec<Received> {
        self.inner.received.lock().unwrap().clone()
    }

    /// Waits for so many requests.
    pub(crate) async fn wait_for(&self, count: usize) -> Vec<Received> {
        for _ in 0..400 {
            let received = self.received();
            if received.len() >= count {
                return received;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("{count} requests were expected: {:?}", self.received());
    }
}

async fn take(State(inner): State<Arc<Inner>>, headers: HeaderMap, body: Bytes) -> (StatusCode, HeaderMap) {
    let body = String::from_utf8(body.to_vec()).unwrap();
    inner.received.lock().unwrap().push(Received { headers, body });
    let status = StatusCode::from_u16(inner.status.load(Ordering::Relaxed)).unwrap();
    let mut more = HeaderMap::new();
    if status.is_redirection() {
        more.insert(header::LOCATION, "/elsewhere".parse().unwrap());
    }
    (status, more)
}
