//! Walking an indexed text.

use super::parse::{Index, Kind, Node, SyntaxError};
use std::borrow::Cow;

/// A text with its index.
#[derive(Debug)]
pub(crate) struct Doc<'t> {
    pub(crate) text: &'t str,
    index: Index,
}

impl<'t> Doc<'t> {
    /// Reads `text` and indexes it down to `depth` levels below the outermost value.
    pub(crate) fn parse(text: &'t str, depth: usize) -> Result<Self, SyntaxError> {
        let mut index = Index::default();
        index.nodes.reserve(text.len() / 64);
        index.build(text, depth)?;
        Ok(Self { text, index })
    }

    /// The outermost value.
    pub(crate) fn root(&self) -> Value<'_> {
        Value::root(self.text, &self.index)
    }
}

/// A value in its place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Value<'d> {
    text: &'d str,
    nodes: &'d [Node],
    at: usize,
}

impl<'d> Value<'d> {
    /// The outermost value of an indexed text; the index holds at least one value once it was built.
    pub(crate) fn root(text: &'d str, index: &'d Index) -> Self {
        Self {
            text,
            nodes: &index.nodes,
            at: 0,
        }
    }

    fn node(&self) -> Node {
        self.nodes[self.at]
    }

    pub(crate) fn kind(&self) -> Kind {
        self.node().kind
    }

    /// Where it begins in the text.
    pub(crate) fn start(&self) -> usize {
        self.node().start as usize
    }

    /// Where it ends in the text.
    pub(crate) fn end(&self) -> usize {
        self.node().end as usize
    }

    /// The value as it stands in the text.
    pub(crate) fn raw(&self) -> &'d str {
        &self.text[self.start()..self.end()]
    }

    fn is_string(&self) -> bool {
        self.kind() == Kind::String
    }

    pub(crate) fn is_array(&self) -> bool {
        self.kind() == Kind::Array
    }

    pub(crate) fn is_object(&self) -> bool {
        self.kind() == Kind::Object
    }

    /// The string between its quotes, as it stands in the text.
    pub(crate) fn raw_text(&self) -> Option<&'d str> {
        let raw = self.raw();
        self.is_string().then(|| &raw[1..raw.len() - 1])
    }

    /// The string, decoded. A lone surrogate cannot be decoded: such a string gives `None`.
    pub(crate) fn text(&self) -> Option<Cow<'d, str>> {
        let raw = self.raw_text()?;
        if self.node().flag {
            serde_json::from_str(self.raw()).ok().map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(raw))
        }
    }

    /// Whether it is the string `text`.
    pub(crate) fn is_text(&self, text: &str) -> bool {
        let node = self.node();
        if node.flag {
            return self.text().is_some_and(|t| t == text);
        }
        let (start, end) = (node.start as usize, node.end as usize);
        // The length first: it tells most keys apart.
        node.kind == Kind::String
            && end - start == text.len() + 2
            && self.text.as_bytes()[start + 1..end - 1] == *text.as_bytes()
    }

    pub(crate) fn bool(&self) -> Option<bool> {
        match self.kind() {
            Kind::True => Some(true),
            Kind::False => Some(false),
            _ => None,
        }
    }

    pub(crate) fn f64(&self) -> Option<f64> {
        if self.kind() == Kind::Number {
            self.raw().parse().ok()
        } else {
            None
        }
    }

    /// A whole number that is not negative; `3.0` and `3e0` are such, too.
    pub(crate) fn u64(&self) -> Option<u64> {
        if self.kind() != Kind::Number {
            return None;
        }
        if let Ok(n) = self.raw().parse::<u64>() {
            return Some(n);
        }
        let n: f64 = self.raw().parse().ok()?;
        let exact = n >= 0.0 && n.fract() == 0.0 && n < 9_007_199_254_740_992.0;
        exact.then_some(n as u64)
    }

    /// The values directly inside: for an object its keys and values in turn.
    fn children(self) -> Children<'d> {
        let node = self.node();
        let end = match node.kind {
            Kind::Object | Kind::Array if !node.flag => node.next as usize,
            _ => self.at + 1,
        };
        Children {
            parent: self,
            at: self.at + 1,
            end,
        }
    }

    /// The members of an object in their order, duplicates included; nothing for any other value.
    pub(crate) fn members(self) -> impl Iterator<Item = (Value<'d>, Value<'d>)> {
        let mut children = self.children();
        let is_object = self.is_object();
        std::iter::from_fn(move || {
            if !is_object {
                return None;
            }
            Some((children.next()?, children.next()?))
        })
    }

    /// The elements of an array; nothing for any other value.
    pub(crate) fn elements(self) -> impl Iterator<Item = Value<'d>> {
        let count = if self.is_array() { usize::MAX } else { 0 };
        self.children().take(count)
    }

    /// The member of that name, if it is an object and has it. Of duplicates the last, as most parsers have it.
    pub(crate) fn get(self, name: &str) -> Option<Value<'d>> {
        let mut found = None;
        for (key, value) in self.members() {
            if key.is_text(name) {
                found = Some(value);
            }
        }
        found
    }

    /// Whether it is an object or array with nothing in it.
    pub(crate) fn is_empty(self) -> bool {
        let node = self.node();
        matches!(node.kind, Kind::Object | Kind::Array) && !node.flag && node.next as usize == self.at + 1
    }
}

struct Children<'d> {
    parent: Value<'d>,
    at: usize,
    end: usize,
}

impl<'d> Iterator for Children<'d> {
    type Item = Value<'d>;

    fn next(&mut self) -> Option<Value<'d>> {
        if self.at >= self.end {
            return None;
        }
        let value = Value {
            at: self.at,
            ..self.parent
        };
        self.at = value.node().next as usize;
        Some(value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_found_where_they_stand() {
        let doc = Doc::parse(r#" {"a" : [1, {"b":"x\ny"}, []], "c":1.0} "#, 8).unwrap();
        let root = doc.root();
        let a = root.get("a").unwrap();
        let inner: Vec<_> = a.elements().map(|v| v.raw()).collect();
        assert_eq!(inner, ["1", r#"{"b":"x\ny"}"#, "[]"]);
        let b = a.elements().nth(1).unwrap().get("b").unwrap();
        assert_eq!(b.text().unwrap(), "x\ny");
        assert_eq!(b.raw_text().unwrap(), "x\\ny");
        assert_eq!(root.get("c").unwrap().u64(), Some(1));
        assert!(a.elements().nth(2).unwrap().is_empty());
        assert_eq!(root.get("d").map(|v| v.raw()), None);
    }

    #[test]
    fn below_the_recorded_depth_values_are_opaque() {
        let doc = Doc::parse(r#"{"a":{"b":{"c":1}}}"#, 1).unwrap();
        let a = doc.root().get("a").unwrap();
        assert_eq!(a.raw(), r#"{"b":{"c":1}}"#);
        assert_eq!(a.members().count(), 0);
        assert!(!a.is_empty());
    }
}
