//! The spans that a ticket carries to its record.

use super::Ticket;
use crate::bedrock::Upstream;
use crate::bedrock::fault::Fault;
use crate::traces::Trace;
use ccag_domain::routing::Candidate;
use ccag_domain::{Lane, Problem};

impl Ticket {
    /// Takes along the spans of the request, where it is told of.
    pub(crate) fn traced(mut self, trace: Option<Box<Trace>>) -> Self {
        self.trace = trace;
        if let Some(trace) = &mut self.trace {
            trace.asked(&self.start);
        }
        self
    }

    /// Bedrock is about to be asked.
    pub(crate) fn trace_trying(&mut self, candidate: &Candidate, upstream: &dyn Upstream) {
        if let Some(trace) = &mut self.trace {
            let is_mantle = candidate.lane == Lane::Mantle;
            trace.trying(
                candidate,
                upstream.base_url(&candidate.endpoint, is_mantle).as_deref(),
            );
        }
    }

    /// The attempt has failed.
    pub(crate) fn trace_faulted(&mut self, fault: &Fault) {
        if let Some(trace) = &mut self.trace {
            trace.faulted(fault);
        }
    }

    /// Why the model stopped, as Bedrock says.
    pub(crate) fn stopped(&mut self, reason: Option<&str>) {
        if let Some(trace) = &mut self.trace {
            trace.stopped(reason);
        }
    }

    /// The request is answered without a record.
    pub(crate) fn trace_refused(&mut self, problem: &Problem) {
        if let Some(trace) = self.trace.take() {
            trace.refused(problem);
        }
    }
}
