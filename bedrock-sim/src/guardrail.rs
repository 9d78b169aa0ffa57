//! Guardrails that look for words: as headers of `InvokeModel`, and `ApplyGuardrail`.

use crate::http::{Answer, answer, refuse};
use crate::{Shared, account};
use axum::http::{HeaderMap, header};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::borrow::Cow;
use std::sync::PoisonError;

/// A guardrail.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Guardrail {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: String,
    /// Words that block a prompt.
    #[serde(default)]
    pub input_words: Vec<String>,
    /// Words that block an answer.
    #[serde(default)]
    pub output_words: Vec<String>,
    /// Words that `ApplyGuardrail` masks.
    #[serde(default)]
    pub masked_words: Vec<String>,
    /// What is said instead of an answer to a blocked prompt.
    pub blocked_input: String,
    /// What is said instead of a blocked answer.
    pub blocked_output: String,
}

/// A guardrail that a request asks for, and how much it wants to be told.
pub(crate) struct Asked {
    pub(crate) guardrail: Guardrail,
    trace: bool,
}

/// What a guardrail did to a request.
pub(crate) struct Outcome {
    pub(crate) intervened: bool,
    trace: Option<Value>,
}

impl Outcome {
    /// Bedrock's own keys for the answer.
    pub(crate) fn keys(&self) -> Vec<(&'static str, Value)> {
        let action = if self.intervened { "INTERVENED" } else { "NONE" };
        let mut keys = vec![("amazon-bedrock-guardrailAction", json!(action))];
        keys.extend(self.trace.clone().map(|trace| ("amazon-bedrock-trace", trace)));
        keys
    }
}

const HEADERS: [&str; 2] = [
    "x-amzn-bedrock-guardrailidentifier",
    "x-amzn-bedrock-guardrailversion",
];

/// Whether a request names a guardrail.
pub(crate) fn is_named(headers: &HeaderMap) -> bool {
    HEADERS.iter().any(|name| headers.contains_key(*name))
}

/// The guardrail that the headers of an `InvokeModel` request name.
pub(crate) fn asked(shared: &Shared, headers: &HeaderMap, body: &Value) -> Result<Option<Asked>, String> {
    let header = |name: &str| headers.get(name).and_then(|v| v.to_str().ok());
    let (id, version) = match (header(HEADERS[0]), header(HEADERS[1])) {
        (Some(id), Some(version)) => (id, version),
        (None, None) if body["amazon-bedrock-guardrailConfig"].is_null() => return Ok(None),
        (None, None) => {
            return Err("amazon-bedrock-guardrailConfig requires a guardrail identifier and version.".into());
        }
        _ => return Err("Both guardrailIdentifier and guardrailVersion must be given.".into()),
    };
    let guardrail = find(shared, id, version).ok_or_else(|| {
        "The guardrail identifier or version provided in the request does not exist.".to_owned()
    })?;
    let trace = header("x-amzn-bedrock-trace").is_some_and(|value| value.starts_with("ENABLED"));
    Ok(Some(Asked { guardrail, trace }))
}

fn find(shared: &Shared, id: &str, version: &str) -> Option<Guardrail> {
    let known = shared.guardrails.lock().unwrap_or_else(PoisonError::into_inner);
    known.iter().find(|g| g.id == id && g.version == version).cloned()
}

impl Asked {
    /// What is said instead, if the prompt is blocked. With tags only what is tagged is looked at; the tags go.
    pub(crate) fn look_at_input(&self, body: &mut Value) -> Option<(String, Outcome)> {
        let suffix = suffix(body).map(str::to_owned);
        let mut texts = Vec::new();
        for part in ["system", "messages"] {
            collect(&body[part], &mut texts);
        }
        let text = texts.join("\n");
        let looked_at = match &suffix {
            Some(suffix) => tagged(&text, suffix),
            None => text,
        };
        if let Some(suffix) = &suffix {
            untag(body, suffix);
        }
        let word = found(&self.guardrail.input_words, &looked_at)?;
        let trace = json!({"guardrail": {"input": {&self.guardrail.id: assessment(word, "BLOCKED")}}});
        Some((self.guardrail.blocked_input.clone(), self.outcome(true, trace)))
    }

    /// What is said instead, if the answer is blocked.
    pub(crate) fn look_at_output(&self, text: &str) -> Option<(String, Outcome)> {
        let word = found(&self.guardrail.output_words, text)?;
        let trace = json!({"guardrail": {"outputs": [{&self.guardrail.id: [assessment(word, "BLOCKED")]}]}});
        Some((self.guardrail.blocked_output.clone(), self.outcome(true, trace)))
    }

    /// Nothing was found.
    pub(crate) fn passed(&self) -> Outcome {
        self.outcome(false, json!({"guardrail": {}}))
    }

    fn outcome(&self, intervened: bool, trace: Value) -> Outcome {
        Outcome {
            intervened,
            trace: self.trace.then_some(trace),
        }
    }
}

fn found<'w>(words: &'w [String], text: &str) -> Option<&'w String> {
    let text = text.to_lowercase();
    words.iter().find(|word| text.contains(&word.to_lowercase()))
}

fn assessment(word: &str, action: &str) -> Value {
    json!({"wordPolicy": {"customWords": [{"match": word, "action": action}]}})
}

