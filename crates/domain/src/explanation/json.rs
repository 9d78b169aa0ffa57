//! Writes an explanation as JSON.
//!
//! Every request is explained, and most of what an explanation holds is short words without anything to escape. `serde_json`
//! looks at each of their bytes, and at those of the names of fields, one by one, which took a tenth of a short request's
//! instructions. This writes what it writes, as far as explanations need it, and a test holds it to that.

use serde::Serialize;
use serde::ser::{Impossible, SerializeSeq, SerializeStruct, Serializer};
use std::fmt::{self, Write};

/// The JSON of a value.
///
/// # Errors
/// If it holds a kind of value that explanations do not have: maps, floats, bytes, and variants with something in them.
pub(super) fn to_string(value: &impl Serialize, room: usize) -> Result<String, Unwritable> {
    let mut json = Json(String::with_capacity(room));
    value.serialize(&mut json)?;
    Ok(json.0)
}

/// A kind of value that is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unwritable(String);

impl fmt::Display for Unwritable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unwritable {}

impl serde::ser::Error for Unwritable {
    fn custom<T: fmt::Display>(message: T) -> Self {
        Self(message.to_string())
    }
}

type Done = Result<(), Unwritable>;

fn unwritable(what: &str) -> Unwritable {
    Unwritable(format!("an explanation holds no {what}"))
}

struct Json(String);

impl Json {
    fn number(&mut self, number: impl itoa::Integer) -> Done {
        self.0.push_str(itoa::Buffer::new().format(number));
        Ok(())
    }

    fn text(&mut self, text: &str) -> Done {
        self.0.push('"');
        if is_plain(text) {
            self.0.push_str(text);
        } else {
            self.escaped(text)?;
        }
        self.0.push('"');
        Ok(())
    }

    /// What has to be escaped (RFC 8259 section 7), in the shortest form.
    fn escaped(&mut self, text: &str) -> Done {
        for c in text.chars() {
            match c {
                '"' => self.0.push_str("\\\""),
                '\\' => self.0.push_str("\\\\"),
                '\n' => self.0.push_str("\\n"),
                '\r' => self.0.push_str("\\r"),
                '\t' => self.0.push_str("\\t"),
                '\u{8}' => self.0.push_str("\\b"),
                '\u{c}' => self.0.push_str("\\f"),
                c if c < ' ' => {
                    write!(self.0, "\\u{:04x}", u32::from(c))
                        .map_err(|error| Unwritable(error.to_string()))?;
                }
                c => self.0.push(c),
            }
        }
        Ok(())
    }
}

/// Whether nothing in it has to be escaped.
fn is_plain(text: &str) -> bool {
    let (words, rest) = text.as_bytes().as_chunks::<8>();
    let mut last = [b' '; 8];
    if let Some(last) = last.get_mut(..rest.len()) {
        last.copy_from_slice(rest);
    }
    let found = words
        .iter()
        .fold(to_escape(last), |found, word| found | to_escape(*word));
    found == 0
}

/// Of eight bytes at a time, the highest bit of one that has to be escaped, and perhaps of others above it; zero where there is
/// none (Bit Twiddling Hacks, "Determine if a word has a byte less than n" and "equal to n").
const fn to_escape(bytes: [u8; 8]) -> u64 {
    const ONES: u64 = u64::from_ne_bytes([1; 8]);
    const HIGHEST: u64 = u64::from_ne_bytes([0x80; 8]);
    const fn below(word: u64, n: u8) -> u64 {
        word.wrapping_sub(ONES * n as u64) & !word
    }
    let word = u64::from_ne_bytes(bytes);
    let (quote, backslash) = (word ^ (ONES * b'"' as u64), word ^ (ONES * b'\\' as u64));
    (below(word, b' ') | below(quote, 1) | below(backslash, 1)) & HIGHEST
}

/// A list or an object that is not complete.
struct Open<'a> {
    json: &'a mut Json,
    is_empty: bool,
    end: char,
}

impl<'a> Open<'a> {
    fn new(json: &'a mut Json, [begin, end]: [char; 2]) -> Self {
        json.0.push(begin);
        Self {
            json,
            is_empty: true,
            end,
        }
    }

    fn close(self) -> Done {
        self.json.0.push(self.end);
        Ok(())
    }
}

impl SerializeSeq for Open<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_element<T: Serialize + ?Sized>(&mut self, value: &T) -> Done {
        if !self.is_empty {
            self.json.0.push(',');
        }
        self.is_empty = false;
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Done {
        self.close()
    }
}

impl SerializeStruct for Open<'_> {
    type Ok = ();
    type Error = Unwritable;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Done {
        self.json.0.push_str(if self.is_empty { "\"" } else { ",\"" });
        self.is_empty = false;
        // The names of fields are words.
        self.json.0.push_str(name);
        self.json.0.push_str("\":");
        value.serialize(&mut *self.json)
    }

    fn end(self) -> Done {
        self.close()
    }
}

type Never = Impossible<(), Unwritable>;

impl<'a> Serializer for &'a mut Json {
    type Ok = ();
    type Error = Unwritable;
    type SerializeSeq = Open<'a>;
    type SerializeStruct = Open<'a>;
    type SerializeTuple = Never;
    type SerializeTupleStruct = Never;
    type SerializeTupleVariant = Never;
    type SerializeMap = Never;
    type SerializeStructVariant = Never;

