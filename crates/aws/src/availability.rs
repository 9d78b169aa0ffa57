//! Whether an endpoint's account may use a foundation model: `GetFoundationModelAvailability`.
//!
//! Source: Amazon Bedrock API reference, `GetFoundationModelAvailability`. One question asks about one model.

use crate::control::{ControlClient, ControlError, encode};
use ccag_domain::{Availability, Endpoint, Obstacle};
use futures_util::{StreamExt, stream};
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

/// How many questions about models are open at once: an account has a few dozen models, and AWS throttles.
const AT_ONCE: usize = 4;

/// The IAM action that the question needs.
const ACTION: &str = "bedrock:GetFoundationModelAvailability";

/// What AWS says of one model. A value that is not in the API reference is a [`ControlError::Unreadable`].
///
/// The answer's `modelId` is not read: AWS has been seen to shorten it (`amazon.nova-micro-v1` for `amazon.nova-micro-v1:0`).
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ModelAvailability {
    /// The agreement with the model's vendor.
    pub agreement_availability: Agreement,
    /// Whether the caller may use the model.
    pub authorization_status: Authorization,
    /// Whether the account is entitled to the model.
    pub entitlement_availability: Presence,
    /// Whether the model is in the region.
    pub region_availability: Presence,
}

/// The agreement with a model's vendor.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Agreement {
    /// Where it stands.
    pub status: AgreementStatus,
    /// What is wrong with it.
    #[serde(default)]
    pub error_message: Option<String>,
}

/// Where an agreement stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum AgreementStatus {
    /// It is made.
    Available,
    /// It is being made.
    Pending,
    /// It has not been made.
    NotAvailable,
    /// It could not be made.
    Error,
}

/// Whether a caller may use a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Authorization {
    /// It may.
    Authorized,
    /// It may not.
    NotAuthorized,
}

/// Whether something is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub enum Presence {
    /// It is.
    Available,
    /// It is not.
    NotAvailable,
}

impl From<ModelAvailability> for Availability {
    fn from(said: ModelAvailability) -> Self {
        let agreement = said.agreement_availability;
        let mut by = Vec::new();
        if said.region_availability == Presence::NotAvailable {
            by.push(Obstacle::NotInRegion);
        }
        if said.authorization_status == Authorization::NotAuthorized {
            by.push(Obstacle::NotAuthorized);
        }
        match agreement.status {
            AgreementStatus::NotAvailable => by.push(Obstacle::AgreementMissing),
            AgreementStatus::Pending => by.push(Obstacle::AgreementPending),
            AgreementStatus::Error => by.push(Obstacle::AgreementFailed),
            // Without an agreement there is no entitlement either, which would say nothing new.
            AgreementStatus::Available if said.entitlement_availability == Presence::NotAvailable => {
                by.push(Obstacle::NotEntitled);
            }
            AgreementStatus::Available => {}
        }
        if by.is_empty() {
            return Self::Available;
        }
        let error = agreement.error_message.filter(|text| !text.trim().is_empty());
        Self::Hindered {
            by,
            agreement_error: error.map(|text| text.chars().take(500).collect()),
        }
    }
}

impl ControlClient {
    /// `GetFoundationModelAvailability`, by the id of a foundation model.
    ///
    /// # Errors
    /// [`ControlError`].
    pub async fn model_availability(
        &self,
        endpoint: &Endpoint,
        model_id: &str,
    ) -> Result<ModelAvailability, ControlError> {
        let path = format!("/foundation-model-availability/{}", encode(model_id));
        self.get("GetFoundationModelAvailability", endpoint, &path).await
    }

    /// The availability of several models. What AWS does not say of one is [`Availability::Unknown`], and the others are
    /// asked about all the same, unless nobody answers at all.
    pub async fn availability(
        &self,
        endpoint: &Endpoint,
        model_ids: BTreeSet<String>,
    ) -> BTreeMap<String, Availability> {
        let silence: OnceLock<String> = OnceLock::new();
        let silence = &silence;
        let one = async |id: String| {
            if let Some(why) = silence.get() {
                return (id, Availability::Unknown { why: why.clone() });
            }
            let known = match self.model_availability(endpoint, &id).await {
                Ok(said) => said.into(),
                Err(error) => {
                    let why = reason(&error);
                    if matches!(
                        error,
                        ControlError::Unreachable { .. }
                            | ControlError::Credentials(_)
                            | ControlError::Misconfigured(_)
                    ) {
                        silence.get_or_init(|| why.clone());
                    }
                    Availability::Unknown { why }
                }
            };
            (id, known)
        };
        stream::iter(model_ids)
            .map(one)
            .buffer_unordered(AT_ONCE)
            .collect()
            .await
    }
}

