//! The door for data planes, where it is TLS: who is asked for a certificate and shows none, or one that no authority here has
//! signed, is sent away, and the log says who and why.

use crate::metrics::{Metrics, Reason};
use ccag_daemon::certificates::{Certificates, Facts, Followed, provider};
use futures_util::{Stream, StreamExt};
use rustls::client::danger::HandshakeSignatureValid;
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::danger::{ClientCertVerified, ClientCertVerifier};
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::SingleCertAndKey;
use rustls::{
    AlertDescription, CertificateError, DigitallySignedStruct, DistinguishedName, Error, ServerConfig,
    SignatureScheme,
};
use std::collections::HashMap;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// So many connections may be at their handshake at once.
const AT_ONCE: usize = 256;

/// How long a handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

/// How long, and for how many bytes, it is listened to who was refused: closed at once, the connection might lose the word on why.
const GOODBYE: (Duration, u64) = (Duration::from_secs(1), 64 << 10);

/// How often the same refusal of the same address is logged.
const SAY_AGAIN: Duration = Duration::from_secs(60);

/// For so many addresses it is remembered that it was said.
const REMEMBERED: usize = 1_000;

/// Lets data planes in.
#[derive(Clone)]
pub(crate) struct Door {
    certificates: Followed,
    metrics: Metrics,
    said: Arc<Mutex<HashMap<(IpAddr, &'static str), Instant>>>,
}

impl Door {
    pub(crate) fn new(certificates: Followed, metrics: Metrics) -> Self {
        Self {
            certificates,
            metrics,
            said: Arc::default(),
        }
    }

    /// Who has come through, of those who knock.
    pub(crate) fn incoming<S>(self, knocking: S) -> impl Stream<Item = io::Result<TlsStream<TcpStream>>>
    where
        S: Stream<Item = io::Result<TcpStream>>,
    {
        let hands = knocking.map(move |knocks| {
            let door = self.clone();
            async move {
                match knocks {
                    Ok(tcp) => door.let_in(tcp).await.map(Ok),
                    Err(error) => Some(Err(error)),
                }
            }
        });
        hands
            .buffer_unordered(AT_ONCE)
            .filter_map(|came| async move { came })
    }

    async fn let_in(&self, tcp: TcpStream) -> Option<TlsStream<TcpStream>> {
        let from = tcp.peer_addr().ok()?;
        let shown = Arc::new(OnceLock::new());
        let settings = match settings(&self.certificates.current(), Arc::clone(&shown)) {
            Ok(settings) => settings,
            Err(error) => {
                tracing::error!(%error, "TLS for data planes cannot be spoken; check the files of CCAG_GRPC_CLIENT_CA");
                return None;
            }
        };
        let handshake = TlsAcceptor::from(Arc::new(settings)).accept(tcp).into_fallible();
        match timeout(HANDSHAKE, handshake).await {
            Ok(Ok(stream)) => Some(stream),
            Ok(Err((error, tcp))) => {
                self.refused(from, &error, shown.get().and_then(Option::as_ref));
                goodbye(tcp).await;
                None
            }
            Err(_) => {
                tracing::debug!(%from, "a connection to the port of data planes did not finish its handshake");
                None
            }
        }
    }

    fn refused(&self, from: SocketAddr, error: &io::Error, shown: Option<&Facts>) {
        let tls = error.get_ref().and_then(|inner| inner.downcast_ref::<Error>());
        let Some(Refusal { kind, why }) = tls.and_then(Refusal::of) else {
            // Load balancers that look whether the port is open, and programs that speak something else.
            tracing::debug!(%from, %error, "a connection to the port of data planes spoke no TLS to its end");
            return;
        };
        if kind != DISTRUSTS {
            self.metrics
                .data_planes_refused
                .get_or_create(&Reason { reason: kind })
                .inc();
        }
        if !self.is_news(from.ip(), kind) {
            return;
        }
        match shown {
            Some(Facts { subject, issuer, .. }) => {
                tracing::warn!(%from, subject, issuer, "a data plane was refused: {why}");
            }
            None => tracing::warn!(%from, "a data plane was refused: {why}"),
        }
    }

    /// Whether that was not said a moment ago: a data plane that is refused comes again every few seconds.
    fn is_news(&self, from: IpAddr, kind: &'static str) -> bool {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        if said.get(&(from, kind)).is_some_and(|at| at.elapsed() < SAY_AGAIN) {
            return false;
        }
        if said.len() >= REMEMBERED {
            said.retain(|_, at| at.elapsed() < SAY_AGAIN);
        }
        said.len() < REMEMBERED && {
            said.insert((from, kind), Instant::now());
            true
        }
    }
}

