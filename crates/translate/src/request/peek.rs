//! The first look: is it a Messages request, and what does routing need to know of it?

use super::estimate;
use crate::json::{Doc, Kind, Value};
use ccag_domain::{Code, Problem};
use std::collections::HashSet;

/// How deep values are indexed: `messages[i].content[j].content[k].source.type` is the deepest that is looked at.
const DEPTH: usize = 8;

/// Which of the two bodies it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Operation {
    /// `POST /v1/messages`.
    Messages,
    /// `POST /v1/messages/count_tokens`: `max_tokens` may be missing.
    CountTokens,
}

/// A request body that was read and checked at its top level.
#[derive(Debug)]
pub struct Peeked<'b> {
    pub(crate) doc: Doc<'b>,
    pub(crate) operation: Operation,
    model: String,
    stream: bool,
    max_tokens: Option<u64>,
    session_id: Option<String>,
    has_history: bool,
    input_tokens: estimate::Estimate,
}

impl Peeked<'_> {
    /// The model as the client spelled it.
    #[must_use]
    pub fn model(&self) -> &str {
        &self.model
    }

    /// Whether the answer is to be streamed.
    #[must_use]
    pub fn stream(&self) -> bool {
        self.stream
    }

    /// The most output tokens that the client asked for; always there for [`Operation::Messages`].
    #[must_use]
    pub fn max_tokens(&self) -> Option<u64> {
        self.max_tokens
    }

    /// The session that Claude Code names in `metadata.user_id`.
    #[must_use]
    pub fn session_id(&self) -> Option<&str> {
        self.session_id.as_deref()
    }

    /// A number that stays the same over the turns of a conversation (made of the system prompt and the first message) on
    /// every replica: for routing when no session is named. Not a secret, not collision-proof.
    #[must_use]
    pub fn conversation_hash(&self) -> u64 {
        conversation_hash(self.root())
    }

    /// Whether the model has answered in this conversation before: its history holds an assistant's message.
    #[must_use]
    pub fn has_history(&self) -> bool {
        self.has_history
    }

    /// About how many input tokens it holds: text by its length, images and documents flat.
    #[must_use]
    pub fn estimated_input_tokens(&self) -> u64 {
        self.input_tokens.likely
    }

    /// How many input tokens it holds at most; [`u64::MAX`] where only the model's context window bounds them.
    #[must_use]
    pub fn most_input_tokens(&self) -> u64 {
        self.input_tokens.most
    }

    pub(crate) fn root(&self) -> Value<'_> {
        self.doc.root()
    }
}

fn invalid(field: &str, what: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{field}: {what}")).field(field)
}

/// Reads and checks a body.
///
/// # Errors
/// A [`Problem`] in the words of Anthropic's API for bodies that are not JSON, not an object, lack a required field, have
/// one of the wrong type, or have a field twice.
pub fn peek(body: &[u8], operation: Operation) -> Result<Peeked<'_>, Problem> {
    let not_json = |what: String| {
        Problem::new(
            Code::InvalidRequest,
            format!("The request body is not valid JSON: {what}"),
        )
    };
    if body.is_empty() {
        return Err(not_json("the body is empty".to_owned()));
    }
    let text = simdutf8::compat::from_utf8(body)
        .map_err(|e| not_json(format!("invalid UTF-8: char {}", e.valid_up_to())))?;
    let doc = Doc::parse(text, DEPTH).map_err(|e| not_json(e.to_string()))?;
    let root = doc.root();
    if !root.is_object() {
        return Err(Problem::new(
            Code::InvalidRequest,
            "Input should be a valid dictionary",
        ));
    }
    no_field_twice(root)?;
    let model = match root.get("model").map(|v| v.text()) {
        None => return Err(invalid("model", "Field required")),
        Some(Some(model)) if !model.trim().is_empty() => model.into_owned(),
        Some(_) => return Err(invalid("model", "Input should be a valid string")),
    };
    let max_tokens = max_tokens(root, operation)?;
    let has_history = check_messages(root)?;
    let stream = match root.get("stream") {
        None => false,
        Some(v) if v.kind() == Kind::Null => false,
        Some(v) => v
            .bool()
            .ok_or_else(|| invalid("stream", "Input should be a valid boolean"))?,
    };
    check_lists(root)?;
    let session_id = session_id(root);
    let input_tokens = estimate::input_tokens(root);
    Ok(Peeked {
        operation,
        model,
        stream,
        max_tokens,
        session_id,
        has_history,
        input_tokens,
        doc,
    })
}

