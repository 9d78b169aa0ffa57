//! What a frame of `InvokeModelWithResponseStream` means.

use super::frame::{Frame, FrameError};
use super::headers::HeaderValue;
use crate::json::Doc;

/// The meaning of a frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message<'m> {
    /// One event of Anthropic's stream, as JSON.
    Chunk(&'m [u8]),
    /// Bedrock broke off.
    Exception {
        /// `throttlingException`, `modelStreamErrorException`, …
        kind: String,
        /// What Bedrock says.
        message: String,
        /// The model's own status, where Bedrock tells it.
        original_status: Option<u16>,
    },
    /// The framing's own kind of error: a code and a message in headers.
    Error {
        /// `:error-code`.
        code: String,
        /// `:error-message`.
        message: String,
    },
    /// Something that this version does not know.
    Unknown {
        /// `:event-type`, or `:message-type` where that is the unknown one.
        kind: String,
    },
}

/// What is kept from one frame to the next, to save work.
#[derive(Debug, Default)]
pub struct Scratch {
    json: Vec<u8>,
    /// Headers that say "a chunk": those of all chunks of a stream are alike.
    chunk: Vec<u8>,
}

impl Frame<'_> {
    /// What the frame means. The JSON of a chunk is decoded into `scratch`.
    ///
    /// # Errors
    /// [`FrameError::Headers`] or [`FrameError::Payload`] if it cannot be read.
    pub fn message<'m>(&self, scratch: &'m mut Scratch) -> Result<Message<'m>, FrameError> {
        if !self.headers.is_empty() && self.headers == scratch.chunk {
            return self.chunk(&mut scratch.json);
        }
        let (mut kind, mut event, mut exception, mut code, mut message) = ("", "", "", "", "");
        for header in self.headers() {
            let (name, value) = header?;
            let HeaderValue::Text(value) = value else { continue };
            match name {
                ":message-type" => kind = value,
                ":event-type" => event = value,
                ":exception-type" => exception = value,
                ":error-code" => code = value,
                ":error-message" => message = value,
                _ => {}
            }
        }
        match kind {
            "event" if event == "chunk" => {
                scratch.chunk.clear();
                scratch.chunk.extend_from_slice(self.headers);
                self.chunk(&mut scratch.json)
            }
            "event" => Ok(Message::Unknown {
                kind: event.to_owned(),
            }),
            "exception" => Ok(exception_message(exception, self.payload)),
            "error" => Ok(Message::Error {
                code: code.to_owned(),
                message: message.to_owned(),
            }),
            other => Ok(Message::Unknown {
                kind: other.to_owned(),
            }),
        }
    }
}

impl Frame<'_> {
    fn chunk<'m>(&self, json: &'m mut Vec<u8>) -> Result<Message<'m>, FrameError> {
        json.clear();
        decode_chunk(self.payload, json)?;
        Ok(Message::Chunk(json))
    }
}

/// `{"bytes":"<base64>","p":"<padding>"}`.
fn decode_chunk(payload: &[u8], scratch: &mut Vec<u8>) -> Result<(), FrameError> {
    let encoded = match payload.strip_prefix(br#"{"bytes":""#) {
        // Base64 holds neither quotes nor escapes: it ends at the next quote.
        Some(rest) => memchr::memchr(b'"', rest).map(|end| &rest[..end]),
        None => None,
    };
    if let Some(encoded) = encoded {
        return decode(encoded, scratch);
    }
    let text = std::str::from_utf8(payload).map_err(|_| FrameError::Payload)?;
    let doc = Doc::parse(text, 1).map_err(|_| FrameError::Payload)?;
    let bytes = doc
        .root()
        .get("bytes")
        .and_then(|b| b.text())
        .ok_or(FrameError::Payload)?;
    decode(bytes.as_bytes(), scratch)
}

fn decode(encoded: &[u8], scratch: &mut Vec<u8>) -> Result<(), FrameError> {
    base64_simd::STANDARD
        .decode_append(encoded, scratch)
        .map_err(|_| FrameError::Payload)
}

fn exception_message<'m>(kind: &str, payload: &[u8]) -> Message<'m> {
    let text = String::from_utf8_lossy(payload);
    let doc = Doc::parse(&text, 1).ok();
    let get = |name: &str| doc.as_ref().and_then(|doc| doc.root().get(name));
    let string = |name: &str| get(name).and_then(|v| v.text()).map(std::borrow::Cow::into_owned);
    let message = string("message")
        .or_else(|| string("Message"))
        .unwrap_or_default();
    let original = string("originalMessage").filter(|o| !o.is_empty() && !message.contains(o.as_str()));
    Message::Exception {
        kind: kind.to_owned(),
        message: match original {
            Some(original) if message.is_empty() => original,
            Some(original) => format!("{message} ({original})"),
            None => message,
        },
        original_status: get("originalStatusCode")
            .and_then(|v| v.u64())
            .and_then(|n| u16::try_from(n).ok()),
    }
}
