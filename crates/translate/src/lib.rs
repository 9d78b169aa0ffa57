//! Anthropic Messages to Amazon Bedrock and back: pure functions.
//!
//! No I/O, no clock, no randomness: what comes out depends on what goes in, and on the version of a rule book.
//!
//! * [`request`]: a client's body → the body of `InvokeModel`;
//! * [`count_tokens`]: the same for `CountTokens`;
//! * [`eventstream`]: Bedrock's binary frames → events;
//! * [`stream`]: events → server-sent events for the client, with what they tell about usage;
//! * [`response`]: the same for answers that are not streamed;
//! * [`error`]: what AWS says went wrong → what the client is told, and what to try instead;
//! * [`search`]: web search, which Bedrock does not have;
//! * [`profile`]: what Bedrock takes, as data;
//! * [`model`]: what a client means by a model's name;
//! * [`noticed`]: what was left out, and what no rule names.

pub mod count_tokens;
pub mod error;
pub mod eventstream;
mod json;
pub mod model;
pub mod noticed;
pub mod profile;
pub mod request;
pub mod response;
pub mod search;
mod spliced;
pub mod stream;
mod usage;

pub use json::SyntaxError;
pub use spliced::Spliced;
