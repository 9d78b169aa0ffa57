//! The certificate for data planes.

use crate::config::GrpcTls;
use ccag_doctor::checks::GRPC_CERTIFICATE;
use ccag_doctor::{Finding, certificate};
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use rustls::sign::CertifiedKey;
use secrecy::ExposeSecret;

const SUBJECT: &str = "CCAG_GRPC_TLS_CERT";

pub(super) fn look(tls: &GrpcTls, now_ms: i64) -> Vec<Finding> {
    let chain = match certificate::read_pem(&tls.cert_pem) {
        Ok(chain) => chain,
        Err(reason) => {
            let found = format!("it is not readable as PEM: {reason}");
            let advice = "name a PEM file with the certificate and the intermediate ones, the control plane's own first";
            return vec![GRPC_CERTIFICATE.fault(SUBJECT, found, advice)];
        }
    };
    let mut findings = Vec::new();
    match PrivateKeyDer::from_pem_slice(tls.key_pem.expose_secret().as_bytes()) {
        Err(error) => findings.push(GRPC_CERTIFICATE.fault(
            "CCAG_GRPC_TLS_KEY",
            format!("there is no private key in it: {error}"),
            "name a PEM file with the unencrypted key of the certificate",
        )),
        Ok(key) => {
            if let Err(error) = CertifiedKey::from_der(chain.clone(), key, &default_provider()) {
                findings.push(GRPC_CERTIFICATE.fault(
                    "CCAG_GRPC_TLS_KEY",
                    format!("the key does not fit the certificate: {error}"),
                    "name the key that the certificate was made for; both may have been renewed, and only one of the files replaced",
                ));
            }
        }
    }
    match chain.first().map(certificate::facts) {
        Some(Ok(facts)) => {
            if facts.names.is_empty() {
                findings.push(GRPC_CERTIFICATE.fault(
                    SUBJECT,
                    "it has no name that a data plane could check: a common name alone is not enough",
                    "have it issued with subject alternative names: the host of CCAG_CONTROL_PLANE as data planes say it",
                ));
            }
            let renew =
                "renew it, put it in place, and start the control plane anew: it is read at the start";
            findings.push(certificate::judge(
                &GRPC_CERTIFICATE,
                SUBJECT,
                &facts,
                now_ms,
                renew,
            ));
        }
        Some(Err(reason)) => findings.push(GRPC_CERTIFICATE.fault(
            SUBJECT,
            format!("its first certificate cannot be read: {reason}"),
            "put the control plane's own certificate first",
        )),
        None => {}
    }
    findings
}
