//! The database: whether it answers, what this user may do there, how far the schema is, and under which keys its secrets are.

use super::no_keys;
use crate::config::ControlPlaneConfig;
use crate::database_secret;
use crate::master_key::OpenKeys;
use crate::secrets::Under;
use crate::store::health::{About, Schema, file_of, host_of};
use crate::store::sealed::SealedKind;
use crate::store::{Backend, Store, StoreError};
use ccag_daemon::SystemClock;
use ccag_daemon::config::without_password;
use ccag_doctor::checks::{
    CLOCK, DATABASE, DATABASE_CONNECTIONS, DATABASE_RIGHTS, MIGRATIONS, SEALED_SECRETS,
};
use ccag_doctor::{Finding, clock, disk, reach};
use ccag_domain::Clock;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

/// So many connections a control plane opens besides its pool: to listen, and to migrate.
const BESIDE: i64 = 4;

/// A database's URL as it may be shown.
pub(super) fn shown(url: &str) -> String {
    without_password(url)
        .split('?')
        .next()
        .unwrap_or_default()
        .to_owned()
}

/// Looks at the database. The store is there if all of it can be read.
pub(super) async fn look(
    config: &ControlPlaneConfig,
    keys: Option<&OpenKeys>,
) -> (Vec<Finding>, Option<Store>) {
    let mut config = config.clone();
    if let Err(error) = Box::pin(database_secret::open(&mut config, Arc::new(SystemClock))).await {
        let advice = "the control plane needs secretsmanager:GetSecretValue on DATABASE_SECRET_ARN, and kms:Decrypt where the secret has \
                      a key of its own";
        return (
            vec![DATABASE.fault("DATABASE_SECRET_ARN", error.to_string(), advice)],
            None,
        );
    }
    let subject = shown(&config.database.url);
    if let Some(finding) = nobody_there(&config.database.url, &subject).await {
        return (vec![finding], None);
    }
    let others = no_keys(&config).await;
    let opened = match (keys, &others) {
        (Some(keys), _) => keys,
        (None, Ok(keys)) => keys,
        (None, Err(reason)) => return (vec![DATABASE.skipped(subject, reason)], None),
    };
    let store = match Store::connect(&config.database, opened).await {
        Ok(store) => store,
        Err(error) => return (vec![unusable(&subject, &error)], None),
    };
    let mut findings = Vec::new();
    match questions(&store, &config, &subject, keys.is_some(), &mut findings).await {
        Ok(true) => (findings, Some(store)),
        Ok(false) => {
            store.close().await;
            (findings, None)
        }
        Err(error) => {
            store.close().await;
            findings.push(unusable(&subject, &error));
            (findings, None)
        }
    }
}

/// What there is to say before anything is opened: a file that will be made, or a server that cannot be reached.
async fn nobody_there(url: &str, subject: &str) -> Option<Finding> {
    if let Some((host, port)) = host_of(url).filter(|_| !url.starts_with("sqlite:")) {
        let why = reach::connect(&host, port).await.err()?;
        return Some(DATABASE.fault(subject, why.found(), why.advice()));
    }
    let file = file_of(url).filter(|_| url.starts_with("sqlite:"))?;
    let advice = "name a file in a folder that the control plane's user may write to, on a disk that survives restarts";
    let folder = file.parent().unwrap_or(Path::new("."));
    let there = disk::nearest(folder);
    // SQLite writes files beside the database, too.
    if let Err(error) = disk::try_to_write(&there) {
        let found = format!("{} cannot be written to: {error}", there.display());
        return Some(DATABASE.fault(subject, found, advice));
    }
    if !file.exists() {
        return Some(DATABASE.ok(subject, "there is none yet: the first start makes it"));
    }
    match std::fs::OpenOptions::new().append(true).open(&file) {
        Err(error) => Some(DATABASE.fault(subject, format!("it cannot be written to: {error}"), advice)),
        Ok(_) => None,
    }
}

/// Everything else, one after another. Whether all of the database can be read.
async fn questions(
    store: &Store,
    config: &ControlPlaneConfig,
    subject: &str,
    has_keys: bool,
    findings: &mut Vec<Finding>,
) -> Result<bool, StoreError> {
    let asked = SystemClock.now_ms();
    match store.about().await? {
        None => findings.push(DATABASE.ok(subject, "it answers")),
        Some(about) => {
            findings.extend(server(&about, config, subject));
            let whose = format!("the database {subject}");
            findings.push(clock::compare(
                &CLOCK,
                &whose,
                about.now_ms,
                asked,
                SystemClock.now_ms(),
            ));
            if about.is_standby {
                return Ok(false);
            }
        }
    }
    let schema = store.schema().await?;
    findings.push(rights(store, subject, &schema).await?);
    findings.push(migrations(subject, &schema));
    if !schema.is_complete() {
        findings.push(SEALED_SECRETS.skipped(
            subject,
            "this version does not know the schema before its migrations",
        ));
        return Ok(false);
    }
    findings.push(match has_keys {
        true => sealed(store, subject).await?,
        false => SEALED_SECRETS.skipped(subject, "there is no master key to open them with"),
    });
    Ok(true)
}

fn server(about: &About, config: &ControlPlaneConfig, subject: &str) -> Vec<Finding> {
    if about.is_standby {
        let advice =
            "name the address of the primary; with Aurora that is the cluster's endpoint, not the reader's";
        return vec![DATABASE.fault(subject, "it is a standby, which cannot be written to", advice)];
    }
    let wanted = i64::from(config.database.max_connections) + BESIDE;
    let found = format!(
        "each control plane opens up to {wanted} connections, and this user may have {}",
        about.connections
    );
    let advice = "let each control plane take fewer (DATABASE_MAX_CONNECTIONS), or the server have more (max_connections)";
    vec![
        DATABASE.ok(subject, format!("PostgreSQL {} answers", about.version)),
        match wanted <= about.connections {
            true => DATABASE_CONNECTIONS.ok(subject, found),
            false => DATABASE_CONNECTIONS.fault(subject, found, advice),
        },
    ]
}

