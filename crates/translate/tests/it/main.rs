//! Whole translations, as a client and Bedrock see them.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    missing_docs,
    reason = "tests"
)]

mod errors;
mod frames;
mod recorded;
mod requests;
mod responses;
mod search;
mod splice;
mod streams;
mod vectors;

use ccag_domain::{ModelName, Problem, catalogue};
use ccag_translate::profile::{Profile, RuleBook};
use ccag_translate::request::{Headers, Operation, Prepared, peek, prepare};

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

/// Translates a request body for its own model.
pub(crate) fn translate(body: &str, betas: &[&str]) -> Result<Prepared, Problem> {
    let peeked = peek(body.as_bytes(), Operation::Messages)?;
    prepare(
        &peeked,
        Headers { betas, version: None },
        &profile(peeked.model()),
    )
}

/// The translated body as text.
pub(crate) fn sent(body: &str) -> String {
    String::from_utf8(translate(body, &[]).unwrap().body).unwrap()
}
