//! A database that is moved from SQLite to PostgreSQL, and one that is backed up and restored.

use crate::support::{Plane, TestDb, on_both, record};
use ccag_controlplane::app::intake::{self, Incoming};
use ccag_controlplane::store::moving::{CopyError, back_up, copy};
use sea_orm::{ConnectionTrait, Statement};
use serde_json::json;

/// A gateway that has been used: keys, secrets that are sealed, budgets and a ledger.
async fn used(plane: &Plane) -> String {
    let admin = plane.admin().await;
    let team = admin
        .post("/admin/teams", json!({"name": "Größe \u{1F600}"}))
        .await;
    assert_eq!(team.status, 201, "{}", team.text);
    let key = admin.post("/admin/keys", json!({"name": "laptop"})).await;
    assert_eq!(key.status, 201, "{}", key.text);
    let budget = json!({"scope": "organisation", "amount_usd": "1000"});
    let budget = admin.post("/admin/budgets", budget).await;
    assert_eq!(budget.status, 201, "{}", budget.text);
    let search = json!({"mode": "global", "provider": {"provider_type": "tavily", "api_key": "tvly-sealed"}});
    let search = admin
        .send("PUT", "/admin/websearch-mode", &search.to_string())
        .await;
    assert_eq!(search.status, 200, "{}", search.text);
    let records: Vec<_> = (1..=25).map(|n| Incoming::Record(Box::new(record(n)))).collect();
    let receipt = intake::take_in(plane.app(), "rep_test", records).await.unwrap();
    assert_eq!(receipt.stored, 25);
    key.json()["key"].as_str().unwrap().to_owned()
}

/// What a gateway says of all that.
async fn told(plane: &Plane, key: &str) -> serde_json::Value {
    let admin = plane.admin().await;
    let mut said = serde_json::Map::new();
    for path in [
        "/admin/teams",
        "/admin/keys",
        "/admin/budgets",
        "/admin/websearch-mode",
        "/admin/usage/summary?group_by=model",
        "/admin/models",
    ] {
        let answer = admin.get(path).await;
        assert_eq!(answer.status, 200, "{path}: {}", answer.text);
        said.insert(path.to_owned(), answer.json());
    }
    let chain = admin.get("/admin/audit/verify").await.json();
    assert_eq!(chain["intact"], true, "{chain}");
    let ledger = admin.get("/admin/usage/export").await;
    let mut lines: Vec<&str> = ledger.text.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines.len(), 25);
    said.insert("ledger".to_owned(), json!(lines));
    // The key is known, by its secret.
    let digest = ccag_domain::KeyDigest::of(key).to_hex();
    said.insert("digest".to_owned(), json!(digest));
    // What is sealed can be opened.
    let status = admin.get("/admin/secrets").await;
    said.insert("secrets".to_owned(), json!(status.json()["unreadable"]));
    serde_json::Value::Object(said)
}

