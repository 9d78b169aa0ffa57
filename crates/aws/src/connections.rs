//! The HTTP clients of a process: for all endpoints that go the ordinary way, and for each that has a proxy or certificates of its
//! own.

use crate::proxy::Via;
use crate::tls::{BadBundle, Connector, add_pem, connector, trusted};
use crate::{Pieces, causes};
use aws_smithy_runtime_api::client::http::{
    HttpConnector as SdkConnector, HttpConnectorFuture, SharedHttpClient, SharedHttpConnector, http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::Bytes;
use ccag_domain::{Endpoint, EndpointId, Network};
use http_body_util::{BodyExt, Limited};
use hyper_util::client::legacy::Client;
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::RootCertStore;
use std::collections::HashMap;
use std::path::PathBuf;
use std::sync::{PoisonError, RwLock};
use std::time::Duration;
use tokio::runtime;

/// Makes requests.
pub type HttpClient = Client<Connector, Pieces>;

/// The largest answer of STS's that is read, in bytes.
const MAX_ANSWER: usize = 1 << 20;

/// How connections are made and kept.
#[derive(Debug, Clone)]
pub struct ConnectionConfig {
    /// How long a connection may take to be made, the proxy's part included.
    pub connect_timeout: Duration,
    /// How long an unused connection is kept; `None` is hyper's default.
    pub pool_idle_timeout: Option<Duration>,
    /// Whether to offer HTTP/2.
    pub http2: bool,
    /// A PEM file of certificates to trust instead of the machine's.
    pub ca_bundle: Option<PathBuf>,
}

/// All HTTP clients of this process that call AWS.
pub struct Connections {
    config: ConnectionConfig,
    roots: RootCertStore,
    environment: Via,
    ordinary: Way,
    own: RwLock<HashMap<EndpointId, (Network, Way)>>,
}

impl std::fmt::Debug for Connections {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Connections")
            .field("config", &self.config)
            .finish_non_exhaustive()
    }
}

impl Connections {
    /// Prepares the clients; nothing is connected yet. The environment is asked for `HTTPS_PROXY` and `NO_PROXY` now.
    ///
    /// # Errors
    /// [`BadBundle`] if the certificates to trust cannot be read.
    pub fn new(config: ConnectionConfig) -> Result<Self, BadBundle> {
        let roots = trusted(config.ca_bundle.as_deref())?;
        let environment = Via::environment(|name| std::env::var(name).ok());
        let ordinary = Way::new(&config, roots.clone(), environment.clone());
        Ok(Self {
            config,
            roots,
            environment,
            ordinary,
            own: RwLock::default(),
        })
    }

    /// The client for an endpoint.
    ///
    /// # Errors
    /// If there is none: its certificates cannot be read, or its proxy cannot be asked.
    pub fn of(&self, endpoint: &Endpoint) -> Result<HttpClient, String> {
        let network = &endpoint.access.network;
        if network.proxy.is_none() && network.ca_certificates.is_none() {
            return Ok(self.ordinary.client());
        }
        let held = self.own.read().unwrap_or_else(PoisonError::into_inner);
        if let Some((of, way)) = held.get(&endpoint.id)
            && of == network
        {
            return Ok(way.client());
        }
        drop(held);
        let mut roots = self.roots.clone();
        if let Some(pem) = &network.ca_certificates {
            add_pem(&mut roots, pem)
                .map_err(|e| format!("the endpoint's CA certificates cannot be read: {e}"))?;
        }
        let via = Via::of(network)?.unwrap_or_else(|| self.environment.clone());
        let way = Way::new(&self.config, roots, via);
        let client = way.client();
        let mut held = self.own.write().unwrap_or_else(PoisonError::into_inner);
        held.insert(endpoint.id.clone(), (network.clone(), way));
        Ok(client)
    }

    /// The same for AWS's SDK, which assumes roles: it goes the endpoint's way, too.
    ///
    /// # Errors
    /// As [`Connections::of`].
    pub fn sdk(&self, endpoint: &Endpoint) -> Result<SharedHttpClient, String> {
        let connector = SharedHttpConnector::new(ForSdk(self.of(endpoint)?));
        Ok(http_client_fn(move |_settings, _components| connector.clone()))
    }
}

/// One way to AWS, with a client for each runtime that makes requests: a connection is driven by the runtime in which it was made,
/// and whoever asks from another wakes that up, and is woken up by it.
struct Way {
    connector: Connector,
    idle: Option<Duration>,
    clients: RwLock<HashMap<Option<runtime::Id>, HttpClient>>,
}

