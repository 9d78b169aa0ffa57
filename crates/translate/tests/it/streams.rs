//! Streams, from frames to server-sent events.

use crate::frames::chunk;
use ccag_domain::{Code, ModelName, Problem, Tokens};
use ccag_translate::error::{Failure, classify};
use ccag_translate::eventstream::{FrameReader, Message, Scratch};
use ccag_translate::noticed::Dropped;
use ccag_translate::profile::{AnswerRules, RuleBook, overlaid};
use ccag_translate::stream::{
    EndReason, Fed, Finish, PING, Phase, StreamOptions, StreamTranslator, error_event,
};
use proptest::prelude::*;
use serde_json::json;

const START: &str = r#"{"type":"message_start","message":{"id":"msg_bdrk_01ABC","type":"message","role":"assistant","model":"us.anthropic.claude-opus-5-5","content":[],"stop_reason":null,"usage":{"input_tokens":10,"cache_creation_input_tokens":4,"cache_read_input_tokens":7,"output_tokens":1}}}"#;
const BARE_START: &str = r#"{"type":"message_start","message":{"id":"m","model":"x","usage":{"input_tokens":3,"output_tokens":1}}}"#;
const TOOL: &str = r#"{"type":"content_block_start","index":0,"content_block":{"type":"tool_use","id":"toolu_bdrk_1","name":"Bash","input":{}}}"#;
const DELTA: &str =
    r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"l\u00f6\ud800 1.0"}}"#;
const BLOCK_STOP: &str = r#"{"type":"content_block_stop","index":0}"#;
const END: &str = r#"{"type":"message_delta","delta":{"stop_reason":"end_turn","stop_sequence":null},"usage":{"output_tokens":2}}"#;
const STOP: &str = r#"{"type":"message_stop"}"#;
const STOP_METRICS: &str = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":11,"outputTokenCount":2,"invocationLatency":900,"firstByteLatency":400,"cacheReadInputTokenCount":700,"cacheWriteInputTokenCount":30}}"#;

fn translator() -> StreamTranslator {
    translator_by(AnswerRules::default())
}

fn translator_by(rules: AnswerRules) -> StreamTranslator {
    StreamTranslator::new(StreamOptions {
        rules,
        model: "claude-opus-5-5".to_owned(),
        writes_1h: false,
        request_id: Some("req_1".to_owned()),
    })
}

fn run(events: &[&str]) -> (StreamTranslator, String) {
    run_by(AnswerRules::default(), events)
}

fn run_by(rules: AnswerRules, events: &[&str]) -> (StreamTranslator, String) {
    let mut translator = translator_by(rules);
    let mut out = Vec::new();
    for event in events {
        assert_eq!(
            translator.feed(event.as_bytes(), &mut out),
            Ok(Fed::Passed),
            "{event}"
        );
    }
    (translator, String::from_utf8(out).unwrap())
}

fn sse(kind: &str, json: &str) -> String {
    format!("event: {kind}\ndata: {json}\n\n")
}

#[test]
fn events_pass_as_the_bytes_that_came() {
    let (translator, out) = run(&[START, TOOL, DELTA, BLOCK_STOP, END, STOP]);
    let wanted = [
        sse(
            "message_start",
            &START.replace("us.anthropic.claude-opus-5-5", "claude-opus-5-5"),
        ),
        sse("content_block_start", TOOL),
        sse("content_block_delta", DELTA),
        sse("content_block_stop", BLOCK_STOP),
        sse("message_delta", END),
        sse("message_stop", STOP),
    ];
    assert_eq!(out, wanted.concat());
    assert_eq!(translator.phase(), Phase::Stopped);
    let seen = translator.observed();
    assert_eq!(
        (seen.message_id.as_deref(), seen.stop_reason.as_deref()),
        (Some("msg_bdrk_01ABC"), Some("end_turn"))
    );
    let tools: Vec<_> = seen
        .tools
        .calls()
        .iter()
        .map(|t| (t.name.as_str(), t.calls))
        .collect();
    assert_eq!(tools, [("Bash", 1)]);
    let tokens = Tokens {
        input: 10,
        output: 2,
        cache_read: 7,
        cache_write_5m: 4,
        cache_write_1h: 0,
    };
    assert_eq!(translator.tokens(), (tokens, false));
}

