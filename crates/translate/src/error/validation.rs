//! `ValidationException`: what a 400 is about can only be read off its words.

use super::classify::{Answer, model_missing};
use super::{Failure, Health, Retry};
use crate::profile::Reduction;
use ccag_domain::{Code, Problem};

/// Words that mean that the prompt does not fit the context.
const OVERFLOW: [&str; 6] = [
    "input is too long",
    "prompt is too long",
    "expected maxlength:",
    "too many input tokens",
    "prompt: length: 1..",
    "too many total text bytes",
];

/// Fields that change what the model says: leaving one out would not do what the client asked for.
const NOT_OURS: [&str; 3] = ["temperature", "top_p", "top_k"];

pub(super) fn validation(model: &str, message: &str) -> Answer {
    let lower = message.to_ascii_lowercase();
    let has = |words: &str| lower.contains(words);
    let unchanged = || Problem::new(Code::InvalidRequest, message);
    let throttled = has("please wait") || has("per day");
    if !throttled && OVERFLOW.iter().any(|words| has(words)) {
        return (overflow(message), Retry::Never, Health::Fine);
    }
    if has("exceed context limit") {
        return (unchanged(), Retry::Never, Health::Fine);
    }
    if has("invalid `signature` in `thinking` block") {
        return (unchanged(), Retry::OtherHistory, Health::Fine);
    }
    if let Some((problem, reduction)) = with_less(message, &lower) {
        return (problem, Retry::Reduced(reduction), Health::Fine);
    }
    let no_model = [
        "on-demand throughput",
        "model identifier is invalid",
        "data retention mode",
        "marked by provider as legacy",
        "end of its life",
    ];
    if no_model.iter().any(|words| has(words)) {
        return model_missing(&Failure {
            model,
            ..Failure::default()
        });
    }
    if has("doesn't support counting tokens") {
        let text = format!("tokens of model `{model}` cannot be counted");
        return (
            Problem::new(Code::NotFound, text),
            Retry::Never,
            Health::CountingUnsupported,
        );
    }
    if has("guardrail identifier") || has("guardrail version") {
        let text =
            "the guardrail that requests must pass is not available; an administrator has to correct it";
        return (
            Problem::new(Code::PolicyBlocked, text),
            Retry::NextEndpoint,
            Health::Fine,
        );
    }
    if has("tool type '") && has("is not supported") {
        return (
            Problem::new(Code::PolicyBlocked, message),
            Retry::Never,
            Health::Fine,
        );
    }
    (unchanged(), Retry::Never, Health::Fine)
}

/// Refusals that name what to leave out, or that are known to be about one thing.
fn with_less(message: &str, lower: &str) -> Option<(Problem, Reduction)> {
    let unchanged = || Problem::new(Code::InvalidRequest, message);
    // Bedrock's own words, and those of the model.
    let limit = number_after(lower, "exceeds the model limit of ").or_else(|| {
        let ours = lower.contains("max_tokens: ") && lower.contains(", which is the maximum allowed");
        ours.then(|| number_after(lower, " > ")).flatten()
    });
    if let Some(limit) = limit {
        let text = format!("max_tokens: the model takes at most {limit}");
        let problem = Problem::new(Code::InvalidRequest, text).field("max_tokens");
        return Some((problem, Reduction::MaxTokens(limit)));
    }
    if lower.contains("invalid beta flag") {
        let problem = Problem::new(Code::BadUpstream, "Bedrock refused the betas of the request");
        return Some((problem.should_retry(false), Reduction::MinimalBetas));
    }
    if let Some(beta) = quoted_after(message, "Unexpected value(s) `") {
        return Some((unchanged(), Reduction::Beta(beta)));
    }
    if let Some(path) = extra_input(message).filter(|path| !NOT_OURS.contains(&path.as_str())) {
        return Some((unchanged(), Reduction::Path(path)));
    }
    lower
        .contains("request metadata contains a value that violates")
        .then(|| (unchanged(), Reduction::Path("metadata".to_owned())))
}

/// The words that Claude Code compacts the conversation on.
fn overflow(message: &str) -> Problem {
    let lower = message.to_ascii_lowercase();
    let numbers = number_before(&lower, " tokens > ").zip(number_after(&lower, " tokens > "));
    let text = match numbers {
        Some((tokens, maximum)) => format!("prompt is too long: {tokens} tokens > {maximum} maximum"),
        None if lower.starts_with("input is too long") || lower.starts_with("prompt is too long") => {
            message.to_owned()
        }
        None => format!("Input is too long for requested model. ({message})"),
    };
    Problem::new(Code::InvalidRequest, text)
}

fn number_after(text: &str, words: &str) -> Option<u64> {
    let rest = &text[text.find(words)? + words.len()..];
    let end = rest.find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

fn number_before(text: &str, words: &str) -> Option<u64> {
    let before = &text[..text.find(words)?];
    let start = before.rfind(|c: char| !c.is_ascii_digit()).map_or(0, |i| i + 1);
    before[start..].parse().ok()
}

fn quoted_after(text: &str, words: &str) -> Option<String> {
    let rest = &text[text.find(words)? + words.len()..];
    rest.split('`')
        .next()
        .filter(|beta| !beta.is_empty())
        .map(str::to_owned)
}

/// The path in `tools.0.custom.strict: Extra inputs are not permitted` or `extraneous key [strict] is not permitted`.
fn extra_input(message: &str) -> Option<String> {
    if let Some(end) = message.find(": Extra inputs are not permitted") {
        let before = &message[..end];
        let start = before
            .rfind(|c: char| c.is_whitespace() || c == '"')
            .map_or(0, |i| i + 1);
        return Some(before[start..].trim_start_matches("#/").to_owned()).filter(|path| !path.is_empty());
    }
    let rest = &message[message.find("extraneous key [")? + "extraneous key [".len()..];
    let (key, after) = rest.split_once(']')?;
    after
        .contains("not permitted")
        .then(|| key.to_owned())
        .filter(|key| !key.is_empty())
}
