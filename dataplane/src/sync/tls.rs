//! TLS to the control plane: who is trusted, what is shown, and in plain words why it failed.

use ccag_daemon::certificates::{Certificates, Followed, provider};
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioIo;
use rustls::client::ResolvesClientCert;
use rustls::pki_types::ServerName;
use rustls::sign::SingleCertAndKey;
use rustls::{AlertDescription, CertificateError, ClientConfig, Error, RootCertStore};
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tonic::transport::Uri;
use tower::ServiceExt;

/// Makes encrypted connections. Clones are the same.
#[derive(Clone)]
pub(crate) struct Tls {
    followed: Option<Followed>,
    /// The authorities that the machine trusts, where no others are named.
    machine: Arc<RootCertStore>,
    trouble: Trouble,
}

impl Default for Tls {
    fn default() -> Self {
        Self {
            followed: None,
            machine: Arc::new(RootCertStore::empty()),
            trouble: Trouble::default(),
        }
    }
}

impl Tls {
    /// Reads what the machine trusts, if that is needed.
    ///
    /// # Errors
    /// If it trusts nobody.
    pub(crate) fn new(followed: Option<&Followed>, is_needed: bool) -> Result<Self, String> {
        let has_own = followed.is_some_and(|followed| followed.current().authorities.is_some());
        let mut machine = RootCertStore::empty();
        if is_needed && !has_own {
            machine.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            if machine.is_empty() {
                return Err("this machine trusts no authority, and none is named".to_owned());
            }
        }
        Ok(Self {
            followed: followed.cloned(),
            machine: Arc::new(machine),
            trouble: Trouble::default(),
        })
    }

    /// The files that are followed, if there are any.
    pub(crate) const fn followed(&self) -> Option<&Followed> {
        self.followed.as_ref()
    }

    /// What went wrong with the last connection, with what to do; taken, so that it is not said of the next.
    pub(crate) fn take_trouble(&self) -> Option<String> {
        self.trouble.lock().take()
    }

    /// Connects to `to`, and speaks TLS with whoever can show that it is `name`.
    pub(super) async fn connect(
        self,
        tcp: HttpConnector,
        to: Uri,
        name: ServerName<'static>,
    ) -> io::Result<TokioIo<Told>> {
        let tcp = tcp.oneshot(to).await.map_err(io::Error::other)?.into_inner();
        let current = self.followed.as_ref().map(Followed::current);
        let settings = self
            .settings(current.as_deref())
            .map_err(|error| self.trouble.note(io::Error::other(error)))?;
        let connecting = TlsConnector::from(Arc::new(settings)).connect(name, tcp);
        let stream = connecting.await.map_err(|error| self.trouble.note(error))?;
        Ok(TokioIo::new(Told {
            stream,
            trouble: self.trouble,
        }))
    }

    fn settings(&self, current: Option<&Certificates>) -> Result<ClientConfig, Error> {
        let authorities = current
            .and_then(|of| of.authorities.as_ref())
            .unwrap_or(&self.machine);
        let builder = ClientConfig::builder_with_provider(provider())
            .with_safe_default_protocol_versions()?
            .with_root_certificates(Arc::clone(authorities));
        let mut settings = match current.and_then(|of| of.own.as_ref()) {
            None => builder.with_no_client_auth(),
            Some(own) => {
                let shown: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(Arc::clone(own)));
                builder.with_client_cert_resolver(shown)
            }
        };
        settings.alpn_protocols = vec![b"h2".to_vec()];
        Ok(settings)
    }
}

/// What the last connection failed of.
#[derive(Clone, Default)]
struct Trouble(Arc<Mutex<Option<String>>>);

impl Trouble {
    fn lock(&self) -> std::sync::MutexGuard<'_, Option<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps what an error means, if it is one of TLS, and hands it on.
    fn note(&self, error: io::Error) -> io::Error {
        if let Some(tls) = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>()) {
            *self.lock() = Some(meaning(tls));
        }
        error
    }
}

/// What an error of TLS means here, with what to do.
fn meaning(error: &Error) -> String {
    use AlertDescription as Alert;
    use CertificateError as Bad;
    match error {
        Error::InvalidCertificate(bad) => match bad {
            Bad::UnknownIssuer => "the certificate of the control plane is of an authority that is not trusted here; check \
                                   CCAG_GRPC_CA"
                .to_owned(),
            Bad::BadSignature => "the certificate of the control plane is of another authority than the one of that name that is \
                                  trusted here; check CCAG_GRPC_CA"
                .to_owned(),
            Bad::Expired | Bad::ExpiredContext { .. } => {
                "the certificate of the control plane has expired; renew CCAG_GRPC_TLS_CERT there".to_owned()
            }
            Bad::NotValidForName | Bad::NotValidForNameContext { .. } => format!(
                "the certificate of the control plane is not for the name that it is called by here ({bad}); check \
                 CCAG_CONTROL_PLANE, and CCAG_GRPC_TLS_CERT there"
            ),
            other => format!("the certificate of the control plane is no good: {other}"),
        },
        Error::AlertReceived(Alert::CertificateRequired) => {
            "the control plane lets nobody in without a certificate; set CCAG_GRPC_CLIENT_CERT and CCAG_GRPC_CLIENT_KEY to one \
             that an authority in CCAG_GRPC_CLIENT_CA there has signed"
                .to_owned()
        }
        Error::AlertReceived(Alert::UnknownCA) => {
            "the control plane refused the certificate in CCAG_GRPC_CLIENT_CERT: it is of an authority that is not in \
             CCAG_GRPC_CLIENT_CA there"
                .to_owned()
        }
        Error::AlertReceived(Alert::DecryptError) => {
            "the control plane refused the certificate in CCAG_GRPC_CLIENT_CERT: it is of another authority than the one of that name in \
             CCAG_GRPC_CLIENT_CA there"
                .to_owned()
        }
        Error::AlertReceived(Alert::CertificateExpired) => {
            "the control plane refused the certificate in CCAG_GRPC_CLIENT_CERT: it has expired, or is not valid yet; renew it"
                .to_owned()
        }
        Error::AlertReceived(Alert::UnsupportedCertificate) => {
            "the control plane refused the certificate in CCAG_GRPC_CLIENT_CERT: it is not for clients; it needs the extended key \
             usage clientAuth"
                .to_owned()
        }
        Error::AlertReceived(Alert::NoApplicationProtocol) => {
            "what answers there speaks no gRPC; check that CCAG_CONTROL_PLANE leads to the gRPC port".to_owned()
        }
        Error::AlertReceived(alert) => format!("the control plane broke off TLS: {alert:?}"),
        Error::InvalidMessage(_) => {
            "what answers there speaks no TLS; check that CCAG_CONTROL_PLANE leads to the gRPC port, and that it has a certificate"
                .to_owned()
        }
        other => format!("TLS with the control plane failed: {other}"),
    }
}

/// A connection that notes what it breaks of: that a certificate is refused is known here only after the handshake (RFC 8446, 4.4.2.4).
pub(super) struct Told {
    stream: TlsStream<TcpStream>,
    trouble: Trouble,
}

impl AsyncRead for Told {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = ready!(Pin::new(&mut self.stream).poll_read(cx, buf));
        Poll::Ready(read.map_err(|error| self.trouble.note(error)))
    }
}

impl AsyncWrite for Told {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}
