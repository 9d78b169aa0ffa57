//! What Bedrock takes: versions of the rules, admins' own rules, what was learnt, and what was left out or is unknown.

use crate::Timestamp;
use ccag_domain::{EndpointId, RuleId};
use serde_json::Value;

/// The answer to `GET /admin/capabilities`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct CapabilitiesView {
    /// The surfaces of Bedrock, each with the versions of its rules.
    pub surfaces: Vec<SurfaceView>,
    /// The rules that admins have laid over the shipped ones, the newest first: of several that fit, the first decides.
    pub rules: Vec<RuleView>,
    /// What endpoints have refused, the newest first.
    pub learnt: Vec<FactView>,
    /// What was left out of requests and answers, and what no rule names: unknown names first, then by how often.
    pub seen: Vec<SeenView>,
}

/// One surface of Bedrock.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SurfaceView {
    /// Its name: `invoke-model`.
    pub surface: String,
    /// The version of the rules that new conversations follow.
    pub version: String,
    /// All versions that running conversations may still follow, the newest first.
    pub versions: Vec<BookView>,
}

/// One version of the rules.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct BookView {
    /// The version.
    pub version: String,
    /// When it was made.
    pub made_at: Timestamp,
    /// By whom: a user id, or `system`.
    pub made_by: String,
    /// Why.
    pub reason: String,
}

/// A rule of an admin's own.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct RuleView {
    /// Its id.
    pub id: RuleId,
    /// The surface that it holds for.
    pub surface: String,
    /// The table that it stands in: `betas`, `fields`, `tools`, and so on.
    pub table: String,
    /// The rule itself, in the form of the table's rows: `{"name": "…", "do": "drop", "source": "…"}`.
    pub rule: Value,
    /// When it was last changed.
    pub changed_at: Timestamp,
    /// By whom: a user id, or `system`.
    pub changed_by: String,
}

/// The body of `POST /admin/capabilities/rules` and `PUT /admin/capabilities/rules/{id}`.
#[derive(Debug, Clone, PartialEq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(deny_unknown_fields)]
pub struct WriteRule {
    /// The surface; `invoke-model` if it is left out.
    #[serde(default = "invoke_model")]
    pub surface: String,
    /// The table.
    pub table: String,
    /// The rule, in the form of the table's rows.
    pub rule: Value,
}

fn invoke_model() -> String {
    "invoke-model".to_owned()
}

/// Something that an endpoint refused, and new conversations there do without.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct FactView {
    /// Its id.
    pub id: String,
    /// Where it was refused.
    pub endpoint_id: EndpointId,
    /// The endpoint's name, if it still exists.
    pub endpoint_name: Option<String>,
    /// Which model refused it: the id that Bedrock was asked for.
    pub bedrock_model: String,
    /// On which surface.
    pub surface: String,
    /// Under which version of the rules.
    pub version: String,
    /// What kind of thing: `beta`, `path`, `max_tokens`, `minimal_betas` or `no_betas`.
    pub kind: String,
    /// Which one; empty where the kind says it all.
    pub value: String,
    /// When it was learnt.
    pub learnt_at: Timestamp,
}

/// Something that was left out of a request or an answer, or that no rule names.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct SeenView {
    /// Of requests `beta`, `field`, `content`, `tool` or `tool_type`; of answers `event`, `answer_block` or `delta`.
    pub kind: String,
    /// Its name.
    pub name: String,
    /// Whether the rules know it.
    pub known: bool,
    /// How often it came.
    pub count: u64,
    /// When it first came.
    pub first_seen_at: Timestamp,
    /// When it last came.
    pub last_seen_at: Timestamp,
}