/// Two parsers may disagree on which of two members counts: one that decides on routing and price must not be there twice.
fn no_field_twice(root: Value<'_>) -> Result<(), Problem> {
    let mut seen = HashSet::new();
    for (key, _) in root.members() {
        let Some(name) = key.text() else {
            return Err(Problem::new(
                Code::InvalidRequest,
                "a field name is not valid Unicode",
            ));
        };
        if let Some(twice) = seen.replace(name) {
            return Err(invalid(&twice, "the field is given twice"));
        }
    }
    Ok(())
}

fn max_tokens(root: Value<'_>, operation: Operation) -> Result<Option<u64>, Problem> {
    match root.get("max_tokens") {
        None if operation == Operation::CountTokens => Ok(None),
        None => Err(invalid("max_tokens", "Field required")),
        Some(value) => match value.u64() {
            Some(0) => Err(invalid("max_tokens", "must be greater than or equal to 1")),
            Some(n) => Ok(Some(n)),
            None if value.kind() == Kind::Number && value.f64().is_some_and(|n| n < 0.0) => {
                Err(invalid("max_tokens", "must be greater than or equal to 1"))
            }
            None => Err(invalid("max_tokens", "Input should be a valid integer")),
        },
    }
}

/// Checks the messages; says whether the assistant has spoken.
fn check_messages(root: Value<'_>) -> Result<bool, Problem> {
    let messages = root
        .get("messages")
        .ok_or_else(|| invalid("messages", "Field required"))?;
    if !messages.is_array() {
        return Err(invalid("messages", "Input should be a valid list"));
    }
    if messages.is_empty() {
        return Err(invalid("messages", "at least one message is required"));
    }
    let mut has_history = false;
    for (i, message) in messages.elements().enumerate() {
        if !message.is_object() {
            return Err(invalid(
                &format!("messages.{i}"),
                "Input should be a valid dictionary",
            ));
        }
        let missing = |field: &str| Err(invalid(&format!("messages.{i}.{field}"), "Field required"));
        let Some(role) = message.get("role") else {
            return missing("role");
        };
        if message.get("content").is_none() {
            return missing("content");
        }
        has_history |= role.is_text("assistant");
    }
    Ok(has_history)
}

fn check_lists(root: Value<'_>) -> Result<(), Problem> {
    if let Some(tools) = root.get("tools")
        && !tools.is_array()
        && tools.kind() != Kind::Null
    {
        return Err(invalid("tools", "Input should be a valid list"));
    }
    if let Some(system) = root.get("system")
        && !matches!(system.kind(), Kind::Array | Kind::String | Kind::Null)
    {
        return Err(invalid("system", "Input should be a valid string or list"));
    }
    Ok(())
}

/// Claude Code writes `metadata.user_id` as JSON in a string.
fn session_id(root: Value<'_>) -> Option<String> {
    let user_id = root.get("metadata")?.get("user_id")?.text()?;
    if !user_id.starts_with('{') || user_id.len() > 4_096 {
        return None;
    }
    let inner = Doc::parse(&user_id, 1).ok()?;
    let session = inner.root().get("session_id")?.text()?;
    (!session.is_empty() && session.len() <= 128).then(|| session.into_owned())
}

