//! Queries and their answers (RFC 7644, §3.4.2 and §3.4.3).

use crate::patch::field;
use crate::sort::Sort;
use crate::{DEFAULT_PAGE, Filter, MAX_PAGE, Object, Projection, ScimError, ScimType, resource};
use serde_json::{Value, json};

/// The schema of an answer with several resources.
const SCHEMA: &str = "urn:ietf:params:scim:api:messages:2.0:ListResponse";

/// The schema of a query in a body.
const SEARCH: &str = "urn:ietf:params:scim:api:messages:2.0:SearchRequest";

/// What a client wants to see.
#[derive(Debug, Clone, PartialEq)]
pub struct Query {
    /// Which resources.
    pub filter: Option<Filter>,
    /// In which order.
    pub sort: Option<Sort>,
    /// From which on, counted from 1.
    pub start: u64,
    /// How many.
    pub count: u64,
    /// What of them.
    pub projection: Projection,
}

/// The parameters, before they are understood.
#[derive(Default)]
struct Raw {
    filter: Option<String>,
    sort_by: Option<String>,
    sort_order: Option<String>,
    start: Option<i64>,
    count: Option<i64>,
    only: Vec<String>,
    without: Vec<String>,
}

fn invalid(detail: impl Into<String>) -> ScimError {
    ScimError::of(ScimType::InvalidValue, detail)
}

impl Query {
    /// From the parameters in a URL, decoded. What is not known is ignored.
    ///
    /// # Errors
    /// For a filter that cannot be read or a number that is none.
    pub fn from_pairs<'a>(pairs: impl Iterator<Item = (&'a str, &'a str)>) -> Result<Self, ScimError> {
        let mut raw = Raw::default();
        for (name, value) in pairs {
            let number = || {
                let number = value.trim().parse::<i64>();
                number.map_err(|_| invalid(format!("`{name}` has to be a number.")))
            };
            let names = || value.split(',').map(str::to_owned);
            match name.to_ascii_lowercase().as_str() {
                "filter" => raw.filter = Some(value.to_owned()),
                "sortby" => raw.sort_by = Some(value.to_owned()),
                "sortorder" => raw.sort_order = Some(value.to_owned()),
                "startindex" => raw.start = Some(number()?),
                "count" => raw.count = Some(number()?),
                "attributes" => raw.only.extend(names()),
                "excludedattributes" => raw.without.extend(names()),
                _ => {}
            }
        }
        raw.understand()
    }

    /// From the body of a search.
    ///
    /// # Errors
    /// As [`Self::from_pairs`], or for a body that is no search.
    pub fn from_body(body: &Value) -> Result<Self, ScimError> {
        let Some(body) = body.as_object() else {
            let detail = "The body of a search has to be an object.";
            return Err(ScimError::of(ScimType::InvalidSyntax, detail));
        };
        resource::check_message(body, SEARCH)?;
        let text = |name: &str| match field(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(_) => Err(invalid(format!("`{name}` has to be text."))),
        };
        let number = |name: &str| match field(body, name) {
            None | Some(Value::Null) => Ok(None),
            Some(value) => match value.as_i64() {
                Some(number) => Ok(Some(number)),
                None => Err(invalid(format!("`{name}` has to be a whole number."))),
            },
        };
        let names = |name: &str| match field(body, name) {
            None | Some(Value::Null) => Ok(Vec::new()),
            Some(Value::String(names)) => Ok(names.split(',').map(str::to_owned).collect()),
            Some(Value::Array(names)) if names.iter().all(Value::is_string) => {
                let names = names.iter().filter_map(Value::as_str);
                Ok(names.map(str::to_owned).collect())
            }
            Some(_) => Err(invalid(format!("`{name}` has to be a list of names."))),
        };
        Raw {
            filter: text("filter")?,
            sort_by: text("sortBy")?,
            sort_order: text("sortOrder")?,
            start: number("startIndex")?,
            count: number("count")?,
            only: names("attributes")?,
            without: names("excludedAttributes")?,
        }
        .understand()
    }
}

impl Raw {
    /// A start before the first is the first, a negative count is zero (RFC 7644, §3.4.2.4).
    fn understand(self) -> Result<Query, ScimError> {
        let filter = self.filter.as_deref().filter(|text| !text.trim().is_empty());
        let count = self
            .count
            .map_or(DEFAULT_PAGE, |count| u64::try_from(count).unwrap_or(0));
        let names = |names: &[String]| -> Vec<String> {
            names
                .iter()
                .filter(|name| !name.trim().is_empty())
                .cloned()
                .collect()
        };
        let (only, without) = (names(&self.only), names(&self.without));
        Ok(Query {
            filter: filter.map(Filter::parse).transpose()?,
            sort: Sort::parse(self.sort_by.as_deref(), self.sort_order.as_deref())?,
            start: u64::try_from(self.start.unwrap_or(1)).unwrap_or(1).max(1),
            count: count.min(MAX_PAGE),
            projection: Projection::new(
                only.iter().map(String::as_str),
                without.iter().map(String::as_str),
            ),
        })
    }
}

/// An answer with several resources.
#[must_use]
pub fn response(total: u64, start: u64, resources: Vec<Object>) -> Value {
    json!({
        "schemas": [SCHEMA],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": resources.len(),
        "Resources": resources,
    })
}
