//! Counting tokens: Anthropic's `count_tokens` body → Bedrock Runtime's `CountTokens`.

use crate::profile::Profile;
use crate::request::{Dropped, Headers, Peeked, prepare_with};
use crate::search::Terms;
use ccag_domain::Problem;

/// A body for `CountTokens`.
#[derive(Debug, Clone)]
pub struct PreparedCount {
    /// `{"input":{"invokeModel":{"body":"<base64>"}}}`.
    pub body: Vec<u8>,
    /// What the client sent and Bedrock does not get.
    pub dropped: Vec<Dropped>,
}

/// Makes the body for `CountTokens` out of a count_tokens body that was read with
/// [`Operation::CountTokens`](crate::request::Operation::CountTokens).
///
/// # Errors
/// As [`prepare_with`].
pub fn prepare_count(
    peeked: &Peeked<'_>,
    headers: Headers<'_>,
    profile: &Profile,
) -> Result<PreparedCount, Problem> {
    prepare_count_with(peeked, headers, profile, &Terms::default())
}

/// The same with the web search tool and earlier searches as `terms` say.
///
/// # Errors
/// As [`prepare_with`].
pub fn prepare_count_with(
    peeked: &Peeked<'_>,
    headers: Headers<'_>,
    profile: &Profile,
    terms: &Terms,
) -> Result<PreparedCount, Problem> {
    let inner = prepare_with(peeked, headers, profile, terms)?;
    let mut body = String::with_capacity(inner.body.len() * 4 / 3 + 48);
    body.push_str(r#"{"input":{"invokeModel":{"body":""#);
    base64_simd::STANDARD.encode_append(&inner.body, &mut body);
    body.push_str("\"}}}");
    Ok(PreparedCount {
        body: body.into_bytes(),
        dropped: inner.dropped,
    })
}

/// The answer for the client: `{"input_tokens":n}`.
#[must_use]
pub fn answer(input_tokens: u64) -> Vec<u8> {
    format!("{{\"input_tokens\":{input_tokens}}}").into_bytes()
}

/// Reads Bedrock's `{"inputTokens":n}`.
#[must_use]
pub fn read_answer(body: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Answer {
        #[serde(rename = "inputTokens")]
        input_tokens: u64,
    }
    serde_json::from_slice::<Answer>(body)
        .ok()
        .map(|a| a.input_tokens)
}
