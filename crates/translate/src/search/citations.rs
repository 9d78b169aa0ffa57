//! Citations: the model cites the results that it was given as `search_result_location`; clients of a web search expect
//! `web_search_result_location`. The original travels sealed in `encrypted_index` and comes back with the next turn.

use crate::json::{Value, quoted};
use crate::request::Plan;
use ccag_domain::SealKey;

/// The longest `cited_text` (Anthropic, "Web search tool", citations).
const CITED_CHARS: usize = 150;

const CONTEXT: &[u8] = b"search citation";

/// The citation for the client; `None` if it is one of another kind, which passes as it is.
pub(super) fn for_client(citation: Value<'_>, key: &SealKey) -> Option<String> {
    if !citation
        .get("type")
        .is_some_and(|t| t.is_text("search_result_location"))
    {
        return None;
    }
    let raw = |name: &str| citation.get(name).map_or("null", |v| v.raw());
    let cited = citation
        .get("cited_text")
        .and_then(|v| v.text())
        .unwrap_or_default();
    let cited: String = cited.chars().take(CITED_CHARS).collect();
    let sealed = key.seal(CONTEXT, citation.raw().as_bytes());
    Some(format!(
        "{{\"type\":\"web_search_result_location\",\"cited_text\":{},\"url\":{},\"title\":{},\"encrypted_index\":\"{}\"}}",
        quoted(&cited),
        raw("source"),
        raw("title"),
        base64_simd::STANDARD.encode_to_string(sealed)
    ))
}

/// The citations of a text block as the model wrote them: `None` if none of them comes from a web search, `Some(None)` if
/// one does that is not sealed by us, so that they have to go.
pub(super) fn for_model(citations: Value<'_>, key: Option<&SealKey>) -> Option<Option<String>> {
    let of_search = |citation: &Value<'_>| {
        citation
            .get("type")
            .is_some_and(|t| t.is_text("web_search_result_location"))
    };
    if !citations.elements().any(|c| of_search(&c)) {
        return None;
    }
    let original = |citation: Value<'_>| {
        if !of_search(&citation) {
            return Some(citation.raw().to_owned());
        }
        let sealed = citation.get("encrypted_index")?.text()?;
        let sealed = base64_simd::STANDARD.decode_to_vec(sealed.as_bytes()).ok()?;
        String::from_utf8(key?.open(CONTEXT, &sealed)?.to_vec()).ok()
    };
    let all: Option<Vec<String>> = citations.elements().map(original).collect();
    Some(all.map(|all| format!("[{}]", all.join(","))))
}

impl Plan<'_> {
    /// Gives the citations of a text block, the member at `at`, back the form in which the model wrote them.
    pub(crate) fn searched_citations(&mut self, block: Value<'_>, at: usize, citations: Value<'_>) {
        match for_model(citations, self.search.key.as_ref()) {
            None => {}
            Some(Some(original)) => self.edits.replace(citations, original),
            Some(None) => self.edits.remove_children(block, &[at]),
        }
    }
}
