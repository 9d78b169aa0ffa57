//! What client connections may take.

use super::InvalidConfig;
use ccag_daemon::ConnectionLimits;
use serde::{Deserialize, Serialize};
use std::time::Duration;

/// `[connections]`
#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(super) struct ConnectionsSection {
    max: usize,
    head_s: u64,
    idle_s: u64,
    body_pause_s: u64,
    body_s: u64,
    write_s: u64,
    http2_streams: u32,
    http2_ping_s: u64,
}

impl ConnectionsSection {
    /// The limits, if they make sense.
    pub(super) fn limits(&self) -> Result<ConnectionLimits, InvalidConfig> {
        let max = match self.max {
            0 => ConnectionLimits::default().max,
            max => usize::try_from(between("connections.max", max as u64, 16, 1_000_000)?).unwrap_or(max),
        };
        let seconds = |key, value, most| between(key, value, 1, most).map(Duration::from_secs);
        let streams = between("connections.http2_streams", self.http2_streams.into(), 1, 100_000)?;
        Ok(ConnectionLimits {
            max,
            head: seconds("connections.head_s", self.head_s, 600)?,
            idle: seconds("connections.idle_s", self.idle_s, 86_400)?,
            body_pause: seconds("connections.body_pause_s", self.body_pause_s, 3_600)?,
            body: seconds("connections.body_s", self.body_s, 7_200)?,
            write: seconds("connections.write_s", self.write_s, 3_600)?,
            http2_streams: u32::try_from(streams).unwrap_or(self.http2_streams),
            http2_ping: seconds("connections.http2_ping_s", self.http2_ping_s, 3_600)?,
        })
    }
}

fn between(key: &'static str, value: u64, min: u64, max: u64) -> Result<u64, InvalidConfig> {
    if (min..=max).contains(&value) {
        return Ok(value);
    }
    Err(InvalidConfig::Value {
        key,
        reason: format!("is {value}; it must be between {min} and {max}"),
    })
}
