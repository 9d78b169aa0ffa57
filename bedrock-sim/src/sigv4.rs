//! Signature Version 4, from the checking side (AWS IAM User Guide, "Create a signed AWS API request").

use axum::http::{HeaderMap, Method};
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What a request is refused with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Denied {
    pub(crate) error_type: &'static str,
    pub(crate) message: String,
}

fn denied(error_type: &'static str, message: impl Into<String>) -> Denied {
    Denied {
        error_type,
        message: message.into(),
    }
}

/// A key pair that may sign, with the session token that has to come along where it is temporary.
#[derive(Debug, Clone)]
pub struct Credential {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: String,
    /// The session token of temporary credentials.
    pub session_token: Option<String>,
    /// From when on they are refused, in Unix milliseconds.
    pub expires_at_ms: Option<i64>,
    /// The account that they belong to; `None` is the simulator's own.
    pub account: Option<String>,
}

/// The access key id and the region that a request says it is signed with and for.
pub(crate) fn scope(headers: &HeaderMap) -> Option<(&str, &str)> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let (_, scope) = authorization.split_once("Credential=")?;
    let mut parts = scope.split('/');
    let (access_key_id, _date, region) = (parts.next()?, parts.next()?, parts.next()?);
    Some((access_key_id, region))
}

/// The parts of a request that are signed.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a Method,
    pub(crate) raw_path: &'a str,
    pub(crate) raw_query: &'a str,
    pub(crate) headers: &'a HeaderMap,
    pub(crate) body: &'a [u8],
}

const SKEW_MS: i64 = 5 * 60 * 1000;

/// Checks the `Authorization` header against the credentials that `find` knows.
pub(crate) fn verify(
    request: &Signed<'_>,
    services: &[&str],
    now_ms: i64,
    find: impl Fn(&str) -> Option<Credential>,
) -> Result<(), Denied> {
    let header = |name: &str| {
        request
            .headers
            .get(name)
            .and_then(|v| v.to_str().ok())
            .unwrap_or("")
    };
    let authorization = header("authorization");
    let Some(fields) = authorization.strip_prefix("AWS4-HMAC-SHA256") else {
        return Err(denied(
            "MissingAuthenticationTokenException",
            "Missing Authentication Token",
        ));
    };
    let field = |name: &str| {
        fields
            .split(',')
            .find_map(|part| part.trim().strip_prefix(name)?.strip_prefix('='))
            .unwrap_or("")
    };
    let (scope, signed_headers, signature) =
        (field("Credential"), field("SignedHeaders"), field("Signature"));
    let parts: Vec<&str> = scope.split('/').collect();
    let &[access_key_id, date, region, service, "aws4_request"] = parts.as_slice() else {
        return Err(denied(
            "IncompleteSignatureException",
            "Credential must have exactly 5 slash-delimited elements",
        ));
    };
    let Some(credential) = find(access_key_id) else {
        return Err(denied(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    };
    if credential.session_token.as_deref().unwrap_or("") != header("x-amz-security-token") {
        return Err(denied(
            "UnrecognizedClientException",
            "The security token included in the request is invalid.",
        ));
    }
    if credential.expires_at_ms.is_some_and(|at| at <= now_ms) {
        return Err(denied(
            "ExpiredTokenException",
            "The security token included in the request is expired",
        ));
    }
    if !services.contains(&service) {
        return Err(denied(
            "InvalidSignatureException",
            format!(
                "Credential should be scoped to correct service: '{}'.",
                services[0]
            ),
        ));
    }
    let timestamp = header("x-amz-date");
    let Some(signed_at) = parse_amz_date(timestamp) else {
        return Err(denied(
            "IncompleteSignatureException",
            "Date must be in ISO-8601 'basic format'.",
        ));
    };
    if (signed_at - now_ms).abs() > SKEW_MS {
        return Err(denied(
            "InvalidSignatureException",
            format!("Signature expired: {timestamp} is not within 5 min. of the current time"),
        ));
    }
    if !timestamp.starts_with(date) {
        return Err(denied(
            "InvalidSignatureException",
            "Date in Credential scope does not match x-amz-date",
        ));
    }
    let body_hash = hex::encode(Sha256::digest(request.body));
    let claimed = header("x-amz-content-sha256");
    if !claimed.is_empty() && claimed != "UNSIGNED-PAYLOAD" && claimed != body_hash {
        return Err(denied(
            "InvalidSignatureException",
            "The provided 'x-amz-content-sha256' header does not match.",
        ));
    }
    let payload = if claimed.is_empty() { &body_hash } else { claimed };
    let canonical = canonical_request(request, signed_headers, payload)?;
    let to_sign = format!(
        "AWS4-HMAC-SHA256\n{timestamp}\n{date}/{region}/{service}/aws4_request\n{}",
        hex::encode(Sha256::digest(canonical.as_bytes()))
    );
    let mut key = format!("AWS4{}", credential.secret_access_key).into_bytes();
    for part in [date, region, service, "aws4_request", &to_sign] {
        key = hmac(&key, part.as_bytes());
    }
    if hex::encode(key) != signature {
        return Err(denied(
            "InvalidSignatureException",
            "The request signature we calculated does not match the signature you provided. Check your AWS Secret \
             Access Key and signing method. Consult the service documentation for details.",
        ));
    }
    Ok(())
}

fn canonical_request(request: &Signed<'_>, signed_headers: &str, payload: &str) -> Result<String, Denied> {
    let mut headers = String::new();
    let names: Vec<&str> = signed_headers.split(';').collect();
    if !names.contains(&"host") {
        return Err(denied(
            "InvalidSignatureException",
            "'host' must be a 'SignedHeader' in the AWS Authorization.",
        ));
    }
    for name in &names {
        let values: Vec<String> = request
            .headers
            .get_all(*name)
            .iter()
            .filter_map(|v| v.to_str().ok())
            .map(|v| v.split_whitespace().collect::<Vec<_>>().join(" "))
            .collect();
        headers.push_str(&format!("{name}:{}\n", values.join(",")));
    }
    let mut query: Vec<(String, String)> = request
        .raw_query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (encode(&decode(name), false), encode(&decode(value), false))
        })
        .collect();
    query.sort();
    let query: Vec<String> = query.into_iter().map(|(n, v)| format!("{n}={v}")).collect();
    // Every service but S3 signs the path as it is on the wire, encoded once more.
    let path = encode(request.raw_path.as_bytes(), true);
    Ok(format!(
        "{}\n{path}\n{}\n{headers}\n{signed_headers}\n{payload}",
        request.method,
        query.join("&")
    ))
}

