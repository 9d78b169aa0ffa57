//! `ccag-replay`: reads a recorded request as a data plane does, or an answer of two hundred events, as often as is asked for.
//! `cargo xtask instructions` counts what one takes, and fails where it has grown.

use ccag_domain::ModelName;
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use ccag_translate::profile::RuleBook;
use ccag_translate::request::{Headers, Operation, peek, prepare};
use ccag_translate::stream::{Phase, StreamOptions, StreamTranslator};
use std::error::Error;
use std::hint::black_box;

/// A turn of Claude Code with its tools, as it was recorded.
const RECORDED: &str = include_str!("../../../crates/translate/tests/fixtures/2.1.330-subagent.json");

/// How many events with text an answer has.
const EVENTS: usize = 200;

fn main() -> Result<(), Box<dyn Error>> {
    let mut args = std::env::args().skip(1);
    let (what, times) = (args.next().unwrap_or_default(), args.next().unwrap_or_default());
    let times: usize = times.parse()?;
    match what.as_str() {
        "request" => requests(times),
        "answer" => answers(times),
        other => Err(format!("`{other}` is neither `request` nor `answer`").into()),
    }
}

fn requests(times: usize) -> Result<(), Box<dyn Error>> {
    let recorded: serde_json::Value = serde_json::from_str(RECORDED)?;
    let asked = &recorded[0]["body"];
    let body = asked.to_string();
    let model = ModelName::canonical(asked["model"].as_str().unwrap_or_default());
    let profile = RuleBook::invoke_model().profile(&model, 64_000);
    for _ in 0..times {
        let peeked = peek(black_box(body.as_bytes()), Operation::Messages).map_err(|p| p.to_string())?;
        let headers = Headers {
            betas: &["interleaved-thinking-2025-05-14"],
            version: Some("2023-06-01"),
        };
        let prepared = prepare(&peeked, headers, &profile).map_err(|p| p.to_string())?;
        black_box(prepared.body.into_pieces().len());
    }
    Ok(())
}

fn answers(times: usize) -> Result<(), Box<dyn Error>> {
    let bytes = answer();
    for _ in 0..times {
        let mut translator = StreamTranslator::new(StreamOptions {
            model: "claude-sonnet-4-6".to_owned(),
            ..StreamOptions::default()
        });
        let (mut reader, mut scratch, mut out) = (FrameReader::new(), Scratch::default(), Vec::new());
        // As a network brings them.
        for part in black_box(&bytes).chunks(1_400) {
            reader.push(part);
            while let Some(frame) = reader.next()? {
                let Message::Chunk(event) = frame.message(&mut scratch)? else {
                    return Err("not an event".into());
                };
                translator.feed(event, &mut out)?;
            }
            black_box(out.len());
            out.clear();
        }
        if translator.phase() != Phase::Stopped {
            return Err("the answer has no end".into());
        }
    }
    Ok(())
}

/// An answer in frames.
fn answer() -> Vec<u8> {
    let start = r#"{"type":"message_start","message":{"id":"msg_1","type":"message","role":"assistant","model":"claude-sonnet-4-6","content":[],"stop_reason":null,"stop_sequence":null,"usage":{"input_tokens":15000,"cache_creation_input_tokens":0,"cache_read_input_tokens":12000,"output_tokens":1}}}"#;
    let block = r#"{"type":"content_block_start","index":0,"content_block":{"type":"text","text":""}}"#;
    let mut events = vec![start.to_owned(), block.to_owned()];
    events.extend((0..EVENTS).map(|n| {
        let text = format!("word {n} of \\\"this\\\" answer,\\n");
        format!(
            r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{text}"}}}}"#
        )
    }));
    events.extend(
        [
            r#"{"type":"content_block_stop","index":0}"#,
            r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":900}}"#,
            r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":15000,"outputTokenCount":900}}"#,
        ]
        .map(str::to_owned),
    );
    events.iter().flat_map(|event| frame(event.as_bytes())).collect()
}

/// An event as Bedrock frames it: prelude with its checksum, headers, payload, checksum of everything.
fn frame(event: &[u8]) -> Vec<u8> {
    let mut headers = Vec::new();
    for (name, value) in [
        (":event-type", "chunk"),
        (":content-type", "application/json"),
        (":message-type", "event"),
    ] {
        headers.push(length8(name));
        headers.extend_from_slice(name.as_bytes());
        // A text with a length of two bytes.
        headers.extend_from_slice(&[7, 0, length8(value)]);
        headers.extend_from_slice(value.as_bytes());
    }
    let encoded = base64_simd::STANDARD.encode_to_string(event);
    let payload = format!(r#"{{"bytes":"{encoded}","p":"abcdefghijk"}}"#);
    let total = 16 + headers.len() + payload.len();
    let mut frame = length32(total).to_vec();
    frame.extend_from_slice(&length32(headers.len()));
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame.extend_from_slice(&headers);
    frame.extend_from_slice(payload.as_bytes());
    frame.extend_from_slice(&crc32fast::hash(&frame).to_be_bytes());
    frame
}

fn length8(text: &str) -> u8 {
    u8::try_from(text.len()).unwrap_or(u8::MAX)
}

fn length32(length: usize) -> [u8; 4] {
    u32::try_from(length).unwrap_or(u32::MAX).to_be_bytes()
}
