//! Webhooks, by Standard Webhooks, and Slack's.

use super::super::settings::{Way, signing_key};
use super::{Refused, TIME, lines};
use crate::app::App;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ccag_admin_api::{EventBody, Secret};
use ccag_domain::Severity;
use ccag_search::guard::{GuardedResolver, NotAdmitted, Reach, check_url};
use hmac::{Hmac, KeyInit, Mac};
use reqwest::header::{HeaderMap, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Client, RequestBuilder};
use serde_json::json;
use sha2::Sha256;
use std::error::Error;
use std::sync::{Arc, OnceLock};

/// The most that is read of an answer, in bytes.
const ANSWER_BYTES: usize = 2_048;

/// Clients that ask only what may be asked. Nothing is connected before the first request.
#[derive(Debug, Default)]
pub(crate) struct Clients {
    public: OnceLock<Client>,
    private: OnceLock<Client>,
}

impl Clients {
    fn reaching(&self, reach: Reach) -> Result<&Client, String> {
        let place = match reach {
            Reach::Public => &self.public,
            Reach::Private => &self.private,
        };
        if let Some(client) = place.get() {
            return Ok(client);
        }
        let made = Client::builder()
            .redirect(Policy::none())
            .timeout(TIME)
            .no_proxy()
            .user_agent(concat!("ccag/", env!("CARGO_PKG_VERSION")))
            // A connection that the other side has closed meanwhile is noticed by failing: each event has its own.
            .pool_max_idle_per_host(0)
            .dns_resolver(Arc::new(GuardedResolver(reach)))
            .build()
            .map_err(|error| format!("TLS cannot be set up: {error}."))?;
        Ok(place.get_or_init(|| made))
    }
}

/// Posts an event, with its id, the time and, where there is a secret, a signature over them and the body (Standard Webhooks,
/// "Webhook headers").
pub(super) async fn webhook(app: &App, way: &Way, event: &EventBody, text: &str) -> Result<String, Refused> {
    let url = way.settings.url.as_deref().unwrap_or_default();
    let seconds = app.now_ms().div_euclid(1_000);
    let mut request = to(app, way, url)?
        .header("content-type", "application/json")
        .header("webhook-id", event.id.as_str())
        .header("webhook-timestamp", seconds);
    if let Some(secret) = &way.hidden.signing_secret {
        let signature = sign(secret, event.id.as_str(), seconds, text)
            .ok_or_else(|| "The secret for its signatures cannot be read: enter it again.".to_owned())?;
        request = request.header("webhook-signature", signature);
    }
    exchange(request.body(text.to_owned()), |_| "").await
}

/// `v1,` and the HMAC of the id, the time and the body.
fn sign(secret: &Secret, id: &str, seconds: i64, body: &str) -> Option<String> {
    let key = signing_key(secret)?;
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).ok()?;
    mac.update(format!("{id}.{seconds}.{body}").as_bytes());
    Some(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

/// Posts an event's line to a channel (Slack, "Sending messages using incoming webhooks"). Slack knows no ids: an event that is
/// sent again appears again, with the same id at its end.
pub(super) async fn slack(app: &App, way: &Way, event: &EventBody) -> Result<String, Refused> {
    let url = way.hidden.slack_url.as_ref().map_or("", Secret::reveal);
    let mark = match event.severity {
        Severity::Info => ":information_source:",
        Severity::Warning => ":warning:",
        Severity::Critical => ":rotating_light:",
    };
    let text = format!("{mark} {}\n_{}_", escaped(&lines(event)), event.id);
    exchange(to(app, way, url)?.json(&json!({ "text": text })), of_slack).await
}

/// What an error of Slack's means for whoever set up the destination (Slack, "Sending messages using incoming webhooks", "Handling
/// errors"); nothing for others.
fn of_slack(said: &str) -> &'static str {
    match said {
        "channel_is_archived" => {
            " The channel is archived: restore it in Slack, or make a webhook for another one."
        }
        "channel_not_found" => " The channel is gone: make a webhook for another one.",
        "no_service" | "no_service_id" | "invalid_token" => {
            " The webhook was removed or switched off in Slack: make a new one and enter its address."
        }
        "no_team" | "team_disabled" => " The workspace is gone or switched off.",
        "action_prohibited" | "posting_to_general_channel_denied" => {
            " The workspace's rules do not allow it: ask whoever administers it."
        }
        _ => "",
    }
}

