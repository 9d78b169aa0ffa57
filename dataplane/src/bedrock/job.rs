//! What Bedrock is to be asked, and how to ask for less.

use super::attempt::Bedrock;
use super::lanes::{Asked, guard};
use crate::profiles::Rules;
use bytes::Bytes;
use ccag_aws::Pieces;
use ccag_domain::routing::Candidate;
use ccag_domain::{Caching, Guardrail, Lane, Problem, ServiceTier, Subject};
use ccag_translate::Spliced;
use ccag_translate::noticed::Dropped;
use ccag_translate::profile::{Profile, Reduction};
use ccag_translate::request::{self, Headers, Operation as Kind, Target};
use ccag_translate::search::Terms;
use http::{HeaderName, HeaderValue};
use std::borrow::Cow;
use std::sync::Arc;

/// What is to be done.
pub(crate) struct Job {
    /// The body for Bedrock.
    pub(crate) body: Pieces,
    /// How many of its bytes are not the client's own.
    pub(crate) copied: usize,
    /// What it was made of, to make it again with less.
    pub(crate) source: Source,
    /// The model in the client's words, which the answer repeats.
    pub(crate) model_said: String,
    pub(crate) streaming: bool,
    /// The betas that Bedrock gets.
    pub(crate) betas: Vec<String>,
    /// What the client sent and Bedrock does not get.
    pub(crate) dropped: Vec<Dropped>,
    /// What no rule names and Bedrock gets all the same.
    pub(crate) passed: Vec<Dropped>,
    /// Whether cache writes are to be priced as living an hour.
    pub(crate) writes_1h: bool,
    /// Whether the prefix of the prompt is to be cached.
    pub(crate) caching: Caching,
    /// What the lanes want to know.
    pub(crate) lane: LaneJob,
}

/// What a body for Bedrock is made of.
#[derive(Clone)]
pub(crate) struct Source {
    pub(crate) body: Bytes,
    pub(crate) betas: Vec<String>,
    pub(crate) version: Option<String>,
    /// The rules for `InvokeModel`.
    pub(crate) rules: Rules,
    /// What becomes of web search.
    pub(crate) terms: Arc<Terms>,
    /// The most output tokens that are asked for, where a budget has no more.
    pub(crate) most_output: Option<u64>,
}

impl Source {
    /// Makes the body of `InvokeModel`, without tags.
    pub(crate) fn prepare<'b>(&self, peeked: &request::Peeked<'b>) -> Result<request::Prepared<'b>, Problem> {
        self.prepare_by(peeked, self.rules.profile(), Target::default())
    }

    fn prepare_by<'b>(
        &self,
        peeked: &request::Peeked<'b>,
        profile: &Profile,
        target: Target<'_>,
    ) -> Result<request::Prepared<'b>, Problem> {
        let betas: Vec<&str> = self.betas.iter().map(String::as_str).collect();
        let headers = Headers {
            betas: &betas,
            version: self.version.as_deref(),
        };
        let target = Target {
            terms: Some(&self.terms),
            most_output: self.most_output,
            ..target
        };
        request::prepare_for(peeked, headers, profile, target)
    }
}

/// The body for Bedrock, which shares what is long with the client's, `source`.
pub(crate) fn pieces(source: &Bytes, body: Spliced<'_>) -> Pieces {
    let piece = |piece| match piece {
        Cow::Borrowed(kept) => source.slice_ref(str::as_bytes(kept)),
        Cow::Owned(new) => Bytes::from(String::into_bytes(new)),
    };
    body.into_pieces().into_iter().map(piece).collect()
}

/// What a job knows of lanes and guardrails.
pub(crate) struct LaneJob {
    pub(crate) asked: Asked,
    /// Whose request it is, where an endpoint of the route tells AWS.
    pub(crate) subject: Option<Arc<Subject>>,
    guardrails: Guardrails,
    /// What the body was made for last.
    made: Made,
    /// The rules of another lane than `InvokeModel`.
    rules: Option<Rules>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// Which guardrails can hold for a request.
#[derive(Clone)]
enum Guardrails {
    /// None: it is the gateway's own.
    None,
    /// The team's, else that of the endpoint that it goes to.
    Configured {
        team: Option<Guardrail>,
        /// Names the configuration: no client knows it.
        epoch: String,
    },
}

/// What a body was made for. The default is what every job begins with: `InvokeModel`, where the model is not in the body.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Made {
    lane: Lane,
    model: String,
    guard_suffix: Option<String>,
    /// On a lane whose body says it.
    service_tier: Option<ServiceTier>,
}

impl LaneJob {
    /// For a request of a client whose team may have a guardrail.
    pub(crate) fn new(asked: Asked, team_guardrail: Option<Guardrail>, epoch: &str) -> Self {
        let guardrails = Guardrails::Configured {
            team: team_guardrail,
            epoch: epoch.to_owned(),
        };
        Self {
            guardrails,
            ..Self::unguarded(asked)
        }
    }

    /// For a request of the gateway's own.
    pub(crate) fn unguarded(asked: Asked) -> Self {
        Self {
            asked,
            subject: None,
            guardrails: Guardrails::None,
            made: Made::default(),
            rules: None,
            headers: Vec::new(),
        }
    }

    /// For another call of the same request.
    pub(crate) fn again(&self) -> Self {
        Self {
            asked: self.asked.clone(),
            subject: self.subject.clone(),
            guardrails: self.guardrails.clone(),
            made: Made::default(),
            rules: None,
            headers: Vec::new(),
        }
    }