async fn tables(db: &TestDb) -> Vec<String> {
    let connection = db.connect().await;
    let sql = if db.is_postgres() {
        "SELECT relname::text FROM pg_class WHERE relnamespace = 'public'::regnamespace AND relkind IN ('r', 'p') \
         AND NOT relispartition ORDER BY 1"
    } else {
        "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite%' ORDER BY 1"
    };
    let statement = Statement::from_string(connection.get_database_backend(), sql);
    let rows = connection.query_all_raw(statement).await.unwrap();
    connection.close().await.unwrap();
    rows.iter().map(|row| row.try_get_by_index(0).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_gateway_that_is_moved_goes_on_where_it_was() {
    let (source, target) = (TestDb::sqlite().await, TestDb::postgres().await);
    let plane = Plane::start(&source).await;
    let key = used(&plane).await;
    let before = told(&plane, &key).await;
    plane.stop().await;
    let copied = copy(&source.url, &target.url, &|_| {}).await.unwrap();
    // Every table there is, with every row, whatever tables there will be.
    let mut expected = tables(&source).await;
    assert_eq!(expected, tables(&target).await);
    // Packs are made anew.
    expected.retain(|table| !["seaql_migrations", "usage_packs"].contains(&table.as_str()));
    let moved: Vec<String> = copied.iter().map(|table| table.table.clone()).collect();
    assert_eq!(moved, expected);
    for table in &copied {
        let count = format!("SELECT COUNT(*) FROM {}", table.table);
        let rows = i64::try_from(table.rows).unwrap();
        assert_eq!(source.count(&count).await, rows, "{}", table.table);
        assert_eq!(target.count(&count).await, rows, "{}", table.table);
    }
    let plane = Plane::start(&target).await;
    assert_eq!(told(&plane, &key).await, before);
    // And goes on: the next change gets the next number, in the same chain.
    let admin = plane.admin().await;
    assert_eq!(
        admin.post("/admin/teams", json!({"name": "After"})).await.status,
        201
    );
    assert_eq!(admin.get("/admin/audit/verify").await.json()["intact"], true);
    plane.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_is_moved_from_under_a_gateway_or_over_one() {
    let (source, target) = (TestDb::sqlite().await, TestDb::postgres().await);
    let plane = Plane::start(&source).await;
    let moving = copy(&source.url, &target.url, &|_| {}).await;
    assert!(
        matches!(moving, Err(CopyError::Refused(ref why)) if why.contains("stop it first")),
        "{moving:?}"
    );
    assert_eq!(tables(&target).await, Vec::<String>::new());
    plane.stop().await;
    let other = Plane::start(&target).await;
    other.stop().await;
    let moving = copy(&source.url, &target.url, &|_| {}).await;
    assert!(
        matches!(moving, Err(CopyError::Refused(ref why)) if why.contains("is in use")),
        "{moving:?}"
    );
    // Of another version.
    let db = source.connect().await;
    let newer = "INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_999999_later', 0)";
    db.execute_unprepared(newer).await.unwrap();
    db.close().await.unwrap();
    let empty = TestDb::postgres().await;
    let moving = copy(&source.url, &empty.url, &|_| {}).await;
    assert!(
        matches!(moving, Err(CopyError::Refused(ref why)) if why.contains("another version")),
        "{moving:?}"
    );
    assert_eq!(tables(&empty).await, Vec::<String>::new());
    let moving = copy(&target.url, &empty.url, &|_| {}).await;
    assert!(matches!(moving, Err(CopyError::Refused(_))), "{moving:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_fit_moves_nothing() {
    let (source, target) = (TestDb::sqlite().await, TestDb::postgres().await);
    Plane::start(&source).await.stop().await;
    // PostgreSQL takes no NUL in text.
    let db = source.connect().await;
    db.execute_unprepared("INSERT INTO settings (name, value) VALUES ('odd', char(97, 0, 98))")
        .await
        .unwrap();
    db.close().await.unwrap();
    assert!(copy(&source.url, &target.url, &|_| {}).await.is_err());
    assert_eq!(target.count("SELECT COUNT(*) FROM users").await, 0);
    let db = source.connect().await;
    db.execute_unprepared("DELETE FROM settings WHERE name = 'odd'")
        .await
        .unwrap();
    db.close().await.unwrap();
    // The schema is there from the first attempt, and no row: it can be tried again.
    copy(&source.url, &target.url, &|_| {}).await.unwrap();
    Plane::start(&target).await.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_backup_of_a_gateway_that_goes_on_can_be_restored() {
    let db = TestDb::sqlite().await;
    let plane = Plane::start(&db).await;
    let key = used(&plane).await;
    let before = told(&plane, &key).await;
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("it's a backup.db").display().to_string();
    back_up(&db.url, &file).await.unwrap();
    // The gateway goes on; what it does now is not in the backup.
    let admin = plane.admin().await;
    assert_eq!(
        admin.post("/admin/teams", json!({"name": "After"})).await.status,
        201
    );
    plane.stop().await;
    let again = back_up(&db.url, &file).await;
    assert!(
        matches!(again, Err(CopyError::Refused(ref why)) if why.contains("not overwritten")),
        "{again:?}"
    );
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        let mode = std::fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600, "only the owner reads it");
    }
    let restored = TestDb::sqlite().await;
    std::fs::copy(&file, restored.url.trim_start_matches("sqlite://")).unwrap();
    let plane = Plane::start(&restored).await;
    assert_eq!(told(&plane, &key).await, before);
    plane.stop().await;
}

on_both!(a_restored_database_gets_another_name);

async fn a_restored_database_gets_another_name(db: TestDb) {
    let plane = Plane::start(&db).await;
    let epoch = async || {
        let connection = db.connect().await;
        let backend = connection.get_database_backend();
        let statement = Statement::from_string(backend, "SELECT epoch FROM config_revision");
        let row = connection.query_one_raw(statement).await.unwrap().unwrap();
        connection.close().await.unwrap();
        let epoch: String = row.try_get_by_index(0).unwrap();
        epoch
    };
    let before = epoch().await;
    ccag_controlplane::app::upkeep::restored(plane.app())
        .await
        .unwrap();
    assert_ne!(epoch().await, before);
    let admin = plane.admin().await;
    let log = admin.get("/admin/audit").await;
    assert!(log.text.contains("database.restored"), "{}", log.text);
    plane.stop().await;
}