/// Text without what Slack would take for markup of its own (Slack, "Formatting text for app surfaces").
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

fn to(app: &App, way: &Way, url: &str) -> Result<RequestBuilder, String> {
    let url = check_url(url, way.reach()).map_err(|failure| sentence(&failure.to_string()))?;
    Ok(app.clients.reaching(way.reach())?.post(url))
}

/// Sends a request. `meaning` says what the answer of a refusal means.
async fn exchange(request: RequestBuilder, meaning: fn(&str) -> &'static str) -> Result<String, Refused> {
    let mut response = request.send().await.map_err(|error| unreachable(&error))?;
    let status = response.status();
    let wait_ms = wait(response.headers());
    let mut answer = Vec::new();
    while let Ok(Some(chunk)) = response.chunk().await {
        let room = ANSWER_BYTES - answer.len();
        answer.extend_from_slice(&chunk[..chunk.len().min(room)]);
        if answer.len() == ANSWER_BYTES {
            break;
        }
    }
    if status.is_success() {
        return Ok(format!("It answered with status {}.", status.as_u16()));
    }
    if status.is_redirection() {
        return Err(format!(
            "It answered with status {}, which leads elsewhere; that is not followed. Enter the address that it leads to.",
            status.as_u16()
        )
        .into());
    }
    let said = String::from_utf8_lossy(&answer);
    let said = said.trim();
    let meaning = meaning(said);
    let said = match (said.is_empty(), meaning.is_empty()) {
        (true, _) => String::new(),
        (false, true) => format!(": {said}"),
        (false, false) => format!(": {said}.{meaning}"),
    };
    Err(Refused {
        message: format!("It answered with status {}{said}", status.as_u16()),
        wait_ms,
    })
}

/// How long a server wants to be left alone, if it says so in seconds (RFC 9110, section 10.2.3).
fn wait(headers: &HeaderMap) -> Option<i64> {
    let said = headers.get(RETRY_AFTER)?.to_str().ok()?;
    let seconds: i64 = said.trim().parse().ok()?;
    (seconds >= 0).then(|| seconds.saturating_mul(1_000))
}

/// Why there was no answer, without the address, which may be a secret.
fn unreachable(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return format!("It did not answer within {} seconds.", TIME.as_secs());
    }
    let mut innermost: Option<&dyn Error> = None;
    let mut cause = error.source();
    while let Some(inner) = cause {
        if inner.is::<NotAdmitted>() {
            return "The address is in a private network or on this machine, and that is not allowed for this destination."
                .to_owned();
        }
        innermost = Some(inner);
        cause = inner.source();
    }
    match innermost {
        Some(inner) => format!("It cannot be reached: {inner}."),
        None => "It cannot be reached.".to_owned(),
    }
}

fn sentence(text: &str) -> String {
    let mut chars = text.chars();
    match chars.next() {
        Some(first) => format!("{}{}.", first.to_uppercase(), chars.as_str()),
        None => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference implementations (Standard Webhooks, `libraries/`).
    #[test]
    fn a_signature_is_that_of_the_reference() {
        let secret = Secret::new("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
        let signed = sign(
            &secret,
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            1_614_265_330,
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(
            signed.as_deref(),
            Some("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=")
        );
    }

    #[test]
    fn slack_takes_no_markup_from_names() {
        assert_eq!(escaped("<!channel> & co"), "&lt;!channel&gt; &amp; co");
    }
}
