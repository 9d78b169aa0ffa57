//! The way to the control plane.

use super::tls::Tls;
use ccag_daemon::certificates::Followed;
use ccag_daemon::otlp::Otlp;
use ccag_domain::SealKey;
use ccag_proto::MAX_MESSAGE_BYTES;
use ccag_proto::v1::allowance_client::AllowanceClient;
use ccag_proto::v1::config_client::ConfigClient;
use ccag_proto::v1::usage_client::UsageClient;
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::ServerName;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tonic::metadata::{Ascii, MetadataValue};
use tonic::service::Interceptor;
use tonic::service::interceptor::InterceptedService;
use tonic::transport::{Channel, Endpoint, Uri};
use tonic::{GrpcMethod, Request, Status};

/// How long a connection may take to be made, with its encryption.
const CONNECT: Duration = Duration::from_secs(5);

/// How the control plane is reached.
#[derive(Debug, Clone)]
pub enum ControlLink {
    /// Over the network.
    Url {
        /// gRPC URLs of its replicas, which are interchangeable: when one is lost the next is tried.
        urls: Vec<String>,
        /// What the data plane shows to be let in.
        join_token: Option<SecretString>,
        /// Authorities to trust instead of the machine's, and what is shown, if either is set.
        certificates: Option<Followed>,
    },
    /// Through a channel that is already there, such as a pipe within the process.
    Channel(Channel),
}

impl ControlLink {
    /// What is kept on disk is sealed with this.
    pub(crate) fn snapshot_key(&self) -> Option<SealKey> {
        match self {
            Self::Url {
                join_token: Some(token),
                ..
            } => Some(SealKey::derive(
                token.expose_secret().as_bytes(),
                "secrets of a data plane's snapshot",
            )),
            Self::Url { .. } | Self::Channel(_) => None,
        }
    }
}

/// The control plane cannot be reached in the way that is configured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// Not a URL of the right kind.
    #[error(
        "`{0}` is not an http:// or https:// URL; set CCAG_CONTROL_PLANE to the control plane's gRPC URL"
    )]
    NotAUrl(String),
    /// Plain HTTP to another machine.
    #[error(
        "`{0}` would send the join token and key digests unencrypted over the network; \
         use https:// (and CCAG_GRPC_CA for a private certificate authority)"
    )]
    Unencrypted(String),
    /// TLS cannot be set up.
    #[error("TLS for `{url}` cannot be set up: {reason}; check CCAG_GRPC_CA")]
    Tls {
        /// The URL.
        url: String,
        /// Why.
        reason: String,
    },
    /// The token has characters that no header can carry.
    #[error("the join token holds characters other than visible ASCII; check CCAG_JOIN_TOKEN")]
    Token,
    /// There is no URL at all.
    #[error("no control plane is configured; set CCAG_CONTROL_PLANE to its gRPC URL")]
    Missing,
}

/// Adds the join token to every call, and the place in a trace that the call is.
#[derive(Clone)]
pub(crate) struct Join {
    token: Option<MetadataValue<Ascii>>,
    otlp: Option<Otlp>,
}

impl Interceptor for Join {
    fn call(&mut self, mut request: Request<()>) -> Result<Request<()>, Status> {
        if let Some(token) = &self.token {
            request.metadata_mut().insert("authorization", token.clone());
        }
        if let Some(otlp) = &self.otlp {
            let method = request.extensions().get::<GrpcMethod<'_>>();
            let name = method.map(|of| format!("{}/{}", of.service(), of.method()));
            // A stream is open for hours: the span says that it was asked for, and what the other side does is below it.
            let mut span = otlp.call(name.unwrap_or_default(), None);
            span.set("rpc.system", "grpc");
            if let Ok(parent) = span.context().traceparent().parse() {
                request.metadata_mut().insert("traceparent", parent);
            }
        }
        Ok(request)
    }
}

type Authorized = InterceptedService<Channel, Join>;

/// Makes clients; connects when one is used.
#[derive(Clone)]
pub(crate) struct Link {
    channels: Arc<[Channel]>,
    next: Arc<AtomicUsize>,
    join: Join,
    tls: Tls,
}

