//! The record of one finished request.

use crate::{
    AccountId, EndpointId, Explanation, Geography, KeyId, Lane, ModelName, NanoUsd, PromptFacts, ReplicaId,
    RequestId, TeamId, Tokens, ToolCounts, UnixMs, UsageId, UserId,
};

/// How a request ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(rename_all = "lowercase")]
pub enum Outcome {
    /// The whole answer was produced.
    Completed,
    /// Bedrock refused or failed before any content.
    Failed,
    /// The answer broke off: an error, a cut connection or the gateway's own deadline.
    Cut,
    /// The client went away.
    Abandoned,
}

impl Outcome {
    /// The name used in the API and the database.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            Self::Failed => "failed",
            Self::Cut => "cut",
            Self::Abandoned => "abandoned",
        }
    }

    /// Reads a name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Completed, Self::Failed, Self::Cut, Self::Abandoned]
            .into_iter()
            .find(|o| o.as_str() == text)
    }
}

/// One finished request that reached Bedrock. It holds ids, counts and times, never a word of the conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UsageRecord {
    /// Made by the data plane; what makes counting idempotent.
    pub id: UsageId,
    /// The id that the client saw.
    pub request_id: RequestId,
    /// Bedrock's own id of the last attempt, for AWS support and CloudTrail.
    pub aws_request_id: Option<String>,
    /// The key that was shown.
    pub key_id: KeyId,
    /// Whom it is attributed to.
    pub user_id: Option<UserId>,
    /// The team that pays.
    pub team_id: Option<TeamId>,
    /// The canonical model.
    pub model: ModelName,
    /// The id that Bedrock was asked for.
    pub bedrock_model: String,
    /// The geography it is priced in.
    pub geography: Geography,
    /// The endpoint that served it.
    pub endpoint_id: EndpointId,
    /// Whether the client asked for a stream.
    pub streaming: bool,
    /// How it ended.
    pub outcome: Outcome,
    /// Bedrock's or the gateway's name of the error, where there was one: `ThrottlingException`.
    pub error: Option<String>,
    /// The HTTP status that the client got.
    pub status: u16,
    /// What it used.
    pub tokens: Tokens,
    /// Successful web searches, which are priced each. A request that was answered from a search alone has one and no
    /// tokens, and was not put to Bedrock: its attempts are 0.
    pub web_searches: u32,
    /// Whether the output count is an estimate from what passed, because Bedrock's own did not arrive.
    pub estimated: bool,
    /// How many times Bedrock was asked.
    pub attempts: u32,
    /// When the request arrived.
    pub started_at_ms: UnixMs,
    /// From arrival to the first content byte to the client.
    pub first_token_ms: Option<u32>,
    /// From arrival to the end.
    pub duration_ms: u32,
    /// Claude Code's session id, if it sent one; [`UsageRecord::LANE_PROBE`] for a request of the gateway's own.
    pub session_id: Option<String>,
    /// Which agent of the session asked, as the client names it; `None` for the main one.
    pub agent_id: Option<String>,
    /// The data plane that served it.
    pub replica_id: ReplicaId,
    /// The lane that Bedrock was asked through.
    pub surface: Lane,
    /// What the data plane has taken for it from the shares of budgets that it was granted.
    pub draws: Vec<Draw>,
    /// In which of its runs the data plane did so: they are counted.
    pub run: u64,
    /// How it was decided. Whether the record counts never depends on it.
    pub explanation: Option<Box<Explanation>>,
    /// Which tools the model has called; and, of a request that completed, which of those before have failed.
    pub tools: ToolCounts,
    /// What is known of the prompt; `None` from data planes that do not tell yet.
    pub prompt: Option<PromptFacts>,
}

/// What a request has taken from a share of a budget.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Draw {
    /// The account of the budget.
    pub account: AccountId,
    /// How much.
    pub amount: NanoUsd,
}

impl UsageRecord {
    /// The session of the requests by which a data plane finds out whether a lane serves a model. They are billed, so they
    /// have records, under the key whose request gave rise to them.
    pub const LANE_PROBE: &'static str = "lane-probe";
}
