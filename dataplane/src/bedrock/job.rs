//! What Bedrock is to be asked, and how to ask for less.

use bytes::Bytes;
use ccag_domain::Problem;
use ccag_translate::profile::{Profile, Reduction};
use ccag_translate::request::{self, Dropped, Headers, Operation as Kind};
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
pub(crate) struct Source {
    pub(crate) body: Bytes,
    pub(crate) betas: Vec<String>,
    pub(crate) version: Option<String>,
    pub(crate) profile: Arc<Profile>,
}

impl Source {
    /// Makes the body.
    pub(crate) fn prepare(&self, peeked: &request::Peeked<'_>) -> Result<request::Prepared, Problem> {
        let betas: Vec<&str> = self.betas.iter().map(String::as_str).collect();
        let headers = Headers {
            betas: &betas,
            version: self.version.as_deref(),
        };
        request::prepare(peeked, headers, &self.profile)
    }
}

impl Job {
    /// Makes the body again with less; false if that changes nothing.
    pub(crate) fn reduce(&mut self, by: &Reduction) -> bool {
        let Some(profile) = self.source.profile.reduced(by) else {
            return false;
        };
        self.source.profile = Arc::new(profile);
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