impl Link {
    /// Checks the configuration; nothing is connected yet. It has to be called inside a Tokio runtime.
    pub(crate) fn new(control: &ControlLink, otlp: Option<Otlp>) -> Result<Self, LinkError> {
        let mut tls = Tls::default();
        let (channels, token): (Vec<Channel>, _) = match control {
            ControlLink::Channel(channel) => (vec![channel.clone()], None),
            ControlLink::Url {
                urls,
                join_token,
                certificates,
            } => {
                let encrypted = urls.iter().find(|url| url.starts_with("https:"));
                tls = Tls::new(certificates.as_ref(), encrypted.is_some()).map_err(|reason| {
                    LinkError::Tls {
                        url: encrypted.cloned().unwrap_or_default(),
                        reason,
                    }
                })?;
                let channels = urls.iter().map(|url| connect_lazily(url, &tls));
                (channels.collect::<Result<_, _>>()?, join_token.as_ref())
            }
        };
        if channels.is_empty() {
            return Err(LinkError::Missing);
        }
        let token = token
            .map(|token| format!("Bearer {}", token.expose_secret()).parse::<MetadataValue<Ascii>>())
            .transpose()
            .map_err(|_| LinkError::Token)?
            .map(|mut value| {
                value.set_sensitive(true);
                value
            });
        Ok(Self {
            channels: channels.into(),
            next: Arc::default(),
            join: Join { token, otlp },
            tls,
        })
    }

    fn channel(&self) -> Channel {
        let at = self.next.load(Ordering::Relaxed) % self.channels.len();
        self.channels[at].clone()
    }

    /// Turns to the next replica, after the present one failed.
    pub(crate) fn turn(&self) {
        self.next.fetch_add(1, Ordering::Relaxed);
    }

    /// How connections are encrypted.
    pub(crate) const fn tls(&self) -> &Tls {
        &self.tls
    }

    pub(crate) fn config(&self) -> ConfigClient<Authorized> {
        ConfigClient::with_interceptor(self.channel(), self.join.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn allowance(&self) -> AllowanceClient<Authorized> {
        AllowanceClient::with_interceptor(self.channel(), self.join.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES)
    }

    pub(crate) fn usage(&self) -> UsageClient<Authorized> {
        UsageClient::with_interceptor(self.channel(), self.join.clone())
    }
}

/// Whether the host is this machine itself.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

fn connect_lazily(text: &str, tls: &Tls) -> Result<Channel, LinkError> {
    let url = check_url(text)?;
    let not_a_url = || LinkError::NotAUrl(text.to_owned());
    let endpoint = |to: String| {
        let endpoint = Endpoint::from_shared(to).map_err(|_| not_a_url())?;
        Ok(endpoint
            .connect_timeout(CONNECT)
            .tcp_nodelay(true)
            .http2_keep_alive_interval(Duration::from_secs(5))
            .keep_alive_timeout(Duration::from_secs(5))
            .keep_alive_while_idle(true))
    };
    let (Some(host), Some(port), "https") = (url.host(), url.port_or_known_default(), url.scheme()) else {
        return Ok(endpoint(text.to_owned())?.connect_lazy());
    };
    let name = match &host {
        url::Host::Domain(name) => ServerName::try_from((*name).to_owned()).map_err(|_| not_a_url())?,
        url::Host::Ipv4(ip) => ServerName::IpAddress(std::net::IpAddr::from(*ip).into()),
        url::Host::Ipv6(ip) => ServerName::IpAddress(std::net::IpAddr::from(*ip).into()),
    };
    let mut tcp = HttpConnector::new();
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(CONNECT));
    // To the channel it is a connection like any other: what makes it encrypts it.
    let origin: Uri = text.parse().map_err(|_| not_a_url())?;
    let endpoint = endpoint(format!("http://{host}:{port}"))?.origin(origin);
    let tls = tls.clone();
    Ok(
        endpoint.connect_with_connector_lazy(tower::service_fn(move |to: Uri| {
            tls.clone().connect(tcp.clone(), to, name.clone())
        })),
    )
}

/// Accepts `https://`, and `http://` to this machine.
pub(crate) fn check_url(text: &str) -> Result<url::Url, LinkError> {
    let url = url::Url::parse(text).map_err(|_| LinkError::NotAUrl(text.to_owned()))?;
    match url.scheme() {
        "https" => Ok(url),
        "http" if is_loopback(&url) => Ok(url),
        "http" => Err(LinkError::Unencrypted(text.to_owned())),
        _ => Err(LinkError::NotAUrl(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_http_is_for_this_machine_only() {
        for fine in [
            "http://127.0.0.1:8082",
            "http://[::1]:8082",
            "http://localhost:8082",
            "https://cp.example:8082",
        ] {
            assert!(check_url(fine).is_ok(), "{fine}");
        }
        for refused in [
            "http://10.0.0.1:8082",
            "http://cp.example",
            "http://localhost.example:1",
        ] {
            assert!(
                matches!(check_url(refused), Err(LinkError::Unencrypted(_))),
                "{refused}"
            );
        }
        assert!(matches!(check_url("cp:8082"), Err(LinkError::NotAUrl(_))));
        assert!(matches!(check_url("nonsense"), Err(LinkError::NotAUrl(_))));
    }
}
