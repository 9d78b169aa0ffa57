//! Signatures of thinking blocks, and what they are bound to.
//!
//! Older models sign what a block shows. The newer ones sign the whole history before it as well: the system prompt, the
//! tools and all earlier messages as they were received. Whoever rewrites that history differently on the next turn is
//! refused. Cache marks, the order of tools, tools that were added, and the way in which text is spelt (a string or one text
//! block) make no difference; earlier thinking may have been left out.

use crate::models::Model;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// How many bytes stand for one tool.
const TOOL: usize = 8;

/// The signature of a block that shows `shown` and answers `body`.
pub(crate) fn sign(shown: &str, body: &Value, model: &Model) -> String {
    let mut signature = of_text(shown);
    if model.bound_thinking {
        let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
        signature.extend(of_history(&body["system"], messages, &[]));
        signature.extend(tools(body).flatten());
    }
    STANDARD.encode(signature)
}

/// Whether all thinking in the history was signed here, for this history.
pub(crate) fn check(body: &Value, model: &Model) -> Result<(), String> {
    let messages = body["messages"].as_array().map_or(&[][..], Vec::as_slice);
    for (i, message) in messages.iter().enumerate() {
        let blocks = message["content"].as_array().map_or(&[][..], Vec::as_slice);
        for (j, block) in blocks.iter().enumerate() {
            if block["type"] != "thinking" {
                continue;
            }
            let place = format!("messages.{i}.content.{j}: Invalid `signature` in `thinking` block");
            let signature = block["signature"].as_str().unwrap_or_default();
            let Ok(signature) = STANDARD.decode(signature) else {
                return Err(place);
            };
            let shown = of_text(block["thinking"].as_str().unwrap_or_default());
            let Some(bound_to) = signature.strip_prefix(shown.as_slice()) else {
                return Err(place);
            };
            // Thinking of a model that binds nothing is taken by all, and models that bind nothing take all.
            if bound_to.is_empty() || !model.bound_thinking {
                continue;
            }
            let history = of_history(&body["system"], &messages[..i], &blocks[..j]);
            let now: Vec<_> = tools(body).collect();
            let kept = |signed: &[[u8; TOOL]]| signed.iter().all(|tool| now.contains(tool));
            let fits = bound_to
                .strip_prefix(history.as_slice())
                .is_some_and(|signed| kept(signed.as_chunks().0));
            if !fits {
                return Err(format!(
                    "{place}. The block is bound to a different conversation: the system prompt, the tools and the \
                     messages before it must be those that it was generated with."
                ));
            }
        }
    }
    Ok(())
}

fn of_text(shown: &str) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"bedrock-sim thinking\0");
    hash.update(shown.as_bytes());
    hash.finalize().to_vec()
}

fn of_history(system: &Value, messages: &[Value], begun: &[Value]) -> Vec<u8> {
    let mut hash = Sha256::new();
    hash.update(b"bedrock-sim history\0");
    hash.update(Value::Array(plain(system)).to_string().as_bytes());
    let begun = json!({"role": "assistant", "content": begun});
    for message in messages.iter().chain([&begun]) {
        let content = plain(&message["content"]);
        if !content.is_empty() {
            hash.update(json!([message["role"], content]).to_string().as_bytes());
        }
    }
    hash.finalize().to_vec()
}

/// Content as a list of blocks, without cache marks and thinking.
fn plain(content: &Value) -> Vec<Value> {
    let blocks = match content {
        Value::String(text) if !text.is_empty() => return vec![json!({"type": "text", "text": text})],
        Value::Array(blocks) => blocks,
        _ => return Vec::new(),
    };
    let mut plain_blocks = Vec::with_capacity(blocks.len());
    for block in blocks {
        if matches!(block["type"].as_str(), Some("thinking" | "redacted_thinking")) {
            continue;
        }
        let mut block = without_mark(block);
        if block["type"] == "tool_result" && block.get("content").is_some() {
            block["content"] = Value::Array(plain(&block["content"]));
        }
        plain_blocks.push(block);
    }
    plain_blocks
}

