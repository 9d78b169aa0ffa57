//! What an endpoint's credentials may do, tried on AWS.

use super::{load, refused};
use crate::app::{App, catalogue};
use ccag_admin_api::{CheckResult, EndpointCheck, EndpointTest};
use ccag_aws::permissions::{Check, Verdict};
use ccag_domain::{Actor, Area, CredentialSource, EndpointId, Permission, Problem};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// Tries what the gateway needs at an endpoint. Nothing is changed, and no model runs.
///
/// # Errors
/// [`ccag_domain::Code::NotFound`], [`ccag_domain::Code::Forbidden`] for members. That something is denied is no error, but
/// what is answered.
pub async fn test(app: &App, actor: &Actor, id: &EndpointId) -> Result<EndpointTest, Problem> {
    actor.require_all(Permission::Change(Area::Endpoints))?;
    let endpoint = load(app, id).await?;
    let models = catalogue::models(&app.store.list_models().await?)?;
    let client = app
        .aws
        .client(&app.clock)
        .await
        .map_err(|error| refused(&error))?;
    let mut checks = client.permissions(&endpoint, &models).await;
    // What is not allowed first.
    checks.sort_by_key(|check| check.verdict == Verdict::Allowed);
    let own = endpoint.role_arn.is_none() && endpoint.access.credentials == CredentialSource::Process;
    Ok(EndpointTest {
        endpoint_id: endpoint.id.clone(),
        passed: checks.iter().all(|check| check.verdict == Verdict::Allowed),
        own_credentials: own,
        missing_policy: missing_policy(&checks),
        checks: checks.into_iter().map(view).collect(),
    })
}

fn view(check: Check) -> EndpointCheck {
    let (result, resource, message) = match check.verdict {
        Verdict::Allowed => (CheckResult::Allowed, None, None),
        Verdict::Denied { resource, message } => (CheckResult::Denied, resource, Some(message)),
        Verdict::Failed { message } => (CheckResult::Failed, None, Some(message)),
    };
    EndpointCheck {
        action: check.action,
        on: check.on,
        result,
        resource,
        message,
    }
}

/// A policy with what is missing, one statement for each set of resources.
fn missing_policy(checks: &[Check]) -> Option<Value> {
    let mut resources: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for check in checks {
        if let Verdict::Denied {
            resource: Some(resource),
            ..
        } = &check.verdict
        {
            resources.entry(&check.action).or_default().insert(resource);
        }
    }
    let mut actions: BTreeMap<BTreeSet<&str>, Vec<&str>> = BTreeMap::new();
    for (action, on) in resources {
        actions.entry(on).or_default().push(action);
    }
    let statements: Vec<Value> = actions
        .iter()
        .map(|(on, actions)| json!({"Effect": "Allow", "Action": actions, "Resource": on}))
        .collect();
    (!statements.is_empty()).then(|| json!({"Version": "2012-10-17", "Statement": statements}))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_names_what_is_missing_once() {
        let denied = |action: &str, resource: &str| Check {
            action: action.into(),
            on: None,
            verdict: Verdict::Denied {
                resource: Some(resource.into()),
                message: String::new(),
            },
        };
        let checks = [
            denied("bedrock:InvokeModel", "arn:b"),
            denied("bedrock:InvokeModel", "arn:a"),
            denied("bedrock:InvokeModel", "arn:a"),
            denied("bedrock:CountTokens", "arn:a"),
            denied("bedrock:InvokeModelWithResponseStream", "arn:a"),
            Check {
                action: "bedrock:ListFoundationModels".into(),
                on: None,
                verdict: Verdict::Allowed,
            },
        ];
        let statement = missing_policy(&checks).unwrap()["Statement"].clone();
        let expected = json!([
            {"Effect": "Allow", "Action": ["bedrock:CountTokens", "bedrock:InvokeModelWithResponseStream"], "Resource": ["arn:a"]},
            {"Effect": "Allow", "Action": ["bedrock:InvokeModel"], "Resource": ["arn:a", "arn:b"]},
        ]);
        assert_eq!(statement, expected);
        assert_eq!(missing_policy(&checks[5..]), None);
    }
}
