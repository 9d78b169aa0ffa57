//! STS: AssumeRole, with session tags, and GetCallerIdentity.

use crate::Shared;
use crate::control::{iso, query};
use crate::http::{Answer, answer};
use crate::iam::{self, Session};
use crate::sigv4::{Credential, Denied};
use crate::sys;
use axum::http::{HeaderMap, header};
use std::collections::{HashMap, HashSet};
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers a request to STS. The credentials that it issues may sign from then on.
pub(crate) fn sts(shared: &Shared, request_id: &str, headers: &HeaderMap, body: &[u8]) -> Answer {
    let form = query(&String::from_utf8_lossy(body));
    match form.get("Action").map_or("", String::as_str) {
        "AssumeRole" => assume_role(shared, request_id, headers, &form),
        "GetCallerIdentity" => {
            let (account, arn) = iam::caller(shared, headers);
            xml(
                "GetCallerIdentity",
                request_id,
                &format!("<Arn>{arn}</Arn><UserId>AIDASIM</UserId><Account>{account}</Account>"),
            )
        }
        _ => error(request_id, 400, "InvalidAction", "Could not find operation"),
    }
}

fn xml(operation: &str, request_id: &str, result: &str) -> Answer {
    let body = format!(
        "<{operation}Response xmlns=\"{NAMESPACE}\"><{operation}Result>{result}</{operation}Result>\
         <ResponseMetadata><RequestId>{request_id}</RequestId></ResponseMetadata></{operation}Response>"
    );
    answer(200, body).with(header::CONTENT_TYPE, "text/xml")
}

/// STS's refusal of a caller.
pub(crate) fn refuse(request_id: &str, denied: &Denied) -> Answer {
    let code = match denied.error_type {
        "AccessDeniedException" => "AccessDenied",
        "UnrecognizedClientException" => "InvalidClientTokenId",
        "InvalidSignatureException" => "SignatureDoesNotMatch",
        "ExpiredTokenException" => "ExpiredToken",
        "MissingAuthenticationTokenException" => "MissingAuthenticationToken",
        other => other,
    };
    error(request_id, 403, code, &denied.message)
}

fn error(request_id: &str, status: u16, code: &str, message: &str) -> Answer {
    let message = message.replace('&', "&amp;").replace('<', "&lt;");
    let body = format!(
        "<ErrorResponse xmlns=\"{NAMESPACE}\"><Error><Type>Sender</Type><Code>{code}</Code>\
         <Message>{message}</Message></Error><RequestId>{request_id}</RequestId></ErrorResponse>"
    );
    answer(status, body).with(header::CONTENT_TYPE, "text/xml")
}

fn assume_role(
    shared: &Shared,
    request_id: &str,
    headers: &HeaderMap,
    form: &HashMap<String, String>,
) -> Answer {
    let get = |name: &str| form.get(name).map_or("", String::as_str);
    let (role, name) = (get("RoleArn"), get("RoleSessionName"));
    let invalid = |message: String| error(request_id, 400, "ValidationError", &message);
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let &["arn", _, "iam", "", account, _] = parts.as_slice() else {
        return invalid("Request ARN is invalid".into());
    };
    let fits = |c: char| c.is_ascii_alphanumeric() || "_+=,.@-".contains(c);
    if !(2..=64).contains(&name.len()) || !name.chars().all(fits) {
        return invalid(format!(
            "1 validation error detected: Value '{name}' at 'roleSessionName' failed to satisfy constraint: Member must \
             satisfy regular expression pattern: [\\w+=,.@-]*"
        ));
    }
    let tags = match tags(form) {
        Ok(tags) => tags,
        Err(message) => return invalid(message),
    };
    let actions = [("sts:AssumeRole", true), ("sts:TagSession", !tags.is_empty())];
    for (action, _) in actions.into_iter().filter(|(_, needed)| *needed) {
        if let Err(denied) = iam::check(shared, headers, action, role) {
            return refuse(request_id, &denied);
        }
    }
    let seconds: i64 = get("DurationSeconds").parse().unwrap_or(3600);
    let n = shared.counter.fetch_add(1, Ordering::Relaxed);
    let expires_at_ms = sys::now_ms() + seconds * 1000;
    let credential = Credential {
        access_key_id: format!("ASIASIM{n:013}"),
        secret_access_key: format!("simulated-secret-{n}"),
        session_token: Some(format!("simulated-session-token-{n}")),
        expires_at_ms: Some(expires_at_ms),
        account: Some(account.to_owned()),
    };
    let session = Session {
        role_arn: role.to_owned(),
        name: name.to_owned(),
        tags,
        access_key_id: credential.access_key_id.clone(),
        assumed_by: iam::signer(headers).unwrap_or_default(),
    };
    let result = format!(
        "<AssumedRoleUser><AssumedRoleId>AROASIM:{name}</AssumedRoleId><Arn>{}</Arn></AssumedRoleUser><Credentials>\
         <AccessKeyId>{}</AccessKeyId><SecretAccessKey>{}</SecretAccessKey><SessionToken>{}</SessionToken>\
         <Expiration>{}</Expiration></Credentials>",
        session.arn(),
        credential.access_key_id,
        credential.secret_access_key,
        credential.session_token.as_deref().unwrap_or(""),
        iso(expires_at_ms)
    );
    let lock = PoisonError::into_inner;
    shared.issued.lock().unwrap_or_else(lock).push(credential);
    let mut sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    sessions.push(session);
    xml("AssumeRole", request_id, &result)
}

/// The tags of a request (AWS STS API reference, "Tag": keys of 1 to 128 and values of at most 256 letters, numbers, blanks and
/// `_.:/=+-@`; at most 50; keys differ in more than case, and do not begin with `aws:`).
fn tags(form: &HashMap<String, String>) -> Result<Vec<(String, String)>, String> {
    let part = |n: usize, part: &str| form.get(&format!("Tags.member.{n}.{part}")).cloned();
    let mut tags = Vec::new();
    while let Some(key) = part(tags.len() + 1, "Key") {
        let value = part(tags.len() + 1, "Value").unwrap_or_default();
        tags.push((key, value));
    }
    if tags.len() > 50 {
        return Err("Member must have length less than or equal to 50".into());
    }
    let fits = |c: char| c.is_alphanumeric() || c == ' ' || "_.:/=+-@".contains(c);
    let mut seen = HashSet::new();
    for (key, value) in &tags {
        let is_key = (1..=128).contains(&key.chars().count()) && key.chars().all(fits);
        if !is_key || value.chars().count() > 256 || !value.chars().all(fits) {
            return Err(format!(
                "1 validation error detected: Value '{key}={value}' at 'tags' failed to satisfy constraint: Member must \
                 satisfy regular expression pattern: [\\p{{L}}\\p{{Z}}\\p{{N}}_.:/=+\\-@]*"
            ));
        }
        if key.to_lowercase().starts_with("aws:") {
            return Err("System tags should not be added/updated/deleted by requester".into());
        }
        if !seen.insert(key.to_lowercase()) {
            return Err(format!("Duplicate tag keys found: {key}"));
        }
    }
    Ok(tags)
}
