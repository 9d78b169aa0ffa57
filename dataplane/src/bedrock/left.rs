//! What is done about a failed attempt.

use super::attempt::Bedrock;
use super::fault::Fault;
use super::job::Job;
use ccag_domain::routing::Candidate;
use ccag_translate::error::{Health, Retry};
use std::time::Duration;

/// How often a model that is not ready is asked in all (AWS's SDKs retry a `ModelNotReadyException` as often).
const NOT_READY_TRIES: u32 = 5;

/// How often a request is sent again with less, after Bedrock has refused a part of it.
const MAX_REDUCTIONS: u32 = 4;

/// What a walk may still do at an endpoint.
pub(super) struct Left {
    /// Whether the same may be asked once more, if it failed by no fault of the request's.
    pub(super) again: bool,
    /// How often the request may be sent again with less.
    reductions: u32,
    /// Whether another one may still be asked after a failure of Bedrock's own.
    elsewhere: bool,
    /// How often the model was not ready.
    not_ready: u32,
    /// Whether there is no endpoint left after this one.
    pub(super) is_last: bool,
    /// Whether room was waited for already where the conversation lives.
    has_waited: bool,
}

/// What comes after a failed attempt.
pub(super) enum Next {
    /// The same endpoint, at once, in a moment or after a while.
    Again,
    InAMoment,
    After(Duration),
    /// Another one.
    Endpoint,
    Nothing,
}

impl Left {
    pub(super) fn new(has_waited: bool) -> Self {
        Self {
            again: true,
            reductions: MAX_REDUCTIONS,
            elsewhere: true,
            not_ready: 0,
            is_last: false,
            has_waited,
        }
    }

    pub(super) fn next(
        &mut self,
        bedrock: &Bedrock,
        candidate: &Candidate,
        job: &mut Job,
        fault: &Fault,
    ) -> Next {
        match &fault.error.retry {
            Retry::Never => Next::Nothing,
            Retry::SameOnce if self.again => self.once_more(Next::Again),
            Retry::RefreshCredentials if self.again => {
                let subject = job.lane.subject.as_deref();
                bedrock.upstream.forget_credentials(&candidate.endpoint, subject);
                self.once_more(Next::Again)
            }
            Retry::NextEndpoint
                if self.again
                    && !self.has_waited
                    && worth_waiting(bedrock, candidate, job, fault.error.health) =>
            {
                self.once_more(Next::InAMoment)
            }
            Retry::OtherOnce if self.elsewhere => {
                self.elsewhere = false;
                Next::Endpoint
            }
            Retry::OtherOnce => Next::Nothing,
            Retry::NotReady => {
                self.not_ready += 1;
                match self.not_ready {
                    NOT_READY_TRIES.. => Next::Nothing,
                    // Elsewhere it may be ready now.
                    _ if !self.is_last => Next::Endpoint,
                    n => Next::After(bedrock.health.backoff(n - 1)),
                }
            }
            Retry::Reduced(by) => self.with_less(|| job.reduce(by)),
            Retry::OtherHistory => self.with_less(|| job.other_history(candidate)),
            Retry::NextEndpoint | Retry::SameOnce | Retry::RefreshCredentials => Next::Endpoint,
        }
    }

    fn once_more(&mut self, next: Next) -> Next {
        self.again = false;
        next
    }

    fn with_less(&mut self, make: impl FnOnce() -> bool) -> Next {
        if self.reductions == 0 || !make() {
            return Next::Nothing;
        }
        self.reductions -= 1;
        Next::Again
    }
}

/// Whether the same endpoint is asked once more after a moment: a first throttle passes, and elsewhere the whole prompt would
/// have to be read anew.
fn worth_waiting(bedrock: &Bedrock, candidate: &Candidate, job: &Job, finding: Health) -> bool {
    finding == Health::Throttled && job.lane.asked.is_warm && bedrock.health.throttles(candidate) <= 1
}
