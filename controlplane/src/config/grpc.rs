//! How data planes come in.

use super::file::File;
use super::{InvalidConfig, wrong};
use ccag_daemon::certificates::{Files, Followed, Pair};
use std::path::{Path, PathBuf};

/// The certificates of the port for data planes, read; `None` where it listens on loopback without.
pub(super) fn tls(file: &File) -> Result<Option<Followed>, InvalidConfig> {
    let (cert, key, client_ca) = (&file.grpc.tls_cert, &file.grpc.tls_key, &file.grpc.client_ca);
    match (cert.is_empty(), key.is_empty()) {
        (false, false) => {
            let files = Files {
                own: Some(Pair {
                    cert: cert.into(),
                    key: key.into(),
                }),
                authorities: Some(PathBuf::from(client_ca)).filter(|_| !client_ca.is_empty()),
            };
            Followed::open(files).map(Some).map_err(|bad| {
                let key = match &*bad.path {
                    path if path == Path::new(key) => "grpc.tls_key",
                    path if path == Path::new(client_ca) => "grpc.client_ca",
                    _ => "grpc.tls_cert",
                };
                wrong(key, format!("names a file that is no good: {bad}"))
            })
        }
        (true, true) if !client_ca.is_empty() => Err(wrong(
            "grpc.client_ca",
            "asks data planes for certificates, and this control plane has none of its own; set CCAG_GRPC_TLS_CERT and \
             CCAG_GRPC_TLS_KEY too",
        )),
        (true, true) if file.grpc_listen.ip().is_loopback() => Ok(None),
        (true, true) => Err(wrong(
            "grpc.tls_cert",
            format!(
                "is not set, and {} is not a loopback address: set CCAG_GRPC_TLS_CERT and CCAG_GRPC_TLS_KEY to PEM files, or \
                 listen on 127.0.0.1",
                file.grpc_listen
            ),
        )),
        (true, false) => Err(wrong(
            "grpc.tls_cert",
            "is not set though the key is; set CCAG_GRPC_TLS_CERT",
        )),
        (false, true) => Err(wrong(
            "grpc.tls_key",
            "is not set though the certificate is; set CCAG_GRPC_TLS_KEY",
        )),
    }
}
