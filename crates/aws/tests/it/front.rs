//! A server with a certificate of a private CA, which passes on to bedrock-sim.

use std::sync::Arc;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};

/// The CA that has issued the certificate of [`tls_before`].
pub(crate) const CA: &str = include_str!("pki/ca.pem");

/// A server at `localhost` that speaks TLS and passes on to `to`, which does not.
pub(crate) async fn tls_before(to: &str) -> String {
    let to = to.trim_start_matches("http://").to_owned();
    let certificates = CertificateDer::pem_slice_iter(include_bytes!("pki/server.pem"))
        .collect::<Result<Vec<_>, _>>()
        .unwrap();
    let key = PrivateKeyDer::from_pem_slice(include_bytes!("pki/server.key")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(certificates, key)
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, to) = (acceptor.clone(), to.clone());
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else {
                    return;
                };
                let Ok(mut to) = TcpStream::connect(to).await else {
                    return;
                };
                let _ = copy_bidirectional(&mut stream, &mut to).await;
            });
        }
    });
    format!("https://localhost:{port}")
}
