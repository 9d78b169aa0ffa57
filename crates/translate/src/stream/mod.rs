//! Anthropic's events as they come from Bedrock → server-sent events for the client.

mod quick;
mod reader;
pub(crate) mod sse;
mod translator;

pub use reader::{EventTooLong, SseReader};
pub use sse::{PING, error_event};
pub use translator::{EndReason, Fed, Finish, Observed, Phase, StreamOptions, StreamTranslator};
