//! The tool: as the client asks for it, and as the model gets it.

use crate::json::{Edits, Value, quoted};
use crate::request::{Peeked, Plan};
use ccag_domain::{Code, DomainFilter, Problem};

/// What the types of the tool begin with. A client's own tool may have any name, `WebSearch` and `web_search` included.
const TYPE_PREFIX: &str = "web_search_";

/// What the model is told. A part of signed and cached prefixes: never change a word.
const DESCRIPTION: &str = "Searches the web and returns the titles, addresses and contents of the pages that fit a query best. \
    Use it for facts that may have changed since your training or that you do not know.";

/// What the model has to give. A part of signed and cached prefixes: never change a character.
const SCHEMA: &str = "{\"type\":\"object\",\"properties\":{\"query\":{\"type\":\"string\",\
    \"description\":\"What to search for.\"}},\"required\":[\"query\"]}";

/// Where the user is, as far as the client says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Location {
    /// A city.
    pub city: Option<String>,
    /// A region.
    pub region: Option<String>,
    /// Two letters of ISO 3166-1.
    pub country: Option<String>,
    /// A name of the IANA time zone database.
    pub timezone: Option<String>,
}

/// The web search tool of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SearchTool {
    /// What the client calls it.
    pub name: String,
    /// What the model calls it.
    pub upstream_name: String,
    /// How many searches the request may have.
    pub max_uses: Option<u64>,
    /// Which sites results may come from.
    pub domains: DomainFilter,
    /// Where the user is.
    pub location: Option<Location>,
}

pub(super) fn is_search(tool: Value<'_>) -> bool {
    tool.get("type")
        .and_then(|t| t.text())
        .is_some_and(|kind| kind.starts_with(TYPE_PREFIX))
}

/// The web search tool that a request asks for, if it does.
///
/// # Errors
/// A [`Problem`] in the words of Anthropic's API if there are two, if both lists of domains are given, or if its fields are
/// of wrong types.
pub fn asked(peeked: &Peeked<'_>) -> Result<Option<SearchTool>, Problem> {
    let root = peeked.root();
    let mut found = None;
    let tools = root.get("tools").into_iter().flat_map(Value::elements);
    for (i, tool) in tools.enumerate().filter(|(_, tool)| is_search(*tool)) {
        if found.is_some() {
            return Err(invalid("tools", "Tool names must be unique."));
        }
        found = Some(read(root, tool, i)?);
    }
    Ok(found)
}

fn invalid(field: &str, what: &str) -> Problem {
    Problem::new(Code::InvalidRequest, format!("{field}: {what}")).field(field)
}

fn read(root: Value<'_>, tool: Value<'_>, i: usize) -> Result<SearchTool, Problem> {
    let text = |value: Value<'_>| value.text().map(std::borrow::Cow::into_owned);
    let list = |name: &str| -> Result<Vec<String>, Problem> {
        let field = format!("tools.{i}.{name}");
        let Some(value) = tool.get(name).filter(|v| v.raw() != "null") else {
            return Ok(Vec::new());
        };
        if !value.is_array() {
            return Err(invalid(&field, "Input should be a valid list"));
        }
        value
            .elements()
            .map(|v| text(v).ok_or_else(|| invalid(&field, "Input should be a valid string")))
            .collect()
    };
    let domains = DomainFilter {
        allowed: list("allowed_domains")?,
        blocked: list("blocked_domains")?,
    };
    if !domains.allowed.is_empty() && !domains.blocked.is_empty() {
        return Err(invalid(
            &format!("tools.{i}"),
            "`allowed_domains` and `blocked_domains` cannot be used together",
        ));
    }
    let callers = tool.get("allowed_callers").filter(|c| !c.is_empty());
    if callers.is_some_and(|c| c.is_array() && !c.elements().any(|caller| caller.is_text("direct"))) {
        let what = "web search by programmatic tool calling (`allowed_callers` without `direct`) is not available through this gateway";
        return Err(Problem::new(Code::PolicyBlocked, format!("tools.{i}: {what}")).field("tools"));
    }
    let max_uses = match tool.get("max_uses").filter(|v| v.raw() != "null") {
        None => None,
        Some(n) => Some(
            n.u64()
                .ok_or_else(|| invalid(&format!("tools.{i}.max_uses"), "Input should be a valid integer"))?,
        ),
    };
    let location = tool.get("user_location").filter(|l| l.is_object()).map(|l| {
        let part = |name: &str| l.get(name).and_then(text);
        Location {
            city: part("city"),
            region: part("region"),
            country: part("country"),
            timezone: part("timezone"),
        }
    });
    Ok(SearchTool {
        name: tool
            .get("name")
            .and_then(text)
            .unwrap_or_else(|| "web_search".to_owned()),
        upstream_name: upstream_name(root),
        max_uses,
        domains,
        location,
    })
}

/// What the model calls the tool: `web_search`, unless a tool of the client's is called that.
pub(crate) fn upstream_name(root: Value<'_>) -> String {
    let taken = |name: &str| {
        let tools = root.get("tools").into_iter().flat_map(Value::elements);
        tools
            .filter(|tool| !is_search(*tool))
            .any(|tool| tool.get("name").is_some_and(|n| n.is_text(name)))
    };
    let mut name = "web_search".to_owned();
    while taken(&name) {
        name.push_str("_gw");
    }
    name
}

impl Plan<'_> {
    /// Puts the ordinary tool in the place of the server tool.
    pub(crate) fn search_tool(&mut self, text: &str, tool: Value<'_>) -> Result<(), Problem> {
        let mut extra = String::new();
        for (key, value) in tool.members() {
            if key.is_text("cache_control") && value.is_object() {
                let marker = self.edited(text, value, |plan| plan.cache_control(value))?;
                extra.push_str(&format!(",\"cache_control\":{marker}"));
            } else if key.is_text("defer_loading") && value.bool() == Some(true) {
                self.features.add(crate::profile::Feature::DeferLoading);
                extra.push_str(",\"defer_loading\":true");
            }
        }
        let name = self.search.upstream_name.clone();
        self.edits.replace(
            tool,
            format!(
                "{{\"name\":{},\"description\":{},\"input_schema\":{SCHEMA}{extra}}}",
                quoted(&name),
                quoted(DESCRIPTION)
            ),
        );
        Ok(())
    }
}

/// The client's request with what the model has said since (`assistant`: content blocks as the client sees them): what a
/// client would send to let it go on. A forced tool choice is over; whether tools may be used in parallel stays.
#[must_use]
pub fn continued(peeked: &Peeked<'_>, assistant: &[String]) -> Vec<u8> {
    let root = peeked.root();
    let mut edits = Edits::default();
    if let Some(messages) = root.get("messages") {
        let said = format!("{{\"role\":\"assistant\",\"content\":[{}]}}", assistant.join(","));
        edits.append(messages, &said, !messages.is_empty());
    }
    if let Some(choice) = root.get("tool_choice")
        && let Some(kind) = choice
            .get("type")
            .filter(|t| t.is_text("tool") || t.is_text("any"))
    {
        edits.replace(kind, "\"auto\"");
        let name: Vec<usize> = choice
            .members()
            .enumerate()
            .filter(|(_, (key, _))| key.is_text("name"))
            .map(|(at, _)| at)
            .collect();
        edits.remove_children(choice, &name);
    }
    edits.apply(peeked.doc.text)
}
