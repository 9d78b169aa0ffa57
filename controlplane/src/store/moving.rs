//! A whole database, copied from SQLite to PostgreSQL, or into a file.
//!
//! Nothing here knows any table by name: what is copied is what the schema holds, so that no table can be forgotten.

use super::entity::config_revision;
use super::{Backend, StoreError, Tx, dialect};
use ccag_migrations::{Migrator, MigratorTrait};
use futures_util::TryStreamExt;
use sea_orm::sea_query::{Alias, Expr, Query, SimpleExpr, Value};
use sea_orm::sqlx::sqlite::SqliteLockingMode;
use sea_orm::{
    ColumnTrait, ConnectionTrait, Database, DatabaseTransaction, DbBackend, EntityTrait, QueryFilter,
    QueryResult, Statement, StreamTrait, TransactionTrait,
};
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The table in which migrations are noted.
const MIGRATIONS: &str = "seaql_migrations";

/// What is made anew of what is copied.
const MADE_ANEW: &str = "usage_packs";

/// Tables of which one with rows means that a gateway has been using the database.
const IN_USE: [&str; 4] = ["users", "config_revision", "usage_records", "audit"];

/// A database cannot be copied.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// It is not the database that can be copied.
    #[error("{0}")]
    Refused(String),
    /// One of the databases fails.
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl From<sea_orm::DbErr> for CopyError {
    fn from(error: sea_orm::DbErr) -> Self {
        Self::Store(error.into())
    }
}

fn refused<T>(why: impl Into<String>) -> Result<T, CopyError> {
    Err(CopyError::Refused(why.into()))
}

/// One table that was copied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copied {
    /// Its name.
    pub table: String,
    /// How many rows it has.
    pub rows: u64,
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    Integer,
    Boolean,
}

/// Columns by table.
type Schema = BTreeMap<String, BTreeMap<String, Kind>>;

/// A digest over rows that does not depend on their order.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Sum {
    rows: u64,
    digest: u128,
}

impl Sum {
    fn add(&mut self, values: &[Value]) {
        let mut hash = Sha256::new();
        for value in values {
            match value {
                Value::String(Some(text)) => {
                    hash.update([1]);
                    hash.update(text.len().to_be_bytes());
                    hash.update(text.as_bytes());
                }
                Value::BigInt(Some(n)) => {
                    hash.update([2]);
                    hash.update(n.to_be_bytes());
                }
                Value::Bool(Some(yes)) => hash.update([3, u8::from(*yes)]),
                _ => hash.update([0]),
            }
        }
        let digest: [u8; 32] = hash.finalize().into();
        let (half, _) = digest.split_at(16);
        let number = half.iter().fold(0_u128, |n, byte| n << 8 | u128::from(*byte));
        self.rows += 1;
        self.digest = self.digest.wrapping_add(number);
    }
}

/// Copies everything in the SQLite database of one URL into the empty PostgreSQL database of another, in one transaction, and
/// reads it back. `say` is told of every table.
///
/// # Errors
/// [`CopyError::Refused`] if a gateway uses the source or has used the target, or if either is of another version than this
/// program.
pub async fn copy(
    from: &str,
    to: &str,
    say: &(dyn Fn(String) + Send + Sync),
) -> Result<Vec<Copied>, CopyError> {
    if Backend::of(from)? != Backend::Sqlite || Backend::of(to)? != Backend::Postgres {
        return refused("only a SQLite database can be moved, and only to PostgreSQL");
    }
    let source = alone(from).await?;
    check_version(&source, DbBackend::Sqlite, "the database that is to be moved").await?;
    let mut options = sea_orm::ConnectOptions::new(to);
    options.max_connections(3).sqlx_logging(false);
    let target = Database::connect(options).await?;
    // Nobody else migrates or seeds it meanwhile.
    let lock = target.begin().await?;
    dialect::lock_bootstrap(&lock, Backend::Postgres).await?;
    let tables = schema(&target, DbBackend::Postgres).await?;
    if tables.is_empty() {
        Migrator::up(&target, None).await?;
    } else {
        check_version(
            &target,
            DbBackend::Postgres,
            "the database that it is to be moved to",
        )
        .await?;
        for table in IN_USE {
            if count(&target, DbBackend::Postgres, table).await? > 0 {
                return refused(
                    "the database that it is to be moved to is in use: it has rows. Create an empty one",
                );
            }
        }
    }
    let tables = schema(&target, DbBackend::Postgres).await?;
    let held = schema(&source, DbBackend::Sqlite).await?;
    check_same(&held, &tables)?;
    let writing = target.begin().await?;
    let mut copied = Vec::with_capacity(tables.len());
    for (n, (table, columns)) in tables.iter().enumerate() {
        let sum = carry(&source, &writing, table, columns).await?;
        say(format!(
            "{:>3} of {}: {table}, {} rows",
            n + 1,
            tables.len(),
            sum.rows
        ));
        copied.push(Copied {
            table: table.clone(),
            rows: sum.rows,
        });
    }
    writing.commit().await?;
    lock.commit().await?;
    source.commit().await?;
    target.close().await?;
    Ok(copied)
}

