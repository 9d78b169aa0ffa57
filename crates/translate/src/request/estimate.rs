//! How many tokens a prompt has, roughly, without asking anybody.

use crate::json::Value;

/// An image of the size that clients send: width times height over 750 (Anthropic, "Vision").
const IMAGE_TOKENS: u64 = 1_600;

/// A base64 document: about 2 000 tokens per page; its length says little about its pages.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 30;

/// What Anthropic adds to a prompt with tools (Anthropic, "Tool use", token counts of the tool system prompt).
const TOOL_TOKENS: u64 = 346;

/// The most that an image is: the long edge is scaled down to 2 576 pixels (Anthropic, "Vision", high resolution).
const MOST_IMAGE_TOKENS: u64 = 5_000;

/// The most that is added to a prompt without the client's doing: the tool system prompt and what thinking needs.
const MOST_ADDED_TOKENS: u64 = 1_500;

/// How many tokens a prompt has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Estimate {
    /// About.
    pub(crate) likely: u64,
    /// At most: no tokenizer makes more than one token of a byte of text. A prompt with a document has no bound but the
    /// model's context window: [`u64::MAX`].
    pub(crate) most: u64,
}

/// What a prompt consists of.
#[derive(Default)]
struct Parts {
    bytes: u64,
    flat: u64,
    images: u64,
    has_documents: bool,
}

/// Counts text by its bytes (3.5 to a token) and base64 data flat, never as text.
pub(crate) fn input_tokens(root: Value<'_>) -> Estimate {
    let mut parts = Parts::default();
    for (key, value) in root.members() {
        if key.is_text("messages") {
            parts.bytes += value.raw().len() as u64;
            if memchr::memmem::find(value.raw().as_bytes(), b"base64").is_some() {
                for message in value.elements() {
                    for block in message.get("content").into_iter().flat_map(Value::elements) {
                        block_data(block, &mut parts);
                    }
                }
            }
        } else if key.is_text("system") {
            parts.bytes += value.raw().len() as u64;
        } else if key.is_text("tools") && !value.is_empty() {
            parts.bytes += value.raw().len() as u64;
            parts.flat += TOOL_TOKENS;
        }
    }
    let most = if parts.has_documents {
        u64::MAX
    } else {
        parts.bytes + parts.images * MOST_IMAGE_TOKENS + MOST_ADDED_TOKENS
    };
    Estimate {
        likely: parts.bytes * 2 / 7 + parts.flat,
        most,
    }
}

/// Takes the data of images and documents out of the text.
fn block_data(block: Value<'_>, parts: &mut Parts) {
    let is_document = block.get("type").is_some_and(|t| t.is_text("document"));
    if let Some(source) = block.get("source")
        && source.get("type").is_some_and(|t| t.is_text("base64"))
        && let Some(data) = source.get("data")
    {
        let length = data.raw().len() as u64;
        parts.bytes = parts.bytes.saturating_sub(length);
        if is_document {
            parts.flat += length / DOCUMENT_BYTES_PER_TOKEN + IMAGE_TOKENS;
            parts.has_documents = true;
        } else {
            parts.flat += IMAGE_TOKENS;
            parts.images += 1;
        }
    }
    for inner in block.get("content").into_iter().flat_map(Value::elements) {
        block_data(inner, parts);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;

    fn estimate(text: &str) -> u64 {
        input_tokens(Doc::parse(text, 8).unwrap().root()).likely
    }

    #[test]
    fn the_most_is_a_token_for_a_byte_and_open_where_there_are_documents() {
        let most = |text: &str| input_tokens(Doc::parse(text, 8).unwrap().root()).most;
        let text = format!(r#"{{"messages":["{}"]}}"#, "a".repeat(3_500));
        assert!((3_500..5_100).contains(&most(&text)));
        let with = |kind: &str| {
            format!(
                r#"{{"messages":[{{"content":[{{"type":"{kind}","source":{{"type":"base64","data":"AAAA"}}}}]}}]}}"#
            )
        };
        assert!((5_000..7_000).contains(&most(&with("image"))));
        assert_eq!(most(&with("document")), u64::MAX);
    }

    #[test]
    fn base64_is_not_counted_as_text() {
        let image = format!(
            r#"{{"messages":[{{"role":"user","content":[{{"type":"tool_result","content":[{{"type":"image","source":{{"type":"base64","data":"{}"}}}}]}}]}}]}}"#,
            "A".repeat(1_000_000)
        );
        assert!((IMAGE_TOKENS..IMAGE_TOKENS + 100).contains(&estimate(&image)));
        assert!(estimate(&format!(r#"{{"messages":["{}"]}}"#, "a".repeat(3_500))) >= 1_000);
    }
}
