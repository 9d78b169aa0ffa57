//! Request vectors: `tests/vectors/requests.json` says for each body what must and must not be sent.

use crate::profile;
use ccag_translate::count_tokens::prepare_count;
use ccag_translate::request::{Headers, Operation, peek, prepare};
use serde_json::Value;

/// Vectors that later work is to make pass, and why they do not yet.
const NOT_YET: &[(&str, &str)] = &[
    ("V-mod-005", "needs GetInferenceProfile"),
    ("V-gr-005", "guardrail tags come with guardrails"),
];

fn upstream(vector: &Value) -> Result<Vec<u8>, ccag_domain::Problem> {
    let body = vector["body"].to_string();
    let betas: Vec<&str> = vector["betas"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let headers = Headers {
        betas: &betas,
        version: vector["version"].as_str(),
    };
    if vector["count"] == true {
        let peeked = peek(body.as_bytes(), Operation::CountTokens)?;
        let outer = prepare_count(&peeked, headers, &profile(peeked.model()))?.body;
        let outer: Value = serde_json::from_slice(&outer).unwrap();
        let inner = outer
            .pointer("/input/invokeModel/body")
            .unwrap()
            .as_str()
            .unwrap();
        return Ok(base64_simd::STANDARD.decode_to_vec(inner).unwrap());
    }
    let peeked = peek(body.as_bytes(), Operation::Messages)?;
    prepare(&peeked, headers, &profile(peeked.model())).map(|p| p.body.to_vec())
}

fn holds(claim: &Value, raw: &str, body: &Value) -> bool {
    let claim = claim.as_object().unwrap();
    let at = claim["at"].as_str().unwrap();
    let value = if at == "raw" {
        Some(Value::String(raw.to_owned()))
    } else {
        body.pointer(at).cloned()
    };
    let Some(value) = value else { return false };
    let number = value.as_f64();
    claim
        .iter()
        .filter(|(op, _)| *op != "at")
        .all(|(op, wanted)| match op.as_str() {
            "eq" => value == *wanted,
            "contains" => match &value {
                Value::String(text) => text.contains(wanted.as_str().unwrap()),
                Value::Array(list) => list.contains(wanted),
                _ => false,
            },
            "set_eq" => {
                let sorted = |v: &Value| {
                    let mut list: Vec<String> = v.as_array().unwrap().iter().map(Value::to_string).collect();
                    list.sort();
                    list
                };
                sorted(&value) == sorted(wanted)
            }
            "lt" => number < wanted.as_f64(),
            "gt" => number > wanted.as_f64(),
            "ge" => number >= wanted.as_f64(),
            "le" => number <= wanted.as_f64(),
            "same_as_previous_call" => true,
            other => panic!("unknown claim {other}"),
        })
}

fn faults(vector: &Value) -> Vec<String> {
    let mut faults = Vec::new();
    let sent = match (upstream(vector), vector.get("refused")) {
        (Ok(sent), None) => sent,
        (Ok(_), Some(refusal)) => return vec![format!("passed, expected {refusal}")],
        (Err(problem), None) => return vec![format!("refused: {problem}")],
        (Err(problem), Some(refusal)) => {
            if refusal["type"] != problem.code.anthropic_type() {
                faults.push(format!("type {}", problem.code.anthropic_type()));
            }
            if refusal["says"]
                .as_str()
                .is_some_and(|says| !problem.message.contains(says))
            {
                faults.push(format!("says {}", problem.message));
            }
            return faults;
        }
    };
    claims(vector, &String::from_utf8(sent).unwrap())
}

/// What of `has` and `lacks` does not hold for a body.
pub(crate) fn claims(vector: &Value, raw: &str) -> Vec<String> {
    let mut faults = Vec::new();
    let body: Value = serde_json::from_str(raw).unwrap();
    for claim in vector["has"].as_array().into_iter().flatten() {
        if !holds(claim, raw, &body) {
            faults.push(format!("must have {claim}: {raw}"));
        }
    }
    for claim in vector["lacks"].as_array().into_iter().flatten() {
        if holds(claim, raw, &body) {
            faults.push(format!("must not have {claim}: {raw}"));
        }
    }
    faults
}

#[test]
fn every_request_vector_holds() {
    let vectors: Vec<Value> = serde_json::from_str(include_str!("../vectors/requests.json")).unwrap();
    assert!(vectors.len() >= 50);
    let mut wrong = Vec::new();
    for vector in &vectors {
        let id = vector["id"].as_str().unwrap();
        let faults = faults(vector);
        let excused = NOT_YET.iter().find(|(not_yet, _)| *not_yet == id);
        match (faults.is_empty(), excused) {
            (true, Some((_, why))) => wrong.push(format!("{id} holds now: strike it off the list ({why})")),
            (false, None) => wrong.push(format!("{id}: {}", faults.join("; "))),
            _ => {}
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