/// Why it is not known whether a model is available.
fn reason(error: &ControlError) -> String {
    match error {
        ControlError::Refused {
            status: 403, kind, ..
        } if kind == "AccessDeniedException" => format!("the role lacks {ACTION}"),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    fn answer(part: &str, value: Value) -> Value {
        let mut whole = json!({
            "modelId": "anthropic.claude-haiku-4-5-20251001-v1",
            "agreementAvailability": {"status": "AVAILABLE"},
            "authorizationStatus": "AUTHORIZED",
            "entitlementAvailability": "AVAILABLE",
            "regionAvailability": "AVAILABLE"
        });
        if !part.is_empty() {
            whole[part] = value;
        }
        whole
    }

    fn read(answer: Value) -> Availability {
        serde_json::from_value::<ModelAvailability>(answer)
            .unwrap()
            .into()
    }

    fn hindered(by: Obstacle) -> Availability {
        Availability::Hindered {
            by: vec![by],
            agreement_error: None,
        }
    }

    #[test]
    fn each_part_of_an_answer_has_its_meaning() {
        assert_eq!(read(answer("", Value::Null)), Availability::Available);
        for (part, value, by) in [
            (
                "regionAvailability",
                json!("NOT_AVAILABLE"),
                Obstacle::NotInRegion,
            ),
            (
                "authorizationStatus",
                json!("NOT_AUTHORIZED"),
                Obstacle::NotAuthorized,
            ),
            (
                "entitlementAvailability",
                json!("NOT_AVAILABLE"),
                Obstacle::NotEntitled,
            ),
            (
                "agreementAvailability",
                json!({"status": "NOT_AVAILABLE"}),
                Obstacle::AgreementMissing,
            ),
            (
                "agreementAvailability",
                json!({"status": "PENDING"}),
                Obstacle::AgreementPending,
            ),
            (
                "agreementAvailability",
                json!({"status": "ERROR"}),
                Obstacle::AgreementFailed,
            ),
        ] {
            assert_eq!(read(answer(part, value)), hindered(by));
        }
        let failed = json!({"status": "ERROR", "errorMessage": "no payment method"});
        assert_eq!(
            read(answer("agreementAvailability", failed)),
            Availability::Hindered {
                by: vec![Obstacle::AgreementFailed],
                agreement_error: Some("no payment method".into()),
            }
        );
    }

    #[test]
    fn a_new_account_is_told_of_all_that_is_missing_and_nothing_twice() {
        let mut whole = answer("agreementAvailability", json!({"status": "NOT_AVAILABLE"}));
        whole["authorizationStatus"] = json!("NOT_AUTHORIZED");
        whole["entitlementAvailability"] = json!("NOT_AVAILABLE");
        assert_eq!(
            read(whole),
            Availability::Hindered {
                by: vec![Obstacle::NotAuthorized, Obstacle::AgreementMissing],
                agreement_error: None,
            }
        );
    }

    #[test]
    fn an_answer_that_is_none_is_not_taken_for_one() {
        for bad in [
            json!({}),
            answer("regionAvailability", json!("PERHAPS")),
            answer("agreementAvailability", json!("AVAILABLE")),
            answer("authorizationStatus", Value::Null),
        ] {
            assert!(
                serde_json::from_value::<ModelAvailability>(bad.clone()).is_err(),
                "{bad}"
            );
        }
    }

    #[test]
    fn a_missing_permission_is_named_and_other_refusals_keep_awss_words() {
        let refused = |kind: &str| ControlError::Refused {
            operation: "GetFoundationModelAvailability",
            status: 403,
            kind: kind.into(),
            message: "m".into(),
        };
        assert_eq!(
            reason(&refused("AccessDeniedException")),
            "the role lacks bedrock:GetFoundationModelAvailability"
        );
        assert!(reason(&refused("ExpiredTokenException")).contains("ExpiredTokenException: m"));
    }
}
