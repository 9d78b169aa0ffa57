//! What each service is asked, and what it answers.

use crate::client::Query;
use crate::{Failure, html};
use ccag_domain::{SearchHit, SearchKind, SearchProvider};
use reqwest::{Client, RequestBuilder};
use serde_json::{Value, json};
use url::Url;

/// The longest text of a result that is passed on, in characters.
const TEXT_CHARS: usize = 2_000;
const TITLE_CHARS: usize = 300;
const URL_BYTES: usize = 2_048;

/// Where a service is asked, unless configured otherwise.
pub(crate) const fn home(kind: SearchKind) -> Option<&'static str> {
    match kind {
        SearchKind::DuckDuckGo => Some("https://html.duckduckgo.com/html/"),
        SearchKind::Tavily => Some("https://api.tavily.com/search"),
        SearchKind::Serper => Some("https://google.serper.dev/search"),
        SearchKind::Brave => Some("https://api.search.brave.com/res/v1/web/search"),
        SearchKind::Searxng | SearchKind::Custom => None,
    }
}

/// The longest query that a service takes, in characters (their API references; for the others a bound of ours).
pub(crate) const fn longest_query(kind: SearchKind) -> usize {
    match kind {
        SearchKind::Tavily | SearchKind::Brave => 400,
        SearchKind::DuckDuckGo => 500,
        SearchKind::Serper | SearchKind::Searxng | SearchKind::Custom => 1_000,
    }
}

/// The query with its sites in the words of search engines, as far as they fit.
fn with_sites(query: &Query<'_>, longest: usize) -> String {
    let mut text = query.text.to_owned();
    let mut add = |words: String| {
        if text.chars().count() + words.chars().count() < longest {
            text.push_str(&words);
        }
    };
    if !query.sites.allowed.is_empty() {
        let sites: Vec<String> = query.sites.allowed.iter().map(|s| format!("site:{s}")).collect();
        add(format!(" ({})", sites.join(" OR ")));
    }
    for site in &query.sites.blocked {
        add(format!(" -site:{site}"));
    }
    text
}

/// The request.
pub(crate) fn request(
    client: &Client,
    provider: &SearchProvider,
    url: Url,
    query: &Query<'_>,
    count: u8,
) -> Result<RequestBuilder, Failure> {
    let kind = provider.kind;
    let secret = provider.api_key.as_ref().map(|k| k.reveal());
    let needed =
        || secret.ok_or_else(|| Failure::Misconfigured(format!("{} needs an API key", kind.title())));
    let country = query.country.filter(|c| c.len() == 2);
    let words = with_sites(query, longest_query(kind));
    Ok(match kind {
        SearchKind::DuckDuckGo => client
            .post(url)
            // The page is made for browsers and answers nobody else.
            .header(
                "user-agent",
                "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            )
            .form(&[("q", words.as_str())]),
        SearchKind::Tavily => {
            let mut body = json!({"query": query.text, "max_results": count});
            if !query.sites.allowed.is_empty() {
                body["include_domains"] = json!(hosts(&query.sites.allowed));
            }
            if !query.sites.blocked.is_empty() {
                body["exclude_domains"] = json!(hosts(&query.sites.blocked));
            }
            client.post(url).bearer_auth(needed()?).json(&body)
        }
        SearchKind::Serper => {
            let mut body = json!({"q": words, "num": count});
            if let Some(country) = country {
                body["gl"] = json!(country.to_lowercase());
            }
            client.post(url).header("x-api-key", needed()?).json(&body)
        }
        SearchKind::Brave => {
            let mut asked = vec![("q", words), ("count", count.to_string())];
            asked.extend(country.map(|c| ("country", c.to_uppercase())));
            client
                .get(with_pairs(url, &asked))
                .header("accept", "application/json")
                .header("x-subscription-token", needed()?)
        }
        SearchKind::Searxng => {
            let mut url = url;
            if !url.path().ends_with("/search") {
                let path = format!("{}/search", url.path().trim_end_matches('/'));
                url.set_path(&path);
            }
            let asked = [("q", words), ("format", "json".to_owned())];
            let request = client
                .get(with_pairs(url, &asked))
                .header("accept", "application/json");
            match secret {
                Some(secret) => request.bearer_auth(secret),
                None => request,
            }
        }
        SearchKind::Custom => {
            let request = client
                .post(url)
                .json(&json!({"query": query.text, "count": count}));
            match secret {
                Some(secret) => request.bearer_auth(secret),
                None => request,
            }
        }
    })
}

fn with_pairs(mut url: Url, pairs: &[(&str, String)]) -> Url {
    url.query_pairs_mut()
        .extend_pairs(pairs.iter().map(|(name, value)| (*name, value.as_str())));
    url
}

/// The domains of entries that may have paths.
fn hosts(entries: &[String]) -> Vec<&str> {
    entries
        .iter()
        .map(|e| e.split('/').next().unwrap_or(e.as_str()))
        .collect()
}

/// The results in an answer.
pub(crate) fn read(kind: SearchKind, body: &str) -> Result<Vec<SearchHit>, Failure> {
    if kind == SearchKind::DuckDuckGo {
        let hits = html::duckduckgo(body).ok_or(Failure::TooManyRequests(200))?;
        return Ok(hits.into_iter().map(bounded).collect());
    }
    let json: Value = serde_json::from_str(body).map_err(|_| Failure::Unreadable("it is not JSON"))?;
    let list = match kind {
        SearchKind::Serper => &json["organic"],
        SearchKind::Brave => &json["web"]["results"],
        SearchKind::Custom if json.is_array() => &json,
        _ => &json["results"],
    };
    let list = match (list, kind) {
        (Value::Array(list), _) => list.as_slice(),
        // Without results these two leave the list out.
        (Value::Null, SearchKind::Serper | SearchKind::Brave) if json.is_object() => &[],
        _ => return Err(Failure::Unreadable("it has no list of results")),
    };
    Ok(list.iter().filter_map(hit).map(bounded).collect())
}

/// One result, under the names that the services have for its parts.
fn hit(result: &Value) -> Option<SearchHit> {
    let part = |names: &[&str]| {
        let mut found = names.iter().filter_map(|name| result[*name].as_str());
        found.find(|text| !text.trim().is_empty())
    };
    let url = part(&["url", "link"])?;
    if !url.starts_with("https://") && !url.starts_with("http://") {
        return None;
    }
    Some(SearchHit {
        url: url.to_owned(),
        title: part(&["title"]).map_or_else(|| url.to_owned(), html::plain),
        text: part(&["content", "snippet", "description"])
            .map(html::plain)
            .unwrap_or_default(),
        age: part(&["age", "date", "published_date", "publishedDate", "page_age"]).map(str::to_owned),
    })
}

fn bounded(hit: SearchHit) -> SearchHit {
    let cut = |text: String, chars: usize| -> String { text.chars().take(chars).collect() };
    SearchHit {
        url: cut(hit.url, URL_BYTES),
        title: cut(hit.title, TITLE_CHARS),
        text: cut(hit.text, TEXT_CHARS),
        age: hit.age.map(|age| cut(age, 64)),
    }
}
