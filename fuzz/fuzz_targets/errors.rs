//! Whatever Bedrock says is understood: with a status that clients know, a short wait, and nobody's account.
#![no_main]

use ccag_translate::error::{Failure, classify, classify_event};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u16, &str, &str, Option<u16>, u32)| {
    let (status, kind, message, original_status, throttles_in_a_row) = input;
    let failure = Failure {
        status,
        kind,
        message,
        original_status,
        model: "m",
        throttles_in_a_row,
    };
    for error in [classify(&failure), classify_event(kind, message, "m")] {
        let problem = &error.problem;
        assert!(!matches!(problem.code.status(), 401 | 403 | 408 | 422 | 424));
        assert!(problem.retry_after_s.is_none_or(|s| (1..=60).contains(&s)));
        assert!(
            !problem
                .message
                .split_whitespace()
                .any(|word| word.starts_with("arn:"))
        );
        let _ = error.in_stream();
    }
});
