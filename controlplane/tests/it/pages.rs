//! How often each page of the console asks the database, and that none of them reads a large table from end to end.

use crate::plans::{pages, plan};
use crate::support::{NOON, Plane, TestDb, on_both, record};
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use ccag_controlplane::app::intake::{Incoming, take_in};
use ccag_controlplane::store::Tally;
use ccag_domain::{KeyId, TeamId, UsageRecord, UserId};
use sea_orm::ConnectionTrait;
use serde_json::json;
use std::fmt::Write;
use std::net::SocketAddr;
use tower::ServiceExt;

on_both!(
    pages_ask_the_database_seldom,
    analytics_never_reads_hours_where_there_are_days
);

/// How many statements a page may need beside those that tell who asks.
const FEW: usize = 3;

/// Where it is written which pages need more, and how many.
const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/statements.md");

const HEAD: &str = "# How often pages ask the database

A page of the console takes at most three statements beside the one that tells who asks and where the configuration stands, because what does not wait for each other is
sent together ([ADR 33](adr/0033-reads-are-sent-together.md)). A test measures it with thirty users, each with a key, a budget, a limit and a request, as an
owner sees it, on both databases, when the lists of the configuration have been read before: after a change, each list that a page needs takes one more.

`CCAG_SHOW_STATEMENTS=1 cargo nextest run -p ccag-controlplane pages_ask --no-capture` prints what every page asks, and `CCAG_UPDATE_DOCS=1` writes the table of those that take
more than three. None may take more than what stands here.

";

const TABLE: &str = "| page | statements |
|---|---|
";

const NONE: &str = "There is no such page.
";

/// Tables that grow with people and their requests.
const LARGE: [&str; 5] = [
    "usage_rollups_hourly",
    "usage_sums",
    "usage_records",
    "budget_accounts",
    "client_sessions",
];

async fn made(db: &TestDb) -> (Plane, String) {
    let plane = Plane::start(db).await;
    let admin = plane.admin().await;
    let team = admin.post("/admin/teams", json!({"name": "Platform"})).await.id();
    let mut records = Vec::new();
    for n in 0..30_u64 {
        let body = json!({"username": format!("person{n:02}"), "team_id": team});
        let user = admin.post("/admin/users", body).await.id();
        let body = json!({"name": format!("laptop {n}"), "user_id": user});
        let key = admin.post("/admin/keys", body).await.id();
        let budget = json!({"scope": "member", "team_id": team, "user_id": user, "amount_usd": 5});
        assert_eq!(admin.post("/admin/budgets", budget).await.status, 201);
        let limit = json!({
            "scope": "member", "team_id": team, "user_id": user, "amount": 7, "kind": "requests_per_minute",
        });
        assert_eq!(admin.post("/admin/limits", limit).await.status, 201);
        let record = UsageRecord {
            key_id: KeyId::parse(&key).unwrap(),
            user_id: Some(UserId::parse(&user).unwrap()),
            team_id: Some(TeamId::parse(&team).unwrap()),
            started_at_ms: NOON - n as i64 * 40_000_000,
            ..record(n + 1)
        };
        records.push(Incoming::Record(Box::new(record)));
    }
    take_in(plane.app(), "rep_test", records).await.unwrap();
    let token = admin.token.clone().unwrap();
    (plane, token)
}

/// Looks at a page, and what it asked.
async fn look(plane: &Plane, token: &str, address: &str) -> Tally {
    let tally = Tally::keeping();
    let mut request = Request::builder()
        .uri(address)
        .header("cookie", format!("ccag_session={token}"))
        .body(Body::empty())
        .unwrap();
    let from: SocketAddr = "192.0.2.1:1000".parse().unwrap();
    request.extensions_mut().insert(ConnectInfo(from));
    request.extensions_mut().insert(tally.clone());
    let answer = plane.plane.router().oneshot(request).await.unwrap();
    assert!(
        !answer.status().is_server_error(),
        "{address}: {}",
        answer.status()
    );
    assert!(tally.admission() > 0, "{address}: nobody asked who it is");
    tally
}

#[expect(clippy::print_stderr, reason = "somebody wants to see it")]
fn show(route: &str, tally: &Tally) {
    eprintln!("=== {} {route}", tally.statements());
    for asked in tally.asked() {
        let text: String = asked.statement.sql.chars().take(2_000).collect();
        eprintln!("  * {text}");
    }
}

async fn pages_ask_the_database_seldom(db: TestDb) {
    let (plane, token) = made(&db).await;
    let own = db.connect().await;
    let mut found = String::new();
    let documented = std::fs::read_to_string(PAGE).unwrap_or_default();
    let mut worse = Vec::new();
    for page in pages(&own).await {
        // What is read once after a change is not counted with every page.
        look(&plane, &token, &page.address).await;
        let tally = look(&plane, &token, &page.address).await;
        let asked = tally.statements();
        if std::env::var_os("CCAG_SHOW_STATEMENTS").is_some() {
            show(page.route, &tally);
        }
        let row = |count: &str| format!("| `{}` | {count}", page.route);
        if asked > FEW {
            let _ = writeln!(found, "{} |", row(&asked.to_string()));
        }
        let start = row("");
        let known = documented.lines().find_map(|line| line.strip_prefix(&start));
        let known = known.and_then(|rest| rest.trim_end_matches(" |").parse().ok());
        if asked > known.unwrap_or(FEW) {
            worse.push((page.route, asked));
        }
    }
    if std::env::var_os("CCAG_UPDATE_DOCS").is_some() {
        let rows = match found.is_empty() {
            true => NONE.to_owned(),
            false => format!("{TABLE}{found}"),
        };
        std::fs::write(PAGE, format!("{HEAD}{rows}")).unwrap();
        worse.clear();
    }
    assert!(
        worse.is_empty(),
        "these take more than docs/statements.md says: {worse:?}"
    );
    own.close().await.unwrap();
    plane.stop().await;
}

async fn analytics_never_reads_hours_where_there_are_days(db: TestDb) {
    let (plane, token) = made(&db).await;
    // One connection: a setting is a connection's own.
    let mut options = sea_orm::ConnectOptions::new(&db.url);
    options.max_connections(1);
    let own = sea_orm::Database::connect(options).await.unwrap();
    if db.is_postgres() {
        // Tables are small here: what can be read by an index is to be.
        own.execute_unprepared("SET enable_seqscan = off").await.unwrap();
    }
    for address in [
        "/console",
        "/console/analytics?range=year",
        "/console/analytics/activity?range=year",
        "/console/analytics/models?range=90d",
        "/console/keys",
        "/console/users",
        "/console/teams",
    ] {
        let tally = look(&plane, &token, address).await;
        for asked in tally.asked() {
            let sql = asked.statement.to_string();
            // The range before one that ends now begins at an hour: those of one day are read.
            let edges = address.contains("/activity");
            assert!(
                edges || !sql.contains("usage_rollups_hourly"),
                "{address} reads hours: {sql}"
            );
            for table in plan(&own, &asked).await.scanned {
                // Partitions are called after their table.
                let large = LARGE.iter().any(|large| table.starts_with(large));
                assert!(!large, "{address} reads all of {table}: {sql}");
            }
        }
    }
    own.close().await.unwrap();
    plane.stop().await;
}
