use crate::{Person, Server};
use ccag_admin_api::{
    NameSearchProvider, PutSearchProvider, SearchProviderList, SearchProviderView, SearchTest, SetWebSearch,
    WebSearchView, paths,
};
use ccag_domain::{Code, NanoUsd, SearchKind, WebSearchMode};
use serde_json::json;

fn signed_in() -> (Server, Person) {
    let server = Server::start();
    let person = Person::signed_in(&server);
    (server, person)
}

fn service(kind: SearchKind) -> SearchProviderView {
    SearchProviderView {
        provider_type: kind,
        api_url: kind.needs_url().then(|| "http://searx.internal:8080".to_owned()),
        max_results: 7,
        has_api_key: kind.needs_key(),
        allow_private_address: true,
        active: true,
    }
}

fn rules(provider: Option<SearchKind>) -> WebSearchView {
    WebSearchView {
        mode: WebSearchMode::Global,
        provider: provider.map(service),
        price_nano_usd: NanoUsd(8_000_000),
        shortcut: true,
    }
}

/// A server whose rules are these, and which takes others.
fn with_rules(provider: Option<SearchKind>) -> (Server, Person) {
    let (server, person) = signed_in();
    server.answer("GET", paths::WEB_SEARCH, &rules(provider));
    server.answer("PUT", paths::WEB_SEARCH, &rules(provider));
    (server, person)
}

/// The change that the last command has sent, if it has sent one.
fn change(server: &Server) -> Option<SetWebSearch> {
    let sent = server.sent();
    let (method, _, body) = sent.last().unwrap();
    (method == "PUT").then(|| serde_json::from_str(body).unwrap())
}

#[test]
fn the_rules_are_shown_with_the_service_and_never_with_its_key() {
    let (_server, person) = with_rules(Some(SearchKind::Searxng));
    let shown = person.ok(&["web-search", "show"]);
    let lines: Vec<String> = shown
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
        .collect();
    assert_eq!(
        lines,
        [
            "Mode: global",
            "Service for everybody: SearXNG at http://searx.internal:8080",
            "Price of a search: $0.008",
            "Claude Code's own searches: answered from the search alone",
        ]
    );
    let json = person.json(&["web-search", "show"]);
    assert_eq!(json["provider"]["provider_type"], "searxng");
    assert_eq!(json["price_nano_usd"], 8_000_000);
}

#[test]
fn a_change_keeps_what_is_not_named() {
    let (server, person) = with_rules(Some(SearchKind::Searxng));
    let kept = SetWebSearch {
        mode: WebSearchMode::Global,
        provider: None,
        price_nano_usd: None,
        shortcut: None,
    };
    let changed = |args: &[&str]| {
        person.ok(&[&["web-search", "set"], args].concat());
        change(&server).unwrap()
    };
    assert_eq!(
        changed(&["--price", "0.01"]),
        SetWebSearch {
            price_nano_usd: Some(NanoUsd(10_000_000)),
            ..kept.clone()
        }
    );
    assert_eq!(
        changed(&["--mode", "disabled", "--shortcut", "false"]),
        SetWebSearch {
            mode: WebSearchMode::Disabled,
            shortcut: Some(false),
            ..kept
        }
    );
}

