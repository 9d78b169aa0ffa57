//! JSON read in place: one validating pass leaves a flat index of where every value stands, and edits splice the text.
//!
//! Nothing is ever decoded and written again, so number spelling, key order, white space and escapes of whatever is not
//! edited reach the other side as they came.

mod edit;
mod parse;
mod value;

pub(crate) use edit::Edits;
pub use parse::SyntaxError;
pub(crate) use parse::{Index, Kind, string_end};
pub(crate) use value::{Doc, Value};

/// Writes `text` as the inside of a JSON string (without the quotes).
pub(crate) fn escape_into(text: &str, out: &mut String) {
    for c in text.chars() {
        match c {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            c if u32::from(c) < 0x20 => {
                let code = u32::from(c);
                out.push_str("\\u00");
                for digit in [code >> 4, code & 15] {
                    out.push(char::from_digit(digit, 16).unwrap_or('0'));
                }
            }
            c => out.push(c),
        }
    }
}

/// `text` as a JSON string.
pub(crate) fn quoted(text: &str) -> String {
    let mut out = String::with_capacity(text.len() + 2);
    out.push('"');
    escape_into(text, &mut out);
    out.push('"');
    out
}
