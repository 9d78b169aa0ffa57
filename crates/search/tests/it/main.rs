//! The clients against a server that answers as the services do.
#![expect(clippy::unwrap_used, reason = "tests")]

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use ccag_domain::{DomainFilter, SearchHit, SearchKind, SearchProvider, ServiceSecret};
use ccag_search::{Failure, Query, Searcher};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};

/// What was asked: method, path with query, headers, body.
#[derive(Debug, Clone, Default)]
struct Asked {
    line: String,
    headers: axum::http::HeaderMap,
    body: String,
}

struct Service {
    url: String,
    asked: Arc<Mutex<Vec<Asked>>>,
    life: ccag_daemon::Lifecycle,
}

impl Drop for Service {
    fn drop(&mut self) {
        self.life.force_shutdown();
    }
}

/// A server that gives the same answer to everything.
async fn service(status: u16, answer: String, location: Option<String>) -> Service {
    let asked = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&asked);
    let answer = move |request: Request| {
        let (seen, answer, location) = (Arc::clone(&seen), answer.clone(), location.clone());
        async move {
            let (head, body) = request.into_parts();
            let body = axum::body::to_bytes(body, 1 << 20).await.unwrap();
            seen.lock().unwrap().push(Asked {
                line: format!("{} {}", head.method, head.uri),
                headers: head.headers,
                body: String::from_utf8(body.to_vec()).unwrap(),
            });
            let mut response: Response = answer.into_response();
            *response.status_mut() = axum::http::StatusCode::from_u16(status).unwrap();
            if let Some(location) = location {
                response
                    .headers_mut()
                    .insert("location", location.parse().unwrap());
            }
            response
        }
    };
    let listener = ccag_daemon::bind("127.0.0.1:0".parse().unwrap()).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let life = ccag_daemon::Lifecycle::new();
    let (server, router) = (life.clone(), Router::new().fallback(answer));
    life.spawn("test service", async move {
        let _ = ccag_daemon::serve(&server, listener, router, std::time::Duration::from_secs(1)).await;
    });
    Service { url, asked, life }
}

fn provider(kind: SearchKind, url: &str) -> SearchProvider {
    SearchProvider {
        kind,
        url: Some(url.to_owned()),
        api_key: Some(ServiceSecret::new("the-key")),
        max_results: 2,
        allow_private_address: true,
    }
}

async fn ask(provider: &SearchProvider, sites: &DomainFilter) -> Result<Vec<SearchHit>, Failure> {
    let query = Query {
        text: "rust axum",
        sites,
        country: Some("de"),
    };
    Searcher::new().unwrap().search(provider, &query).await
}

fn results(url_name: &str, text_name: &str) -> Value {
    (1..=3)
        .map(|n| json!({"title": format!("T{n}"), url_name: format!("https://e{n}.example/"), text_name: format!("<b>x</b>{n}")}))
        .collect()
}

#[tokio::test]
async fn every_service_is_asked_and_read_in_its_own_way() {
    let page = (1..=3)
        .map(|n| format!("<a class=\"result__a\" href=\"https://e{n}.example/\">T{n}</a><a class=\"result__snippet\">x{n}</a>"))
        .collect::<String>();
    let cases = [
        (SearchKind::DuckDuckGo, page, "POST /", "q=rust+axum"),
        (
            SearchKind::Tavily,
            json!({"results": results("url", "content")}).to_string(),
            "POST /",
            "\"query\":\"rust axum\"",
        ),
        (
            SearchKind::Serper,
            json!({"organic": results("link", "snippet")}).to_string(),
            "POST /",
            "\"gl\":\"de\"",
        ),
        (
            SearchKind::Brave,
            json!({"web": {"results": results("url", "description")}}).to_string(),
            "GET /?q=rust+axum&count=2&country=DE",
            "",
        ),
        (
            SearchKind::Searxng,
            json!({"results": results("url", "content")}).to_string(),
            "GET /search?q=rust+axum&format=json",
            "",
        ),
        (
            SearchKind::Custom,
            results("link", "snippet").to_string(),
            "POST /",
            "\"count\":2",
        ),
    ];
    for (kind, answer, line, body) in cases {
        let service = service(200, answer, None).await;
        let hits = ask(&provider(kind, &service.url), &DomainFilter::default())
            .await
            .unwrap_or_else(|e| panic!("{kind:?}: {e}"));
        assert_eq!(hits.len(), 2, "{kind:?}");
        assert_eq!(
            (
                hits[0].url.as_str(),
                hits[0].title.as_str(),
                hits[0].text.as_str()
            ),
            ("https://e1.example/", "T1", "x1"),
            "{kind:?}"
        );
        let asked = service.asked.lock().unwrap()[0].clone();
        assert!(asked.line.starts_with(line), "{kind:?}: {}", asked.line);
        assert!(asked.body.contains(body), "{kind:?}: {}", asked.body);
        let shows_key = format!("{:?}", asked.headers).contains("the-key");
        assert_eq!(shows_key, kind != SearchKind::DuckDuckGo, "{kind:?}");
    }
}

