//! Usage records.

use super::{InvalidMessage, explanation, geography, id, lane, optional_id};
use crate::v1;
use ccag_domain::usage::Draw;
use ccag_domain::{
    AccountId, Caching, ModelName, NanoUsd, Outcome, PromptFacts, Tokens, ToolCalls, ToolCounts, UsageRecord,
};

impl From<Tokens> for v1::Tokens {
    fn from(tokens: Tokens) -> Self {
        Self {
            input: tokens.input,
            output: tokens.output,
            cache_read: tokens.cache_read,
            cache_write_5m: tokens.cache_write_5m,
            cache_write_1h: tokens.cache_write_1h,
        }
    }
}

impl From<v1::Tokens> for Tokens {
    fn from(message: v1::Tokens) -> Self {
        Self {
            input: message.input,
            output: message.output,
            cache_read: message.cache_read,
            cache_write_5m: message.cache_write_5m,
            cache_write_1h: message.cache_write_1h,
        }
    }
}

impl From<UsageRecord> for v1::UsageRecord {
    fn from(record: UsageRecord) -> Self {
        let outcome = match record.outcome {
            Outcome::Completed => v1::Outcome::Completed,
            Outcome::Failed => v1::Outcome::Failed,
            Outcome::Cut => v1::Outcome::Cut,
            Outcome::Abandoned => v1::Outcome::Abandoned,
        };
        Self {
            id: record.id.into(),
            request_id: record.request_id.into(),
            aws_request_id: record.aws_request_id,
            key_id: record.key_id.into(),
            user_id: record.user_id.map(Into::into),
            team_id: record.team_id.map(Into::into),
            model: record.model.to_string(),
            bedrock_model: record.bedrock_model,
            geography: record.geography.as_str().to_owned(),
            endpoint_id: record.endpoint_id.into(),
            streaming: record.streaming,
            outcome: outcome.into(),
            error: record.error,
            status: record.status.into(),
            tokens: Some(record.tokens.into()),
            estimated: record.estimated,
            attempts: record.attempts,
            started_at_ms: record.started_at_ms,
            first_token_ms: record.first_token_ms,
            duration_ms: record.duration_ms,
            session_id: record.session_id,
            replica_id: record.replica_id.into(),
            surface: record.surface.as_str().to_owned(),
            web_searches: record.web_searches,
            draws: record
                .draws
                .into_iter()
                .map(|draw| v1::Draw {
                    account: draw.account.into(),
                    amount: draw.amount.0,
                })
                .collect(),
            run: record.run,
            agent_id: record.agent_id,
            explanation: None,
            decided: (record.explanation.as_deref()).map(|told| explanation::encode(told).into()),
            tools: record.tools.into_calls().into_iter().map(tool).collect(),
            prompt: record.prompt.map(Into::into),
        }
    }
}

fn tool(tool: ToolCalls) -> v1::ToolCalls {
    v1::ToolCalls {
        name: tool.name,
        calls: tool.calls,
        failed: tool.failed,
    }
}

impl From<PromptFacts> for v1::Prompt {
    fn from(facts: PromptFacts) -> Self {
        let caching = match facts.caching {
            Caching::NotAsked => v1::Caching::NotAsked,
            Caching::NotTaken => v1::Caching::NotTaken,
            Caching::Minutes => v1::Caching::Minutes,
            Caching::Hour => v1::Caching::Hour,
        };
        Self {
            conversation: facts.conversation,
            tools: facts.tools,
            system: facts.system,
            has_history: facts.has_history,
            caching: caching.into(),
        }
    }
}

/// What is known of the prompt; nothing, where it is said in words of a later version.
fn prompt(message: v1::Prompt) -> Option<PromptFacts> {
    let caching = match v1::Caching::try_from(message.caching) {
        Ok(v1::Caching::NotAsked) => Caching::NotAsked,
        Ok(v1::Caching::NotTaken) => Caching::NotTaken,
        Ok(v1::Caching::Minutes) => Caching::Minutes,
        Ok(v1::Caching::Hour) => Caching::Hour,
        Ok(v1::Caching::Unspecified) | Err(_) => return None,
    };
    Some(PromptFacts {
        conversation: message.conversation,
        tools: message.tools,
        system: message.system,
        has_history: message.has_history,
        caching,
    })
}

/// Which tools were called; what counts nothing is left out.
fn tools(messages: Vec<v1::ToolCalls>) -> ToolCounts {
    let calls = messages.into_iter().map(|message| ToolCalls {
        name: message.name,
        calls: message.calls,
        failed: message.failed,
    });
    ToolCounts::of_calls(calls.filter(|tool| tool.calls > 0 || tool.failed > 0).collect())
}

/// What was drawn; an account that no longer makes sense has nothing to be settled.
fn draws(messages: Vec<v1::Draw>) -> Vec<Draw> {
    let draw = |message: v1::Draw| {
        Some(Draw {
            account: AccountId::parse(&message.account)?,
            amount: NanoUsd(message.amount.max(0)),
        })
    };
    messages.into_iter().filter_map(draw).collect()
}

