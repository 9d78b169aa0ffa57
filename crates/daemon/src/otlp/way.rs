//! How a collector is spoken to: one message at a time, and what came of it.

use super::collector::Message;
use super::config::{Protocol, Target};
use http::{HeaderMap, HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Bytes;
use hyper_rustls::HttpsConnector;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use opentelemetry_proto::tonic::collector::metrics::v1::metrics_service_client::MetricsServiceClient;
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use opentelemetry_proto::tonic::collector::trace::v1::trace_service_client::TraceServiceClient;
use prost::Message as _;
use std::fmt;
use std::time::Duration;
use tonic::metadata::MetadataMap;
use tonic::transport::{Channel, ClientTlsConfig, Endpoint};
use tonic::{Code, Status};

/// How long a connection may take to be made.
const CONNECT: Duration = Duration::from_secs(5);

/// The most that is read of an answer.
const ANSWER: usize = 64 * 1024;

/// Why a message did not arrive.
#[derive(Debug)]
pub(super) enum Lost {
    /// Nobody answered, or not in time.
    Unreachable(String),
    /// The collector cannot take it now; perhaps it says when it can.
    Busy(String, Option<Duration>),
    /// The collector does not take it, now or later.
    Refused(String),
}

impl Lost {
    /// Whether it may help to send it again
    /// (<https://opentelemetry.io/docs/specs/otlp/#otlphttp-response>, <https://opentelemetry.io/docs/specs/otlp/#failures>).
    pub(super) const fn may_pass(&self) -> bool {
        !matches!(self, Self::Refused(_))
    }

    /// When, if the collector says so.
    pub(super) const fn after(&self) -> Option<Duration> {
        match self {
            Self::Busy(_, after) => *after,
            Self::Unreachable(_) | Self::Refused(_) => None,
        }
    }
}

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreachable(reason) | Self::Busy(reason, _) | Self::Refused(reason) => f.write_str(reason),
        }
    }
}

/// The way to a collector.
pub(super) struct Way {
    protocol: Speaks,
    patience: Duration,
}

type HttpClient = Client<HttpsConnector<HttpConnector>, Full<Bytes>>;

enum Speaks {
    Grpc {
        channel: Channel,
        headers: MetadataMap,
    },
    Http {
        client: Box<HttpClient>,
        to: Uri,
        headers: HeaderMap,
    },
}

impl Way {
    pub(super) fn new(target: &Target) -> Result<Self, String> {
        Ok(Self {
            protocol: match target.protocol {
                Protocol::Grpc => grpc(target)?,
                Protocol::Http => over_http(target)?,
            },
            patience: target.timeout,
        })
    }

    /// Sends a message once, and says how many of its spans the collector has rejected.
    pub(super) async fn send(&self, message: &Message) -> Result<u64, Lost> {
        let sending = async {
            match (&self.protocol, message) {
                (Speaks::Grpc { channel, headers }, Message::Traces(message)) => {
                    let mut client = TraceServiceClient::new(channel.clone());
                    let sent = client.export(with(headers, message.clone())).await;
                    sent.map(|answer| rejected(answer.get_ref()))
                        .map_err(|status| of_grpc(&status))
                }
                (Speaks::Grpc { channel, headers }, Message::Metrics(message)) => {
                    let mut client = MetricsServiceClient::new(channel.clone());
                    let sent = client.export(with(headers, (**message).clone())).await;
                    sent.map(|_| 0).map_err(|status| of_grpc(&status))
                }
                (Speaks::Http { client, to, headers }, Message::Traces(message)) => {
                    let answer = post(client, to, headers, message.encode_to_vec()).await?;
                    Ok(rejected(
                        &ExportTraceServiceResponse::decode(answer).unwrap_or_default(),
                    ))
                }
                (Speaks::Http { client, to, headers }, Message::Metrics(message)) => {
                    post(client, to, headers, message.encode_to_vec())
                        .await
                        .map(|_| 0)
                }
            }
        };
        tokio::time::timeout(self.patience, sending)
            .await
            .unwrap_or_else(|_| Err(Lost::Unreachable(format!("no answer within {:?}", self.patience))))
    }
}

fn rejected(answer: &ExportTraceServiceResponse) -> u64 {
    let partly = answer.partial_success.as_ref();
    partly.map_or(0, |partly| {
        u64::try_from(partly.rejected_spans).unwrap_or_default()
    })
}

