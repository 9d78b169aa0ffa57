//! Tokens of client sessions: what Claude Code shows after `/login`.
//!
//! A token is a JWT (RFC 7519) signed with Ed25519 (RFC 8037). The control plane signs; data planes verify with public keys
//! that are pushed to them, and ask nobody. A token says which session it is of and how long it is good, and nothing about
//! rights: whose the session is, whether it is still open and what it may do stand in the pushed configuration.

use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair};
use ccag_domain::{KeyId, UnixMs, UserId};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, decode_header, encode};
use zeroize::Zeroizing;

/// Who issues tokens, in every installation: their keys tell installations apart.
const ISSUER: &str = "ccag";

/// What tokens are good for.
const AUDIENCE: &str = "ccag-inference";

/// The type of token (RFC 9068 §2.1).
const TYPE: &str = "at+jwt";

/// How far the clocks of the two planes may be apart, in milliseconds.
pub const CLOCK_SKEW_MS: i64 = 30_000;

/// The longest token that is looked at, in bytes. Ours have about 500.
const MAX_TOKEN: usize = 2_048;

/// The length of a seed and of a public key, in bytes.
pub const KEY_BYTES: usize = 32;

/// What a token says.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Claims {
    iss: String,
    aud: String,
    /// Whose session it is.
    #[serde(rename = "sub")]
    pub user_id: UserId,
    /// The session: the id of the key that stands for it.
    #[serde(rename = "sid")]
    pub session: KeyId,
    /// When it was issued, in seconds since 1970.
    pub iat: i64,
    /// When it ends, in seconds since 1970.
    pub exp: i64,
    /// A revision of the configuration that knows the session.
    #[serde(rename = "rev")]
    pub revision: u64,
}

impl Claims {
    /// For a session. Times are cut to seconds.
    #[must_use]
    pub fn new(
        user_id: UserId,
        session: KeyId,
        issued_ms: UnixMs,
        expires_ms: UnixMs,
        revision: u64,
    ) -> Self {
        Self {
            iss: ISSUER.to_owned(),
            aud: AUDIENCE.to_owned(),
            user_id,
            session,
            iat: issued_ms.div_euclid(1_000),
            exp: expires_ms.div_euclid(1_000),
            revision,
        }
    }

    /// When it ends, in milliseconds.
    #[must_use]
    pub const fn expires_ms(&self) -> UnixMs {
        self.exp.saturating_mul(1_000)
    }

    /// Whether it is good now, with room for clocks that differ.
    ///
    /// # Errors
    /// [`TokenError::Expired`]; [`TokenError::Invalid`] for one from the future.
    pub const fn check_time(&self, now_ms: UnixMs) -> Result<(), TokenError> {
        if now_ms > self.expires_ms().saturating_add(CLOCK_SKEW_MS) {
            return Err(TokenError::Expired);
        }
        if now_ms < self.iat.saturating_mul(1_000).saturating_sub(CLOCK_SKEW_MS) {
            return Err(TokenError::Invalid);
        }
        Ok(())
    }
}

/// A token that is not good.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Not one of ours, or changed on the way, or signed with a key that is not known.
    #[error("not a token of this gateway")]
    Invalid,
    /// It was good once.
    #[error("the token has expired")]
    Expired,
}

/// Whether a text can be such a token: three parts, the first of which is a JSON object. Says nothing about whether it is good.
#[must_use]
pub fn looks_like_one(text: &str) -> bool {
    text.starts_with("eyJ") && text.len() <= MAX_TOKEN && text.bytes().filter(|b| *b == b'.').count() == 2
}

/// The name of the key that a token says it is signed with.
#[must_use]
pub fn key_id(token: &str) -> Option<String> {
    if !looks_like_one(token) {
        return None;
    }
    decode_header(token).ok()?.kid
}

/// Signs tokens.
pub struct Signer {
    key_id: String,
    key: EncodingKey,
    public: [u8; KEY_BYTES],
}

impl std::fmt::Debug for Signer {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Signer")
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}

