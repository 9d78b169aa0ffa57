//! Rules about text that people enter.

use ccag_domain::{Code, Problem, UnixMs};

/// The longest name of anything, in characters.
const MAX_NAME: usize = 200;

/// The longest password, in bytes: hashing takes time in proportion.
const MAX_PASSWORD: usize = 1_024;

/// The shortest password, in characters (NIST SP 800-63B, §3.1.1.2, for one that is not the only factor).
const MIN_PASSWORD: usize = 8;

fn invalid(field: &str, message: String) -> Problem {
    Problem::new(Code::InvalidRequest, message).field(field)
}

/// Trims a name and refuses what would not be one.
pub(super) fn name(field: &str, text: &str) -> Result<String, Problem> {
    let text = optional_name(field, text)?;
    if text.is_empty() {
        return Err(invalid(field, format!("`{field}` must not be empty.")));
    }
    Ok(text)
}

/// The same, where there may be none.
pub(super) fn optional_name(field: &str, text: &str) -> Result<String, Problem> {
    let text = text.trim();
    if text.chars().count() > MAX_NAME {
        return Err(invalid(
            field,
            format!("`{field}` has more than {MAX_NAME} characters; give it a shorter one."),
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(invalid(
            field,
            format!("`{field}` holds control characters, such as a line break; leave them out."),
        ));
    }
    Ok(text.to_owned())
}

/// Refuses passwords that are too short or absurdly long.
pub(super) fn password(field: &str, text: &str) -> Result<(), Problem> {
    if text.chars().count() < MIN_PASSWORD {
        return Err(invalid(
            field,
            format!("A password has at least {MIN_PASSWORD} characters."),
        ));
    }
    if text.len() > MAX_PASSWORD {
        return Err(invalid(
            field,
            format!("A password has at most {MAX_PASSWORD} bytes."),
        ));
    }
    Ok(())
}

/// Refuses a limit of nothing, which would be a revocation in disguise.
pub(super) fn rate_limit(limit: Option<u32>) -> Result<Option<i64>, Problem> {
    if limit == Some(0) {
        return Err(invalid(
            "rate_limit_rpm",
            "A rate limit is at least 1 request per minute. Leave it out for no limit, or revoke the key."
                .to_owned(),
        ));
    }
    Ok(limit.map(i64::from))
}

/// Refuses a date that has passed.
pub(super) fn expiry(at_ms: Option<UnixMs>, now_ms: UnixMs) -> Result<Option<UnixMs>, Problem> {
    if at_ms.is_some_and(|at| at <= now_ms) {
        return Err(invalid(
            "expires_at",
            "`expires_at` lies in the past; name a later moment, or leave it out for a key that never expires.".to_owned(),
        ));
    }
    Ok(at_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_trimmed_and_bounded_in_characters() {
        assert_eq!(name("name", "  Größe ").unwrap(), "Größe");
        assert!(name("name", " ").is_err());
        assert!(name("name", &"ü".repeat(200)).is_ok());
        assert!(name("name", &"ü".repeat(201)).is_err());
        for bad in ["a\0b", "a\nb", "a\u{7f}b"] {
            assert_eq!(name("name", bad).unwrap_err().field.as_deref(), Some("name"));
        }
        assert_eq!(optional_name("name", "").unwrap(), "");
    }

    #[test]
    fn a_rate_limit_of_nothing_is_refused() {
        assert!(rate_limit(Some(0)).is_err());
        assert_eq!(rate_limit(Some(1)).unwrap(), Some(1));
        assert_eq!(rate_limit(None).unwrap(), None);
    }
}
