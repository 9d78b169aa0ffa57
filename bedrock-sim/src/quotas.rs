//! Service Quotas, as far as a gateway asks for it: `ListServiceQuotas` of Bedrock, in AWS JSON 1.1.

use crate::Shared;
use crate::http::{Answer, answer};
use crate::iam;
use crate::models::MODELS;
use crate::sigv4::Signed;
use axum::http::{HeaderMap, header};
use serde_json::{Value, json};

/// What is allowed of each model: tokens in a minute through the profile of a geography.
const PER_MINUTE: u64 = 1_000_000;

/// Whether a request is for Service Quotas.
pub(crate) fn is_meant(headers: &HeaderMap) -> bool {
    let target = headers.get("x-amz-target").and_then(|v| v.to_str().ok());
    target.is_some_and(|target| target.starts_with("ServiceQuotasV20190624."))
}

fn refuse(kind: &str, message: &str) -> Answer {
    answer(400, json!({"__type": kind, "Message": message}).to_string())
        .with(header::CONTENT_TYPE, "application/x-amz-json-1.1")
}

/// Refuses whoever is not who they say.
pub(crate) fn denied(kind: &str, message: &str) -> Answer {
    refuse(kind, message)
}

/// ListServiceQuotas: `MaxResults` to a page, the next page's token is a position.
pub(crate) fn list(shared: &Shared, request: &Signed<'_>) -> Answer {
    if let Err(denied) = iam::check(shared, request.headers, "servicequotas:ListServiceQuotas", "*") {
        return refuse(denied.error_type, &denied.message);
    }
    let asked: Value = serde_json::from_slice(request.body).unwrap_or_default();
    if asked["ServiceCode"] != "bedrock" {
        return refuse("NoSuchResourceException", "The service does not exist.");
    }
    let size = asked["MaxResults"].as_u64().unwrap_or(100);
    let from = match &asked["NextToken"] {
        Value::Null => 0,
        token => match token.as_str().and_then(|t| t.parse::<usize>().ok()) {
            Some(from) => from,
            None => return refuse("InvalidPaginationTokenException", "Invalid token."),
        },
    };
    let size = usize::try_from(size.clamp(1, 100))
        .unwrap_or(100)
        .min(shared.page);
    let all = quotas(shared);
    let page: Vec<&Value> = all.iter().skip(from).take(size).collect();
    let mut body = json!({"Quotas": page});
    if from + size < all.len() {
        body["NextToken"] = json!((from + size).to_string());
    }
    answer(200, body.to_string()).with(header::CONTENT_TYPE, "application/x-amz-json-1.1")
}

fn quotas(shared: &Shared) -> Vec<Value> {
    let mut named = vec![
        ("Guardrails per account".to_owned(), 100),
        (
            "Cross-Model Max Tokens Per Day".to_owned(),
            100 * 1_440 * PER_MINUTE,
        ),
    ];
    for model in MODELS.iter() {
        let name = format!("Anthropic {} V1", model.name);
        let set = shared.admission.limit(&model.id);
        if model.geographies.iter().any(|g| g == "global") {
            named.push((
                format!("Global cross-region model inference tokens per minute for {name}"),
                set.unwrap_or(2 * PER_MINUTE),
            ));
        }
        named.push((
            format!("Cross-region model inference tokens per minute for {name}"),
            set.unwrap_or(PER_MINUTE),
        ));
        named.push((
            format!("Model invocation max tokens per day for {name} (doubled for cross-region calls)"),
            1_440 * PER_MINUTE,
        ));
        if model.on_demand {
            named.push((
                format!("On-demand model inference requests per minute for {name}"),
                50,
            ));
            named.push((format!("On-demand batch inference records for {name}"), 50_000));
        }
    }
    named
        .into_iter()
        .enumerate()
        .map(|(n, (name, value))| {
            json!({
                "ServiceCode": "bedrock", "ServiceName": "Amazon Bedrock", "QuotaCode": format!("L-{n:08X}"),
                "QuotaName": name, "Value": value, "Unit": "None", "Adjustable": true, "GlobalQuota": false
            })
        })
        .collect()
}