    fn serialize_bool(self, value: bool) -> Done {
        self.0.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn serialize_i8(self, value: i8) -> Done {
        self.number(value)
    }

    fn serialize_i16(self, value: i16) -> Done {
        self.number(value)
    }

    fn serialize_i32(self, value: i32) -> Done {
        self.number(value)
    }

    fn serialize_i64(self, value: i64) -> Done {
        self.number(value)
    }

    fn serialize_u8(self, value: u8) -> Done {
        self.number(value)
    }

    fn serialize_u16(self, value: u16) -> Done {
        self.number(value)
    }

    fn serialize_u32(self, value: u32) -> Done {
        self.number(value)
    }

    fn serialize_u64(self, value: u64) -> Done {
        self.number(value)
    }

    fn serialize_str(self, value: &str) -> Done {
        self.text(value)
    }

    fn serialize_none(self) -> Done {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Done {
        self.0.push_str("null");
        Ok(())
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, value: &T) -> Done {
        value.serialize(self)
    }

    fn serialize_unit_variant(self, _: &'static str, _: u32, variant: &'static str) -> Done {
        self.text(variant)
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Open<'a>, Unwritable> {
        Ok(Open::new(self, ['[', ']']))
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Open<'a>, Unwritable> {
        Ok(Open::new(self, ['{', '}']))
    }

    fn serialize_f32(self, _: f32) -> Done {
        Err(unwritable("fraction"))
    }

    fn serialize_f64(self, _: f64) -> Done {
        Err(unwritable("fraction"))
    }

    fn serialize_char(self, _: char) -> Done {
        Err(unwritable("single character"))
    }

    fn serialize_bytes(self, _: &[u8]) -> Done {
        Err(unwritable("bytes"))
    }

    fn serialize_unit_struct(self, _: &'static str) -> Done {
        Err(unwritable("unit"))
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Done {
        Err(unwritable("variant with a value"))
    }

    fn serialize_tuple(self, _: usize) -> Result<Never, Unwritable> {
        Err(unwritable("tuple"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Never, Unwritable> {
        Err(unwritable("tuple"))
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Unwritable> {
        Err(unwritable("variant with values"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Never, Unwritable> {
        Err(unwritable("map"))
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Never, Unwritable> {
        Err(unwritable("variant with fields"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NanoUsd;
    use crate::explanation::{
        AskedFor, Attempted, BudgetChecked, CandidateSeen, Ended, Explanation, KeyShown, LeftOut,
        LimitChecked, NotTried, RefusedFor, Routed, Translated,
    };
    use proptest::prelude::*;

    /// Every part, with these words and numbers in it.
    fn filled(words: &[String], n: u32, there: bool) -> Explanation {
        let word = |at: usize| words.get(at % words.len().max(1)).cloned().unwrap_or_default();
        let some = |at: usize| there.then(|| word(at));
        let amount = NanoUsd(i64::from(n) - 1_000);
        Explanation {
            version: n,
            request_id: word(0),
            at_ms: -i64::from(n),
            status: 499,
            outcome: word(1).into(),
            replica_id: word(2),
            revision: u64::from(n) << 20,
            refusal: there.then(|| RefusedFor {
                message: word(3),
                field: some(4),
                ..RefusedFor::default()
            }),
            key: KeyShown {
                user_id: some(5),
                ..KeyShown::default()
            },
            asked: AskedFor {
                said: word(6),
                streaming: there,
                lowered_to: there.then_some(u64::MAX),
                ..AskedFor::default()
            },
            limits: vec![LimitChecked::default(); n as usize % 3],
            budgets: vec![BudgetChecked {
                id: word(7),
                limit_nano_usd: amount,
                needed_nano_usd: there.then_some(amount),
                ..BudgetChecked::default()
            }],
            route: Routed {
                candidates: vec![CandidateSeen {
                    endpoint: word(8),
                    in_trouble: there,
                    ..CandidateSeen::default()
                }],
                not_tried: vec![NotTried::default()],
                waited_for_room_ms: there.then_some(7),
                ..Routed::default()
            },
            attempts: vec![Attempted {
                error: some(9),
                status: there.then_some(503),
                ..Attempted::default()
            }],
            translation: Translated {
                pinned: there,
                betas_sent: words.to_vec(),
                ..Translated::default()
            },
            ended: Ended {
                first_token_ms: there.then_some(n),
                estimated: there,
                ..Ended::default()
            },
            left_out: vec![LeftOut {
                list: word(10).into(),
                count: n,
            }],
        }
    }

    proptest! {
        #[test]
        fn an_explanation_is_written_as_serde_json_writes_it(
            words in proptest::collection::vec(any::<String>(), 1..6),
            n: u32,
            there: bool,
        ) {
            let explanation = filled(&words, n, there);
            let expected = serde_json::to_string(&explanation).unwrap();
            prop_assert_eq!(to_string(&explanation, 0).unwrap(), expected);
        }

        #[test]
        fn a_text_is_plain_where_serde_json_escapes_nothing(text in "[ -~\u{0}-\u{ff}🙂]{0,40}") {
            let escapes = serde_json::to_string(&text).unwrap().len() != text.len() + 2;
            prop_assert_eq!(is_plain(&text), !escapes);
        }
    }

    #[test]
    fn every_character_is_escaped_as_serde_json_does() {
        let all: String = (0..=0x250)
            .filter_map(char::from_u32)
            .chain("\u{2028}🙂".chars())
            .collect();
        for text in [&all, "", "plain", "a\"b", "back\\slash", "line\nbreak", "\u{7f}"] {
            assert_eq!(to_string(&text, 0).unwrap(), serde_json::to_string(text).unwrap());
        }
    }

    #[test]
    fn what_explanations_do_not_hold_is_refused() {
        assert!(to_string(&0.5, 0).is_err());
        assert!(to_string(&std::collections::BTreeMap::from([("a", 1)]), 0).is_err());
    }
}