/// Opens a SQLite database that nobody else has open, and keeps it so.
async fn alone(url: &str) -> Result<DatabaseTransaction, CopyError> {
    let mut options = sea_orm::ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            sqlite
                .create_if_missing(false)
                .locking_mode(SqliteLockingMode::Exclusive)
                .busy_timeout(Duration::from_secs(2))
        });
    let busy = |error: sea_orm::DbErr| {
        let text = error.to_string();
        if text.contains("locked") || text.contains("busy") {
            let why = "a gateway is using the database that is to be moved: stop it first";
            CopyError::Refused(why.to_owned())
        } else {
            error.into()
        }
    };
    let db = Database::connect(options).await.map_err(busy)?;
    let tx = dialect::begin_write(&db).await.map_err(|error| match error {
        StoreError::Unavailable(text) | StoreError::Other(text) => busy(sea_orm::DbErr::Custom(text)),
        other => other.into(),
    })?;
    Ok(tx)
}

/// Refuses a database whose migrations are not exactly those of this program.
async fn check_version<C: ConnectionTrait>(db: &C, backend: DbBackend, what: &str) -> Result<(), CopyError> {
    let sql = format!("SELECT version FROM {MIGRATIONS}");
    let rows = db.query_all_raw(Statement::from_string(backend, sql)).await;
    let Ok(rows) = rows else {
        return refused(format!("{what} is not one of this gateway"));
    };
    let there: BTreeSet<String> = rows
        .iter()
        .map(|row| row.try_get("", "version"))
        .collect::<Result<_, _>>()?;
    let ours: BTreeSet<String> = Migrator::migrations()
        .iter()
        .map(|m| m.name().to_owned())
        .collect();
    if there != ours {
        let lacks = ours.difference(&there).count();
        let more = there.difference(&ours).count();
        return refused(format!(
            "{what} is of another version than this program: {lacks} migrations are missing, {more} are unknown. Start the same \
             version with it once, or use the version that it is of"
        ));
    }
    Ok(())
}

async fn count<C: ConnectionTrait>(db: &C, backend: DbBackend, table: &str) -> Result<i64, CopyError> {
    let sql = format!("SELECT COUNT(*) FROM {table}");
    let row = db.query_one_raw(Statement::from_string(backend, sql)).await?;
    Ok(row.map_or(Ok(0), |row| row.try_get_by_index(0))?)
}

/// The tables that hold data, and their columns.
async fn schema<C: ConnectionTrait>(db: &C, backend: DbBackend) -> Result<Schema, CopyError> {
    let sql = match backend {
        DbBackend::Sqlite => {
            "SELECT m.name AS t, c.name AS c, lower(c.type) AS k FROM sqlite_master m JOIN pragma_table_info(m.name) c \
             WHERE m.type = 'table' AND m.name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
        }
        _ => {
            "SELECT table_name::text AS t, column_name::text AS c, data_type::text AS k FROM information_schema.columns \
             WHERE table_schema = current_schema() AND table_name NOT IN (SELECT relname FROM pg_class WHERE relispartition)"
        }
    };
    let mut schema = Schema::new();
    for row in db.query_all_raw(Statement::from_string(backend, sql)).await? {
        let (table, column): (String, String) = (row.try_get("", "t")?, row.try_get("", "c")?);
        let kind: String = row.try_get("", "k")?;
        if table == MIGRATIONS || table == MADE_ANEW {
            continue;
        }
        let kind = match kind.as_str() {
            "boolean" => Kind::Boolean,
            "bigint" | "integer" => Kind::Integer,
            k if k.contains("text") || k.contains("char") => Kind::Text,
            other => {
                return refused(format!(
                    "{table}.{column} has the type {other}, which cannot be copied"
                ));
            }
        };
        schema.entry(table).or_default().insert(column, kind);
    }
    Ok(schema)
}

/// Refuses two schemas that do not hold the same columns of the same kinds.
fn check_same(one: &Schema, other: &Schema) -> Result<(), CopyError> {
    for (table, columns) in one.iter().chain(other) {
        if one.get(table) != other.get(table) {
            return refused(format!(
                "the two databases do not agree about the table {table} ({} columns)",
                columns.len()
            ));
        }
    }
    Ok(())
}

fn selected(table: &str, columns: &BTreeMap<String, Kind>, backend: DbBackend) -> Statement {
    let mut select = Query::select();
    select
        .from(Alias::new(table))
        .columns(columns.keys().map(Alias::new));
    backend.build(&select)
}

