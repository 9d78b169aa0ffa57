//! Signatures of the requests that are frequent, those to models: without the general machinery, and with the key of a day
//! derived once ("Create a signed AWS API request", AWS IAM User Guide). What is in any way unusual is left to AWS's own crate, and
//! a test holds the one against the other.

use super::{Hex, ToSign, digest};
use aws_credential_types::Credentials;
use hmac::{Hmac, KeyInit, Mac};
use http::{HeaderName, HeaderValue, header};
use sha2::{Digest, Sha256};
use std::collections::HashMap;
use std::fmt::Write;
use std::sync::{PoisonError, RwLock};
use time::OffsetDateTime;
use zeroize::Zeroizing;

/// So many keys are held at most: with more, all are derived anew.
const MOST_KEYS: usize = 4_096;

/// Further headers that are signed here: the names begin so.
const PREFIXES: [&str; 2] = ["x-amzn-bedrock-", "anthropic-"];

/// The signing keys of a day, by access key.
#[derive(Default)]
pub struct SigningKeys(RwLock<Held>);

#[derive(Default)]
struct Held {
    /// The day that all are of, as `20261127`.
    date: String,
    keys: HashMap<String, Vec<Derived>>,
    count: usize,
}

struct Derived {
    region: String,
    service: &'static str,
    secret: Zeroizing<String>,
    key: Zeroizing<[u8; 32]>,
}

impl std::fmt::Debug for SigningKeys {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("SigningKeys")
    }
}

impl SigningKeys {
    fn of(&self, request: &ToSign, credentials: &Credentials, date: &str) -> Zeroizing<[u8; 32]> {
        let held = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if held.date == date
            && let Some(of_id) = held.keys.get(credentials.access_key_id())
            && let Some(derived) = of_id.iter().find(|derived| derived.is_of(request, credentials))
        {
            return derived.key.clone();
        }
        drop(held);
        let derived = Derived::new(request, credentials, date);
        let key = derived.key.clone();
        let mut held = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if held.date != date || held.count >= MOST_KEYS {
            *held = Held {
                date: date.to_owned(),
                ..Held::default()
            };
        }
        held.count += 1;
        let id = credentials.access_key_id().to_owned();
        held.keys.entry(id).or_default().push(derived);
        key
    }
}

impl Derived {
    fn new(request: &ToSign, credentials: &Credentials, date: &str) -> Self {
        let secret = Zeroizing::new(format!("AWS4{}", credentials.secret_access_key()));
        let of_date = hmac(secret.as_bytes(), date.as_bytes());
        let of_region = hmac(&*of_date, request.region.as_bytes());
        let of_service = hmac(&*of_region, request.service.as_bytes());
        Self {
            region: request.region.clone(),
            service: request.service,
            secret: Zeroizing::new(credentials.secret_access_key().to_owned()),
            key: hmac(&*of_service, b"aws4_request"),
        }
    }

    fn is_of(&self, request: &ToSign, credentials: &Credentials) -> bool {
        self.service == request.service
            && self.region == request.region
            && *self.secret == credentials.secret_access_key()
    }
}

