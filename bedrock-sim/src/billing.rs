//! How many tokens a request is, and which of them come from the prompt cache.

use crate::account::Usage;
use crate::models::Model;
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::collections::HashMap;

const FIVE_MINUTES_MS: i64 = 300_000;
const ONE_HOUR_MS: i64 = 3_600_000;

/// A token for every four bytes of JSON: a stand-in for a tokenizer, the same for the same request.
pub(crate) fn count(value: &Value) -> u64 {
    match value {
        Value::Object(map) if map.get("type").is_some_and(|t| t == "image") => 1_500,
        Value::Object(map) => map
            .iter()
            .filter(|(k, _)| *k != "cache_control")
            .map(|(_, v)| 1 + count(v))
            .sum(),
        Value::Array(items) => items.iter().map(count).sum(),
        Value::String(text) => u64::try_from(text.len().div_ceil(4)).unwrap_or(u64::MAX),
        _ => 1,
    }
}

/// The whole prompt in tokens.
pub(crate) fn prompt_tokens(body: &Value) -> u64 {
    ["tools", "system", "messages"]
        .iter()
        .map(|part| count(&body[*part]))
        .sum()
}

/// The prompt cache: which prefixes are warm, by model and hash, and until when.
#[derive(Debug, Default)]
pub(crate) struct PromptCache {
    warm: HashMap<[u8; 32], i64>,
}

impl PromptCache {
    /// Splits a prompt's tokens into classes and warms the prefixes that it marks.
    pub(crate) fn bill(&mut self, body: &Value, model: &Model, now_ms: i64) -> Usage {
        let mut hash = Sha256::new();
        hash.update(model.id.as_bytes());
        let mut walk = Walk {
            hash,
            tokens: 0,
            marks: Vec::new(),
        };
        for part in ["tools", "system", "messages"] {
            walk.visit(&body[part]);
        }
        let marks: Vec<Mark> = walk
            .marks
            .into_iter()
            .filter(|m| m.tokens >= model.cache_min)
            .collect();
        let read = marks
            .iter()
            .rev()
            .find(|m| self.warm.get(&m.prefix).is_some_and(|until| *until > now_ms))
            .map_or(0, |m| m.tokens);
        let mut usage = Usage {
            cache_read: read,
            ..Usage::default()
        };
        let mut done = read;
        for mark in &marks {
            let fresh = mark.tokens.saturating_sub(done);
            if mark.hour {
                usage.cache_write_1h += fresh;
            } else {
                usage.cache_write_5m += fresh;
            }
            done = done.max(mark.tokens);
            let life = if mark.hour { ONE_HOUR_MS } else { FIVE_MINUTES_MS };
            self.warm.insert(mark.prefix, now_ms + life);
        }
        usage.input = walk.tokens.saturating_sub(done).max(1);
        usage
    }
}

struct Mark {
    prefix: [u8; 32],
    tokens: u64,
    hour: bool,
}

struct Walk {
    hash: Sha256,
    tokens: u64,
    marks: Vec<Mark>,
}

impl Walk {
    /// Goes through blocks in the order in which the prompt is rendered.
    fn visit(&mut self, value: &Value) {
        match value {
            Value::Array(items) => items.iter().for_each(|item| self.visit(item)),
            Value::Object(map) if map.contains_key("role") => {
                self.hash.update(map["role"].to_string().as_bytes());
                self.visit(&map["content"]);
            }
            Value::Object(map) => {
                let mut plain = map.clone();
                let mark = plain.remove("cache_control");
                let plain = Value::Object(plain);
                self.hash.update(plain.to_string().as_bytes());
                self.tokens += count(&plain);
                if let Some(mark) = mark {
                    self.marks.push(Mark {
                        prefix: self.hash.clone().finalize().into(),
                        tokens: self.tokens,
                        hour: mark["ttl"] == "1h",
                    });
                }
            }
            Value::Null => {}
            other => {
                self.hash.update(other.to_string().as_bytes());
                self.tokens += count(other);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::models::{Named, find};
    use serde_json::json;

    #[test]
    fn the_second_request_reads_what_the_first_wrote() {
        let Named::Model(model) = find("us.anthropic.claude-opus-5-5") else {
            panic!("missing");
        };
        let body = json!({
            "system": [{"type": "text", "text": "x".repeat(8000), "cache_control": {"type": "ephemeral", "ttl": "1h"}}],
            "messages": [{"role": "user", "content": "hi"}]
        });
        let mut cache = PromptCache::default();
        let first = cache.bill(&body, model, 0);
        assert!(first.cache_write_1h >= 2000 && first.cache_read == 0);
        let second = cache.bill(&body, model, 1000);
        assert_eq!(
            (second.cache_read, second.cache_write_1h),
            (first.cache_write_1h, 0)
        );
        let late = cache.bill(&body, model, 1000 + ONE_HOUR_MS + 1);
        assert_eq!(late.cache_read, 0);
    }
}
