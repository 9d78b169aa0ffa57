//! Authenticated encryption of small things: secrets at rest, and what a client carries for us without being able to read
//! or change it.
//!
//! AES-256-GCM. The nonce is derived from what is sealed (HMAC-SHA-256 under a key of its own), so that sealing needs no
//! randomness and is a pure function: the same text under the same context seals to the same bytes, and two different
//! ones meet in a nonce with a probability of 2⁻⁹⁶. Whoever sees sealed bytes can therefore tell that two are equal, and
//! nothing else.

use crate::Rng;
use aes_gcm::aead::{Aead, Payload};
use aes_gcm::{Aes256Gcm, Nonce};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use std::fmt;
use zeroize::Zeroizing;

const NONCE_BYTES: usize = 12;

/// A key for sealing. Wiped from memory when dropped and never printed by `Debug`.
#[derive(Clone)]
pub struct SealKey(Zeroizing<[u8; 32]>);

impl SealKey {
    /// Takes 32 bytes that nobody can guess.
    #[must_use]
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Makes a new key.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        let mut bytes = Zeroizing::new([0; 32]);
        rng.fill(bytes.as_mut());
        Self(bytes)
    }

    /// The key for one purpose out of a secret that serves several.
    #[must_use]
    pub fn derive(secret: &[u8], purpose: &str) -> Self {
        Self(Zeroizing::new(mac(
            secret,
            &[b"ccag seal v1", purpose.as_bytes()],
        )))
    }

    /// The key itself, to store it sealed under another or to send it over a protected channel.
    #[must_use]
    pub fn reveal(&self) -> &[u8; 32] {
        &self.0
    }

    /// Seals `text`. It opens only under the same key and the same `context`, which says what it is and whose.
    #[must_use]
    pub fn seal(&self, context: &[u8], text: &[u8]) -> Vec<u8> {
        let nonce_key = Zeroizing::new(mac(self.0.as_ref(), &[b"nonce"]));
        let digest = mac(nonce_key.as_ref(), &[context, text]);
        let nonce = &digest[..NONCE_BYTES];
        let payload = Payload {
            msg: text,
            aad: context,
        };
        // Encryption fails for texts of more than 64 GB alone; what is then returned opens for nobody.
        let body = self
            .cipher()
            .encrypt(Nonce::from_slice(nonce), payload)
            .unwrap_or_default();
        [nonce, &body].concat()
    }

    /// Opens what [`SealKey::seal`] made; `None` if it was made under another key or context, or has been changed.
    #[must_use]
    pub fn open(&self, context: &[u8], sealed: &[u8]) -> Option<Zeroizing<Vec<u8>>> {
        let (nonce, body) = sealed.split_at_checked(NONCE_BYTES)?;
        let payload = Payload {
            msg: body,
            aad: context,
        };
        self.cipher()
            .decrypt(Nonce::from_slice(nonce), payload)
            .ok()
            .map(Zeroizing::new)
    }

    fn cipher(&self) -> Aes256Gcm {
        let key = Zeroizing::new(mac(self.0.as_ref(), &[b"encrypt"]));
        <Aes256Gcm as aes_gcm::KeyInit>::new(aes_gcm::Key::<Aes256Gcm>::from_slice(key.as_ref()))
    }
}

impl PartialEq for SealKey {
    fn eq(&self, other: &Self) -> bool {
        subtle::ConstantTimeEq::ct_eq(self.0.as_ref(), other.0.as_ref()).into()
    }
}

impl Eq for SealKey {}

impl fmt::Debug for SealKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("SealKey(…)")
    }
}

/// HMAC-SHA-256 over parts, each with its length before it.
fn mac(key: &[u8], parts: &[&[u8]]) -> [u8; 32] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    for part in parts {
        mac.update(&(part.len() as u64).to_be_bytes());
        mac.update(part);
    }
    mac.finalize().into_bytes().into()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn only_the_same_key_and_context_open_it() {
        let key = SealKey::derive(b"master", "test");
        let sealed = key.seal(b"here", b"text");
        assert_eq!(key.open(b"here", &sealed).unwrap().as_slice(), b"text");
        assert_eq!(key.open(b"there", &sealed), None);
        assert_eq!(SealKey::derive(b"master", "other").open(b"here", &sealed), None);
        assert_eq!(key.open(b"here", b"short"), None);
    }

    #[test]
    fn debug_shows_nothing_of_the_key() {
        assert_eq!(format!("{:?}", SealKey::new([7; 32])), "SealKey(…)");
    }

    proptest! {
        #[test]
        fn any_changed_bit_is_noticed(text in proptest::collection::vec(any::<u8>(), 0..64), at in any::<usize>()) {
            let key = SealKey::new([1; 32]);
            let mut sealed = key.seal(b"c", &text);
            prop_assert_eq!(&key.seal(b"c", &text), &sealed);
            prop_assert_eq!(key.open(b"c", &sealed).unwrap().to_vec(), text);
            let bit = at % (sealed.len() * 8);
            sealed[bit / 8] ^= 1 << (bit % 8);
            prop_assert_eq!(key.open(b"c", &sealed), None);
        }
    }
}
