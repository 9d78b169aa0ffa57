//! Who is asking: a bearer token, or the console's cookie.

use super::{HttpState, Refusal};
use crate::app::sessions::{self, Session};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{HeaderMap, Method, header};
use ccag_domain::{Actor, Code, KeyDigest, Problem, Via};
use url::Url;

/// The cookie that holds a session's token. It is `HttpOnly` and `SameSite=Lax`.
pub(crate) const SESSION_COOKIE: &str = "ccag_session";

/// The header in which scripts show the session's CSRF token.
const CSRF_HEADER: &str = "x-csrf-token";

/// Somebody who is signed in. Handlers that take this are refused to everybody else, before their body is read.
#[derive(Debug, Clone)]
pub(crate) struct SignedIn(pub(crate) Session);

impl SignedIn {
    pub(crate) fn actor(&self) -> Actor {
        self.0.actor()
    }
}

impl FromRequestParts<HttpState> for SignedIn {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Refusal> {
        // Whoever was let in to the route is known already.
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let app = &state.app;
        // Only this process itself says that.
        let via = parts.extensions.get::<Via>().copied();
        let signed_in = |session| Self(Session { via, ..session });
        if let Some(token) = bearer(&parts.headers) {
            return Ok(signed_in(sessions::authenticate(app, token).await?));
        }
        let Some(token) = cookie(&parts.headers, SESSION_COOKIE) else {
            return Err(Refusal(Problem::new(
                Code::Unauthenticated,
                "Sign in with POST /auth/login and send the token as `Authorization: Bearer …`.",
            )));
        };
        let session = sessions::authenticate(app, token).await?;
        if !is_safe(&parts.method) && !is_ours(&parts.headers, &session, state.public_url.as_ref()) {
            return Err(Refusal(Problem::new(
                Code::Forbidden,
                "This request carries the console's cookie but does not come from the console. Send the CSRF token as \
                 `X-CSRF-Token`, or use a bearer token.",
            )));
        }
        Ok(signed_in(session))
    }
}

/// The token of `Authorization: Bearer` or `x-api-key`.
pub(super) fn bearer(headers: &HeaderMap) -> Option<&str> {
    let text = |name| headers.get(name).and_then(|value| value.to_str().ok());
    text(header::AUTHORIZATION.as_str())
        .and_then(|value| {
            let (scheme, token) = value.split_once(' ')?;
            scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
        })
        .or_else(|| text("x-api-key"))
}

/// The value of a cookie.
pub(crate) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers
        .get_all(header::COOKIE)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(';'))
        .filter_map(|pair| pair.trim().split_once('='))
        .find_map(|(found, value)| (found == name).then_some(value))
}

fn is_safe(method: &Method) -> bool {
    matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS)
}

/// Whether a request with a cookie was made by our own pages: it shows the session's CSRF token, or the browser says that
/// it comes from our own origin.
fn is_ours(headers: &HeaderMap, session: &Session, public_url: Option<&Url>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(shown) = text(CSRF_HEADER) {
        return KeyDigest::of(shown).matches(&KeyDigest::of(&session.csrf));
    }
    is_own_origin(headers, public_url)
}

/// Whether the browser says that a request comes from the gateway's own origin.
pub(super) fn is_own_origin(headers: &HeaderMap, public_url: Option<&Url>) -> bool {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(origin) = text("origin") else {
        return false;
    };
    match (public_url, text("host")) {
        (Some(url), _) if url.origin().ascii_serialization() == origin => true,
        (_, Some(host)) => origin
            .strip_prefix("https://")
            .or_else(|| origin.strip_prefix("http://"))
            .is_some_and(|authority| authority.eq_ignore_ascii_case(host)),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_among_others() {
        let mut headers = HeaderMap::new();
        headers.append("cookie", "a=1; ccag_session=ccags_x; b=2".parse().unwrap());
        assert_eq!(cookie(&headers, SESSION_COOKIE), Some("ccags_x"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn the_scheme_is_read_whatever_its_case() {
        let mut headers = HeaderMap::new();
        headers.insert("authorization", "bearer ccags_x".parse().unwrap());
        assert_eq!(bearer(&headers), Some("ccags_x"));
        headers.insert("authorization", "Basic abc".parse().unwrap());
        assert_eq!(bearer(&headers), None);
        headers.insert("x-api-key", "ccags_y".parse().unwrap());
        assert_eq!(bearer(&headers), Some("ccags_y"));
    }
}
