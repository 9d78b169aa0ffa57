//! Certificates: until when they are good, and for which names.

use crate::finding::{Check, Finding};
use rustls::client::{verify_server_cert_signed_by_trust_anchor, verify_server_name};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::server::ParsedCertificate;
use rustls::{CertificateError, Error, RootCertStore};
use std::time::Duration;

/// So long before its end a certificate is worth a warning, in milliseconds.
const SOON_MS: i64 = 30 * DAY_MS;

/// So long before its end it is a fault.
const VERY_SOON_MS: i64 = 7 * DAY_MS;

const DAY_MS: i64 = 86_400_000;

/// What a certificate says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// From when on it is good, in Unix milliseconds.
    pub not_before_ms: i64,
    /// Until when.
    pub not_after_ms: i64,
    /// The names that it is good for.
    pub names: Vec<String>,
}

/// Reads the certificates of a PEM text, the server's own first.
///
/// # Errors
/// What is wrong with it.
pub fn read_pem(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, String> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    match chain {
        Ok(chain) if chain.is_empty() => Err("there is no certificate in it".to_owned()),
        Ok(chain) => Ok(chain),
        Err(error) => Err(error.to_string()),
    }
}

/// Reads what a certificate says of itself.
///
/// # Errors
/// If it is none.
pub fn facts(certificate: &CertificateDer<'_>) -> Result<Facts, String> {
    let parsed = ParsedCertificate::try_from(certificate).map_err(|e| e.to_string())?;
    // The library tells when a certificate is good if it is asked about a time when it is not. It looks at that before it looks for
    // whoever has signed it, and nobody is trusted here.
    let at = |seconds| verdict_at(&parsed, Duration::from_secs(seconds));
    let not_after_ms = match at(FAR) {
        Some(CertificateError::ExpiredContext { not_after, .. }) => ms(not_after),
        _ => return Err("it does not say until when it is good".to_owned()),
    };
    let not_before_ms = match at(0) {
        Some(CertificateError::NotValidYetContext { not_before, .. }) => ms(not_before),
        _ => 0,
    };
    let names = match verify_server_name(&parsed, &nobody()?) {
        Err(Error::InvalidCertificate(CertificateError::NotValidForNameContext { presented, .. })) => {
            presented.iter().map(|name| bare(name)).collect()
        }
        _ => Vec::new(),
    };
    Ok(Facts {
        not_before_ms,
        not_after_ms,
        names,
    })
}

/// The end of the year 9999: no certificate is good for longer (RFC 5280, section 4.1.2.5).
const FAR: u64 = 253_402_300_800;

fn verdict_at(parsed: &ParsedCertificate<'_>, at: Duration) -> Option<CertificateError> {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let judged = verify_server_cert_signed_by_trust_anchor(
        parsed,
        &RootCertStore::empty(),
        &[],
        UnixTime::since_unix_epoch(at),
        provider.signature_verification_algorithms.all,
    );
    match judged {
        Err(Error::InvalidCertificate(error)) => Some(error),
        _ => None,
    }
}

/// A name that no certificate has (RFC 2606).
fn nobody() -> Result<ServerName<'static>, String> {
    ServerName::try_from("nobody.invalid").map_err(|e| e.to_string())
}

/// `DnsName("a.example")` as the library writes it.
fn bare(name: &str) -> String {
    let inner = name.split_once('(').and_then(|(_, rest)| rest.strip_suffix(')'));
    inner.unwrap_or(name).trim_matches('"').to_owned()
}

fn ms(at: UnixTime) -> i64 {
    i64::try_from(at.as_secs().saturating_mul(1_000)).unwrap_or(i64::MAX)
}

/// Says whether a certificate is good now, and for how long it will be.
#[must_use]
pub fn judge(check: &'static Check, whose: &str, facts: &Facts, now_ms: i64, renew: &str) -> Finding {
    let days = |ms: i64| ms.abs() / DAY_MS;
    let left = facts.not_after_ms - now_ms;
    if now_ms < facts.not_before_ms {
        let found = format!(
            "the certificate is not good yet: it will be in {} days",
            days(facts.not_before_ms - now_ms)
        );
        let advice = "look at this machine's clock first; if it is right, put the certificate in place that is good today";
        return check.fault(whose, found, advice);
    }
    if left <= 0 {
        let found = format!("the certificate has expired {} days ago", days(left));
        return check.fault(whose, found, renew);
    }
    let names = match facts.names.as_slice() {
        [] => "no name".to_owned(),
        names => names.join(", "),
    };
    let found = format!("the certificate for {names} expires in {} days", days(left));
    if left < VERY_SOON_MS {
        check.fault(whose, found, renew)
    } else if left < SOON_MS {
        check.warning(whose, found, renew)
    } else {
        check.ok(whose, found)
    }
}
