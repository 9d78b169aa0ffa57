//! TLS for our own HTTP clients.

use crate::proxy::{Dial, Via};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Makes connections, plain and encrypted ones, directly or through a proxy.
pub type Connector = HttpsConnector<Dial>;

/// Which certificates are trusted cannot be found out.
#[derive(Debug, thiserror::Error)]
#[error("the certificates in {path} cannot be read: {reason}; check AWS_CA_BUNDLE")]
pub struct BadBundle {
    path: String,
    reason: String,
}

/// The certificates that every connection trusts: those of a PEM file, or else the machine's. A machine without any is no
/// error: where nothing is encrypted none is needed, and where something is, connecting fails.
///
/// # Errors
/// [`BadBundle`] if the file cannot be used.
pub(crate) fn trusted(bundle: Option<&Path>) -> Result<RootCertStore, BadBundle> {
    if let Some(path) = bundle {
        return read_bundle(path);
    }
    let mut roots = RootCertStore::empty();
    let found = rustls_native_certs::load_native_certs();
    let (_, unusable) = roots.add_parsable_certificates(found.certs);
    if roots.is_empty() {
        let errors: Vec<_> = found.errors.iter().map(ToString::to_string).collect();
        tracing::warn!(
            unusable,
            errors = errors.join("; "),
            "no trusted certificates on this machine: nothing can be reached by https"
        );
    }
    Ok(roots)
}

/// Reads certificates to trust from PEM, and adds them.
///
/// # Errors
/// What is wrong with them.
pub fn add_pem(roots: &mut RootCertStore, pem: &str) -> Result<(), String> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
        let certificate = certificate.map_err(|e| e.to_string())?;
        roots.add(certificate).map_err(|e| e.to_string())?;
    }
    if roots.len() == before {
        return Err("there is none in it".to_owned());
    }
    Ok(())
}

/// Checks certificates that are to be trusted, as PEM; returns how many there are.
///
/// # Errors
/// What is wrong with them.
pub fn check_pem(pem: &str) -> Result<usize, String> {
    let mut roots = RootCertStore::empty();
    add_pem(&mut roots, pem)?;
    Ok(roots.len())
}

/// Builds a connector for what is no part of AWS, and in one's own network: it trusts what the machine trusts, and goes through
/// no proxy.
///
/// # Errors
/// None at present: only a bundle of certificates could be at fault.
pub fn direct(connect_timeout: Duration) -> Result<Connector, BadBundle> {
    let via = Via::environment(|_| None);
    Ok(connector(connect_timeout, false, trusted(None)?, via))
}

/// Builds a connector that trusts `roots`.
pub(crate) fn connector(connect_timeout: Duration, http2: bool, roots: RootCertStore, via: Via) -> Connector {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    let trusting = trusting(roots);
    let to_proxy = HttpsConnectorBuilder::new()
        .with_tls_config(trusting.clone())
        .https_or_http()
        .enable_http1()
        .wrap_connector(tcp.clone());
    let dial = Dial::new(tcp, to_proxy, via, connect_timeout);
    let builder = HttpsConnectorBuilder::new()
        .with_tls_config(trusting)
        .https_or_http()
        .enable_http1();
    if http2 {
        builder.enable_http2().wrap_connector(dial)
    } else {
        builder.wrap_connector(dial)
    }
}

fn trusting(roots: RootCertStore) -> ClientConfig {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

fn read_bundle(path: &Path) -> Result<RootCertStore, BadBundle> {
    let bad = |reason: String| BadBundle {
        path: path.display().to_string(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|e| bad(e.to_string()))?;
    let mut roots = RootCertStore::empty();
    add_pem(&mut roots, &text).map_err(bad)?;
    Ok(roots)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bundle_that_is_none_is_refused_by_name() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("bundle.pem");
        std::fs::write(&path, "no certificate").unwrap();
        for path in [path.as_path(), Path::new("/nonexistent.pem")] {
            let error = trusted(Some(path)).unwrap_err().to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_connector_needs_no_certificates_to_be_made() {
        let via = Via::environment(|_| None);
        let _ = connector(Duration::from_secs(1), true, RootCertStore::empty(), via);
        assert!(trusted(None).is_ok());
    }

    #[test]
    fn what_is_no_certificate_is_not_trusted() {
        for bad in [
            "",
            "hello",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
        ] {
            assert!(check_pem(bad).is_err(), "{bad}");
        }
    }
}
