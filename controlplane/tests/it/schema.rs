//! The schema as it grows: so that the version before a release goes on working on a database that the release has brought up
//! to date, and several control planes can do that at once.

use crate::support::{Plane, TestDb, config, on_both};
use ccag_controlplane::ControlPlane;
use ccag_daemon::Lifecycle;
use ccag_migrations::{Migrator, MigratorTrait};
use sea_orm::{ConnectionTrait, DatabaseConnection, Statement};
use std::collections::BTreeMap;

/// The last migration of before there was a version to upgrade from: until there, anything went.
const FREE_UNTIL: &str = "m20261130_000034_idempotency";

/// What contracts the schema all the same, as `migration: what`, with the version that no longer needs it. A column or table
/// goes in the release after the one that has stopped using it.
const ALLOWED: &[(&str, &str)] = &[];

/// Of a column: its type, whether it may be null, and whether it has a default.
type Column = (String, bool, bool);

#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Schema {
    tables: BTreeMap<String, BTreeMap<String, Column>>,
    /// Unique indexes: the table and the columns.
    unique: Vec<(String, String)>,
}

/// What in a later schema would break a program that was made for an earlier one.
fn contracts(before: &Schema, after: &Schema) -> Vec<String> {
    let mut found = Vec::new();
    for (table, columns) in &before.tables {
        let Some(now) = after.tables.get(table) else {
            found.push(format!("table {table} is gone"));
            continue;
        };
        for (name, held) in columns {
            match now.get(name) {
                None => found.push(format!("column {table}.{name} is gone")),
                Some(new) if new.0 != held.0 => {
                    found.push(format!("column {table}.{name} is of another type"))
                }
                Some(new) if held.1 && !new.1 => {
                    found.push(format!("column {table}.{name} may not be null any more"))
                }
                Some(new) if held.2 && !new.2 => {
                    found.push(format!("column {table}.{name} has no default any more"))
                }
                Some(_) => {}
            }
        }
        for (name, (_, nullable, default)) in now {
            if !columns.contains_key(name) && !nullable && !default {
                found.push(format!("column {table}.{name} is new, and has to be given"));
            }
        }
    }
    for index in &after.unique {
        if before.tables.contains_key(&index.0) && !before.unique.contains(index) {
            found.push(format!("{} of {} have to be unique now", index.1, index.0));
        }
    }
    found
}

async fn rows(db: &DatabaseConnection, sql: &str) -> Vec<sea_orm::QueryResult> {
    let statement = Statement::from_string(db.get_database_backend(), sql.to_owned());
    db.query_all_raw(statement).await.unwrap()
}