#[test]
fn bedrocks_metrics_are_taken_out_and_counted() {
    let (translator, out) = run(&[BARE_START, DELTA, END, STOP_METRICS]);
    assert!(!out.contains("amazon-bedrock"), "{out}");
    assert!(out.ends_with(&sse("message_stop", STOP)));
    let tokens = Tokens {
        input: 11,
        output: 2,
        cache_read: 700,
        cache_write_5m: 30,
        cache_write_1h: 0,
    };
    assert_eq!(translator.tokens(), (tokens, false));
    assert_eq!(translator.observed().invocation_latency_ms, Some(900));
}

#[test]
fn cache_counts_that_come_late_are_promoted() {
    let late =
        r#"{"type":"message_stop","usage":{"cache_read_input_tokens":9000,"cache_creation_input_tokens":5}}"#;
    let (_, out) = run(&[BARE_START, DELTA, END, late]);
    let wanted = END.replace(
        r#""output_tokens":2}"#,
        r#""output_tokens":2,"cache_creation_input_tokens":5,"cache_read_input_tokens":9000}"#,
    );
    assert!(out.contains(&sse("message_delta", &wanted)), "{out}");
}

#[test]
fn zeros_are_never_written() {
    let zeros = r#"{"type":"message_stop","amazon-bedrock-invocationMetrics":{"inputTokenCount":3,"outputTokenCount":2,"cacheReadInputTokenCount":0,"cacheWriteInputTokenCount":0}}"#;
    let (_, out) = run(&[BARE_START, DELTA, END, zeros]);
    assert!(
        out.contains(&sse("message_delta", END)) && !out.contains("cache_"),
        "{out}"
    );
}

#[test]
fn unknown_events_and_fields_pass() {
    let new = r#"{"x":1,"type":"brand_new_event"}"#;
    let (_, out) = run(&[new]);
    assert_eq!(out, sse("brand_new_event", new));
}

/// The shipped rules under some that drop.
pub(crate) fn dropping(rows: &[(&str, &str)]) -> AnswerRules {
    let rows: Vec<_> = rows
        .iter()
        .map(|(table, name)| (*table, json!({"name": name, "do": "drop", "source": "a test"})))
        .collect();
    let rows = rows.iter().map(|(table, row)| (*table, row));
    let book = overlaid(RuleBook::shipped("invoke-model").unwrap(), rows, "test").unwrap();
    let book = RuleBook::from_json(book.as_bytes()).unwrap();
    book.profile(&ModelName::canonical("claude-opus-5-5"), 1).answer
}

pub(crate) fn names(noticed: &[Dropped]) -> Vec<String> {
    noticed
        .iter()
        .map(|one| format!("{} {}", one.kind.as_str(), one.name))
        .collect()
}