/// The headers that carry the signature; `None` for a request that is to be signed by AWS's crate.
pub(super) fn headers(
    request: &ToSign,
    credentials: &Credentials,
    keys: &SigningKeys,
) -> Option<Vec<(HeaderName, HeaderValue)>> {
    let (host, path) = host_and_path(&request.url)?;
    let stamp = stamp(request)?;
    let date = stamp.get(..8)?;
    let token = credentials.session_token();
    let mut signed: Vec<(&str, &str)> = vec![
        ("accept", request.accept),
        ("content-type", request.content_type),
        ("host", host),
        ("x-amz-date", &stamp),
    ];
    signed.retain(|(_, value)| !value.is_empty());
    signed.extend(token.map(|token| ("x-amz-security-token", token)));
    for (name, value) in &request.headers {
        let name = name.as_str();
        if !PREFIXES.iter().any(|prefix| name.starts_with(prefix)) {
            return None;
        }
        signed.push((name, value.to_str().ok()?));
    }
    signed.sort_unstable_by_key(|(name, _)| *name);
    let is_twice = signed.windows(2).any(|pair| pair[0].0 == pair[1].0);
    if is_twice || !signed.iter().all(|(_, value)| is_as_it_is_signed(value)) {
        return None;
    }
    let names = signed.iter().map(|(name, _)| *name).collect::<Vec<_>>().join(";");
    let mut canonical = String::with_capacity(1_024);
    canonical.push_str(request.method);
    canonical.push('\n');
    encode_path(path, &mut canonical);
    // No query.
    canonical.push_str("\n\n");
    for (name, value) in &signed {
        canonical.extend([name, ":", value, "\n"]);
    }
    canonical.extend(["\n", &names, "\n", &digest(&request.body)]);
    let scope = [date, &request.region, request.service, "aws4_request"].join("/");
    let hash = Hex::of(&Sha256::digest(canonical).into());
    let to_sign = ["AWS4-HMAC-SHA256", &stamp, &scope, &hash].join("\n");
    let key = keys.of(request, credentials, date);
    let signature = Hex::of(&hmac(&*key, to_sign.as_bytes()));
    let authorization = [
        "AWS4-HMAC-SHA256 Credential=",
        credentials.access_key_id(),
        "/",
        &scope,
        ", SignedHeaders=",
        &names,
        ", Signature=",
        &signature,
    ]
    .concat();
    let mut headers = vec![
        (HeaderName::from_static("x-amz-date"), sensitive(&stamp)?),
        (header::AUTHORIZATION, sensitive(&authorization)?),
    ];
    if let Some(token) = token {
        headers.push((HeaderName::from_static("x-amz-security-token"), sensitive(token)?));
    }
    Some(headers)
}

fn sensitive(value: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(value).ok()?;
    value.set_sensitive(true);
    Some(value)
}

/// The parts of a URL whose path is in its normal form, without a query.
fn host_and_path(url: &str) -> Option<(&str, &str)> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let (host, path) = rest.split_at(rest.find('/')?);
    let is_plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".-:".contains(&byte);
    let has_usual_port = host.ends_with(":443") || host.ends_with(":80");
    let is_normal = path.is_ascii()
        && !path.contains(['?', '#'])
        && path
            .get(1..)?
            .split('/')
            .all(|part| !matches!(part, "" | "." | ".."));
    (host.bytes().all(is_plain) && !has_usual_port && is_normal).then_some((host, path))
}

/// The path as it stands in the URL, encoded once more: what Bedrock computes for ids that hold `:` or `/`.
fn encode_path(path: &str, out: &mut String) {
    for byte in path.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~/".contains(&byte) {
            out.push(char::from(byte));
        } else {
            let _ = write!(out, "%{byte:02X}");
        }
    }
}

/// Whether a value is signed as it stands: single spaces inside, none around.
fn is_as_it_is_signed(value: &str) -> bool {
    let is_visible = |byte: u8| (0x20..0x7f).contains(&byte);
    value.bytes().all(is_visible) && value.trim() == value && !value.contains("  ")
}

/// `20261127T060000Z`.
fn stamp(request: &ToSign) -> Option<String> {
    let at = OffsetDateTime::from_unix_timestamp(request.now_ms.max(0) / 1_000).ok()?;
    let (month, day) = (u8::from(at.month()), at.day());
    Some(format!(
        "{:04}{month:02}{day:02}T{:02}{:02}{:02}Z",
        at.year(),
        at.hour(),
        at.minute(),
        at.second(),
    ))
}

