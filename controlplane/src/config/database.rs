//! How the database is reached, as the configuration says.

use super::file::DatabaseSection;
use super::{InvalidConfig, wrong};
use crate::database_secret::{DatabaseSecret, put_login};
use crate::store::{Backend, ConnectOptions};
use std::time::Duration;
use url::Url;

/// How to connect.
pub(super) fn connection(section: &DatabaseSection) -> Result<ConnectOptions, InvalidConfig> {
    let url = match section.url.get() {
        Some(url) => url.to_owned(),
        None if section.host.is_empty() => {
            return Err(wrong(
                "database.url",
                "is not set: set DATABASE_URL to sqlite:///var/lib/ccag/ccag.db for a single control plane, or to \
                 postgres://USER:PASSWORD@HOST/NAME",
            ));
        }
        None => url_of_parts(section)?,
    };
    let backend = Backend::of(&url).map_err(|_| {
        wrong(
            "database.url",
            "must start with sqlite:// or postgres://; check DATABASE_URL",
        )
    })?;
    if backend == Backend::Postgres {
        // The text is not repeated: it may hold a password.
        let parsed: Result<sea_orm::sqlx::postgres::PgConnectOptions, _> = url.parse();
        parsed.map_err(|_| {
            wrong(
                "database.url",
                "is not a valid Postgres URL; characters such as @ : / in the password have to be percent-encoded, or \
                 use DATABASE_HOST, DATABASE_USER and DB_PASSWORD instead",
            )
        })?;
    }
    if !(2..=500).contains(&section.max_connections) {
        return Err(wrong("database.max_connections", "must be between 2 and 500"));
    }
    Ok(ConnectOptions {
        url,
        max_connections: section.max_connections,
        acquire_timeout: Duration::from_millis(section.acquire_timeout_ms.clamp(100, 60_000)),
        statement_timeout: Duration::from_millis(section.statement_timeout_ms.clamp(100, 600_000)),
    })
}

/// The secret that the user and the password are read from, if there is one.
pub(super) fn secret(section: &DatabaseSection) -> Result<Option<DatabaseSecret>, InvalidConfig> {
    let arn = section.secret_arn.trim();
    if arn.is_empty() {
        return Ok(None);
    }
    let reason = if ccag_aws::secret::region_of(arn).is_none() {
        "is not the ARN of a secret: arn:aws:secretsmanager:REGION:ACCOUNT:secret:NAME; check DATABASE_SECRET_ARN"
    } else if section.url.get().is_some() || section.password.get().is_some() {
        "has the user and the password: take DATABASE_URL and DB_PASSWORD away, and set DATABASE_HOST"
    } else {
        return Ok(Some(DatabaseSecret::new(arn)));
    };
    Err(wrong("database.secret_arn", reason))
}

/// A Postgres URL of its parts, whatever characters they hold. A host that begins with `/` is a directory with a socket.
fn url_of_parts(section: &DatabaseSection) -> Result<String, InvalidConfig> {
    let bad = |_| wrong("database.host", "is not a host name; check DATABASE_HOST");
    let mut url = Url::parse("postgres://localhost").map_err(|e| bad(e.to_string()))?;
    let socket = section.host.starts_with('/');
    if socket {
        url.query_pairs_mut().append_pair("host", &section.host);
    } else {
        url.set_host(Some(&section.host))
            .map_err(|e| bad(e.to_string()))?;
    }
    let set = url
        .set_port(Some(section.port))
        .and_then(|()| put_login(&mut url, &section.user, section.password.get()));
    set.map_err(|()| bad(String::new()))?;
    url.set_path(&section.name);
    Ok(url.into())
}
