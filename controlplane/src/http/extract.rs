//! Bodies, queries and ids, with refusals that say what is wrong.

use super::{HttpState, Refusal};
use axum::extract::{FromRequest, FromRequestParts, Path, Query, RawPathParams, Request};
use axum::http::header;
use axum::http::request::Parts;
use ccag_domain::{Code, Problem};
use serde::de::DeserializeOwned;
use std::str::FromStr;

/// The largest body of an admin request, in bytes.
pub(super) const MAX_BODY: usize = 1 << 20;

/// A JSON body. Unknown fields, wrong types and broken JSON are refused by name and place.
pub(super) struct Json<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequest<HttpState> for Json<T> {
    type Rejection = Refusal;

    async fn from_request(request: Request, _: &HttpState) -> Result<Self, Refusal> {
        let content_type = request.headers().get(header::CONTENT_TYPE);
        let content_type = content_type
            .and_then(|value| value.to_str().ok())
            .unwrap_or_default();
        let essence = content_type.split(';').next().unwrap_or_default().trim();
        if !essence.eq_ignore_ascii_case("application/json") {
            return Err(invalid("Send JSON, with the header `Content-Type: application/json`.").into());
        }
        let body = axum::body::to_bytes(request.into_body(), MAX_BODY)
            .await
            .map_err(|_| Problem::new(Code::TooLarge, "The body has more than 1 MiB, or broke off."))?;
        Ok(Self(read(&body)?))
    }
}

fn read<T: DeserializeOwned>(body: &[u8]) -> Result<T, Problem> {
    let mut json = serde_json::Deserializer::from_slice(body);
    let value = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let path = error.path().to_string();
        let inner = error.into_inner();
        if !inner.is_data() {
            return invalid(format!("The body is not valid JSON: {inner}."));
        }
        let text = without_position(&inner);
        match unknown_field(&text).or_else(|| (path != ".").then(|| path.clone())) {
            Some(field) => invalid(format!("The field `{field}` is not valid: {text}.")).field(field),
            None => invalid(format!("The body is not valid: {text}.")),
        }
    })?;
    json.end()
        .map_err(|error| invalid(format!("The body is not valid JSON: {error}.")))?;
    Ok(value)
}

fn invalid(message: impl Into<String>) -> Problem {
    Problem::new(Code::InvalidRequest, message)
}

/// serde_json's words without " at line 1 column 7", which says little about a value of the wrong type.
fn without_position(error: &serde_json::Error) -> String {
    let text = error.to_string();
    match text.rfind(" at line ") {
        Some(at) => text[..at].to_owned(),
        None => text,
    }
}

/// The field's name out of serde's "unknown field `x`, expected …".
fn unknown_field(text: &str) -> Option<String> {
    let rest = text.strip_prefix("unknown field `")?;
    rest.split_once('`')
        .map(|(name, _)| name.chars().take(100).collect())
}

/// The query string. Unknown parameters are refused by name.
pub(super) struct Params<T>(pub(super) T);

impl<T: DeserializeOwned> FromRequestParts<HttpState> for Params<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, _: &HttpState) -> Result<Self, Refusal> {
        let Query(value) = Query::try_from_uri(&parts.uri).map_err(|error| {
            let text = error.body_text();
            let text = text
                .rsplit_once("query string: ")
                .map_or(text.as_str(), |(_, rest)| rest);
            let problem = invalid(format!("The query is not valid: {text}."));
            match unknown_field(text) {
                Some(field) => problem.field(field),
                None => problem,
            }
        })?;
        Ok(Self(value))
    }
}

/// The id in the path. What is not even an id names nothing that exists.
pub(super) struct Id<T>(pub(super) T);

impl<T: FromStr + Send> FromRequestParts<HttpState> for Id<T> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Refusal> {
        let params = RawPathParams::from_request_parts(parts, state).await;
        let text = params.ok().and_then(|params| {
            let found = params.iter().find(|(name, _)| *name == "id");
            found.map(|(_, value)| value.to_owned())
        });
        parse(&text.unwrap_or_default()).map(Self)
    }
}

/// The team and the user in the path.
pub(super) struct TwoIds<A, B>(pub(super) A, pub(super) B);

impl<A: FromStr + Send, B: FromStr + Send> FromRequestParts<HttpState> for TwoIds<A, B> {
    type Rejection = Refusal;

    async fn from_request_parts(parts: &mut Parts, state: &HttpState) -> Result<Self, Refusal> {
        let Path((a, b)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| nothing(""))?;
        Ok(Self(parse(&a)?, parse(&b)?))
    }
}

fn parse<T: FromStr>(text: &str) -> Result<T, Refusal> {
    text.parse().map_err(|_| nothing(text))
}

fn nothing(text: &str) -> Refusal {
    let shown: String = text.chars().filter(|c| !c.is_control()).take(80).collect();
    Refusal(Problem::new(
        Code::NotFound,
        format!("There is nothing with the id `{shown}`."),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(Debug, serde::Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Body {
        #[expect(dead_code, reason = "only its type matters")]
        count: u32,
    }

    fn refused(body: &str) -> (Option<String>, String) {
        let problem = read::<Body>(body.as_bytes()).unwrap_err();
        (problem.field, problem.message)
    }

    #[test]
    fn refusals_name_the_field_and_what_is_wrong() {
        let (field, message) = refused(r#"{"count":1,"cuont":2}"#);
        assert_eq!(field.as_deref(), Some("cuont"));
        assert!(message.contains("unknown field `cuont`"), "{message}");
        let (field, message) = refused(r#"{"count":"x"}"#);
        assert_eq!(field.as_deref(), Some("count"));
        assert!(message.contains("expected u32"), "{message}");
        assert!(refused(r#"{"count":-1}"#).1.contains("expected u32"));
        assert!(refused("{}").1.contains("missing field `count`"));
        for broken in ["", "{", r#"{"count":1} x"#, "\u{0}"] {
            assert!(refused(broken).1.contains("not valid JSON"), "{broken}");
        }
    }
}
