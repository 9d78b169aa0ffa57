//! The thinnest correct proxy.

mod body;
mod sign;
mod stream;

use anyhow::Context;
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::{TokioExecutor, TokioIo};
use sign::Signer;
use std::convert::Infallible;
use std::sync::Arc;
pub use stream::Events;
use tokio::net::TcpListener;

/// Answers `POST /v1/messages`.
#[derive(Debug)]
pub struct Proxy {
    client: Client<HttpConnector, Full<Bytes>>,
    bedrock: String,
    host: HeaderValue,
    signer: Signer,
}

type Answer = Response<Either<Full<Bytes>, Either<Incoming, Events>>>;

impl Proxy {
    /// A proxy to the Bedrock Runtime at this address, which signs with this key.
    ///
    /// # Errors
    /// If the address is none.
    pub fn new(bedrock: &str, region: &str, key_id: &str, secret: &str) -> anyhow::Result<Self> {
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        let uri: http::Uri = bedrock.parse().context("--bedrock")?;
        let authority = uri.authority().context("--bedrock names no host")?;
        Ok(Self {
            client: Client::builder(TokioExecutor::new()).build(connector),
            bedrock: bedrock.trim_end_matches('/').to_owned(),
            host: HeaderValue::from_str(authority.as_str())?,
            signer: Signer::new(region, key_id, secret),
        })
    }

    /// Serves for ever.
    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's own server: it is killed, not shut down"
    )]
    pub async fn serve(self, listener: TcpListener) {
        let proxy = Arc::new(self);
        loop {
            let Ok((socket, _)) = listener.accept().await else {
                continue;
            };
            let _ = socket.set_nodelay(true);
            let proxy = Arc::clone(&proxy);
            tokio::spawn(async move {
                let service = service_fn(|request| proxy.answer(request));
                let connection = hyper::server::conn::http1::Builder::new();
                let _ = connection.serve_connection(TokioIo::new(socket), service).await;
            });
        }
    }

    async fn answer(&self, request: Request<Incoming>) -> Result<Answer, Infallible> {
        Ok(self.forward(request).await.unwrap_or_else(|error| {
            let mut response = Response::new(Either::Left(Full::from(format!("{error:#}\n"))));
            *response.status_mut() = StatusCode::BAD_GATEWAY;
            response
        }))
    }

    async fn forward(&self, request: Request<Incoming>) -> anyhow::Result<Answer> {
        let received = request.into_body().collect().await?.to_bytes();
        let asked = body::splice(&received)?;
        let (operation, accept) = match asked.stream {
            true => (
                "invoke-with-response-stream",
                "application/vnd.amazon.eventstream",
            ),
            false => ("invoke", "application/json"),
        };
        let path = format!("/model/{}/{operation}", asked.model);
        let signed = self.signer.sign(&path, self.host.as_bytes(), &asked.body);
        let request = Request::post(format!("{}{path}", self.bedrock))
            .header(header::HOST, &self.host)
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, accept)
            .header("x-amz-date", signed.date)
            .header(header::AUTHORIZATION, signed.authorization)
            .body(Full::from(asked.body))?;
        let (head, body) = self.client.request(request).await?.into_parts();
        let is_stream = asked.stream && head.status == StatusCode::OK;
        let (kind, body) = match is_stream {
            true => ("text/event-stream", Either::Right(Events::new(body))),
            false => ("application/json", Either::Left(body)),
        };
        let mut response = Response::new(Either::Right(body));
        *response.status_mut() = head.status;
        let kind = HeaderValue::from_static(kind);
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        Ok(response)
    }
}
