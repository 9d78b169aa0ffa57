//! Names of attributes, and the paths of PATCH (RFC 7644, §3.10 and §3.5.2).

use crate::error::shown;
use crate::filter::{self, Filter};
use crate::schema::{self, Attribute, Kind, Schema};
use crate::{MAX_FILTER, Object, ScimError, ScimType};
use serde_json::Value;

/// The name of an attribute, such as `userName`, `name.familyName` or `urn:…:User:manager.value`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AttrPath {
    /// Everything before the attribute's own name, if there is anything.
    pub(crate) urn: Option<String>,
    pub(crate) name: String,
    pub(crate) sub: Option<String>,
}

/// What an [`AttrPath`] names in a kind of resource.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Target {
    /// A whole extension.
    Extension(&'static Schema),
    /// An attribute or a part of one.
    Attribute {
        extension: Option<&'static Schema>,
        attribute: &'static Attribute,
        sub: Option<&'static Attribute>,
    },
}

impl AttrPath {
    /// Reads a name. The URN of a schema alone names an extension.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '$' | '.' | ':');
        if text.is_empty() || text.len() > MAX_FILTER || !text.chars().all(fine) {
            return None;
        }
        if schema_of(text).is_some() {
            return Some(Self {
                urn: Some(text.to_owned()),
                name: String::new(),
                sub: None,
            });
        }
        let (urn, rest) = match text.rsplit_once(':') {
            Some((urn, rest)) => (Some(urn.to_owned()), rest),
            None => (None, text),
        };
        let (name, sub) = match rest.split_once('.') {
            Some((name, sub)) => (name, Some(sub.to_owned())),
            None => (rest, None),
        };
        let proper = |name: &str| name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '$');
        if !proper(name)
            || sub
                .as_deref()
                .is_some_and(|sub| !proper(sub) || sub.contains('.'))
        {
            return None;
        }
        Some(Self {
            urn,
            name: name.to_owned(),
            sub,
        })
    }

    /// What it names, if the kind has such a thing.
    pub(crate) fn target(&self, kind: Kind) -> Option<Target> {
        let extension = match &self.urn {
            None => None,
            Some(urn) if urn.eq_ignore_ascii_case(kind.schema().urn) => None,
            Some(urn) => Some(kind.extension(urn)?),
        };
        if self.name.is_empty() {
            return extension.map(Target::Extension);
        }
        let attribute = match extension {
            Some(extension) => schema::find(extension.attributes, &self.name),
            None => schema::find(kind.schema().attributes, &self.name)
                .or_else(|| schema::find(schema::COMMON, &self.name)),
        }?;
        let sub = match &self.sub {
            Some(sub) => Some(attribute.part(sub)?),
            None => None,
        };
        Some(Target::Attribute {
            extension,
            attribute,
            sub,
        })
    }

    /// Whether it is about this attribute of the core, or a part of it.
    #[must_use]
    pub fn is_about(&self, kind: Kind, name: &str) -> bool {
        matches!(
            self.target(kind),
            Some(Target::Attribute { extension: None, attribute, .. }) if attribute.name.eq_ignore_ascii_case(name)
        )
    }
}

fn schema_of(urn: &str) -> Option<&'static Schema> {
    [Kind::User, Kind::Group].into_iter().find_map(|kind| {
        let own = kind.schema();
        if own.urn.eq_ignore_ascii_case(urn) {
            return Some(own);
        }
        kind.extension(urn)
    })
}

/// The path of an operation: an attribute, those of its values that a filter selects, and a part of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Path {
    pub(crate) attr: AttrPath,
    pub(crate) filter: Option<Filter>,
}

impl Path {
    /// Reads a path.
    ///
    /// # Errors
    /// [`ScimType::InvalidPath`].
    pub fn parse(text: &str) -> Result<Self, ScimError> {
        let text = text.trim();
        let bad = |why: &str| {
            let detail = format!("The path `{}` cannot be read: {why}.", shown(text));
            ScimError::of(ScimType::InvalidPath, detail)
        };
        if text.len() > MAX_FILTER {
            return Err(bad("it is too long"));
        }
        let Some(open) = text.find('[') else {
            let attr = AttrPath::parse(text).ok_or_else(|| bad("it is no attribute's name"))?;
            return Ok(Self { attr, filter: None });
        };
        let mut attr = AttrPath::parse(&text[..open])
            .filter(|attr| attr.sub.is_none() && !attr.name.is_empty())
            .ok_or_else(|| bad("what comes before `[` is no attribute's name"))?;
        let (filter, end) =
            filter::parse_brackets(text, open).map_err(|e| bad(e.detail.trim_end_matches('.')))?;
        let rest = &text[end..];
        if !rest.is_empty() {
            let sub = rest.strip_prefix('.').and_then(AttrPath::parse);
            let sub = sub.filter(|sub| sub.urn.is_none() && sub.sub.is_none() && !sub.name.is_empty());
            attr.sub = Some(
                sub.ok_or_else(|| bad("after `]` there may only be `.` and a name"))?
                    .name,
            );
        }
        Ok(Self {
            attr,
            filter: Some(filter),
        })
    }
}

/// The object that holds the attributes of the core, or of an extension.
pub(crate) fn holder<'a>(resource: &'a Object, extension: Option<&Schema>) -> Option<&'a Object> {
    match extension {
        None => Some(resource),
        Some(schema) => resource.get(schema.urn).and_then(Value::as_object),
    }
}
