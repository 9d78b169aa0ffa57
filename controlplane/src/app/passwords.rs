//! Passwords: argon2id, off the async threads, a few at a time.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};
use ccag_domain::{Code, Problem};
use std::sync::Arc;
use tokio::sync::{OnceCell, Semaphore};

/// How many hashes are computed at the same time: each takes 19 MiB and some tens of milliseconds, and strangers can ask
/// for them.
const AT_ONCE: usize = 2;

/// Hashes and verifies passwords.
#[derive(Debug)]
pub struct Passwords {
    permits: Arc<Semaphore>,
    /// A hash of no one's password: verified when there is no such user, so that the answer takes as long.
    decoy: OnceCell<String>,
}

impl Passwords {
    pub(super) fn new() -> Self {
        Self {
            permits: Arc::new(Semaphore::new(AT_ONCE)),
            decoy: OnceCell::new(),
        }
    }

    /// Hashes a password, with a salt of its own, to a PHC string.
    ///
    /// # Errors
    /// [`Code::Internal`] if the hash cannot be computed.
    pub async fn hash(&self, password: &str) -> Result<String, Problem> {
        let password = zeroize::Zeroizing::new(password.to_owned());
        self.off_thread(move || {
            Argon2::default()
                .hash_password(password.as_bytes())
                .map(|hash| hash.to_string())
                .map_err(|error| error.to_string())
        })
        .await?
        .map_err(|error| internal(&error))
    }

    /// Whether a password is the one that was hashed. Without a hash the answer is no, and takes as long.
    ///
    /// # Errors
    /// [`Code::Internal`] if it cannot be computed.
    pub async fn verify(&self, hash: Option<&str>, password: &str) -> Result<bool, Problem> {
        let (hash, real) = match hash {
            Some(hash) => (hash.to_owned(), true),
            None => (self.decoy().await?, false),
        };
        let password = zeroize::Zeroizing::new(password.to_owned());
        let matches = self
            .off_thread(move || {
                PasswordHash::new(&hash).is_ok_and(|hash| {
                    Argon2::default()
                        .verify_password(password.as_bytes(), &hash)
                        .is_ok()
                })
            })
            .await?;
        Ok(matches && real)
    }

    async fn decoy(&self) -> Result<String, Problem> {
        self.decoy
            .get_or_try_init(|| self.hash("nobody's password"))
            .await
            .cloned()
    }

    async fn off_thread<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> Result<T, Problem> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| internal(&error))?;
        tokio::task::spawn_blocking(move || {
            let result = work();
            drop(permit);
            result
        })
        .await
        .map_err(|error| internal(&error))
    }
}

fn internal(error: &dyn std::fmt::Display) -> Problem {
    tracing::error!(%error, "a password could not be processed");
    Problem::new(Code::Internal, "Something went wrong on our side.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_the_right_password_matches() {
        let passwords = Passwords::new();
        let hash = passwords.hash("correct horse").await.unwrap();
        assert!(hash.starts_with("$argon2id$"));
        assert!(passwords.verify(Some(&hash), "correct horse").await.unwrap());
        assert!(!passwords.verify(Some(&hash), "Correct horse").await.unwrap());
        assert!(!passwords.verify(None, "nobody's password").await.unwrap());
        assert!(!passwords.verify(Some("garbage"), "x").await.unwrap());
    }
}
