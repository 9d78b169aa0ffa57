//! Web search, which Bedrock does not have: the tool in its place, what the client sees of it, and what becomes of that on
//! the next turn.
//!
//! The client's server tool is replaced by an ordinary one ([`tool`]). What the model then says over several calls is put
//! together into one message ([`Merged`]): calls of the tool appear as `server_tool_use`, each followed by a
//! `web_search_tool_result`. The results carry, sealed, exactly what the model was given ([`seal`](SealKey)), so that
//! [`prepare_with`](crate::request::prepare_with) turns such a message back into the turns that Bedrock saw, without any state.
//! Each further call within a loop is made in the same way, as if the client had sent the message back, so that a loop and
//! the turn after it send the same prefix by construction.
//!
//! The searching itself is done elsewhere.

mod assemble;
mod citations;
mod history;
mod merge;
mod outcome;
mod shortcut;
mod tool;

pub use ccag_domain::DomainFilter;
pub use merge::{Merged, Next, SearchCall};
pub use outcome::{SearchError, SearchOutcome};
pub use shortcut::{Shortcut, shortcut};
pub use tool::{Location, SearchTool, asked, continued};

pub(crate) use history::has_searches;
pub(crate) use outcome::as_text;
pub(crate) use tool::upstream_name;

use ccag_domain::SealKey;

/// What a request's translation needs to know of web search.
#[derive(Debug, Clone, Default)]
pub struct Terms {
    /// Whether searches are carried out; if not, a request with the tool is refused.
    pub enabled: bool,
    /// What results are sealed with. Without it, results of earlier turns are given to the model in a readable form that is
    /// not what it was given then.
    pub key: Option<SealKey>,
}

/// The id that the client sees for a call of the model's.
fn client_id(upstream: &str) -> String {
    format!("srv{upstream}")
}

/// The model's own id for a call that the client has seen.
fn upstream_id(client: &str) -> &str {
    client.strip_prefix("srv").unwrap_or(client)
}