#[test]
fn the_service_for_everybody_is_changed_in_part_or_replaced() {
    let (server, person) = with_rules(Some(SearchKind::Searxng));
    let changed = |args: &[&str]| {
        person.ok(&[&["web-search", "set"], args].concat());
        change(&server).unwrap().provider.unwrap()
    };
    let kept = PutSearchProvider {
        provider_type: SearchKind::Searxng,
        api_key: None,
        api_url: None,
        max_results: Some(7),
        allow_private_address: Some(true),
    };
    for named in [&[][..], &["--provider", "searxng"]] {
        let more = [named, &["--max-results", "9"]].concat();
        assert_eq!(
            changed(&more),
            PutSearchProvider {
                max_results: Some(9),
                ..kept.clone()
            }
        );
    }
    assert_eq!(
        changed(&["--api-url", "http://other.internal"]),
        PutSearchProvider {
            api_url: Some("http://other.internal".into()),
            ..kept.clone()
        }
    );
    assert_eq!(
        changed(&["--allow-private-address=false"]).allow_private_address,
        Some(false)
    );
    // Another service begins anew.
    assert_eq!(
        changed(&["--provider", "tavily", "--api-key", "tvly-1"]),
        PutSearchProvider {
            provider_type: SearchKind::Tavily,
            api_key: Some(ccag_admin_api::Secret::new("tvly-1".to_owned())),
            api_url: None,
            max_results: None,
            allow_private_address: None,
        }
    );
    assert_eq!(
        changed(&[
            "--provider",
            "custom",
            "--api-url",
            "http://10.0.0.1",
            "--allow-private-address"
        ])
        .allow_private_address,
        Some(true)
    );
}

#[test]
fn what_belongs_to_no_service_is_refused_before_anything_is_changed() {
    let (server, person) = with_rules(None);
    for (args, said) in [
        (
            &["--api-url", "http://searx.internal"][..],
            "name it with --provider",
        ),
        (&["--max-results", "3"], "name it with --provider"),
        (&["--allow-private-address"], "name it with --provider"),
        (&["--api-key", "secret-1", "--mode", "global"], "with --provider"),
        (&["--mode", "sometimes"], "enabled, global or disabled"),
        (&["--provider", "altavista"], "duckduckgo, tavily, serper"),
        (&["--price=-1"], "number of dollars"),
        (&["--price", "cheap"], "number of dollars"),
    ] {
        let done = person.run(&[&["web-search", "set"], args].concat());
        assert_eq!((done.code, done.stdout.as_str()), (2, ""), "{args:?}");
        assert!(done.stderr.contains(said), "{args:?}: {}", done.stderr);
        assert!(!done.stderr.contains("secret-1"));
    }
    assert!(server.sent().iter().all(|(method, _, _)| method == "GET"));
}

#[test]
fn a_key_from_the_environment_goes_to_the_service_that_is_named_and_to_no_other() {
    let (server, person) = with_rules(Some(SearchKind::Tavily));
    let run = |args: &[&str]| {
        let mut command = person.command(args);
        command.env("CCAG_SEARCH_API_KEY", "tvly-env").output().unwrap()
    };
    let done = run(&["web-search", "set", "--provider", "tavily"]);
    assert!(done.status.success());
    let provider = change(&server).unwrap().provider.unwrap();
    assert_eq!(provider.api_key.unwrap().reveal(), "tvly-env");
    let done = run(&["web-search", "set", "--mode", "disabled"]);
    assert_eq!(done.status.code(), Some(2));
    let said = String::from_utf8(done.stderr).unwrap();
    assert!(
        said.contains("CCAG_SEARCH_API_KEY") && !said.contains("tvly-env"),
        "{said}"
    );
}

