//! AWS Signature Version 4, for one kind of request ("Create a signed AWS API request", IAM User Guide).

use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};
use std::sync::{PoisonError, RwLock};
use std::time::{SystemTime, UNIX_EPOCH};

/// Signs requests to Bedrock.
#[derive(Debug)]
pub(super) struct Signer {
    region: String,
    key_id: String,
    secret: String,
    /// The key of a day, in days since 1970.
    day_key: RwLock<(u64, [u8; 32])>,
}

/// What a signature adds to a request.
#[derive(Debug)]
pub(super) struct Signed {
    pub(super) date: String,
    pub(super) authorization: String,
}

impl Signer {
    pub(super) fn new(region: &str, key_id: &str, secret: &str) -> Self {
        Self {
            region: region.to_owned(),
            key_id: key_id.to_owned(),
            secret: secret.to_owned(),
            day_key: RwLock::new((0, [0; 32])),
        }
    }

    fn key_of(&self, day: u64, date: &str) -> [u8; 32] {
        let held = *self.day_key.read().unwrap_or_else(PoisonError::into_inner);
        if held.0 == day {
            return held.1;
        }
        let secret = format!("AWS4{}", self.secret);
        let key = [date, &self.region, "bedrock", "aws4_request"]
            .iter()
            .fold(secret.into_bytes(), |key, part| {
                hmac(&key, part.as_bytes()).to_vec()
            });
        let key = <[u8; 32]>::try_from(key).unwrap_or_default();
        *self.day_key.write().unwrap_or_else(PoisonError::into_inner) = (day, key);
        key
    }

    #[expect(
        clippy::disallowed_methods,
        reason = "a benchmark's own proxy, which has no other clock"
    )]
    pub(super) fn sign(&self, path: &str, host: &[u8], body: &[u8]) -> Signed {
        let seconds = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(0, |since| since.as_secs());
        let stamp = stamp(seconds);
        let (date, _) = stamp.split_at(8);
        let key = self.key_of(seconds / 86_400, date);
        let scope = format!("{date}/{}/bedrock/aws4_request", self.region);
        let host = String::from_utf8_lossy(host);
        let hash = hex::encode(Sha256::digest(body));
        let canonical = format!("POST\n{path}\n\nhost:{host}\nx-amz-date:{stamp}\n\nhost;x-amz-date\n{hash}");
        let canonical = hex::encode(Sha256::digest(canonical));
        let signature = hmac(
            &key,
            format!("AWS4-HMAC-SHA256\n{stamp}\n{scope}\n{canonical}").as_bytes(),
        );
        Signed {
            authorization: format!(
                "AWS4-HMAC-SHA256 Credential={}/{scope}, SignedHeaders=host;x-amz-date, Signature={}",
                self.key_id,
                hex::encode(signature),
            ),
            date: stamp,
        }
    }
}

/// `20261127T060000Z`.
fn stamp(seconds: u64) -> String {
    let at = i64::try_from(seconds)
        .ok()
        .and_then(|s| time::OffsetDateTime::from_unix_timestamp(s).ok());
    let at = at.unwrap_or(time::OffsetDateTime::UNIX_EPOCH);
    format!(
        "{:04}{:02}{:02}T{:02}{:02}{:02}Z",
        at.year(),
        u8::from(at.month()),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
    )
}

fn hmac(key: &[u8], text: &[u8]) -> [u8; 32] {
    let mut mac = match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mac) => mac,
        // HMAC takes keys of any length.
        Err(_) => return [0; 32],
    };
    mac.update(text);
    mac.finalize().into_bytes().into()
}
