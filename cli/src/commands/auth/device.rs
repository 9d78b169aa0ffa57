//! Signing in with a browser: the device grant (RFC 8628).

use super::browser;
use crate::client::{Client, OauthRefusal};
use crate::error::CliError;
use crate::human::{printable, printable_line};
use crate::output::Output;
use ccag_admin_api::Secret;
use reqwest::StatusCode;
use serde::Deserialize;
use std::time::Duration;
use tokio::time::Instant;

const BEGIN: &str = "/oauth/device_authorization";
const TOKEN: &str = "/oauth/token";

/// RFC 8628, section 3.4.
const GRANT: &str = "urn:ietf:params:oauth:grant-type:device_code";

/// Tells the gateway that it is this program that asks, and not a Claude Code.
const SURFACE: (&str, &str) = ("surface", "ccag");

/// How long to wait between two questions where the gateway does not say, and how much longer when it is asked too often.
const INTERVAL: Duration = Duration::from_secs(5);

/// The longest wait after a question that was not answered, and how many such questions there may be in a row.
const LONGEST: Duration = Duration::from_secs(60);
const FAILURES: u32 = 4;

/// However long the gateway says that a code is good for.
const LONGEST_LIFE: Duration = Duration::from_secs(86_400);

/// How a sign-in is begun (RFC 8628, section 3.2).
#[derive(Debug, Deserialize)]
struct Begun {
    device_code: Secret,
    user_code: String,
    verification_uri: String,
    verification_uri_complete: Option<String>,
    expires_in: u64,
    interval: Option<u64>,
    /// What the operator wants to have said to everybody who signs in.
    login_notice: Option<String>,
}

#[derive(Debug, Deserialize)]
struct Granted {
    access_token: Secret,
}

/// Lets somebody sign in with a browser, here or elsewhere, and returns the session token.
pub(super) async fn sign_in(client: &Client, out: Output, open_browser: bool) -> Result<Secret, CliError> {
    let begun: Result<Begun, OauthRefusal> = client.form(BEGIN, &[SURFACE]).await?;
    let begun = begun.map_err(|refusal| cannot_begin(client, &refusal))?;
    let link = begun
        .verification_uri_complete
        .as_ref()
        .unwrap_or(&begun.verification_uri);
    out.tell(&invitation(&begun, link));
    if open_browser {
        browser::open(link);
    }
    wait(client, &begun).await
}

fn invitation(begun: &Begun, link: &str) -> String {
    let code = printable_line(&begun.user_code);
    let next = match begun.verification_uri_complete {
        Some(_) => format!("Confirm there that the code is {code}."),
        None => format!("Enter the code {code} there."),
    };
    let mut text = format!(
        "Sign in with a browser, on this machine or another one:\n\n  {}\n\n{next}",
        printable_line(link)
    );
    if let Some(notice) = &begun.login_notice {
        text.push_str(&format!("\n\n{}", printable(notice)));
    }
    text
}

fn cannot_begin(client: &Client, refusal: &OauthRefusal) -> CliError {
    if matches!(
        refusal.status,
        StatusCode::NOT_FOUND | StatusCode::METHOD_NOT_ALLOWED
    ) {
        return CliError::Failed(format!(
            "{} lets nobody sign in with a browser: give your user name with --username",
            client.url()
        ));
    }
    failure(client, refusal)
}

fn failure(client: &Client, refusal: &OauthRefusal) -> CliError {
    let said = refusal.words();
    if refusal.status.is_server_error() {
        return CliError::Server {
            url: client.url(),
            reason: said,
        };
    }
    CliError::Failed(said)
}

/// Asks until somebody has confirmed the code, or turned it down, or nobody has in time.
async fn wait(client: &Client, begun: &Begun) -> Result<Secret, CliError> {
    let over = CliError::SignedOut {
        url: client.url(),
        reason: "nobody has confirmed the code in time",
    };
    let end = Instant::now() + Duration::from_secs(begun.expires_in).min(LONGEST_LIFE);
    let mut pace = Pace::new(begun.interval);
    let form = [("grant_type", GRANT), ("device_code", begun.device_code.reveal())];
    loop {
        tokio::time::sleep_until(end.min(Instant::now() + pace.pause)).await;
        if Instant::now() >= end {
            return Err(over);
        }
        let asked: Result<Result<Granted, OauthRefusal>, CliError> = client.form(TOKEN, &form).await;
        let error = match asked {
            Ok(Ok(granted)) => return Ok(granted.access_token),
            Ok(Err(refusal)) => match refusal.error.as_str() {
                "authorization_pending" => {
                    pace.pending();
                    continue;
                }
                "slow_down" => {
                    pace.slow_down();
                    continue;
                }
                "access_denied" => return Err(CliError::Failed("the sign-in was turned down".to_owned())),
                "expired_token" => return Err(over),
                _ if refusal.status.is_server_error() => failure(client, &refusal),
                _ => return Err(failure(client, &refusal)),
            },
            Err(error @ CliError::Unreachable { .. }) => error,
            Err(error) => return Err(error),
        };
        if !pace.unanswered() {
            return Err(error);
        }
    }
}

/// How often to ask.
#[derive(Debug)]
struct Pace {
    /// How long the gateway wants to be left alone.
    interval: Duration,
    /// How long to wait now.
    pause: Duration,
    failures: u32,
}

impl Pace {
    fn new(interval_s: Option<u64>) -> Self {
        let interval = interval_s.map_or(INTERVAL, Duration::from_secs).min(LONGEST_LIFE);
        Self {
            interval,
            pause: interval,
            failures: 0,
        }
    }

    fn pending(&mut self) {
        self.pause = self.interval;
        self.failures = 0;
    }

    /// The longer interval holds from now on (RFC 8628, section 3.5).
    fn slow_down(&mut self) {
        self.interval += INTERVAL;
        self.pending();
    }

    /// There was no answer: the next question comes after twice the time. Whether there is to be one.
    fn unanswered(&mut self) -> bool {
        self.failures += 1;
        let longer = self.pause.saturating_mul(2).max(Duration::from_secs(1));
        self.pause = longer.min(LONGEST.max(self.interval));
        self.failures < FAILURES
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_says_how_often_it_may_be_asked() {
        let seconds = |pace: &Pace| pace.pause.as_secs();
        let mut pace = Pace::new(None);
        assert_eq!(seconds(&pace), 5);
        pace.slow_down();
        assert_eq!(seconds(&pace), 10);
        pace.pending();
        assert_eq!(seconds(&pace), 10, "it stays longer");
        assert_eq!(seconds(&Pace::new(Some(2))), 2);
    }

    #[test]
    fn a_gateway_that_does_not_answer_is_asked_less_and_less_and_not_for_ever() {
        let mut pace = Pace::new(Some(5));
        let mut pauses = Vec::new();
        while pace.unanswered() {
            pauses.push(pace.pause.as_secs());
        }
        assert_eq!(pauses, [10, 20, 40]);
        let mut back = Pace::new(Some(5));
        back.unanswered();
        back.pending();
        assert_eq!((back.pause.as_secs(), back.failures), (5, 0));
    }
}