impl TryFrom<v1::UsageRecord> for UsageRecord {
    type Error = InvalidMessage;
    fn try_from(message: v1::UsageRecord) -> Result<Self, InvalidMessage> {
        let outcome = match v1::Outcome::try_from(message.outcome) {
            Ok(v1::Outcome::Completed) => Outcome::Completed,
            Ok(v1::Outcome::Failed) => Outcome::Failed,
            Ok(v1::Outcome::Cut) => Outcome::Cut,
            Ok(v1::Outcome::Abandoned) => Outcome::Abandoned,
            _ => return Err(InvalidMessage::unusable("outcome", message.outcome)),
        };
        let mut record = Self {
            id: id("id", message.id)?,
            request_id: id("request_id", message.request_id)?,
            aws_request_id: message.aws_request_id,
            key_id: id("key_id", message.key_id)?,
            user_id: optional_id("user_id", message.user_id)?,
            team_id: optional_id("team_id", message.team_id)?,
            model: ModelName::canonical(&message.model),
            bedrock_model: message.bedrock_model,
            geography: geography(&message.geography)?,
            endpoint_id: id("endpoint_id", message.endpoint_id)?,
            streaming: message.streaming,
            outcome,
            error: message.error,
            status: u16::try_from(message.status)
                .map_err(|_| InvalidMessage::unusable("status", message.status))?,
            tokens: message.tokens.ok_or(InvalidMessage::Missing("tokens"))?.into(),
            estimated: message.estimated,
            attempts: message.attempts,
            started_at_ms: message.started_at_ms,
            first_token_ms: message.first_token_ms,
            duration_ms: message.duration_ms,
            session_id: message.session_id,
            agent_id: message.agent_id,
            replica_id: id("replica_id", message.replica_id)?,
            surface: lane("surface", &message.surface)?,
            web_searches: message.web_searches,
            draws: draws(message.draws),
            run: message.run,
            explanation: None,
            tools: tools(message.tools),
            prompt: message.prompt.and_then(prompt),
        };
        // One that makes no sense is none.
        let explanation = match (message.decided, message.explanation) {
            (Some(bytes), _) => explanation::decode(&bytes, &record),
            (None, Some(json)) => explanation::read(&json),
            (None, None) => None,
        };
        record.explanation = explanation.map(Box::new);
        Ok(record)
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use ccag_domain::{EndpointId, Geography, KeyId, Lane, ReplicaId, RequestId, UsageId};

    pub(in crate::convert) fn record() -> UsageRecord {
        UsageRecord {
            id: UsageId::parse("use_1").unwrap(),
            request_id: RequestId::parse("req_1").unwrap(),
            aws_request_id: Some("0d1c2b3a".into()),
            key_id: KeyId::parse("key_1").unwrap(),
            user_id: None,
            team_id: None,
            model: ModelName::canonical("claude-opus-5-5"),
            bedrock_model: "us.anthropic.claude-opus-5-5".into(),
            geography: Geography::Us,
            endpoint_id: EndpointId::parse("end_1").unwrap(),
            streaming: true,
            outcome: Outcome::Abandoned,
            error: None,
            status: 200,
            tokens: Tokens {
                input: 1,
                output: 2,
                cache_read: 3,
                cache_write_5m: 4,
                cache_write_1h: 5,
            },
            estimated: true,
            attempts: 2,
            started_at_ms: 1,
            first_token_ms: Some(3),
            duration_ms: 9,
            session_id: Some("s".into()),
            agent_id: Some("a7d08065281fb7853".into()),
            replica_id: ReplicaId::parse("rep_1").unwrap(),
            surface: Lane::Messages,
            web_searches: 3,
            draws: vec![Draw {
                account: AccountId::parse("bud_1/0").unwrap(),
                amount: NanoUsd(17),
            }],
            run: 4,
            explanation: None,
            tools: ToolCounts::of_calls(vec![ToolCalls {
                name: "mcp__github__create_issue".into(),
                calls: 2,
                failed: 1,
            }]),
            prompt: Some(PromptFacts {
                conversation: u64::MAX,
                tools: 1,
                system: u32::MAX,
                has_history: true,
                caching: Caching::Hour,
            }),
        }
    }

    #[test]
    fn a_record_survives_the_wire() {
        assert_eq!(
            UsageRecord::try_from(v1::UsageRecord::from(record())),
            Ok(record())
        );
    }

    #[test]
    fn a_record_of_before_there_were_lanes_went_through_invoke_model() {
        let mut wire = v1::UsageRecord::from(record());
        wire.surface.clear();
        assert_eq!(UsageRecord::try_from(wire).unwrap().surface, Lane::InvokeModel);
    }

    #[test]
    fn a_record_counts_whatever_its_explanation_is() {
        let mut wire = v1::UsageRecord::from(record());
        wire.explanation = Some(vec![0xff, 0xfe].into());
        let read = UsageRecord::try_from(wire).unwrap();
        assert_eq!(read.explanation, None);
        assert_eq!(read.tokens, record().tokens);
    }

    #[test]
    fn a_record_of_before_there_were_tools_has_none() {
        let mut wire = v1::UsageRecord::from(record());
        wire.tools.clear();
        wire.prompt = None;
        let read = UsageRecord::try_from(wire).unwrap();
        assert!(read.tools.is_empty() && read.prompt.is_none());
        assert_eq!(read.tokens, record().tokens);
    }

    #[test]
    fn tools_are_bounded_whoever_sends_them() {
        let mut wire = v1::UsageRecord::from(record());
        wire.tools = (0..1_000)
            .map(|n| v1::ToolCalls {
                name: format!("tool{n}"),
                calls: 1,
                failed: 0,
            })
            .collect();
        let read = UsageRecord::try_from(wire).unwrap();
        assert_eq!(read.tools.calls().len(), ToolCounts::MOST + 1);
    }

    #[test]
    fn a_record_without_counts_is_refused() {
        let mut wire = v1::UsageRecord::from(record());
        wire.tokens = None;
        assert_eq!(
            UsageRecord::try_from(wire),
            Err(InvalidMessage::Missing("tokens"))
        );
    }
}
