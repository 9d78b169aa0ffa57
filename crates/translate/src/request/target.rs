//! What a prepared request is for: the lane's own form of it, and the marks of a guardrail.

use super::plan::Plan;
use crate::json::{Doc, Edits, Kind, Value, quoted};
use crate::search::Terms;
use ccag_domain::Lane;
use sha2::{Digest, Sha256};

/// The version header of Anthropic's API for requests that ask for no other (Anthropic, "Versions").
const API_VERSION: &str = "2023-06-01";

/// The beginning of the element that a guardrail looks into (Amazon Bedrock user guide, "Apply tags to user input").
const GUARD: &str = "amazon-bedrock-guardrails-guardContent_";

/// How deep the texts of a tool's result lie: `content[i].content[j].text`.
const RESULT_DEPTH: usize = 5;

/// What a request is prepared for, beside the surface and model that its profile is for.
#[derive(Debug, Clone, Copy, Default)]
pub struct Target<'t> {
    /// The id that Bedrock is asked for. Lanes whose body names the model need it.
    pub model: &'t str,
    /// The suffix of the tags around what a guardrail is to look at, on `InvokeModel`: at most 20 letters and digits, the
    /// same for all turns of a conversation, and nothing that a client can guess.
    pub guard_suffix: Option<&'t str>,
    /// Whether the answer is to be a stream though the client has not asked for one. Lanes whose body says so need it.
    pub streamed: bool,
    /// The most output tokens that may be asked for, where that is fewer than the model can give.
    pub most_output: Option<u64>,
    /// The service tier that is asked for instead of the client's, on the lanes whose body says so.
    pub service_tier: Option<&'t str>,
    /// What becomes of web search; without terms it is not carried out.
    pub terms: Option<&'t Terms>,
}

/// The headers of Anthropic's format that a lane wants with the body.
pub(crate) fn headers(lane: Lane, version: &str, betas: &[String]) -> Vec<(&'static str, String)> {
    if lane == Lane::InvokeModel {
        return Vec::new();
    }
    let mut headers = vec![("anthropic-version", version.to_owned())];
    if !betas.is_empty() {
        headers.push(("anthropic-beta", betas.join(",")));
    }
    headers
}

/// The version that goes into the header.
pub(crate) fn header_version(strict: Option<&'static str>) -> &'static str {
    strict.unwrap_or(API_VERSION)
}

impl Plan<'_> {
    /// Replaces `user_id` by something of letters and digits that stays the same for the same user.
    pub(crate) fn metadata(&mut self, metadata: Value<'_>) {
        if let Some(id) = metadata.get("user_id").filter(|v| v.kind() == Kind::String) {
            let digest = Sha256::digest(id.text().unwrap_or_default().as_bytes());
            let hex: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
            self.edits.replace(id, quoted(&hex));
        }
    }

    /// Tags a text for the guardrail, if tags are wanted.
    pub(crate) fn guard(&mut self, text: Value<'_>) {
        let Some((open, close)) = self.guard_tags() else {
            return;
        };
        if text.kind() == Kind::String && text.raw_text() != Some("") {
            self.edits.insert(text.start() + 1, open);
            self.edits.insert(text.end() - 1, close);
        }
    }

    /// Tags what a `tool_result` that we have written says, as [`Plan::guard`] does with those of clients.
    pub(crate) fn guarded_result(&self, result: String) -> String {
        let Some((open, close)) = self.guard_tags() else {
            return result;
        };
        let Ok(doc) = Doc::parse(&result, RESULT_DEPTH) else {
            return result;
        };
        let mut edits = Edits::default();
        let mut said = vec![doc.root().get("content")];
        while let Some(next) = said.pop() {
            let Some(value) = next else { continue };
            if value.kind() == Kind::String {
                edits.insert(value.start() + 1, open.as_str());
                edits.insert(value.end() - 1, close.as_str());
            }
            for block in value.elements() {
                said.extend([block.get("text"), block.get("content")]);
            }
        }
        edits.apply_range(&result, 0, result.len())
    }

    /// The tags, if any are wanted.
    pub(crate) fn guard_tags(&self) -> Option<(String, String)> {
        let suffix = self.guard_suffix?;
        Some((format!("<{GUARD}{suffix}>"), format!("</{GUARD}{suffix}>")))
    }
}