fn encode(bytes: &[u8], keep_slash: bool) -> String {
    let mut out = String::with_capacity(bytes.len());
    for &byte in bytes {
        let plain = byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || (keep_slash && byte == b'/');
        if plain {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

fn decode(text: &str) -> Vec<u8> {
    percent_encoding::percent_decode_str(&text.replace('+', "%20")).collect()
}

fn hmac(key: &[u8], data: &[u8]) -> Vec<u8> {
    match Hmac::<Sha256>::new_from_slice(key) {
        Ok(mut mac) => {
            mac.update(data);
            mac.finalize().into_bytes().to_vec()
        }
        // HMAC takes keys of any length.
        Err(_) => Vec::new(),
    }
}

/// `20261124T135137Z` as Unix milliseconds.
fn parse_amz_date(text: &str) -> Option<i64> {
    if text.len() != 16 || !text.is_ascii() || &text[8..9] != "T" || !text.ends_with('Z') {
        return None;
    }
    let number = |range: std::ops::Range<usize>| text[range].parse::<i64>().ok();
    let (year, month, day) = (number(0..4)?, number(4..6)?, number(6..8)?);
    let (hour, minute, second) = (number(9..11)?, number(11..13)?, number(13..15)?);
    // Days since the epoch by the civil calendar (years start in March so that leap days come last).
    let (y, m) = if month <= 2 {
        (year - 1, month + 9)
    } else {
        (year, month - 3)
    };
    let era = y.div_euclid(400);
    let year_of_era = y.rem_euclid(400);
    let day_of_year = (153 * m + 2) / 5 + day - 1;
    let day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
    let days = era * 146_097 + day_of_era - 719_468;
    Some((((days * 24 + hour) * 60 + minute) * 60 + second) * 1000)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_read_as_unix_time() {
        assert_eq!(parse_amz_date("19700101T000000Z"), Some(0));
        assert_eq!(parse_amz_date("20000229T120000Z"), Some(951_825_600_000));
        assert_eq!(parse_amz_date("20261124T135137Z"), Some(1_795_528_297_000));
        assert_eq!(parse_amz_date("2026-11-24"), None);
    }
}