impl Way {
    fn new(config: &ConnectionConfig, roots: RootCertStore, via: Via) -> Self {
        Self {
            connector: connector(config.connect_timeout, config.http2, roots, via),
            idle: config.pool_idle_timeout,
            clients: RwLock::default(),
        }
    }

    fn client(&self) -> HttpClient {
        let here = runtime::Handle::try_current().ok().map(|handle| handle.id());
        let held = self.clients.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = held.get(&here) {
            return client.clone();
        }
        drop(held);
        let mut clients = self.clients.write().unwrap_or_else(PoisonError::into_inner);
        let client = clients.entry(here).or_insert_with(|| {
            let mut builder = Client::builder(TokioExecutor::new());
            builder.pool_timer(TokioTimer::new());
            if let Some(timeout) = self.idle {
                builder.pool_idle_timeout(timeout);
            }
            builder.build(self.connector.clone())
        });
        client.clone()
    }
}

/// An error of a connection and its causes, with what usually helps.
pub fn reason(error: &(dyn std::error::Error + 'static)) -> String {
    let text = causes(error);
    if text.contains("UnknownIssuer") {
        return format!(
            "{text}: nobody here trusts whoever has issued the server's certificate; if it is a CA of your own, or a proxy that \
             opens connections, add its certificate to the endpoint's CA certificates or to AWS_CA_BUNDLE"
        );
    }
    text
}

/// Our client as one of the SDK's.
#[derive(Debug)]
struct ForSdk(HttpClient);

impl SdkConnector for ForSdk {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let client = self.0.clone();
        HttpConnectorFuture::new(async move { exchange(&client, &request).await })
    }
}

async fn exchange(client: &HttpClient, request: &HttpRequest) -> Result<HttpResponse, ConnectorError> {
    let user = |text: String| ConnectorError::user(text.into());
    let body = request
        .body()
        .bytes()
        .ok_or_else(|| user("the request is a stream".to_owned()))?;
    let mut builder = http::Request::builder()
        .method(request.method())
        .uri(request.uri());
    for (name, value) in request.headers() {
        builder = builder.header(name, value);
    }
    let ours = builder
        .body(Bytes::copy_from_slice(body).into())
        .map_err(|e| user(e.to_string()))?;
    let answer = client
        .request(ours)
        .await
        .map_err(|e| ConnectorError::io(reason(&e).into()))?;
    let (head, body) = answer.into_parts();
    let body = Limited::new(body, MAX_ANSWER)
        .collect()
        .await
        .map_err(|e| ConnectorError::io(causes(&*e).into()))?;
    let status = head
        .status
        .as_u16()
        .try_into()
        .map_err(|_| user("the status is none".to_owned()))?;
    let mut response = HttpResponse::new(status, SdkBody::from(body.to_bytes()));
    for (name, value) in &head.headers {
        if let Ok(value) = value.to_str() {
            response
                .headers_mut()
                .append(name.as_str().to_owned(), value.to_owned());
        }
    }
    Ok(response)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::sync::mpsc;
    use std::thread;

    /// Answers every request of every connection, and tells of each connection that is made.
    fn server(made: mpsc::Sender<()>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                made.send(()).unwrap();
                thread::spawn(move || {
                    let lines = BufReader::new(stream.try_clone().unwrap()).lines();
                    for _end_of_head in lines.map_while(Result::ok).filter(String::is_empty) {
                        stream
                            .write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n")
                            .unwrap();
                    }
                });
            }
        });
        url
    }

    #[test]
    fn each_runtime_has_connections_of_its_own_and_uses_them_again() {
        let config = ConnectionConfig {
            connect_timeout: Duration::from_secs(5),
            pool_idle_timeout: None,
            http2: false,
            ca_bundle: None,
        };
        let way = Way::new(&config, RootCertStore::empty(), Via::environment(|_| None));
        let (made, connections) = mpsc::channel();
        let url = server(made);
        let new = || {
            runtime::Builder::new_current_thread()
                .enable_all()
                .build()
                .unwrap()
        };
        let (one, other) = (new(), new());
        let ask = |runtime: &runtime::Runtime| {
            runtime.block_on(async {
                let request = http::Request::get(&url).body(Bytes::new().into()).unwrap();
                let answer = way.client().request(request).await.unwrap();
                answer.into_body().collect().await.unwrap();
                // The connection goes back to the pool in a task of its own.
                tokio::time::sleep(Duration::from_millis(50)).await;
            });
            connections.try_iter().count()
        };
        assert_eq!([ask(&one), ask(&other), ask(&one), ask(&other)], [1, 1, 0, 0]);
    }
}
