//! What is not acted on stays as it came, byte for byte.

use crate::{profile, sent, translate};
use ccag_translate::request::{Headers, Operation, peek, prepare};
use proptest::prelude::*;

/// Everything in it is taken by Bedrock as it is.
const TAKEN: &str = r#""max_tokens" : 1024, "messages":[ {"role":"user","content":[{"type":"text","text":"\u00e9\ud83d\ude00 \ud800 /\/ \u0000","cache_control":{"type":"ephemeral"}}]},
 {"content":[{"type":"thinking","thinking":"","signature":"EqoB+/=="},{"type":"tool_use","id":"t1","name":"w","input":{"b":1.0,"a":1e+2,"cache_control":{"scope":"global"},"n":-0,"a":12345678901234567890123}}],"role":"assistant"},
 {"role":"user","content":[{"type":"tool_result","tool_use_id":"t1","content":"ok"}]}],
 "system" : "S", "tools":[{"name":"w","input_schema":{"type":"object","properties":{"type":{"type":"string","enum":["custom"]}}}}],"metadata":{"user_id":"u"},
 "stop_sequences":["x"], "output_config":{"effort":"low"}"#;

#[test]
fn a_body_that_bedrock_takes_changes_only_at_its_front() {
    let body = format!("{{{TAKEN}, \"model\":\"claude-opus-5-5\", \"stream\":true}}");
    assert_eq!(
        sent(&body),
        format!("{{\"anthropic_version\":\"bedrock-2023-05-31\",{TAKEN}}}")
    );
}

#[test]
fn the_order_of_fields_does_not_matter() {
    let body = format!("{{\"stream\":true,{TAKEN},\"model\":\"claude-opus-5-5\"}}");
    assert_eq!(
        sent(&body),
        format!("{{\"anthropic_version\":\"bedrock-2023-05-31\",{TAKEN}}}")
    );
}

#[test]
fn a_long_line_and_a_large_body_pass_whole() {
    let text = "x".repeat(30_000_000);
    let body = format!(
        r#"{{"model":"claude-opus-5-5","max_tokens":9,"messages":[{{"role":"user","content":"{text}"}}]}}"#
    );
    let sent = sent(&body);
    assert!(sent.contains(&text));
}

fn json(depth: u32) -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        "-?(0|[1-9][0-9]{0,20})(\\.[0-9]{1,4})?([eE][+-]?[0-9]{1,2})?",
        "\"([^\\\\\"\\x00-\\x1f]|\\\\u[0-9a-fA-F]{4}|\\\\[nrt\"\\\\/bf]){0,12}\"",
        Just("true".to_owned()),
        Just("null".to_owned()),
    ];
    leaf.prop_recursive(depth, 24, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(|v| format!("[ {}]", v.join(" ,"))),
            proptest::collection::vec(("[a-z_]{1,8}", inner), 0..4).prop_map(|members| {
                let members: Vec<String> = members.iter().map(|(k, v)| format!("\"{k}\": {v}")).collect();
                format!("{{{}}}", members.join(","))
            }),
        ]
    })
}

proptest! {
    #[test]
    fn a_tools_input_reaches_bedrock_as_it_came(input in json(4)) {
        let rest = format!(
            r#""max_tokens":9,"messages":[{{"role":"assistant","content":[{{"type":"tool_use","id":"t","name":"w","input":{input}}}]}}]"#
        );
        let body = format!(r#"{{"model":"claude-haiku-4-5",{rest}}}"#);
        prop_assert_eq!(sent(&body), format!("{{\"anthropic_version\":\"bedrock-2023-05-31\",{rest}}}"));
    }

    #[test]
    fn what_comes_out_is_json_and_comes_out_again(extra in json(5), key in "[a-z_]{1,20}", model in prop_oneof![
        Just("claude-opus-5-5"), Just("claude-haiku-4-5"), Just("claude-opus-4-1"), Just("claude-sonnet-5-5"), Just("claude-opus-4-6"),
    ]) {
        let body = format!(
            r#"{{"{key}_":{extra},"model":"{model}","max_tokens":9000,"system":{extra},"tools":[{extra},{{"name":"a","{key}":{extra},"input_schema":{extra}}}],"thinking":{{"type":"adaptive","display":"omitted"}},"output_config":{extra},"context_management":{extra},"cache_control":{extra},"messages":[{{"role":"system","content":{extra}}},{{"role":"user","content":{extra},"{key}":{extra}}},{{"role":"system","content":[{{"type":"text","text":{extra}}}]}}]}}"#
        );
        if let Ok(prepared) = translate(&body, &[]) {
            let text = String::from_utf8(prepared.body.to_vec()).unwrap();
            // Lone surrogates are JSON, but not to every parser.
            if !text.contains("\\u") {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok(), "{}\n{}", body, text);
            }
        }
    }

    #[test]
    fn any_bytes_are_an_answer_and_never_a_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = peek(&bytes, Operation::Messages);
    }

    #[test]
    fn a_rewrite_depends_on_nothing_but_its_arguments(turns in 1usize..6) {
        let mut messages = String::from(r#"{"role":"user","content":"x"}"#);
        let mut before = String::new();
        for _ in 0..turns {
            let body = format!(r#"{{"model":"claude-sonnet-4-5","max_tokens":9,"messages":[{messages}]}}"#);
            let peeked = peek(body.as_bytes(), Operation::Messages).unwrap();
            let one = prepare(&peeked, Headers::default(), &profile(peeked.model())).unwrap().body.to_vec();
            let two = prepare(&peeked, Headers::default(), &profile(peeked.model())).unwrap().body.to_vec();
            prop_assert_eq!(&one, &two);
            let now = String::from_utf8(one).unwrap();
            let prefix = now.trim_end_matches("]}");
            prop_assert!(prefix.starts_with(&before), "{}\n{}", prefix, before);
            before = prefix.to_owned();
            messages.push_str(r#",{"role":"system","content":"env"},{"role":"assistant","content":"y"},{"role":"user","content":"z"}"#);
        }
    }
}
