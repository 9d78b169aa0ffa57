//! Letting a device in (RFC 8628): it shows its user a code, they sign in with a browser and say that the code is theirs.
//!
//! A stolen link gives nothing: it names a device that waits, and only that device, which alone knows the device code, is let in
//! as whoever confirms. Whoever is talked into opening a link of somebody else's is shown where the request comes from and has
//! to confirm it.

use super::sessions::{self, Opened};
use super::{Device, Surface};
use crate::app::sessions::{LoggedIn, Session, begin as begin_session};
use crate::app::{App, Changed, throttle, views};
use crate::store::entity::device_grant;
use ccag_domain::key::random_token;
use ccag_domain::{Code, KeyDigest, ObjectKind, Problem, Rng, UnixMs};
use serde_json::json;
use std::net::IpAddr;

/// How long a device waits, in seconds.
pub const LIFE_S: i64 = 600;

/// How long it has to wait between two questions, in seconds.
pub const INTERVAL_S: i64 = 5;

/// Letters that are hard to confuse and spell nothing (RFC 8628 §6.1).
const LETTERS: &[u8; 20] = b"BCDFGHJKLMNPQRSTVWXZ";

/// How many letters a user's code has: 20⁸ are 2.5 · 10¹⁰ codes.
const LETTERS_IN_CODE: usize = 8;

/// How many devices an address may let wait in a minute, and how many codes somebody may try.
const DEVICES_A_MINUTE: i64 = 60;
const CODES_A_MINUTE: i64 = 10;

/// A device that waits now.
#[derive(Debug, Clone)]
pub struct Started {
    /// What the device alone knows.
    pub device_code: String,
    /// What it shows its user.
    pub user_code: String,
}

/// A device, as the one who confirms sees it.
#[derive(Debug, Clone)]
pub struct Waiting {
    /// The code, as it was shown.
    pub user_code: String,
    /// Which program it is.
    pub surface: Surface,
    /// What is known of the device.
    pub device: Device,
    /// When it began to wait.
    pub since_ms: UnixMs,
}

/// How a device stands (RFC 8628 §3.5).
#[derive(Debug)]
pub enum Answer {
    /// Nobody has said anything yet.
    Pending,
    /// It asks too often; from now on it has to wait longer.
    SlowDown,
    /// Somebody has said no.
    Denied,
    /// It has waited too long, or never did.
    Expired,
    /// A Claude Code is let in.
    Client(Box<Opened>),
    /// A `ccag` is let in.
    Console(Box<LoggedIn>),
}

/// Lets a device wait.
///
/// # Errors
/// [`Code::RateLimited`] for an address that does this all the time.
pub async fn begin(app: &App, surface: Surface, device: &Device) -> Result<Started, Problem> {
    throttle::count(app, "device", device.address, DEVICES_A_MINUTE).await?;
    let now = app.now_ms();
    let device_code = random_token(&*app.rng).to_string();
    let user_code = user_code(&*app.rng);
    let row = device_grant::Model {
        device_digest: KeyDigest::of(&device_code).to_hex(),
        user_code: user_code.clone(),
        surface: surface.as_str().to_owned(),
        state: "pending".to_owned(),
        user_id: None,
        device: device.to_json(),
        interval_s: INTERVAL_S,
        polled_at_ms: 0,
        created_at_ms: now,
        expires_at_ms: now + LIFE_S * 1_000,
    };
    app.store.insert_device(row, now - LIFE_S * 1_000).await?;
    Ok(Started {
        device_code,
        user_code: shown(&user_code),
    })
}

fn user_code(rng: &dyn Rng) -> String {
    let mut code = String::with_capacity(LETTERS_IN_CODE);
    while code.len() < LETTERS_IN_CODE {
        let mut bytes = [0; 16];
        rng.fill(&mut bytes);
        // 240 is a multiple of 20: every letter is as likely as any other.
        let letters = bytes.iter().filter(|byte| **byte < 240);
        code.extend(letters.map(|byte| char::from(LETTERS[usize::from(*byte) % LETTERS.len()])));
        code.truncate(LETTERS_IN_CODE);
    }
    code
}

fn shown(code: &str) -> String {
    match code.split_at_checked(LETTERS_IN_CODE / 2) {
        Some((first, second)) => format!("{first}-{second}"),
        None => code.to_owned(),
    }
}

/// What somebody typed as the code that it is: letters in any case, with anything between them.
fn typed(text: &str) -> Option<String> {
    let code: String = text
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_uppercase())
        .take(LETTERS_IN_CODE + 1)
        .collect();
    (code.len() == LETTERS_IN_CODE).then_some(code)
}

