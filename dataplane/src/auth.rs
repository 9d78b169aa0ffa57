//! Who is asking: from a key to a caller, without asking anybody.

use crate::sync::ConfigView;
use ccag_domain::key::{KeyRefusal, check_grant};
use ccag_domain::{Caller, Code, KeyDigest, KeyGrant, Problem, UnixMs};
use http::{HeaderMap, header};
use std::sync::Arc;

/// Longer than any key that we issue; what is longer is not digested.
const MAX_KEY_BYTES: usize = 256;

/// A caller and the grant that lets them in.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    pub(crate) caller: Caller,
    pub(crate) grant: Arc<KeyGrant>,
}

/// Finds out who sends a request.
///
/// The key may come as `x-api-key` or as a bearer token. Claude Code sends both, with different values, when both of its
/// variables are set; the first one that is a key here counts.
///
/// # Errors
/// 401, not to be tried again, and what to do about it.
pub(crate) fn authenticate(
    headers: &HeaderMap,
    view: &ConfigView,
    now: UnixMs,
) -> Result<Authenticated, Problem> {
    let mut shown = shown_keys(headers).peekable();
    if shown.peek().is_none() {
        return Err(refusal(
            "no API key: send a key of this gateway as `x-api-key` or `Authorization: Bearer`; \
             in Claude Code set ANTHROPIC_AUTH_TOKEN",
        ));
    }
    let grant = shown
        .filter(|key| key.len() <= MAX_KEY_BYTES)
        .find_map(|key| view.key(&KeyDigest::of(key)))
        .ok_or_else(|| {
            refusal(
                "this API key is not known here: it may be mistyped, revoked, or of another gateway; \
                 create a new one in the console or ask your administrator",
            )
        })?;
    let user = grant.user_id.as_ref().map(|id| view.user(id));
    let team_id = grant
        .team_id
        .as_ref()
        .or_else(|| user.flatten().and_then(|u| u.team_id.as_ref()));
    let team = team_id.map(|id| view.team(id));
    check_grant(
        grant,
        now,
        user.flatten().map(|u| u.state),
        team.flatten().map(|t| t.state),
    )
    .map_err(explain)?;
    // The team that a user belongs to has to be there as well, even where the key names none.
    if team.is_some_and(|t| t.is_none_or(|t| t.state != ccag_domain::identity::AccountState::Active)) {
        return Err(explain(KeyRefusal::TeamInactive));
    }
    let caller = Caller {
        key_id: grant.id.clone(),
        user_id: grant.user_id.clone(),
        team_id: team_id.cloned(),
    };
    Ok(Authenticated {
        caller,
        grant: Arc::clone(grant),
    })
}

fn shown_keys(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    let api_key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
    [api_key, bearer]
        .into_iter()
        .flatten()
        .map(str::trim)
        .filter(|key| !key.is_empty())
}

fn explain(refused: KeyRefusal) -> Problem {
    refusal(match refused {
        KeyRefusal::Expired => {
            "this API key has expired: create a new one in the console or ask your administrator"
        }
        KeyRefusal::UserInactive => "the user of this API key is deactivated: ask your administrator",
        KeyRefusal::TeamInactive => "the team of this API key is suspended: ask your administrator",
    })
}

fn refusal(message: &str) -> Problem {
    Problem::new(Code::Unauthenticated, message).should_retry(false)
}
