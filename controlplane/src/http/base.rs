//! Where people reach the gateway.

use axum::http::{HeaderMap, header};
use url::Url;

/// What the operator has said; else what the client has reached us under.
pub(super) fn url(headers: &HeaderMap, public_url: Option<&Url>) -> String {
    if let Some(url) = public_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok());
    // What is not a host name is not repeated.
    let plain = |host: &&str| {
        let ordinary =
            |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-' | b':' | b'[' | b']' | b'_');
        !host.is_empty() && host.len() <= 255 && host.bytes().all(ordinary)
    };
    format!("http://{}", host.filter(plain).unwrap_or("localhost"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_the_operator_says_counts_and_a_strange_host_is_not_repeated() {
        let mut headers = HeaderMap::new();
        headers.insert("host", "gw.example:8080".parse().unwrap());
        assert_eq!(url(&headers, None), "http://gw.example:8080");
        let public = Url::parse("https://claude.example.com/").unwrap();
        assert_eq!(url(&headers, Some(&public)), "https://claude.example.com");
        headers.insert("host", "a\"><script>".parse().unwrap());
        assert_eq!(url(&headers, None), "http://localhost");
    }
}
