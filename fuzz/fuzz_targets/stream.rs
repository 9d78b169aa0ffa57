//! Any events give well-formed server-sent events, and every stream comes to an end.
#![no_main]

use ccag_domain::ModelName;
use ccag_translate::profile::{AnswerRules, RuleBook, overlaid};
use ccag_translate::stream::{EndReason, Finish, Phase, StreamOptions, StreamTranslator};
use libfuzzer_sys::fuzz_target;
use std::sync::LazyLock;

/// Some of everything is dropped.
static RULES: LazyLock<AnswerRules> = LazyLock::new(|| {
    let row = |name: &str| serde_json::json!({"name": name, "do": "drop", "source": "fuzzing"});
    let rows = [
        ("events", row("noise")),
        ("answer_blocks", row("thinking")),
        ("deltas", row("signature_delta")),
    ];
    let rows = rows.iter().map(|(table, row)| (*table, row));
    let shipped = RuleBook::shipped("invoke-model").expect("the book is shipped");
    let book = overlaid(shipped, rows, "fuzzing").expect("the rows are valid");
    let book = RuleBook::from_json(book.as_bytes()).expect("the book is valid");
    book.profile(&ModelName::canonical("claude-opus-5-5"), 64_000)
        .answer
});

fuzz_target!(|input: &[u8]| {
    let mut translator = StreamTranslator::new(StreamOptions {
        model: "m\"\n".to_owned(),
        rules: RULES.clone(),
        ..StreamOptions::default()
    });
    let mut out = Vec::new();
    for event in input.split(|b| *b == 0) {
        if translator.feed(event, &mut out).is_err() {
            break;
        }
    }
    let finish = translator.finish(&EndReason::Clean, &mut out);
    assert_eq!(finish == Finish::Complete, translator.phase() == Phase::Stopped);
    let _ = translator.tokens();
    let text = String::from_utf8(out).expect("what goes out is text");
    for event in text.split_terminator("\n\n") {
        let mut lines = event.split('\n');
        assert!(lines.next().is_some_and(|l| l.starts_with("event: ")));
        assert!(lines.next().is_some_and(|l| l.starts_with("data: ")));
        assert_eq!(lines.next(), None);
    }
});
