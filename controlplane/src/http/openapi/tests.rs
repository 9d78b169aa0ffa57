use super::*;
use crate::http::access::routes;
use std::collections::BTreeSet;

/// What the document leaves out: it is for browsers on their way through an identity provider.
const FOR_BROWSERS: [&str; 2] = [
    ccag_admin_api::paths::SIGN_ON,
    ccag_admin_api::paths::SIGN_ON_CALLBACK,
];

const FILE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/openapi.json");

#[test]
fn the_page_of_the_documentation_is_what_the_server_says() {
    if std::env::var_os("CCAG_UPDATE_DOCS").is_some() {
        std::fs::write(FILE, &*TEXT).unwrap();
    }
    let kept = std::fs::read_to_string(FILE).unwrap_or_default();
    assert!(
        kept == *TEXT,
        "docs/openapi.json is stale: run CCAG_UPDATE_DOCS=1 cargo nextest run -p ccag-controlplane openapi"
    );
}

#[test]
fn every_route_of_the_admin_api_is_an_operation_and_every_operation_a_route() {
    let is_ours = |path: &str| {
        ["/admin/", "/auth/"].iter().any(|start| path.starts_with(start))
            || ["/health", ccag_admin_api::paths::OPENAPI].contains(&path)
    };
    let routed: BTreeSet<_> = routes()
        .filter(|route| is_ours(route.path) && !FOR_BROWSERS.contains(&route.path))
        .map(|route| (route.path, route.method))
        .collect();
    let described: BTreeSet<_> = OPERATIONS.iter().map(|one| (one.path, one.method)).collect();
    assert_eq!(
        described.len(),
        OPERATIONS.len(),
        "an operation is described twice"
    );
    let missing: Vec<_> = routed.difference(&described).collect();
    let surplus: Vec<_> = described.difference(&routed).collect();
    assert!(
        missing.is_empty() && surplus.is_empty(),
        "without an operation: {missing:?}; without a route: {surplus:?}"
    );
}

#[test]
fn operations_have_names_of_their_own_and_all_that_clients_need() {
    let mut names = BTreeSet::new();
    for one in OPERATIONS.iter() {
        assert!(names.insert(one.id), "{} names two operations", one.id);
        assert!(one.summary.ends_with('.') && !one.tag.is_empty(), "{}", one.id);
        assert!(one.ids.len() <= one.path_parameters().count(), "{}", one.id);
        assert!(
            one.method != "GET" || one.status == 200 && !one.answers.is_empty(),
            "{}",
            one.id
        );
    }
}

#[test]
fn every_reference_leads_somewhere_and_lists_that_page_do_so_alike() {
    let document: Value = serde_json::from_str(&TEXT).unwrap();
    fn follow(at: &Value, document: &Value) {
        match at {
            Value::Object(map) => {
                if let Some(to) = map.get("$ref") {
                    let to = to.as_str().unwrap().strip_prefix('#').unwrap();
                    assert!(document.pointer(to).is_some(), "nothing at {to}");
                }
                map.values().for_each(|value| follow(value, document));
            }
            Value::Array(items) => items.iter().for_each(|item| follow(item, document)),
            _ => {}
        }
    }
    follow(&document, &document);
    for one in OPERATIONS.iter() {
        let described = &document["paths"][one.path][one.method.to_lowercase()];
        let names: Vec<_> = described["parameters"]
            .as_array()
            .map(|all| all.iter().filter_map(|one| one["name"].as_str()).collect())
            .unwrap_or_default();
        let schema = &described["responses"]["200"]["content"]["application/json"]["schema"];
        let schema = schema["$ref"]
            .as_str()
            .and_then(|to| document.pointer(&to[1..]))
            .unwrap_or(schema);
        let pages = schema["properties"]["next_cursor"].is_object();
        assert_eq!(
            names.contains(&"cursor") && names.contains(&"limit"),
            pages,
            "{}: who takes a cursor gives the next one, and the other way round",
            one.id
        );
    }
}
