//! The events that nearly all are, deltas of text, thinking and tool input, read without an index of their values.

use crate::json::string_end;
use crate::profile::{Action, AnswerRules};

/// How Bedrock spells what comes before a delta's index.
const HEAD: &[u8] = br#"{"type":"content_block_delta","index":"#;

/// What comes before the delta's type.
const DELTA: &[u8] = br#","delta":{"type":""#;

/// What comes behind its text.
const TAIL: &[u8] = b"}}";

/// The types, with how each goes on up to its text.
const KINDS: [(&str, &[u8]); 3] = [
    ("text_delta", br#"text_delta","text":"#),
    ("input_json_delta", br#"input_json_delta","partial_json":"#),
    ("thinking_delta", br#"thinking_delta","thinking":"#),
];

/// Which deltas may be read this way: those that a rule lets through by their name, so that nothing about them is noticed.
#[derive(Debug, Clone, Copy)]
pub(super) struct Quick([bool; KINDS.len()]);

impl Quick {
    pub(super) fn new(rules: &AnswerRules) -> Self {
        Self(KINDS.map(|(kind, _)| {
            let row = rules.deltas.find(kind);
            row.is_some_and(|row| row.is_named() && row.action != Action::Drop)
        }))
    }

    /// How many bytes of content a delta brings, if it is one that stays as it is, and is spelt as Bedrock spells it. Of any
    /// other nothing is said: it may be a delta nevertheless, or no JSON at all.
    pub(super) fn content_bytes(self, event: &[u8]) -> Option<u64> {
        let rest = event.strip_prefix(HEAD)?;
        let digits = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        let has_leading_zero = digits > 1 && rest.first() == Some(&b'0');
        if !(1..=9).contains(&digits) || has_leading_zero {
            return None;
        }
        let rest = rest.get(digits..)?.strip_prefix(DELTA)?;
        let (rest, _) = KINDS
            .iter()
            .zip(self.0)
            .find_map(|((_, spelt), stays)| Some((rest.strip_prefix(*spelt)?, stays)))
            .filter(|(_, stays)| *stays)?;
        let end = string_end(rest)?;
        if rest.get(end..) != Some(TAIL) || std::str::from_utf8(rest).is_err() {
            return None;
        }
        // Without the quotes.
        Some(end as u64 - 2)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Quick {
        Quick::new(&AnswerRules::default())
    }

    #[test]
    fn what_models_say_is_read() {
        let says = |event: &str| all().content_bytes(event.as_bytes());
        let text = r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\n\"b\u00e9 é"}}"#;
        assert_eq!(says(text), Some(r#"a\n\"b\u00e9 é"#.len() as u64));
        let input = r#"{"type":"content_block_delta","index":12,"delta":{"type":"input_json_delta","partial_json":""}}"#;
        assert_eq!(says(input), Some(0));
        let thought =
            r#"{"type":"content_block_delta","index":1,"delta":{"type":"thinking_delta","thinking":"Hm"}}"#;
        assert_eq!(says(thought), Some(2));
    }

    #[test]
    fn anything_else_is_left_to_the_index() {
        for other in [
            "",
            r#"{"type":"ping"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a"}} "#,
            r#"{"type":"content_block_delta","index":00,"delta":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"content_block_delta","index":-1,"delta":{"type":"text_delta","text":"a"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a\x"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a","more":1}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","thinking":"a"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"signature_delta","signature":"a"}}"#,
            r#"{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"a}}"#,
            "{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"a\nb\"}}",
        ] {
            assert_eq!(all().content_bytes(other.as_bytes()), None, "{other}");
        }
        let broken = b"{\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"\xff\"}}";
        assert_eq!(all().content_bytes(broken), None);
    }
}
