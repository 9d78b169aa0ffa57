//! Whether AWS can be used, for `--check-config`: the region, the way there, the clocks, the credentials and what they may do.

use crate::control::{ControlClient, ControlError};
use crate::permissions::{Check, Needs, Verdict};
use ccag_doctor::checks::{AWS_CREDENTIALS, AWS_PERMISSIONS, AWS_REACH, AWS_REGION, CLOCK};
use ccag_doctor::{Finding, clock, within};
use ccag_domain::{Endpoint, Model};
use futures_util::future::join_all;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// How long AWS may take to say what is allowed.
const PERMISSIONS: Duration = Duration::from_secs(40);

/// How long everything else may take, for one endpoint.
const OTHERS: Duration = Duration::from_secs(25);

/// The regions that there are (AWS general reference, "AWS service endpoints"). One that is not among them may be newer than this.
const REGIONS: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-northeast-1",
    "ap-northeast-2",
    "ap-northeast-3",
    "ap-south-1",
    "ap-south-2",
    "ap-southeast-1",
    "ap-southeast-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-6",
    "ap-southeast-7",
    "ca-central-1",
    "ca-west-1",
    "cn-north-1",
    "cn-northwest-1",
    "eu-central-1",
    "eu-central-2",
    "eu-north-1",
    "eu-south-1",
    "eu-south-2",
    "eu-west-1",
    "eu-west-2",
    "eu-west-3",
    "eusc-de-east-1",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
    "sa-east-1",
    "us-east-1",
    "us-east-2",
    "us-gov-east-1",
    "us-gov-west-1",
    "us-west-1",
    "us-west-2",
];

/// Looks at everything that a plane needs of AWS, for each of these endpoints. No model runs, and nothing is changed.
pub async fn look(
    client: &ControlClient,
    endpoints: &[Endpoint],
    models: &[Model],
    needs: Needs,
) -> Vec<Finding> {
    let each = endpoints
        .iter()
        .map(|endpoint| of_endpoint(client, endpoint, models, needs));
    join_all(each).await.into_iter().flatten().collect()
}

async fn of_endpoint(
    client: &ControlClient,
    endpoint: &Endpoint,
    models: &[Model],
    needs: Needs,
) -> Vec<Finding> {
    let whose = format!("endpoint `{}`", endpoint.name);
    let region = match client.region(endpoint) {
        Ok(region) => region.to_owned(),
        Err(_) => {
            return vec![AWS_REGION.fault(
                whose,
                "no region: neither the endpoint nor the process has one",
                "set AWS_REGION, such as eu-central-1, or a region on the endpoint",
            )];
        }
    };
    let (mut findings, public) = Box::pin(way(client, endpoint, &whose)).await;
    findings.push(judge_region(&whose, &region, public));
    let credentials = within(
        OTHERS,
        &AWS_CREDENTIALS,
        &whose,
        credentials(client, endpoint, &whose),
    );
    let credentials = Box::pin(credentials).await;
    let may_ask = credentials.iter().all(|finding| finding.advice.is_none());
    findings.extend(credentials);
    if may_ask {
        let tried = within(PERMISSIONS, &AWS_PERMISSIONS, &whose, async {
            told(
                &whose,
                &Box::pin(client.permissions_for(endpoint, models, needs)).await,
            )
        });
        findings.extend(Box::pin(tried).await);
    } else {
        findings.push(AWS_PERMISSIONS.skipped(whose, "without credentials there is nothing to try"));
    }
    findings
}

/// Whether Bedrock answers and what time it is there; and whether that was at one of AWS's own addresses.
async fn way(client: &ControlClient, endpoint: &Endpoint, whose: &str) -> (Vec<Finding>, bool) {
    match client.reach(endpoint).await {
        Ok(reached) => {
            let mut findings = vec![AWS_REACH.ok(whose, format!("{} answers", reached.url))];
            if let Some(theirs) = reached.date.as_deref().and_then(clock::read_date) {
                let (asked, answered) = (reached.asked_ms, reached.answered_ms);
                findings.push(clock::compare(&CLOCK, &reached.url, theirs, asked, answered));
            }
            (findings, reached.public)
        }
        Err(error) => {
            let advice = "look at the region, at HTTPS_PROXY and NO_PROXY, at the way to Bedrock (NAT, VPC endpoint, firewall), and at \
                          AWS_CA_BUNDLE where a proxy opens connections";
            (vec![AWS_REACH.fault(whose, error.to_string(), advice)], false)
        }
    }
}

/// `answered` says that AWS has answered at the region's own address, so that there must be one.
fn judge_region(whose: &str, region: &str, answered: bool) -> Finding {
    if REGIONS.contains(&region) || answered {
        return AWS_REGION.ok(whose, region);
    }
    let found = format!("`{region}` is no region that this version knows");
    let closest = REGIONS
        .iter()
        .min_by_key(|known| apart(known, region))
        .unwrap_or(&"");
    let advice = format!("did you mean `{closest}`? Set AWS_REGION, or the region of the endpoint");
    AWS_REGION.fault(whose, found, advice)
}

/// In how many places two words differ, after what they begin with alike.
fn apart(a: &str, b: &str) -> usize {
    let alike = a.bytes().zip(b.bytes()).filter(|(x, y)| x == y).count();
    a.len().max(b.len()) - alike
}

