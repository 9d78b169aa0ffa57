//! What Bedrock is to be asked, and how to ask for less.

use crate::profiles::{Learning, Rules};
use bytes::Bytes;
use ccag_domain::Problem;
use ccag_domain::routing::Candidate;
use ccag_translate::profile::Reduction;
use ccag_translate::request::{self, Dropped, Headers, Operation as Kind};
use ccag_translate::search::Terms;
use std::sync::Arc;

/// What is to be done.
pub(crate) struct Job {
    /// The body for Bedrock.
    pub(crate) body: Bytes,
    /// What it was made of, to make it again with less.
    pub(crate) source: Source,
    /// The model in the client's words, which the answer repeats.
    pub(crate) model_said: String,
    pub(crate) streaming: bool,
    pub(crate) dropped: Vec<Dropped>,
    /// Whether cache writes are to be priced as living an hour.
    pub(crate) writes_1h: bool,
}

/// What a body for Bedrock is made of.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) body: Bytes,
    pub(crate) betas: Vec<String>,
    pub(crate) version: Option<String>,
    pub(crate) rules: Rules,
    /// What becomes of web search.
    pub(crate) terms: Arc<Terms>,
}

impl Source {
    /// Makes the body.
    pub(crate) fn prepare(&self, peeked: &request::Peeked<'_>) -> Result<request::Prepared, Problem> {
        let betas: Vec<&str> = self.betas.iter().map(String::as_str).collect();
        let headers = Headers {
            betas: &betas,
            version: self.version.as_deref(),
        };
        request::prepare_with(peeked, headers, self.rules.profile(), &self.terms)
    }
}

impl Job {
    /// The request goes to `candidate`.
    pub(crate) fn meet(&mut self, candidate: &Candidate, learning: &Learning) {
        if self.source.rules.meet(candidate, learning) {
            self.rebuild();
        }
    }

    /// Makes the body again with less; false if that changes nothing.
    pub(crate) fn reduce(&mut self, by: &Reduction) -> bool {
        self.source.rules.reduce(by) && self.rebuild()
    }

    /// Makes the body again with the history as it may have been sent before; false if there is no other.
    pub(crate) fn other_history(&mut self, candidate: &Candidate) -> bool {
        self.source.rules.other_history(candidate) && self.rebuild()
    }

    fn rebuild(&mut self) -> bool {
        let Ok(peeked) = request::peek(&self.source.body, Kind::Messages) else {
            return false;
        };
        let Ok(prepared) = self.source.prepare(&peeked) else {
            return false;
        };
        self.body = prepared.body.into();
        self.writes_1h = prepared.writes_1h;
        true
    }
}
