//! What a certificate says of itself, for people: whose it is, for which names, and when it ends. Whether it may be trusted is
//! decided by TLS alone.

use std::net::IpAddr;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::FromDer;
use x509_parser::x509::X509Name;

/// The most characters that are shown of a name: a stranger may have written it.
const LONGEST: usize = 100;

/// What is read of a certificate. Its texts are fit to be logged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The common name, or else the first alternative name; empty where there is neither.
    pub subject: String,
    /// The common name of whoever signed it; empty where there is none.
    pub issuer: String,
    /// The names and addresses that it is good for (RFC 5280, section 4.2.1.6).
    pub names: Vec<String>,
    /// From when on it is good, in seconds since 1970.
    pub not_before_s: i64,
    /// Until when.
    pub not_after_s: i64,
}

impl Facts {
    /// Reads a certificate in DER (RFC 5280, section 4.1); `None` if it is none.
    #[must_use]
    pub fn read(der: &[u8]) -> Option<Self> {
        let (_, certificate) = X509Certificate::from_der(der).ok()?;
        let alternative = certificate.subject_alternative_name().ok().flatten();
        let alternative = alternative.map_or(&[][..], |names| &names.value.general_names);
        let names: Vec<String> = alternative.iter().filter_map(name).collect();
        let validity = certificate.validity();
        Some(Self {
            subject: common_name(certificate.subject())
                .or_else(|| names.first().cloned())
                .unwrap_or_default(),
            issuer: common_name(certificate.issuer()).unwrap_or_default(),
            names,
            not_before_s: validity.not_before.timestamp(),
            not_after_s: validity.not_after.timestamp(),
        })
    }
}

fn common_name(name: &X509Name<'_>) -> Option<String> {
    let first = name.iter_common_name().next()?;
    Some(shown(&String::from_utf8_lossy(first.attr_value().data)))
}

fn name(name: &GeneralName<'_>) -> Option<String> {
    match name {
        GeneralName::DNSName(text) | GeneralName::URI(text) => Some(shown(text)),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(IpAddr::from);
            let address = v4.or_else(|_| <[u8; 16]>::try_from(*bytes).map(IpAddr::from));
            address.ok().map(|address| address.to_string())
        }
        _ => None,
    }
}

fn shown(text: &str) -> String {
    text.chars().take(LONGEST).flat_map(char::escape_debug).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use rcgen::{
        BasicConstraints, Certificate, CertificateParams, CertifiedIssuer, DistinguishedName, DnType, IsCa,
        KeyPair,
    };
    use time::macros::datetime;

    fn named(name: &str) -> CertificateParams {
        let mut wish = CertificateParams::new(Vec::new()).unwrap();
        wish.distinguished_name = DistinguishedName::new();
        wish.distinguished_name.push(DnType::CommonName, name);
        wish
    }

    fn sign(wish: &CertificateParams) -> Certificate {
        let mut authority = named("planes");
        authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(authority, KeyPair::generate().unwrap()).unwrap();
        wish.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap()
    }

    fn read(wish: &CertificateParams) -> Facts {
        Facts::read(sign(wish).der()).unwrap()
    }

    #[test]
    fn a_certificate_says_whose_it_is_and_when_it_ends() {
        let mut wish = named("dp-1");
        wish.subject_alt_names =
            CertificateParams::new(vec!["data.example".to_owned(), "10.0.0.1".to_owned()])
                .unwrap()
                .subject_alt_names;
        wish.not_before = datetime!(2026-01-01 0:00 UTC);
        wish.not_after = datetime!(2027-02-28 23:59:58 UTC);
        assert_eq!(
            read(&wish),
            Facts {
                subject: "dp-1".to_owned(),
                issuer: "planes".to_owned(),
                names: vec!["data.example".to_owned(), "10.0.0.1".to_owned()],
                not_before_s: 1_767_225_600,
                not_after_s: 1_803_859_198,
            }
        );
        // Beyond 2049 times are written in another way.
        wish.not_after = datetime!(2100-01-01 0:00 UTC);
        assert_eq!(read(&wish).not_after_s, 4_102_444_800);
    }

    #[test]
    fn a_certificate_without_a_subject_goes_by_its_alternative_name() {
        let mut wish = CertificateParams::new(vec!["data.example".to_owned()]).unwrap();
        wish.distinguished_name = DistinguishedName::new();
        assert_eq!(read(&wish).subject, "data.example");
        wish.subject_alt_names.clear();
        assert_eq!(read(&wish).subject, "");
    }

    #[test]
    fn nothing_of_a_name_can_forge_a_line_of_a_log() {
        assert_eq!(
            read(&named("one\nINFO all is well")).subject,
            "one\\nINFO all is well"
        );
        assert_eq!(read(&named(&"x".repeat(1_000))).subject.len(), LONGEST);
    }

    #[test]
    fn whatever_is_cut_off_or_changed_is_no_cause_to_panic() {
        let whole = sign(&named("dp-1")).der().to_vec();
        for end in 0..whole.len() {
            assert_eq!(Facts::read(&whole[..end]), None);
        }
        for at in 0..whole.len() {
            for value in [0, 0x7f, 0x80, 0x84, 0xff] {
                let mut changed = whole.clone();
                changed[at] = value;
                let _ = Facts::read(&changed);
            }
        }
    }
}
