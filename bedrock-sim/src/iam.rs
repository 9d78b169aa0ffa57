//! Who calls, and what IAM lets them do: everything, except what a test denies.

use crate::Shared;
use crate::sigv4::Denied;
use axum::http::HeaderMap;
use serde::{Deserialize, Serialize};
use std::sync::PoisonError;

/// Something that IAM denies to everybody from now on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Denial {
    /// The action: `bedrock:InvokeModel`.
    pub action: String,
    /// Part of the ARN of what it is denied on; everything by default.
    #[serde(default)]
    pub resource: Option<String>,
}

/// A role session that STS has given out.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Session {
    /// The role.
    pub role_arn: String,
    /// The session's name.
    pub name: String,
    /// Its tags, as they were given.
    pub tags: Vec<(String, String)>,
    /// The access key id of its credentials.
    pub access_key_id: String,
    /// Whose credentials it was assumed with: an access key id, empty where nothing has to be signed.
    pub assumed_by: String,
}

impl Session {
    /// Its ARN.
    #[must_use]
    pub fn arn(&self) -> String {
        let account = self.role_arn.split(':').nth(4).unwrap_or_default();
        let partition = self.role_arn.split(':').nth(1).unwrap_or("aws");
        let role = self.role_arn.rsplit('/').next().unwrap_or_default();
        format!("arn:{partition}:sts::{account}:assumed-role/{role}/{}", self.name)
    }
}

/// The access key id that a request is signed with.
pub(crate) fn signer(headers: &HeaderMap) -> Option<String> {
    let authorization = headers.get("authorization")?.to_str().ok()?;
    let (_, rest) = authorization.split_once("Credential=")?;
    Some(rest.split('/').next()?.to_owned())
}

/// Who calls: account and ARN.
pub(crate) fn caller(shared: &Shared, headers: &HeaderMap) -> (String, String) {
    let key = signer(headers).unwrap_or_default();
    let sessions = shared.sessions.lock().unwrap_or_else(PoisonError::into_inner);
    match sessions.iter().find(|session| session.access_key_id == key) {
        Some(session) => {
            let arn = session.arn();
            (arn.split(':').nth(4).unwrap_or_default().to_owned(), arn)
        }
        None => (
            shared.account_id.clone(),
            format!("arn:aws:iam::{}:user/simulated", shared.account_id),
        ),
    }
}

/// Refuses what is denied, in AWS's words.
pub(crate) fn check(
    shared: &Shared,
    headers: &HeaderMap,
    action: &str,
    resource: &str,
) -> Result<(), Denied> {
    let denied = shared.denied.lock().unwrap_or_else(PoisonError::into_inner);
    let is_meant = |denial: &Denial| {
        let on = denial.resource.as_deref();
        denial.action == action && on.is_none_or(|part| resource.contains(part))
    };
    if !denied.iter().any(is_meant) {
        return Ok(());
    }
    drop(denied);
    let (_, arn) = caller(shared, headers);
    Err(Denied {
        error_type: "AccessDeniedException",
        message: format!(
            "User: {arn} is not authorized to perform: {action} on resource: {resource} because no identity-based \
             policy allows the {action} action"
        ),
    })
}

/// The action and the resource that a request to Bedrock is about (AWS service authorization reference, "Actions, resources,
/// and condition keys for Amazon Bedrock").
pub(crate) fn wanted(shared: &Shared, method: &str, segments: &[&str]) -> Option<(&'static str, String)> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(text)
            .decode_utf8_lossy()
            .into_owned()
    };
    let (region, account) = (&shared.region, &shared.account_id);
    let model = |id: &str| {
        let id = decode(id);
        if id.starts_with("arn:") {
            id
        } else if id.starts_with("anthropic.") {
            format!("arn:aws:bedrock:{region}::foundation-model/{id}")
        } else {
            format!("arn:aws:bedrock:{region}:{account}:inference-profile/{id}")
        }
    };
    Some(match (method, segments) {
        ("POST", ["model", id, "invoke"]) => ("bedrock:InvokeModel", model(id)),
        ("POST", ["model", id, "invoke-with-response-stream"]) => {
            ("bedrock:InvokeModelWithResponseStream", model(id))
        }
        ("POST", ["model", id, "count-tokens"]) => ("bedrock:CountTokens", model(id)),
        ("POST", ["anthropic", "v1", "messages"]) => ("bedrock:InvokeModel", "*".into()),
        ("POST", ["mantle", "anthropic", "v1", "messages"]) => (
            "bedrock-mantle:CreateInference",
            format!("arn:aws:bedrock-mantle:{region}:{account}:project/default"),
        ),
        ("POST", ["mantle", "anthropic", "v1", "messages", "count_tokens"]) => (
            "bedrock-mantle:CreateInference",
            format!("arn:aws:bedrock-mantle:{region}:{account}:project/default"),
        ),
        ("POST", ["guardrail", id, "version", _, "apply"]) => {
            let id = decode(id);
            let arn = if id.starts_with("arn:") {
                id
            } else {
                format!("arn:aws:bedrock:{region}:{account}:guardrail/{id}")
            };
            ("bedrock:ApplyGuardrail", arn)
        }
        ("GET", ["inference-profiles"]) => (
            "bedrock:ListInferenceProfiles",
            format!("arn:aws:bedrock:{region}:{account}:inference-profile/*"),
        ),
        ("GET", ["inference-profiles", id]) => ("bedrock:GetInferenceProfile", model(id)),
        ("GET", ["foundation-models"]) => ("bedrock:ListFoundationModels", "*".into()),
        ("GET", ["foundation-model-availability", _]) => {
            ("bedrock:GetFoundationModelAvailability", "*".into())
        }
        _ => return None,
    })
}
