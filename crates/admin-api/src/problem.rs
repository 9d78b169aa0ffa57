//! Refusals: RFC 9457 problem details.

use ccag_domain::{Problem, RequestId};

/// The content type of a refusal.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// A refusal as the admin API sends it.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub struct ProblemBody {
    /// A URI that names the kind of problem: `urn:ccag:problem:` and the code.
    #[serde(rename = "type", default)]
    pub kind: String,
    /// The kind of problem, for people.
    #[serde(default)]
    pub title: String,
    /// The HTTP status.
    #[serde(default)]
    pub status: u16,
    /// What is wrong in this case, and what to do.
    #[serde(default)]
    pub detail: String,
    /// The kind of problem, for programs: `not-found`.
    #[serde(default)]
    pub code: String,
    /// Finds the request in the logs.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<RequestId>,
    /// The field of the request that is at fault.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

impl ProblemBody {
    /// Writes a refusal down.
    #[must_use]
    pub fn new(problem: &Problem, request_id: RequestId) -> Self {
        Self {
            kind: format!("urn:ccag:problem:{}", problem.code.slug()),
            title: problem.code.title().to_owned(),
            status: problem.code.status(),
            detail: problem.message.clone(),
            code: problem.code.slug().to_owned(),
            request_id: Some(request_id),
            field: problem.field.clone(),
        }
    }
}