fn collect<'v>(value: &'v Value, texts: &mut Vec<&'v str>) {
    match value {
        Value::String(text) => texts.push(text),
        Value::Array(items) => items.iter().for_each(|item| collect(item, texts)),
        Value::Object(map) => {
            for key in ["content", "text"] {
                if let Some(inner) = map.get(key) {
                    collect(inner, texts);
                }
            }
        }
        _ => {}
    }
}

fn tags(suffix: &str) -> (String, String) {
    let name = format!("amazon-bedrock-guardrails-guardContent_{suffix}>");
    (format!("<{name}"), format!("</{name}"))
}

fn tagged(text: &str, suffix: &str) -> String {
    let (open, close) = tags(suffix);
    let mut rest = text;
    let mut inside = String::new();
    while let Some((_, after)) = rest.split_once(&open) {
        let (text, tail) = after.split_once(&close).unwrap_or((after, ""));
        inside.push_str(text);
        inside.push('\n');
        rest = tail;
    }
    inside
}

fn suffix(body: &Value) -> Option<&str> {
    body.pointer("/amazon-bedrock-guardrailConfig/tagSuffix")?
        .as_str()
}

/// A request as the model sees it: without tags.
pub(crate) fn untagged(body: &Value) -> Cow<'_, Value> {
    let Some(suffix) = suffix(body) else {
        return Cow::Borrowed(body);
    };
    let mut plain = body.clone();
    untag(&mut plain, suffix);
    Cow::Owned(plain)
}

fn untag(value: &mut Value, suffix: &str) {
    match value {
        Value::String(text) => {
            let (open, close) = tags(suffix);
            if text.contains(&open) {
                *text = text.replace(&open, "").replace(&close, "");
            }
        }
        Value::Array(items) => items.iter_mut().for_each(|item| untag(item, suffix)),
        Value::Object(map) => map.values_mut().for_each(|item| untag(item, suffix)),
        _ => {}
    }
}

/// Answers `ApplyGuardrail`.
pub(crate) fn apply(shared: &Shared, id: &str, version: &str, body: &[u8]) -> Answer {
    if let Some(error) = account::scripted_error(shared, "guardrail", id, body) {
        return refuse(error.0, &error.1, &error.2);
    }
    let Some(guardrail) = find(shared, id, version) else {
        let message = "The guardrail identifier or version provided in the request does not exist.";
        return refuse(404, "ResourceNotFoundException", message);
    };
    let request: Value = serde_json::from_slice(body).unwrap_or(Value::Null);
    let (words, instead) = match request["source"].as_str() {
        Some("INPUT") => (&guardrail.input_words, &guardrail.blocked_input),
        Some("OUTPUT") => (&guardrail.output_words, &guardrail.blocked_output),
        _ => return refuse(400, "ValidationException", "source must be INPUT or OUTPUT"),
    };
    let content = request["content"].as_array().into_iter().flatten();
    let texts: Vec<&str> = content.filter_map(|c| c["text"]["text"].as_str()).collect();
    if texts.is_empty() {
        return refuse(400, "ValidationException", "content must not be empty");
    }
    let chars: usize = texts.iter().map(|text| text.chars().count()).sum();
    if chars > 25_000 {
        return refuse(
            400,
            "ValidationException",
            "Input is too large: more than 25 text units.",
        );
    }
    let text = texts.join("\n");
    let (action, outputs, assessments) = if let Some(word) = found(words, &text) {
        let outputs = json!([{"text": instead}]);
        (
            "GUARDRAIL_INTERVENED",
            outputs,
            json!([assessment(word, "BLOCKED")]),
        )
    } else if let Some(word) = found(&guardrail.masked_words, &text) {
        let masked: Vec<Value> = texts
            .iter()
            .map(|t| json!({"text": t.replace(word.as_str(), "{MASKED}")}))
            .collect();
        let assessments = json!([assessment(word, "ANONYMIZED")]);
        ("GUARDRAIL_INTERVENED", json!(masked), assessments)
    } else {
        ("NONE", json!([]), json!([]))
    };
    let units = chars.div_ceil(1_000);
    let body = json!({"action": action, "outputs": outputs, "assessments": assessments,
        "usage": {"wordPolicyUnits": units}});
    answer(200, body.to_string()).with(header::CONTENT_TYPE, "application/json")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_tagged_is_looked_at_and_the_model_sees_no_tags() {
        let asked = Asked {
            guardrail: Guardrail {
                input_words: vec!["forbidden".into()],
                blocked_input: "no".into(),
                ..Guardrail::default()
            },
            trace: false,
        };
        let (open, close) = tags("s1");
        let body = |text: String| {
            json!({"system": "forbidden", "messages": [{"role": "user", "content": text}],
                "amazon-bedrock-guardrailConfig": {"tagSuffix": "s1"}})
        };
        let mut harmless = body(format!("{open}hello{close}"));
        assert!(asked.look_at_input(&mut harmless).is_none());
        assert_eq!(harmless["messages"][0]["content"], "hello");
        assert!(
            asked
                .look_at_input(&mut body(format!("{open}FORBIDDEN{close}")))
                .is_some()
        );
        let mut untagged = json!({"system": "forbidden", "messages": []});
        assert!(asked.look_at_input(&mut untagged).is_some());
    }
}
