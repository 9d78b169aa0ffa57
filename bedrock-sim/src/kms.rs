//! KMS, as far as data keys go: GenerateDataKeyWithoutPlaintext and Decrypt, under one key of the account (AWS KMS API
//! reference). Errors are 400 with their name in `__type`, as in AWS's JSON protocols.

use crate::Shared;
use crate::http::{Answer, answer};
use crate::iam;
use crate::sigv4::{self, Denied};
use axum::http::{HeaderMap, header};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::sync::atomic::Ordering;

/// The id of the one key, and its alias.
const KEY: &str = "1234abcd-12ab-34cd-56ef-1234567890ab";
const ALIAS: &str = "alias/ccag";

/// What a ciphertext begins with.
const MAGIC: &[u8] = b"simulated KMS 1 ";

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Ask {
    key_id: Option<String>,
    ciphertext_blob: Option<String>,
    key_spec: Option<String>,
    #[serde(default)]
    encryption_context: BTreeMap<String, String>,
}

/// Whether a request is one to KMS: all of its operations are posted to `/`, and named in a header.
pub(crate) fn is_meant(headers: &HeaderMap) -> bool {
    target(headers).starts_with("TrentService.")
}

fn target(headers: &HeaderMap) -> &str {
    headers
        .get("x-amz-target")
        .and_then(|v| v.to_str().ok())
        .unwrap_or("")
}

/// KMS's refusal of a caller.
pub(crate) fn refuse(denied: &Denied) -> Answer {
    error(denied.error_type, &denied.message)
}

fn error(kind: &str, message: &str) -> Answer {
    say(400, &json!({ "__type": kind, "message": message }))
}

fn say(status: u16, body: &Value) -> Answer {
    answer(status, body.to_string()).with(header::CONTENT_TYPE, "application/x-amz-json-1.1")
}

/// Answers a request to KMS.
pub(crate) fn kms(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Answer {
    let kind = headers
        .get(header::CONTENT_TYPE)
        .and_then(|v| v.to_str().ok())
        .unwrap_or("");
    if kind != "application/x-amz-json-1.1" {
        return error("UnknownOperationException", "");
    }
    let Ok(ask) = serde_json::from_slice::<Ask>(body) else {
        return error("SerializationException", "");
    };
    // What is not signed is taken to be for the region at home.
    let (_, region) = sigv4::scope(headers).unwrap_or_default();
    let region = if region.is_empty() { &shared.region } else { region };
    let arn = format!("arn:aws:kms:{region}:{}:key/{KEY}", shared.account_id);
    match target(headers) {
        "TrentService.GenerateDataKeyWithoutPlaintext" => generate(shared, headers, &ask, &arn),
        "TrentService.Decrypt" => decrypt(shared, headers, &ask, &arn),
        _ => error("UnknownOperationException", ""),
    }
}

fn generate(shared: &Shared, headers: &HeaderMap, ask: &Ask, arn: &str) -> Answer {
    let named = ask.key_id.as_deref().unwrap_or("");
    let alias_arn = arn.replace(&format!("key/{KEY}"), ALIAS);
    if ![KEY, ALIAS, arn, &alias_arn].contains(&named) {
        let message = format!("Alias or key {named} is not found.");
        return error("NotFoundException", &message);
    }
    if ask.key_spec.as_deref() != Some("AES_256") {
        return error(
            "ValidationException",
            "Please specify either KeySpec or NumberOfBytes.",
        );
    }
    if let Err(denied) = iam::check(shared, headers, "kms:GenerateDataKeyWithoutPlaintext", arn) {
        return refuse(&denied);
    }
    let n = shared.counter.fetch_add(1, Ordering::Relaxed);
    let salt = Sha256::digest(format!("{n} {}", crate::sys::now_ms()));
    let plain = plaintext(&salt);
    let blob = [MAGIC, &salt, &bound(&salt, &plain, arn, &ask.encryption_context)].concat();
    say(
        200,
        &json!({ "CiphertextBlob": STANDARD.encode(blob), "KeyId": arn }),
    )
}

fn decrypt(shared: &Shared, headers: &HeaderMap, ask: &Ask, arn: &str) -> Answer {
    if let Err(denied) = iam::check(shared, headers, "kms:Decrypt", arn) {
        return refuse(&denied);
    }
    let blob = ask
        .ciphertext_blob
        .as_ref()
        .and_then(|text| STANDARD.decode(text).ok());
    let parts = blob
        .as_deref()
        .and_then(|blob| blob.strip_prefix(MAGIC)?.split_at_checked(32));
    let Some((salt, seal)) = parts else {
        return error("InvalidCiphertextException", "");
    };
    let plain = plaintext(salt);
    if seal != bound(salt, &plain, arn, &ask.encryption_context) {
        return error("InvalidCiphertextException", "");
    }
    say(
        200,
        &json!({ "KeyId": arn, "Plaintext": STANDARD.encode(plain), "EncryptionAlgorithm": "SYMMETRIC_DEFAULT" }),
    )
}

fn plaintext(salt: &[u8]) -> Vec<u8> {
    Sha256::digest([b"a simulated data key ", salt].concat()).to_vec()
}

/// What binds a ciphertext to its key, its region and its context.
fn bound(salt: &[u8], plain: &[u8], arn: &str, context: &BTreeMap<String, String>) -> Vec<u8> {
    let said = json!([arn, context]).to_string();
    Sha256::digest([salt, plain, said.as_bytes()].concat()).to_vec()
}
