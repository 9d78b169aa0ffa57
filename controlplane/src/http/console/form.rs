//! Forms that come back.

use super::visitor::Visitor;
use crate::http::HttpState;
use axum::extract::{FromRequest, FromRequestParts, RawForm, Request};
use axum::http::StatusCode;
use axum::response::Response;
use ccag_console::page::{FormPage, Trouble};
use ccag_domain::{KeyDigest, Problem};
use std::borrow::Cow;

/// What a form holds.
#[derive(Debug, Clone, Default)]
pub(super) struct FormData(Vec<(String, String)>);

impl FormData {
    pub(super) fn parse(body: &[u8]) -> Self {
        Self(
            url::form_urlencoded::parse(body)
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
        )
    }

    /// These fields.
    pub(super) fn new(fields: Vec<(String, String)>) -> Self {
        Self(fields)
    }

    /// A field without the blanks around it; empty if it is not there.
    pub(super) fn text(&self, name: &str) -> String {
        self.raw(name).trim().to_owned()
    }

    /// A field as it was sent.
    pub(super) fn raw(&self, name: &str) -> &str {
        self.0
            .iter()
            .find(|(found, _)| found == name)
            .map_or("", |(_, value)| value)
    }

    /// A field, `None` if it is empty.
    pub(super) fn optional(&self, name: &str) -> Option<String> {
        Some(self.text(name)).filter(|text| !text.is_empty())
    }

    /// Whether a box is ticked.
    pub(super) fn ticked(&self, name: &str) -> bool {
        self.raw(name) == "yes"
    }

    /// All values of a field that may stand in the form several times.
    pub(super) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        self.0
            .iter()
            .filter(move |(found, _)| found == name)
            .map(|(_, value)| value.as_str())
    }

    /// Whether the form carries a token.
    pub(super) fn carries(&self, token: &str) -> bool {
        !token.is_empty() && KeyDigest::of(self.raw("csrf")).matches(&KeyDigest::of(token))
    }
}

/// The query of an address as pairs.
pub(super) fn pairs(query: Option<&str>) -> Vec<(Cow<'_, str>, Cow<'_, str>)> {
    url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()).collect()
}

/// A form that somebody signed in has sent, with their session's token. Handlers that take this see no others.
pub(super) struct Posted {
    pub(super) visitor: Visitor,
    pub(super) form: FormData,
}

impl FromRequest<HttpState> for Posted {
    type Rejection = Response;

    async fn from_request(request: Request, state: &HttpState) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let visitor = Visitor::from_request_parts(&mut parts, state).await?;
        let request = Request::from_parts(parts, body);
        let Ok(RawForm(body)) = RawForm::from_request(request, state).await else {
            return Err(visitor.trouble(Trouble::BadRequest {
                detail: "The form is too large, or was not sent as a form.".to_owned(),
            }));
        };
        let form = FormData::parse(&body);
        if form.carries(&visitor.session.csrf) {
            return Ok(Self { visitor, form });
        }
        let back = visitor.here().to_owned();
        Err(visitor.trouble(Trouble::StaleForm { back }))
    }
}

/// The form once more, with what was entered and what is wrong with it: what a field says already, and what the problem
/// adds. Problems that are not about what was entered get a page of their own.
pub(super) fn again(visitor: Visitor, mut page: impl FormPage, problem: Option<Problem>) -> Response {
    match problem {
        Some(problem) if !is_about_input(&problem) => return visitor.refuse(problem),
        Some(problem) => page.blame(problem.field.as_deref(), problem.message),
        None => {}
    }
    visitor.show(StatusCode::UNPROCESSABLE_ENTITY, &page)
}

/// Whether a problem is about what was entered, so that the form can show it.
pub(super) fn is_about_input(problem: &Problem) -> bool {
    use ccag_domain::Code::{Conflict, Forbidden, InvalidRequest};
    match problem.code {
        InvalidRequest | Conflict => true,
        // They may send the form, and have entered what they may not.
        Forbidden => problem.field.is_some(),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_carries_its_token_or_nothing() {
        let form = FormData::parse(b"csrf=abc&name=+a%20b+&empty=");
        assert!(form.carries("abc") && !form.carries("abcd") && !form.carries(""));
        assert!(!FormData::parse(b"csrf=").carries(""));
        assert_eq!(form.text("name"), "a b");
        assert_eq!(form.optional("empty"), None);
        assert_eq!(form.raw("missing"), "");
    }
}
