//! Whether server-sent events arrive when they are sent, and whether a stream lives through a silence.

use super::why;
use ccag_doctor::Finding;
use ccag_doctor::checks::{IDLE, STREAM};
use reqwest::header::ACCEPT_ENCODING;
use reqwest::{RequestBuilder, Response};
use serde_json::Value;
use std::time::Duration;
use tokio::time::Instant;

const SUBJECT: &str = "/v1/messages/doctor/stream";

const PASS_ON: &str = "turn buffering and compression of text/event-stream off in the proxy before the gateway: proxy_buffering off and gzip off \
                       in nginx, flush_interval -1 in Caddy; the gateway asks for it by X-Accel-Buffering and Cache-Control";

/// Events may be so far apart in arriving, compared with how they were sent, before somebody holds them back.
const HELD_BACK_MS: u64 = 250;

/// An event, and when it arrived.
struct Event {
    /// When it was sent, by the data plane's clock, in milliseconds.
    sent_ms: u64,
    arrived: Instant,
    /// Whether it ended the silence.
    silence: bool,
    last: bool,
}

/// Reads the stream to its end; `ping` is how long it is silent in its midst.
pub(super) async fn look(request: RequestBuilder, ping: Duration) -> Vec<Finding> {
    // What browsers and Claude Code take: a proxy that compresses shows by it.
    let request = request
        .header(ACCEPT_ENCODING, "gzip, deflate, br")
        .header("accept", "text/event-stream")
        .body("{}")
        .timeout(ping + Duration::from_secs(20));
    let started = Instant::now();
    let answer = match request.send().await {
        Ok(answer) => answer,
        Err(error) => {
            return vec![
                STREAM.fault(SUBJECT, format!("nothing arrives: {}", why(&error)), PASS_ON),
                IDLE.skipped(SUBJECT, "no stream begins"),
            ];
        }
    };
    if let Some(finding) = changed(&answer) {
        return vec![
            finding,
            IDLE.skipped(SUBJECT, "what arrives is not the stream that was sent"),
        ];
    }
    let (events, broke) = read(answer).await;
    vec![
        in_time(&events, started),
        through_silence(&events, broke.as_deref(), ping),
    ]
}

/// What has been done to the answer as a whole.
fn changed(answer: &Response) -> Option<Finding> {
    let header = |name: &str| {
        let value = answer.headers().get(name).and_then(|value| value.to_str().ok());
        value.unwrap_or_default()
    };
    let status = answer.status();
    if !status.is_success() {
        return Some(STREAM.fault(SUBJECT, format!("it is refused with {status}"), PASS_ON));
    }
    let encoding = header("content-encoding");
    if !encoding.is_empty() && encoding != "identity" {
        let found = format!(
            "the stream arrives compressed ({encoding}), which the gateway does not do: events wait until a block is full"
        );
        return Some(STREAM.fault(SUBJECT, found, PASS_ON));
    }
    let kind = header("content-type");
    if !kind.starts_with("text/event-stream") {
        let found = format!("the stream arrives as `{kind}`, and not as text/event-stream");
        return Some(STREAM.fault(SUBJECT, found, PASS_ON));
    }
    None
}

async fn read(mut answer: Response) -> (Vec<Event>, Option<String>) {
    let (mut events, mut text) = (Vec::new(), String::new());
    loop {
        match answer.chunk().await {
            Ok(Some(bytes)) => {
                let arrived = Instant::now();
                text.push_str(&String::from_utf8_lossy(&bytes));
                while let Some((event, rest)) = text.split_once("\n\n") {
                    events.extend(event_of(event, arrived));
                    text = rest.to_owned();
                }
            }
            Ok(None) => return (events, None),
            Err(error) => return (events, Some(why(&error))),
        }
    }
}

fn event_of(event: &str, arrived: Instant) -> Option<Event> {
    let data = event.lines().find_map(|line| line.strip_prefix("data: "))?;
    let told: Value = serde_json::from_str(data).ok()?;
    Some(Event {
        sent_ms: told["at_ms"].as_u64()?,
        arrived,
        silence: told["silence"] == true,
        last: told["last"] == true,
    })
}

/// Compares when the first and the last event before the silence were sent with when they arrived.
fn in_time(events: &[Event], started: Instant) -> Finding {
    let before = events.iter().take_while(|event| !event.silence);
    let before: Vec<&Event> = before.collect();
    let (Some(first), Some(last)) = (before.first(), before.last()) else {
        return STREAM.fault(
            SUBJECT,
            "no event arrives: somebody on the way swallows them",
            PASS_ON,
        );
    };
    let sent = last.sent_ms.saturating_sub(first.sent_ms);
    let arrived = last.arrived.duration_since(first.arrived).as_millis();
    let arrived = u64::try_from(arrived).unwrap_or(u64::MAX);
    if before.len() < 2 {
        return STREAM.fault(
            SUBJECT,
            "events are missing: somebody on the way swallows them",
            PASS_ON,
        );
    }
    if arrived + HELD_BACK_MS < sent {
        let waited = first.arrived.duration_since(started).as_millis();
        let found = format!(
            "events that were sent {sent} ms apart arrive at once, the first of them after {waited} ms: somebody on the way collects them"
        );
        return STREAM.fault(SUBJECT, found, PASS_ON);
    }
    STREAM.ok(SUBJECT, "events arrive when they are sent")
}

/// Whether something came after the silence.
fn through_silence(events: &[Event], broke: Option<&str>, ping: Duration) -> Finding {
    let seconds = ping.as_secs();
    if events.iter().any(|event| event.last) {
        return IDLE.ok(SUBJECT, format!("a stream lives through {seconds} s of silence"));
    }
    if events.is_empty() {
        return IDLE.skipped(SUBJECT, "no event arrives");
    }
    let how = broke.unwrap_or("the answer ends too early");
    IDLE.fault(
        SUBJECT,
        format!("the stream breaks within {seconds} s of silence, which is how far apart the gateway's pings are: {how}"),
        "let the load balancer and every proxy wait for longer (idle_timeout of an ALB, proxy_read_timeout of nginx, 120 s at least), or let \
         the gateway ping more often (limits.ping_s in the data plane's configuration)",
    )
}
