//! The few things in which SQLite and Postgres differ.

use super::StoreError;
use sea_orm::sqlx::postgres::PgListener;
use sea_orm::sqlx::sqlite::{SqliteJournalMode, SqliteSynchronous};
use sea_orm::{
    AccessMode, ConnectionTrait, Database, DatabaseConnection, DatabaseTransaction, IsolationLevel,
    SqliteTransactionMode, Statement, TransactionOptions, TransactionTrait,
};
use std::time::Duration;

/// The channel on which Postgres tells all control planes of a new revision.
const CHANNEL: &str = "ccag_config";

/// What control planes tell each other beside that.
const HINTS: &str = "ccag_hints";

/// Names the advisory lock under which migrations and the first rows are made: any number, as long as it is ours.
const BOOTSTRAP_LOCK: i64 = 0x6363_6167_0001;

/// Names the advisory lock between those who add to the ledger, who share it, and those who sum it up, who do not.
const LEDGER_LOCK: i64 = 0x6363_6167_0002;

/// How many values a statement may bind: SQLite takes 32 766, Postgres 65 535.
const MAX_BINDS: usize = 32_000;

/// How long a connection that is made to find out what is wrong may take.
const KNOCK: Duration = Duration::from_secs(5);

/// Which database.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Backend {
    /// Embedded: one control plane.
    Sqlite,
    /// Shared by any number of control planes.
    Postgres,
}

impl Backend {
    /// Tells the database from its URL.
    ///
    /// # Errors
    /// [`StoreError::Other`] if it is neither.
    pub fn of(url: &str) -> Result<Self, StoreError> {
        if url.starts_with("sqlite:") {
            Ok(Self::Sqlite)
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            Ok(Self::Postgres)
        } else {
            Err(StoreError::Other(
                "DATABASE_URL must start with `sqlite://` or `postgres://`".to_owned(),
            ))
        }
    }
}

/// How to connect.
#[derive(Debug, Clone)]
pub struct ConnectOptions {
    /// `sqlite://path` or `postgres://…`.
    pub url: String,
    /// The most connections that are held open.
    pub max_connections: u32,
    /// How long to wait for a connection before the database counts as unavailable.
    pub acquire_timeout: Duration,
    /// After how long Postgres gives up a statement; zero for never.
    pub statement_timeout: Duration,
}

impl ConnectOptions {
    /// Usual settings for a URL.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            max_connections: 12,
            acquire_timeout: Duration::from_secs(3),
            statement_timeout: Duration::from_secs(15),
        }
    }
}

/// A connection that comes back from a transaction which SQLite has rolled back by itself, as it does when the disk is full
/// (<https://www.sqlite.org/lang_transaction.html>, "Response To Errors Within A Transaction"), is counted as one within a
/// transaction for ever after. The next one would be a part of that, and where it fails nobody would end it: it would keep the
/// lock that all who write wait for. Such a connection is closed instead.
pub(super) async fn connect(
    backend: Backend,
    options: &ConnectOptions,
) -> Result<DatabaseConnection, StoreError> {
    let mut connect = sea_orm::ConnectOptions::new(&options.url);
    connect
        .max_connections(options.max_connections)
        .acquire_timeout(options.acquire_timeout)
        .idle_timeout(Duration::from_secs(300))
        .sqlx_logging(false);
    match backend {
        Backend::Sqlite => {
            create_private(&options.url)?;
            connect.map_sqlx_sqlite_opts(|sqlite| {
                sqlite
                    .create_if_missing(true)
                    .journal_mode(SqliteJournalMode::Wal)
                    // An acknowledged record must survive a power cut.
                    .synchronous(SqliteSynchronous::Full)
                    .busy_timeout(Duration::from_secs(5))
            });
            connect.map_sqlx_sqlite_before_acquire(|connection, _| {
                let is_whole = !sqlx::Connection::is_in_transaction(connection);
                Box::pin(std::future::ready(Ok(is_whole)))
            });
        }
        Backend::Postgres => {
            connect
                .connect_lazy(true)
                .statement_timeout(options.statement_timeout)
                .set_application_name("ccag-controlplane")
                // Compiling a statement of analytics takes longer than the statement, and sorting on disk does.
                .map_sqlx_postgres_opts(|postgres| postgres.options([("jit", "off"), ("work_mem", "32MB")]));
        }
    }
    let mut db = Database::connect(connect).await?;
    db.set_metric_callback(super::tally::count);
    Ok(db)
}

