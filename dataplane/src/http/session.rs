//! Which session of Claude Code a request belongs to, which agent of it asks, and whether the session is paused.

use super::messages::Admitted;
use ccag_domain::{Code, PausedSession, Problem, UsageRecord};
use ccag_translate::request::Peeked;
use http::HeaderMap;

/// Claude Code's name for a conversation; it stays the same when the conversation is resumed.
const SESSION: &str = "x-claude-code-session-id";

/// Claude Code's name for a subagent; the main agent sends none.
const AGENT: &str = "x-claude-code-agent-id";

/// The longest name that is taken, in bytes.
const LONGEST: usize = 128;

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let text = headers.get(name)?.to_str().ok()?;
    Some(text).filter(|text| !text.is_empty() && text.len() <= LONGEST)
}

/// The session that a request belongs to. What stands for requests of the gateway's own is nobody's session.
pub(super) fn of(headers: &HeaderMap, peeked: &Peeked<'_>) -> Option<String> {
    text(headers, SESSION)
        .or_else(|| peeked.session_id())
        .filter(|session| *session != UsageRecord::LANE_PROBE)
        .map(str::to_owned)
}

/// The subagent that asks.
pub(super) fn agent(headers: &HeaderMap) -> Option<String> {
    text(headers, AGENT).map(str::to_owned)
}

/// Refuses what belongs to a paused session.
///
/// # Errors
/// [`Code::SessionPaused`].
pub(super) fn check(admitted: &Admitted, session: Option<&str>) -> Result<(), Problem> {
    let paused = admitted.view.paused().of(&admitted.who.caller, session);
    paused.map_or(Ok(()), |paused| Err(refusal(paused)))
}

fn refusal(paused: &PausedSession) -> Problem {
    let PausedSession { id, reason, .. } = paused;
    let console = match &paused.resume_url {
        Some(url) => format!("at {url}"),
        None => "in the console of this gateway under Paused sessions".to_owned(),
    };
    let text = format!(
        "This session is paused: {reason}. Nothing more of it is served until it is resumed: {console}, with \
         `ccag sessions resume {id}`, or by an administrator. Other sessions go on."
    );
    Problem::new(Code::SessionPaused, text).should_retry(false)
}
