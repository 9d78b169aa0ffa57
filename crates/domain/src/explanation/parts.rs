//! What an explanation is made of.

use super::{Word, is_false, is_zero_u32};
use crate::NanoUsd;
use serde::{Deserialize, Serialize};

/// Why a request was refused by the gateway.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct RefusedFor {
    /// What decided: `key`, `admission` (the key's rate, the spool), `body`, `request` (model, rules, route), `limit`,
    /// `budget`, `quota` (its team had its share of one that was short) or `endpoint`.
    pub stage: Word,
    /// The code of the refusal, as in `docs/errors.md`.
    pub code: Word,
    /// What the client was told; empty where that may repeat a part of the request.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub message: String,
    /// The field at fault.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
}

/// Whose request it was taken for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct KeyShown {
    /// The key.
    pub id: String,
    /// The user whom it belongs to.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user_id: Option<String>,
    /// The team that pays.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_id: Option<String>,
    /// Why that team: `key` (the key names it) or `user` (it is the user's).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub team_by: Option<Word>,
    /// The header that it came in.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub header: Word,
    /// `valid`, or why it was not.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub verdict: Word,
}

/// What was asked for.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct AskedFor {
    /// The model in the client's words.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub said: String,
    /// The canonical model.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub model: String,
    /// Whether the client wanted a stream.
    pub streaming: bool,
    /// About how many tokens the prompt has.
    pub input_estimate: u64,
    /// How many tokens were asked for.
    pub max_output: u64,
    /// How many of these Bedrock was asked for, where a budget had no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub lowered_to: Option<u64>,
}

/// A limit that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LimitChecked {
    /// Which: an id or a name.
    pub limit: String,
    /// What it counts: `requests`, `tokens` or `concurrency`.
    pub kind: Word,
    /// How much it allows.
    pub amount: u64,
    /// How much this request needed.
    pub needed: u64,
    /// `passed` or `refused`.
    pub verdict: Word,
}

/// A budget that was checked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct BudgetChecked {
    /// The budget.
    pub id: String,
    /// Whose spending it bounds: the kind of its scope.
    pub scope: Word,
    /// `daily`, `weekly`, `monthly` or `total`.
    pub period: Word,
    /// `balanced` or `hard`.
    pub mode: Word,
    /// The amount, raises included.
    pub limit_nano_usd: NanoUsd,
    /// From which amount on nothing is served; `None` if it never blocks.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ceiling_nano_usd: Option<NanoUsd>,
    /// What was spent, as far as the data plane knew.
    pub spent_nano_usd: NanoUsd,
    /// What was set aside for the request, or would have had to be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub needed_nano_usd: Option<NanoUsd>,
    /// Why so much: `likely`, `cautious` (little is left) or `most` (the budget is hard).
    #[serde(skip_serializing_if = "str::is_empty")]
    pub basis: Word,
    /// `passed`, `counted` (it never blocks), `refused` (too little was left) or `refused_by_rule` (from what is spent on it
    /// slows requests down, or lets only some models through).
    pub verdict: Word,
    /// What was taken from it in the end, by the prices that the data plane knew.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub drawn_nano_usd: Option<NanoUsd>,
}

/// Where a request might have gone.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Routed {
    /// The strategy by its name: `sticky`, `primary_fallback`, … Earlier releases wrote `rendezvous` for `sticky`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub strategy: Word,
    /// What an order sticks to: `session` (the client named one) or `conversation` (how it begins).
    #[serde(skip_serializing_if = "str::is_empty")]
    pub affinity: Word,
    /// Whose endpoints these are: `team` or `default`.
    #[serde(skip_serializing_if = "str::is_empty")]
    pub pool: Word,
    /// Whether the conversation had moved to the first of them, or away from where the order would begin.
    #[serde(skip_serializing_if = "is_false")]
    pub moved: bool,
    /// For how long room was waited for in the quota of the first one, where the conversation's prompts are cached; `None` if it
    /// was not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub waited_for_room_ms: Option<u64>,
    /// The endpoints, in the order in which they were to be tried.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub candidates: Vec<CandidateSeen>,
    /// The endpoints that were not tried. Of a request that went somewhere, only those among which it was chosen.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub not_tried: Vec<NotTried>,
}

/// An endpoint that was left out.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct NotTried {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its name.
    pub endpoint: String,
    /// Why: the name of an [`Exclusion`](crate::routing::Exclusion).
    pub why: Word,
}

/// An endpoint that might have served.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct CandidateSeen {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its name.
    pub endpoint: String,
    /// Its weight.
    pub weight: u32,
    /// The geography that it would have been priced in.
    pub geography: Word,
    /// Whether it was put last because it was in trouble lately.
    #[serde(skip_serializing_if = "is_false")]
    pub in_trouble: bool,
    /// How often it had throttled within the last minute, as far as the data plane knew.
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub throttled: u32,
    /// What a quota of AWS's said: `no_room`, or `over_share` (it was short, and the team had its share); `None` if it had room, or
    /// is not known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub quota: Option<Word>,
}

/// One time that Bedrock was asked.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Attempted {
    /// The endpoint.
    pub endpoint_id: String,
    /// Its name.
    pub endpoint: String,
    /// The lane.
    pub lane: Word,
    /// The model as Bedrock was asked for it; empty for those who may not see what can be an ARN.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub bedrock_model: String,
    /// The region that was called.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub region: String,
    /// The geography that it is priced in.
    pub geography: Word,
    /// Bedrock's HTTP status; `None` if there was no answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// The name of the error.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// Whether the request may have reached Bedrock.
    pub reached: bool,
    /// Until the first content, or the failure.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// Bedrock's own id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub aws_request_id: Option<String>,
    /// Why there was another attempt after it: `next_endpoint`, `other_once`, `not_ready`, `same_once`, `fresh_credentials`, `reduced`,
    /// `other_history`, `other_lane` or `searched`; `None` for the last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub then: Option<Word>,
    /// What the next attempt did without, where it was reduced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without: Option<String>,
}

/// What became of the request's parts.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Translated {
    /// The surface of Bedrock that the rules are for.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub surface: String,
    /// The version of the rule book.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub version: String,
    /// Whether the conversation was bound to it by an earlier turn.
    #[serde(skip_serializing_if = "is_false")]
    pub pinned: bool,
    /// What was done without because Bedrock has refused it before, or during this request: kind and value.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub lessons: Vec<String>,
    /// The betas that Bedrock got.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub betas_sent: Vec<String>,
    /// The betas that it did not get.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub betas_removed: Vec<String>,
    /// What else it did not get: kind and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub dropped: Vec<String>,
    /// What no rule names and it got all the same: kind and name.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unknown_passed: Vec<String>,
}

/// How a request that reached Bedrock ended.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct Ended {
    /// How many times Bedrock was asked.
    pub attempts: u32,
    /// The name of the error, where there was one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub error: Option<String>,
    /// From arrival to the first content.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first_token_ms: Option<u32>,
    /// From arrival to the end.
    pub duration_ms: u32,
    /// Whether the counts of tokens are estimates.
    #[serde(skip_serializing_if = "is_false")]
    pub estimated: bool,
    /// Successful web searches.
    #[serde(skip_serializing_if = "is_zero_u32")]
    pub web_searches: u32,
}

/// Entries of a list that did not fit in.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
#[serde(default)]
pub struct LeftOut {
    /// The list.
    pub list: Word,
    /// How many.
    pub count: u32,
}
