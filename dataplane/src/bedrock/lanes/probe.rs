//! Finding out whether a lane serves a model: one request for one token.

use super::super::attempt::{Answered, Bedrock, once};
use super::super::job::{Job, LaneJob, Source};
use super::Asked;
use crate::profiles::Rules;
use crate::usage::{Ending, Ticket};
use bytes::Bytes;
use ccag_aws::Pieces;
use ccag_domain::routing::Candidate;
use ccag_domain::{Caching, Outcome, Tokens};
use std::sync::Arc;

/// Asks `candidate` for one token and remembers the outcome. The request is billed, so it leaves a record.
pub(crate) async fn run(
    bedrock: Arc<Bedrock>,
    candidate: Candidate,
    (asked, rules, mut ticket): (Asked, Rules, Ticket),
) {
    let model = Arc::clone(&asked.model);
    let body = serde_json::json!({
        "model": model.name.as_str(),
        "max_tokens": 1,
        "messages": [{"role": "user", "content": "."}],
    });
    let mut job = Job {
        body: Pieces::default(),
        copied: 0,
        source: Source {
            body: Bytes::from(body.to_string()),
            betas: Vec::new(),
            version: None,
            rules,
            terms: Arc::default(),
            most_output: None,
        },
        model_said: model.name.to_string(),
        streaming: false,
        betas: Vec::new(),
        dropped: Vec::new(),
        passed: Vec::new(),
        writes_1h: false,
        caching: Caching::NotAsked,
        lane: LaneJob::unguarded(Asked {
            has_history: false,
            is_sticky: false,
            is_warm: false,
            streaming: false,
            ..asked
        }),
    };
    if let Err(problem) = job.meet(&candidate, &bedrock) {
        tracing::error!(%problem, lane = candidate.lane.as_str(), "a lane cannot be probed");
        return;
    }
    ticket.attempt(&candidate);
    let (fault, ending) = match once(&bedrock, &candidate, &job, &mut ticket).await {
        Ok((answered, _)) => {
            let tokens = match answered {
                Answered::Whole { tokens, .. } => tokens,
                Answered::Stream(_) => Tokens::default(),
            };
            (None, ending(Outcome::Completed, 200, None, tokens))
        }
        Err(fault) => {
            let status = fault.error.problem.code.status();
            let name = fault.error.kind.clone();
            let ending = ending(Outcome::Failed, status, Some(name), fault.tokens);
            (Some(fault), ending)
        }
    };
    bedrock.lanes.probed(&candidate, &model, fault.as_ref());
    bedrock.metrics.lane_probe(candidate.lane, fault.is_none());
    tracing::info!(
        endpoint = candidate.endpoint.name,
        lane = candidate.lane.as_str(),
        model = %model.name,
        error = fault.as_ref().map(|fault| fault.error.kind.as_str()),
        "a lane was probed"
    );
    if fault.as_ref().is_some_and(|fault| !fault.reached) {
        ticket.not_reached();
    }
    if ticket.finish_and_wait(ending).await.is_err() {
        tracing::error!("the usage record of a lane's probe could not be spooled in time");
    }
}

fn ending(outcome: Outcome, status: u16, error: Option<String>, tokens: Tokens) -> Ending {
    Ending {
        outcome,
        status,
        error,
        tokens,
        estimated: false,
    }
}
