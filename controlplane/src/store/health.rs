//! What can be asked of a database before anything runs on it. Nothing of it changes anything.

use super::{Backend, Store, StoreError, dialect};
use ccag_domain::UnixMs;
use ccag_migrations::{Migrator, MigratorTrait};
use sea_orm::sqlx::postgres::PgConnectOptions;
use sea_orm::{ConnectionTrait, QueryResult, Statement};
use std::collections::BTreeSet;
use std::path::PathBuf;

/// What a PostgreSQL server says of itself.
#[derive(Debug, Clone)]
pub(crate) struct About {
    /// Such as `17.2`.
    pub(crate) version: String,
    /// Whether it is a standby, which nobody can write to.
    pub(crate) is_standby: bool,
    /// How many connections this user may have, all its processes together.
    pub(crate) connections: i64,
    /// Its time.
    pub(crate) now_ms: UnixMs,
}

/// How far the schema is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Schema {
    /// Whether there is none at all.
    pub(crate) fresh: bool,
    /// Migrations of this version that it lacks.
    pub(crate) missing: Vec<String>,
    /// Migrations that it has and this version does not know.
    pub(crate) unknown: Vec<String>,
}

impl Schema {
    /// Whether this version can read all of it.
    pub(crate) fn is_complete(&self) -> bool {
        self.missing.is_empty()
    }
}

/// Where a PostgreSQL server listens; `None` for a Unix socket.
pub(crate) fn host_of(url: &str) -> Option<(String, u16)> {
    let options: PgConnectOptions = url.parse().ok()?;
    let is_socket = options.get_socket().is_some() || options.get_host().starts_with('/');
    (!is_socket).then(|| (options.get_host().to_owned(), options.get_port()))
}

/// The file of a SQLite database; `None` for one in memory.
pub(crate) fn file_of(url: &str) -> Option<PathBuf> {
    dialect::sqlite_file(url).map(PathBuf::from)
}

impl Store {
    /// What the server says of itself; `None` of SQLite, which is none.
    pub(crate) async fn about(&self) -> Result<Option<About>, StoreError> {
        if self.backend == Backend::Sqlite {
            self.ping().await?;
            return Ok(None);
        }
        let sql = "SELECT current_setting('server_version'), pg_is_in_recovery(), \
                   LEAST(current_setting('max_connections')::bigint - current_setting('superuser_reserved_connections')::bigint, \
                   (SELECT CASE WHEN rolconnlimit < 0 THEN 100000 ELSE rolconnlimit END::bigint FROM pg_roles WHERE rolname = \
                   current_user)), (extract(epoch FROM clock_timestamp()) * 1000)::bigint";
        let row = self.ask_one(sql).await?;
        Ok(Some(About {
            version: row.try_get_by_index(0)?,
            is_standby: row.try_get_by_index(1)?,
            connections: row.try_get_by_index(2)?,
            now_ms: row.try_get_by_index(3)?,
        }))
    }

    /// Makes a table, and takes it back with the transaction.
    pub(crate) async fn try_to_make_table(&self) -> Result<(), StoreError> {
        let tx = dialect::begin_write(&self.db).await?;
        tx.execute_unprepared("CREATE TABLE ccag_check_config (id BIGINT)")
            .await?;
        Ok(tx.rollback().await?)
    }

    /// Tables of ours that this user may not alter, since they belong to a role that it is not a member of.
    pub(crate) async fn list_foreign_tables(&self) -> Result<Vec<String>, StoreError> {
        if self.backend == Backend::Sqlite {
            return Ok(Vec::new());
        }
        let sql = "SELECT tablename::text FROM pg_tables WHERE schemaname = current_schema() AND NOT pg_has_role(current_user, \
                   tableowner, 'USAGE') ORDER BY tablename";
        let rows = self.db.query_all_raw(self.plain(sql)).await?;
        let names = rows.iter().map(|row| row.try_get_by_index(0));
        Ok(names.collect::<Result<_, _>>()?)
    }

    /// How far the schema is.
    pub(crate) async fn schema(&self) -> Result<Schema, StoreError> {
        let sql = match self.backend {
            Backend::Sqlite => "SELECT COUNT(*) FROM sqlite_master WHERE name = 'seaql_migrations'",
            Backend::Postgres => "SELECT COUNT(to_regclass('seaql_migrations'))",
        };
        let there: i64 = self.ask_one(sql).await?.try_get_by_index(0)?;
        let ours: BTreeSet<String> = Migrator::migrations()
            .iter()
            .map(|m| m.name().to_owned())
            .collect();
        if there == 0 {
            return Ok(Schema {
                fresh: true,
                missing: ours.into_iter().collect(),
                unknown: Vec::new(),
            });
        }
        let rows = self
            .db
            .query_all_raw(self.plain("SELECT version FROM seaql_migrations"))
            .await?;
        let applied = rows.iter().map(|row| row.try_get_by_index(0));
        let applied: BTreeSet<String> = applied.collect::<Result<_, _>>()?;
        Ok(Schema {
            fresh: applied.is_empty(),
            missing: ours.difference(&applied).cloned().collect(),
            unknown: applied.difference(&ours).cloned().collect(),
        })
    }

    async fn ask_one(&self, sql: &str) -> Result<QueryResult, StoreError> {
        let row = self.db.query_one_raw(self.plain(sql)).await?;
        row.ok_or_else(|| StoreError::Other("a question was answered with nothing".to_owned()))
    }

    fn plain(&self, sql: &str) -> Statement {
        Statement::from_string(self.db.get_database_backend(), sql)
    }
}
