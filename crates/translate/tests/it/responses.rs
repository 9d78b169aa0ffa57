//! Answers that are not streamed.

use crate::streams::{dropping, names};
use ccag_domain::{Problem, Tokens, ToolCalls};
use ccag_translate::profile::AnswerRules;
use ccag_translate::response::{GuardrailOutcome, HeaderCounts, Translated, text_of};

const BODY: &str = r#"{"id":"msg_bdrk_01","type":"message","role":"assistant","model":"us.anthropic.claude-opus-5-5", "content":[{"type":"tool_use","id":"toolu_bdrk_01","name":"t","input":{"n":1.0,"b":1e2}}],"stop_reason":"tool_use","usage":{"input_tokens":10,"output_tokens":2},"amazon-bedrock-guardrailAction":"INTERVENED"}"#;

fn called(name: &str, calls: u32) -> ToolCalls {
    ToolCalls {
        name: name.to_owned(),
        calls,
        failed: 0,
    }
}

/// By the shipped rules.
fn translate(body: &[u8], model: &str, counts: HeaderCounts, writes_1h: bool) -> Result<Translated, Problem> {
    ccag_translate::response::translate(body, model, counts, writes_1h, &AnswerRules::default())
}

#[test]
fn only_the_model_the_counts_and_bedrocks_own_keys_change() {
    let counts = HeaderCounts {
        cache_read: Some(900),
        cache_write: Some(0),
        ..HeaderCounts::default()
    };
    let done = translate(BODY.as_bytes(), "claude-opus-5-5", counts, false).unwrap();
    let wanted = BODY
        .replace("us.anthropic.claude-opus-5-5", "claude-opus-5-5")
        .replace(
            r#""output_tokens":2}"#,
            r#""output_tokens":2,"cache_read_input_tokens":900}"#,
        )
        .replace(r#","amazon-bedrock-guardrailAction":"INTERVENED""#, "");
    assert_eq!(String::from_utf8(done.body).unwrap(), wanted);
    assert_eq!(
        done.tokens,
        Tokens {
            input: 10,
            output: 2,
            cache_read: 900,
            ..Tokens::default()
        }
    );
    assert_eq!(
        (done.message_id.unwrap(), done.tools.into_calls()),
        ("msg_bdrk_01".to_owned(), vec![called("t", 1)])
    );
    assert_eq!(done.guardrail, GuardrailOutcome::OutputBlocked);
}

#[test]
fn a_blocked_prompt_is_told_from_a_blocked_answer() {
    let outcome = |usage: &str, rest: &str| {
        let body = format!(
            r#"{{"type":"message","content":[{{"type":"text","text":"No \u00e4."}}],"usage":{usage}{rest}}}"#
        );
        assert_eq!(text_of(body.as_bytes()), "No ä.");
        let done = translate(body.as_bytes(), "m", HeaderCounts::default(), false).unwrap();
        assert!(!String::from_utf8(done.body).unwrap().contains("amazon-bedrock"));
        done.guardrail
    };
    let action = |action: &str| format!(r#","amazon-bedrock-guardrailAction":"{action}""#);
    let trace = |trace: &str| {
        let action = action("INTERVENED");
        format!(r#"{action},"amazon-bedrock-trace":{{"guardrail":{trace}}}"#)
    };
    let (none, some) = ("{}", r#"{"input_tokens":3,"output_tokens":5}"#);
    assert_eq!(outcome(some, ""), GuardrailOutcome::Passed);
    assert_eq!(outcome(some, &action("NONE")), GuardrailOutcome::Passed);
    assert_eq!(
        outcome(none, &action("INTERVENED")),
        GuardrailOutcome::InputBlocked
    );
    assert_eq!(
        outcome(some, &action("INTERVENED")),
        GuardrailOutcome::OutputBlocked
    );
    assert_eq!(
        outcome(some, &trace(r#"{"input":{"gr":{}}}"#)),
        GuardrailOutcome::InputBlocked
    );
    assert_eq!(
        outcome(some, &trace(r#"{"outputs":[{}]}"#)),
        GuardrailOutcome::OutputBlocked
    );
}

#[test]
fn cache_writes_are_counted_by_their_time_to_live() {
    let body = r#"{"type":"message","usage":{"input_tokens":1,"output_tokens":1,"cache_creation_input_tokens":30,"cache_creation":{"ephemeral_5m_input_tokens":10,"ephemeral_1h_input_tokens":20}}}"#;
    let tokens = translate(body.as_bytes(), "m", HeaderCounts::default(), false)
        .unwrap()
        .tokens;
    assert_eq!((tokens.cache_write_5m, tokens.cache_write_1h), (10, 20));
    let whole = r#"{"type":"message","usage":{"cache_creation_input_tokens":30}}"#;
    let writes = |one_hour| {
        let tokens = translate(whole.as_bytes(), "m", HeaderCounts::default(), one_hour)
            .unwrap()
            .tokens;
        (tokens.cache_write_5m, tokens.cache_write_1h)
    };
    assert_eq!((writes(false), writes(true)), ((30, 0), (0, 30)));
}

#[test]
fn what_is_not_a_message_is_not_passed_on() {
    for body in [
        &b"<html>"[..],
        b"{}",
        br#"{"Output":{"__type":"UnknownOperationException"}}"#,
        b"\xff",
    ] {
        assert!(translate(body, "m", HeaderCounts::default(), false).is_err());
    }
}

#[test]
fn counts_are_added_to_an_empty_usage() {
    let counts = HeaderCounts {
        cache_read: Some(1),
        cache_write: Some(2),
        ..HeaderCounts::default()
    };
    let done = translate(br#"{"type":"message","usage":{}}"#, "m", counts, true).unwrap();
    let wanted =
        r#"{"type":"message","usage":{"cache_creation_input_tokens":2,"cache_read_input_tokens":1}}"#;
    assert_eq!(
        (
            String::from_utf8(done.body).unwrap().as_str(),
            done.tokens.cache_write_1h
        ),
        (wanted, 2)
    );
}

#[test]
fn blocks_are_left_out_and_named_as_in_a_stream() {
    let body = r#"{"type":"message","content":[{"type":"hologram"},{"type":"text","text":"a"},{"type":"novelty"},{"type":"hologram"}]}"#;
    let counts = HeaderCounts::default();
    let rules = dropping(&[("answer_blocks", "hologram")]);
    let done = ccag_translate::response::translate(body.as_bytes(), "m", counts, false, &rules).unwrap();
    assert_eq!(
        String::from_utf8(done.body).unwrap(),
        r#"{"type":"message","content":[{"type":"text","text":"a"},{"type":"novelty"}]}"#
    );
    assert_eq!(names(&done.noticed.dropped), ["answer_block hologram"]);
    assert_eq!(names(&done.noticed.passed), ["answer_block novelty"]);
}
