//! The table of what is served.

use super::error::render;
use super::{Gateway, count_tokens, doctor, messages, models, telemetry, usage};
use axum::Router;
use axum::body::Body;
use axum::extract::{ConnectInfo, DefaultBodyLimit, Path, Request, State};
use axum::response::Response;
use axum::routing::{any, get, head, post};
use ccag_domain::{Code, Problem};
use futures_util::FutureExt;
use futures_util::future::BoxFuture;
use http::StatusCode;
use std::convert::Infallible;
use std::net::SocketAddr;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

type Shared = State<Arc<Gateway>>;

/// The inference routes, with nothing said about other paths, and nothing about `/` but what Claude Code asks.
pub(crate) fn inference(gateway: Arc<Gateway>) -> Router {
    routes().route("/", head(hello)).with_state(gateway)
}

fn routes() -> Router<Arc<Gateway>> {
    Router::new()
        .route("/v1/messages", post(routed_messages).fallback(wrong_method))
        .route(
            "/v1/messages/count_tokens",
            post(post_count_tokens).fallback(wrong_method),
        )
        .route("/v1/messages/doctor", post(post_doctor).fallback(wrong_method))
        .route(
            "/v1/messages/doctor/stream",
            post(post_doctor_stream).fallback(wrong_method),
        )
        .route("/v1/models", get(list_models).fallback(wrong_method))
        .route("/v1/models/{*id}", get(get_model).fallback(wrong_method))
        .route("/v1/metrics", post(take_telemetry).fallback(wrong_method))
        .route("/v1/logs", post(take_telemetry).fallback(wrong_method))
        .route("/v1/traces", post(take_telemetry).fallback(wrong_method))
        .route("/v1/{*rest}", any(elsewhere))
        .route("/api/hello", get(hello))
        .route("/api/oauth/usage", get(get_usage).fallback(wrong_method))
        // Each handler has its own limit, which says what Anthropic's API says.
        .layer(DefaultBodyLimit::disable())
}

/// The same, with every other request passed on to the control plane, or refused where none is configured.
pub(super) fn with_fallback(gateway: Arc<Gateway>) -> Router {
    routes()
        .route("/", head(hello).fallback(elsewhere))
        .fallback(elsewhere)
        .with_state(gateway)
}

/// A refusal for every request, where there are more connections than may be open.
pub(crate) fn no_room(gateway: Arc<Gateway>) -> Router {
    Router::new().fallback(full).with_state(gateway)
}

async fn full(State(gateway): Shared, request: Request<Body>) -> Response {
    super::body::drain(&request.headers().clone(), request.into_body()).await;
    let message = "this gateway has as many connections as it takes; try again in a moment";
    let problem = Problem::new(Code::Unavailable, message).retry_after(2);
    render(&problem, &gateway.request_id())
}

async fn hello() -> StatusCode {
    StatusCode::OK
}

/// Serves a request to a model.
pub(super) fn post_messages(
    gateway: &Arc<Gateway>,
    request: Request,
) -> BoxFuture<'static, Result<Response, Infallible>> {
    let of_panics = Arc::clone(gateway);
    // One future, made where it stays: it is large.
    Box::pin(
        AssertUnwindSafe(messages::handle(Arc::clone(gateway), request))
            .catch_unwind()
            .map(move |handled| Ok(unless_it_panics(&of_panics, handled))),
    )
}

async fn routed_messages(State(gateway): Shared, request: Request) -> Result<Response, Infallible> {
    post_messages(&gateway, request).await
}

async fn post_count_tokens(State(gateway): Shared, request: Request) -> Response {
    let handled = count_tokens::handle(Arc::clone(&gateway), request);
    unless_it_panics(&gateway, AssertUnwindSafe(handled).catch_unwind().await)
}

async fn post_doctor(State(gateway): Shared, request: Request) -> Response {
    doctor::received(&gateway, request).await
}

async fn post_doctor_stream(State(gateway): Shared, request: Request) -> Response {
    doctor::events(&gateway, request).await
}

/// A fault of ours is an answer too, not a reset connection. What the panic said is in the log.
fn unless_it_panics(gateway: &Gateway, handled: Result<Response, Box<dyn std::any::Any + Send>>) -> Response {
    handled.unwrap_or_else(|_| {
        let problem = Problem::new(Code::Internal, "this gateway has failed to process the request");
        render(&problem, &gateway.request_id())
    })
}

async fn list_models(State(gateway): Shared, request: Request) -> Response {
    models::handle(&gateway, request.headers(), None, request.uri().query()).await
}

async fn get_model(State(gateway): Shared, Path(id): Path<String>, request: Request) -> Response {
    models::handle(&gateway, request.headers(), Some(&id), None).await
}

async fn get_usage(State(gateway): Shared, request: Request) -> Response {
    usage::handle(&gateway, request.headers()).await
}

async fn take_telemetry(State(gateway): Shared, request: Request) -> Response {
    telemetry::handle(&gateway, request).await
}

async fn wrong_method(State(gateway): Shared, request: Request) -> Response {
    let message = format!(
        "Method Not Allowed: {} {}",
        request.method(),
        request.uri().path()
    );
    let problem = Problem::new(Code::MethodNotAllowed, message);
    super::body::drain(&request.headers().clone(), request.into_body()).await;
    render(&problem, &gateway.request_id())
}

async fn elsewhere(State(gateway): Shared, request: Request<Body>) -> Response {
    let request_id = gateway.request_id();
    if let Some(forward) = &gateway.forward {
        let peer = request
            .extensions()
            .get::<ConnectInfo<SocketAddr>>()
            .map(|info| info.0);
        return forward.pass(request, peer, &request_id).await;
    }
    let path: String = request.uri().path().chars().take(120).collect();
    super::body::drain(&request.headers().clone(), request.into_body()).await;
    render(
        &Problem::new(Code::NotFound, format!("Not Found: {path}")),
        &request_id,
    )
}
