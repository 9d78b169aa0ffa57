//! TLS for our own HTTP clients.

use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

/// Makes connections, plain and encrypted ones.
pub type Connector = HttpsConnector<HttpConnector>;

/// Which certificates are trusted cannot be found out.
#[derive(Debug, thiserror::Error)]
#[error("the certificates in {path} cannot be read: {reason}; check AWS_CA_BUNDLE")]
pub struct BadBundle {
    path: String,
    reason: String,
}

/// Builds a connector. `bundle` is a PEM file of certificates to trust instead of the machine's.
///
/// # Errors
/// [`BadBundle`] if the file cannot be used. A machine without any trusted certificates is no error: where nothing is
/// encrypted none is needed, and where something is, connecting fails.
pub fn connector(
    connect_timeout: Duration,
    http2: bool,
    bundle: Option<&Path>,
) -> Result<Connector, BadBundle> {
    let mut tcp = HttpConnector::new();
    tcp.enforce_http(false);
    tcp.set_nodelay(true);
    tcp.set_connect_timeout(Some(connect_timeout));
    tcp.set_keepalive(Some(Duration::from_secs(30)));
    let provider = rustls::crypto::aws_lc_rs::default_provider;
    let builder = HttpsConnectorBuilder::new();
    let builder = match bundle {
        Some(path) => builder.with_tls_config(trusting(read_bundle(path)?)),
        None => match builder.with_provider_and_native_roots(provider()) {
            Ok(builder) => builder,
            Err(error) => {
                tracing::warn!(%error, "no trusted certificates on this machine: nothing can be reached by https");
                HttpsConnectorBuilder::new().with_tls_config(trusting(RootCertStore::empty()))
            }
        },
    };
    let builder = builder.https_or_http().enable_http1();
    Ok(if http2 {
        builder.enable_http2().wrap_connector(tcp)
    } else {
        builder.wrap_connector(tcp)
    })
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
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(path).map_err(|e| bad(e.to_string()))? {
        let certificate = certificate.map_err(|e| bad(e.to_string()))?;
        roots.add(certificate).map_err(|e| bad(e.to_string()))?;
    }
    if roots.is_empty() {
        return Err(bad("there is none in it".to_owned()));
    }
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
            let error = connector(Duration::from_secs(1), false, Some(path))
                .unwrap_err()
                .to_string();
            assert!(error.contains(path.to_str().unwrap()), "{error}");
        }
    }

    #[test]
    fn a_connector_needs_no_certificates_to_be_made() {
        let _ = trusting(RootCertStore::empty());
        assert!(connector(Duration::from_secs(1), true, None).is_ok());
    }
}
