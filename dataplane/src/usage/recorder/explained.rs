//! The explanation that a ticket carries to its record.

use super::Ticket;
use crate::bedrock::attempt::Bedrock;
use crate::bedrock::fault::Fault;
use crate::bedrock::job::Job;
use crate::bedrock::quota::Judged;
use crate::explain;
use ccag_domain::Explanation;
use ccag_domain::routing::Candidate;
use std::time::Duration;
use tokio::time::Instant;

/// What is written down, and when Bedrock was last asked.
pub(super) struct Explained {
    explanation: Box<Explanation>,
    asked: Instant,
}

impl Ticket {
    /// Takes along what was written down up to now; a request of the gateway's own has nothing of the kind.
    pub(crate) fn explained(mut self, explanation: Box<Explanation>) -> Self {
        self.explained = Some(Explained {
            explanation,
            asked: self.start.started,
        });
        self
    }

    /// Where the request may go, whether its conversation has moved there, and what quotas say.
    pub(crate) fn routed(&mut self, route: &[Candidate], judged: (bool, &Judged), bedrock: &Bedrock) {
        self.note(|explanation, _| explain::looked_at(explanation, route, judged, bedrock));
    }

    /// Bedrock is about to be asked for this.
    pub(crate) fn trying(&mut self, candidate: &Candidate, job: &Job, home_region: &str) {
        self.note(|explanation, _| {
            explain::trying(explanation, candidate, home_region);
            explain::translated(explanation, job);
        });
        if let Some(explained) = &mut self.explained {
            explained.asked = Instant::now();
        }
    }

    /// It has answered.
    pub(crate) fn worked(&mut self, aws_request_id: Option<&str>) {
        self.note(|explanation, took| explain::worked(explanation, aws_request_id, took));
    }

    /// The attempt has failed.
    pub(crate) fn faulted(&mut self, fault: &Fault) {
        self.note(|explanation, took| explain::faulted(explanation, fault, took));
    }

    /// What comes next goes through `InvokeModel`, since the lane is at fault.
    pub(crate) fn leaves_lane(&mut self) {
        self.note(|explanation, _| {
            if let Some(attempt) = explanation.attempts.last_mut() {
                attempt.then = Some("other_lane".into());
                attempt.without = None;
            }
        });
    }

    /// What comes next is the same endpoint, after a moment.
    pub(crate) fn waits(&mut self) {
        self.note(|explanation, _| {
            if let Some(attempt) = explanation.attempts.last_mut() {
                attempt.then = Some("same_in_a_moment".into());
            }
        });
    }

    /// What comes next does without something that the endpoint is configured to ask for.
    pub(crate) fn goes_without(&mut self, what: &str) {
        self.note(|explanation, _| {
            if let Some(attempt) = explanation.attempts.last_mut() {
                attempt.then = Some("reduced".into());
                attempt.without = Some(what.to_owned());
            }
        });
    }

    /// What was written down.
    pub(crate) fn take_explanation(&mut self) -> Option<Box<Explanation>> {
        self.explained.take().map(|explained| explained.explanation)
    }

    fn note(&mut self, write: impl FnOnce(&mut Explanation, Duration)) {
        if let Some(Explained { explanation, asked }) = &mut self.explained {
            write(explanation, asked.elapsed());
        }
    }
}
