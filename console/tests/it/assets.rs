use ccag_console::{Asset, SECURITY_POLICY, asset, script_path, stylesheet_path};

#[test]
fn assets_are_found_under_an_address_that_names_their_content() {
    for (path, content_type) in [
        (stylesheet_path(), "text/css; charset=utf-8"),
        (script_path(), "text/javascript; charset=utf-8"),
    ] {
        let asset = asset(path).unwrap();
        assert_eq!(asset.content_type, content_type);
        let stem = path.rsplit('/').next().unwrap();
        let hash = stem.split(['-', '.']).nth(1).unwrap();
        assert_eq!(hash.len(), 16, "{path}");
        assert!(hash.bytes().all(|b| b.is_ascii_hexdigit()), "{path}");
    }
    assert!(asset("/console/assets/console.css").is_none());
    assert!(Asset::CACHE_CONTROL.contains("immutable"));
}

#[test]
fn the_security_policy_allows_nothing_inline_and_nobody_else() {
    assert!(!SECURITY_POLICY.contains("unsafe"));
    assert!(SECURITY_POLICY.starts_with("default-src 'none';"));
    for needed in ["frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"] {
        assert!(SECURITY_POLICY.contains(needed), "{needed}");
    }
    assert!(!SECURITY_POLICY.contains("  "), "{SECURITY_POLICY}");
}

#[test]
fn the_script_uses_nothing_that_the_policy_forbids() {
    let script = std::str::from_utf8(asset(script_path()).unwrap().body).unwrap();
    for forbidden in [
        "innerHTML",
        "eval(",
        "document.write",
        "http://",
        "https://",
        "setAttribute(\"style",
    ] {
        assert!(!script.contains(forbidden), "{forbidden}");
    }
}
