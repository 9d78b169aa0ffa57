//! What an error's body says, in each of the forms that the lanes have.

use super::classify::aws_kind;
use serde::Deserialize;

/// What the body of an answer says went wrong.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Words {
    /// AWS's name of the error, if the body has one or Anthropic's name stands for it.
    pub kind: Option<String>,
    /// What is said.
    pub message: String,
    /// The model's own status.
    pub original_status: Option<u16>,
}

#[derive(Deserialize, Default)]
struct Body {
    #[serde(alias = "Message")]
    message: Option<String>,
    #[serde(rename = "__type", alias = "code")]
    kind: Option<String>,
    #[serde(rename = "originalStatusCode")]
    original_status: Option<u16>,
    #[serde(rename = "Output")]
    output: Option<Output>,
    error: Option<Anthropic>,
}

#[derive(Deserialize, Default)]
struct Output {
    #[serde(rename = "__type")]
    kind: Option<String>,
    #[serde(alias = "Message")]
    message: Option<String>,
}

#[derive(Deserialize, Default)]
struct Anthropic {
    #[serde(rename = "type")]
    kind: Option<String>,
    message: Option<String>,
}

impl Words {
    /// Reads a body: AWS's `{"message"}` with or without `__type`, the `{"Output": {"__type"}}` of a front door that does
    /// not know the path, or Anthropic's envelope. What is none of them says nothing.
    #[must_use]
    pub fn read(body: &[u8], status: u16) -> Self {
        let body: Body = serde_json::from_slice(body).unwrap_or_default();
        let (output, error) = (body.output.unwrap_or_default(), body.error.unwrap_or_default());
        let anthropic = error.kind.and_then(|kind| aws_kind(&kind, status));
        Self {
            kind: body.kind.or(output.kind).or(anthropic.map(str::to_owned)),
            message: body
                .message
                .or(output.message)
                .or(error.message)
                .unwrap_or_default(),
            original_status: body.original_status,
        }
    }

    /// The error inside an answer whose status says that all is well: Bedrock's `/anthropic` paths answer so where they are
    /// not served (agentgateway and others, 2026). `None` if the body is an answer.
    #[must_use]
    pub fn in_success(body: &[u8]) -> Option<Self> {
        let words = Self::read(body, 200);
        words.kind.is_some().then_some(words)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_form_of_an_error_is_read() {
        let rows = [
            (r#"{"message":"Too many requests"}"#, None, "Too many requests"),
            (
                r#"{"__type":"com.amazon.coral.service#UnknownOperationException","Message":"m"}"#,
                Some("com.amazon.coral.service#UnknownOperationException"),
                "m",
            ),
            (
                r#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"},"Version":"1.0"}"#,
                Some("com.amazon.coral.service#UnknownOperationException"),
                "",
            ),
            (
                r#"{"type":"error","error":{"type":"rate_limit_error","message":"slow down"},"request_id":"req_bdrk_1"}"#,
                Some("ThrottlingException"),
                "slow down",
            ),
            (
                r#"{"type":"error","error":{"type":"novel_error","message":"what"}}"#,
                None,
                "what",
            ),
            ("<html>", None, ""),
        ];
        for (body, kind, message) in rows {
            let words = Words::read(body.as_bytes(), 400);
            assert_eq!(
                (words.kind.as_deref(), words.message.as_str()),
                (kind, message),
                "{body}"
            );
        }
    }

    #[test]
    fn a_message_is_no_error() {
        let body = br#"{"id":"msg_1","type":"message","role":"assistant","content":[],"usage":{}}"#;
        assert_eq!(Words::in_success(body), None);
        let unknown = br#"{"Output":{"__type":"com.amazon.coral.service#UnknownOperationException"}}"#;
        assert!(Words::in_success(unknown).is_some());
    }
}
