//! Virtual keys: the secret that is shown once, the digest that is stored, the grant that data planes hold.

use crate::identity::AccountState;
use crate::{KeyId, Rng, TeamId, UnixMs, UserId};
use sha2::{Digest, Sha256};
use std::fmt;
use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// What every virtual key starts with.
pub const KEY_PREFIX: &str = "sk-ccag-";

const BASE64URL: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The secret of a virtual key: `sk-ccag-` and 43 characters (32 random bytes, base64url). It is wiped from memory when
/// dropped and never printed by `Debug`.
#[derive(Clone)]
pub struct KeySecret(Zeroizing<String>);

impl KeySecret {
    /// Makes a new secret.
    #[must_use]
    pub fn generate(rng: &dyn Rng) -> Self {
        Self(Zeroizing::new(format!("{KEY_PREFIX}{}", *random_token(rng))))
    }

    /// The secret itself, for showing it once.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// What is stored in its place.
    #[must_use]
    pub fn digest(&self) -> KeyDigest {
        KeyDigest::of(&self.0)
    }

    /// The beginning that is safe to show in lists: the prefix and six characters.
    #[must_use]
    pub fn shown_prefix(&self) -> String {
        self.0.chars().take(KEY_PREFIX.len() + 6).collect()
    }
}

impl fmt::Debug for KeySecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("KeySecret(…)")
    }
}

/// 32 random bytes as 43 base64url characters: the body of every secret that we make.
#[must_use]
pub fn random_token(rng: &dyn Rng) -> Zeroizing<String> {
    let mut bytes = Zeroizing::new([0u8; 32]);
    rng.fill(bytes.as_mut());
    let mut text = Zeroizing::new(String::with_capacity(43));
    for chunk in bytes.chunks(3) {
        let mut group = [0u8; 4];
        group[1..=chunk.len()].copy_from_slice(chunk);
        let bits = u32::from_be_bytes(group);
        for i in 0..=chunk.len() {
            text.push(char::from(BASE64URL[(bits >> (18 - 6 * i)) as usize & 63]));
        }
    }
    text
}

/// The SHA-256 of a secret: what is stored, pushed and looked up. The secrets carry 256 random bits, so a plain digest
/// cannot be reversed by guessing.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct KeyDigest(pub [u8; 32]);

impl KeyDigest {
    /// Digests a secret as the caller sent it.
    #[must_use]
    pub fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }

    /// 64 lower-case hexadecimal digits.
    #[must_use]
    pub fn to_hex(self) -> String {
        self.0.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Reads 64 hexadecimal digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0u8; 32];
        for (i, slot) in bytes.iter_mut().enumerate() {
            *slot = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Compares in a time that does not depend on where the two differ.
    #[must_use]
    pub fn matches(&self, other: &Self) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl fmt::Debug for KeyDigest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyDigest({:02x}{:02x}…)", self.0[0], self.0[1])
    }
}

/// What a data plane knows of a virtual key: enough to admit a request without asking anybody.
///
/// A revoked key has no grant: its removal is pushed as a deletion.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyGrant {
    /// The key's id.
    pub id: KeyId,
    /// The digest of its secret.
    pub digest: KeyDigest,
    /// The name its owner gave it, for logs and answers.
    pub name: String,
    /// Whom its use is attributed to.
    pub user_id: Option<UserId>,
    /// The team that pays for it and whose rules apply.
    pub team_id: Option<TeamId>,
    /// From when on it is refused.
    pub expires_at_ms: Option<UnixMs>,
    /// Requests per minute that it may send; `None` is unlimited.
    pub rate_limit_rpm: Option<u32>,
    /// Whether it stands for the session of a client: then it is shown as a signed token that names it. Nobody has a secret
    /// of this digest.
    pub session: bool,
}

impl KeyGrant {
    /// Whether the key has expired at `now`.
    #[must_use]
    pub fn is_expired(&self, now: UnixMs) -> bool {
        self.expires_at_ms.is_some_and(|at| at <= now)
    }
}

/// Why a known key is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Its expiry date has passed.
    Expired,
    /// Its user is suspended or gone.
    UserInactive,
    /// Its team is suspended or gone.
    TeamInactive,
}

/// Decides whether a key may be used: `user` and `team` are the states of the ones the grant names (`None` = gone).
///
/// # Errors
/// The first [`KeyRefusal`] that applies.
pub fn check_grant(
    grant: &KeyGrant,
    now: UnixMs,
    user: Option<AccountState>,
    team: Option<AccountState>,
) -> Result<(), KeyRefusal> {
    if grant.is_expired(now) {
        return Err(KeyRefusal::Expired);
    }
    if grant.user_id.is_some() && user != Some(AccountState::Active) {
        return Err(KeyRefusal::UserInactive);
    }
    if grant.team_id.is_some() && team != Some(AccountState::Active) {
        return Err(KeyRefusal::TeamInactive);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rng::SequenceRng;

    #[test]
    fn a_secret_is_51_characters_and_never_debug_printed() {
        let secret = KeySecret::generate(&SequenceRng::new(7));
        assert_eq!(secret.reveal().len(), KEY_PREFIX.len() + 43);
        assert!(!format!("{secret:?}").contains(&secret.reveal()[8..]));
        assert!(secret.reveal().starts_with(&secret.shown_prefix()));
    }

    #[test]
    fn base64url_matches_a_known_vector() {
        struct Bytes;
        impl Rng for Bytes {
            fn fill(&self, buf: &mut [u8]) {
                for (i, b) in buf.iter_mut().enumerate() {
                    *b = u8::try_from(i).unwrap_or(0);
                }
            }
        }
        assert_eq!(
            random_token(&Bytes).as_str(),
            "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"
        );
    }

    #[test]
    fn digests_survive_hex() {
        let digest = KeyDigest::of("abc");
        assert_eq!(
            digest.to_hex(),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
        );
        assert_eq!(KeyDigest::from_hex(&digest.to_hex()), Some(digest));
        assert_eq!(KeyDigest::from_hex("zz"), None);
        assert_eq!(KeyDigest::from_hex(&"é".repeat(32)), None);
        assert!(digest.matches(&KeyDigest::of("abc")) && !digest.matches(&KeyDigest::of("abd")));
    }

    #[test]
    fn a_key_whose_owner_is_gone_is_refused() {
        let mut grant = KeyGrant {
            id: KeyId::parse("key_1").unwrap(),
            digest: KeyDigest::of("x"),
            name: "x".into(),
            user_id: Some(UserId::parse("user_1").unwrap()),
            team_id: None,
            expires_at_ms: Some(100),
            rate_limit_rpm: None,
            session: false,
        };
        let active = Some(AccountState::Active);
        assert_eq!(check_grant(&grant, 99, active, None), Ok(()));
        assert_eq!(check_grant(&grant, 100, active, None), Err(KeyRefusal::Expired));
        assert_eq!(check_grant(&grant, 99, None, None), Err(KeyRefusal::UserInactive));
        assert_eq!(
            check_grant(&grant, 99, Some(AccountState::Suspended), None),
            Err(KeyRefusal::UserInactive)
        );
        grant.team_id = Some(TeamId::parse("team_1").unwrap());
        assert_eq!(
            check_grant(&grant, 99, active, None),
            Err(KeyRefusal::TeamInactive)
        );
    }
}
