//! Bedrock's control operations, as far as a gateway asks for them.

use crate::Shared;
use crate::http::{Answer, answer, refuse};
use crate::models::{MODELS, Model, base, profiles};
use crate::script::{Action, Availability};
use axum::http::header;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::sync::PoisonError;

pub(crate) fn query(raw: &str) -> HashMap<String, String> {
    let decode = |text: &str| {
        percent_encoding::percent_decode_str(&text.replace('+', " "))
            .decode_utf8_lossy()
            .into_owned()
    };
    raw.split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (decode(name), decode(value))
        })
        .collect()
}

fn json_answer(value: &Value) -> Answer {
    answer(200, value.to_string()).with(header::CONTENT_TYPE, "application/json")
}

fn profile(shared: &Shared, id: &str, geography: &str, model: &Model) -> Value {
    let (region, account) = (&shared.region, &shared.account_id);
    json!({
        "inferenceProfileId": id,
        "inferenceProfileName": format!("{} {}", geography.to_uppercase(), model.name),
        "inferenceProfileArn": format!("arn:aws:bedrock:{region}:{account}:inference-profile/{id}"),
        "description": format!("Routes requests to {} in {geography}.", model.name),
        "models": destinations(shared, geography, model),
        "status": "ACTIVE",
        "type": "SYSTEM_DEFINED",
        "createdAt": "2026-01-01T00:00:00Z",
        "updatedAt": "2026-01-01T00:00:00Z"
    })
}

/// An application inference profile: a copy of a system-defined one, or of a foundation model in this region.
#[derive(Debug, Clone)]
pub(crate) struct Application {
    pub(crate) id: String,
    pub(crate) name: String,
    /// The id that it was copied from.
    pub(crate) source: String,
}

fn application(shared: &Shared, profile: &Application) -> Value {
    let (region, account) = (&shared.region, &shared.account_id);
    let source = &profile.source;
    let found = profiles().find(|(id, ..)| id == source);
    let models = match found {
        Some((_, geography, model)) => destinations(shared, geography, model),
        None => json!([{"modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{source}")}]),
    };
    json!({
        "inferenceProfileId": profile.id,
        "inferenceProfileName": profile.name,
        "inferenceProfileArn": format!(
            "arn:aws:bedrock:{region}:{account}:application-inference-profile/{}", profile.id
        ),
        "models": models,
        "status": "ACTIVE",
        "type": "APPLICATION",
        "createdAt": "2026-02-01T00:00:00Z",
        "updatedAt": "2026-02-01T00:00:00Z"
    })
}

/// The foundation model in the regions that a profile can send requests to.
fn destinations(shared: &Shared, geography: &str, model: &Model) -> Value {
    let home = shared.region.as_str();
    let regions: &[&str] = match geography {
        // A global profile also names the model without a region.
        "global" => &["", home],
        "us" => &["us-east-1", "us-east-2", "us-west-2"],
        "eu" => &["eu-central-1", "eu-north-1", "eu-west-1", "eu-west-3"],
        "au" => &["ap-southeast-2", "ap-southeast-4"],
        "jp" => &["ap-northeast-1", "ap-northeast-3"],
        "apac" => &["ap-northeast-1", "ap-south-1", "ap-southeast-1"],
        "us-gov" => &["us-gov-east-1", "us-gov-west-1"],
        _ => &[home],
    };
    let arns = regions.iter().map(
        |region| json!({"modelArn": format!("arn:aws:bedrock:{region}::foundation-model/{}", model.id)}),
    );
    Value::Array(arns.collect())
}

/// What an application inference profile stands for; any other id stands for itself.
pub(crate) fn behind(shared: &Shared, id: &str) -> String {
    let Some((head, bare)) = id.split_once(":application-inference-profile/") else {
        return id.to_owned();
    };
    let ours = head == format!("arn:aws:bedrock:{}:{}", shared.region, shared.account_id);
    let known = shared.applications.lock().unwrap_or_else(PoisonError::into_inner);
    known
        .iter()
        .find(|profile| ours && profile.id == bare)
        .map_or_else(|| id.to_owned(), |profile| profile.source.clone())
}

