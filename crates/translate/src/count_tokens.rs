//! Counting tokens: Anthropic's `count_tokens` body → Bedrock Runtime's `CountTokens`, or bedrock-mantle's `count_tokens`.

use crate::json::{Doc, Edits, Value};
use crate::noticed::Dropped;
use crate::profile::Profile;
use crate::request::{Headers, Peeked, Target, prepare_for, prepare_with};
use crate::search::Terms;
use crate::spliced::Spliced;
use ccag_domain::{Code, Problem};

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
    encode(&inner.body, &mut body);
    body.push_str("\"}}}");
    Ok(PreparedCount {
        body: body.into_bytes(),
        dropped: inner.dropped,
    })
}

/// Appends a text in base64. Pieces have to be a multiple of three bytes long for that: what is over goes with the next.
fn encode(text: &Spliced<'_>, out: &mut String) {
    let mut over: Vec<u8> = Vec::with_capacity(3);
    for piece in text.pieces() {
        let (first, rest) = piece.as_bytes().split_at(piece.len().min((3 - over.len()) % 3));
        over.extend_from_slice(first);
        if over.len().is_multiple_of(3) {
            base64_simd::STANDARD.encode_append(&over, out);
            let whole = rest.len() - rest.len() % 3;
            base64_simd::STANDARD.encode_append(&rest[..whole], out);
            over.clear();
            over.extend_from_slice(&rest[whole..]);
        }
    }
    base64_simd::STANDARD.encode_append(&over, out);
}

/// A body for a lane that counts tokens in Anthropic's own way, with its headers.
#[derive(Debug, Clone)]
pub struct PreparedLaneCount {
    /// The body.
    pub body: Vec<u8>,
    /// The headers that go with it.
    pub headers: Vec<(&'static str, String)>,
}

/// What Anthropic's count_tokens takes (Anthropic API reference, "Count tokens in a Message"); what else a client sends does
/// not change the count.
const COUNTED: [&str; 9] = [
    "model",
    "messages",
    "system",
    "tools",
    "tool_choice",
    "thinking",
    "output_config",
    "context_management",
    "cache_control",
];

/// Makes the body for a lane's own `count_tokens`, for the model that Bedrock calls `model`.
///
/// # Errors
/// As [`prepare`], and [`Code::InvalidRequest`] if the body is not what its first reading said.
pub fn prepare_lane_count(
    peeked: &Peeked<'_>,
    headers: Headers<'_>,
    profile: &Profile,
    (model, terms): (&str, &Terms),
) -> Result<PreparedLaneCount, Problem> {
    let target = Target {
        model,
        terms: Some(terms),
        ..Target::default()
    };
    let prepared = prepare_for(peeked, headers, profile, target)?;
    let unreadable = || Problem::new(Code::InvalidRequest, "The request body is not valid JSON");
    let whole = prepared.body.to_vec();
    let text = std::str::from_utf8(&whole).map_err(|_| unreadable())?;
    let doc = Doc::parse(text, 1).map_err(|_| unreadable())?;
    let counted = |key: &Value<'_>| COUNTED.iter().any(|name| key.is_text(name));
    let removed: Vec<usize> = doc
        .root()
        .members()
        .enumerate()
        .filter(|(_, (key, _))| !counted(key))
        .map(|(at, _)| at)
        .collect();
    let mut edits = Edits::default();
    edits.remove_children(doc.root(), &removed);
    Ok(PreparedLaneCount {
        body: edits.apply(text),
        headers: prepared.headers,
    })
}

/// Reads Anthropic's `{"input_tokens":n}`.
#[must_use]
pub fn read_lane_answer(body: &[u8]) -> Option<u64> {
    #[derive(serde::Deserialize)]
    struct Answer {
        input_tokens: u64,
    }
    serde_json::from_slice::<Answer>(body)
        .ok()
        .map(|a| a.input_tokens)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spliced::Part;

    #[test]
    fn pieces_of_any_length_become_the_base64_of_the_whole() {
        let long = "abcdefgh".repeat(4_000);
        for cuts in [
            [1, 2, 3],
            [2, 2, 2],
            [20_001, 20_002, 1],
            [16_384, 3, 20_000],
            [0, 20_003, 31_999],
        ] {
            let parts: Vec<Part<'_, '_>> = cuts.iter().map(|&n| Part::Kept(&long[..n])).collect();
            let spliced = Spliced::of(&parts);
            let mut out = String::from("so: ");
            encode(&spliced, &mut out);
            let whole = base64_simd::STANDARD.encode_to_string(spliced.to_vec());
            assert_eq!(out, format!("so: {whole}"), "{cuts:?}");
        }
    }
}
