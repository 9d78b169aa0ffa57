//! Server-sent events as text.

use crate::json::quoted;
use ccag_domain::Problem;

/// Keeps the client and what is between from giving up while Bedrock is silent.
pub const PING: &[u8] = b"event: ping\ndata: {\"type\": \"ping\"}\n\n";

/// Writes one event. JSON may hold line breaks between its tokens; server-sent events may not.
pub(crate) fn event(kind: &str, json: &[u8], out: &mut Vec<u8>) {
    begin(kind, out);
    data(json, out);
    end(out);
}

/// Writes a delta that is known to hold no line break.
pub(crate) fn delta(json: &[u8], out: &mut Vec<u8>) {
    const BEGIN: &[u8] = b"event: content_block_delta\ndata: ";
    out.reserve(BEGIN.len() + json.len() + 2);
    out.extend_from_slice(BEGIN);
    out.extend_from_slice(json);
    end(out);
}

pub(crate) fn begin(kind: &str, out: &mut Vec<u8>) {
    out.extend_from_slice(b"event: ");
    if kind.bytes().any(|b| b == b'\n' || b == b'\r') {
        out.extend(kind.bytes().filter(|b| *b != b'\n' && *b != b'\r'));
    } else {
        out.extend_from_slice(kind.as_bytes());
    }
    out.extend_from_slice(b"\ndata: ");
}

pub(crate) fn data(json: &[u8], out: &mut Vec<u8>) {
    if memchr::memchr2(b'\n', b'\r', json).is_none() {
        out.extend_from_slice(json);
    } else {
        out.extend(
            json.iter()
                .map(|b| if matches!(b, b'\n' | b'\r') { b' ' } else { *b }),
        );
    }
}

pub(crate) fn end(out: &mut Vec<u8>) {
    out.extend_from_slice(b"\n\n");
}

/// Writes an error event in Anthropic's envelope.
pub fn error_event(problem: &Problem, request_id: Option<&str>, out: &mut Vec<u8>) {
    let mut json = format!(
        "{{\"type\":\"error\",\"error\":{{\"type\":\"{}\",\"message\":{}}}",
        problem.code.anthropic_type(),
        quoted(&problem.message)
    );
    if let Some(id) = request_id {
        json.push_str(&format!(",\"request_id\":{}", quoted(id)));
    }
    json.push('}');
    event("error", json.as_bytes(), out);
}
