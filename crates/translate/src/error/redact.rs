//! What must not reach a developer: account ids, ARNs, access key ids.

use std::borrow::Cow;

/// What stands in for what was taken out.
const INSTEAD: &str = "[redacted]";

/// Takes ARNs, 12-digit account ids and access key ids out of a message of AWS's.
#[must_use]
pub fn redact(message: &str) -> Cow<'_, str> {
    let mut out = String::new();
    let mut copied = 0;
    let mut at = 0;
    while at < message.len() {
        match secret_at(message, at) {
            Some(length) => {
                out.push_str(&message[copied..at]);
                out.push_str(INSTEAD);
                at += length;
                copied = at;
            }
            None => at += message[at..].chars().next().map_or(1, char::len_utf8),
        }
    }
    if copied == 0 {
        return Cow::Borrowed(message);
    }
    out.push_str(&message[copied..]);
    Cow::Owned(out)
}

/// The length of what begins at `at` and must go.
fn secret_at(message: &str, at: usize) -> Option<usize> {
    let rest = &message[at..];
    let before = message[..at].chars().next_back();
    let word_before = before.is_some_and(|c| c.is_ascii_alphanumeric());
    if word_before {
        return None;
    }
    if rest.starts_with("arn:") {
        let ends =
            |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '`' | ',' | ';' | ')' | '}' | ']' | '>');
        let length = rest.find(ends).unwrap_or(rest.len());
        return Some(rest[..length].trim_end_matches(['.', ':', '!', '?']).len());
    }
    let word = rest
        .find(|c: char| !c.is_ascii_alphanumeric())
        .unwrap_or(rest.len());
    let text = &rest[..word];
    let is_account = word == 12 && text.bytes().all(|b| b.is_ascii_digit());
    let is_key = (16..=32).contains(&word)
        && ["AKIA", "ASIA", "AROA", "AIDA"]
            .iter()
            .any(|p| text.starts_with(p))
        && text.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit());
    (is_account || is_key).then_some(word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn arns_accounts_and_keys_are_taken_out() {
        let message = "User: arn:aws:sts::111122223333:assumed-role/R/s is not authorized on 'arn:aws-us-gov:bedrock:us-gov-west-1::foundation-model/x'. Account 444455556666, key AKIAIOSFODNN7EXAMPLE.";
        assert_eq!(
            redact(message),
            "User: [redacted] is not authorized on '[redacted]'. Account [redacted], key [redacted]."
        );
    }

    #[test]
    fn ordinary_numbers_stay() {
        let message = "prompt is too long: 1234567 tokens > 1000000 maximum (at 1700000000000)";
        assert!(matches!(redact(message), Cow::Borrowed(same) if same == message));
    }

    proptest! {
        #[test]
        fn no_account_id_survives(before in "[^0-9a-zA-Z]{0,5}", account in "[0-9]{12}", after in "[^0-9a-zA-Z]{0,5}") {
            let redacted = redact(&format!("{before}{account}{after}")).into_owned();
            prop_assert!(!redacted.contains(&account));
        }
    }
}
