//! Who looks at a page: somebody signed in, or a guest.

use super::answer;
use super::cookies::Cookies;
use crate::app::VERSION;
use crate::app::sessions::{self, Session};
use crate::http::problem::Concealed;
use crate::http::{HttpState, base};
use axum::extract::FromRequestParts;
use axum::http::request::Parts;
use axum::http::{Method, StatusCode};
use axum::response::Response;
use ccag_console::page::{ErrorPage, Trouble};
use ccag_console::{Flash, Page, PageContext, Tone, Viewer, path};
use ccag_domain::{Actor, Code, Permission, Problem, Reach, RequestId};
use std::convert::Infallible;

/// Anybody, signed in or not.
pub(super) struct Guest {
    pub(super) state: HttpState,
    pub(super) cookies: Cookies,
    /// Who they are, if they are signed in.
    session: Option<Session>,
    /// Why we could not find out who they are.
    broken: Option<Problem>,
    /// Path and query of the page.
    here: String,
    /// Where clients reach the gateway.
    pub(super) base_url: String,
    request_id: String,
    secure: bool,
}

/// Somebody who is signed in.
pub(super) struct Visitor {
    guest: Guest,
    pub(super) session: Session,
}

impl FromRequestParts<HttpState> for Guest {
    type Rejection = Infallible;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Infallible> {
        let public = state.public_url.as_ref();
        let secure = public.is_some_and(|url| url.scheme() == "https");
        let cookies = Cookies::read(&parts.headers, state, secure);
        let known = parts.extensions.get::<Session>().cloned();
        let (session, broken) = match cookies.session() {
            // Whoever was let in to the page is known already.
            _ if known.is_some() => (known, None),
            None => (None, None),
            Some(token) => match sessions::authenticate(&state.app, token).await {
                Ok(session) => (Some(session), None),
                Err(problem) if problem.code == Code::Unauthenticated => (None, None),
                Err(problem) => (None, Some(problem)),
            },
        };
        let base_url = base::url(&parts.headers, public);
        let here = parts.uri.path_and_query().map_or(path::HOME, |p| p.as_str());
        // The page that a form stands on is where its visitor belongs.
        let here = if parts.method == Method::GET {
            here
        } else {
            page_of_form(here)
        };
        let request_id = parts
            .extensions
            .get::<RequestId>()
            .map_or_else(|| "unknown".to_owned(), ToString::to_string);
        Ok(Self {
            state: state.clone(),
            cookies,
            session,
            broken,
            here: here.to_owned(),
            base_url,
            request_id,
            secure,
        })
    }
}

/// The page with the form that posts to a path.
fn page_of_form(action: &str) -> &str {
    match action {
        path::KEYS => path::NEW_KEY,
        other if other.starts_with(path::WEB_SEARCH) => path::WEB_SEARCH,
        path::ENDPOINTS => path::NEW_ENDPOINT,
        path::MODELS => path::NEW_MODEL,
        path::LOGIN | path::LOGOUT | path::THEME => path::HOME,
        other => match ["/default", "/discover", "/reset", "/verify"]
            .into_iter()
            .find_map(|verb| other.strip_suffix(verb))
        {
            Some(page) => page,
            None => other.strip_suffix("/state").map_or(other, |list| {
                list.rsplit_once('/').map_or(path::HOME, |(list, _)| list)
            }),
        },
    }
}

impl FromRequestParts<HttpState> for Visitor {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Response> {
        let Ok(mut guest) = Guest::from_request_parts(parts, state).await;
        if let Some(problem) = guest.broken.take() {
            return Err(guest.refuse(problem));
        }
        match guest.session.clone() {
            Some(session) => Ok(Self { guest, session }),
            None if parts.method == Method::GET => {
                let next = path::login_then(&guest.here);
                Err(guest.go(&next))
            }
            None => {
                let next = guest.here.clone();
                Err(guest.trouble(Trouble::SessionExpired { next }))
            }
        }
    }
}

impl Guest {
    pub(super) const fn is_signed_in(&self) -> bool {
        self.session.is_some()
    }

    fn context(&self, csrf: String, flash: Vec<Flash>) -> PageContext {
        let viewer = self.session.as_ref().map(|session| Viewer {
            name: session
                .user
                .display_name
                .clone()
                .unwrap_or_else(|| session.user.username.clone()),
            role: session.user.role,
            has_team: session.user.team_id.is_some(),
        });
        PageContext {
            now_ms: self.state.app.now_ms(),
            theme: self.cookies.theme(),
            csrf,
            viewer,
            flash,
            here: self.here.clone(),
            version: VERSION.to_owned(),
        }
    }

