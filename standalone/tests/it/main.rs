//! The gateway from outside: real processes, real sockets, real clients, and `bedrock-sim` as the only stand-in.
#![expect(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::print_stderr,
    reason = "tests"
)]

mod browser;
mod harness;

mod affinity;
mod bodies;
mod budgets;
mod canary;
mod catalogue;
mod certificates;
mod chaos;
mod claude_code;
mod command_line;
mod console;
mod crash;
mod databases;
mod declared;
mod doctor;
mod documentation;
mod explain;
mod first_start;
mod hang_up;
mod import;
mod isolation;
mod limits;
mod logs;
mod matrix;
mod metrics;
mod notifications;
mod outage;
mod propagation;
mod quotas;
mod recorded_requests;
mod rolling;
mod runaway;
mod sdks;
mod setup;
mod sign_in;
mod silence;
mod skew;
mod split;
mod stopping;
mod telemetry;
mod upgrade;
mod web_search;
