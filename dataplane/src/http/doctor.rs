//! `POST /v1/messages/doctor` and `/v1/messages/doctor/stream`: what `ccag doctor` asks to find out what lies between a client and a
//! data plane. They take the way of inference, ask nobody and cost nothing; only callers with a key get an answer.
//!
//! The first says what has arrived: which headers, and how large a body. The second sends server-sent events: a few in quick succession, then
//! none for as long as an answer may be silent, then the last two. Whoever holds events back, or hangs up on silence, shows by when they
//! arrive.

use super::Gateway;
use super::error::{render, set_request_id};
use super::models::json_response;
use super::sse::set_headers;
use crate::auth::authenticate;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use bytes::Bytes;
use ccag_domain::{Code, Problem};
use futures_util::stream;
use http::{HeaderMap, header};
use http_body_util::BodyExt;
use serde_json::{Value, json};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

/// How far apart the first events are.
const QUICK: Duration = Duration::from_millis(300);

/// How many events there are before the silence.
const BEFORE: u32 = 3;

/// Says what has arrived.
pub(super) async fn received(gateway: &Gateway, request: Request) -> Response {
    let request_id = gateway.request_id();
    let (head, body) = request.into_parts();
    gateway.caught_up(&head.headers).await;
    let shown_in = match admitted(gateway, &head.headers) {
        Ok(shown_in) => shown_in,
        Err(problem) => {
            super::body::drain(&head.headers, body).await;
            return render(&problem, &request_id);
        }
    };
    match count(body, gateway.body_bytes).await {
        Ok(bytes) => json_response(&told(gateway, &head.headers, shown_in, bytes), &request_id),
        Err(problem) => render(&problem, &request_id),
    }
}

fn admitted(gateway: &Gateway, headers: &HeaderMap) -> Result<&'static str, Problem> {
    let view = gateway.view()?;
    Ok(authenticate(headers, &view, &gateway.tokens, gateway.clock.now_ms())?.shown_in)
}

/// Reads a body to its end without keeping any of it.
async fn count(mut body: Body, limit: usize) -> Result<usize, Problem> {
    let mut bytes = 0usize;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|_| Problem::new(Code::InvalidRequest, "the request body broke off"))?;
        bytes += frame.data_ref().map_or(0, Bytes::len);
        if bytes > limit {
            let message = format!("the body is larger than the {limit} bytes that this gateway takes");
            return Err(Problem::new(Code::TooLarge, message));
        }
    }
    Ok(bytes)
}

/// No value of a header is repeated but those that say nothing of anybody.
fn told(gateway: &Gateway, headers: &HeaderMap, shown_in: &str, bytes: usize) -> Value {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let betas = headers.get_all("anthropic-beta").iter();
    let betas: Vec<&str> = betas
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .collect();
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "now_ms": gateway.clock.now_ms(),
        "ping_ms": u64::try_from(gateway.ping.as_millis()).unwrap_or(u64::MAX),
        "body_limit_bytes": gateway.body_bytes,
        "received": {
            "body_bytes": bytes,
            "key_in": shown_in,
            "x_api_key": headers.contains_key("x-api-key"),
            "authorization": headers.contains_key(header::AUTHORIZATION),
            "anthropic_beta": betas,
            "anthropic_version": text("anthropic-version"),
        },
    })
}

/// Sends events as an answer does.
pub(super) async fn events(gateway: &Arc<Gateway>, request: Request) -> Response {
    let request_id = gateway.request_id();
    let (head, body) = request.into_parts();
    gateway.caught_up(&head.headers).await;
    super::body::drain(&head.headers, body).await;
    if let Err(problem) = admitted(gateway, &head.headers) {
        return render(&problem, &request_id);
    }
    let of = Arc::clone(gateway);
    let sending = stream::unfold(1, move |n: u32| {
        let gateway = Arc::clone(&of);
        async move {
            let pause = match n {
                1 => Duration::ZERO,
                n if n <= BEFORE => QUICK,
                n if n == BEFORE + 1 => gateway.ping,
                n if n == BEFORE + 2 => QUICK,
                _ => return None,
            };
            tokio::time::sleep(pause).await;
            let last = n == BEFORE + 2;
            let data =
                json!({ "n": n, "at_ms": gateway.clock.now_ms(), "silence": n == BEFORE + 1, "last": last });
            let event = format!("event: doctor\ndata: {data}\n\n");
            Some((Ok::<_, Infallible>(Bytes::from(event)), n + 1))
        }
    });
    let mut response = Response::new(Body::from_stream(sending));
    set_headers(response.headers_mut());
    set_request_id(response.headers_mut(), &request_id);
    response
}
