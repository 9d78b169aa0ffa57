//! What can go wrong with the database, sorted by what to do about it.

use sea_orm::{DbErr, RuntimeErr, SqlErr, sqlx};

/// An operation on the database failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The database cannot be reached or is too busy. Trying again later helps.
    #[error("the database is not available: {0}")]
    Unavailable(String),
    /// A row with the same unique value exists.
    #[error("duplicate: {0}")]
    Duplicate(String),
    /// The database will never take this value.
    #[error("the database refuses the data: {0}")]
    Data(String),
    /// A row holds something that this version cannot read.
    #[error("unreadable row in {table}: {what}")]
    Unreadable {
        /// Where.
        table: &'static str,
        /// What, without its content.
        what: String,
    },
    /// Anything else: a fault of ours.
    #[error("database error: {0}")]
    Other(String),
}

impl StoreError {
    /// Whether trying the same again later can help.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::Unavailable(_))
    }

    pub(crate) fn unreadable(table: &'static str, what: impl Into<String>) -> Self {
        Self::Unreadable {
            table,
            what: what.into(),
        }
    }
}

impl From<DbErr> for StoreError {
    fn from(error: DbErr) -> Self {
        if let Some(SqlErr::UniqueConstraintViolation(what)) = error.sql_err() {
            return Self::Duplicate(what);
        }
        match &error {
            DbErr::ConnectionAcquire(_) => Self::Unavailable(error.to_string()),
            DbErr::Conn(RuntimeErr::SqlxError(e))
            | DbErr::Exec(RuntimeErr::SqlxError(e))
            | DbErr::Query(RuntimeErr::SqlxError(e)) => of_sqlx(e),
            _ => Self::Other(error.to_string()),
        }
    }
}

impl From<sqlx::Error> for StoreError {
    fn from(error: sqlx::Error) -> Self {
        of_sqlx(&error)
    }
}

fn of_sqlx(error: &sqlx::Error) -> StoreError {
    let text = error.to_string();
    match error {
        sqlx::Error::Database(database) => {
            let code = database.code().unwrap_or_default();
            if database
                .try_downcast_ref::<sqlx::postgres::PgDatabaseError>()
                .is_some()
            {
                of_sqlstate(&code, text)
            } else {
                of_sqlite(&code, text)
            }
        }
        sqlx::Error::ColumnDecode { .. } | sqlx::Error::ColumnNotFound(_) | sqlx::Error::RowNotFound => {
            StoreError::Other(text)
        }
        sqlx::Error::Encode(_) => StoreError::Data(text),
        // Broken connections show up as I/O, TLS, protocol and pool errors alike.
        _ => StoreError::Unavailable(text),
    }
}

/// Sorts a Postgres error by its class (PostgreSQL manual, appendix A "Error Codes").
fn of_sqlstate(code: &str, text: String) -> StoreError {
    match code {
        "23505" => StoreError::Duplicate(text),
        // Out of memory, disk full, lock or statement time-out, deadlock, serialisation, shutdown, too many connections,
        // read-only standby, I/O, a database that is away or closed for maintenance: all of them pass.
        _ if matches!(
            code.get(..2),
            Some("53" | "57" | "40" | "08" | "58" | "25" | "28" | "55" | "3D")
        ) =>
        {
            StoreError::Unavailable(text)
        }
        // Data exceptions, integrity violations, row or index entry too large.
        _ if matches!(code.get(..2), Some("22" | "23" | "54")) => StoreError::Data(text),
        _ => StoreError::Other(text),
    }
}

/// Sorts a SQLite error by its primary result code (SQLite manual, "Result and Error Codes").
fn of_sqlite(code: &str, text: String) -> StoreError {
    const SQLITE_ERROR: u32 = 1;
    const SQLITE_TOOBIG: u32 = 18;
    const SQLITE_CONSTRAINT: u32 = 19;
    const SQLITE_MISMATCH: u32 = 20;
    const SQLITE_RANGE: u32 = 25;
    let extended: u32 = code.parse().unwrap_or(SQLITE_ERROR);
    match extended {
        1555 | 2067 => return StoreError::Duplicate(text),
        _ => {}
    }
    match extended & 0xff {
        SQLITE_TOOBIG | SQLITE_CONSTRAINT | SQLITE_MISMATCH | SQLITE_RANGE => StoreError::Data(text),
        SQLITE_ERROR if text.contains("integer overflow") => StoreError::Data(text),
        SQLITE_ERROR => StoreError::Other(text),
        _ => StoreError::Unavailable(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn postgres_codes_are_sorted_by_what_helps() {
        let of = |code: &str| of_sqlstate(code, String::new());
        for passing in [
            "57P01", "53300", "40P01", "55P03", "08006", "57014", "25006", "55000", "3D000",
        ] {
            assert!(of(passing).is_transient(), "{passing}");
        }
        for poison in ["22021", "22003", "23514", "54000"] {
            assert!(matches!(of(poison), StoreError::Data(_)), "{poison}");
        }
        assert!(matches!(of("23505"), StoreError::Duplicate(_)));
        assert!(matches!(of("42P01"), StoreError::Other(_)));
    }

    #[test]
    fn sqlite_codes_are_sorted_by_what_helps() {
        let of = |code: &str| of_sqlite(code, String::new());
        for passing in ["5", "517", "6", "13", "10", "8"] {
            assert!(of(passing).is_transient(), "{passing}");
        }
        assert!(matches!(of("275"), StoreError::Data(_)));
        assert!(matches!(of("18"), StoreError::Data(_)));
        assert!(matches!(of("2067"), StoreError::Duplicate(_)));
    }
}
