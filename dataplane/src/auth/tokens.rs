//! Tokens of sessions, each verified once.

use crate::sync::ConfigView;
use ccag_domain::KeyDigest;
use ccag_session_token::{Claims, TokenError, key_id};
use std::sync::Arc;
use std::time::Duration;

/// How many verified tokens are remembered. A client shows the same one for an hour.
const REMEMBERED: u64 = 50_000;

/// How long one is remembered that is not shown any more.
const IDLE: Duration = Duration::from_secs(3_600);

/// What was found when a token was verified, and which key verified it.
struct Verified {
    claims: Claims,
    key: Arc<str>,
}

/// Verified tokens. That a token is remembered says that it was signed with a key, not that the key is still good.
pub(crate) struct Tokens(moka::sync::Cache<KeyDigest, Arc<Verified>>);

impl Default for Tokens {
    fn default() -> Self {
        let cache = moka::sync::Cache::builder()
            .max_capacity(REMEMBERED)
            .time_to_idle(IDLE)
            .build();
        Self(cache)
    }
}

impl Tokens {
    /// What a token says, if it was signed with a key that is known now. Whether it is still good is for the caller to see.
    ///
    /// # Errors
    /// [`TokenError::Invalid`].
    pub(crate) fn read(&self, token: &str, view: &ConfigView) -> Result<Claims, TokenError> {
        let digest = KeyDigest::of(token);
        if let Some(found) = self.0.get(&digest) {
            let known = view.signed_by(&found.key).is_some();
            return known.then(|| found.claims.clone()).ok_or(TokenError::Invalid);
        }
        let key = key_id(token).ok_or(TokenError::Invalid)?;
        let signed_by = view.signed_by(&key).ok_or(TokenError::Invalid)?;
        let claims = signed_by.verifier.verify(token)?;
        let found = Verified {
            claims: claims.clone(),
            key: key.into(),
        };
        self.0.insert(digest, Arc::new(found));
        Ok(claims)
    }
}
