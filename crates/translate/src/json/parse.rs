//! The validating pass.

/// How deep arrays and objects may nest.
const MAX_DEPTH: usize = 1_000;

/// How many values are indexed at most: 32 MB of index for the largest body, far above what a million tokens of
/// conversation hold.
const MAX_NODES: usize = 2_000_000;

const NOT_RECORDED: u32 = u32::MAX;

/// What kind of value stands at a place.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Null,
    True,
    False,
    Number,
    String,
    Object,
    Array,
}

/// One value: where it stands in the text, and where in the index the value after it begins.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Node {
    pub(crate) start: u32,
    pub(crate) end: u32,
    pub(crate) next: u32,
    pub(crate) kind: Kind,
    /// Strings: holds an escape. Containers: lies at the recorded depth, so what it holds is not indexed.
    pub(crate) flag: bool,
}

/// Why a text is not JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{what}: char {at}")]
pub struct SyntaxError {
    /// What is wrong.
    pub what: &'static str,
    /// The byte at which it shows.
    pub at: usize,
}

#[derive(Debug, Clone, Copy)]
struct Open {
    node: u32,
    object: bool,
}

/// The index of a text; kept between texts, it saves the allocation.
#[derive(Debug, Default)]
pub(crate) struct Index {
    pub(crate) nodes: Vec<Node>,
    stack: Vec<Open>,
}

impl Index {
    /// Reads `text` whole and indexes its values down to `depth` levels below the outermost.
    pub(crate) fn build(&mut self, text: &str, depth: usize) -> Result<(), SyntaxError> {
        self.nodes.clear();
        self.stack.clear();
        if u32::try_from(text.len()).is_err() {
            return Err(SyntaxError {
                what: "longer than 4 GB",
                at: 0,
            });
        }
        let mut parser = Parser {
            bytes: text.as_bytes(),
            pos: 0,
            depth,
            is_plain: !has_control(text.as_bytes()),
            index: self,
        };
        parser.run()
    }
}

