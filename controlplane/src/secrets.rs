//! Secrets at rest: what the database holds of them is sealed under the master key.

use ccag_domain::SealKey;
use secrecy::{ExposeSecret, SecretString};
use zeroize::Zeroizing;

/// Seals and opens what the database must not hold in clear.
#[derive(Debug, Clone)]
pub(crate) struct Secrets(SealKey);

impl Secrets {
    /// Under the master key.
    pub(crate) fn new(master_key: &SecretString) -> Self {
        Self(SealKey::derive(
            master_key.expose_secret().as_bytes(),
            "secrets in the database",
        ))
    }

    /// A secret for a text column, in hexadecimal. `what` says which it is: it opens as that alone, so that nobody who can
    /// write to the database can put one in the place of another.
    pub(crate) fn seal(&self, what: &str, secret: &[u8]) -> String {
        use std::fmt::Write;
        let sealed = self.0.seal(what.as_bytes(), secret);
        sealed
            .iter()
            .fold(String::with_capacity(sealed.len() * 2), |mut text, byte| {
                // Writing to a String cannot fail.
                let _ = write!(text, "{byte:02x}");
                text
            })
    }

    /// Opens what [`Secrets::seal`] made; `None`, loudly, if it cannot be, as after a change of the master key.
    pub(crate) fn open(&self, what: &str, sealed: &str) -> Option<Zeroizing<Vec<u8>>> {
        let bytes: Option<Vec<u8>> = (0..sealed.len() / 2)
            .map(|i| u8::from_str_radix(sealed.get(2 * i..2 * i + 2)?, 16).ok())
            .collect();
        let opened = bytes.and_then(|bytes| self.0.open(what.as_bytes(), &bytes));
        if opened.is_none() {
            tracing::error!(
                what,
                "a secret in the database cannot be opened: was the master key changed? It has to be entered again"
            );
        }
        opened
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_opens_under_its_own_name_and_key_alone() {
        let secrets = Secrets::new(&"master".to_owned().into());
        let sealed = secrets.seal("a", b"hush");
        assert!(!sealed.contains("hush"));
        assert_eq!(secrets.open("a", &sealed).unwrap().as_slice(), b"hush");
        assert!(secrets.open("b", &sealed).is_none());
        assert!(
            Secrets::new(&"other".to_owned().into())
                .open("a", &sealed)
                .is_none()
        );
        assert!(secrets.open("a", "zz").is_none());
    }
}
