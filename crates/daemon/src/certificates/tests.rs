use super::*;
use rcgen::{CertificateParams, CertifiedIssuer, DistinguishedName, DnType, KeyPair};

/// A certificate, and its key.
pub(super) struct Signed {
    pub(super) cert: rcgen::Certificate,
    pub(super) key: KeyPair,
}

/// Signs certificates.
pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

/// What is wished for a certificate of this name.
pub(super) fn named(name: &str) -> CertificateParams {
    let mut wish = CertificateParams::default();
    wish.distinguished_name = DistinguishedName::new();
    wish.distinguished_name.push(DnType::CommonName, name);
    wish
}

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut wish = named(name);
        wish.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(wish, KeyPair::generate().unwrap()).unwrap())
    }

    pub(super) fn sign(&self, wish: CertificateParams) -> Signed {
        let key = KeyPair::generate().unwrap();
        Signed {
            cert: wish.signed_by(&key, &self.0).unwrap(),
            key,
        }
    }
}

/// Files of both kinds in a folder.
fn files(folder: &Path) -> Files {
    Files {
        own: Some(Pair {
            cert: folder.join("tls.crt"),
            key: folder.join("tls.key"),
        }),
        authorities: Some(folder.join("ca.crt")),
    }
}

fn write(folder: &Path, authority: &Authority, signed: &Signed) {
    std::fs::write(folder.join("ca.crt"), authority.0.pem()).unwrap();
    std::fs::write(folder.join("tls.key"), signed.key.serialize_pem()).unwrap();
    std::fs::write(folder.join("tls.crt"), signed.cert.pem()).unwrap();
}

fn subject(followed: &Followed) -> String {
    followed.current().facts.as_ref().unwrap().subject.clone()
}

#[test]
fn what_is_renewed_is_used_and_what_is_half_written_is_not() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("planes");
    write(folder.path(), &authority, &authority.sign(named("first")));
    let followed = Followed::open_fresh(files(folder.path()), Duration::ZERO).unwrap();
    assert_eq!(subject(&followed), "first");
    // A certificate, and not yet its key.
    let second = authority.sign(named("second"));
    std::fs::write(folder.path().join("tls.crt"), second.cert.pem()).unwrap();
    assert_eq!(subject(&followed), "first");
    std::fs::remove_file(folder.path().join("tls.key")).unwrap();
    assert_eq!(subject(&followed), "first");
    std::fs::write(folder.path().join("tls.key"), second.key.serialize_pem()).unwrap();
    assert_eq!(subject(&followed), "second");
    assert!(followed.current().own.as_ref().unwrap().keys_match().is_ok());
}

#[test]
fn a_file_that_is_no_good_is_named_with_what_is_wrong() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("planes");
    let good = authority.sign(named("good"));
    write(folder.path(), &authority, &good);
    let open = || Followed::open(files(folder.path())).unwrap_err();
    for (file, content, reason) in [
        ("ca.crt", "nonsense", "no certificate"),
        ("tls.crt", "", "no certificate"),
        ("tls.key", "nonsense", "no key"),
        (
            "tls.key",
            &*KeyPair::generate().unwrap().serialize_pem(),
            "is not the key of the certificate",
        ),
    ] {
        write(folder.path(), &authority, &good);
        std::fs::write(folder.path().join(file), content).unwrap();
        let error = open().to_string();
        assert!(error.contains(file) && error.contains(reason), "{error}");
    }
    std::fs::remove_file(folder.path().join("tls.crt")).unwrap();
    assert!(open().to_string().contains("tls.crt cannot be read"));
}

#[test]
fn who_watches_sees_when_certificates_end() {
    let folder = tempfile::tempdir().unwrap();
    let authority = Authority::new("planes");
    let mut wish = named("dp-1");
    wish.not_after = time::macros::datetime!(2030-01-01 0:00 UTC);
    write(folder.path(), &authority, &authority.sign(wish));
    let followed = Followed::open(files(folder.path())).unwrap();
    let mut registry = prometheus_client::registry::Registry::default();
    followed.register(&mut registry);
    let mut text = String::new();
    prometheus_client::encoding::text::encode(&mut text, &registry).unwrap();
    assert!(
        text.contains("ccag_certificate_not_after_seconds{certificate=\"own\"} 1893456000"),
        "{text}"
    );
    assert!(text.contains("{certificate=\"authority\"} "), "{text}");
}