fn hmac(key: &[u8], text: &[u8]) -> Zeroizing<[u8; 32]> {
    // HMAC takes keys of any length.
    let signed = Hmac::<Sha256>::new_from_slice(key).map(|mut mac| {
        mac.update(text);
        mac.finalize().into_bytes().into()
    });
    Zeroizing::new(signed.unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Pieces;
    use crate::sign::compute;
    use bytes::Bytes;
    use proptest::prelude::*;

    fn sorted(mut headers: Vec<(HeaderName, HeaderValue)>) -> Vec<(String, String)> {
        headers.sort_by(|a, b| a.0.as_str().cmp(b.0.as_str()));
        let text = |value: &HeaderValue| value.to_str().unwrap().to_owned();
        headers
            .iter()
            .map(|(name, value)| (name.to_string(), text(value)))
            .collect()
    }

    fn request(url: &str, headers: Vec<(HeaderName, HeaderValue)>, body: &str, now_ms: i64) -> ToSign {
        ToSign {
            method: "POST",
            url: url.to_owned(),
            region: "eu-central-1".to_owned(),
            service: "bedrock",
            content_type: "application/json",
            accept: "application/vnd.amazon.eventstream",
            headers,
            body: Pieces::from(Bytes::copy_from_slice(body.as_bytes())),
            now_ms,
        }
    }

    proptest! {
        #[test]
        fn the_signature_is_that_of_aws_own_crate(
            model in "[a-zA-Z0-9._~%:!@-]{1,40}", host in "[a-z0-9][a-z0-9.-]{0,20}(:[0-9]{4})?",
            token in proptest::option::of("[A-Za-z0-9/+=]{1,60}"), secret in "[ -~]{1,40}",
            guardrail in proptest::option::of("[a-z0-9]{1,12}( [A-Z]{1,3})?"), body in ".{0,80}",
            now_ms in 0i64..4_000_000_000_000,
        ) {
            let credentials = Credentials::new("AKIDEXAMPLE", &secret, token, None, "test");
            let headers = guardrail.map(|value| {
                let name = HeaderName::from_static("x-amzn-bedrock-guardrailidentifier");
                (name, HeaderValue::from_str(&value).unwrap())
            });
            let url = format!("https://{host}/model/{model}/invoke");
            let request = request(&url, headers.into_iter().collect(), &body, now_ms);
            let keys = SigningKeys::default();
            for _ in 0..2 {
                // The second time the key is at hand.
                if let Some(ours) = super::headers(&request, &credentials, &keys) {
                    let theirs = compute(&request, &credentials).unwrap();
                    prop_assert_eq!(sorted(ours), sorted(theirs));
                }
            }
        }
    }

    #[test]
    fn requests_to_models_are_signed_here() {
        let keys = SigningKeys::default();
        let credentials = Credentials::new("AKIDEXAMPLE", "secret", None, None, "test");
        let signs = |url: &str, headers| {
            super::headers(
                &request(url, headers, "{}", 1_800_000_000_000),
                &credentials,
                &keys,
            )
            .is_some()
        };
        let host = "https://bedrock-runtime.us-east-1.amazonaws.com";
        assert!(signs(
            &format!("{host}/model/us.anthropic.claude-haiku-4-5-20251001-v1%3A0/invoke"),
            Vec::new()
        ));
        assert!(signs(
            "http://127.0.0.1:4566/model/x/invoke-with-response-stream",
            Vec::new()
        ));
        for other in ["/a?b=c", "/a//b", "/a/../b", "", "/a/./b"] {
            assert!(!signs(&format!("{host}{other}"), Vec::new()), "{other}");
        }
        let header = |name, value| vec![(HeaderName::from_static(name), HeaderValue::from_static(value))];
        assert!(signs(
            &format!("{host}/a"),
            header("anthropic-version", "2023-06-01")
        ));
        assert!(!signs(&format!("{host}/a"), header("x-other", "a")));
        assert!(!signs(&format!("{host}/a"), header("anthropic-version", "a  b")));
    }

    #[test]
    fn another_secret_or_day_gets_another_key() {
        let keys = SigningKeys::default();
        let sign = |secret: &str, now_ms| {
            let credentials = Credentials::new("AKIDEXAMPLE", secret, None, None, "test");
            let request = request("https://host.example/a", Vec::new(), "{}", now_ms);
            let ours = super::headers(&request, &credentials, &keys).unwrap();
            assert_eq!(
                sorted(ours.clone()),
                sorted(compute(&request, &credentials).unwrap())
            );
            ours
        };
        let day = 86_400_000;
        let first = sign("one", 20_000 * day);
        assert_ne!(first, sign("two", 20_000 * day));
        assert_ne!(first, sign("one", 20_001 * day));
        assert_eq!(first, sign("one", 20_000 * day));
    }
}
