//! What the connections of a listener may take.

use std::time::Duration;

/// What the connections of a listener may take, in number and in time. A stranger can open connections, and so can a program
/// that has gone wrong: neither may keep memory, or a connection to what is behind, for longer than it makes use of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ConnectionLimits {
    /// How many connections may be open at once. Where there are more, the one that has been without a request for longest
    /// makes room; where all have one, the new connection gets a refusal.
    pub max: usize,
    /// How long a new connection may stay silent, and how long the head of a request may take from its first byte on.
    pub head: Duration,
    /// How long a connection may be without a request.
    pub idle: Duration,
    /// How long nothing may come of a request's body, and how long all of it may take. Handlers see an error of the kind
    /// [`std::io::ErrorKind::TimedOut`].
    pub body_pause: Duration,
    /// See [`ConnectionLimits::body_pause`].
    pub body: Duration,
    /// How long a client may take nothing of what it is sent. Its answer is dropped then, and with it what the answer comes
    /// from.
    pub write: Duration,
    /// How many requests may be open on one HTTP/2 connection.
    pub http2_streams: u32,
    /// How often an HTTP/2 client is asked whether it is there, and how long it may take to say so.
    pub http2_ping: Duration,
}

impl ConnectionLimits {
    /// The same with so many connections.
    #[must_use]
    pub const fn max(self, max: usize) -> Self {
        Self { max, ..self }
    }
}

impl Default for ConnectionLimits {
    /// `idle` is longer than the idle time-outs that load balancers are set to (AWS ALB: 60 s by default, 900 s for long
    /// streams): where the target closes first, the balancer's next request meets a closing socket and becomes a 502.
    fn default() -> Self {
        Self {
            max: half_of_open_files(),
            head: Duration::from_secs(60),
            idle: Duration::from_secs(960),
            body_pause: Duration::from_secs(60),
            body: Duration::from_secs(600),
            write: Duration::from_secs(60),
            http2_streams: 250,
            http2_ping: Duration::from_secs(30),
        }
    }
}

/// Where the system does not say how many files a process may have open, and the most where it does not bound them.
const MANY: usize = 16_384;

/// Half of the files that the process may have open, since a request has a connection to what is behind as well.
fn half_of_open_files() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").unwrap_or_default();
    half_of(&limits)
}

/// Reads the soft limit out of `/proc/self/limits` (proc_pid_limits(5)).
fn half_of(limits: &str) -> usize {
    let line = limits
        .lines()
        .find_map(|line| line.strip_prefix("Max open files"));
    let soft = line.and_then(|line| line.split_whitespace().next()?.parse::<usize>().ok());
    soft.map_or(MANY, |files| (files / 2).clamp(16, MANY))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_files_that_may_be_open() {
        let limits = "Limit                     Soft Limit           Hard Limit           Units     \n\
                      Max processes             93123                93123                processes \n\
                      Max open files            1024                 524288               files     \n";
        assert_eq!(half_of(limits), 512);
        assert_eq!(half_of(""), MANY);
        assert_eq!(
            half_of("Max open files            unlimited            unlimited            files"),
            MANY
        );
        assert_eq!(
            half_of("Max open files            1048576              1048576              files"),
            MANY
        );
    }
}
