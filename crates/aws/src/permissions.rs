//! What an endpoint's credentials may do: each operation that the gateway needs is asked for in a way that costs nothing.
//!
//! IAM decides before an operation looks at what it is given. So a body that cannot be one is answered with a
//! `ValidationException` where the operation is allowed, and with an `AccessDeniedException` where it is not; no model runs,
//! and no token is billed. Sources: AWS service authorization reference, "Actions, resources, and condition keys for Amazon
//! Bedrock"; IAM user guide, "Troubleshoot access denied error messages", for the words of a refusal.

use crate::control::{Ask, ControlClient, ControlError, encode};
use crate::quotas;
use bytes::Bytes;
use ccag_domain::{Endpoint, Model};
use futures_util::{StreamExt, stream};

/// How many questions are open at once.
const AT_ONCE: usize = 4;

/// One operation, and what AWS said to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// The IAM action: `bedrock:InvokeModel`.
    pub action: String,
    /// What it was tried on: a model's name, a profile's or a guardrail's id; `None` if it is about nothing in particular.
    pub on: Option<String>,
    /// What came of it.
    pub verdict: Verdict,
}

/// What AWS said to an operation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// It is allowed.
    Allowed,
    /// It is not.
    Denied {
        /// The resource that a policy would have to name; `None` if AWS does not say.
        resource: Option<String>,
        /// AWS's words.
        message: String,
    },
    /// AWS could not be asked, or said something that has nothing to do with permissions.
    Failed {
        /// What.
        message: String,
    },
}

/// Whose permissions are of interest.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    /// Everything that is ever needed at an endpoint.
    Everything,
    /// What a data plane needs: to invoke models.
    Requests,
    /// What a control plane needs: to ask what there is.
    Lists,
}

/// What is to be tried: path, action and so on.
struct Trial {
    operation: &'static str,
    action: &'static str,
    on: Option<String>,
    path: String,
    asks: Asks,
}

/// Whom a trial asks.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Asks {
    /// Bedrock's control operations.
    Control,
    /// Bedrock Runtime, with something that cannot be a request.
    Runtime,
    /// Service Quotas.
    Quotas,
}

impl Trial {
    fn control(operation: &'static str, action: &'static str, on: Option<String>, path: String) -> Self {
        Self {
            operation,
            action,
            on,
            path,
            asks: Asks::Control,
        }
    }

    fn runtime(operation: &'static str, action: &'static str, on: &str, path: String) -> Self {
        Self {
            operation,
            action,
            on: Some(on.to_owned()),
            path,
            asks: Asks::Runtime,
        }
    }
}

impl ControlClient {
    /// Tries what the gateway needs at an endpoint: to list what there is, and to invoke these models and to count their
    /// tokens; to apply its guardrail, if it has one. Without credentials, that is all that is said.
    ///
    /// What is needed on bedrock-mantle is not tried.
    pub async fn permissions(&self, endpoint: &Endpoint, models: &[Model]) -> Vec<Check> {
        Box::pin(self.permissions_for(endpoint, models, Needs::Everything)).await
    }

    /// The same as far as somebody needs it.
    pub async fn permissions_for(&self, endpoint: &Endpoint, models: &[Model], needs: Needs) -> Vec<Check> {
        // An endpoint may have been given other rights a moment ago: credentials are fetched anew.
        self.forget_credentials(endpoint);
        let mut trials = self
            .trials(endpoint, models)
            .into_iter()
            .filter(|trial| match needs {
                Needs::Everything => true,
                Needs::Requests => trial.asks == Asks::Runtime,
                Needs::Lists => trial.asks != Asks::Runtime,
            });
        let Some(first) = trials.next() else {
            return Vec::new();
        };
        let first = self.check(endpoint, first).await;
        if let Err(failed) = first {
            return vec![failed];
        }
        let others = stream::iter(trials.map(|trial| self.check(endpoint, trial)))
            .buffered(AT_ONCE)
            .collect::<Vec<_>>()
            .await;
        std::iter::once(first)
            .chain(others)
            .map(|check| check.unwrap_or_else(|failed| failed))
            .collect()
    }

    fn trials(&self, endpoint: &Endpoint, models: &[Model]) -> Vec<Trial> {
        let mut trials = vec![
            Trial::control(
                "ListInferenceProfiles",
                "bedrock:ListInferenceProfiles",
                None,
                "/inference-profiles?maxResults=1&type=SYSTEM_DEFINED".into(),
            ),
            Trial::control(
                "ListFoundationModels",
                "bedrock:ListFoundationModels",
                None,
                "/foundation-models?byProvider=anthropic".into(),
            ),
        ];
        let invocable: Vec<_> = models
            .iter()
            .filter_map(|model| Some((model, endpoint.invocable(model, self.home_region())?.id)))
            .collect();
        if let Some((model, id)) = invocable.iter().find(|(model, id)| *id != model.bedrock_id) {
            let path = format!("/inference-profiles/{}", encode(id));
            let on = Some(id.clone());
            let action = "bedrock:GetInferenceProfile";
            trials.push(Trial::control("GetInferenceProfile", action, on, path));
            trials.push(Trial::control(
                "GetFoundationModelAvailability",
                "bedrock:GetFoundationModelAvailability",
                None,
                format!("/foundation-model-availability/{}", encode(&model.bedrock_id)),
            ));
        }
        for (model, id) in &invocable {
            let (name, id) = (model.name.as_str(), encode(id));
            trials.push(Trial::runtime(
                "InvokeModel",
                "bedrock:InvokeModel",
                name,
                format!("/model/{id}/invoke"),
            ));
            trials.push(Trial::runtime(
                "InvokeModelWithResponseStream",
                "bedrock:InvokeModelWithResponseStream",
                name,
                format!("/model/{id}/invoke-with-response-stream"),
            ));
            trials.push(Trial::runtime(
                "CountTokens",
                "bedrock:CountTokens",
                name,
                format!("/model/{}/count-tokens", encode(&model.bedrock_id)),
            ));
        }
        if self.has_quotas(endpoint) {
            trials.push(Trial {
                asks: Asks::Quotas,
                ..Trial::control(quotas::OPERATION, quotas::ACTION, None, String::new())
            });
        }
        if let Some(guardrail) = &endpoint.guardrail {
            trials.push(Trial::runtime(
                "ApplyGuardrail",
                "bedrock:ApplyGuardrail",
                &guardrail.id,
                format!(
                    "/guardrail/{}/version/{}/apply",
                    encode(&guardrail.id),
                    encode(&guardrail.version)
                ),
            ));
        }
        trials
    }

