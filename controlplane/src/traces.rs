//! What the control plane tells OpenTelemetry: a span for every request of people and programs, one for every stream that a data
//! plane opens, and how long requests take. Paths are told as routes, without what stands in their place.
//!
//! <https://opentelemetry.io/docs/specs/semconv/http/>

use axum::extract::{MatchedPath, Request};
use axum::http::{Method, StatusCode};
use ccag_daemon::otlp::{Histogram, KeyValue, Otlp, Span};
use ccag_domain::RequestId;

/// The buckets that the conventions name, in seconds.
const DURATION: [f64; 14] = [
    0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1.0, 2.5, 5.0, 7.5, 10.0,
];

/// What is told, and how.
#[derive(Debug, Clone)]
pub(crate) struct Traces {
    pub(crate) otlp: Otlp,
    duration: Histogram<f64>,
}

/// A request that is being told of.
pub(crate) struct Told {
    span: Span,
    method: &'static str,
    route: String,
    duration: Histogram<f64>,
}

impl Traces {
    pub(crate) fn new(otlp: Otlp) -> Self {
        let meter = otlp.meter();
        Self {
            duration: meter
                .f64_histogram("http.server.request.duration")
                .with_unit("s")
                .with_description("How long requests take until their answer begins")
                .with_boundaries(DURATION.to_vec())
                .build(),
            otlp,
        }
    }

    /// A request has arrived.
    pub(crate) fn serve(&self, request: &Request, id: &RequestId) -> Told {
        let method = known(request.method());
        let matched = request.extensions().get::<MatchedPath>();
        let route = matched.map(|path| path.as_str().to_owned()).unwrap_or_default();
        let name = format!("{method} {route}").trim_end().to_owned();
        let mut span = self.otlp.serve(name, request.headers());
        span.set("http.request.method", method);
        if !route.is_empty() {
            span.set("http.route", route.as_str());
        }
        span.set("ccag.request.id", id.as_str());
        Told {
            span,
            method,
            route,
            duration: self.duration.clone(),
        }
    }
}

impl Told {
    /// The answer begins.
    pub(crate) fn answered(mut self, status: StatusCode) {
        let code = status.as_u16();
        self.span.set("http.response.status_code", code);
        let mut about = vec![
            KeyValue::new("http.request.method", self.method),
            KeyValue::new("http.route", self.route),
            KeyValue::new("http.response.status_code", i64::from(code)),
        ];
        if status.is_server_error() {
            self.span.fail(status.as_str());
            about.push(KeyValue::new("error.type", status.as_str().to_owned()));
        }
        self.duration.record(self.span.took().as_secs_f64(), &about);
    }
}

/// Methods have few names, whatever clients make up.
fn known(method: &Method) -> &'static str {
    match *method {
        Method::GET => "GET",
        Method::HEAD => "HEAD",
        Method::POST => "POST",
        Method::PUT => "PUT",
        Method::PATCH => "PATCH",
        Method::DELETE => "DELETE",
        Method::OPTIONS => "OPTIONS",
        _ => "_OTHER",
    }
}
