//! Every page of the console, and what the database does for it.

use ccag_controlplane::store::Asked;
use sea_orm::{ConnectionTrait, DatabaseConnection, DbBackend, Statement};

/// A page: its route, and an address of it.
#[derive(Debug, Clone)]
pub(crate) struct PageOf {
    pub(crate) route: &'static str,
    pub(crate) address: String,
}

/// Where an id for a route is found.
fn id_of(route: &str) -> &'static str {
    let kinds = [
        (
            "/requests/",
            "SELECT request_id FROM usage_records ORDER BY id LIMIT 1",
        ),
        (
            "/keys/",
            "SELECT id FROM virtual_keys WHERE state = 'active' ORDER BY id LIMIT 1",
        ),
        ("/teams/", "SELECT id FROM teams ORDER BY name_key LIMIT 1"),
        (
            "/users/",
            "SELECT id FROM users ORDER BY username_key DESC LIMIT 1",
        ),
        ("/budgets/", "SELECT id FROM budgets ORDER BY id LIMIT 1"),
        ("/limits/", "SELECT id FROM limits ORDER BY id LIMIT 1"),
        ("/endpoints/", "SELECT id FROM endpoints ORDER BY id LIMIT 1"),
        (
            "/providers/",
            "SELECT id FROM identity_providers ORDER BY id LIMIT 1",
        ),
        (
            "/notifications/",
            "SELECT id FROM notification_destinations ORDER BY id LIMIT 1",
        ),
        ("/policies/", "SELECT id FROM policies ORDER BY id LIMIT 1"),
        ("/models/", "SELECT name FROM models ORDER BY name LIMIT 1"),
    ];
    let found = kinds.iter().find(|(part, _)| route.contains(part));
    found.map_or("SELECT 'nothing'", |(_, sql)| sql)
}

/// All pages, each about something that exists where there is such a thing.
pub(crate) async fn pages(db: &DatabaseConnection) -> Vec<PageOf> {
    let mut pages = Vec::new();
    for route in ccag_console::access::ROUTES {
        // A file that is the ledger itself is no page.
        let is_file = route.path.contains("/assets/") || route.path.ends_with("/focus");
        let skipped = route.path.contains("{*") || is_file;
        if route.method != "GET" || skipped || route.gate == ccag_domain::gate::Gate::Public {
            continue;
        }
        let mut address = route.path.to_owned();
        if let Some((start, rest)) = address.split_once('{') {
            let statement = Statement::from_string(db.get_database_backend(), id_of(route.path));
            let row = db.query_one_raw(statement).await.unwrap();
            let id = row.map_or_else(|| "nothing".to_owned(), |row| row.try_get_by_index(0).unwrap());
            let (_, end) = rest.split_once('}').unwrap();
            address = format!("{start}{id}{end}");
        }
        pages.push(PageOf {
            route: route.path,
            address,
        });
    }
    pages
}

/// What became of a statement: which tables were read without an index, and how many rows were read in all, where the
/// database says so.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    pub(crate) scanned: Vec<String>,
    pub(crate) rows: Option<u64>,
}

/// Asks the database how it goes about a statement; PostgreSQL does it once more.
pub(crate) async fn plan(db: &DatabaseConnection, asked: &Asked) -> Plan {
    let mut statement = asked.statement.clone();
    let reads = ["SELECT", "WITH"]
        .iter()
        .any(|word| statement.sql.starts_with(word));
    if !reads || statement.sql.contains("FOR UPDATE") {
        return Plan::default();
    }
    let postgres = statement.db_backend == DbBackend::Postgres;
    let how = if postgres {
        "EXPLAIN (ANALYZE, FORMAT JSON)"
    } else {
        "EXPLAIN QUERY PLAN"
    };
    statement.sql = format!("{how} {}", statement.sql);
    let found = db.query_all_raw(statement).await.unwrap();
    let mut plan = Plan::default();
    if postgres {
        let json: serde_json::Value = found[0].try_get_by_index(0).unwrap();
        let mut rows = 0.0;
        nodes(&json[0]["Plan"], &mut plan, &mut rows);
        plan.rows = Some(rows as u64);
    } else {
        for row in found {
            let detail: String = row.try_get("", "detail").unwrap();
            // SCAN t, or SCAN t USING INDEX i: all of it, in this or that order.
            if let Some(table) = detail.strip_prefix("SCAN ") {
                plan.scanned.push(table.to_owned());
            }
        }
    }
    plan
}

fn nodes(node: &serde_json::Value, plan: &mut Plan, rows: &mut f64) {
    let kind = node["Node Type"].as_str().unwrap_or_default();
    let of = |name: &str| node[name].as_f64().unwrap_or(0.0);
    if node["Relation Name"].is_string() {
        let read = of("Actual Rows") + of("Rows Removed by Filter") + of("Rows Removed by Index Recheck");
        *rows += read * of("Actual Loops").max(1.0);
        if kind == "Seq Scan" {
            plan.scanned
                .push(node["Relation Name"].as_str().unwrap().to_owned());
        }
    }
    for child in node["Plans"].as_array().into_iter().flatten() {
        nodes(child, plan, rows);
    }
}