    /// The check, as an error where nothing else needs to be tried: there are no credentials, or nobody answers.
    async fn check(&self, endpoint: &Endpoint, trial: Trial) -> Result<Check, Check> {
        let check = |verdict| Check {
            action: trial.action.to_owned(),
            on: trial.on.clone(),
            verdict,
        };
        let error = match self.attempt(endpoint, &trial).await {
            Ok(_) => return Ok(check(Verdict::Allowed)),
            Err(error) => error,
        };
        match &error {
            // An action that is about no resource in particular.
            ControlError::Refused { message, .. } if trial.asks == Asks::Quotas && error.is_denied() => {
                Ok(check(Verdict::Denied {
                    resource: Some("*".to_owned()),
                    message: message.clone(),
                }))
            }
            ControlError::Refused {
                status: 403, message, ..
            } => match denied(message) {
                // It may be another action than the one that was asked for.
                Some((action, resource)) => Ok(Check {
                    action,
                    ..check(Verdict::Denied {
                        resource,
                        message: message.clone(),
                    })
                }),
                None => Ok(check(Verdict::Denied {
                    resource: None,
                    message: error.to_string(),
                })),
            },
            // What was sent cannot be a request: whoever looks at it has been let through.
            ControlError::Refused {
                status: 400 | 429, ..
            } if trial.asks == Asks::Runtime => Ok(check(Verdict::Allowed)),
            ControlError::Credentials(message) => Err(match denied(message) {
                Some((action, resource)) => Check {
                    action,
                    on: endpoint.role_arn.clone(),
                    verdict: Verdict::Denied {
                        resource,
                        message: message.clone(),
                    },
                },
                None => check(Verdict::Failed {
                    message: error.to_string(),
                }),
            }),
            ControlError::Unreachable { .. } | ControlError::NoRegion | ControlError::Misconfigured(_) => {
                Err(check(Verdict::Failed {
                    message: error.to_string(),
                }))
            }
            _ => Ok(check(Verdict::Failed {
                message: error.to_string(),
            })),
        }
    }

    async fn attempt(&self, endpoint: &Endpoint, trial: &Trial) -> Result<(), ControlError> {
        match trial.asks {
            Asks::Control => {
                let answer = self.get::<serde::de::IgnoredAny>(trial.operation, endpoint, &trial.path);
                return answer.await.map(|_| ());
            }
            Asks::Quotas => {
                let answer = self.quota_page::<serde::de::IgnoredAny>(endpoint, 1, None);
                return answer.await.map(|_| ());
            }
            Asks::Runtime => {}
        }
        let configured = endpoint.runtime_url.as_ref().or(self.runtime_url.as_ref());
        let base = match configured {
            Some(url) => url.clone(),
            None => self.public_url("bedrock-runtime", endpoint)?,
        };
        let ask = Ask {
            body: Some(Bytes::from_static(b"{}")),
            ..Ask::new(trial.operation, "bedrock", &base, &trial.path)
        };
        self.ask(endpoint, ask).await.map(|_| ())
    }
}

/// The action and the resource that IAM names when it refuses: "User: … is not authorized to perform: bedrock:InvokeModel on
/// resource: arn:… because no identity-based policy allows the bedrock:InvokeModel action".
#[must_use]
pub fn denied(message: &str) -> Option<(String, Option<String>)> {
    let (_, rest) = message.split_once("is not authorized to perform: ")?;
    let word = |text: &str| {
        let end = text.find(char::is_whitespace).unwrap_or(text.len());
        text[..end].trim_end_matches(['.', ',', '"', '\'']).to_owned()
    };
    let action = word(rest);
    let resource = rest.split_once(" on resource: ").map(|(_, rest)| word(rest));
    action.contains(':').then_some((action, resource))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_action_and_the_resource_are_read_from_what_iam_says() {
        let said = "User: arn:aws:sts::111122223333:assumed-role/ccag/ccag-controlplane is not authorized to perform: \
                    bedrock:InvokeModel on resource: arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0 \
                    because no identity-based policy allows the bedrock:InvokeModel action";
        let resource = "arn:aws:bedrock:us-east-2::foundation-model/anthropic.claude-haiku-4-5-20251001-v1:0";
        assert_eq!(
            denied(said),
            Some(("bedrock:InvokeModel".into(), Some(resource.into())))
        );
        let said = "assuming the role failed: AccessDenied: User: arn:aws:iam::111122223333:user/ci is not authorized to perform: \
                    sts:TagSession on resource: arn:aws:iam::444455556666:role/bedrock.";
        let resource = "arn:aws:iam::444455556666:role/bedrock";
        assert_eq!(
            denied(said),
            Some(("sts:TagSession".into(), Some(resource.into())))
        );
        let said = "You don't have access to the model with the specified model ID.";
        assert_eq!(denied(said), None);
    }
}
