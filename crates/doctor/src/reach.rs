//! The way over the network, step by step: the name, the connection, TLS.

use rustls::client::ResolvesClientCert;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::sign::{CertifiedKey, SingleCertAndKey};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, Error, RootCertStore, SignatureScheme};
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// How long a name and a connection may take.
const CONNECT: Duration = Duration::from_secs(5);

/// Why nobody is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreached {
    /// The name is not known.
    Name(String),
    /// Nobody listens there.
    Refused,
    /// Nothing comes back.
    Silent,
    /// Anything else.
    Other(String),
}

impl Unreached {
    /// What is wrong.
    #[must_use]
    pub fn found(&self) -> String {
        match self {
            Self::Name(reason) => format!("the name cannot be resolved: {reason}"),
            Self::Refused => "the connection is refused: nothing listens there".to_owned(),
            Self::Silent => format!(
                "no connection within {} s: packets are dropped",
                CONNECT.as_secs()
            ),
            Self::Other(reason) => format!("no connection: {reason}"),
        }
    }

    /// What to do.
    #[must_use]
    pub fn advice(&self) -> &'static str {
        match self {
            Self::Name(_) => {
                "look for a typing error in the name, and ask the same DNS server that this machine uses"
            }
            Self::Refused => {
                "look whether the process runs and listens on that port, and not on 127.0.0.1 alone"
            }
            Self::Silent => {
                "look at firewalls, security groups, network policies and routes between here and there"
            }
            Self::Other(_) => "look at the network of this machine",
        }
    }
}

/// Makes a connection.
///
/// # Errors
/// [`Unreached`].
pub async fn connect(host: &str, port: u16) -> Result<TcpStream, Unreached> {
    let bare = host.trim_start_matches('[').trim_end_matches(']');
    let named = tokio::time::timeout(CONNECT, tokio::net::lookup_host((bare, port))).await;
    let addresses: Vec<SocketAddr> = match named {
        Err(_) => return Err(Unreached::Name("the DNS server does not answer".to_owned())),
        Ok(Err(error)) => return Err(Unreached::Name(error.to_string())),
        Ok(Ok(addresses)) => addresses.collect(),
    };
    match tokio::time::timeout(CONNECT, TcpStream::connect(addresses.as_slice())).await {
        Err(_) => Err(Unreached::Silent),
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) => Err(match error.kind() {
            io::ErrorKind::ConnectionRefused => Unreached::Refused,
            io::ErrorKind::TimedOut => Unreached::Silent,
            _ => Unreached::Other(error.to_string()),
        }),
    }
}

/// What became of a handshake. Nothing is sent over the connection.
#[derive(Debug)]
pub struct Shaken {
    /// What the server showed, its own certificate first.
    pub chain: Vec<CertificateDer<'static>>,
    /// Why it would not be trusted; `None` if it is.
    pub distrust: Option<Distrust>,
}

/// Why a server is not trusted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Distrust {
    /// Nobody who is trusted has signed its certificate.
    Issuer,
    /// The certificate is for other names.
    Name,
    /// It has expired, or is not good yet.
    Time,
    /// Anything else.
    Other(String),
}

impl Distrust {
    fn of(error: &Error) -> Self {
        match error {
            Error::InvalidCertificate(
                // An authority of the same name is trusted, and has another key.
                CertificateError::UnknownIssuer | CertificateError::BadSignature,
            ) => Self::Issuer,
            Error::InvalidCertificate(
                CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. },
            ) => Self::Name,
            Error::InvalidCertificate(
                CertificateError::Expired
                | CertificateError::ExpiredContext { .. }
                | CertificateError::NotValidYet
                | CertificateError::NotValidYetContext { .. },
            ) => Self::Time,
            // rustls says of a certificate that signs itself and is trusted by nobody that it is an authority's.
            Error::InvalidCertificate(CertificateError::Other(other))
                if other.to_string().contains("CaUsed") =>
            {
                Self::Issuer
            }
            other => Self::Other(other.to_string()),
        }
    }
}

/// The certificates that the machine trusts.
#[must_use]
pub fn machine_roots() -> Arc<RootCertStore> {
    let mut roots = RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    Arc::new(roots)
}

/// Shakes hands, shows `own` if the server asks for a certificate, and says what it showed itself and whether it would be trusted.
///
/// # Errors
/// Why there is no TLS at all.
pub async fn shake(
    stream: TcpStream,
    host: &str,
    roots: Arc<RootCertStore>,
    own: Option<Arc<CertifiedKey>>,
) -> Result<Shaken, String> {
    let bare = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let name = ServerName::try_from(bare).map_err(|e| e.to_string())?;
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let nobody_trusted = roots.is_empty();
    let inner = match nobody_trusted {
        true => None,
        false => {
            let built = WebPkiServerVerifier::builder_with_provider(roots, Arc::clone(&provider));
            Some(built.build().map_err(|e| e.to_string())?)
        }
    };
    let witness = Arc::new(Witness {
        inner,
        schemes: provider.signature_verification_algorithms.supported_schemes(),
        seen: Mutex::default(),
    });
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|e| e.to_string())?
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(&witness) as Arc<dyn ServerCertVerifier>);
    let mut config = match own {
        None => builder.with_no_client_auth(),
        Some(own) => {
            let shown: Arc<dyn ResolvesClientCert> = Arc::new(SingleCertAndKey::from(own));
            builder.with_client_cert_resolver(shown)
        }
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let shaking = TlsConnector::from(Arc::new(config)).connect(name, stream);
    match tokio::time::timeout(CONNECT, shaking).await {
        Err(_) => {
            return Err(format!(
                "no answer to the TLS handshake within {} s",
                CONNECT.as_secs()
            ));
        }
        Ok(Err(error)) => return Err(error.to_string()),
        Ok(Ok(_)) => {}
    }
    let seen = witness.seen.lock().unwrap_or_else(PoisonError::into_inner).take();
    let (chain, distrust) = seen.ok_or("the server showed no certificate")?;
    Ok(Shaken { chain, distrust })
}

type Seen = (Vec<CertificateDer<'static>>, Option<Distrust>);

/// Lets every server in, and remembers whether it should have been: nothing is ever sent to it.
#[derive(Debug)]
struct Witness {
    inner: Option<Arc<WebPkiServerVerifier>>,
    schemes: Vec<SignatureScheme>,
    seen: Mutex<Option<Seen>>,
}

impl ServerCertVerifier for Witness {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, Error> {
        let distrust = match &self.inner {
            None => Some(Distrust::Issuer),
            Some(inner) => inner
                .verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
                .err()
                .map(|error| Distrust::of(&error)),
        };
        let chain = std::iter::once(end_entity).chain(intermediates);
        let chain = chain.map(|one| one.clone().into_owned()).collect();
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = Some((chain, distrust));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.schemes.clone()
    }
}