    /// A page whose forms carry a token.
    pub(super) fn show(mut self, status: StatusCode, page: &dyn Page, csrf: String) -> Response {
        let flash;
        (self.cookies, flash) = self.cookies.take_flash();
        let context = self.context(csrf, flash);
        answer::page(status, page, &context, self.cookies, self.secure)
    }

    /// A page that says what went wrong.
    pub(super) fn trouble(self, trouble: Trouble) -> Response {
        let page = ErrorPage::new(trouble);
        let status = StatusCode::from_u16(page.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let csrf = self.session.as_ref().map(|s| s.csrf.clone()).unwrap_or_default();
        self.show(status, &page, csrf)
    }

    /// The page for a refusal that no form can show.
    pub(super) fn refuse(self, problem: Problem) -> Response {
        let conceals = problem.conceals;
        let mut response = self.words(problem);
        Concealed::mark(conceals, &mut response);
        response
    }

    fn words(self, problem: Problem) -> Response {
        let trouble = match problem.code {
            Code::NotFound | Code::MethodNotAllowed => Trouble::NotFound,
            Code::Forbidden => Trouble::Forbidden,
            Code::Unauthenticated => Trouble::SessionExpired {
                next: self.here.clone(),
            },
            Code::RateLimited | Code::BudgetExceeded | Code::SessionPaused => Trouble::TooMany,
            Code::Unavailable | Code::Overloaded | Code::Timeout => Trouble::Unavailable,
            Code::Internal | Code::BadUpstream => Trouble::Internal {
                request_id: self.request_id.clone(),
            },
            Code::InvalidRequest
            | Code::PolicyBlocked
            | Code::Conflict
            | Code::KeyReused
            | Code::TooLarge => Trouble::BadRequest {
                detail: problem.message,
            },
        };
        self.trouble(trouble)
    }

    /// A redirect to one of our pages.
    pub(super) fn go(self, path: &str) -> Response {
        answer::see_other(path, self.cookies, self.secure)
    }

    /// The same guest with other cookies.
    pub(super) fn map_cookies(mut self, change: impl FnOnce(Cookies) -> Cookies) -> Self {
        self.cookies = change(self.cookies);
        self
    }
}

impl Visitor {
    pub(super) fn state(&self) -> &HttpState {
        &self.guest.state
    }

    pub(super) fn actor(&self) -> Actor {
        self.session.actor()
    }

    /// How far the visitor goes.
    pub(super) fn reach(&self, permission: Permission) -> Reach {
        self.actor().reach(permission)
    }

    /// Path and query of the page.
    pub(super) fn here(&self) -> &str {
        &self.guest.here
    }

    pub(super) fn base_url(&self) -> String {
        self.guest.base_url.clone()
    }

    pub(super) fn now_ms(&self) -> i64 {
        self.guest.state.app.now_ms()
    }

    /// The page, or what went wrong while gathering it.
    pub(super) fn answer<P: Page>(self, page: Result<P, Problem>) -> Response {
        match page {
            Ok(page) => self.show(StatusCode::OK, &page),
            Err(problem) => self.refuse(problem),
        }
    }

    pub(super) fn show(self, status: StatusCode, page: &dyn Page) -> Response {
        let csrf = self.session.csrf.clone();
        self.guest.show(status, page, csrf)
    }

    pub(super) fn refuse(self, problem: Problem) -> Response {
        self.guest.refuse(problem)
    }

    pub(super) fn trouble(self, trouble: Trouble) -> Response {
        self.guest.trouble(trouble)
    }

    pub(super) fn go(self, path: &str) -> Response {
        self.guest.go(path)
    }

    /// A redirect with a message for the page it leads to.
    pub(super) fn go_saying(self, path: &str, tone: Tone, message: &str) -> Response {
        self.map_cookies(|cookies| cookies.set_flash(tone, message))
            .go(path)
    }

    pub(super) fn map_cookies(mut self, change: impl FnOnce(Cookies) -> Cookies) -> Self {
        self.guest = self.guest.map_cookies(change);
        self
    }

    /// Takes the new key that waits to be shown.
    pub(super) fn take_new_key(mut self) -> (Self, Option<super::cookies::NewKey>) {
        let key;
        (self.guest.cookies, key) = self.guest.cookies.take_new_key();
        (self, key)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_leads_back_to_the_page_it_stands_on() {
        assert_eq!(page_of_form(path::KEYS), path::NEW_KEY);
        assert_eq!(
            page_of_form("/console/keys/key_1/revoke"),
            "/console/keys/key_1/revoke"
        );
        assert_eq!(page_of_form("/console/users/user_1/state"), path::USERS);
        assert_eq!(page_of_form(path::ENDPOINTS), path::NEW_ENDPOINT);
        assert_eq!(
            page_of_form("/console/endpoints/end_1/default"),
            "/console/endpoints/end_1"
        );
        assert_eq!(page_of_form(path::LOGOUT), path::HOME);
    }
}
