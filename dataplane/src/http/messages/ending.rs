//! How a request ends that is answered whole, or not at all.

use crate::bedrock::attempt::{self, Failure};
use crate::bedrock::fault::Fault;
use crate::explain::Stage;
use crate::http::Gateway;
use crate::http::error::{render, set_aws_request_id, set_request_id};
use crate::usage::Ending;
use axum::body::Body;
use axum::response::Response;
use ccag_domain::rng::Rng;
use ccag_domain::{Code, Outcome, Problem, RequestId};
use http::{HeaderValue, header};

/// A whole answer goes out when its record is safe.
pub(super) async fn whole_answer(whole: attempt::Whole, request_id: &RequestId) -> Response {
    let ending = Ending {
        outcome: Outcome::Completed,
        status: 200,
        error: None,
        tokens: whole.tokens,
        estimated: false,
    };
    if whole.ticket.finish_and_wait(ending).await.is_err() {
        return render(&not_recorded(), request_id);
    }
    let mut response = Response::new(Body::from(whole.body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    set_request_id(headers, request_id);
    set_aws_request_id(headers, whole.aws_request_id.as_deref());
    response
}

/// Every attempt failed: the client gets the last one's reason.
pub(in crate::http) async fn failed(failure: Failure, gateway: &Gateway, request_id: &RequestId) -> Response {
    let Failure {
        mut ticket,
        mut problem,
        name,
        tokens,
        aws_request_id,
    } = failure;
    if ticket.reached_bedrock() {
        let ending = Ending {
            outcome: Outcome::Failed,
            status: problem.code.status(),
            error: Some(name),
            tokens,
            estimated: false,
        };
        if ticket.finish_and_wait(ending).await.is_err() {
            return render(&not_recorded(), request_id);
        }
    } else {
        let stage = if name == Fault::OVER_SHARE {
            tracing::info!(%request_id, key_id = %ticket.key_id(), "refused: its team has its share of a quota that is short");
            gateway.metrics.rate_limited.inc();
            Stage::Quota
        } else {
            tracing::warn!(%request_id, error = name, "no endpoint could be reached");
            Stage::Endpoint
        };
        gateway.metrics.refused(problem.code.status(), None);
        ticket.trace_refused(&problem);
        if let Some(explanation) = ticket.take_explanation() {
            gateway.refusals.note(explanation, stage, &problem);
        }
    }
    if problem.code == Code::RateLimited {
        problem.retry_after_s = problem
            .retry_after_s
            .map(|seconds| spread(seconds, gateway.rng.as_ref()));
    }
    let mut response = render(&problem, request_id);
    set_aws_request_id(response.headers_mut(), aws_request_id.as_deref());
    response
}

/// A wait of about `seconds`, somewhere between that (at most half of the longest) and twice that, so that clients that
/// were throttled together do not come back together.
fn spread(seconds: u32, rng: &dyn Rng) -> u32 {
    const LONGEST_S: u32 = 20;
    let longest = seconds.saturating_mul(2).clamp(2, LONGEST_S);
    let shortest = seconds.clamp(1, longest / 2);
    let mut random = [0u8; 1];
    rng.fill(&mut random);
    shortest + u32::from(random[0]) % (longest - shortest + 1)
}

/// Nothing is served that cannot be recorded.
pub(in crate::http) fn not_recorded() -> Problem {
    Problem::new(
        Code::Overloaded,
        "this gateway could not record the usage of this request and serves nothing that it cannot record",
    )
    .retry_after(30)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ccag_domain::rng::SequenceRng;
    use std::collections::BTreeSet;

    #[test]
    fn throttled_clients_are_sent_away_for_different_times_that_grow_and_stay_short() {
        let rng = SequenceRng::new(1);
        for (seconds, shortest, longest) in [
            (1, 1, 2),
            (2, 2, 4),
            (4, 4, 8),
            (8, 8, 16),
            (16, 10, 20),
            (60, 10, 20),
        ] {
            let waits: BTreeSet<u32> = (0..1000).map(|_| spread(seconds, &rng)).collect();
            assert_eq!(waits, (shortest..=longest).collect(), "{seconds}");
        }
    }
}