/// Makes a connection beside the pool, which does not say why it has none.
///
/// # Errors
/// Why there is none.
pub(super) async fn knock(db: &DatabaseConnection) -> Result<(), StoreError> {
    let options = db.get_postgres_connection_pool().connect_options();
    let connecting = tokio::time::timeout(KNOCK, sqlx::ConnectOptions::connect(options.as_ref()));
    let connection = connecting
        .await
        .map_err(|_| StoreError::Unavailable(format!("no answer within {} s", KNOCK.as_secs())))??;
    sqlx::Connection::close(connection).await?;
    Ok(())
}

/// Opens further connections as this user.
pub(super) fn log_in_as(db: &DatabaseConnection, user: &str, password: &str) {
    let pool = db.get_postgres_connection_pool();
    let options = pool.connect_options().as_ref().clone();
    pool.set_connect_options(options.username(user).password(password));
}

/// The file that a SQLite URL names; `None` for a database in memory.
pub(super) fn sqlite_file(url: &str) -> Option<String> {
    let path = url.trim_start_matches("sqlite:").trim_start_matches("//");
    let path = path.split('?').next().unwrap_or(path);
    let path = percent_encoding::percent_decode_str(path)
        .decode_utf8_lossy()
        .into_owned();
    (!path.is_empty() && !path.starts_with(':')).then_some(path)
}

/// Makes the file so that only its owner reads it: it holds password hashes.
pub(super) fn create_private(url: &str) -> Result<(), StoreError> {
    let Some(path) = sqlite_file(url) else {
        return Ok(());
    };
    let path = path.as_str();
    let fail = |e: std::io::Error| StoreError::Other(format!("cannot open the SQLite file `{path}`: {e}"));
    if let Some(parent) = std::path::Path::new(path).parent() {
        std::fs::create_dir_all(parent).map_err(fail)?;
    }
    let mut open = std::fs::OpenOptions::new();
    open.append(true).create(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut open, 0o600);
    open.open(path).map_err(fail)?;
    Ok(())
}

/// Begins a transaction that will write. SQLite takes its write lock at once: upgrading a read lock later fails for all
/// but one of those who try.
pub(super) async fn begin_write(db: &DatabaseConnection) -> Result<DatabaseTransaction, StoreError> {
    let options = TransactionOptions {
        sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
        ..TransactionOptions::default()
    };
    Ok(db.begin_with_options(options).await?)
}

/// Begins a transaction in which all reads see one state.
pub(super) async fn begin_read(
    db: &DatabaseConnection,
    backend: Backend,
) -> Result<DatabaseTransaction, StoreError> {
    let options = match backend {
        Backend::Sqlite => TransactionOptions::default(),
        Backend::Postgres => TransactionOptions {
            isolation_level: Some(IsolationLevel::RepeatableRead),
            access_mode: Some(AccessMode::ReadOnly),
            sqlite_transaction_mode: None,
        },
    };
    Ok(db.begin_with_options(options).await?)
}

/// Makes everybody else who wants to migrate or seed wait until the transaction ends.
pub(super) async fn lock_bootstrap(tx: &DatabaseTransaction, backend: Backend) -> Result<(), StoreError> {
    if backend == Backend::Postgres {
        tx.execute_unprepared("SET LOCAL statement_timeout = 0").await?;
        tx.execute_unprepared(&format!("SELECT pg_advisory_xact_lock({BOOTSTRAP_LOCK})"))
            .await?;
    }
    Ok(())
}

/// How the ledger is used until the end of a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum LedgerUse {
    /// Records are added. Others may add as well.
    Add,
    /// What is there is summed up, for an account that every later record will be added to. Nobody adds meanwhile.
    Sum,
}

/// Keeps those who add to the ledger and those who sum it up apart. SQLite has one writer at a time anyway.
pub(super) async fn lock_ledger(
    tx: &DatabaseTransaction,
    backend: Backend,
    using: LedgerUse,
) -> Result<(), StoreError> {
    if backend == Backend::Postgres {
        let function = match using {
            LedgerUse::Add => "pg_advisory_xact_lock_shared",
            LedgerUse::Sum => "pg_advisory_xact_lock",
        };
        tx.execute_unprepared(&format!("SELECT {function}({LEDGER_LOCK})"))
            .await?;
    }
    Ok(())
}

