//! Passing on what is not inference to the control plane, for installations whose load balancer does not tell them apart.

use super::error::render;
use axum::body::Body;
use axum::response::Response;
use ccag_aws::tls::{BadBundle, Connector, direct};
use ccag_domain::{Code, Problem, RequestId};
use http::header::{self, HeaderMap, HeaderName, HeaderValue};
use http::{Request, Uri};
use hyper_util::client::legacy::Client;
use hyper_util::rt::TokioExecutor;
use std::net::SocketAddr;
use std::time::Duration;

/// Headers that are about one connection and not about the message (RFC 9110, section 7.6.1).
const HOP_BY_HOP: [HeaderName; 8] = [
    header::CONNECTION,
    HeaderName::from_static("keep-alive"),
    header::PROXY_AUTHENTICATE,
    header::PROXY_AUTHORIZATION,
    header::TE,
    header::TRAILER,
    header::TRANSFER_ENCODING,
    header::UPGRADE,
];

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// How long a connection to the control plane may take to be made.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to the control plane's HTTP port.
pub(crate) struct Forward {
    client: Client<Connector, Body>,
    base: url::Url,
}

impl Forward {
    /// # Errors
    /// None at present: only a bundle of certificates could be at fault.
    pub(crate) fn new(base: url::Url) -> Result<Self, BadBundle> {
        let connector = direct(CONNECT_TIMEOUT)?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            base,
        })
    }

    /// Passes a request on and its answer back; bodies stream.
    pub(super) async fn pass(
        &self,
        mut request: Request<Body>,
        peer: Option<SocketAddr>,
        request_id: &RequestId,
    ) -> Response {
        let path = request.uri().path_and_query().map_or("/", |p| p.as_str());
        let target = format!("{}{path}", self.base.as_str().trim_end_matches('/'));
        let Ok(uri) = target.parse::<Uri>() else {
            return render(
                &Problem::new(Code::InvalidRequest, "the path cannot be passed on"),
                request_id,
            );
        };
        *request.uri_mut() = uri;
        *request.version_mut() = http::Version::HTTP_11;
        let headers = request.headers_mut();
        strip(headers);
        if let Some(host) = headers.remove(header::HOST) {
            headers.insert(FORWARDED_HOST, host);
        }
        if let Some(value) = peer.and_then(|p| HeaderValue::from_str(&p.ip().to_string()).ok()) {
            headers.append(FORWARDED_FOR, value);
        }
        match self.client.request(request).await {
            Ok(answer) => {
                let mut answer = answer.map(Body::new);
                strip(answer.headers_mut());
                answer
            }
            Err(error) => {
                tracing::warn!(%error, request_id = %request_id, "the control plane does not answer");
                let problem = Problem::new(
                    Code::Unavailable,
                    "the control plane does not answer; model requests are served without it",
                );
                render(&problem.retry_after(5), request_id)
            }
        }
    }
}

/// Removes what concerns one connection only, named headers included.
fn strip(headers: &mut HeaderMap) {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|text| text.split(','))
        .filter_map(|name| name.trim().parse().ok())
        .collect();
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_one_connection_do_not_travel_on() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "close, X-Private"),
            ("x-private", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("authorization", "Bearer t"),
            ("cookie", "a=b"),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::from_static(value));
        }
        strip(&mut headers);
        let mut left: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["authorization", "cookie"]);
    }
}
