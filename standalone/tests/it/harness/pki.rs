//! Authorities, and what they sign, as files.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    date_time_ymd,
};
use std::path::{Path, PathBuf};

/// Somebody who signs certificates.
pub(crate) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(crate) fn new(name: &str) -> Self {
        let mut wish = CertificateParams::default();
        wish.distinguished_name.push(DnType::CommonName, name);
        wish.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        Self(CertifiedIssuer::self_signed(wish, KeyPair::generate().unwrap()).unwrap())
    }

    pub(crate) fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes `NAME.crt` and `NAME.key` for the control plane at `localhost`.
    pub(crate) fn server(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        self.sign(folder, name, ExtendedKeyUsagePurpose::ServerAuth, 2040)
    }

    /// The same for a data plane.
    pub(crate) fn client(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        self.sign(folder, name, ExtendedKeyUsagePurpose::ClientAuth, 2040)
    }

    /// One that has expired.
    pub(crate) fn expired(&self, folder: &Path, name: &str) -> (PathBuf, PathBuf) {
        self.sign(folder, name, ExtendedKeyUsagePurpose::ClientAuth, 2020)
    }

    fn sign(
        &self,
        folder: &Path,
        name: &str,
        purpose: ExtendedKeyUsagePurpose,
        until: i32,
    ) -> (PathBuf, PathBuf) {
        let mut wish = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        wish.distinguished_name.push(DnType::CommonName, name);
        wish.extended_key_usages = vec![purpose];
        wish.not_after = date_time_ymd(until, 1, 1);
        let key = KeyPair::generate().unwrap();
        let signed = wish.signed_by(&key, &self.0).unwrap();
        let file = |ending: &str, text: String| {
            let path = folder.join(format!("{name}.{ending}"));
            std::fs::write(&path, text).unwrap();
            path
        };
        (file("crt", signed.pem()), file("key", key.serialize_pem()))
    }
}