fn values(row: &QueryResult, columns: &BTreeMap<String, Kind>) -> Result<Vec<Value>, sea_orm::DbErr> {
    let value = |(column, kind): (&String, &Kind)| {
        Ok(match kind {
            Kind::Text => row.try_get::<Option<String>>("", column)?.into(),
            Kind::Integer => row.try_get::<Option<i64>>("", column)?.into(),
            Kind::Boolean => row.try_get::<Option<bool>>("", column)?.into(),
        })
    };
    columns.iter().map(value).collect()
}

/// Copies one table, and holds what has arrived against what was sent.
async fn carry(
    source: &DatabaseTransaction,
    target: &DatabaseTransaction,
    table: &str,
    columns: &BTreeMap<String, Kind>,
) -> Result<Sum, CopyError> {
    // What the migrations have put there comes along with the rest.
    target.execute_unprepared(&format!("DELETE FROM {table}")).await?;
    let at_once = dialect::rows_per_statement(columns.len());
    let (mut sent, mut batch) = (Sum::default(), Vec::with_capacity(at_once));
    let mut rows = source
        .stream_raw(selected(table, columns, DbBackend::Sqlite))
        .await?;
    while let Some(row) = rows.try_next().await? {
        let values = values(&row, columns)?;
        sent.add(&values);
        batch.push(values);
        if batch.len() == at_once {
            insert(target, table, columns, std::mem::take(&mut batch)).await?;
        }
    }
    insert(target, table, columns, batch).await?;
    let mut arrived = Sum::default();
    let mut rows = target
        .stream_raw(selected(table, columns, DbBackend::Postgres))
        .await?;
    while let Some(row) = rows.try_next().await? {
        arrived.add(&values(&row, columns)?);
    }
    if arrived != sent {
        return refused(format!(
            "the table {table} did not arrive as it was sent ({} of {} rows); nothing was moved",
            arrived.rows, sent.rows
        ));
    }
    Ok(sent)
}

async fn insert(
    target: &DatabaseTransaction,
    table: &str,
    columns: &BTreeMap<String, Kind>,
    rows: Vec<Vec<Value>>,
) -> Result<(), CopyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let mut insert = Query::insert();
    insert
        .into_table(Alias::new(table))
        .columns(columns.keys().map(Alias::new));
    for row in rows {
        insert.values_panic(row.into_iter().map(SimpleExpr::from));
    }
    match target.execute_raw(DbBackend::Postgres.build(&insert)).await {
        Ok(_) => Ok(()),
        Err(error) => refused(format!(
            "PostgreSQL does not take rows of the table {table}: {}; nothing was moved",
            StoreError::from(error)
        )),
    }
}

/// Writes the whole SQLite database of a URL, in one state, into a new file, while a gateway may be using it.
///
/// # Errors
/// [`CopyError::Refused`] for PostgreSQL, for a file that exists, and for one that turns out not to be sound.
pub async fn back_up(url: &str, file: &str) -> Result<(), CopyError> {
    if Backend::of(url)? != Backend::Sqlite {
        return refused("a PostgreSQL database is backed up with pg_dump; see docs/backup.md");
    }
    if std::path::Path::new(file).exists() {
        return refused(format!("{file} exists already, and is not overwritten"));
    }
    let mut options = sea_orm::ConnectOptions::new(url);
    options
        .max_connections(1)
        .sqlx_logging(false)
        .map_sqlx_sqlite_opts(|sqlite| {
            let patience = Duration::from_secs(30);
            sqlite.create_if_missing(false).busy_timeout(patience)
        });
    let db = Database::connect(options).await?;
    dialect::create_private(&format!("sqlite://{file}"))?;
    let statement = Statement::from_sql_and_values(DbBackend::Sqlite, "VACUUM INTO $1", [file.into()]);
    db.execute_raw(statement).await?;
    db.close().await?;
    let copy = Database::connect(format!("sqlite://{file}?mode=ro")).await?;
    let check = Statement::from_string(DbBackend::Sqlite, "PRAGMA integrity_check");
    let row = copy.query_one_raw(check).await?;
    let said: String = row.map_or_else(|| Ok(String::new()), |row| row.try_get_by_index(0))?;
    copy.close().await?;
    match said.as_str() {
        "ok" => Ok(()),
        said => refused(format!("the backup is not sound: {said}")),
    }
}

impl Tx {
    /// Gives the database another name, so that data planes take everything anew instead of what has changed since.
    pub(crate) async fn update_epoch(&self, epoch: &str) -> Result<(), StoreError> {
        config_revision::Entity::update_many()
            .col_expr(config_revision::Column::Epoch, Expr::value(epoch))
            .filter(config_revision::Column::Id.eq(1))
            .exec(&self.tx)
            .await?;
        Ok(())
    }
}
