//! As much of HTML as results need.

use ccag_domain::SearchHit;
use percent_encoding::percent_decode_str;

/// The results on DuckDuckGo's page; `None` if it is not a page of results.
pub(crate) fn duckduckgo(page: &str) -> Option<Vec<SearchHit>> {
    const LINK: &str = "class=\"result__a\"";
    const SNIPPET: &str = "class=\"result__snippet\"";
    if page.contains("anomaly-modal") {
        return None;
    }
    let mut hits = Vec::new();
    let mut parts = page.split(LINK);
    let mut before = parts.next()?;
    for part in parts {
        // The address stands in the same tag, before or after the class.
        let opening = &before[before.rfind('<').unwrap_or(0)..];
        let (rest_of_tag, inside) = part.split_once('>')?;
        let href = attribute(opening, "href").or_else(|| attribute(rest_of_tag, "href"));
        let title = plain(inside.split("</a>").next().unwrap_or_default());
        let text = part
            .split_once(SNIPPET)
            .and_then(|(_, after)| after.split_once('>'))
            .map(|(_, inside)| plain(inside.split("</a>").next().unwrap_or_default()))
            .unwrap_or_default();
        before = part;
        if let Some(url) = href.and_then(|href| target(&href)).filter(|_| !title.is_empty()) {
            hits.push(SearchHit {
                url,
                title,
                text,
                age: None,
            });
        }
    }
    if hits.is_empty() && !page.contains("no-results") && !page.contains("No results") {
        return None;
    }
    Some(hits)
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let (_, after) = tag.split_once(&format!("{name}=\""))?;
    Some(entities(after.split_once('"')?.0))
}

/// Where a link of DuckDuckGo's leads; `None` for advertisements.
fn target(href: &str) -> Option<String> {
    let absolute = href
        .strip_prefix("//")
        .map_or_else(|| href.to_owned(), |rest| format!("https://{rest}"));
    let inner = absolute
        .split_once("uddg=")
        .map(|(_, rest)| rest.split('&').next().unwrap_or_default());
    let url = match inner {
        Some(encoded) => percent_decode_str(encoded).decode_utf8().ok()?.into_owned(),
        None => absolute,
    };
    let is_web = url.starts_with("https://") || url.starts_with("http://");
    (is_web && !url.contains("duckduckgo.com/y.js")).then_some(url)
}

/// The text of a piece of HTML.
pub(crate) fn plain(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut inside = false;
    for c in html.chars() {
        match c {
            '<' => inside = true,
            '>' if inside => inside = false,
            c if !inside => text.push(c),
            _ => {}
        }
    }
    let text = entities(&text);
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn entities(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('&') {
        out.push_str(before);
        let end = after.find(';').filter(|end| *end <= 8);
        match end.and_then(|end| Some((entity(&after[..end])?, end))) {
            Some((c, end)) => {
                out.push(c);
                rest = &after[end + 1..];
            }
            None => {
                out.push('&');
                rest = after;
            }
        }
    }
    out.push_str(rest);
    out
}

fn entity(name: &str) -> Option<char> {
    Some(match name {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        _ => {
            let number = name.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code)?
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const PAGE: &str = r#"<html><div class="result results_links result--ad"><h2><a rel="nofollow" class="result__a"
        href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fduckduckgo.com%2Fy.js%3Fad&amp;rut=1">Ad</a></h2></div>
        <div class="result results_links"><h2 class="result__title">
        <a rel="nofollow" class="result__a" href="//duckduckgo.com/l/?uddg=https%3A%2F%2Fdocs.rs%2Faxum&amp;rut=2">axum &amp; <b>more</b></a>
        </h2><a class="result__snippet" href="x">A &quot;web&quot; <b>framework</b>&#x27;s page</a></div>
        <div class="result"><a href="https://plain.example/" class="result__a">Plain</a></div></html>"#;

    #[test]
    fn results_are_read_and_advertisements_are_not() {
        let hits = duckduckgo(PAGE).unwrap();
        let seen: Vec<_> = hits
            .iter()
            .map(|h| (h.url.as_str(), h.title.as_str(), h.text.as_str()))
            .collect();
        assert_eq!(
            seen,
            [
                (
                    "https://docs.rs/axum",
                    "axum & more",
                    "A \"web\" framework's page"
                ),
                ("https://plain.example/", "Plain", "")
            ]
        );
    }

    #[test]
    fn a_page_of_another_kind_is_not_taken_for_one_without_results() {
        assert_eq!(duckduckgo("<div class=\"no-results\">"), Some(Vec::new()));
        assert_eq!(duckduckgo("<div class=\"anomaly-modal\">"), None);
        assert_eq!(duckduckgo("<html>hello</html>"), None);
    }
}
