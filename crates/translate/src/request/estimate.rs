//! How many tokens a prompt has, roughly, without asking anybody.

use crate::json::Value;

/// An image of the size that clients send: width times height over 750 (Anthropic, "Vision").
const IMAGE_TOKENS: u64 = 1_600;

/// A base64 document: about 2 000 tokens per page; its length says little about its pages.
const DOCUMENT_BYTES_PER_TOKEN: u64 = 30;

/// What Anthropic adds to a prompt with tools (Anthropic, "Tool use", token counts of the tool system prompt).
const TOOL_TOKENS: u64 = 346;

/// Counts text by its bytes (3.5 to a token) and base64 data flat, never as text.
pub(crate) fn input_tokens(root: Value<'_>) -> u64 {
    let mut bytes = 0;
    let mut flat = 0;
    for (key, value) in root.members() {
        if key.is_text("messages") {
            bytes += value.raw().len() as u64;
            if memchr::memmem::find(value.raw().as_bytes(), b"base64").is_some() {
                for message in value.elements() {
                    for block in message.get("content").into_iter().flat_map(Value::elements) {
                        block_data(block, &mut bytes, &mut flat);
                    }
                }
            }
        } else if key.is_text("system") {
            bytes += value.raw().len() as u64;
        } else if key.is_text("tools") && !value.is_empty() {
            bytes += value.raw().len() as u64;
            flat += TOOL_TOKENS;
        }
    }
    bytes * 2 / 7 + flat
}

/// Takes the data of images and documents out of the text.
fn block_data(block: Value<'_>, bytes: &mut u64, flat: &mut u64) {
    if let Some(source) = block.get("source")
        && source.get("type").is_some_and(|t| t.is_text("base64"))
        && let Some(data) = source.get("data")
    {
        let length = data.raw().len() as u64;
        *bytes = bytes.saturating_sub(length);
        *flat += if block.get("type").is_some_and(|t| t.is_text("document")) {
            length / DOCUMENT_BYTES_PER_TOKEN + IMAGE_TOKENS
        } else {
            IMAGE_TOKENS
        };
    }
    for inner in block.get("content").into_iter().flat_map(Value::elements) {
        block_data(inner, bytes, flat);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Doc;

    fn estimate(text: &str) -> u64 {
        input_tokens(Doc::parse(text, 8).unwrap().root())
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
