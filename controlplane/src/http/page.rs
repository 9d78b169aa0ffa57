//! Pages of lists.

use ccag_admin_api::{DEFAULT_PAGE, MAX_PAGE};
use ccag_domain::{Code, Problem};

/// How many items to fetch: one more than asked for tells whether there is another page.
pub(super) fn limit(asked: Option<u32>) -> Result<usize, Problem> {
    match asked.unwrap_or(DEFAULT_PAGE) {
        limit @ 1..=MAX_PAGE => Ok(limit as usize),
        _ => Err(Problem::new(
            Code::InvalidRequest,
            format!("`limit` has to be between 1 and {MAX_PAGE}."),
        )
        .field("limit")),
    }
}

/// Writes the position after an item as a cursor, which means nothing to clients.
pub(super) fn cursor(position: &str) -> String {
    use std::fmt::Write;
    position.bytes().fold(String::new(), |mut text, byte| {
        // Writing to a String cannot fail.
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads a cursor back.
pub(super) fn position(cursor: &str) -> Result<String, Problem> {
    let bytes: Option<Vec<u8>> = (cursor.len().is_multiple_of(2) && cursor.is_ascii())
        .then(|| {
            (0..cursor.len() / 2)
                .map(|i| u8::from_str_radix(&cursor[2 * i..2 * i + 2], 16).ok())
                .collect()
        })
        .flatten();
    bytes
        .and_then(|bytes| String::from_utf8(bytes).ok())
        .filter(|text| !text.contains('\0'))
        .ok_or_else(|| {
            Problem::new(
                Code::InvalidRequest,
                "This cursor is not one of ours: take `next_cursor` of the page before, or leave it out.",
            )
            .field("cursor")
        })
}

/// The position that a cursor stands for in a list that is in order of time: when the last item of the page before was made, and
/// its id.
pub(super) fn before(cursor: &str) -> Result<(i64, String), Problem> {
    let position = position(cursor)?;
    position
        .split_once('.')
        .and_then(|(at_ms, id)| Some((at_ms.parse().ok()?, id.to_owned())))
        .ok_or_else(|| Problem::new(Code::InvalidRequest, "This cursor is not one of ours.").field("cursor"))
}

/// Cuts the surplus item off and makes the cursor for the next page.
pub(super) fn cut<T>(items: &mut Vec<T>, limit: usize, position: impl Fn(&T) -> String) -> Option<String> {
    let more = items.len() > limit;
    items.truncate(limit);
    items.last().filter(|_| more).map(|last| cursor(&position(last)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cursors_are_read_back_and_others_refused() {
        assert_eq!(position(&cursor("größe 7")).unwrap(), "größe 7");
        for bad in ["x", "zz", "0", "éé", "00", "ff"] {
            assert!(position(bad).is_err(), "{bad}");
        }
    }
}
