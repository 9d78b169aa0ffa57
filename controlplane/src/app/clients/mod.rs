//! Sessions of clients: Claude Code and `ccag` on people's machines, let in by signing in with a browser.
//!
//! The session of a Claude Code is a key that nobody sees ([`crate::store::entity::virtual_key`] with kind `session`): it is
//! pushed, attributed, limited and revoked like any other. Instead of a secret the client shows a token that is signed here,
//! names that key, and is good for an hour; with a refresh token, good once, it gets the next one.

pub mod device;
pub mod keys;
pub mod sessions;

use serde::{Deserialize, Serialize};
use std::net::IpAddr;

/// The longest description of a program that is kept, in characters.
const MAX_AGENT: usize = 160;

/// What is known of a device.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Device {
    /// What the program calls itself.
    pub agent: Option<String>,
    /// Where it is.
    pub address: Option<IpAddr>,
}

impl Device {
    /// From what a request says.
    #[must_use]
    pub fn new(agent: Option<&str>, address: Option<IpAddr>) -> Self {
        let readable = |text: &str| -> String {
            let visible = text.chars().filter(|c| !c.is_control());
            visible.take(MAX_AGENT).collect()
        };
        Self {
            agent: agent.map(readable).filter(|text| !text.is_empty()),
            address: address.map(|address| address.to_canonical()),
        }
    }

    fn to_json(&self) -> String {
        serde_json::to_string(self).unwrap_or_else(|_| "{}".to_owned())
    }

    fn read(json: &str) -> Self {
        serde_json::from_str(json).unwrap_or_default()
    }

    /// What to call a session on it.
    fn session_name(&self) -> String {
        match self.agent.as_deref().and_then(|agent| agent.split(' ').next()) {
            Some(agent) => format!("Claude Code ({agent})"),
            None => "Claude Code".to_owned(),
        }
    }
}

/// Which program asks to be let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Surface {
    /// Claude Code: it gets a session to ask models with, and nothing else.
    ClaudeCode,
    /// `ccag`: it gets a session of the admin API.
    Cli,
}

impl Surface {
    const fn as_str(self) -> &'static str {
        match self {
            Self::ClaudeCode => "claude_code",
            Self::Cli => "ccag",
        }
    }

    /// Reads what a program says it is. What is not known, and what says nothing, is taken for a Claude Code.
    #[must_use]
    pub fn parse(text: Option<&str>) -> Self {
        if text == Some(Self::Cli.as_str()) {
            Self::Cli
        } else {
            Self::ClaudeCode
        }
    }

    /// What people call it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ClaudeCode => "Claude Code",
            Self::Cli => "the ccag command line",
        }
    }
}
