//! Connections through an HTTP proxy: it is asked to `CONNECT`, and what follows is between us and whom we call.
//!
//! Which proxy: that of the endpoint, or that of `HTTPS_PROXY`, unless `NO_PROXY` names the host.

use crate::causes;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use ccag_domain::Network;
use futures_util::future::BoxFuture;
use http::{HeaderValue, Uri};
use hyper_rustls::{HttpsConnector, MaybeHttpsStream};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::client::proxy::matcher::Matcher;
use hyper_util::rt::TokioIo;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tower_service::Service;

/// The longest answer to a `CONNECT` that is read, in bytes.
const MAX_ANSWER: usize = 16 * 1024;

/// A connection, which may go through a proxy.
pub type Stream = MaybeHttpsStream<TokioIo<TcpStream>>;

type BoxError = Box<dyn std::error::Error + Send + Sync>;

/// Which way connections go.
#[derive(Clone)]
pub(crate) enum Via {
    /// As the process's environment says.
    Environment(Arc<Matcher>),
    /// Through this proxy.
    Proxy(Arc<ProxyAddress>),
}

/// A proxy, and who asks it.
pub(crate) struct ProxyAddress {
    uri: Uri,
    authorization: Option<HeaderValue>,
}

/// A connection through a proxy was not made. Names the proxy, and no user or password.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// It wants to know who asks.
    #[error(
        "the proxy {proxy} wants a user and a password (407): give them with the endpoint's proxy, or in HTTPS_PROXY"
    )]
    LoginWanted {
        /// Its address.
        proxy: String,
    },
    /// It does not take the user and the password.
    #[error("the proxy {proxy} does not take the user and the password that it is given (407)")]
    LoginRefused {
        /// Its address.
        proxy: String,
    },
    /// It does not make the connection.
    #[error("the proxy {proxy} does not connect to {host}: it answers {status}")]
    Refused {
        /// Its address.
        proxy: String,
        /// Host and port.
        host: String,
        /// Its status.
        status: u16,
    },
    /// It cannot be reached, or speaks otherwise.
    #[error("the proxy {proxy} cannot be used: {reason}")]
    Unusable {
        /// Its address.
        proxy: String,
        /// Why.
        reason: String,
    },
}

impl Via {
    /// What the environment says: `HTTPS_PROXY` (or `https_proxy`, `ALL_PROXY`, `all_proxy`), except for what `NO_PROXY` names.
    /// Plain HTTP, which goes to this machine only, never goes through a proxy of the environment's.
    pub(crate) fn environment(read: impl Fn(&str) -> Option<String>) -> Self {
        let first = |names: &[&str]| {
            let found = names.iter().filter_map(|name| read(name));
            found
                .map(|text| text.trim().to_owned())
                .find(|text| !text.is_empty())
        };
        let proxy = first(&["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"]);
        let no = first(&["NO_PROXY", "no_proxy"]);
        let matcher = Matcher::builder()
            .https(proxy.unwrap_or_default())
            .no(no.unwrap_or_default())
            .build();
        Self::Environment(Arc::new(matcher))
    }

    /// The way of an endpoint that names a proxy.
    ///
    /// # Errors
    /// If the proxy cannot be asked: its URL is none, or its password is not at hand.
    pub(crate) fn of(network: &Network) -> Result<Option<Self>, String> {
        let Some(proxy) = &network.proxy else {
            return Ok(None);
        };
        let uri: Uri = proxy
            .url
            .parse()
            .map_err(|e| format!("the proxy's URL cannot be read: {e}"))?;
        let authorization = match &proxy.login {
            None => None,
            Some(login) => {
                let password = login.password.as_ref().ok_or(
                    "the proxy's password is not at hand: it comes with the configuration, and if it cannot be opened there, \
                     it has to be entered again",
                )?;
                let token = STANDARD.encode(format!("{}:{}", login.user, password.reveal()));
                let mut value = HeaderValue::from_str(&format!("Basic {token}"))
                    .map_err(|_| "the proxy's password is no header value")?;
                value.set_sensitive(true);
                Some(value)
            }
        };
        Ok(Some(Self::Proxy(Arc::new(ProxyAddress { uri, authorization }))))
    }

