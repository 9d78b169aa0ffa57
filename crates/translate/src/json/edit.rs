//! Changing a text by splicing.

use super::value::Value;
use crate::spliced::{Part, Spliced};
use std::borrow::Cow;

#[derive(Debug)]
struct Edit<'a> {
    start: usize,
    end: usize,
    with: Cow<'a, str>,
}

/// Changes to make to a text, in any order. Where two touch the same bytes, the one that begins first wins.
#[derive(Debug, Default)]
pub(crate) struct Edits<'a> {
    list: Vec<Edit<'a>>,
}

impl<'a> Edits<'a> {
    pub(crate) fn is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// Puts `with` in place of a value.
    pub(crate) fn replace(&mut self, value: Value<'_>, with: impl Into<Cow<'a, str>>) {
        self.list.push(Edit {
            start: value.start(),
            end: value.end(),
            with: with.into(),
        });
    }

    /// Puts `with` in place of a range of the text.
    pub(crate) fn replace_range(&mut self, start: usize, end: usize, with: impl Into<Cow<'a, str>>) {
        self.list.push(Edit {
            start,
            end,
            with: with.into(),
        });
    }

    /// Puts `with` before the byte at `at`.
    pub(crate) fn insert(&mut self, at: usize, with: impl Into<Cow<'a, str>>) {
        self.list.push(Edit {
            start: at,
            end: at,
            with: with.into(),
        });
    }

    /// Adds `member` (`"key":value`) at the end of an object, of which `kept` says whether any member stays.
    pub(crate) fn append(&mut self, container: Value<'_>, item: &str, kept: bool) {
        let at = container.end() - 1;
        let with = if kept { format!(",{item}") } else { item.to_owned() };
        self.list.push(Edit {
            start: at,
            end: at,
            with: Cow::Owned(with),
        });
    }

    /// Takes members out of an object or elements out of an array, with their commas. `which` holds their positions in
    /// rising order.
    pub(crate) fn remove_children(&mut self, container: Value<'_>, which: &[usize]) {
        if which.is_empty() {
            return;
        }
        let spans: Vec<(usize, usize)> = if container.is_object() {
            container.members().map(|(k, v)| (k.start(), v.end())).collect()
        } else {
            container.elements().map(|v| (v.start(), v.end())).collect()
        };
        let removed = |i: usize| which.binary_search(&i).is_ok();
        // What follows the last child that stays goes with the comma before it; the others with the comma after them.
        let tail = (0..spans.len()).rev().find(|&i| !removed(i)).map_or(0, |i| i + 1);
        for &i in which.iter().filter(|&&i| i < tail) {
            self.replace_range(spans[i].0, spans[i + 1].0, "");
        }
        if tail < spans.len() {
            let start = if tail == 0 { spans[0].0 } else { spans[tail - 1].1 };
            self.replace_range(start, spans[spans.len() - 1].1, "");
        }
    }

    /// The text with all changes made, sharing what is long with the text as it was.
    pub(crate) fn splice<'t>(mut self, text: &'t str) -> Spliced<'t> {
        self.sort();
        Spliced::of(&self.parts(text, 0, text.len()))
    }

    /// The text with all changes made.
    pub(crate) fn apply(self, text: &str) -> Vec<u8> {
        self.apply_range(text, 0, text.len()).into_bytes()
    }

    /// A part of the text, with the changes made that fall into it.
    pub(crate) fn apply_range(mut self, text: &str, start: usize, end: usize) -> String {
        self.sort();
        let grown: usize = self.list.iter().map(|e| e.with.len()).sum();
        let mut out = String::with_capacity(end - start + grown);
        for part in self.parts(text, start, end) {
            out.push_str(part.text());
        }
        out
    }

    fn sort(&mut self) {
        self.list.sort_by_key(|e| (e.start, e.end));
    }

    /// A part of the text, in pieces, once the changes are in order.
    fn parts<'t, 'n>(&'n self, text: &'t str, start: usize, end: usize) -> Vec<Part<'t, 'n>> {
        let mut parts = Vec::with_capacity(2 * self.list.len() + 1);
        let mut cursor = start;
        for edit in self.list.iter().filter(|e| e.end <= end) {
            if edit.start < cursor {
                continue;
            }
            parts.push(Part::Kept(&text[cursor..edit.start]));
            parts.push(Part::New(&edit.with));
            cursor = edit.end;
        }
        parts.push(Part::Kept(&text[cursor..end]));
        parts
    }
}

#[cfg(test)]
mod tests {
    use super::super::Doc;
    use super::*;
    use proptest::prelude::*;

    fn without(text: &str, which: &[usize]) -> String {
        let doc = Doc::parse(text, 8).unwrap();
        let mut edits = Edits::default();
        edits.remove_children(doc.root(), which);
        String::from_utf8(edits.apply(text)).unwrap()
    }

    #[test]
    fn removing_takes_the_comma_along() {
        assert_eq!(without(r#"{"a":1, "b":2 ,"c":3}"#, &[0]), r#"{"b":2 ,"c":3}"#);
        assert_eq!(without(r#"{"a":1, "b":2 ,"c":3}"#, &[2]), r#"{"a":1, "b":2}"#);
        assert_eq!(without(r#"{"a":1, "b":2 ,"c":3}"#, &[1, 2]), r#"{"a":1}"#);
        assert_eq!(without(r#"[1,2]"#, &[0, 1]), "[]");
    }

    proptest! {
        #[test]
        fn what_stays_is_what_was_not_removed(n in 0usize..8, mask in any::<u8>()) {
            let text = serde_json::to_string(&(0..n).collect::<Vec<_>>()).unwrap();
            let which: Vec<usize> = (0..n).filter(|i| mask & (1 << i) != 0).collect();
            let stays: Vec<usize> = (0..n).filter(|i| !which.contains(i)).collect();
            prop_assert_eq!(serde_json::from_str::<Vec<usize>>(&without(&text, &which)).unwrap(), stays);
        }
    }
}
