//! AWS's event-stream framing, from the sending side (AWS "Amazon S3 Select: Event stream encoding" describes the frame;
//! Bedrock Runtime sends the same).

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use bytes::{BufMut, Bytes, BytesMut};

/// One frame: prelude with its checksum, string headers, payload, checksum of everything.
#[must_use]
pub fn frame(headers: &[(&str, &str)], payload: &[u8]) -> Bytes {
    let header_bytes: usize = headers.iter().map(|(k, v)| 1 + k.len() + 1 + 2 + v.len()).sum();
    let total = 12 + header_bytes + payload.len() + 4;
    let mut out = BytesMut::with_capacity(total);
    out.put_u32(u32::try_from(total).unwrap_or(u32::MAX));
    out.put_u32(u32::try_from(header_bytes).unwrap_or(u32::MAX));
    let prelude = crc32fast::hash(&out);
    out.put_u32(prelude);
    for (name, value) in headers {
        out.put_u8(u8::try_from(name.len()).unwrap_or(u8::MAX));
        out.put_slice(name.as_bytes());
        // Header type 7 is a string with a 16-bit length.
        out.put_u8(7);
        out.put_u16(u16::try_from(value.len()).unwrap_or(u16::MAX));
        out.put_slice(value.as_bytes());
    }
    out.put_slice(payload);
    let whole = crc32fast::hash(&out);
    out.put_u32(whole);
    out.freeze()
}

const PADDING: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";

/// A `chunk` event that carries one of Anthropic's events. The padding's length follows the content, as Bedrock's varies.
#[must_use]
pub fn chunk(event_json: &[u8]) -> Bytes {
    let padding = &PADDING[..=event_json.len() % (PADDING.len() - 1)];
    let payload = format!(
        "{{\"bytes\":\"{}\",\"p\":\"{padding}\"}}",
        STANDARD.encode(event_json)
    );
    frame(
        &[
            (":event-type", "chunk"),
            (":content-type", "application/json"),
            (":message-type", "event"),
        ],
        payload.as_bytes(),
    )
}

/// An `exception` message, such as `throttlingException`.
#[must_use]
pub fn exception(kind: &str, body: &serde_json::Value) -> Bytes {
    // On the wire the type's first letter is small: `throttlingException`.
    let mut name = kind.to_owned();
    if let Some(first) = name.get_mut(..1) {
        first.make_ascii_lowercase();
    }
    frame(
        &[
            (":exception-type", &name),
            (":content-type", "application/json"),
            (":message-type", "exception"),
        ],
        body.to_string().as_bytes(),
    )
}

/// An `error` message, which has no payload.
#[must_use]
pub fn error(code: &str, message: &str) -> Bytes {
    frame(
        &[
            (":error-code", code),
            (":error-message", message),
            (":message-type", "error"),
        ],
        b"",
    )
}

/// The same frame with its last checksum spoilt.
#[must_use]
pub fn spoil(frame: &Bytes) -> Bytes {
    let mut spoilt = frame.to_vec();
    if let Some(last) = spoilt.last_mut() {
        *last ^= 0xff;
    }
    Bytes::from(spoilt)
}