/// ListInferenceProfiles: `maxResults` to a page, the next page's token is a position.
pub(crate) fn list_profiles(shared: &Shared, raw_query: &str) -> Answer {
    let query = query(raw_query);
    let number = |name: &str| query.get(name).map(|v| v.parse::<usize>());
    let (size, from) = match (number("maxResults"), number("nextToken")) {
        (None | Some(Ok(1..=1000)), None | Some(Ok(_))) => (
            number("maxResults").and_then(Result::ok).unwrap_or(100),
            number("nextToken").and_then(Result::ok).unwrap_or(0),
        ),
        _ => return refuse(400, "ValidationException", "1 validation error detected"),
    };
    let all: Vec<Value> = if query.get("type").is_some_and(|t| t == "APPLICATION") {
        let known = shared.applications.lock().unwrap_or_else(PoisonError::into_inner);
        known.iter().map(|p| application(shared, p)).collect()
    } else {
        profiles().map(|(id, g, m)| profile(shared, &id, g, m)).collect()
    };
    // AWS takes `maxResults` as a bound and not as a promise: pages may be shorter.
    let size = size.min(shared.page);
    let page: Vec<&Value> = all.iter().skip(from).take(size).collect();
    let mut body = json!({"inferenceProfileSummaries": page});
    if from + size < all.len() {
        body["nextToken"] = json!((from + size).to_string());
    }
    json_answer(&body)
}

/// GetInferenceProfile, by id or ARN.
pub(crate) fn get_profile(shared: &Shared, id: &str) -> Answer {
    let bare = id.rsplit('/').next().unwrap_or(id);
    let known = shared.applications.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(found) = known.iter().find(|p| p.id == bare) {
        return json_answer(&application(shared, found));
    }
    match profiles().find(|(known, ..)| known == bare) {
        Some((id, geography, model)) => json_answer(&profile(shared, &id, geography, model)),
        None => refuse(
            404,
            "ResourceNotFoundException",
            "The provided inference profile identifier was not found.",
        ),
    }
}

/// Models whose end has been announced.
const LEGACY: &[&str] = &["anthropic.claude-opus-4-1-20250805-v1:0"];

/// ListFoundationModels.
pub(crate) fn list_models(raw_query: &str) -> Answer {
    let provider = query(raw_query)
        .remove("byProvider")
        .unwrap_or_default()
        .to_lowercase();
    let fits = provider.is_empty() || provider == "anthropic";
    let summaries: Vec<Value> = MODELS
        .iter()
        .filter(|_| fits)
        .map(|m| {
            let types: &[&str] = if m.on_demand {
                &["ON_DEMAND", "INFERENCE_PROFILE"]
            } else {
                &["INFERENCE_PROFILE"]
            };
            json!({
                "modelArn": format!("arn:aws:bedrock:us-east-1::foundation-model/{}", m.id),
                "modelId": m.id,
                "modelName": m.name,
                "providerName": "Anthropic",
                "inputModalities": ["TEXT", "IMAGE"],
                "outputModalities": ["TEXT"],
                "responseStreamingSupported": true,
                "inferenceTypesSupported": types,
                "modelLifecycle": {"status": if LEGACY.contains(&m.id.as_str()) { "LEGACY" } else { "ACTIVE" }}
            })
        })
        .collect();
    json_answer(&json!({"modelSummaries": summaries}))
}

/// GetFoundationModelAvailability, of a foundation model.
pub(crate) fn availability(shared: &Shared, id: &str) -> Answer {
    let action = shared
        .script
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .take("availability", id, b"");
    let said = match action {
        Some(Action::Error {
            status,
            error_type,
            message,
        }) => return refuse(status, &error_type, &message),
        Some(Action::Availability(said)) => said,
        _ if base(id).is_none() => {
            let message = "The foundation model was not found.";
            return refuse(404, "ResourceNotFoundException", message);
        }
        _ => Availability::default(),
    };
    let mut agreement = json!({"status": said.agreement});
    if let Some(error) = said.agreement_error {
        agreement["errorMessage"] = json!(error);
    }
    json_answer(&json!({
        "modelId": id,
        "agreementAvailability": agreement,
        "authorizationStatus": said.authorization,
        "entitlementAvailability": said.entitlement,
        "regionAvailability": said.region
    }))
}

/// Unix milliseconds as `2026-11-24T13:51:37Z`.
pub(crate) fn iso(ms: i64) -> String {
    let seconds = ms.div_euclid(1000);
    let (days, rest) = (seconds.div_euclid(86_400), seconds.rem_euclid(86_400));
    let z = days + 719_468;
    let era = z.div_euclid(146_097);
    let day_of_era = z.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let m = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * m + 2) / 5 + 1;
    let month = if m < 10 { m + 3 } else { m - 9 };
    let year = year_of_era + era * 400 + i64::from(month <= 2);
    format!(
        "{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}Z",
        rest / 3600,
        rest / 60 % 60,
        rest % 60
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_iso_8601() {
        assert_eq!(iso(0), "1970-01-01T00:00:00Z");
        assert_eq!(iso(951_825_600_000), "2000-02-29T12:00:00Z");
    }
}
