//! Frames as Bedrock sends them.

use ccag_translate::eventstream::{FrameError, FrameReader, Message};

/// Encodes a frame with text headers.
pub(crate) fn encode(headers: &[(&str, &str)], payload: &[u8]) -> Vec<u8> {
    let mut block = Vec::new();
    for (name, value) in headers {
        block.push(u8::try_from(name.len()).unwrap());
        block.extend_from_slice(name.as_bytes());
        block.push(7);
        block.extend(u16::try_from(value.len()).unwrap().to_be_bytes());
        block.extend_from_slice(value.as_bytes());
    }
    let mut frame = u32::try_from(16 + block.len() + payload.len())
        .unwrap()
        .to_be_bytes()
        .to_vec();
    frame.extend(u32::try_from(block.len()).unwrap().to_be_bytes());
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame.extend(block);
    frame.extend_from_slice(payload);
    frame.extend(crc32fast::hash(&frame).to_be_bytes());
    frame
}

/// Encodes an event of Anthropic's as Bedrock wraps it.
pub(crate) fn chunk(event: &str) -> Vec<u8> {
    let bytes = base64_simd::STANDARD.encode_to_string(event);
    let payload = format!(r#"{{"bytes":"{bytes}","p":"abcdefghij"}}"#);
    let headers = [
        (":event-type", "chunk"),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ];
    encode(&headers, payload.as_bytes())
}

fn message(frame: &[u8]) -> Result<Message<'static>, FrameError> {
    let mut reader = FrameReader::new();
    reader.push(frame);
    let scratch = Box::leak(Box::default());
    reader.next().unwrap().unwrap().message(scratch)
}

#[test]
fn chunks_carry_the_event_as_it_was() {
    assert_eq!(
        message(&chunk(r#"{"type":"ping"}"#)),
        Ok(Message::Chunk(br#"{"type":"ping"}"#))
    );
    let reordered = encode(
        &[(":message-type", "event"), (":event-type", "chunk")],
        br#"{ "p":"a\"bytes\":", "bytes" : "e30=" }"#,
    );
    assert_eq!(message(&reordered), Ok(Message::Chunk(b"{}")));
}

#[test]
fn exceptions_tell_their_type_even_when_it_is_new() {
    let frame = encode(
        &[
            (":message-type", "exception"),
            (":exception-type", "modelStreamErrorException"),
        ],
        br#"{"message":"The model broke","originalStatusCode":429,"originalMessage":"slow down"}"#,
    );
    let wanted = Message::Exception {
        kind: "modelStreamErrorException".to_owned(),
        message: "The model broke (slow down)".to_owned(),
        original_status: Some(429),
    };
    assert_eq!(message(&frame), Ok(wanted));
    let frame = encode(
        &[
            (":message-type", "exception"),
            (":exception-type", "newException"),
        ],
        b"not json",
    );
    assert!(matches!(message(&frame), Ok(Message::Exception { kind, .. }) if kind == "newException"));
}

#[test]
fn errors_and_unknown_events_are_told_apart() {
    let frame = encode(
        &[
            (":message-type", "error"),
            (":error-code", "c"),
            (":error-message", "m"),
        ],
        b"",
    );
    assert_eq!(
        message(&frame),
        Ok(Message::Error {
            code: "c".to_owned(),
            message: "m".to_owned()
        })
    );
    let frame = encode(&[(":message-type", "event"), (":event-type", "metadata")], b"{}");
    assert_eq!(
        message(&frame),
        Ok(Message::Unknown {
            kind: "metadata".to_owned()
        })
    );
}

#[test]
fn a_chunk_without_readable_bytes_is_an_error() {
    for payload in ["{}", r#"{"bytes":"?"}"#, r#"{"bytes":7}"#, "["] {
        let frame = encode(
            &[(":message-type", "event"), (":event-type", "chunk")],
            payload.as_bytes(),
        );
        assert_eq!(message(&frame), Err(FrameError::Payload), "{payload}");
    }
}
