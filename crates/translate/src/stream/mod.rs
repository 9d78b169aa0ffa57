//! Anthropic's events as they come from Bedrock → server-sent events for the client.

pub(crate) mod sse;
mod translator;

pub use sse::{PING, error_event};
pub use translator::{EndReason, Fed, Finish, Observed, Phase, StreamOptions, StreamTranslator};