#[test]
fn a_refusal_of_the_rules_names_the_field() {
    let (server, person) = with_rules(None);
    let message = "One service for everybody needs to be told which: give a `provider`.";
    server.refuse(
        "PUT",
        paths::WEB_SEARCH,
        Code::InvalidRequest,
        message,
        Some("provider"),
    );
    let done = person.run(&["web-search", "set", "--mode", "global"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains(message) && done.stderr.contains("field:   provider"),
        "{}",
        done.stderr
    );
}

#[test]
fn a_test_that_fails_is_a_failure_of_the_command() {
    let (server, person) = signed_in();
    let tested = |success, message: &str| SearchTest {
        success,
        message: message.to_owned(),
        result_count: if success { 5 } else { 0 },
    };
    let works = tested(true, "Brave answered with 5 results.");
    server.answer("POST", paths::WEB_SEARCH_TEST, &works);
    server.answer("POST", paths::SEARCH_PROVIDER_TEST, &works);
    assert_eq!(
        person.ok(&["web-search", "test"]),
        "Brave answered with 5 results.\n"
    );
    assert_eq!(person.json(&["web-search", "test"])["result_count"], 5);
    person.ok(&["web-search", "test-own", "brave"]);
    let sent = server.sent();
    let named: NameSearchProvider = serde_json::from_str(&sent.last().unwrap().2).unwrap();
    assert_eq!(named.provider_type, SearchKind::Brave);

    let fails = tested(false, "The test failed: the service does not take the API key.");
    server.answer("POST", paths::WEB_SEARCH_TEST, &fails);
    server.answer("POST", paths::SEARCH_PROVIDER_TEST, &fails);
    for args in [&["web-search", "test"][..], &["web-search", "test-own", "brave"]] {
        let done = person.run(args);
        assert_eq!((done.code, done.stdout.as_str()), (1, ""), "{args:?}");
        assert!(
            done.stderr.contains("does not take the API key"),
            "{}",
            done.stderr
        );
    }
    let done = person.run(&["--json", "web-search", "test"]);
    let error: serde_json::Value = serde_json::from_str(&done.stderr).unwrap();
    assert_eq!((done.code, &error["error"]["code"]), (1, &json!("failed")));

    server.refuse(
        "POST",
        paths::WEB_SEARCH_TEST,
        Code::NotFound,
        "There is no service for everybody yet.",
        None,
    );
    let done = person.run(&["web-search", "test"]);
    assert_eq!(done.code, 1);
    assert!(
        done.stderr.contains("no service for everybody yet"),
        "{}",
        done.stderr
    );
}

#[test]
fn ones_own_services_are_chosen_used_and_forgotten() {
    let (server, person) = signed_in();
    let none = SearchProviderList {
        providers: Vec::new(),
    };
    server.answer("GET", paths::SEARCH_PROVIDERS, &none);
    assert!(
        person
            .ok(&["web-search", "own"])
            .starts_with("You have chosen no service"),
    );
    let two = SearchProviderList {
        providers: vec![
            service(SearchKind::Tavily),
            SearchProviderView {
                active: false,
                ..service(SearchKind::Searxng)
            },
        ],
    };
    server.answer("PUT", paths::SEARCH_PROVIDERS, &two);
    server.answer("POST", paths::SEARCH_PROVIDER_ACTIVATE, &two);
    server.answer(
        "DELETE",
        &paths::search_provider(SearchKind::Searxng),
        &json!(null),
    );
    let shown = person.ok(&["web-search", "choose", "tavily", "--api-key", "tvly-2"]);
    let lines: Vec<Vec<&str>> = shown
        .lines()
        .map(|line| line.split_whitespace().collect())
        .collect();
    assert_eq!(lines[0], ["SERVICE", "IN", "USE", "ADDRESS", "KEY", "RESULTS"]);
    assert_eq!(lines[1], ["tavily", "yes", "yes", "7"]);
    assert_eq!(
        lines[2],
        ["searxng", "no", "http://searx.internal:8080", "no", "7"]
    );
    let sent = server.sent();
    let chosen: PutSearchProvider = serde_json::from_str(&sent.last().unwrap().2).unwrap();
    assert_eq!(chosen.api_key.unwrap().reveal(), "tvly-2");
    assert_eq!(
        chosen.allow_private_address, None,
        "only the service for everybody may be private"
    );

    person.ok(&["web-search", "use", "searxng"]);
    let sent = server.sent();
    let used: NameSearchProvider = serde_json::from_str(&sent.last().unwrap().2).unwrap();
    assert_eq!(used.provider_type, SearchKind::Searxng);
    assert_eq!(
        person.ok(&["web-search", "forget", "searxng"]),
        "SearXNG is forgotten.\n"
    );
    assert_eq!(
        person.json(&["web-search", "forget", "searxng"]),
        json!({"deleted": ["searxng"]})
    );
    let done = person.run(&["web-search", "forget", "brave"]);
    assert_eq!(done.code, 1);
    let done = person.run(&["web-search", "use", "altavista"]);
    assert_eq!(done.code, 2);
}
