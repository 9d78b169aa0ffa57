//! The brake on guessing passwords and codes.
//!
//! Attempts are counted per address and account together, in the database, so that all control planes count alike. Nobody
//! can lock an account for people at other addresses, and nobody can lock an address for other accounts.

use super::App;
use ccag_domain::{Code, KeyDigest, Problem};
use std::net::IpAddr;

/// How many attempts an address has for one account.
pub const ATTEMPTS: i64 = 10;

/// In how long.
pub const WINDOW_MS: i64 = 60_000;

/// What is counted: a digest, so that what strangers typed is not stored.
fn subject(address: Option<IpAddr>, username: &str) -> String {
    let address = match address.map(|a| a.to_canonical()) {
        None => "local".to_owned(),
        Some(IpAddr::V4(v4)) => v4.to_string(),
        // A household or an attacker has a whole /64.
        Some(IpAddr::V6(v6)) => format!("{:x}/64", u128::from(v6) >> 64),
    };
    KeyDigest::of(&format!("{address}\0{}", username.to_lowercase())).to_hex()
}

/// Counts an attempt before its password is looked at, and refuses it if there have been too many.
///
/// # Errors
/// [`Code::RateLimited`] with the time to wait.
pub(super) async fn attempt(app: &App, address: Option<IpAddr>, username: &str) -> Result<(), Problem> {
    let now = app.now_ms();
    let subject = subject(address, username);
    let window = app
        .store
        .add_login_attempt(&subject, now, now - WINDOW_MS)
        .await?;
    if window.failures <= ATTEMPTS {
        return Ok(());
    }
    let wait_ms = (window.window_start_ms + WINDOW_MS - now).max(1_000);
    let wait_s = u32::try_from(wait_ms.div_euclid(1_000)).unwrap_or(60);
    app.metrics.login_throttled.inc();
    Err(Problem::new(
        Code::RateLimited,
        format!(
            "Too many attempts to sign in to this account from your address. Try again in {wait_s} seconds."
        ),
    )
    .retry_after(wait_s))
}

/// Counts one use of something by an address within a minute, and refuses it if there have been too many.
///
/// # Errors
/// [`Code::RateLimited`] with the time to wait.
pub(super) async fn count(
    app: &App,
    what: &str,
    address: Option<IpAddr>,
    a_minute: i64,
) -> Result<(), Problem> {
    let now = app.now_ms();
    // No user has such a name.
    let subject = subject(address, &format!("\0{what}"));
    let window = app
        .store
        .add_login_attempt(&subject, now, now - WINDOW_MS)
        .await?;
    if window.failures <= a_minute {
        return Ok(());
    }
    let wait_ms = (window.window_start_ms + WINDOW_MS - now).max(1_000);
    let wait_s = u32::try_from(wait_ms.div_euclid(1_000)).unwrap_or(60);
    Err(Problem::new(
        Code::RateLimited,
        format!("This was tried too often from your address. Try again in {wait_s} seconds."),
    )
    .retry_after(wait_s))
}

/// Forgets the attempts that led to a success.
pub(super) async fn forget(app: &App, address: Option<IpAddr>, username: &str) -> Result<(), Problem> {
    Ok(app
        .store
        .delete_login_failures(&subject(address, username))
        .await?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_counted_is_the_pair_of_network_and_account() {
        let of = |address: &str, name: &str| subject(address.parse().ok(), name);
        assert_eq!(of("10.0.0.1", "Ada"), of("10.0.0.1", "ada"));
        assert_eq!(of("::ffff:10.0.0.1", "ada"), of("10.0.0.1", "ada"));
        assert_eq!(of("2001:db8::1", "ada"), of("2001:db8::2", "ada"));
        assert_ne!(of("10.0.0.1", "ada"), of("10.0.0.2", "ada"));
        assert_ne!(of("10.0.0.1", "ada"), of("10.0.0.1", "bob"));
    }
}