struct Parser<'a> {
    bytes: &'a [u8],
    pos: usize,
    depth: usize,
    /// Whether there is no control character in the whole text.
    is_plain: bool,
    index: &'a mut Index,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), SyntaxError> {
        self.skip_space();
        loop {
            let opened = self.value()?;
            if opened {
                if self.index.stack.last().is_some_and(|open| open.object) {
                    self.key()?;
                }
                continue;
            }
            if !self.after_value()? {
                break;
            }
        }
        self.skip_space();
        if self.pos < self.bytes.len() {
            Err(self.wrong("extra data"))
        } else {
            Ok(())
        }
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.pos).copied()
    }

    fn wrong(&self, what: &'static str) -> SyntaxError {
        let what = if self.pos >= self.bytes.len() {
            "unexpected end of data"
        } else {
            what
        };
        SyntaxError { what, at: self.pos }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.pos += 1;
        }
    }

    /// Records a value if it lies within the recorded depth.
    // Positions fit into 32 bits: the text is shorter than 4 GB, which `build` checks.
    fn record(&mut self, kind: Kind, start: usize, flag: bool) -> Result<u32, SyntaxError> {
        if self.index.stack.len() > self.depth {
            return Ok(NOT_RECORDED);
        }
        let at = self.index.nodes.len();
        if at >= MAX_NODES {
            return Err(self.wrong("too many values"));
        }
        self.index.nodes.push(Node {
            start: start as u32,
            end: self.pos as u32,
            next: at as u32 + 1,
            kind,
            flag,
        });
        Ok(at as u32)
    }

    /// Reads a scalar or an empty container whole, or opens a container; says whether one was opened.
    fn value(&mut self) -> Result<bool, SyntaxError> {
        let start = self.pos;
        match self.peek() {
            Some(b'"') => {
                let escaped = self.string()?;
                self.record(Kind::String, start, escaped)?;
            }
            Some(b'{') => return self.open(Kind::Object, b'}'),
            Some(b'[') => return self.open(Kind::Array, b']'),
            Some(b'-' | b'0'..=b'9') => {
                self.number()?;
                self.record(Kind::Number, start, false)?;
            }
            Some(b't') => self.literal(b"true", Kind::True)?,
            Some(b'f') => self.literal(b"false", Kind::False)?,
            Some(b'n') => self.literal(b"null", Kind::Null)?,
            _ => return Err(self.wrong("unexpected character")),
        }
        Ok(false)
    }

    fn literal(&mut self, word: &[u8], kind: Kind) -> Result<(), SyntaxError> {
        let start = self.pos;
        if !self.bytes[start..].starts_with(word) {
            return Err(self.wrong("unexpected character"));
        }
        self.pos += word.len();
        self.record(kind, start, false).map(|_| ())
    }

    fn open(&mut self, kind: Kind, close: u8) -> Result<bool, SyntaxError> {
        let depth = self.index.stack.len();
        if depth >= MAX_DEPTH {
            return Err(self.wrong("nested too deeply"));
        }
        let node = self.record(kind, self.pos, false)?;
        self.pos += 1;
        self.skip_space();
        if self.peek() == Some(close) {
            self.pos += 1;
            self.close(node);
            return Ok(false);
        }
        if let Some(node) = self.index.nodes.get_mut(node as usize) {
            node.flag = depth == self.depth;
        }
        self.index.stack.push(Open {
            node,
            object: kind == Kind::Object,
        });
        Ok(true)
    }

    // As in `record`, positions fit.
    fn close(&mut self, node: u32) {
        let next = self.index.nodes.len() as u32;
        if let Some(node) = self.index.nodes.get_mut(node as usize) {
            node.end = self.pos as u32;
            node.next = next;
        }
    }

    fn key(&mut self) -> Result<(), SyntaxError> {
        let start = self.pos;
        if self.peek() != Some(b'"') {
            return Err(self.wrong("expected a key in double quotes"));
        }
        let escaped = self.string()?;
        self.record(Kind::String, start, escaped)?;
        self.skip_space();
        if self.peek() != Some(b':') {
            return Err(self.wrong("expected ':'"));
        }
        self.pos += 1;
        self.skip_space();
        Ok(())
    }

    /// Goes on after a value: to the next one (`true`), or past the end of the outermost (`false`).
    fn after_value(&mut self) -> Result<bool, SyntaxError> {
        while let Some(open) = self.index.stack.last().copied() {
            self.skip_space();
            match (self.peek(), open.object) {
                (Some(b','), object) => {
                    self.pos += 1;
                    self.skip_space();
                    if object {
                        self.key()?;
                    }
                    return Ok(true);
                }
                (Some(b'}'), true) | (Some(b']'), false) => {
                    self.pos += 1;
                    self.close(open.node);
                    self.index.stack.pop();
                }
                _ => return Err(self.wrong("expected ',' or the end of the list or object")),
            }
        }
        Ok(false)
    }

    /// Reads a string from its opening quote; says whether it holds an escape.
    fn string(&mut self) -> Result<bool, SyntaxError> {
        let plain_end = if self.is_plain {
            quote_or_backslash
        } else {
            plain_end
        };
        match read_string(self.bytes, self.pos, plain_end) {
            Ok((end, escaped)) => {
                self.pos = end;
                Ok(escaped)
            }
            Err(SyntaxError { what, at }) => {
                self.pos = at;
                Err(self.wrong(what))
            }
        }
    }

    fn digits(&mut self) -> Result<(), SyntaxError> {
        if !matches!(self.peek(), Some(b'0'..=b'9')) {
            return Err(self.wrong("expected a digit"));
        }
        while matches!(self.peek(), Some(b'0'..=b'9')) {
            self.pos += 1;
        }
        Ok(())
    }

    fn number(&mut self) -> Result<(), SyntaxError> {
        if self.peek() == Some(b'-') {
            self.pos += 1;
        }
        if self.peek() == Some(b'0') {
            self.pos += 1;
        } else {
            self.digits()?;
        }
        if self.peek() == Some(b'.') {
            self.pos += 1;
            self.digits()?;
        }
        if matches!(self.peek(), Some(b'e' | b'E')) {
            self.pos += 1;
            if matches!(self.peek(), Some(b'+' | b'-')) {
                self.pos += 1;
            }
            self.digits()?;
        }
        Ok(())
    }
}

/// Reads the string whose opening quote stands at `at`: where it ends, behind the closing one, and whether it holds an escape.
/// `plain_end` finds what is not plain text.
#[inline]
fn read_string(
    bytes: &[u8],
    at: usize,
    plain_end: impl Fn(&[u8], usize) -> usize,
) -> Result<(usize, bool), SyntaxError> {
    let mut at = at + 1;
    let mut escaped = false;
    loop {
        at = plain_end(bytes, at);
        match bytes.get(at) {
            Some(b'"') => return Ok((at + 1, escaped)),
            Some(b'\\') => {
                escaped = true;
                match bytes.get(at + 1) {
                    Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => at += 2,
                    _ => at = unicode_escape(bytes, at)?,
                }
            }
            _ => {
                let what = "control character in a string";
                return Err(SyntaxError { what, at });
            }
        }
    }
}

