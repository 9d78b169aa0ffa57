//! Any body gives an answer, the same one twice, and what is sent can be read again.
#![no_main]

use ccag_domain::ModelName;
use ccag_translate::profile::RuleBook;
use ccag_translate::request::{Headers, Operation, peek, prepare};
use libfuzzer_sys::fuzz_target;

const MODELS: [&str; 5] = [
    "claude-opus-5-5",
    "claude-sonnet-5-5",
    "claude-opus-4-7",
    "claude-sonnet-4-6",
    "claude-haiku-4-5",
];

fuzz_target!(|body: &[u8]| {
    let Ok(peeked) = peek(body, Operation::Messages) else {
        return;
    };
    for model in MODELS {
        let profile = RuleBook::invoke_model().profile(&ModelName::canonical(model), 64_000);
        let headers = Headers {
            betas: &["interleaved-thinking-2025-05-14,unknown"],
            version: None,
        };
        let sent = prepare(&peeked, headers, &profile);
        assert_eq!(
            sent.as_ref().map(|p| &p.body).ok(),
            prepare(&peeked, headers, &profile).as_ref().map(|p| &p.body).ok()
        );
        if let Ok(prepared) = sent {
            // The model stands in the path now: with one put back, the body must be JSON that says each thing once.
            let open = prepared.body.iter().position(|b| *b == b'{').expect("an object") + 1;
            let again = [&b"{\"model\":\"m\","[..], &prepared.body[open..]].concat();
            if let Err(problem) = peek(&again, Operation::Messages) {
                assert!(
                    problem.message.contains("at least one message"),
                    "{}",
                    problem.message
                );
            }
        }
    }
});