/// Whether this user may do what migrations do.
async fn rights(store: &Store, subject: &str, schema: &Schema) -> Result<Finding, StoreError> {
    let due = match schema.missing.len() {
        0 => "the next migrations would fail",
        _ => "the migrations that are due will fail",
    };
    if let Err(error) = store.try_to_make_table().await {
        let text = error.to_string();
        if text.contains("ccag_check_config") && text.contains("exists") {
            return Ok(DATABASE_RIGHTS.ok(subject, "another check is under way"));
        }
        return Ok(DATABASE_RIGHTS.fault(
            subject,
            format!("this user may not make tables, so that {due}: {text}"),
            "as the database's owner: GRANT CREATE, USAGE ON SCHEMA public TO the user of DATABASE_URL; on SQLite give the file and its \
             folder to the control plane's user",
        ));
    }
    let foreign = store.list_foreign_tables().await?;
    Ok(match foreign.first() {
        None => DATABASE_RIGHTS.ok(subject, "this user may make and alter tables"),
        Some(first) => DATABASE_RIGHTS.fault(
            subject,
            format!("{} tables, such as {first}, belong to another role, so that {due}", foreign.len()),
            "as the database's owner: REASSIGN OWNED BY that role TO the user of DATABASE_URL, or make this user a member of it",
        ),
    })
}

fn migrations(subject: &str, schema: &Schema) -> Finding {
    let (missing, unknown) = (schema.missing.len(), schema.unknown.len());
    if schema.fresh {
        return MIGRATIONS.ok(subject, "it is empty: the first start makes the tables");
    }
    match (missing, unknown) {
        (0, 0) => MIGRATIONS.ok(subject, "the schema is this version's"),
        (_, 0) => MIGRATIONS.ok(subject, format!("the next start brings it up to date: {missing} migrations")),
        (0, _) => MIGRATIONS.warning(
            subject,
            format!("a newer version has brought it further, by {unknown} migrations; this version can go on with it"),
            "bring all control planes to the newer version, unless this one is here to go back",
        ),
        (_, _) => MIGRATIONS.fault(
            subject,
            format!("it has {unknown} migrations that this version does not know, and lacks {missing} of this version's"),
            "it belongs to another line of versions: start the version that it belongs to",
        ),
    }
}

/// Whether the master keys open what is there.
async fn sealed(store: &Store, subject: &str) -> Result<Finding, StoreError> {
    let secrets = store.secrets();
    let (mut opened, mut shut) = (0u64, 0u64);
    let (mut kinds, mut keys) = (BTreeSet::new(), BTreeSet::new());
    for kind in SealedKind::ALL {
        for row in store.list_sealed(kind).await? {
            match secrets.under(&row.what, &row.value) {
                Under::Known(_) => opened += 1,
                Under::Unknown(id) => {
                    shut += 1;
                    kinds.insert(kind.as_str());
                    keys.insert(id.to_string());
                }
                Under::Nothing => {
                    shut += 1;
                    kinds.insert(kind.as_str());
                }
            }
        }
    }
    if shut == 0 {
        return Ok(SEALED_SECRETS.ok(subject, format!("the master keys open all {opened} secrets")));
    }
    let kinds: Vec<&str> = kinds.into_iter().collect();
    let keys: Vec<String> = keys.into_iter().collect();
    let under = match keys.is_empty() {
        true => String::new(),
        false => format!(", sealed under the key {}", keys.join(", ")),
    };
    Ok(SEALED_SECRETS.fault(
        subject,
        format!("{shut} of {} secrets cannot be opened ({}){under}", opened + shut, kinds.join(", ")),
        "this is not the master key that they were sealed with: set CCAG_MASTER_KEY to it, or list it in CCAG_OTHER_MASTER_KEYS; \
         `ccag-controlplane master-key ids` prints the ids of the configured keys",
    ))
}

/// Why the database cannot be used, with what to do about it.
fn unusable(subject: &str, error: &StoreError) -> Finding {
    let text = error.to_string();
    let has = |part: &str| text.contains(part);
    let advice = if has("password authentication failed") || has("no password supplied") {
        "the user or the password is wrong: look at DATABASE_URL, or at DATABASE_USER and DB_PASSWORD; characters such as @ : / in a URL have \
         to be percent-encoded"
    } else if has("pg_hba") || has("SSL") || has("TLS") || has("certificate") {
        "the server wants to be spoken to in another way: add ?sslmode=require (or verify-full with sslrootcert=FILE) to DATABASE_URL, or \
         let its pg_hba.conf take this machine"
    } else if has("role") && has("does not exist") {
        "make that role, or name another user in DATABASE_URL"
    } else if has("does not exist") {
        "make the database (CREATE DATABASE), or name another one in DATABASE_URL"
    } else if has("too many") || has("remaining connection slots") {
        "all connections of the server are taken: end some, raise max_connections, or lower DATABASE_MAX_CONNECTIONS"
    } else if has("permission denied") {
        "give the user of DATABASE_URL the right: GRANT USAGE, CREATE ON SCHEMA public, and the tables"
    } else {
        "look at the server's log, and whether it has room on its disk"
    };
    let kind = match store_kind(subject) {
        Some(Backend::Sqlite) => {
            "look whether the file is a SQLite database, and whether another process holds it"
        }
        _ => advice,
    };
    DATABASE.fault(subject, text, kind)
}

fn store_kind(url: &str) -> Option<Backend> {
    Backend::of(url).ok()
}