    /// The proxy for a destination.
    fn towards(&self, to: &Uri) -> Option<Arc<ProxyAddress>> {
        match self {
            Self::Proxy(proxy) => Some(Arc::clone(proxy)),
            Self::Environment(matcher) => matcher.intercept(to).map(|found| {
                Arc::new(ProxyAddress {
                    uri: found.uri().clone(),
                    authorization: found.basic_auth().cloned(),
                })
            }),
        }
    }
}

/// Makes connections, directly or through a proxy.
#[derive(Clone)]
pub struct Dial {
    direct: HttpConnector,
    to_proxy: HttpsConnector<HttpConnector>,
    via: Via,
    timeout: Duration,
}

impl std::fmt::Debug for Dial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Dial").finish_non_exhaustive()
    }
}

impl Dial {
    pub(crate) const fn new(
        direct: HttpConnector,
        to_proxy: HttpsConnector<HttpConnector>,
        via: Via,
        timeout: Duration,
    ) -> Self {
        Self {
            direct,
            to_proxy,
            via,
            timeout,
        }
    }
}

impl Service<Uri> for Dial {
    type Response = Stream;
    type Error = BoxError;
    type Future = BoxFuture<'static, Result<Stream, BoxError>>;

    fn poll_ready(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), BoxError>> {
        self.direct.poll_ready(cx).map_err(Into::into)
    }

    fn call(&mut self, to: Uri) -> Self::Future {
        let Some(proxy) = self.via.towards(&to) else {
            let connecting = self.direct.call(to);
            return Box::pin(async move { Ok(Stream::Http(connecting.await?)) });
        };
        let connecting = self.to_proxy.call(proxy.uri.clone());
        let timeout = self.timeout;
        Box::pin(async move {
            let unusable = |reason: String| ProxyError::Unusable {
                proxy: proxy.shown(),
                reason,
            };
            let tunnel = async {
                let stream = connecting.await.map_err(|e| unusable(causes(&*e)))?;
                connect(stream, &proxy, &to).await
            };
            match tokio::time::timeout(timeout, tunnel).await {
                Ok(made) => Ok(made?),
                Err(_) => Err(unusable(format!("no connection within {} s", timeout.as_secs())).into()),
            }
        })
    }
}

impl ProxyAddress {
    /// Its address, without a user and a password.
    fn shown(&self) -> String {
        let scheme = self.uri.scheme_str().unwrap_or("http");
        let host = self.uri.host().unwrap_or_default();
        match self.uri.port() {
            Some(port) => format!("{scheme}://{host}:{port}"),
            None => format!("{scheme}://{host}"),
        }
    }
}

/// Asks a proxy for a connection (RFC 9110, section 9.3.6).
async fn connect(stream: Stream, proxy: &ProxyAddress, to: &Uri) -> Result<Stream, ProxyError> {
    let host = to.host().unwrap_or_default();
    let usual = if to.scheme_str() == Some("http") { 80 } else { 443 };
    let target = format!("{host}:{}", to.port_u16().unwrap_or(usual));
    let unusable = |reason: String| ProxyError::Unusable {
        proxy: proxy.shown(),
        reason,
    };
    let mut request = format!("CONNECT {target} HTTP/1.1\r\nHost: {target}\r\n").into_bytes();
    if let Some(authorization) = &proxy.authorization {
        request.extend_from_slice(b"Proxy-Authorization: ");
        request.extend_from_slice(authorization.as_bytes());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"\r\n");
    let mut stream = TokioIo::new(stream);
    stream
        .write_all(&request)
        .await
        .map_err(|e| unusable(e.to_string()))?;
    stream.flush().await.map_err(|e| unusable(e.to_string()))?;
    let head = read_head(&mut stream).await.map_err(unusable)?;
    let status = status_of(&head).ok_or_else(|| unusable("it does not answer in HTTP".to_owned()))?;
    let shown = proxy.shown();
    match status {
        200..=299 => Ok(stream.into_inner()),
        407 if proxy.authorization.is_some() => Err(ProxyError::LoginRefused { proxy: shown }),
        407 => Err(ProxyError::LoginWanted { proxy: shown }),
        status => Err(ProxyError::Refused {
            proxy: shown,
            host: target,
            status,
        }),
    }
}

