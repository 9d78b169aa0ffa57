//! The services that data planes use: `Config.Watch`, `Usage.Report` and `Allowance.Lease`.

mod allowance;
mod door;
mod fleet;
mod homes;
mod hub;
mod quotas;
mod snapshot;
mod usage;
mod watch;

pub(crate) use door::Door;
pub(crate) use fleet::FleetWriter;
pub(crate) use hub::Hub;
pub(crate) use quotas::Shares;

use crate::app::App;
use crate::metrics::Reason;
use ccag_daemon::otlp::Otlp;
use ccag_daemon::{CancellationToken, Lifecycle};
use ccag_proto::MAX_MESSAGE_BYTES;
use ccag_proto::v1::allowance_server::AllowanceServer;
use ccag_proto::v1::config_server::ConfigServer;
use ccag_proto::v1::usage_server::UsageServer;
use secrecy::{ExposeSecret, SecretString};
use std::sync::Arc;
use subtle::ConstantTimeEq;
use tonic::metadata::MetadataMap;
use tonic::service::Routes;
use tonic::service::interceptor::InterceptedService;
use tonic::{Request, Status};

/// What the services share.
#[derive(Clone)]
pub(crate) struct Services {
    pub(crate) app: App,
    pub(crate) hub: Arc<Hub>,
    pub(crate) fleet: FleetWriter,
    pub(crate) shares: Shares,
    pub(crate) life: Lifecycle,
    /// Where streams are told of by OpenTelemetry, if they are.
    pub(crate) otlp: Option<Otlp>,
    /// When cancelled, streams end and data planes go to another control plane.
    pub(crate) end: CancellationToken,
    /// What data planes have to show; `None` for a pipe inside one process.
    pub(crate) join_token: Option<SecretString>,
}

impl Services {
    /// The services as routes, for a listener or an in-memory pipe.
    pub(crate) fn routes(&self) -> Routes {
        let config = ConfigServer::new(self.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let usage = UsageServer::new(self.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        let allowance = AllowanceServer::new(self.clone())
            .max_decoding_message_size(MAX_MESSAGE_BYTES)
            .max_encoding_message_size(MAX_MESSAGE_BYTES);
        Routes::new(InterceptedService::new(
            config,
            self.join_check("ccag.v1.Config/Watch"),
        ))
        .add_service(InterceptedService::new(
            usage,
            self.join_check("ccag.v1.Usage/Report"),
        ))
        .add_service(InterceptedService::new(
            allowance,
            self.join_check("ccag.v1.Allowance/Lease"),
        ))
    }

    fn join_check(
        &self,
        method: &'static str,
    ) -> impl Fn(Request<()>) -> Result<Request<()>, Status> + Clone + Send + Sync + 'static + use<> {
        let token = self.join_token.clone();
        let (otlp, refused) = (self.otlp.clone(), self.app.metrics.data_planes_refused.clone());
        move |request: Request<()>| match &token {
            Some(token) if !shows(request.metadata(), token.expose_secret()) => {
                refused.get_or_create(&Reason { reason: "token" }).inc();
                tracing::warn!(
                    from = request.remote_addr().map(tracing::field::display),
                    "a data plane was refused: its join token is not ours"
                );
                Err(Status::unauthenticated("the join token is missing or wrong"))
            }
            _ => {
                if let Some(otlp) = &otlp {
                    let headers = request.metadata().clone().into_headers();
                    // A stream is open for hours: the span says that it was opened, and by whose wish.
                    let mut span = otlp.serve(method.to_owned(), &headers);
                    span.set("rpc.system", "grpc");
                    span.set("rpc.method", method);
                }
                Ok(request)
            }
        }
    }
}

/// Whether the caller shows the join token; the time it takes does not tell how much of it is right.
fn shows(metadata: &MetadataMap, token: &str) -> bool {
    let shown = metadata
        .get("authorization")
        .and_then(|value| value.to_str().ok())
        .and_then(|value| value.strip_prefix("Bearer "));
    shown.is_some_and(|shown| {
        let (shown, token) = (
            ccag_domain::KeyDigest::of(shown),
            ccag_domain::KeyDigest::of(token),
        );
        bool::from(shown.0.ct_eq(&token.0))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_whole_join_token_opens() {
        let with = |value: &str| {
            let mut metadata = MetadataMap::new();
            metadata.insert("authorization", value.parse().unwrap());
            metadata
        };
        assert!(shows(&with("Bearer secret"), "secret"));
        for wrong in [
            "Bearer secre",
            "Bearer secrets",
            "secret",
            "Bearer ",
            "bearer secret",
        ] {
            assert!(!shows(&with(wrong), "secret"), "{wrong}");
        }
        assert!(!shows(&MetadataMap::new(), "secret"));
    }
}