    /// The guardrail that holds at an endpoint.
    pub(crate) fn guardrail<'g>(&'g self, candidate: &'g Candidate) -> Option<&'g Guardrail> {
        match &self.guardrails {
            Guardrails::None => None,
            Guardrails::Configured { team, .. } => {
                Guardrail::in_force(team.as_ref(), candidate.endpoint.guardrail.as_ref())
            }
        }
    }

    /// Whether only `InvokeModel` will do: a stream under a guardrail, which no call of our own can look at in time.
    pub(crate) fn needs_invoke_model(&self, candidate: &Candidate) -> bool {
        self.asked.streaming && self.guardrail(candidate).is_some()
    }

    fn made_for(&self, candidate: &Candidate, bedrock: &Bedrock) -> Made {
        if candidate.lane != Lane::InvokeModel {
            return Made {
                lane: candidate.lane,
                model: candidate.model.id.clone(),
                guard_suffix: None,
                service_tier: bedrock.lanes.tier(candidate),
            };
        }
        let tagging = self.guardrail(candidate).filter(|guardrail| guardrail.tag_input);
        let guard_suffix = match (&self.guardrails, tagging) {
            (Guardrails::Configured { epoch, .. }, Some(guardrail)) => {
                Some(guard::suffix(epoch, guardrail, &self.asked.conversation))
            }
            _ => None,
        };
        Made {
            guard_suffix,
            ..Made::default()
        }
    }
}

impl Job {
    /// The request goes to `candidate`: its rules are those of the candidate's lane, and the body is made anew where these, or
    /// the guardrail, want another.
    ///
    /// # Errors
    /// A [`Problem`] for what the lane's rules refuse.
    pub(crate) fn meet(&mut self, candidate: &Candidate, bedrock: &Bedrock) -> Result<(), Problem> {
        let wanted = self.lane.made_for(candidate, bedrock);
        if wanted.lane != self.lane.made.lane {
            self.lane.rules = match wanted.lane {
                Lane::InvokeModel => None,
                lane => Some(self.rules_on(lane, bedrock)?),
            };
        }
        let is_other = wanted != self.lane.made || self.body.is_empty();
        self.lane.made = wanted;
        let has_learnt = self.rules_mut().meet(candidate, &bedrock.learning);
        if is_other || has_learnt {
            self.rebuild()?;
        }
        Ok(())
    }

    /// No more output tokens than these are asked for.
    pub(crate) fn bound_output(&mut self, tokens: u64) {
        self.source.most_output = Some(tokens);
        // It is made again for whom it goes to.
        self.body = Pieces::default();
    }

    /// The rules of the same conversation on a lane.
    pub(crate) fn rules_on(&self, lane: Lane, bedrock: &Bedrock) -> Result<Rules, Problem> {
        self.source
            .rules
            .on(lane.as_str(), &bedrock.pins, bedrock.lanes.now_ms())
    }

    /// The rules in force.
    pub(crate) fn rules(&self) -> &Rules {
        self.lane.rules.as_ref().unwrap_or(&self.source.rules)
    }

    fn rules_mut(&mut self) -> &mut Rules {
        self.lane.rules.as_mut().unwrap_or(&mut self.source.rules)
    }

    /// The headers that go with the body to a candidate.
    pub(crate) fn headers(
        &self,
        candidate: &Candidate,
        bedrock: &Bedrock,
    ) -> Result<Vec<(HeaderName, HeaderValue)>, Problem> {
        let mut headers = match self.lane.guardrail(candidate) {
            Some(guardrail) if candidate.lane == Lane::InvokeModel => guard::headers(guardrail)?,
            _ => self.lane.headers.clone(),
        };
        let subject = self.lane.subject.as_deref();
        bedrock.lanes.extra_headers(candidate, subject, &mut headers);
        Ok(headers)
    }

    /// Makes the body again with less; false if that changes nothing.
    pub(crate) fn reduce(&mut self, by: &Reduction) -> bool {
        self.rules_mut().reduce(by) && self.rebuild().is_ok()
    }

    /// Makes the body again with the history as it may have been sent before; false if there is no other.
    pub(crate) fn other_history(&mut self, candidate: &Candidate) -> bool {
        self.rules_mut().other_history(candidate) && self.rebuild().is_ok()
    }

    fn rebuild(&mut self) -> Result<(), Problem> {
        let peeked = request::peek(&self.source.body, Kind::Messages)?;
        let target = Target {
            model: &self.lane.made.model,
            guard_suffix: self.lane.made.guard_suffix.as_deref(),
            streamed: self.streaming,
            service_tier: self.lane.made.service_tier.map(ServiceTier::as_str),
            ..Target::default()
        };
        let prepared = self.source.prepare_by(&peeked, self.rules().profile(), target)?;
        self.lane.headers = prepared
            .headers
            .iter()
            .filter_map(|(name, value)| {
                Some((HeaderName::from_static(name), HeaderValue::from_str(value).ok()?))
            })
            .collect();
        self.copied = prepared.body.copied();
        self.body = pieces(&self.source.body, prepared.body);
        self.betas = prepared.betas;
        self.dropped = prepared.dropped;
        self.passed = prepared.passed;
        self.writes_1h = prepared.writes_1h;
        Ok(())
    }
}
