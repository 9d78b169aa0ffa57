//! Who is asking: from a key, or the token of a client's session, to a caller, without asking anybody.

mod tokens;

use crate::sync::ConfigView;
use ccag_domain::key::{KeyRefusal, check_grant};
use ccag_domain::{Caller, Code, KeyDigest, KeyGrant, Problem, TeamId, UnixMs};
use ccag_session_token::looks_like_one;
use http::{HeaderMap, header};
use std::sync::Arc;
pub(crate) use tokens::Tokens;

/// Longer than any key that we issue; what is longer is not digested.
const MAX_KEY_BYTES: usize = 256;

/// A caller and the grant that lets them in.
#[derive(Debug, Clone)]
pub(crate) struct Authenticated {
    pub(crate) caller: Caller,
    pub(crate) grant: Arc<KeyGrant>,
    /// The header that the key came in.
    pub(crate) shown_in: &'static str,
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
    tokens: &Tokens,
    now: UnixMs,
) -> Result<Authenticated, Problem> {
    if !shows_a_key(headers) {
        return Err(refusal(
            "no API key: send a key of this gateway as `x-api-key` or `Authorization: Bearer`; \
             in Claude Code run /login or set ANTHROPIC_AUTH_TOKEN",
        ));
    }
    let (shown_in, grant) =
        known_key(headers, view, tokens, now).ok_or_else(|| unknown(headers, view, tokens, now))?;
    check(grant, view, now).map_err(|refused| explain(refused, grant.session))?;
    Ok(Authenticated {
        caller: caller(grant, view),
        grant: Arc::clone(grant),
        shown_in,
    })
}

/// The key of this gateway that a request shows, valid or not, and the header that it came in.
pub(crate) fn known_key<'v>(
    headers: &HeaderMap,
    view: &'v ConfigView,
    tokens: &Tokens,
    now: UnixMs,
) -> Option<(&'static str, &'v Arc<KeyGrant>)> {
    shown_keys(headers).find_map(|(header, shown)| {
        let grant = if looks_like_one(shown) {
            let claims = tokens.read(shown, view).ok()?;
            claims.check_time(now).ok()?;
            let owner = Some(&claims.user_id);
            view.session(&claims.session)
                .filter(|grant| grant.user_id.as_ref() == owner)
        } else {
            (shown.len() <= MAX_KEY_BYTES)
                .then(|| view.key(&KeyDigest::of(shown)))
                .flatten()
        };
        Some((header, grant?))
    })
}

/// Whether a request shows the token of a session that was opened after the view was made: such a session is known in a moment.
pub(crate) fn is_ahead(headers: &HeaderMap, view: &ConfigView, tokens: &Tokens) -> bool {
    shown_keys(headers)
        .filter(|(_, shown)| looks_like_one(shown))
        .filter_map(|(_, shown)| tokens.read(shown, view).ok())
        .any(|claims| claims.revision > view.revision().0 && view.session(&claims.session).is_none())
}

/// Why nothing that a request shows is known.
fn unknown(headers: &HeaderMap, view: &ConfigView, tokens: &Tokens, now: UnixMs) -> Problem {
    let token = shown_keys(headers).find(|(_, shown)| looks_like_one(shown));
    let Some((_, token)) = token else {
        return refusal(
            "this API key is not known here: it may be mistyped, revoked, or of another gateway; \
             create a new one in the console or ask your administrator",
        );
    };
    match tokens.read(token, view) {
        Ok(claims) if claims.check_time(now).is_err() => refusal(
            "this session's token has expired and was not renewed: start Claude Code anew, or run /login",
        ),
        Ok(_) => refusal("this session has been ended: run /login to sign in again"),
        Err(_) => refusal("this token is not one of this gateway: run /login to sign in again"),
    }
}

/// Whom a key stands for.
pub(crate) fn caller(grant: &KeyGrant, view: &ConfigView) -> Caller {
    Caller {
        key_id: grant.id.clone(),
        user_id: grant.user_id.clone(),
        team_id: paying_team(grant, view).cloned(),
    }
}

/// The team that pays: the key's own, else its user's.
fn paying_team<'v>(grant: &'v KeyGrant, view: &'v ConfigView) -> Option<&'v TeamId> {
    let user = grant.user_id.as_ref().and_then(|id| view.user(id));
    grant
        .team_id
        .as_ref()
        .or_else(|| user.and_then(|u| u.team_id.as_ref()))
}

/// Whether a key may be used.
pub(crate) fn check(grant: &KeyGrant, view: &ConfigView, now: UnixMs) -> Result<(), KeyRefusal> {
    let user = grant.user_id.as_ref().and_then(|id| view.user(id));
    let team = paying_team(grant, view).map(|id| view.team(id));
    check_grant(grant, now, user.map(|u| u.state), team.flatten().map(|t| t.state))?;
    // The team that a user belongs to has to be there as well, even where the key names none.
    if team.is_some_and(|t| t.is_none_or(|t| t.state != ccag_domain::identity::AccountState::Active)) {
        return Err(KeyRefusal::TeamInactive);
    }
    Ok(())
}

/// Whether a request shows anything that could be a key.
pub(crate) fn shows_a_key(headers: &HeaderMap) -> bool {
    shown_keys(headers).next().is_some()
}

fn shown_keys(headers: &HeaderMap) -> impl Iterator<Item = (&'static str, &str)> {
    let api_key = headers.get("x-api-key").and_then(|v| v.to_str().ok());
    let bearer = headers
        .get(header::AUTHORIZATION)
        .and_then(|v| v.to_str().ok())
        .and_then(|text| {
            let (scheme, token) = text.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then_some(token)
        });
    [("x-api-key", api_key), ("authorization", bearer)]
        .into_iter()
        .filter_map(|(header, key)| Some((header, key?.trim())))
        .filter(|(_, key)| !key.is_empty())
}

fn explain(refused: KeyRefusal, session: bool) -> Problem {
    refusal(match refused {
        KeyRefusal::Expired if session => "this session has ended: run /login to sign in again",
        KeyRefusal::UserInactive if session => "your account is deactivated: ask your administrator",
        KeyRefusal::TeamInactive if session => "your team is suspended: ask your administrator",
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