/// A collector's own words are not repeated: they may quote what it was sent.
fn of_grpc(status: &Status) -> Lost {
    let code = status.code();
    let reason = format!("{code:?}");
    match code {
        Code::Unavailable => Lost::Busy(reason, retry_after(status)),
        Code::Unknown | Code::DeadlineExceeded => Lost::Unreachable(reason),
        Code::Cancelled | Code::Aborted | Code::OutOfRange | Code::DataLoss => Lost::Busy(reason, None),
        // It says that it will recover by saying when.
        Code::ResourceExhausted => match retry_after(status) {
            Some(after) => Lost::Busy(reason, Some(after)),
            None => Lost::Refused(reason),
        },
        _ => Lost::Refused(reason),
    }
}

/// The details of a status: `google.rpc.Status`, as far as it is read here.
#[derive(Clone, PartialEq, prost::Message)]
struct Details {
    #[prost(message, repeated, tag = "3")]
    details: Vec<Detail>,
}

/// `google.protobuf.Any`.
#[derive(Clone, PartialEq, prost::Message)]
struct Detail {
    #[prost(string, tag = "1")]
    type_url: String,
    #[prost(bytes = "vec", tag = "2")]
    value: Vec<u8>,
}

/// `google.rpc.RetryInfo`, with the `google.protobuf.Duration` that is in it.
#[derive(Clone, PartialEq, prost::Message)]
struct RetryInfo {
    #[prost(message, optional, tag = "1")]
    delay: Option<Delay>,
}

#[derive(Clone, PartialEq, prost::Message)]
struct Delay {
    #[prost(int64, tag = "1")]
    seconds: i64,
    #[prost(int32, tag = "2")]
    nanos: i32,
}

fn retry_after(status: &Status) -> Option<Duration> {
    let details = Details::decode(status.details()).ok()?.details;
    let info = details
        .iter()
        .find(|detail| detail.type_url.ends_with("/google.rpc.RetryInfo"))?;
    let delay = RetryInfo::decode(&*info.value).ok()?.delay?;
    Some(Duration::new(
        u64::try_from(delay.seconds).ok()?,
        u32::try_from(delay.nanos).ok()?,
    ))
}

fn with<T>(headers: &MetadataMap, message: T) -> tonic::Request<T> {
    let mut request = tonic::Request::new(message);
    *request.metadata_mut() = headers.clone();
    request
}

fn grpc(target: &Target) -> Result<Speaks, String> {
    let mut to = Endpoint::from_shared(target.endpoint.to_string())
        .map_err(|error| error.to_string())?
        .connect_timeout(CONNECT);
    if target.endpoint.scheme() == "https" {
        let tls = ClientTlsConfig::new().with_native_roots();
        to = to.tls_config(tls).map_err(|error| error.to_string())?;
    }
    Ok(Speaks::Grpc {
        channel: to.connect_lazy(),
        headers: MetadataMap::from_headers(target.headers.clone()),
    })
}

fn over_http(target: &Target) -> Result<Speaks, String> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_connect_timeout(Some(CONNECT));
    let tls = hyper_rustls::HttpsConnectorBuilder::new()
        .with_native_roots()
        .map_err(|error| error.to_string())?;
    let connector = tls.https_or_http().enable_http1().wrap_connector(tcp);
    let to = target.endpoint.as_str().parse::<Uri>();
    Ok(Speaks::Http {
        client: Box::new(Client::builder(TokioExecutor::new()).build(connector)),
        to: to.map_err(|error| error.to_string())?,
        headers: target.headers.clone(),
    })
}

async fn post(client: &HttpClient, to: &Uri, headers: &HeaderMap, message: Vec<u8>) -> Result<Bytes, Lost> {
    let mut request = Request::new(Full::new(Bytes::from(message)));
    *request.method_mut() = http::Method::POST;
    *request.uri_mut() = to.clone();
    *request.headers_mut() = headers.clone();
    let kind = HeaderValue::from_static("application/x-protobuf");
    request.headers_mut().insert(header::CONTENT_TYPE, kind);
    let answer = client
        .request(request)
        .await
        .map_err(|error| Lost::Unreachable(error.to_string()))?;
    let status = answer.status();
    if !status.is_success() {
        return Err(of_http(status, answer.headers()));
    }
    let body = Limited::new(answer.into_body(), ANSWER).collect().await;
    Ok(body.map(http_body_util::Collected::to_bytes).unwrap_or_default())
}

fn of_http(status: StatusCode, headers: &HeaderMap) -> Lost {
    match status {
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => {
            let seconds = headers
                .get(header::RETRY_AFTER)
                .and_then(|value| value.to_str().ok()?.trim().parse().ok());
            Lost::Busy(status.to_string(), seconds.map(Duration::from_secs))
        }
        _ => Lost::Refused(status.to_string()),
    }
}