/// Reads the head of the answer. Whom we call says nothing before we do, so nothing of it can be read along.
async fn read_head(stream: &mut TokioIo<Stream>) -> Result<Vec<u8>, String> {
    let mut head = Vec::with_capacity(512);
    while !head.ends_with(b"\r\n\r\n") {
        let read = stream.read_buf(&mut head).await.map_err(|e| e.to_string())?;
        if read == 0 {
            // A refusal may be followed by a page for people, and by the end.
            return match status_of(&head) {
                Some(300..) => Ok(head),
                _ => Err("it closes the connection without an answer".to_owned()),
            };
        }
        if let Some(300..) = status_of(&head) {
            return Ok(head);
        }
        if head.len() > MAX_ANSWER {
            return Err("its answer is too long".to_owned());
        }
    }
    Ok(head)
}

/// The status in the first line: `HTTP/1.1 200 Connection established`.
fn status_of(head: &[u8]) -> Option<u16> {
    let line = head
        .split(|b| *b == b'\r')
        .next()
        .filter(|line| line.len() < head.len())?;
    let text = std::str::from_utf8(line).ok()?;
    let status = text.strip_prefix("HTTP/1.")?.split(' ').nth(1)?;
    status.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::{Proxy, ProxyLogin, ServiceSecret};

    fn towards(set: &[(&str, &str)], to: &str) -> Option<String> {
        let via = Via::environment(|name| {
            let found = set.iter().find(|(n, _)| *n == name);
            found.map(|(_, value)| (*value).to_owned())
        });
        via.towards(&to.parse().unwrap()).map(|proxy| proxy.shown())
    }

    #[test]
    fn the_environment_names_a_proxy_and_what_goes_around_it() {
        let set = [
            ("HTTPS_PROXY", "http://user:hush@proxy.example:3128"),
            ("NO_PROXY", "vpce.amazonaws.com, 10.0.0.0/8"),
        ];
        let public = "https://bedrock-runtime.us-east-1.amazonaws.com";
        let shown = Some("http://proxy.example:3128".to_owned());
        assert_eq!(towards(&set, public), shown, "without the user and the password");
        assert_eq!(towards(&set, "https://x.vpce.amazonaws.com"), None);
        assert_eq!(towards(&set, "https://10.1.2.3"), None);
        assert_eq!(
            towards(&set, "http://127.0.0.1:4000"),
            None,
            "not encrypted: this machine"
        );
        assert_eq!(towards(&[], public), None);
        assert_eq!(towards(&[("https_proxy", " ")], public), None);
        assert_eq!(
            towards(&[("all_proxy", "http://proxy.example:3128")], public),
            shown
        );
    }

    #[test]
    fn a_proxy_whose_password_is_missing_is_not_asked_without_it() {
        let mut network = Network {
            proxy: Some(Proxy {
                url: "http://proxy.example:3128".into(),
                login: Some(ProxyLogin {
                    user: "ccag".into(),
                    password: Some(ServiceSecret::new("hush")),
                }),
            }),
            ..Network::default()
        };
        assert!(matches!(Via::of(&network), Ok(Some(_))));
        network.strip();
        let Err(error) = Via::of(&network) else { panic!() };
        assert!(error.contains("password"), "{error}");
        assert!(matches!(Via::of(&Network::default()), Ok(None)));
    }

    #[test]
    fn answers_are_read_by_their_first_line() {
        assert_eq!(status_of(b"HTTP/1.1 200 Connection established\r\n"), Some(200));
        assert_eq!(status_of(b"HTTP/1.0 407 No\r\nA: b\r\n\r\n"), Some(407));
        assert_eq!(
            status_of(b"HTTP/1.1 200 Connection"),
            None,
            "not the whole line yet"
        );
        assert_eq!(status_of(b"SSH-2.0\r\n"), None);
    }
}