async fn schema(db: &DatabaseConnection) -> Schema {
    let mut schema = Schema::default();
    let columns = "SELECT m.name AS t, c.name AS c, lower(c.type) AS k, c.\"notnull\" AS n, c.dflt_value AS d \
                   FROM sqlite_master m JOIN pragma_table_info(m.name) c WHERE m.type = 'table'";
    for row in rows(db, columns).await {
        let text = |name: &str| row.try_get::<String>("", name).unwrap();
        let not_null: i64 = row.try_get("", "n").unwrap();
        let default: Option<String> = row.try_get("", "d").unwrap();
        let column = (text("k"), not_null == 0, default.is_some());
        schema
            .tables
            .entry(text("t"))
            .or_default()
            .insert(text("c"), column);
    }
    let indexes = "SELECT m.name AS t, (SELECT group_concat(name) FROM pragma_index_info(i.name)) AS c \
                   FROM sqlite_master m JOIN pragma_index_list(m.name) i WHERE m.type = 'table' AND i.\"unique\" = 1";
    for row in rows(db, indexes).await {
        let text = |name: &str| row.try_get::<String>("", name).unwrap();
        schema.unique.push((text("t"), text("c")));
    }
    schema
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn migrations_only_add_what_the_version_before_can_live_with() {
    let file = TestDb::sqlite().await;
    let db = sea_orm::Database::connect(format!("{}?mode=rwc", file.url))
        .await
        .unwrap();
    let names: Vec<String> = Migrator::migrations()
        .iter()
        .map(|m| m.name().to_owned())
        .collect();
    let free = names
        .iter()
        .position(|name| name == FREE_UNTIL)
        .expect("the migration is there");
    Migrator::up(&db, Some(u32::try_from(free + 1).unwrap()))
        .await
        .unwrap();
    let mut before = schema(&db).await;
    assert!(
        before.tables.len() > 30 && before.unique.len() > 10,
        "the schema is read"
    );
    let mut broken = Vec::new();
    for name in &names[free + 1..] {
        Migrator::up(&db, Some(1)).await.unwrap();
        let after = schema(&db).await;
        broken.extend(
            contracts(&before, &after)
                .into_iter()
                .map(|what| format!("{name}: {what}")),
        );
        before = after;
    }
    db.close().await.unwrap();
    let is_allowed = |what: &String| ALLOWED.iter().any(|(allowed, _)| allowed == what);
    broken.retain(|what| !is_allowed(what));
    assert_eq!(broken, Vec::<String>::new(), "see docs/upgrade.md, and ALLOWED");
}

#[test]
fn what_breaks_the_version_before_is_noticed() {
    let column = |kind: &str, nullable, default| (kind.to_owned(), nullable, default);
    let schema = |columns: &[(&str, Column)], unique: &[&str]| Schema {
        tables: [(
            "t".to_owned(),
            columns
                .iter()
                .map(|(name, c)| ((*name).to_owned(), c.clone()))
                .collect(),
        )]
        .into(),
        unique: unique.iter().map(|c| ("t".to_owned(), (*c).to_owned())).collect(),
    };
    let before = schema(
        &[
            ("a", column("text", true, false)),
            ("b", column("text", false, true)),
        ],
        &["a"],
    );
    assert!(contracts(&before, &before).is_empty());
    let grown = schema(
        &[
            ("a", column("text", true, false)),
            ("b", column("text", false, true)),
            ("c", column("text", true, false)),
            ("d", column("bigint", false, true)),
        ],
        &["a"],
    );
    assert!(contracts(&before, &grown).is_empty());
    assert_eq!(contracts(&before, &Schema::default()), ["table t is gone"]);
    let broken = schema(
        &[
            ("a", column("bigint", true, false)),
            ("e", column("text", false, false)),
        ],
        &["a", "e"],
    );
    assert_eq!(
        contracts(&before, &broken),
        [
            "column t.a is of another type",
            "column t.b is gone",
            "column t.e is new, and has to be given",
            "e of t have to be unique now",
        ]
    );
    let stricter = schema(
        &[
            ("a", column("text", false, false)),
            ("b", column("text", false, false)),
        ],
        &["a"],
    );
    assert_eq!(contracts(&before, &stricter).len(), 2);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_that_start_at_once_on_an_older_database_bring_it_up_to_date_once() {
    let db = TestDb::postgres().await;
    let connection = db.connect().await;
    // As an early version has left it.
    Migrator::up(&connection, Some(12)).await.unwrap();
    connection
        .execute_unprepared(
            "INSERT INTO teams (id, name, name_key, state, created_at_ms) VALUES ('team_old', 'Old', 'old', 'active', 1)",
        )
        .await
        .unwrap();
    let (one, two) = tokio::join!(Plane::start(&db), Plane::start(&db));
    let applied = rows(&connection, "SELECT version FROM seaql_migrations")
        .await
        .len();
    assert_eq!(applied, Migrator::migrations().len());
    connection.close().await.unwrap();
    for plane in [&one, &two] {
        let teams = plane.admin().await.get("/admin/teams").await;
        assert!(teams.text.contains("team_old"), "{}", teams.text);
    }
    one.stop().await;
    two.stop().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_postgres_rows_of_narrow_cubes_are_put_apart_and_none_is_lost() {
    const APART: &str = "m20261203_000041_cubes_apart";
    let db = TestDb::postgres().await;
    let connection = db.connect().await;
    let before = Migrator::migrations()
        .iter()
        .position(|m| m.name() == APART)
        .expect("the migration is there");
    Migrator::up(&connection, Some(u32::try_from(before).unwrap()))
        .await
        .unwrap();
    let usage = "INSERT INTO usage_sums SELECT cube, 'team', person, '', '', '', day, day, 0, 0, 0, 0, 0, 0, 7, day, day, '' \
                 FROM (VALUES ('day-team', ''), ('day-people', 'a'), ('day-people', 'b'), ('of-later', '')) AS cubes (cube, person), \
                 generate_series(1, 3) AS days (day)";
    let tools = "INSERT INTO tool_sums (cube, team_id, tool, user_id, key_id, model, server, start_ms, calls, failed) VALUES \
                 ('month-team', 'team', 'Bash', '', '', '', '', 1, 2, 1), ('day-all', 'team', 'Bash', 'a', 'k', 'm', '', 1, 2, 1)";
    let sessions = "INSERT INTO session_sums (cube, start_ms, team_id, user_id, key_id, sessions, requests, length_ms) VALUES \
                    ('team', 1, 'team', '', '', 1, 2, 3), ('all', 1, 'team', 'a', 'k', 1, 2, 3)";
    for rows in [usage, tools, sessions] {
        connection.execute_unprepared(rows).await.unwrap();
    }
    Migrator::up(&connection, None).await.unwrap();
    let mut lie = Vec::new();
    for table in ["usage_sums", "tool_sums", "session_sums"] {
        let sql = format!(
            "SELECT tableoid::regclass::text || ' ' || cube || ' ' || COUNT(*) AS line FROM {table} GROUP BY tableoid, cube"
        );
        let found = rows(&connection, &sql).await;
        lie.extend(found.iter().map(|row| row.try_get::<String>("", "line").unwrap()));
    }
    lie.sort();
    assert_eq!(
        lie,
        [
            "session_sums_rest all 1",
            "session_sums_team team 1",
            "tool_sums_month_team month-team 1",
            "tool_sums_rest day-all 1",
            "usage_sums_day_team day-team 3",
            "usage_sums_rest day-people 6",
            "usage_sums_rest of-later 3",
        ]
    );
    // A row is found by its key, wherever it lies.
    for table in ["usage_sums", "tool_sums", "session_sums"] {
        let again = format!("INSERT INTO {table} SELECT * FROM {table} ON CONFLICT DO NOTHING");
        let done = connection.execute_unprepared(&again).await.unwrap();
        assert_eq!(done.rows_affected(), 0, "{table}");
    }
    connection.close().await.unwrap();
}

on_both!(a_version_starts_on_a_database_that_the_next_one_has_brought_up_to_date);

async fn a_version_starts_on_a_database_that_the_next_one_has_brought_up_to_date(db: TestDb) {
    Plane::start(&db).await.stop().await;
    let connection = db.connect().await;
    let next = "ALTER TABLE teams ADD COLUMN next_thing text; \
                INSERT INTO seaql_migrations (version, applied_at) VALUES ('m29991231_999999_next', 0)";
    connection.execute_unprepared(next).await.unwrap();
    let plane = Plane::start(&db).await;
    let admin = plane.admin().await;
    let made = admin
        .post("/admin/teams", serde_json::json!({"name": "Platform"}))
        .await;
    assert_eq!(made.status, 201, "{}", made.text);
    plane.stop().await;
    // One that this version has no way from.
    let other = format!("DELETE FROM seaql_migrations WHERE version = '{FREE_UNTIL}'");
    connection.execute_unprepared(&other).await.unwrap();
    connection.close().await.unwrap();
    let life = Lifecycle::new();
    assert!(Box::pin(ControlPlane::start(config(&db), &life)).await.is_err());
}
