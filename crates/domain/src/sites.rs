//! Which sites results may come from.

/// `allowed_domains` and `blocked_domains` of a request. Entries have no scheme, hold for subdomains too, and may have a
/// path (with one `*` in it), which then holds for everything below (Anthropic, "Web search tool", domain filtering).
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct DomainFilter {
    /// If there are any, only these.
    pub allowed: Vec<String>,
    /// None of these.
    pub blocked: Vec<String>,
}

impl DomainFilter {
    /// Whether a result from this URL may be shown.
    #[must_use]
    pub fn admits(&self, url: &str) -> bool {
        let Some((host, path)) = split(url) else {
            return false;
        };
        let fits = |entry: &String| matches(entry, &host, path);
        (self.allowed.is_empty() || self.allowed.iter().any(fits)) && !self.blocked.iter().any(fits)
    }
}

/// Host (in lower case, without port) and path of an `http` or `https` URL.
fn split(url: &str) -> Option<(String, &str)> {
    let rest = url
        .strip_prefix("https://")
        .or_else(|| url.strip_prefix("http://"))?;
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let authority = &rest[..end];
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let host = host.split(':').next().unwrap_or(host).trim_end_matches('.');
    let path = rest[end..].split(['?', '#']).next().unwrap_or_default();
    (!host.is_empty()).then(|| (host.to_ascii_lowercase(), path))
}

fn matches(entry: &str, host: &str, path: &str) -> bool {
    let entry = entry.trim();
    let entry = entry
        .strip_prefix("https://")
        .or_else(|| entry.strip_prefix("http://"))
        .unwrap_or(entry);
    let (domain, wanted) = match entry.find('/') {
        Some(at) => (&entry[..at], entry[at..].trim_end_matches('/')),
        None => (entry, ""),
    };
    let domain = domain
        .trim_start_matches("*.")
        .trim_matches('.')
        .to_ascii_lowercase();
    let of_domain = !domain.is_empty()
        && (host == domain || host.strip_suffix(&domain).is_some_and(|rest| rest.ends_with('.')));
    of_domain && below(wanted, path)
}

/// Whether `path` is `wanted` or lies below it.
fn below(wanted: &str, path: &str) -> bool {
    let at_boundary = |rest: &str| rest.is_empty() || rest.starts_with('/');
    match wanted.split_once('*') {
        None => path.strip_prefix(wanted).is_some_and(at_boundary),
        Some((before, after)) => path
            .strip_prefix(before)
            .is_some_and(|rest| after.is_empty() || rest.contains(after)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn filter(allowed: &[&str], blocked: &[&str]) -> DomainFilter {
        let owned = |list: &[&str]| list.iter().map(|e| (*e).to_owned()).collect();
        DomainFilter {
            allowed: owned(allowed),
            blocked: owned(blocked),
        }
    }

    #[test]
    fn a_domain_holds_for_its_subdomains_and_for_nothing_that_merely_ends_alike() {
        let rust = filter(&["Rust-lang.org"], &[]);
        assert!(rust.admits("https://rust-lang.org/"));
        assert!(rust.admits("https://DOC.rust-lang.org:443/book?x"));
        assert!(!rust.admits("https://evilrust-lang.org/"));
        assert!(!rust.admits("https://rust-lang.org.evil.example/"));
        assert!(!rust.admits("https://rust-lang.org@evil.example/"));
        assert!(!rust.admits("ftp://rust-lang.org/"));
    }

    #[test]
    fn a_path_holds_for_what_lies_below() {
        let blog = filter(&["example.com/blog"], &[]);
        assert!(blog.admits("https://example.com/blog") && blog.admits("http://a.example.com/blog/x"));
        assert!(!blog.admits("https://example.com/blogs") && !blog.admits("https://example.com/"));
        assert!(filter(&["example.com/*/news"], &[]).admits("https://example.com/en/news"));
    }

    #[test]
    fn what_is_blocked_is_not_shown_and_nothing_else_is_hidden() {
        let none_of = filter(&[], &["ads.example", "example.com/private"]);
        assert!(
            !none_of.admits("https://x.ads.example/1") && !none_of.admits("https://example.com/private/1")
        );
        assert!(none_of.admits("https://example.com/public") && none_of.admits("https://example.com"));
    }
}
