//! Token counts, from all the places where Bedrock puts them.

use crate::json::Value;
use ccag_domain::Tokens;

/// The counts seen so far. Each is the highest that any place named: Bedrock repeats them in some places, leaves them out in
/// others, and never takes one back.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) struct Usage {
    pub(crate) input: u64,
    pub(crate) output: u64,
    pub(crate) cache_read: u64,
    /// All cache writes.
    pub(crate) cache_write: u64,
    pub(crate) write_5m: u64,
    pub(crate) write_1h: u64,
}

impl Usage {
    /// Takes in an Anthropic `usage` object.
    pub(crate) fn anthropic(&mut self, usage: Value<'_>) {
        for (key, value) in usage.members() {
            let count = value.u64().unwrap_or(0);
            let slot = match key.raw_text().unwrap_or_default() {
                "input_tokens" => &mut self.input,
                "output_tokens" => &mut self.output,
                "cache_read_input_tokens" => &mut self.cache_read,
                "cache_creation_input_tokens" => &mut self.cache_write,
                "cache_creation" => {
                    let part = |name: &str| value.get(name).and_then(|v| v.u64()).unwrap_or(0);
                    self.write_5m = self.write_5m.max(part("ephemeral_5m_input_tokens"));
                    self.write_1h = self.write_1h.max(part("ephemeral_1h_input_tokens"));
                    continue;
                }
                _ => continue,
            };
            *slot = (*slot).max(count);
        }
    }

    /// Takes in Bedrock's `amazon-bedrock-invocationMetrics`.
    pub(crate) fn metrics(&mut self, metrics: Value<'_>) {
        for (key, value) in metrics.members() {
            let slot = match key.raw_text().unwrap_or_default() {
                "inputTokenCount" => &mut self.input,
                "outputTokenCount" => &mut self.output,
                "cacheReadInputTokenCount" => &mut self.cache_read,
                "cacheWriteInputTokenCount" => &mut self.cache_write,
                _ => continue,
            };
            *slot = (*slot).max(value.u64().unwrap_or(0));
        }
    }

    /// Adds the counts of another call.
    pub(crate) fn add(&mut self, other: &Self) {
        self.input += other.input;
        self.output += other.output;
        self.cache_read += other.cache_read;
        self.cache_write += other.cache_write;
        self.write_5m += other.write_5m;
        self.write_1h += other.write_1h;
    }

    /// The counts by class. Writes that were not broken down count as one-hour writes if the request asked for any, so that
    /// they are never priced too low.
    pub(crate) fn tokens(&self, writes_1h: bool) -> Tokens {
        let rest = self.cache_write.saturating_sub(self.write_5m + self.write_1h);
        let (rest_5m, rest_1h) = if writes_1h { (0, rest) } else { (rest, 0) };
        Tokens {
            input: self.input,
            output: self.output,
            cache_read: self.cache_read,
            cache_write_5m: self.write_5m + rest_5m,
            cache_write_1h: self.write_1h + rest_1h,
        }
    }
}