async fn credentials(client: &ControlClient, endpoint: &Endpoint, whose: &str) -> Vec<Finding> {
    let own = endpoint.role_arn.is_none();
    if own && client.has_api_key() {
        return vec![AWS_CREDENTIALS.ok(whose, "a Bedrock API key, which says nothing of whose it is")];
    }
    match Box::pin(client.caller_identity(endpoint)).await {
        Ok(who) => vec![AWS_CREDENTIALS.ok(whose, format!("{} in account {}", who.arn, who.account))],
        Err(error) => vec![refused(whose, &error)],
    }
}

/// Why there are no credentials, or AWS does not take them.
fn refused(whose: &str, error: &ControlError) -> Finding {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    if has("Signature expired") || has("Signature not yet current") || has("RequestTimeTooSkewed") {
        return CLOCK.fault(
            whose,
            format!("AWS refuses signatures for their time: {text}"),
            "let this machine set its clock by NTP (chrony, systemd-timesyncd, or Amazon Time Sync at 169.254.169.123)",
        );
    }
    if let Some((action, resource)) = crate::permissions::denied(&text) {
        let on = resource.map_or_else(String::new, |resource| format!(" on {resource}"));
        return AWS_PERMISSIONS.fault(
            whose,
            format!("{action} is not allowed: {text}"),
            format!("allow {action}{on} in the policy of the credentials, and in the role's trust policy if it is a role"),
        );
    }
    let advice = if has("ExpiredToken") || has("expired") {
        "the credentials have expired: get new ones; where they come from a role, look why they were not renewed"
    } else if has("InvalidClientTokenId") || has("UnrecognizedClient") {
        "AWS does not know this access key: look for a deleted key, or a session token that is missing (AWS_SESSION_TOKEN)"
    } else if has("SignatureDoesNotMatch") || has("InvalidSignature") {
        "the secret does not belong to the access key: look at AWS_SECRET_ACCESS_KEY"
    } else if matches!(error, ControlError::Unreachable { .. }) {
        "STS cannot be reached: look at the way to it (NAT, VPC endpoint, HTTPS_PROXY), or at AWS_ENDPOINT_URL_STS"
    } else {
        "give the process credentials: a role of the task, the pod or the machine, AWS_PROFILE, AWS_ACCESS_KEY_ID, or \
         AWS_BEARER_TOKEN_BEDROCK"
    };
    AWS_CREDENTIALS.fault(whose, text, advice)
}

/// One finding for each action that is missing.
fn told(whose: &str, tried: &[Check]) -> Vec<Finding> {
    let mut denied: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let mut others = Vec::new();
    for check in tried {
        match &check.verdict {
            Verdict::Allowed => {}
            Verdict::Denied {
                resource: Some(resource),
                ..
            } => {
                denied.entry(&check.action).or_default().insert(resource);
            }
            Verdict::Denied { message, .. } | Verdict::Failed { message } => {
                let on = check.on.as_deref().unwrap_or("everything");
                others.push(AWS_PERMISSIONS.warning(
                    format!("{whose}, {} on {on}", check.action),
                    message,
                    "look whether the account has access to this model in this region; docs/endpoints.md says how to find out",
                ));
            }
        }
    }
    let missing = denied.iter().map(|(action, resources)| {
        let resources: Vec<&str> = resources.iter().copied().collect();
        AWS_PERMISSIONS.fault(
            whose,
            format!("{action} is not allowed on {}", shortened(&resources)),
            format!("add {action} to the policy of the role or user; docs/endpoints.md has the whole policy"),
        )
    });
    let mut findings: Vec<Finding> = missing.collect();
    findings.extend(others);
    if findings.is_empty() {
        findings.push(AWS_PERMISSIONS.ok(whose, format!("{} operations are allowed", tried.len())));
    }
    findings
}

fn shortened(resources: &[&str]) -> String {
    match resources {
        [first, second, third, rest @ ..] if !rest.is_empty() => {
            format!("{first}, {second}, {third} and {} others", rest.len())
        }
        all => all.join(", "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_doctor::State;

    #[test]
    fn a_mistyped_region_is_told_from_one_that_is_new() {
        assert_eq!(judge_region("e", "eu-central-1", false).state, State::Ok);
        assert_eq!(judge_region("e", "xx-new-9", true).state, State::Ok);
        let wrong = judge_region("e", "us-esat-1", false);
        assert_eq!(wrong.state, State::Fault);
        assert!(wrong.advice.unwrap().contains("`us-east-1`"));
    }

    #[test]
    fn an_action_is_named_once_whatever_it_was_tried_on() {
        let check = |action: &str, verdict| Check {
            action: action.into(),
            on: None,
            verdict,
        };
        let denied = |resource: &str| Verdict::Denied {
            resource: Some(resource.into()),
            message: String::new(),
        };
        let found = told(
            "endpoint `a`",
            &[
                check("bedrock:InvokeModel", denied("arn:1")),
                check("bedrock:InvokeModel", denied("arn:2")),
                check("bedrock:CountTokens", Verdict::Allowed),
            ],
        );
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].found,
            "bedrock:InvokeModel is not allowed on arn:1, arn:2"
        );
    }

    #[test]
    fn a_clock_that_is_wrong_is_told_as_one() {
        let error = ControlError::Refused {
            operation: "GetCallerIdentity",
            status: 403,
            kind: "SignatureDoesNotMatch".into(),
            message: "Signature expired: 20261124T000000Z is now earlier than 20261124T010000Z".into(),
        };
        assert_eq!(refused("e", &error).check, "clock");
        let error = ControlError::Refused {
            operation: "GetCallerIdentity",
            status: 403,
            kind: "ExpiredToken".into(),
            message: "The security token included in the request is expired".into(),
        };
        assert!(refused("e", &error).advice.unwrap().contains("expired"));
    }
}
