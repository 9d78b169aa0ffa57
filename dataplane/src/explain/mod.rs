//! What is written down of how a request is decided.
//!
//! An [`Explanation`] begins when the body is understood, goes along with the request's ticket, and ends in its record.
//! A refusal has no record: what explains it waits in [`Refusals`] until it is delivered, and is let go before it costs
//! anybody anything. Nothing here holds a word of a prompt.

mod delivery;
mod refusals;
mod walked;

pub(crate) use delivery::Delivery;
pub(crate) use refusals::Refusals;
pub(crate) use walked::{faulted, looked_at, planned, routed, translated, trying, worked};

use crate::auth::{self, Authenticated};
use crate::sync::ConfigView;
use ccag_domain::explanation::{KeyShown, MAX_NAME, RefusedFor, VERSION, short};
use ccag_domain::key::KeyRefusal;
use ccag_domain::{Caller, Code, Explanation, KeyGrant, Problem, RequestId, UnixMs};
use http::HeaderMap;

/// The longest text of an explanation, in characters.
const LONG: usize = 400;

/// Which request it is, and when it arrived.
#[derive(Debug, Clone)]
pub(crate) struct Arrived {
    pub(crate) id: RequestId,
    pub(crate) at_ms: UnixMs,
}

/// What decided about a refusal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    Key,
    Admission,
    Body,
    Request,
    Limit,
    Budget,
    Quota,
    Endpoint,
}

impl Stage {
    const fn as_str(self) -> &'static str {
        match self {
            Self::Key => "key",
            Self::Admission => "admission",
            Self::Body => "body",
            Self::Request => "request",
            Self::Limit => "limit",
            Self::Budget => "budget",
            Self::Quota => "quota",
            Self::Endpoint => "endpoint",
        }
    }
}

/// The request of somebody who was let in.
pub(crate) fn of_caller(arrived: &Arrived, view: &ConfigView, who: &Authenticated) -> Box<Explanation> {
    begun(arrived, view, &who.caller, &who.grant, (who.shown_in, "valid"))
}

/// The request of somebody whose headers were enough to refuse it; `None` if the key is none of this gateway's.
pub(crate) fn of_headers(
    arrived: &Arrived,
    view: &ConfigView,
    headers: &HeaderMap,
    tokens: &auth::Tokens,
) -> Option<(Box<Explanation>, Stage)> {
    let (shown_in, grant) = auth::known_key(headers, view, tokens, arrived.at_ms)?;
    let (verdict, stage) = match auth::check(grant, view, arrived.at_ms) {
        Ok(()) => ("valid", Stage::Admission),
        Err(KeyRefusal::Expired) => ("expired", Stage::Key),
        Err(KeyRefusal::UserInactive) => ("user_inactive", Stage::Key),
        Err(KeyRefusal::TeamInactive) => ("team_inactive", Stage::Key),
    };
    let caller = auth::caller(grant, view);
    Some((begun(arrived, view, &caller, grant, (shown_in, verdict)), stage))
}

fn begun(
    arrived: &Arrived,
    view: &ConfigView,
    caller: &Caller,
    grant: &KeyGrant,
    (shown_in, verdict): (&'static str, &'static str),
) -> Box<Explanation> {
    let team_by = if grant.team_id.is_some() { "key" } else { "user" };
    Box::new(Explanation {
        version: VERSION,
        request_id: arrived.id.to_string(),
        at_ms: arrived.at_ms,
        revision: view.revision().0,
        key: KeyShown {
            id: caller.key_id.to_string(),
            user_id: caller.user_id.as_ref().map(ToString::to_string),
            team_id: caller.team_id.as_ref().map(ToString::to_string),
            team_by: caller.team_id.as_ref().map(|_| team_by.into()),
            header: shown_in.into(),
            verdict: verdict.into(),
        },
        ..Explanation::default()
    })
}

/// The gateway refuses.
fn refused(explanation: &mut Explanation, stage: Stage, problem: &Problem) {
    // What is wrong with a body is said in its own words now and then.
    let repeats = problem.code == Code::InvalidRequest && matches!(stage, Stage::Request | Stage::Endpoint);
    explanation.outcome = "refused".into();
    explanation.status = problem.code.status();
    explanation.refusal = Some(RefusedFor {
        stage: stage.as_str().into(),
        code: problem.code.slug().into(),
        message: if repeats {
            String::new()
        } else {
            short(&problem.message, LONG)
        },
        field: problem.field.as_deref().map(|field| short(field, MAX_NAME)),
    });
}
