//! What can go wrong, in words that help, and the exit code for it.

use ccag_admin_api::ProblemBody;
use std::fmt;
use std::io;
use std::path::Path;

/// A failure of a command.
#[derive(Debug)]
pub(crate) enum CliError {
    /// The server said no.
    Refused(Box<ProblemBody>),
    /// What was asked for cannot be meant: exit code 1 if it is about what the server holds.
    NotFound(String),
    /// What was tried out does not work.
    Failed(String),
    /// Something on the command line is wrong in a way that clap cannot see.
    Usage(String),
    /// Nothing answered.
    Unreachable { url: String, reason: String },
    /// There is no session, or it has ended.
    SignedOut { url: String, reason: &'static str },
    /// The server failed, or sent what is not the admin API's.
    Server { url: String, reason: String },
    /// A file or the terminal failed.
    Local { what: String, error: io::Error },
    /// What is wrong has been shown.
    Faults,
}

impl CliError {
    /// A failure of a file.
    pub(crate) fn file(what: &str, path: &Path, error: io::Error) -> Self {
        Self::Local {
            what: format!("cannot {what} {}", path.display()),
            error,
        }
    }

    /// The exit code, as documented in the help text.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::Refused(_) | Self::NotFound(_) | Self::Failed(_) => 1,
            Self::Usage(_) => 2,
            Self::Unreachable { .. } => 3,
            Self::SignedOut { .. } => 4,
            Self::Server { .. } => 5,
            Self::Local { .. } => 6,
            Self::Faults => ccag_doctor::FAULTS,
        }
    }

    /// The error for `--json`: the server's own problem, or one of the same shape.
    pub(crate) fn to_json(&self) -> serde_json::Value {
        let code = match self {
            Self::Refused(problem) => return serde_json::json!({ "error": problem }),
            Self::NotFound(_) => "not-found",
            Self::Failed(_) => "failed",
            Self::Usage(_) => "usage",
            Self::Unreachable { .. } => "unreachable",
            Self::SignedOut { .. } => "unauthenticated",
            Self::Server { .. } => "server",
            Self::Local { .. } => "local",
            Self::Faults => "faults",
        };
        serde_json::json!({ "error": { "code": code, "detail": self.to_string() } })
    }
}

impl From<io::Error> for CliError {
    fn from(error: io::Error) -> Self {
        Self::Local {
            what: "this machine failed".to_owned(),
            error,
        }
    }
}

impl fmt::Display for CliError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(problem) => {
                let said = [&problem.detail, &problem.title]
                    .into_iter()
                    .find(|text| !text.is_empty());
                match said {
                    Some(said) => f.write_str(said)?,
                    None => write!(f, "the server refused with status {}", problem.status)?,
                }
                if let Some(field) = &problem.field {
                    write!(f, "\n  field:   {field}")?;
                }
                if let Some(id) = &problem.request_id {
                    write!(f, "\n  request: {id}")?;
                }
                Ok(())
            }
            Self::NotFound(text) | Self::Failed(text) | Self::Usage(text) => f.write_str(text),
            Self::Unreachable { url, reason } => write!(
                f,
                "cannot reach {url}: {reason}\n  Check that the gateway runs there and that the address is right: \
                 it comes from --url, CCAG_URL or the last `ccag login`."
            ),
            Self::SignedOut { url, reason } => {
                write!(f, "{reason}\n  Run `ccag login --url {url}`, or set CCAG_TOKEN.")
            }
            Self::Server { url, reason } => write!(
                f,
                "{reason}\n  If this goes on, check that {url} is the gateway's control plane, and its logs."
            ),
            Self::Local { what, error } => write!(f, "{what}: {error}"),
            Self::Faults => f.write_str("there are faults"),
        }
    }
}
