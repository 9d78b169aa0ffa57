//! What a data plane's port answers with: the one request that is frequent at once, all others by the table of routes.

use super::Gateway;
use super::routes::{post_messages, with_fallback};
use axum::Router;
use axum::body::Body;
use axum::extract::Request;
use axum::response::Response;
use futures_util::future::BoxFuture;
use http::Method;
use std::convert::Infallible;
use std::sync::Arc;
use std::task::{Context, Poll};
use tower::{Service, ServiceExt};

/// The service of a data plane's port. A router boxes what it does at several levels, and moves it each time: a request to a
/// model, whose state is large, does without.
#[derive(Clone)]
pub struct Front {
    gateway: Arc<Gateway>,
    router: Router,
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Front").finish_non_exhaustive()
    }
}

impl Front {
    pub(crate) fn new(gateway: Arc<Gateway>) -> Self {
        let router = with_fallback(Arc::clone(&gateway));
        Self { gateway, router }
    }
}

impl Service<Request<Body>> for Front {
    type Response = Response;
    type Error = Infallible;
    type Future = BoxFuture<'static, Result<Response, Infallible>>;

    fn poll_ready(&mut self, _: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Poll::Ready(Ok(()))
    }

    fn call(&mut self, request: Request<Body>) -> Self::Future {
        if request.method() == Method::POST && request.uri().path() == "/v1/messages" {
            return post_messages(&self.gateway, request);
        }
        Box::pin(self.router.clone().oneshot(request))
    }
}