/// The settings of one connection: what it shows is put into `shown`.
fn settings(certificates: &Certificates, shown: Arc<OnceLock<Option<Facts>>>) -> Result<ServerConfig, Error> {
    let own = certificates.own.as_ref().ok_or(Error::NoCertificatesPresented)?;
    let builder = ServerConfig::builder_with_provider(provider()).with_safe_default_protocol_versions()?;
    let builder = match &certificates.authorities {
        None => builder.with_no_client_auth(),
        Some(authorities) => {
            let verifier = WebPkiClientVerifier::builder_with_provider(Arc::clone(authorities), provider());
            let inner = verifier.build().map_err(|e| Error::General(e.to_string()))?;
            builder.with_client_cert_verifier(Arc::new(Witness { inner, shown }))
        }
    };
    let mut settings = builder.with_cert_resolver(Arc::new(SingleCertAndKey::from(Arc::clone(own))));
    settings.alpn_protocols = vec![b"h2".to_vec()];
    // Who resumes a session is not asked for a certificate: it may have expired since, or its authority be trusted no more.
    settings.session_storage = Arc::new(NoServerSessionStorage {});
    settings.send_tls13_tickets = 0;
    Ok(settings)
}

/// Lets the other side read the alert before the connection ends.
async fn goodbye(mut tcp: TcpStream) {
    let (patience, bytes) = GOODBYE;
    let _ = timeout(patience, async {
        tcp.shutdown().await?;
        tokio::io::copy(&mut (&mut tcp).take(bytes), &mut tokio::io::sink()).await
    })
    .await;
}

/// The data plane went away itself: it does not trust this control plane.
const DISTRUSTS: &str = "distrusts";

/// Why a data plane did not come in.
struct Refusal {
    kind: &'static str,
    why: String,
}

impl Refusal {
    /// `None` for what is no matter of certificates.
    fn of(error: &Error) -> Option<Self> {
        use CertificateError as Bad;
        let (kind, why) = match error {
            Error::NoCertificatesPresented => (
                "no_certificate",
                "it shows no certificate, and CCAG_GRPC_CLIENT_CA asks for one; set CCAG_GRPC_CLIENT_CERT and \
                 CCAG_GRPC_CLIENT_KEY there"
                    .to_owned(),
            ),
            Error::InvalidCertificate(bad) => (
                "certificate",
                match bad {
                    Bad::UnknownIssuer => {
                        "its certificate is of another authority than those in CCAG_GRPC_CLIENT_CA".to_owned()
                    }
                    Bad::BadSignature => {
                        "its certificate is of another authority than those in CCAG_GRPC_CLIENT_CA, of the same name".to_owned()
                    }
                    Bad::Expired | Bad::ExpiredContext { .. } => {
                        "its certificate has expired; renew it there".to_owned()
                    }
                    Bad::NotValidYet | Bad::NotValidYetContext { .. } => {
                        "its certificate is not valid yet; compare the clocks".to_owned()
                    }
                    Bad::InvalidPurpose | Bad::InvalidPurposeContext { .. } => {
                        "its certificate is not for clients; it needs the extended key usage clientAuth".to_owned()
                    }
                    other => format!("its certificate is no good: {other}"),
                },
            ),
            Error::AlertReceived(alert) if of_certificates(*alert) => (
                DISTRUSTS,
                format!("it does not trust the certificate of this control plane ({alert:?}); check CCAG_GRPC_CA there"),
            ),
            _ => return None,
        };
        Some(Self { kind, why })
    }
}

const fn of_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
    )
}

/// Judges as the verifier that it holds, and remembers whose certificate it was.
#[derive(Debug)]
struct Witness {
    inner: Arc<dyn ClientCertVerifier>,
    shown: Arc<OnceLock<Option<Facts>>>,
}

impl ClientCertVerifier for Witness {
    fn client_auth_mandatory(&self) -> bool {
        self.inner.client_auth_mandatory()
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.inner.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        now: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        self.shown.get_or_init(|| Facts::read(end_entity));
        self.inner.verify_client_cert(end_entity, intermediates, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls12_signature(message, cert, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.inner.verify_tls13_signature(message, cert, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.inner.supported_verify_schemes()
    }
}