/// The device that shows a code, for somebody who is signed in.
///
/// # Errors
/// [`Code::NotFound`] if none does, or not any more; [`Code::RateLimited`] after too many codes.
pub async fn find(app: &App, who: &Session, address: Option<IpAddr>, code: &str) -> Result<Waiting, Problem> {
    throttle::count(
        app,
        &format!("user code\0{}", who.user.id),
        address,
        CODES_A_MINUTE,
    )
    .await?;
    let code = typed(code).ok_or_else(no_device)?;
    let row = app.store.find_device_by_user_code(&code, app.now_ms()).await?;
    let row = row.filter(|row| row.state == "pending").ok_or_else(no_device)?;
    Ok(Waiting {
        user_code: shown(&row.user_code),
        surface: Surface::parse(Some(&row.surface)),
        device: Device::read(&row.device),
        since_ms: row.created_at_ms,
    })
}

/// Somebody says whether a device is theirs.
///
/// # Errors
/// As [`find`].
pub async fn decide(
    app: &App,
    who: &Session,
    address: Option<IpAddr>,
    code: &str,
    approve: bool,
) -> Result<Surface, Problem> {
    throttle::count(
        app,
        &format!("user code\0{}", who.user.id),
        address,
        CODES_A_MINUTE,
    )
    .await?;
    let code = typed(code).ok_or_else(no_device)?;
    let now = app.now_ms();
    let tx = app.store.change().await?;
    let row = tx.find_device_by_user_code(&code).await?;
    let mut row = row
        .filter(|row| row.state == "pending" && row.expires_at_ms > now)
        .ok_or_else(no_device)?;
    let (state, action) = if approve {
        ("approved", "device.approve")
    } else {
        ("denied", "device.deny")
    };
    let before = json!({ "state": row.state });
    state.clone_into(&mut row.state);
    row.user_id = Some(who.user.id.to_string());
    let surface = Surface::parse(Some(&row.surface));
    let details = Changed::updated(&before, &json!({ "state": row.state }))
        .with("surface", &row.surface)
        .with("device", &Device::read(&row.device))
        .with("confirmed_at", &address);
    tx.update_device(row).await?;
    let entry = app.audit(
        &who.actor(),
        action,
        ObjectKind::User,
        who.user.id.as_str(),
        details,
    );
    tx.commit(now, entry).await?;
    Ok(surface)
}

/// A device asks how it stands.
///
/// # Errors
/// [`Code::Unavailable`] without a database.
pub async fn poll(app: &App, device_code: &str) -> Result<Answer, Problem> {
    if device_code.is_empty() || device_code.len() > 256 {
        return Ok(Answer::Expired);
    }
    let now = app.now_ms();
    let digest = KeyDigest::of(device_code).to_hex();
    let tx = app.store.change().await?;
    let Some(mut row) = tx.find_device(&digest).await? else {
        return Ok(Answer::Expired);
    };
    if row.expires_at_ms <= now || row.state == "used" {
        return Ok(Answer::Expired);
    }
    match row.state.as_str() {
        "approved" => {}
        "denied" => return Ok(Answer::Denied),
        _ => {
            let hasty = row.polled_at_ms > 0 && now - row.polled_at_ms < (row.interval_s * 1_000) - 500;
            row.polled_at_ms = now;
            if hasty {
                row.interval_s = (row.interval_s + INTERVAL_S).min(LIFE_S);
            }
            tx.update_device(row).await?;
            tx.keep().await?;
            return Ok(if hasty { Answer::SlowDown } else { Answer::Pending });
        }
    }
    let user = match row.user_id.as_deref() {
        Some(id) => tx.find_user(id).await?,
        None => None,
    };
    let Some(user) = user.filter(|user| user.state == "active") else {
        return Ok(Answer::Denied);
    };
    let device = Device::read(&row.device);
    let surface = Surface::parse(Some(&row.surface));
    "used".clone_into(&mut row.state);
    tx.update_device(row).await?;
    match surface {
        Surface::ClaudeCode => Ok(Answer::Client(Box::new(
            Box::pin(sessions::open(app, tx, &user, &device)).await?,
        ))),
        Surface::Cli => {
            tx.keep().await?;
            let login = begin_session(app, views::user(&user)?, device.address).await?;
            Ok(Answer::Console(Box::new(login)))
        }
    }
}

fn no_device() -> Problem {
    Problem::new(
        Code::NotFound,
        "No device is waiting with this code. Look at the code again, or start anew: a code is good for ten minutes.",
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::rng::SequenceRng;

    #[test]
    fn a_code_is_read_however_it_is_typed() {
        let code = user_code(&SequenceRng::new(7));
        assert_eq!(code.len(), LETTERS_IN_CODE);
        assert!(code.bytes().all(|b| LETTERS.contains(&b)), "{code}");
        assert_eq!(typed(&shown(&code)), Some(code.clone()));
        assert_eq!(typed(&format!(" {} ", code.to_lowercase())), Some(code));
        assert_eq!(typed("BCDF"), None);
        assert_eq!(typed("BCDFGHJKL"), None);
    }
}
