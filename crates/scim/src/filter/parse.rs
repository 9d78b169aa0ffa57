//! From text to a filter. Slices begin and end at ASCII characters only, so text in any script is as good as any other.

use super::{Filter, Op};
use crate::error::shown;
use crate::path::AttrPath;
use crate::{MAX_DEPTH, MAX_FILTER, ScimError, ScimType};
use serde_json::Value;

pub(super) fn whole(text: &str) -> Result<Filter, ScimError> {
    if text.len() > MAX_FILTER {
        return Err(invalid(format!("The filter has more than {MAX_FILTER} bytes.")));
    }
    let mut parser = Parser {
        text,
        at: 0,
        depth: 0,
    };
    let filter = parser.any(false)?;
    parser.blank();
    if parser.at < text.len() {
        return Err(parser.wrong("`and`, `or` or the end"));
    }
    Ok(filter)
}

/// Reads the filter in the brackets that open at `open`; also says where what comes after them begins.
pub(crate) fn parse_brackets(text: &str, open: usize) -> Result<(Filter, usize), ScimError> {
    let mut parser = Parser {
        text,
        at: open + 1,
        depth: 0,
    };
    let filter = parser.any(true)?;
    parser.expect(b']')?;
    Ok((filter, parser.at))
}

fn invalid(detail: String) -> ScimError {
    ScimError::of(ScimType::InvalidFilter, detail)
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    depth: usize,
}

impl<'a> Parser<'a> {
    fn wrong(&self, wanted: &str) -> ScimError {
        let rest = self.text.get(self.at..).unwrap_or_default();
        let found = if rest.is_empty() {
            "it ends".to_owned()
        } else {
            format!("there is `{}`", shown(rest))
        };
        invalid(format!(
            "The filter cannot be read: at byte {} {wanted} is expected, but {found}.",
            self.at
        ))
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn blank(&mut self) {
        while self.peek().is_some_and(|b| b.is_ascii_whitespace()) {
            self.at += 1;
        }
    }

    fn expect(&mut self, byte: u8) -> Result<(), ScimError> {
        self.blank();
        if self.peek() != Some(byte) {
            return Err(self.wrong(&format!("`{}`", char::from(byte))));
        }
        self.at += 1;
        Ok(())
    }

    /// The next characters of names, operators and bare words, without moving past them.
    fn word(&mut self) -> &'a str {
        self.blank();
        let rest = &self.text.as_bytes()[self.at..];
        let fine = |b: &u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'$' | b'.' | b':' | b'+');
        let len = rest.iter().take_while(|b| fine(b)).count();
        &self.text[self.at..self.at + len]
    }

    /// Moves past a word if it comes next, whatever the case.
    fn take(&mut self, wanted: &str) -> bool {
        let word = self.word();
        let found = word.eq_ignore_ascii_case(wanted);
        if found {
            self.at += word.len();
        }
        found
    }

    fn any(&mut self, within: bool) -> Result<Filter, ScimError> {
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(invalid(format!(
                "The filter is nested deeper than {MAX_DEPTH} levels."
            )));
        }
        let mut terms = vec![self.all(within)?];
        while self.take("or") {
            terms.push(self.all(within)?);
        }
        self.depth -= 1;
        Ok(one_or(terms, Filter::Or))
    }

    fn all(&mut self, within: bool) -> Result<Filter, ScimError> {
        let mut terms = vec![self.term(within)?];
        while self.take("and") {
            terms.push(self.term(within)?);
        }
        Ok(one_or(terms, Filter::And))
    }

    fn term(&mut self, within: bool) -> Result<Filter, ScimError> {
        self.blank();
        if self.peek() == Some(b'(') {
            return self.group(within);
        }
        let word = self.word();
        let after = self.text[self.at + word.len()..].trim_start();
        if word.eq_ignore_ascii_case("not") && after.starts_with('(') {
            self.at += word.len();
            return Ok(Filter::Not(Box::new(self.group(within)?)));
        }
        let Some(path) = AttrPath::parse(word) else {
            return Err(self.wrong("the name of an attribute"));
        };
        self.at += word.len();
        if self.peek() == Some(b'[') {
            if within || path.sub.is_some() {
                return Err(self.wrong("an operator"));
            }
            self.at += 1;
            let inner = self.any(true)?;
            self.expect(b']')?;
            return Ok(Filter::Within(path, Box::new(inner)));
        }
        if self.take("pr") {
            return Ok(Filter::Present(path));
        }
        let word = self.word();
        let Some(op) = Op::parse(word) else {
            return Err(self.wrong("an operator (eq, ne, co, sw, ew, gt, ge, lt, le, pr)"));
        };
        self.at += word.len();
        let value = self.value(&path)?;
        Ok(Filter::Compare(path, op, value))
    }

    fn group(&mut self, within: bool) -> Result<Filter, ScimError> {
        self.expect(b'(')?;
        let inner = self.any(within)?;
        self.expect(b')')?;
        Ok(inner)
    }

    /// A value as in JSON.
    fn value(&mut self, path: &AttrPath) -> Result<Value, ScimError> {
        const WANTED: &str = "a value: text in double quotes, a number, true, false or null";
        self.blank();
        if self.peek() == Some(b'"') {
            return self.string().ok_or_else(|| self.wrong(WANTED));
        }
        let word = self.word();
        let value = match word.to_ascii_lowercase().as_str() {
            "true" => Value::Bool(true),
            "false" => Value::Bool(false),
            "null" => Value::Null,
            // RFC 7644, §3.4.2.1, writes it like that.
            "user" | "group" if path.name.eq_ignore_ascii_case("meta") => Value::String(word.to_owned()),
            _ => match serde_json::from_str(word) {
                Ok(Value::Number(number)) => Value::Number(number),
                _ => return Err(self.wrong(WANTED)),
            },
        };
        self.at += word.len();
        Ok(value)
    }

    fn string(&mut self) -> Option<Value> {
        let bytes = self.text.as_bytes();
        let mut end = self.at + 1;
        loop {
            match bytes.get(end)? {
                b'"' => break,
                b'\\' => end += 2,
                _ => end += 1,
            }
        }
        let text: String = serde_json::from_str(self.text.get(self.at..=end)?).ok()?;
        self.at = end + 1;
        Some(Value::String(text))
    }
}

fn one_or(mut terms: Vec<Filter>, many: impl FnOnce(Vec<Filter>) -> Filter) -> Filter {
    if terms.len() == 1
        && let Some(only) = terms.pop()
    {
        return only;
    }
    many(terms)
}
