//! Whole translations, as a client and Bedrock see them.
#![expect(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod bedrock;
mod errors;
mod exchanges;
mod frames;
mod lanes;
mod recorded;
mod requests;
mod responses;
mod rules;
mod search;
mod splice;
mod streams;
mod vectors;

use ccag_domain::{Model, ModelName, Problem, catalogue};
use ccag_translate::profile::{Profile, RuleBook};
use ccag_translate::request::{Headers, Operation, Prepared, peek, prepare};
use std::sync::LazyLock;

/// The profile that a data plane would use for a client's model name.
pub(crate) fn profile(model: &str) -> Profile {
    let asked = ccag_translate::model::asked(model);
    let known = catalogue::models().into_iter().find(|m| {
        let names = || m.aliases.iter().chain([&m.name]);
        names().any(|n| *n == asked.name || Some(n) == asked.undated.as_ref())
    });
    let (name, max) = known.map_or((ModelName::canonical("claude-opus-5-5"), 128_000), |m| {
        (m.name, m.max_output_tokens)
    });
    RuleBook::invoke_model().profile(&name, max)
}

/// The most output tokens of a model; those of the newest models for one that is not known.
pub(crate) fn max_output_tokens(name: &ModelName) -> u32 {
    static MODELS: LazyLock<Vec<Model>> = LazyLock::new(catalogue::models);
    let undated = name.without_date();
    let is = |n: &ModelName| n == name || Some(n) == undated.as_ref();
    let known = MODELS.iter().find(|m| m.aliases.iter().chain([&m.name]).any(is));
    known.map_or(128_000, |m| m.max_output_tokens)
}

/// Translates a request body for its own model. The body is never freed.
pub(crate) fn translate(body: &str, betas: &[&str]) -> Result<Prepared<'static>, Problem> {
    let body: &'static str = body.to_owned().leak();
    let peeked = peek(body.as_bytes(), Operation::Messages)?;
    prepare(
        &peeked,
        Headers { betas, version: None },
        &profile(peeked.model()),
    )
}

/// The translated body as text.
pub(crate) fn sent(body: &str) -> String {
    String::from_utf8(translate(body, &[]).unwrap().body.to_vec()).unwrap()
}