/// The end of the `\u` escape at `at`.
#[cold]
fn unicode_escape(bytes: &[u8], at: usize) -> Result<usize, SyntaxError> {
    let digits = bytes.get(at + 2..at + 6);
    if bytes.get(at + 1) == Some(&b'u') && digits.is_some_and(|d| d.iter().all(u8::is_ascii_hexdigit)) {
        return Ok(at + 6);
    }
    let what = "invalid escape";
    Err(SyntaxError { what, at })
}

/// Where the string at the beginning ends, behind its closing quote; `None` if there is none that is whole and right.
pub(crate) fn string_end(bytes: &[u8]) -> Option<usize> {
    if bytes.first() != Some(&b'"') {
        return None;
    }
    read_string(bytes, 0, plain_end).ok().map(|(end, _)| end)
}

/// Whether there is a control character anywhere: no early end, so that it is done many bytes at a time.
fn has_control(bytes: &[u8]) -> bool {
    bytes.iter().fold(false, |found, byte| found | (*byte < 0x20))
}

/// Where, from `at` on, the first quote or backslash stands, or the end.
fn quote_or_backslash(bytes: &[u8], at: usize) -> usize {
    let found = bytes
        .get(at..)
        .and_then(|rest| memchr::memchr2(b'"', b'\\', rest));
    found.map_or(bytes.len(), |found| at + found)
}

/// Where, from `at` on, the first quote, backslash or control character stands, or the end. Eight bytes at a time.
#[inline]
fn plain_end(bytes: &[u8], mut at: usize) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const HIGHS: u64 = 0x8080_8080_8080_8080;
    while let Some((chunk, _)) = bytes.get(at..).and_then(<[u8]>::split_first_chunk::<8>) {
        let word = u64::from_le_bytes(*chunk);
        let quote = word ^ (ONES * b'"' as u64);
        let backslash = word ^ (ONES * b'\\' as u64);
        // A borrow may spill into the bytes above a hit, never into those below: the lowest mark is right.
        let marks = (word.wrapping_sub(ONES * 0x20) & !word)
            | (quote.wrapping_sub(ONES) & !quote)
            | (backslash.wrapping_sub(ONES) & !backslash);
        let marks = marks & HIGHS;
        if marks != 0 {
            return at + (marks.trailing_zeros() / 8) as usize;
        }
        at += 8;
    }
    let is_special = |b: &u8| *b < 0x20 || *b == b'"' || *b == b'\\';
    while bytes.get(at).is_some_and(|b| !is_special(b)) {
        at += 1;
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn accepts(text: &str) -> bool {
        Index::default().build(text, 3).is_ok()
    }

    proptest! {
        #[test]
        fn agrees_with_serde_json_on_what_is_json(text in r#"[\[\]{}",:0-9.eE+\-truefalsn \\u"a]{0,24}"#) {
            let theirs = serde_json::from_str::<Box<serde_json::value::RawValue>>(&text);
            // serde_json checks surrogate pairs even where it does not decode; we hand them on.
            if !text.contains("\\u") {
                prop_assert_eq!(accepts(&text), theirs.is_ok(), "{}", text);
            }
        }

        #[test]
        fn finds_the_end_of_plain_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let slow = bytes.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\').unwrap_or(bytes.len());
            prop_assert_eq!(plain_end(&bytes, 0), slow);
        }

        #[test]
        fn never_panics(text in ".{0,200}", depth in 0usize..4) {
            let _ = Index::default().build(&text, depth);
        }
    }

    #[test]
    fn lone_surrogates_and_escaped_nul_are_json() {
        assert!(accepts(r#"{"a":"\ud800","b":"\u0000"}"#));
        assert!(!accepts("{\"a\":\"\u{0}\"}"));
    }

    #[test]
    fn nesting_has_an_end() {
        assert!(accepts(&format!("{}{}", "[".repeat(1_000), "]".repeat(1_000))));
        let error = Index::default().build(&"[".repeat(100_000), 3).unwrap_err();
        assert_eq!(error.what, "nested too deeply");
    }
}