#[tokio::test]
async fn sites_hold_even_if_the_service_does_not_care() {
    let service = service(
        200,
        json!({"results": results("url", "content")}).to_string(),
        None,
    )
    .await;
    let sites = DomainFilter {
        allowed: vec!["e2.example".into()],
        ..DomainFilter::default()
    };
    let hits = ask(&provider(SearchKind::Custom, &service.url), &sites)
        .await
        .unwrap();
    assert_eq!(hits.len(), 1);
    assert_eq!(hits[0].url, "https://e2.example/");
}

#[tokio::test]
async fn what_services_refuse_with_is_told_apart() {
    for (kind, status, wanted) in [
        (SearchKind::Tavily, 429, Failure::TooManyRequests(429)),
        (SearchKind::Tavily, 432, Failure::TooManyRequests(432)),
        (SearchKind::Serper, 400, Failure::BadQuery(400)),
        (SearchKind::Brave, 401, Failure::BadKey(401)),
        (SearchKind::Custom, 503, Failure::Status(503)),
        (SearchKind::DuckDuckGo, 202, Failure::TooManyRequests(202)),
        (SearchKind::Searxng, 200, Failure::Unreadable("it is not JSON")),
    ] {
        let service = service(status, "no".into(), None).await;
        let failure = ask(&provider(kind, &service.url), &DomainFilter::default())
            .await
            .unwrap_err();
        assert_eq!(failure, wanted, "{kind:?} {status}");
    }
    let nobody = provider(SearchKind::Custom, "http://127.0.0.1:9/");
    assert_eq!(
        ask(&nobody, &DomainFilter::default()).await,
        Err(Failure::Unreachable)
    );
}

#[tokio::test]
async fn private_addresses_are_not_asked_however_they_are_written() {
    let service = service(200, "[]".into(), None).await;
    let port = service.url.rsplit(':').next().unwrap().to_owned();
    for host in [
        "127.0.0.1",
        "localhost",
        "[::ffff:127.0.0.1]",
        "2130706433",
        "169.254.169.254",
    ] {
        let members = SearchProvider {
            allow_private_address: false,
            ..provider(SearchKind::Custom, &format!("http://{host}:{port}/"))
        };
        assert_eq!(
            ask(&members, &DomainFilter::default()).await,
            Err(Failure::PrivateAddress),
            "{host}"
        );
    }
    assert!(service.asked.lock().unwrap().is_empty());
    let metadata = provider(SearchKind::Custom, "http://169.254.169.254/latest/");
    assert_eq!(
        ask(&metadata, &DomainFilter::default()).await,
        Err(Failure::PrivateAddress)
    );
}

#[tokio::test]
async fn redirects_are_not_followed() {
    let inside = service(200, "[]".into(), None).await;
    let outside = service(302, String::new(), Some(inside.url.clone())).await;
    let failure = ask(
        &provider(SearchKind::Custom, &outside.url),
        &DomainFilter::default(),
    )
    .await;
    assert_eq!(failure, Err(Failure::Status(302)));
    assert!(inside.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_missing_is_named() {
    let keyless = SearchProvider {
        api_key: None,
        ..provider(SearchKind::Tavily, "https://example.com")
    };
    let Err(Failure::Misconfigured(what)) = ask(&keyless, &DomainFilter::default()).await else {
        panic!("not refused")
    };
    assert_eq!(what, "Tavily needs an API key");
    let homeless = SearchProvider {
        url: None,
        ..provider(SearchKind::Searxng, "")
    };
    assert!(matches!(
        ask(&homeless, &DomainFilter::default()).await,
        Err(Failure::Misconfigured(_))
    ));
}