#[test]
fn what_the_rules_drop_of_an_answer_leaves_no_gap() {
    let rules = dropping(&[
        ("events", "noise"),
        ("answer_blocks", "holo*"),
        ("deltas", "flicker_delta"),
    ]);
    let block = |index: u32, kind: &str| {
        format!(
            r#"{{"type":"content_block_start","index":{index},"content_block":{{"type":"{kind}","text":""}}}}"#
        )
    };
    let delta = |index: u32, kind: &str| {
        format!(
            r#"{{"type":"content_block_delta","index":{index},"delta":{{"type":"{kind}","text":"12345678"}}}}"#
        )
    };
    let stop = |index: u32| format!(r#"{{"type":"content_block_stop","index":{index}}}"#);
    let given = [
        START.to_owned(),
        r#"{"type":"noise"}"#.to_owned(),
        block(0, "hologram"),
        delta(0, "text_delta"),
        stop(0),
        block(1, "text"),
        delta(1, "text_delta"),
        delta(1, "flicker_delta"),
        stop(1),
        block(2, "holodeck"),
        stop(2),
        block(3, "text"),
        delta(3, "text_delta"),
        stop(3),
    ];
    let mut translator = translator_by(rules.clone());
    for event in &given[..5] {
        translator.feed(event.as_bytes(), &mut Vec::new()).unwrap();
    }
    assert_eq!(
        translator.phase(),
        Phase::BeforeContent,
        "the client has seen nothing yet"
    );
    let all: Vec<&str> = given.iter().map(String::as_str).chain([END, STOP]).collect();
    let (translator, out) = run_by(rules, &all);
    let wanted: Vec<String> = [
        ("content_block_start", block(0, "text")),
        ("content_block_delta", delta(0, "text_delta")),
        ("content_block_stop", stop(0)),
        ("content_block_start", block(1, "text")),
        ("content_block_delta", delta(1, "text_delta")),
        ("content_block_stop", stop(1)),
        ("message_delta", END.to_owned()),
        ("message_stop", STOP.to_owned()),
    ]
    .map(|(kind, json)| sse(kind, &json))
    .to_vec();
    let (_, rest) = out.split_once("\n\n").unwrap();
    assert_eq!(rest, wanted.concat());
    let noticed = &translator.observed().noticed;
    assert_eq!(
        names(&noticed.dropped),
        [
            "event noise",
            "answer_block hologram",
            "delta flicker_delta",
            "answer_block holodeck"
        ]
    );
    assert!(noticed.passed.is_empty());
    assert_eq!(
        translator.observed().content_bytes,
        32,
        "what is left out is paid for"
    );
}

#[test]
fn every_part_of_an_answer_that_is_documented_has_a_row() {
    for surface in RuleBook::surfaces() {
        let book = RuleBook::from_json(RuleBook::shipped(surface).unwrap().as_bytes()).unwrap();
        let answer = book.profile(&ModelName::canonical("claude-opus-5-5"), 1).answer;
        for (table, names) in [
            (
                &answer.blocks,
                &[
                    "text",
                    "thinking",
                    "redacted_thinking",
                    "tool_use",
                    "server_tool_use",
                ][..],
            ),
            (
                &answer.deltas,
                &[
                    "text_delta",
                    "input_json_delta",
                    "thinking_delta",
                    "signature_delta",
                ],
            ),
        ] {
            for name in names {
                assert!(table.find(name).unwrap().is_named(), "{surface}: {name}");
            }
            assert!(!table.find("brand_new").unwrap().is_named());
        }
    }
}

#[test]
fn line_breaks_between_tokens_do_not_break_the_event() {
    let (_, out) = run(&["{\"type\":\"ping\",\n\"a\":\r\n1}"]);
    assert_eq!(out, "event: ping\ndata: {\"type\":\"ping\", \"a\":  1}\n\n");
}

#[test]
fn before_content_nothing_is_final() {
    let mut translator = translator();
    let mut out = Vec::new();
    for (event, phase) in [
        (START, Phase::BeforeContent),
        (r#"{"type":"ping"}"#, Phase::BeforeContent),
        (TOOL, Phase::Content),
        (END, Phase::Stopping),
        (STOP, Phase::Stopped),
    ] {
        translator.feed(event.as_bytes(), &mut out).unwrap();
        assert_eq!(translator.phase(), phase, "{event}");
    }
}

#[test]
fn a_message_with_its_stop_reason_is_whole_however_the_stream_ends() {
    for reason in [EndReason::Clean, EndReason::Cut] {
        let (mut translator, _) = run(&[BARE_START, DELTA, END]);
        let mut out = Vec::new();
        assert_eq!(translator.finish(&reason, &mut out), Finish::Complete);
        let out = String::from_utf8(out).unwrap();
        assert_eq!(
            out,
            format!("{}{}", sse("message_delta", END), sse("message_stop", STOP))
        );
    }
}

#[test]
fn a_part_of_a_message_ends_with_an_error_and_no_stop() {
    let (mut translator, _) = run(&[START, DELTA]);
    let mut out = Vec::new();
    assert_eq!(translator.finish(&EndReason::Clean, &mut out), Finish::Broken);
    let out = String::from_utf8(out).unwrap();
    assert!(
        out.starts_with("event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"api_error\""),
        "{out}"
    );
    assert!(out.contains("\"request_id\":\"req_1\"") && !out.contains("message_stop"));
}

#[test]
fn throttling_after_content_is_told_as_overload() {
    let (mut translator, _) = run(&[START, DELTA]);
    let error = classify(&Failure {
        kind: "throttlingException",
        message: "Too many tokens, please wait before trying again.",
        ..Failure::default()
    });
    let mut out = Vec::new();
    translator.finish(&EndReason::Error(Box::new(error)), &mut out);
    assert!(
        String::from_utf8(out)
            .unwrap()
            .contains("\"type\":\"overloaded_error\"")
    );
}

#[test]
fn nothing_is_added_after_message_stop() {
    let (mut translator, _) = run(&[START, END, STOP]);
    let mut out = Vec::new();
    assert_eq!(
        (translator.finish(&EndReason::Cut, &mut out), out.len()),
        (Finish::Complete, 0)
    );
}

#[test]
fn an_abandoned_stream_is_billed_for_what_passed() {
    let text = format!(
        r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{}"}}}}"#,
        "a".repeat(401)
    );
    let (translator, _) = run(&[START, &text]);
    let (tokens, estimated) = translator.tokens();
    assert!(estimated);
    assert_eq!((tokens.input, tokens.output), (10, 101));
}

#[test]
fn an_error_event_is_handed_back_not_written() {
    let mut translator = translator();
    let mut out = Vec::new();
    let event = br#"{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}"#;
    let Ok(Fed::Error(error)) = translator.feed(event, &mut out) else {
        panic!("not an error")
    };
    assert_eq!(
        (error.problem.code, out.len(), translator.phase()),
        (Code::Overloaded, 0, Phase::BeforeContent)
    );
}

#[test]
fn what_is_not_json_is_an_error() {
    let mut out = Vec::new();
    assert!(translator().feed(b"{\"type\":", &mut out).is_err());
    assert!(translator().feed(b"\xff", &mut out).is_err());
}

#[test]
fn error_events_and_pings_are_well_formed() {
    let mut out = Vec::new();
    error_event(&Problem::new(Code::Overloaded, "say \"when\"\n"), None, &mut out);
    let wanted = r#"{"type":"error","error":{"type":"overloaded_error","message":"say \"when\"\n"}}"#;
    assert_eq!(String::from_utf8(out).unwrap(), sse("error", wanted));
    assert_eq!(PING, b"event: ping\ndata: {\"type\": \"ping\"}\n\n");
}

proptest! {
    #[test]
    fn however_the_bytes_are_cut_the_client_reads_the_same(
        texts in proptest::collection::vec("[^\\\\\"\\x00-\\x1f]{0,40}", 0..12),
        cuts in proptest::collection::vec(1usize..400, 1..20),
    ) {
        let deltas = texts.iter().map(|t| {
            format!(r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":"{t}"}}}}"#)
        });
        let events: Vec<String> =
            [START.to_owned()].into_iter().chain(deltas).chain([END.to_owned(), STOP_METRICS.to_owned()]).collect();
        let wanted = run(&events.iter().map(String::as_str).collect::<Vec<_>>()).1;
        let bytes: Vec<u8> = events.iter().flat_map(|e| chunk(e)).collect();
        let mut reader = FrameReader::new();
        let (mut translator, mut scratch, mut out) = (translator(), Scratch::default(), Vec::new());
        let (mut rest, mut cuts) = (bytes.as_slice(), cuts.iter().cycle());
        while !rest.is_empty() {
            let (piece, after) = rest.split_at((*cuts.next().unwrap()).min(rest.len()));
            reader.push(piece);
            rest = after;
            while let Some(frame) = reader.next().unwrap() {
                match frame.message(&mut scratch).unwrap() {
                    Message::Chunk(json) => { translator.feed(json, &mut out).unwrap(); }
                    other => prop_assert!(false, "{other:?}"),
                }
            }
        }
        prop_assert_eq!(String::from_utf8(out).unwrap(), wanted);
    }
}