/// Tells the other control planes of a revision, when the transaction commits.
pub(super) async fn notify(
    tx: &DatabaseTransaction,
    backend: Backend,
    revision: i64,
) -> Result<(), StoreError> {
    if backend == Backend::Postgres {
        let statement = Statement::from_sql_and_values(
            sea_orm::DbBackend::Postgres,
            "SELECT pg_notify($1, $2)",
            [CHANNEL.into(), revision.to_string().into()],
        );
        tx.execute_raw(statement).await?;
    }
    Ok(())
}

/// How many rows of so many columns go into one statement.
pub(super) fn rows_per_statement(columns: usize) -> usize {
    (MAX_BINDS / columns.max(1)).clamp(1, 2_000)
}

impl super::Store {
    /// Listens for revisions of other control planes and wakes ours, and hands on their hints, until the connection fails.
    /// SQLite has no other control planes: there it only waits.
    pub(crate) async fn listen(&self, hint: impl Fn(&str)) -> Result<(), StoreError> {
        if self.backend == Backend::Sqlite {
            return std::future::pending().await;
        }
        let mut listener = PgListener::connect_with(self.db.get_postgres_connection_pool()).await?;
        listener.listen_all([CHANNEL, HINTS]).await?;
        loop {
            let Some(notification) = listener.try_recv().await? else {
                return Ok(());
            };
            if notification.channel() == HINTS {
                hint(notification.payload());
            } else if let Ok(revision) = notification.payload().parse() {
                self.wake(revision);
            }
        }
    }

    /// Tells all control planes something that may be lost, this one included; of at most 8,000 bytes (PostgreSQL manual,
    /// "NOTIFY"). SQLite has no other control planes.
    pub(crate) async fn tell(&self, hint: String) -> Result<(), StoreError> {
        if self.backend == Backend::Postgres {
            let statement = Statement::from_sql_and_values(
                sea_orm::DbBackend::Postgres,
                "SELECT pg_notify($1, $2)",
                [HINTS.into(), hint.into()],
            );
            self.db.execute_raw(statement).await?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn statements_stay_below_the_bind_limits() {
        for columns in [1, 7, 30, 40, 100] {
            let rows = rows_per_statement(columns);
            assert!(rows <= 2_000 && rows * columns < 32_766, "{columns}");
        }
    }

    #[tokio::test]
    async fn a_connection_whose_transaction_sqlite_has_ended_by_itself_holds_up_nobody() {
        let dir = tempfile::tempdir().unwrap();
        let options = ConnectOptions {
            max_connections: 1,
            ..ConnectOptions::new(format!("sqlite://{}", dir.path().join("db").display()))
        };
        let db = connect(Backend::Sqlite, &options).await.unwrap();
        db.execute_unprepared("CREATE TABLE t (n INTEGER PRIMARY KEY)")
            .await
            .unwrap();

        let ended = begin_write(&db).await.unwrap();
        // As SQLite does when the disk is full.
        ended.execute_unprepared("ROLLBACK").await.unwrap();
        drop(ended);
        // The next one fails after it has written.
        let failing = begin_write(&db).await.unwrap();
        failing
            .execute_unprepared("INSERT INTO t VALUES (1)")
            .await
            .unwrap();
        drop(failing);

        let others = connect(Backend::Sqlite, &options).await.unwrap();
        let writing = begin_write(&others).await.unwrap();
        writing
            .execute_unprepared("INSERT INTO t VALUES (2)")
            .await
            .unwrap();
        writing.commit().await.unwrap();
        let query = Statement::from_string(sea_orm::DbBackend::Sqlite, "SELECT n FROM t");
        let rows = db.query_all_raw(query).await.unwrap();
        assert_eq!(rows.len(), 1, "only what was committed is there");
    }

    #[test]
    fn only_two_databases_are_known() {
        assert_eq!(Backend::of("sqlite://x.db").unwrap(), Backend::Sqlite);
        assert_eq!(Backend::of("postgresql://h/d").unwrap(), Backend::Postgres);
        assert!(Backend::of("mysql://h/d").is_err());
    }
}