impl Signer {
    /// From a seed that nobody can guess.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if no key can be made of it.
    pub fn from_seed(key_id: &str, seed: &[u8; KEY_BYTES]) -> Result<Self, TokenError> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).map_err(|_| TokenError::Invalid)?;
        let public = pair.public_key().as_ref().try_into();
        let document = pair.to_pkcs8v1().map_err(|_| TokenError::Invalid)?;
        let document = Zeroizing::new(document.as_ref().to_vec());
        Ok(Self {
            key_id: key_id.to_owned(),
            key: EncodingKey::from_ed_der(&document),
            public: public.map_err(|_| TokenError::Invalid)?,
        })
    }

    /// What verifies its tokens.
    #[must_use]
    pub const fn public(&self) -> &[u8; KEY_BYTES] {
        &self.public
    }

    /// Signs.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] if the library cannot.
    pub fn sign(&self, claims: &Claims) -> Result<String, TokenError> {
        let header = Header {
            typ: Some(TYPE.to_owned()),
            kid: Some(self.key_id.clone()),
            ..Header::new(Algorithm::EdDSA)
        };
        encode(&header, claims, &self.key).map_err(|_| TokenError::Invalid)
    }
}

/// Verifies tokens of one signing key.
#[derive(Clone)]
pub struct Verifier(DecodingKey);

impl std::fmt::Debug for Verifier {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Verifier")
    }
}

impl Verifier {
    /// For a public key.
    #[must_use]
    pub fn new(public: &[u8; KEY_BYTES]) -> Self {
        Self(DecodingKey::from_ed_der(public))
    }

    /// What a token says, if it is one of ours. The time is for [`Claims::check_time`]: what is found here stays true.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub fn verify(&self, token: &str) -> Result<Claims, TokenError> {
        let mut rules = Validation::new(Algorithm::EdDSA);
        rules.set_issuer(&[ISSUER]);
        rules.set_audience(&[AUDIENCE]);
        rules.set_required_spec_claims(&["exp", "iss", "aud", "sub"]);
        rules.validate_exp = false;
        let token = decode::<Claims>(token, &self.0, &rules).map_err(|_| TokenError::Invalid)?;
        if token.header.typ.as_deref() != Some(TYPE) {
            return Err(TokenError::Invalid);
        }
        Ok(token.claims)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};

    const NOON: UnixMs = 1_800_000_000_000;

    fn claims() -> Claims {
        let user = UserId::parse("user_1").unwrap();
        Claims::new(user, KeyId::parse("key_1").unwrap(), NOON, NOON + 3_600_000, 7)
    }

    fn signer() -> Signer {
        Signer::from_seed("sig_1", &[7; KEY_BYTES]).unwrap()
    }

    #[test]
    fn what_was_signed_is_read_back() {
        let token = signer().sign(&claims()).unwrap();
        assert!(looks_like_one(&token));
        assert_eq!(key_id(&token).as_deref(), Some("sig_1"));
        let read = Verifier::new(signer().public()).verify(&token).unwrap();
        assert_eq!(read, claims());
    }

    #[test]
    fn a_token_of_another_key_or_with_a_changed_letter_is_refused() {
        let token = signer().sign(&claims()).unwrap();
        let other = Signer::from_seed("sig_1", &[8; KEY_BYTES]).unwrap();
        assert_eq!(
            Verifier::new(other.public()).verify(&token),
            Err(TokenError::Invalid)
        );
        let verifier = Verifier::new(signer().public());
        for at in (0..token.len()).step_by(7) {
            let mut changed = token.clone().into_bytes();
            changed[at] = if changed[at] == b'A' { b'B' } else { b'A' };
            let changed = String::from_utf8(changed).unwrap();
            assert_eq!(verifier.verify(&changed), Err(TokenError::Invalid), "{at}");
        }
    }

    #[test]
    fn an_unsigned_token_or_one_for_others_is_refused() {
        let verifier = Verifier::new(signer().public());
        let part = |json: &str| BASE64_URL_SAFE_NO_PAD.encode(json);
        let body = part(&serde_json::to_string(&claims()).unwrap());
        let unsigned = format!("{}.{body}.", part(r#"{"alg":"none","typ":"at+jwt"}"#));
        assert_eq!(verifier.verify(&unsigned), Err(TokenError::Invalid));
        let elsewhere = Claims {
            aud: "another".into(),
            ..claims()
        };
        let token = signer().sign(&elsewhere).unwrap();
        assert_eq!(verifier.verify(&token), Err(TokenError::Invalid));
        assert!(!looks_like_one("sk-ccag-abc"));
    }

    #[test]
    fn time_is_checked_with_room_for_clocks() {
        let claims = claims();
        assert_eq!(claims.check_time(NOON), Ok(()));
        assert_eq!(claims.check_time(NOON + 3_600_000 + CLOCK_SKEW_MS), Ok(()));
        let late = NOON + 3_600_001 + CLOCK_SKEW_MS;
        assert_eq!(claims.check_time(late), Err(TokenError::Expired));
        assert_eq!(
            claims.check_time(NOON - CLOCK_SKEW_MS - 1),
            Err(TokenError::Invalid)
        );
    }
}
