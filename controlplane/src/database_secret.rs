//! The user and the password of the database, where AWS Secrets Manager keeps them: read at the start and from time to time, so
//! that they are replaced while everything goes on.
//!
//! Connections that are open stay; those that are opened later use what was read last. With two users who take turns, as
//! Secrets Manager replaces passwords on PostgreSQL if asked to, no connection is ever refused (AWS Secrets Manager user guide,
//! "Lambda function rotation strategies", alternating users).

use crate::config::ControlPlaneConfig;
use crate::store::Store;
use ccag_aws::permissions::denied;
use ccag_aws::{BadBundle, ControlClient, ControlError};
use ccag_daemon::CancellationToken;
use ccag_domain::Clock;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde::Deserialize;
use std::sync::Arc;
use std::time::Duration;
use url::Url;
use zeroize::Zeroizing;

/// How often Secrets Manager is asked before the start fails, and the pause between.
const ATTEMPTS: u32 = 5;
const PAUSE: Duration = Duration::from_secs(1);

/// Where the user and the password are kept.
#[derive(Debug, Clone)]
pub struct DatabaseSecret {
    /// The ARN of the secret: JSON with `username` and `password`.
    pub arn: String,
    /// How often it is read again.
    pub every: Duration,
}

impl DatabaseSecret {
    /// A secret that is read every minute.
    #[must_use]
    pub fn new(arn: impl Into<String>) -> Self {
        Self {
            arn: arn.into(),
            every: Duration::from_secs(60),
        }
    }
}

/// The user and the password cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum DatabaseSecretError {
    /// AWS cannot be reached by TLS.
    #[error(transparent)]
    Tls(#[from] BadBundle),
    /// Secrets Manager said no, or nothing.
    #[error("the secret with the database's password cannot be read: {0}; check DATABASE_SECRET_ARN")]
    Refused(String),
    /// It is not what it should be.
    #[error(
        "the secret with the database's password is not JSON with `username` and `password`; check DATABASE_SECRET_ARN"
    )]
    NotALogin,
    /// Its user and password cannot be used with the URL.
    #[error("the database's URL takes no user and password; check DATABASE_HOST")]
    NoUrl,
}

#[derive(Deserialize)]
struct Written {
    username: String,
    password: String,
}

#[derive(PartialEq, Eq)]
struct Login {
    username: String,
    password: Zeroizing<String>,
}

/// Reads the login again and again.
pub(crate) struct Follower {
    aws: ControlClient,
    secret: DatabaseSecret,
    known: Login,
}

/// Reads the login, if it is in a secret, and puts it into the database's URL.
pub(crate) async fn open(
    config: &mut ControlPlaneConfig,
    clock: Arc<dyn Clock>,
) -> Result<Option<Follower>, DatabaseSecretError> {
    let Some(secret) = config.database_secret.clone() else {
        return Ok(None);
    };
    let aws = ControlClient::new(config.aws.clone(), config.aws_client.clone(), clock).await?;
    let mut attempt = 1;
    let known = loop {
        match read(&aws, &secret.arn).await {
            Ok(login) => break login,
            Err(Failed::Passing(error)) if attempt < ATTEMPTS => {
                tracing::warn!(%error, "the secret with the database's password cannot be read yet");
                attempt += 1;
                tokio::time::sleep(PAUSE).await;
            }
            Err(Failed::Passing(error) | Failed::Lasting(error)) => return Err(error),
        }
    };
    let mut url = Url::parse(&config.database.url).map_err(|_| DatabaseSecretError::NoUrl)?;
    put_login(&mut url, &known.username, Some(&known.password)).map_err(|()| DatabaseSecretError::NoUrl)?;
    config.database.url = url.into();
    tracing::info!(
        user = known.username,
        "the database's user and password were read"
    );
    Ok(Some(Follower { aws, secret, known }))
}

impl Follower {
    /// Has the store use what is new, until the shutdown.
    pub(crate) async fn follow(mut self, store: Store, shutdown: CancellationToken) {
        let mut complained = false;
        loop {
            tokio::select! {
                () = tokio::time::sleep(self.secret.every) => {}
                () = shutdown.cancelled() => return,
            }
            match read(&self.aws, &self.secret.arn).await {
                Ok(login) => {
                    complained = false;
                    if login != self.known {
                        store.log_in_as(&login.username, &login.password);
                        tracing::info!(user = login.username, "the database's password was replaced");
                        self.known = login;
                    }
                }
                Err(Failed::Passing(error) | Failed::Lasting(error)) if !complained => {
                    complained = true;
                    tracing::warn!(%error, "going on with the database's user and password as they were");
                }
                Err(_) => {}
            }
        }
    }
}

enum Failed {
    /// The next attempt may go better.
    Passing(DatabaseSecretError),
    /// It will not, as long as nobody changes something.
    Lasting(DatabaseSecretError),
}

async fn read(aws: &ControlClient, arn: &str) -> Result<Login, Failed> {
    let text = aws.secret_text(arn).await.map_err(|error| {
        let passing = match &error {
            ControlError::Unreachable { .. } => true,
            ControlError::Refused { status, kind, .. } => *status >= 500 || kind.contains("Throttling"),
            _ => false,
        };
        let refused = DatabaseSecretError::Refused(explain(&error));
        if passing {
            Failed::Passing(refused)
        } else {
            Failed::Lasting(refused)
        }
    })?;
    // What serde says may quote the text.
    let written: Written =
        serde_json::from_str(&text).map_err(|_| Failed::Lasting(DatabaseSecretError::NotALogin))?;
    Ok(Login {
        username: written.username,
        password: Zeroizing::new(written.password),
    })
}

/// Puts a user and a password into a URL, whatever characters they hold: a percent sign would otherwise be taken for the beginning of
/// a character that is encoded already.
pub(crate) fn put_login(url: &mut Url, user: &str, password: Option<&str>) -> Result<(), ()> {
    let encoded = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    url.set_username(&encoded(user))?;
    url.set_password(password.map(encoded).as_deref())
}

/// What Secrets Manager said, and what helps.
fn explain(error: &ControlError) -> String {
    let missing = match error {
        ControlError::Refused { message, .. } => denied(message),
        _ => None,
    };
    match missing {
        Some((action, on)) => format!(
            "allow `{action}` on {} in the policy of the control plane's role",
            on.unwrap_or_else(|| "the secret".to_owned())
        ),
        None => error.to_string(),
    }
}