fn conversation_hash(root: Value<'_>) -> u64 {
    let system = root.get("system").map_or("", |v| v.raw());
    let first = root
        .get("messages")
        .and_then(|m| m.elements().next())
        .and_then(|m| m.get("content"));
    let first = first.map_or("", |v| v.raw());
    let hash = |text: &str| u64::from(crc32fast::hash(text.as_bytes()));
    // Two sums of 32 bits, spread over all 64.
    ((hash(system) << 32) | hash(first)).wrapping_mul(0x9E37_79B9_7F4A_7C15)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(body: &str) -> String {
        peek(body.as_bytes(), Operation::Messages).unwrap_err().message
    }

    #[test]
    fn refusals_use_the_words_of_anthropics_api() {
        let cases = [
            (r#"{"max_tokens":1,"messages":[]}"#, "model: Field required"),
            (
                r#"{"model":7,"max_tokens":1,"messages":[]}"#,
                "model: Input should be a valid string",
            ),
            (r#"{"model":"m","messages":[]}"#, "max_tokens: Field required"),
            (
                r#"{"model":"m","max_tokens":"1","messages":[]}"#,
                "max_tokens: Input should be a valid integer",
            ),
            (
                r#"{"model":"m","max_tokens":0,"messages":[]}"#,
                "max_tokens: must be greater than or equal to 1",
            ),
            (r#"{"model":"m","max_tokens":1}"#, "messages: Field required"),
            (
                r#"{"model":"m","max_tokens":1,"messages":"x"}"#,
                "messages: Input should be a valid list",
            ),
            (
                r#"{"model":"m","max_tokens":1,"messages":[]}"#,
                "messages: at least one message is required",
            ),
            (
                r#"{"model":"m","max_tokens":1,"messages":[1]}"#,
                "messages.0: Input should be a valid dictionary",
            ),
            (
                r#"{"model":"m","max_tokens":1,"messages":[{"role":"user"}]}"#,
                "messages.0.content: Field required",
            ),
            (
                r#"{"model":"m","m\u006fdel":"n","max_tokens":1,"messages":[]}"#,
                "model: the field is given twice",
            ),
            ("[1]", "Input should be a valid dictionary"),
        ];
        for (body, message) in cases {
            assert_eq!(refusal(body), message, "{body}");
        }
    }

    #[test]
    fn what_is_not_json_is_named_with_its_place() {
        assert_eq!(
            refusal("{\"a\":}"),
            "The request body is not valid JSON: unexpected character: char 5"
        );
        assert_eq!(
            refusal("{\"a\":1"),
            "The request body is not valid JSON: unexpected end of data: char 6"
        );
        let problem = peek(b"{\"a\":\"\xff\"}", Operation::Messages).unwrap_err();
        assert_eq!(
            problem.message,
            "The request body is not valid JSON: invalid UTF-8: char 6"
        );
        assert!(refusal("{\"a\":\"\u{0}\"}").contains("control character"));
    }

    #[test]
    fn claude_codes_session_is_found() {
        let body = r#"{"model":"m","max_tokens":1,"messages":[{"role":"user","content":"x"}],
            "metadata":{"user_id":"{\"device_id\":\"d\",\"session_id\":\"5e55\"}"}}"#;
        let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
        assert_eq!(peeked.session_id(), Some("5e55"));
        assert!(!peeked.stream());
    }

    #[test]
    fn a_conversation_keeps_its_hash_as_it_grows() {
        let hash = |rest: &str| {
            let body = format!(
                r#"{{"model":"m","max_tokens":1,"system":"s","messages":[{{"role":"user","content":"x"}}{rest}]}}"#
            );
            let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
            assert_eq!(peeked.has_history(), !rest.is_empty());
            peeked.conversation_hash()
        };
        assert_eq!(
            hash(""),
            hash(r#",{"role":"assistant","content":"y"},{"role":"user","content":"z"}"#)
        );
    }
}