fn without_mark(block: &Value) -> Value {
    let mut block = block.clone();
    if let Some(map) = block.as_object_mut() {
        map.shift_remove("cache_control");
    }
    block
}

/// The tools, each as a few bytes.
fn tools(body: &Value) -> impl Iterator<Item = [u8; TOOL]> {
    body["tools"].as_array().into_iter().flatten().map(|tool| {
        let digest = Sha256::digest(without_mark(tool).to_string().as_bytes());
        std::array::from_fn(|i| digest[i])
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Named, find};

    fn model(id: &str) -> &'static Model {
        match find(id) {
            Named::Model(model) => model,
            _ => panic!("missing"),
        }
    }

    const OPUS: &str = "us.anthropic.claude-opus-5-5";

    fn first_turn() -> Value {
        json!({
            "system": [{"type": "text", "text": "S", "cache_control": {"type": "ephemeral"}}],
            "tools": [{"name": "a", "input_schema": {}}, {"name": "b", "input_schema": {}}],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "x", "cache_control": {"type": "ephemeral"}}]},
                {"role": "system", "content": [{"type": "text", "text": "env"}]}]
        })
    }

    /// The turn after it, as `by` signed its answer.
    fn second_turn(by: &str) -> Value {
        let mut body = first_turn();
        let signature = sign("", &body, model(by));
        let messages = body["messages"].as_array_mut().unwrap();
        messages.push(json!({"role": "assistant", "content": [
            {"type": "thinking", "thinking": "", "signature": signature}, {"type": "text", "text": "y"}]}));
        messages.push(json!({"role": "user", "content": "z"}));
        body
    }

    fn answer(change: impl FnOnce(&mut Value)) -> String {
        let mut body = second_turn(OPUS);
        change(&mut body);
        check(&body, model(OPUS)).err().unwrap_or_default()
    }

    #[test]
    fn what_makes_no_difference_passes() {
        assert_eq!(answer(|_| {}), "");
        assert_eq!(answer(|body| body["system"] = json!("S")), "");
        assert_eq!(answer(|body| body["messages"][1]["content"] = json!("env")), "");
        assert_eq!(answer(|body| body["messages"][0]["content"] = json!("x")), "");
        let reordered = json!([{"name": "c", "defer_loading": true}, {"name": "b", "input_schema": {}},
            {"name": "a", "input_schema": {}, "cache_control": {"type": "ephemeral"}}]);
        assert_eq!(answer(|body| body["tools"] = reordered), "");
    }

    #[test]
    fn a_history_that_was_rewritten_is_refused() {
        let changes: [fn(&mut Value); 6] = [
            |body| body["system"][0]["text"] = json!("T"),
            |body| body["messages"][0]["content"][0]["text"] = json!("x "),
            |body| body["messages"][1]["role"] = json!("user"),
            |body| body["tools"] = json!([{"name": "a", "input_schema": {}}]),
            |body| body["tools"][0]["description"] = json!("new"),
            |body| {
                body["messages"].as_array_mut().unwrap().remove(1);
            },
        ];
        for (i, change) in changes.into_iter().enumerate() {
            assert!(
                answer(change).contains("bound to a different conversation"),
                "{i}"
            );
        }
    }

    #[test]
    fn thinking_that_was_not_signed_here_is_refused() {
        let message = answer(|body| body["messages"][2]["content"][0]["signature"] = json!("EqoB"));
        assert_eq!(
            message,
            "messages.2.content.0: Invalid `signature` in `thinking` block"
        );
    }

    #[test]
    fn only_some_models_bind_and_each_takes_the_others() {
        let opus_4_8 = "us.anthropic.claude-opus-4-8";
        let mut body = second_turn(OPUS);
        body["system"] = json!("another");
        assert_eq!(check(&body, model(opus_4_8)), Ok(()));
        let mut body = second_turn(opus_4_8);
        body["system"] = json!("another");
        assert_eq!(check(&body, model(OPUS)), Ok(()));
    }
}
