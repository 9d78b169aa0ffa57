//! A strict reader for the HTML that we write: whatever a browser would have to guess about is an error here.

use std::collections::BTreeMap;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Element {
    pub(crate) name: String,
    pub(crate) attributes: BTreeMap<String, String>,
    pub(crate) children: Vec<Node>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Node {
    Element(Element),
    Text(String),
}

const VOID: [&str; 8] = ["meta", "link", "input", "img", "br", "hr", "col", "source"];

struct Reader<'a> {
    rest: &'a str,
}

/// Reads a whole document and returns its root, or says what is wrong with it.
pub(crate) fn parse(document: &str) -> Result<Element, String> {
    let rest = document
        .trim_end()
        .strip_prefix("<!DOCTYPE html>")
        .ok_or("no doctype")?
        .trim_start();
    let mut reader = Reader { rest };
    let root = reader.element()?;
    if reader.rest.is_empty() {
        Ok(root)
    } else {
        Err(format!("after the root: {:.60}", reader.rest))
    }
}

impl Reader<'_> {
    fn eat(&mut self, what: &str) -> bool {
        match self.rest.strip_prefix(what) {
            Some(rest) => {
                self.rest = rest;
                true
            }
            None => false,
        }
    }

    fn until(&mut self, stop: impl Fn(char) -> bool) -> String {
        let end = self.rest.find(stop).unwrap_or(self.rest.len());
        let (taken, rest) = self.rest.split_at(end);
        self.rest = rest;
        taken.to_owned()
    }

    fn element(&mut self) -> Result<Element, String> {
        if !self.eat("<") {
            return Err(format!("expected an element at {:.60}", self.rest));
        }
        let name = self.until(|c| !c.is_ascii_alphanumeric());
        if name.is_empty() {
            return Err(format!("no element name at {:.60}", self.rest));
        }
        let attributes = self.attributes(&name)?;
        let mut children = Vec::new();
        if !VOID.contains(&name.as_str()) {
            self.children(&name, &mut children)?;
        }
        Ok(Element {
            name,
            attributes,
            children,
        })
    }

    fn attributes(&mut self, element: &str) -> Result<BTreeMap<String, String>, String> {
        let mut attributes = BTreeMap::new();
        loop {
            self.rest = self.rest.trim_start();
            if self.eat("/>") || self.eat(">") {
                return Ok(attributes);
            }
            let name = self.until(|c| c.is_whitespace() || "=>/\"'<".contains(c));
            let value = if self.eat("=") {
                if !self.eat("\"") {
                    return Err(format!("{element}: {name} is not quoted"));
                }
                let raw = self.until(|c| c == '"');
                if !self.eat("\"") || raw.contains('<') {
                    return Err(format!("{element}: bad value of {name}: {raw}"));
                }
                unescape(&raw)?
            } else {
                String::new()
            };
            if name.is_empty() || attributes.insert(name.clone(), value).is_some() {
                return Err(format!("{element}: attribute {name:?} is empty or doubled"));
            }
        }
    }

    fn children(&mut self, parent: &str, children: &mut Vec<Node>) -> Result<(), String> {
        loop {
            if self.eat("<!>") {
                if matches!(parent, "title" | "textarea" | "style" | "script") {
                    return Err(format!("a marker would be shown in {parent}"));
                }
                continue;
            }
            if self.rest.starts_with("<!") {
                return Err(format!("unexpected {:.60}", self.rest));
            }
            if self.eat(&format!("</{parent}>")) {
                return Ok(());
            }
            if self.rest.starts_with("</") || self.rest.is_empty() {
                return Err(format!("{parent} is not closed at {:.60}", self.rest));
            }
            if self.rest.starts_with('<') {
                children.push(Node::Element(self.element()?));
            } else {
                let raw = self.until(|c| c == '<');
                children.push(Node::Text(unescape(&raw)?));
            }
        }
    }
}

fn unescape(raw: &str) -> Result<String, String> {
    let mut out = String::new();
    let mut rest = raw;
    while let Some(at) = rest.find('&') {
        out.push_str(&rest[..at]);
        rest = &rest[at..];
        let (entity, c) = [
            ("&amp;", '&'),
            ("&lt;", '<'),
            ("&gt;", '>'),
            ("&quot;", '"'),
            ("&#x27;", '\''),
            ("&#39;", '\''),
        ]
        .into_iter()
        .find(|(entity, _)| rest.starts_with(entity))
        .ok_or_else(|| format!("a bare & in {raw}"))?;
        out.push(c);
        rest = &rest[entity.len()..];
    }
    out.push_str(rest);
    Ok(out)
}

impl Element {
    pub(crate) fn get(&self, attribute: &str) -> Option<&str> {
        self.attributes.get(attribute).map(String::as_str)
    }

    /// This element and all below it.
    pub(crate) fn all(&self) -> Vec<&Element> {
        let mut found = vec![self];
        for child in &self.children {
            if let Node::Element(child) = child {
                found.extend(child.all());
            }
        }
        found
    }

    pub(crate) fn named<'a>(&'a self, name: &str) -> Vec<&'a Element> {
        self.all().into_iter().filter(|e| e.name == name).collect()
    }

    pub(crate) fn text(&self) -> String {
        self.children
            .iter()
            .map(|child| match child {
                Node::Text(text) => text.clone(),
                Node::Element(e) => e.text(),
            })
            .collect()
    }
}

#[test]
fn what_a_browser_would_have_to_guess_about_is_refused() {
    for bad in [
        "<html></html>",
        "<!DOCTYPE html><html><p></html></p>",
        "<!DOCTYPE html><html><p>a & b</p></html>",
        "<!DOCTYPE html><html a=b></html>",
        "<!DOCTYPE html><html a=\"1\" a=\"2\"></html>",
        "<!DOCTYPE html><html><title>a<!>b</title></html>",
        "<!DOCTYPE html><html></html><p></p>",
    ] {
        assert!(parse(bad).is_err(), "{bad}");
    }
    let good = parse("<!DOCTYPE html><html><p x=\"&lt;\">a &amp; <!>b<br></p></html>").unwrap();
    assert_eq!(good.text(), "a & b");
    assert_eq!(good.named("p")[0].get("x"), Some("<"));
}
